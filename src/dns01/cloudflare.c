/* dns01/cloudflare.c - TXT records by Cloudflare's API (version 4)
 *
 * zone by its name -> records of name and value -> one made, or each of them taken away.
 */
#include "dns01/provider.h"

#include "base/enc.h"
#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

#define BASE_URL  "https://api.cloudflare.com/client/v4"
#define TTL       60
#define ID_MAX    64
#define TAKEN_MAX 16    /* records of one value that are taken away */
#define IS_THERE  81058 /* code: an identical record exists */

struct cloudflare {
	struct dns01_job job;
	char *base, *lines[2]; /* URL; header fields */
	char zone[ID_MAX + 1];
	size_t count, at; /* records to take away */
	char ids[TAKEN_MAX][ID_MAX + 1];
};

static void stop(struct dns01_job *job)
{
	struct cloudflare *cloudflare = (struct cloudflare *)job;

	free(cloudflare->base);
	auto_secret_text(&cloudflare->lines[0]);
	auto_secret_text(&cloudflare->lines[1]);
}

/* ---- requests and what they answer ---- */

/* Takes url. */
static void call(struct cloudflare *cloudflare, const char *method, char *url, const json_t *body,
		 job_answered_fn *done)
{
	AUTO(auto_free) char *text = body == NULL ? NULL : json_text(body);

	job_call(&cloudflare->job,
		 &(struct job_request){.method = method,
				       .url = url,
				       .headers = {cloudflare->lines[0], cloudflare->lines[1]},
				       .content_type = body == NULL ? NULL : "application/json",
				       .body = sv_from(text)},
		 done);
	free(url);
}

static bool is_fine(struct dns01_job *job, const struct job_answer *answer, const char *what)
{
	if (answer->status == 200 && json_bool_at(answer->body, "success", false))
		return true;
	job_refused(job, answer, what, json_sv_at(answer->body, "errors.0.message"));
	return false;
}

/* Identifiers go into paths. */
static bool take_id(struct str_view text, char out[ID_MAX + 1])
{
	if (text.len == 0 || text.len > ID_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]))
			return false;
		out[i] = text.data[i];
	}
	out[text.len] = '\0';
	return true;
}

static char *records_url(const struct cloudflare *cloudflare, const char *more)
{
	return xasprintf("%s/zones/%s/dns_records%s", cloudflare->base, cloudflare->zone, more);
}

/* ---- take away ---- */

static void delete_next(struct cloudflare *cloudflare);

static void deleted(struct dns01_job *job, const struct job_answer *answer)
{
	struct cloudflare *cloudflare = (struct cloudflare *)job;

	if (answer->status == 404 || is_fine(job, answer, "the record cannot be deleted")) {
		cloudflare->at++;
		delete_next(cloudflare);
	}
}

static void delete_next(struct cloudflare *cloudflare)
{
	char more[ID_MAX + 2];

	if (cloudflare->at == cloudflare->count) {
		job_done(&cloudflare->job);
		return;
	}
	snprintf(more, sizeof(more), "/%s", cloudflare->ids[cloudflare->at]);
	call(cloudflare, "DELETE", records_url(cloudflare, more), NULL, deleted);
}

/* ---- make ---- */

static void made(struct dns01_job *job, const struct job_answer *answer)
{
	if (json_int_at(answer->body, "errors.0.code", 0) == IS_THERE ||
	    is_fine(job, answer, "the record cannot be made"))
		job_done(job);
}

static void make(struct cloudflare *cloudflare)
{
	const struct dns01_record *record = &cloudflare->job.config.record;
	AUTO(auto_json)
	json_t *body = json_pack("{s:s, s:s, s:o, s:i}", "type", "TXT", "name", record->name,
				 "content", json_fmt("\"%s\"", record->value), "ttl", TTL);

	call(cloudflare, "POST", records_url(cloudflare, ""), body, made);
}

/* ---- what is there ---- */

static bool is_value(struct str_view content, const char *value)
{
	if (content.len >= 2 && content.data[0] == '"' && sv_ends(content, SV("\"")))
		content = sv_new(content.data + 1, content.len - 2);
	return sv_eq(content, sv_from(value));
}

static void listed(struct dns01_job *job, const struct job_answer *answer)
{
	struct cloudflare *cloudflare = (struct cloudflare *)job;
	json_t *one;
	size_t i;

	if (!is_fine(job, answer, "the records cannot be listed"))
		return;
	json_array_foreach(json_member(answer->body, "result"), i, one)
	{
		if (cloudflare->count < TAKEN_MAX &&
		    is_value(json_sv_at(one, "content"), job->config.record.value) &&
		    take_id(json_sv_at(one, "id"), cloudflare->ids[cloudflare->count]))
			cloudflare->count++;
	}
	if (job->config.action == DNS01_CLEAN_UP)
		delete_next(cloudflare);
	else if (cloudflare->count > 0)
		job_done(job);
	else
		make(cloudflare);
}

static void zone_found(struct dns01_job *job, const struct job_answer *answer)
{
	struct cloudflare *cloudflare = (struct cloudflare *)job;
	AUTO(buf_deinit) struct buf more = {.data = NULL};

	if (!is_fine(job, answer, "the zone cannot be looked up"))
		return;
	if (!take_id(json_sv_at(answer->body, "result.0.id"), cloudflare->zone)) {
		job_fail(job, ERR_NOT_FOUND,
			 "the account has no zone %s: may the token read it (Zone:Read, DNS:Edit)?",
			 job->config.record.zone);
		return;
	}
	buf_init(&more, 4096);
	buf_addf(&more, "?type=TXT&per_page=100&name=");
	enc_percent(&more, sv_from(job->config.record.name));
	call(cloudflare, "GET", records_url(cloudflare, buf_cstr(&more)), NULL, listed);
}

/* ---- begin ---- */

static bool take_credentials(struct cloudflare *cloudflare)
{
	struct dns01_job *job = &cloudflare->job;
	struct str_view email = json_sv_at(job->own, "email");
	bool by_token = json_member(job->own, "apiTokenSecretRef") != NULL;
	AUTO(auto_secret_text)
	char *secret = job_secret_text(job, by_token ? "apiTokenSecretRef" : "apiKeySecretRef",
				       by_token ? "api-token" : "api-key");

	if (secret == NULL)
		return false;
	if (by_token) {
		cloudflare->lines[0] = xasprintf("Authorization: Bearer %s", secret);
		return true;
	}
	if (email.len == 0 || sv_find(email, '\n') != SV_NOT_FOUND ||
	    sv_find(email, '\r') != SV_NOT_FOUND) {
		job_fail(job, ERR_INVALID, "apiKeySecretRef needs the email of the account");
		return false;
	}
	cloudflare->lines[0] = xasprintf("X-Auth-Key: %s", secret);
	cloudflare->lines[1] = xasprintf("X-Auth-Email: %.*s", SV_ARG(email));
	return true;
}

static void start(struct dns01_job *job)
{
	struct cloudflare *cloudflare = (struct cloudflare *)job;
	AUTO(buf_deinit) struct buf name;

	buf_init(&name, 4096);
	enc_percent(&name, sv_from(job->config.record.zone));
	cloudflare->base = job_base_url(job, "url", BASE_URL);
	if (take_credentials(cloudflare) && job_needs_zone(job))
		call(cloudflare, "GET",
		     xasprintf("%s/zones?name=%s", cloudflare->base, buf_cstr(&name)), NULL,
		     zone_found);
}

const struct dns01_provider dns01_cloudflare = {
	.member = "cloudflare", .size = sizeof(struct cloudflare), .start = start, .stop = stop};
