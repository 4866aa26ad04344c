/* cli/status_certs.c - certificates and issuers in the report of status */
#include "cli/status.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/url.h"
#include "cli/condition.h"

#include <stdlib.h>

#define DAY_S 86400

/* ---- issuers ---- */

/* The issuer that issued it, when it is not the one of the spec. */
static struct str_view issuer_member(const json_t *certificate, const char *member)
{
	struct str_view by = json_sv_at(json_at(certificate, "status.issuedBy"), member);

	return by.len > 0 ? by : json_sv_at(json_at(certificate, "spec.issuerRef"), member);
}

static bool same_text(const json_t *a, const char *path, const json_t *b, const char *other)
{
	return sv_eq(json_sv_at(a, path), json_sv_at(b, other));
}

const json_t *issuer_of(const json_t *issuers, const json_t *certificate)
{
	bool cluster = sv_eq(issuer_member(certificate, "kind"), SV("ClusterIssuer"));
	const json_t *issuer;
	size_t i;

	json_array_foreach(issuers, i, issuer)
	{
		bool is_cluster = sv_eq(json_sv_at(issuer, "kind"), SV("ClusterIssuer"));

		if (is_cluster == cluster &&
		    sv_eq(json_sv_at(issuer, "metadata.name"),
			  issuer_member(certificate, "name")) &&
		    (cluster ||
		     same_text(issuer, "metadata.namespace", certificate, "metadata.namespace")))
			return issuer;
	}
	return NULL;
}

static void report_issuer(json_t *report, const json_t *issuer)
{
	AUTO(auto_free) char *object = report_name(issuer, NULL);
	struct buf text;

	if (condition_is_true(issuer, "Ready"))
		return;
	buf_init(&text, JSON_TEXT_MAX);
	condition_words(issuer, SV("Ready"), &text);
	report_problem(report, SEVERITY_DEGRADED, object, buf_view(&text));
	buf_deinit(&text);
}

/* ---- certificates ---- */

struct lifetime {
	int64_t not_after, renewal; /* wall clock; 0: not known */
	bool expired, overdue;
};

/* Overdue: less than a quarter is left of what lies between renewal and end. */
static struct lifetime lifetime_of(const json_t *certificate, int64_t now)
{
	struct lifetime life = {.not_after = 0};

	(void)clock_parse_rfc3339(json_sv_at(certificate, "status.notAfter"), &life.not_after);
	(void)clock_parse_rfc3339(json_sv_at(certificate, "status.renewalTime"), &life.renewal);
	life.expired = life.not_after != 0 && life.not_after <= now;
	life.overdue = life.not_after != 0 && life.renewal != 0 && now > life.renewal &&
		       life.not_after - now < (life.not_after - life.renewal) / 4;
	return life;
}

static const char *state_of(const json_t *certificate, const struct lifetime *life)
{
	bool ready = condition_is_true(certificate, "Ready");

	if (life->expired)
		return "expired";
	if (condition_is_true(certificate, "Issuing"))
		return ready ? "renewing" : "issuing";
	if (life->overdue)
		return "overdue";
	return ready ? "ready" : "not ready";
}

static void report_state(json_t *report, const json_t *certificate, const struct lifetime *life)
{
	AUTO(auto_free) char *object = report_name(certificate, NULL);
	const char *type = condition_is_true(certificate, "Ready") ? "Issuing" : "Ready";
	AUTO(auto_free) char *whole = NULL;
	struct buf text;

	buf_init(&text, JSON_TEXT_MAX);
	if (condition_find(json_at(certificate, "status.conditions"), sv_from(type)) != NULL ||
	    !condition_is_true(certificate, "Ready"))
		condition_words(certificate, sv_from(type), &text);
	whole = xasprintf("%s%s%s",
			  life->expired   ? "has expired"
			  : life->overdue ? "is not renewed, and expires soon"
					  : "",
			  (life->expired || life->overdue) && buf_len(&text) > 0 ? "; " : "",
			  buf_cstr(&text));
	if (life->expired)
		report_problem(report, SEVERITY_CRITICAL, object, sv_from(whole));
	else if (life->overdue || !condition_is_true(certificate, "Ready"))
		report_problem(report, SEVERITY_DEGRADED, object, sv_from(whole));
	buf_deinit(&text);
}

static json_t *names_of(const json_t *certificate)
{
	static const char *const lists[] = {"spec.dnsNames", "spec.ipAddresses"};
	json_t *names = json_array();

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		json_t *list = json_at(certificate, lists[i]);

		if (json_is_array(list))
			json_array_extend(names, list);
	}
	if (json_array_size(names) == 0)
		json_array_append_new(names, json_sv(json_sv_at(certificate, "spec.commonName")));
	return names;
}

static void report_certificate(json_t *report, const json_t *certificate, const json_t *issuers,
			       int64_t now)
{
	struct lifetime life = lifetime_of(certificate, now);
	json_t *row = json_object();

	json_object_set_new(row, "namespace",
			    json_sv(json_sv_at(certificate, "metadata.namespace")));
	json_object_set_new(row, "name", json_sv(json_sv_at(certificate, "metadata.name")));
	json_object_set_new(row, "names", names_of(certificate));
	json_object_set_new(row, "issuer", json_sv(issuer_member(certificate, "name")));
	json_object_set_new(row, "staging",
			    json_boolean(url_is_staging(json_sv_at(issuer_of(issuers, certificate),
								   "spec.acme.server"))));
	json_object_set_new(row, "state", json_string(state_of(certificate, &life)));
	if (life.not_after != 0) {
		json_object_set(row, "notAfter", json_at(certificate, "status.notAfter"));
		json_object_set_new(row, "daysLeft", json_integer((life.not_after - now) / DAY_S));
	}
	if (life.renewal != 0)
		json_object_set(row, "renewalTime", json_at(certificate, "status.renewalTime"));
	json_array_append_new(json_object_get(report, "certificates"), row);
	report_state(report, certificate, &life);
}

void report_certificates(json_t *report, const struct status_lists *lists, int64_t now)
{
	const json_t *object;
	size_t i;

	json_array_foreach(lists->issuers, i, object)
	{
		report_issuer(report, object);
	}
	json_array_foreach(lists->certificates, i, object)
	{
		report_certificate(report, object, lists->issuers, now);
	}
}
