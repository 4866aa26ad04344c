/* dns01/rfc2136.c - dynamic updates of a zone's own server (RFC 2136), signed by TSIG (RFC 8945)
 *
 * A record is added beside others of its name, and taken away alone.
 */
#include "dns01/provider.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "dns01/dialogue.h"
#include "dns01/message.h"
#include "dns01/tsig.h"
#include "pki/key.h"

#include <stdlib.h>
#include <sys/random.h>

#define TTL        60
#define UPDATE_MS  20000
#define SECRET_MAX 1024 /* bytes of a key */
#define DNS_PORT   53

struct rfc2136 {
	struct dns01_job job;
	struct dns_query *query;
	struct dialogue *dialogue;
	char server[300]; /* for sentences */
	bool is_signed;
	char key_name[DNS_NAME_TEXT];
	struct tsig_key key;
	struct buf secret;
	struct tsig_mac mac;
};

static void stop(struct dns01_job *job)
{
	struct rfc2136 *update = (struct rfc2136 *)job;

	dns_cancel(update->query);
	dialogue_cancel(update->dialogue);
	secret_deinit(&update->secret);
}

/* ---- the key ---- */

static bool read_secret(struct rfc2136 *update)
{
	AUTO(auto_secret_text)
	char *text = job_secret_text(&update->job, "tsigSecretSecretRef", "tsig-secret-key");

	if (text == NULL)
		return false;
	(void)buf_room(&update->secret, SECRET_MAX);
	if (!dec_base64(&update->secret, sv_from(text))) {
		job_fail(&update->job, ERR_INVALID,
			 "tsigSecretSecretRef: the Secret's value is not base64, as the server's "
			 "configuration has it");
		return false;
	}
	update->key.secret = buf_view(&update->secret);
	return true;
}

static bool read_key(struct rfc2136 *update)
{
	struct dns01_job *job = &update->job;
	struct str_view name = json_sv_at(job->own, "tsigKeyName");
	struct str_view algorithm = json_sv_at(job->own, "tsigAlgorithm");

	buf_init(&update->secret, SECRET_MAX);
	if (name.len == 0 && json_member(job->own, "tsigSecretSecretRef") == NULL)
		return true; /* by its address the server may let us */
	update->is_signed = true;
	update->key.name = update->key_name;
	update->key.algorithm = tsig_algorithm_by_name(algorithm);
	if (name.len == 0 || !dns_name_text(name, update->key_name))
		job_fail(job, ERR_INVALID, "tsigKeyName: \"%.*s\" is no name of a key",
			 SV_ARG(sv_head(name, 253)));
	else if (update->key.algorithm == NULL)
		job_fail(job, ERR_INVALID, "tsigAlgorithm: \"%.*s\" is none of %s",
			 SV_ARG(sv_head(algorithm, 60)), tsig_algorithm_names());
	else
		return read_secret(update);
	return false;
}

/* ---- the answer ---- */

static bool is_answer(void *arg, struct str_view answer, struct err *err)
{
	struct rfc2136 *update = arg;
	struct dns_message message;

	if (dns_message_open(&message, answer) < 0 || dns_message_check(&message) < 0) {
		err_set(err, ERR_PROTOCOL, "its answer is malformed");
		return false;
	}
	return !update->is_signed ||
	       tsig_verify(answer, &update->key, &update->mac, clock_wall(), err) == 0;
}

static void tell_refusal(struct rfc2136 *update, unsigned rcode)
{
	struct dns01_job *job = &update->job;
	const char *zone = job->config.record.zone;

	switch (rcode) {
	case DNS_RCODE_REFUSED:
		job_fail(job, ERR_DENIED,
			 "%s refuses to change %s in zone %s (REFUSED): allow %s%s to update TXT "
			 "records there",
			 update->server, job->config.record.name, zone,
			 update->is_signed ? "the key " : "this host's address",
			 update->is_signed ? update->key_name : "");
		break;
	case 9:
	case 10:
		job_fail(job, ERR_DENIED,
			 "%s does not hold zone %s as its primary (%s): is nameserver the right "
			 "one?",
			 update->server, zone, dns_rcode_text(rcode));
		break;
	default:
		job_fail(job, ERR_IO, "%s answers %s to the update of zone %s", update->server,
			 dns_rcode_text(rcode), zone);
		break;
	}
}

