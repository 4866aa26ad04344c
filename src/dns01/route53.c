/* dns01/route53.c - TXT records in Amazon Route 53 (API 2013-04-01)
 *
 * zone (unless named) -> the records that are there -> one change that replaces them by those with
 * or without ours. When somebody else was faster the change fails, and they are read again.
 */
#include "dns01/provider.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "base/url.h"
#include "dns01/rrset.h"
#include "dns01/sigv4.h"
#include "pki/key.h"

#include <stdio.h>
#include <stdlib.h>

#define BASE_URL   "https://route53.amazonaws.com"
#define API        "/2013-04-01/"
#define REGION     "us-east-1"
#define TTL        60
#define ID_MAX     64
#define TRIES_MAX  8
#define CHANGE_MAX (128u << 10)

struct route53 {
	struct dns01_job job;
	char *base, *access_key, *secret_key;
	char zone[ID_MAX + 1];
	unsigned tries;
	struct rrset *before, *after; /* owned: too big for a stack */
};

static void stop(struct dns01_job *job)
{
	struct route53 *route53 = (struct route53 *)job;

	free(route53->base);
	auto_secret_text(&route53->access_key);
	auto_secret_text(&route53->secret_key);
	free(route53->before);
	free(route53->after);
}

/* ---- requests ---- */

static bool sign(struct route53 *route53, struct sigv4_request *request, struct buf *out)
{
	struct dns01_job *job = &route53->job;
	const char *region = json_str_at(job->own, "region");
	struct err err = {0};

	request->host = url_authority(sv_from(route53->base));
	request->region = region == NULL ? REGION : region;
	request->service = "route53";
	request->access_key = route53->access_key;
	request->secret_key = sv_from(route53->secret_key);
	request->now = clock_wall();
	if (sigv4_authorization(request, out, &err) == 0)
		return true;
	job_fail(job, err.code, "%s", err.msg);
	return false;
}

/* path and query as they are signed. */
static void call(struct route53 *route53, struct sigv4_request *request, job_answered_fn *done)
{
	AUTO(secret_deinit) struct buf line;
	AUTO(auto_free) char *url = NULL;
	char date[SIGV4_DATE_SIZE], date_line[64];

	buf_init(&line, 4096);
	buf_addf(&line, "Authorization: ");
	if (!sign(route53, request, &line))
		return;
	sigv4_date(request->now, date);
	snprintf(date_line, sizeof(date_line), "X-Amz-Date: %s", date);
	url = xasprintf("%s%.*s%s%.*s", route53->base, SV_ARG(request->path),
			request->query.len == 0 ? "" : "?", SV_ARG(request->query));
	job_call(&route53->job,
		 &(struct job_request){.method = request->method,
				       .url = url,
				       .headers = {date_line, buf_cstr(&line)},
				       .content_type = request->body.len == 0 ? NULL : "text/xml",
				       .body = request->body},
		 done);
}

static void refused(struct dns01_job *job, const struct job_answer *answer, const char *what)
{
	char words[300];

	xml_text(answer->text, "Message", words, sizeof(words));
	job_refused(job, answer, what, sv_from(words));
}

/* ---- the change ---- */

static void read_records(struct route53 *route53);

static void changed(struct dns01_job *job, const struct job_answer *answer)
{
	struct route53 *route53 = (struct route53 *)job;
	bool raced = sv_find_sv(answer->text, SV("InvalidChangeBatch")) != SV_NOT_FOUND ||
		     sv_find_sv(answer->text, SV("PriorRequestNotComplete")) != SV_NOT_FOUND;

	if (answer->status == 200)
		job_done(job);
	else if (answer->status == 400 && raced && ++route53->tries < TRIES_MAX)
		read_records(route53);
	else
		refused(job, answer, "the record set cannot be changed");
}

static void send_change(struct route53 *route53)
{
	AUTO(buf_deinit) struct buf body;
	AUTO(auto_free) char *path = xasprintf(API "hostedzone/%s/rrset", route53->zone);

	buf_init(&body, CHANGE_MAX);
	if (!rrset_change(&body, route53->job.config.record.name, route53->before,
			  route53->after)) {
		job_fail(&route53->job, ERR_LIMIT, "there are too many TXT records at %s",
			 route53->job.config.record.name);
		return;
	}
	call(route53,
	     &(struct sigv4_request){
		     .method = "POST", .path = sv_from(path), .body = buf_view(&body)},
	     changed);
}

