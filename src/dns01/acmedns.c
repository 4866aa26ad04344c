/* dns01/acmedns.c - acme-dns: a server for nothing but challenges, to which CNAMEs lead
 *
 * It keeps the two newest values of an account, so a name and its wildcard fit; nothing is ever
 * taken away there.
 */
#include "dns01/provider.h"

#include "base/own.h"
#include "dns01/message.h"
#include "pki/key.h"

#include <stdlib.h>

struct acme_dns {
	struct dns01_job job;
};

static void answered(struct dns01_job *job, const struct job_answer *answer)
{
	struct str_view words = json_sv_at(answer->body, "error");

	if (answer->status == 200 &&
	    sv_eq(json_sv_at(answer->body, "txt"), sv_from(job->config.record.value)))
		job_done(job);
	else
		job_refused(job, answer, "the update is refused", words);
}

/* Values that go into header fields: what acme-dns gives out is UUIDs and base64url. */
static bool is_plain(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '!' || text.data[i] > '~')
			return false;
	}
	return text.len > 0 && text.len <= 512;
}

/* With the CNAME leading elsewhere the update would succeed and help nobody. */
static bool leads_here(struct dns01_job *job, const json_t *account)
{
	const struct dns01_record *record = &job->config.record;
	struct str_view full = json_sv_at(account, "fulldomain");
	char name[DNS_NAME_TEXT];

	if (full.len == 0 || !dns_name_text(full, name) || strcmp(name, record->name) == 0)
		return true;
	/* cnameStrategy None: where the name leads was not looked at. */
	if (sv_eq(json_sv_at(job->config.dns01, "cnameStrategy"), SV("None")))
		return true;
	job_fail(job, ERR_INVALID,
		 "_acme-challenge.%s leads to %s, but the account for it writes to %s: make "
		 "_acme-challenge.%s a CNAME of %s",
		 record->dns_name, record->name, name, record->dns_name, name);
	return false;
}

static void update(struct dns01_job *job, const json_t *account)
{
	struct str_view user = json_sv_at(account, "username");
	struct str_view password = json_sv_at(account, "password");
	AUTO(auto_free) char *base = job_base_url(job, "host", "");
	AUTO(auto_free) char *url = xasprintf("%s/update", base);
	AUTO(auto_secret_text) char *user_line = xasprintf("X-Api-User: %.*s", SV_ARG(user));
	AUTO(auto_secret_text) char *key_line = xasprintf("X-Api-Key: %.*s", SV_ARG(password));
	AUTO(auto_json)
	json_t *body =
		json_pack("{s:o, s:s}", "subdomain", json_sv(json_sv_at(account, "subdomain")),
			  "txt", job->config.record.value);
	AUTO(auto_free) char *text = json_text(body);

	if (!is_plain(user) || !is_plain(password) || json_sv_at(account, "subdomain").len == 0) {
		job_fail(job, ERR_INVALID,
			 "accountSecretRef: the account of %s lacks username, password or "
			 "subdomain",
			 job->config.record.dns_name);
		return;
	}
	if (!leads_here(job, account))
		return;
	job_call(job,
		 &(struct job_request){.method = "POST",
				       .url = url,
				       .headers = {user_line, key_line},
				       .content_type = "application/json",
				       .body = sv_from(text)},
		 answered);
}

static void start(struct dns01_job *job)
{
	AUTO(secret_deinit) struct buf text = {.data = NULL};
	AUTO(auto_json) json_t *accounts = NULL;
	const json_t *account;
	struct err err = {0};

	if (job->config.action == DNS01_CLEAN_UP) {
		job_done(job);
		return;
	}
	if (!job_secret(job, "accountSecretRef", "acmedns.json", &text))
		return;
	accounts = json_parse(buf_view(&text), &err);
	account = json_member(accounts, job->config.record.dns_name);
	if (!json_is_object(accounts))
		job_fail(job, ERR_INVALID,
			 "accountSecretRef: the Secret's value is no JSON object of accounts by "
			 "name");
	else if (!json_is_object(account))
		job_fail(job, ERR_NOT_FOUND,
			 "accountSecretRef: there is no account for %s: register one (POST "
			 "/register) and add {\"%s\": {…}} to the Secret",
			 job->config.record.dns_name, job->config.record.dns_name);
	else
		update(job, account);
}

const struct dns01_provider dns01_acme_dns = {
	.member = "acmeDNS", .size = sizeof(struct acme_dns), .start = start};