static void answered(void *arg, struct str_view answer, const struct err *err)
{
	struct rfc2136 *update = arg;
	struct dns_message message;

	update->dialogue = NULL;
	if (err->code != ERR_NONE) {
		job_fail(&update->job, err->code, "%s: %s", update->server, err->msg);
		return;
	}
	(void)dns_message_open(&message, answer);
	if (message.rcode == DNS_RCODE_OK)
		job_done(&update->job);
	else
		tell_refusal(update, message.rcode);
}

/* ---- the update (RFC 2136, section 2) ---- */

static bool write_update(const struct rfc2136 *update, struct buf *message)
{
	const struct dns01_record *record = &update->job.config.record;
	bool add = update->job.config.action == DNS01_PRESENT;
	struct dns_head head = {.opcode = DNS_OPCODE_UPDATE};
	struct buf data;
	bool fine;

	(void)!getrandom(&head.id, sizeof(head.id), 0);
	buf_init(&data, 1024);
	dns_write_head(message, &head);
	fine = dns_write_txt(&data, sv_from(record->value)) &&
	       dns_write_record(message, DNS_QUESTION,
				&(struct dns_record_spec){.name = sv_from(record->zone),
							  .type = DNS_TYPE_SOA,
							  .class = DNS_CLASS_IN}) &&
	       dns_write_record(
		       message, DNS_AUTHORITY,
		       &(struct dns_record_spec){.name = sv_from(record->name),
						 .type = DNS_TYPE_TXT,
						 .class = add ? DNS_CLASS_IN : DNS_CLASS_NONE,
						 .ttl = add ? TTL : 0,
						 .data = buf_view(&data)});
	buf_deinit(&data);
	return fine;
}

static void send_update(struct rfc2136 *update, const struct sock_addr *server)
{
	struct dns01_job *job = &update->job;
	const struct dns01_env *env = job->config.env;
	AUTO(buf_deinit) struct buf message;
	struct err err = {0};

	buf_init(&message, 4096);
	if (!dns01_may_dial(env, server))
		job_fail(job, ERR_DENIED,
			 "nameserver: %s leads to an address that must not be asked",
			 update->server);
	else if (!write_update(update, &message))
		job_fail(job, ERR_INVALID, "%s in zone %s is no DNS name", job->config.record.name,
			 job->config.record.zone);
	else if (update->is_signed &&
		 tsig_sign(&message, &update->key, clock_wall(), &update->mac, &err) < 0)
		job_fail(job, err.code, "%s", err.msg);
	else
		update->dialogue = dialogue_start(&(struct dialogue_config){
			.loop = env->loop,
			.server = *server,
			.message = buf_view(&message),
			.tcp = sv_eq(json_sv_at(job->own, "protocol"), SV("TCP")),
			.timeout_ms = UPDATE_MS,
			.is_answer = is_answer,
			.done = answered,
			.arg = update});
}

/* ---- where to ---- */

static void looked_up(void *arg, const struct dns_answer *answer)
{
	struct rfc2136 *update = arg;

	update->query = NULL;
	if (answer->status != DNS_OK || answer->count == 0)
		job_fail(&update->job, ERR_IO, "nameserver: %s does not resolve: %s",
			 update->server, dns_status_text(answer->status));
	else
		send_update(update, &answer->addrs[0]);
}

static void start(struct dns01_job *job)
{
	struct rfc2136 *update = (struct rfc2136 *)job;
	struct str_view text = json_sv_at(job->own, "nameserver");
	size_t colon = sv_rfind(text, ':');
	struct sock_addr server;
	uint64_t port = DNS_PORT;

	memcpy(update->server, text.data, sv_head(text, sizeof(update->server) - 1).len);
	if (!read_key(update) || !job_needs_zone(job))
		return;
	if (sock_addr_parse(&server, text, DNS_PORT)) {
		send_update(update, &server);
		return;
	}
	if (colon != SV_NOT_FOUND &&
	    (!sv_to_u64(sv_skip(text, colon + 1), &port) || port == 0 || port > UINT16_MAX)) {
		job_fail(job, ERR_INVALID,
			 "nameserver: \"%s\" is neither an address nor a host name, with or "
			 "without a port",
			 update->server);
		return;
	}
	update->query = dns_lookup(job->config.env->dns, sv_head(text, colon), (uint16_t)port,
				   false, looked_up, update);
}

const struct dns01_provider dns01_rfc2136 = {
	.member = "rfc2136", .size = sizeof(struct rfc2136), .start = start, .stop = stop};
