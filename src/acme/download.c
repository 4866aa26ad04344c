/* The certificate chain, and the alternate ones (RFC 8555, section 7.4.2). */
#include "acme/call.h"

#include "acme/link.h"
#include "base/own.h"
#include "pki/x509.h"

#include <stdlib.h>

#define ALTERNATES_MAX 8

struct download {
	char *preferred;
	char *chain; /* the default one, while alternates are read */
	size_t chain_len;
	char *alternates[ALTERNATES_MAX];
	size_t count, next;
};

static void download_free(void *own)
{
	struct download *download = own;

	for (size_t i = 0; i < download->count; i++)
		free(download->alternates[i]);
	free(download->preferred);
	free(download->chain);
	free(download);
}

static bool is_preferred(const struct download *download, struct str_view pem)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	char name[256] = "";

	if (chain_from_pem(pem, &chain, NULL) != 0 || chain.count == 0)
		return false;
	X509_NAME_get_text_by_NID(X509_get_issuer_name(chain.certs[chain.count - 1]),
				  NID_commonName, name, sizeof(name));
	return strcmp(name, download->preferred) == 0;
}

static void keep_alternates(struct acme_call *call)
{
	struct download *download = call->own;
	struct str_view rest = call->links, target;

	while (download->count < ALTERNATES_MAX && link_next(&rest, SV("alternate"), &target)) {
		char *url = url_resolve(call->request.url, target);

		if (url != NULL)
			download->alternates[download->count++] = url;
	}
}

static bool is_chain(struct acme_call *call)
{
	if (sv_find_sv(call->text, SV("-----BEGIN CERTIFICATE-----")) != SV_NOT_FOUND)
		return true;
	call_bad_answer(call, "the answer holds no certificate");
	return false;
}

static void take_default(struct acme_call *call)
{
	const struct download *download = call->own;

	call->text = sv_new(download->chain, download->chain_len);
	call_ok(call);
}

static void alternate_read(struct acme_call *call);

static void read_next(struct acme_call *call)
{
	struct download *download = call->own;
	struct call_request request = {
		.step = "alternate certificate", .resource = CALL_URL, .want = WANT_TEXT};

	if (download->next >= download->count) {
		take_default(call);
		return;
	}
	request.url = TAKE(download->alternates[download->next]);
	download->next++;
	call_send(call, &request, alternate_read);
}

static void alternate_read(struct acme_call *call)
{
	if (!is_chain(call))
		return;
	if (is_preferred(call->own, call->text))
		call_ok(call);
	else
		read_next(call);
}

static void certificate_read(struct acme_call *call)
{
	struct download *download = call->own;

	if (!is_chain(call))
		return;
	keep_alternates(call);
	if (download->preferred[0] == '\0' || download->count == 0 ||
	    is_preferred(download, call->text)) {
		call_ok(call);
		return;
	}
	download->chain = sv_dup(call->text);
	download->chain_len = call->text.len;
	read_next(call);
}

/* An alternate that cannot be had is no reason to lose the certificate. */
static bool download_failed(struct acme_call *call)
{
	struct download *download = call->own;
	enum acme_outcome outcome = call->result.outcome;

	if (download->chain == NULL)
		return false;
	if (outcome == ACME_RETRY_LATER) /* the others would not come either */
		take_default(call);
	else
		read_next(call);
	return true;
}

static const struct call_kind download_kind = {.failed = download_failed,
					       .free_own = download_free};

struct acme_call *acme_certificate(struct acme_client *client, const char *url,
				   struct str_view preferred_chain, acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &download_kind, done, arg);
	struct download *download = xcalloc(1, sizeof(*download));
	struct call_request request = {.step = "certificate",
				       .resource = CALL_URL,
				       .url = xstrdup(url),
				       .lags = true,
				       .want = WANT_TEXT};

	download->preferred = sv_dup(preferred_chain);
	call->own = download;
	call_send(call, &request, certificate_read);
	return call;
}
