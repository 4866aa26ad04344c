/* controller/solver_dns01.c - the solver of DNS-01 (RFC 8555, section 8.4): what the record holds,
 * and what the Order is told while dns01.c makes it and takes it away
 */
#include "base/enc.h"
#include "base/own.h"
#include "controller/order_run.h"
#include "pki/jws.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define DIGEST_LEN 32

static int dns01_answer(EVP_PKEY *account, struct str_view token, struct buf *out, struct err *err)
{
	AUTO(secret_deinit) struct buf authorization;
	unsigned char digest[DIGEST_LEN];
	size_t len;

	buf_init(&authorization, 2048);
	if (jws_key_authorization(account, token, &authorization, err) < 0)
		return -1;
	if (EVP_Q_digest(NULL, "SHA256", NULL, buf_cstr(&authorization), buf_len(&authorization),
			 digest, &len) != 1)
		return err_set(err, ERR_IO, "cannot compute SHA-256");
	enc_base64url(out, sv_new((const char *)digest, len));
	return 0;
}

/* The Order's reason speaks of one of its Challenges at a time: of the first one that has
 * something to say, until that one is done. */
static void say_in_order(struct order_look *look, const struct object *challenge, const char *words)
{
	struct str_view reason = json_sv_at(look->status, "reason");
	AUTO(auto_free)
	char *mark = xasprintf("DNS-01 of %s%s: ",
			       json_bool_at(challenge->json, "spec.wildcard", false) ? "*." : "",
			       json_str_at(challenge->json, "spec.dnsName"));
	bool ours = sv_starts(reason, sv_from(mark));
	json_t *status;

	if (!ours && (sv_starts(reason, SV("DNS-01 of ")) || words[0] == '\0'))
		return;
	status = status_copy(look->object);
	if (words[0] == '\0') {
		json_object_del(status, "reason");
		json_object_del(status, "failureReason");
	} else {
		json_object_set_new(status, "reason", json_fmt("%s%s", mark, words));
		json_object_set_new(status, "failureReason", json_string("DNS01Pending"));
	}
	if (json_same(status, look->status))
		json_decref(status);
	else
		order_learned(look->run, status);
}

static bool dns01_present(struct order_look *look, const struct object *challenge)
{
	const char *failure = json_str_at(challenge->json, "status.failure");
	const char *reason = json_str_at(challenge->json, "status.reason");

	if (failure != NULL) {
		order_fails(look, "errored", failure, reason == NULL ? "" : reason);
		return false;
	}
	if (json_bool_at(challenge->json, "status.propagated", false)) {
		say_in_order(look, challenge, "");
		return look->run->result == NULL;
	}
	account_leave_place(&look->run->use);
	if (reason != NULL)
		say_in_order(look, challenge, reason);
	return false;
}

static void dns01_drop(struct controllers *ctl, const struct object *challenge)
{
	json_t *status;

	if (json_at(challenge->json, "status.record") == NULL) {
		ctl_delete_object(ctl, challenge);
		return;
	}
	if (json_bool_at(challenge->json, "status.cleanUp", false))
		return;
	status = status_copy(challenge);
	json_object_set_new(status, "cleanUp", json_true());
	ctl_put_status(ctl, CTL_DNS01, challenge, status);
}

const struct solver_type solver_dns01 = {.type = "DNS-01",
					 .offer = "dns-01",
					 .member = "dns01",
					 .wildcards = true,
					 .answer = dns01_answer,
					 .present = dns01_present,
					 .drop = dns01_drop};
