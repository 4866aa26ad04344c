/* dns01/webhook.c - a program of one's own that is told by HTTP what to do
 *
 * The body is cert-manager's ChallengePayload, so that its webhooks can be asked as they are; the
 * answer may be theirs, or no more than a status of 200.
 */
#include "dns01/provider.h"

#include "base/enc.h"
#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

#define CA_BUNDLE_MAX (1u << 20)

struct webhook {
	struct dns01_job job;
};

static void answered(struct dns01_job *job, const struct job_answer *answer)
{
	const json_t *response = json_member(answer->body, "response");
	bool fine = answer->status >= 200 && answer->status < 300;

	if (fine && (response == NULL || json_bool_at(response, "success", false)))
		job_done(job);
	else
		job_refused(job, answer, fine ? "the webhook has failed" : "the webhook refuses",
			    json_sv_at(response, "status.message"));
}

static json_t *payload(const struct dns01_job *job)
{
	const struct dns01_record *record = &job->config.record;
	const json_t *config = json_member(job->own, "config");
	json_t *request = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "action",
		job->config.action == DNS01_PRESENT ? "Present" : "CleanUp", "type", "dns-01",
		"dnsName", record->dns_name, "key", record->value, "uid", record->token,
		"resolvedFQDN", json_fmt("%s.", record->name), "resolvedZone",
		json_fmt("%s%s", record->zone, record->zone[0] == '\0' ? "" : "."),
		"allowAmbientCredentials", 0);

	if (config != NULL)
		json_object_set(request, "config", (json_t *)config);
	return json_pack("{s:s, s:s, s:o}", "apiVersion", "webhook.acme.cert-manager.io/v1alpha1",
			 "kind", "ChallengePayload", "request", request);
}

static void start(struct dns01_job *job)
{
	const char *url = json_str_at(job->own, "url");
	struct str_view bundle = json_sv_at(job->own, "caBundle");
	AUTO(auto_json) json_t *body = payload(job);
	AUTO(auto_free) char *text = json_text(body);
	AUTO(auto_secret_text) char *token = NULL;
	AUTO(auto_secret_text) char *line = NULL;
	AUTO(buf_deinit) struct buf pem;
	struct job_request request = {.method = "POST",
				      .url = url,
				      .content_type = "application/json",
				      .body = sv_from(text)};

	buf_init(&pem, CA_BUNDLE_MAX);
	if (url == NULL) {
		job_fail(job, ERR_INVALID,
			 "url is missing: there is no API server here that would forward to the "
			 "webhook: give the URL that it listens at");
		return;
	}
	if (json_member(job->own, "tokenSecretRef") != NULL) {
		token = job_secret_text(job, "tokenSecretRef", "token");
		if (token == NULL)
			return;
		line = xasprintf("Authorization: Bearer %s", token);
		request.headers[0] = line;
	}
	if (bundle.len > 0 && dec_base64(&pem, bundle))
		request.ca_bundle = buf_cstr(&pem);
	job_call(job, &request, answered);
}

const struct dns01_provider dns01_webhook = {
	.member = "webhook", .size = sizeof(struct webhook), .start = start};