static void records_read(struct dns01_job *job, const struct job_answer *answer)
{
	struct route53 *route53 = (struct route53 *)job;
	const struct dns01_record *record = &job->config.record;
	bool present = job->config.action == DNS01_PRESENT;

	if (answer->status != 200) {
		refused(job, answer, "the records cannot be listed");
	} else if (!rrset_read(answer->text, record->name, route53->before) ||
		   route53->before->count == RRSET_VALUES_MAX) {
		job_fail(job, ERR_UNSUPPORTED,
			 "the TXT records of %s are weighted, aliased or too many", record->name);
	} else if (rrset_has(route53->before, record->value) == present) {
		job_done(job);
	} else {
		if (present)
			rrset_with(route53->before, record->value, TTL, route53->after);
		else
			rrset_without(route53->before, record->value, route53->after);
		send_change(route53);
	}
}

static void read_records(struct route53 *route53)
{
	AUTO(auto_free) char *path = xasprintf(API "hostedzone/%s/rrset", route53->zone);
	AUTO(buf_deinit) struct buf query;

	buf_init(&query, 4096);
	buf_addf(&query, "maxitems=1&name=");
	enc_percent(&query, sv_from(route53->job.config.record.name));
	buf_addf(&query, "&type=TXT");
	call(route53,
	     &(struct sigv4_request){
		     .method = "GET", .path = sv_from(path), .query = buf_view(&query)},
	     records_read);
}

/* ---- the zone ---- */

/* "/hostedzone/Z123" or "Z123" */
static bool take_zone(struct str_view id, char out[ID_MAX + 1])
{
	if (sv_starts(id, SV("/hostedzone/")))
		id = sv_skip(id, strlen("/hostedzone/"));
	if (id.len == 0 || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (!ascii_is_alnum(id.data[i]))
			return false;
		out[i] = id.data[i];
	}
	out[id.len] = '\0';
	return true;
}

static void zone_found(struct dns01_job *job, const struct job_answer *answer)
{
	struct route53 *route53 = (struct route53 *)job;
	char name[300], id[100];

	if (answer->status != 200) {
		refused(job, answer, "the hosted zone cannot be looked up");
		return;
	}
	xml_text(answer->text, "Name", name, sizeof(name));
	xml_text(answer->text, "Id", id, sizeof(id));
	if (strlen(name) > 0 && name[strlen(name) - 1] == '.')
		name[strlen(name) - 1] = '\0';
	if (!sv_eq_nocase(sv_from(name), sv_from(job->config.record.zone)) ||
	    !take_zone(sv_from(id), route53->zone))
		job_fail(job, ERR_NOT_FOUND,
			 "the account has no hosted zone %s: name it with hostedZoneID, or let the "
			 "key do route53:ListHostedZonesByName",
			 job->config.record.zone);
	else
		read_records(route53);
}

static void find_zone(struct route53 *route53)
{
	AUTO(buf_deinit) struct buf query;

	buf_init(&query, 4096);
	buf_addf(&query, "dnsname=");
	enc_percent(&query, sv_from(route53->job.config.record.zone));
	buf_addf(&query, "&maxitems=1");
	call(route53,
	     &(struct sigv4_request){.method = "GET",
				     .path = SV(API "hostedzonesbyname"),
				     .query = buf_view(&query)},
	     zone_found);
}

/* ---- begin ---- */

static bool take_credentials(struct route53 *route53)
{
	struct dns01_job *job = &route53->job;
	struct str_view id = json_sv_at(job->own, "accessKeyID");

	if (id.len > 0)
		route53->access_key = sv_dup(id);
	else
		route53->access_key = job_secret_text(job, "accessKeyIDSecretRef", "access-key-id");
	if (route53->access_key == NULL)
		return false;
	route53->secret_key = job_secret_text(job, "secretAccessKeySecretRef", "secret-access-key");
	return route53->secret_key != NULL;
}

static void start(struct dns01_job *job)
{
	struct route53 *route53 = (struct route53 *)job;
	struct str_view zone = json_sv_at(job->own, "hostedZoneID");

	route53->before = xcalloc(1, sizeof(struct rrset));
	route53->after = xcalloc(1, sizeof(struct rrset));
	route53->base = job_base_url(job, "url", BASE_URL);
	if (!take_credentials(route53))
		return;
	if (zone.len > 0 && !take_zone(zone, route53->zone))
		job_fail(job, ERR_INVALID, "hostedZoneID: \"%.*s\" is no identifier of a zone",
			 SV_ARG(sv_head(zone, 80)));
	else if (zone.len > 0)
		read_records(route53);
	else if (job_needs_zone(job))
		find_zone(route53);
}

const struct dns01_provider dns01_route53 = {
	.member = "route53", .size = sizeof(struct route53), .start = start, .stop = stop};
