#include "dns01/provider.h"

#include "acme/words.h"
#include "base/own.h"
#include "pki/key.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CALL_MS    30000
#define CALL_BODY  (256u << 10)
#define WORDS_MAX  300
#define SECRET_MAX 4096 /* of one line */

static const struct dns01_provider *const providers[] = {
	&dns01_rfc2136,    &dns01_acme_dns, &dns01_webhook,
	&dns01_cloudflare, &dns01_route53,  &dns01_exec,
};

static const struct dns01_provider *provider_of(const json_t *dns01)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		if (json_member(dns01, providers[i]->member) != NULL)
			return providers[i];
	}
	return NULL;
}

const char *dns01_provider_name(const json_t *dns01)
{
	const struct dns01_provider *provider = provider_of(dns01);

	return provider == NULL ? NULL : provider->member;
}

/* ---- life ---- */

static void copy_record(struct dns01_record *record)
{
	const char **texts[] = {&record->name,     &record->zone,  &record->value,
				&record->dns_name, &record->token, &record->key_authorization};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = xstrdup(*texts[i] == NULL ? "" : *texts[i]);
}

static void free_record(struct dns01_record *record)
{
	free((char *)record->name);
	free((char *)record->zone);
	free((char *)record->value);
	free((char *)record->dns_name);
	free((char *)record->token);
	free((char *)record->key_authorization);
}

void dns01_cancel(struct dns01_job *job)
{
	if (job == NULL)
		return;
	if (job->provider != NULL && job->provider->stop != NULL)
		job->provider->stop(job);
	if (job->fetch != NULL)
		fetch_cancel(job->fetch);
	task_cancel(&job->end);
	free_record(&job->config.record);
	json_decref((json_t *)job->config.dns01);
	free(job);
}

static void on_end(struct task *task)
{
	struct dns01_job *job = CONTAINER_OF(task, struct dns01_job, end);
	struct dns01_config config = job->config;
	struct err err = job->err;

	dns01_cancel(job);
	config.done(config.arg, &err);
}

void job_done(struct dns01_job *job)
{
	task_defer(job->config.env->loop, &job->end);
}

void job_fail(struct dns01_job *job, enum err_code code, const char *fmt, ...)
{
	char words[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	err_set(&job->err, code, "%s: %s", job->provider == NULL ? "dns01" : job->provider->member,
		words);
	job_done(job);
}

struct dns01_job *dns01_start(const struct dns01_config *config)
{
	const struct dns01_provider *provider = provider_of(config->dns01);
	struct dns01_job *job =
		xcalloc(1, provider == NULL ? sizeof(struct dns01_job) : provider->size);

	job->provider = provider;
	job->config = *config;
	job->config.dns01 = json_incref((json_t *)config->dns01);
	copy_record(&job->config.record);
	task_init(&job->end, on_end);
	if (provider == NULL) {
		job_fail(job, ERR_UNSUPPORTED,
			 "the solver names no provider that is served: acmeDNS, cloudflare, exec, "
			 "rfc2136, route53 or webhook");
		return job;
	}
	job->own = json_member(config->dns01, provider->member);
	provider->start(job);
	return job;
}

/* ---- what providers share ---- */

bool job_secret(struct dns01_job *job, const char *member, const char *default_key, struct buf *out)
{
	const json_t *ref = json_member(job->own, member);
	const char *name = json_str_at(ref, "name"), *key = json_str_at(ref, "key");
	const struct dns01_secrets *secrets = &job->config.secrets;
	struct err err = {0};

	buf_init(out, 0);
	if (name == NULL) {
		job_fail(job, ERR_INVALID, "%s is missing: it names a Secret", member);
		return false;
	}
	if (!secrets->value(secrets->arg, name, key == NULL ? default_key : key, out, &err)) {
		job_fail(job, err.code, "%s: %s", member, err.msg);
		return false;
	}
	return true;
}

void auto_secret_text(char **text)
{
	if (*text != NULL)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
}

static bool is_line(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '!' || text.data[i] > '~')
			return false;
	}
	return text.len > 0 && text.len <= SECRET_MAX;
}

static struct str_view without_white(struct str_view text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.data[0]) != NULL)
		text = sv_skip(text, 1);
	while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL)
		text.len--;
	return text;
}

char *job_secret_text(struct dns01_job *job, const char *member, const char *default_key)
{
	AUTO(secret_deinit) struct buf value = {.data = NULL};
	struct str_view line;

	if (!job_secret(job, member, default_key, &value))
		return NULL;
	line = without_white(buf_view(&value));
	if (is_line(line))
		return sv_dup(line);
	job_fail(job, ERR_INVALID, "%s: the Secret's value is not one line of visible characters",
		 member);
	return NULL;
}

bool job_needs_zone(struct dns01_job *job)
{
	if (job->config.record.zone[0] != '\0')
		return true;
	job_fail(job, ERR_NOT_FOUND,
		 "no name server could say which zone holds %s (SOA): is the domain registered and "
		 "delegated, and do --dns-servers see it?",
		 job->config.record.name);
	return false;
}

char *job_base_url(const struct dns01_job *job, const char *member, const char *fallback)
{
	struct str_view url = json_sv_at(job->own, member);

	if (url.len == 0)
		url = sv_from(fallback);
	while (sv_ends(url, SV("/")))
		url.len--;
	return sv_dup(url);
}

/* ---- HTTP ---- */

static void on_answer(void *arg, const struct fetch_answer *answer)
{
	struct dns01_job *job = arg;
	struct job_answer told = {.status = answer->status, .text = answer->body};
	json_t *body = NULL;

	job->fetch = NULL;
	if (answer->failure != FETCH_FINE) {
		job_fail(job, ERR_IO, "%s", answer->why);
		return;
	}
	if (answer->body.len > 0)
		body = json_parse(answer->body, NULL);
	told.body = body;
	job->answered(job, &told);
	json_decref(body);
}

void job_call(struct dns01_job *job, const struct job_request *request, job_answered_fn *answered)
{
	struct fetch_request fetch = {.method = request->method,
				      .url = request->url,
				      .headers = request->headers,
				      .content_type = request->content_type,
				      .body = request->body,
				      .ca_bundle = request->ca_bundle,
				      .body_max = CALL_BODY,
				      .timeout_ms = CALL_MS};

	job->answered = answered;
	job->fetch = fetch_start(job->config.env->fetcher, &fetch, on_answer, job);
}

void job_refused(struct dns01_job *job, const struct job_answer *answer, const char *what,
		 struct str_view words)
{
	char clean[WORDS_MAX] = "";

	words_add(clean, sizeof(clean), words.len > 0 ? words : sv_head(answer->text, 200));
	job_fail(job, answer->status >= 500 || answer->status == 429 ? ERR_IO : ERR_DENIED,
		 "%s: HTTP %ld%s%s", what, answer->status, clean[0] == '\0' ? "" : ": ", clean);
}
