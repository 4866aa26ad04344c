/* cli/status_report.c - what is served and what is wrong, from lists of objects */
#include "cli/status.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/condition.h"

#include <stdlib.h>

#define EVENT_RECENT_S 3600
#define EVENTS_SHOWN   5

static const char *const words[] = {
	[SEVERITY_OK] = "ok", [SEVERITY_DEGRADED] = "degraded", [SEVERITY_CRITICAL] = "critical"};

/* ---- the report ---- */

static json_t *report_new(void)
{
	return json_pack("{s:s, s:[], s:[], s:[], s:[]}", "state", "ok", "listeners", "routes",
			 "certificates", "problems");
}

enum severity status_severity(const json_t *report)
{
	struct str_view state = json_sv_at(report, "state");

	for (int severity = SEVERITY_CRITICAL; severity > SEVERITY_OK; severity--) {
		if (sv_eq(state, sv_from(words[severity])))
			return (enum severity)severity;
	}
	return SEVERITY_OK;
}

void report_problem(json_t *report, enum severity severity, const char *object,
		    struct str_view message)
{
	json_t *problem = json_object();

	json_object_set_new(problem, "severity", json_string(words[severity]));
	json_object_set_new(problem, "object", json_sv(sv_from(object)));
	json_object_set_new(problem, "message", json_sv(message));
	json_array_append_new(json_object_get(report, "problems"), problem);
	if (severity > status_severity(report))
		json_object_set_new(report, "state", json_string(words[severity]));
}

/* "shop/web" */
static char *short_name(const json_t *object)
{
	struct str_view ns = json_sv_at(object, "metadata.namespace");
	struct str_view name = json_sv_at(object, "metadata.name");

	if (ns.len == 0 || sv_eq(ns, SV("default")))
		return sv_dup(name);
	return xasprintf("%.*s/%.*s", SV_ARG(ns), SV_ARG(name));
}

char *report_name(const json_t *object, const char *part)
{
	AUTO(auto_free) char *name = short_name(object);

	return xasprintf("%.*s %s%s%s", SV_ARG(json_sv_at(object, "kind")), name,
			 part == NULL ? "" : " ", part == NULL ? "" : part);
}

json_t *status_down(const char *why)
{
	json_t *report = report_new();

	report_problem(report, SEVERITY_CRITICAL, "sallyportd", sv_from(why));
	return report;
}

/* "Programmed is False (Invalid): …" */
static void problem_of_condition(json_t *report, enum severity severity, const char *object,
				 const json_t *conditions, const char *type)
{
	AUTO(auto_json)
	json_t *holder =
		json_pack("{s:{s:O?}}", "status", "conditions", (json_t *)(uintptr_t)conditions);
	struct buf text;

	buf_init(&text, JSON_TEXT_MAX);
	condition_words(holder, sv_from(type), &text);
	report_problem(report, severity, object, buf_view(&text));
	buf_deinit(&text);
}

/* ---- listeners ---- */

static const json_t *by_name(const json_t *list, struct str_view name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (sv_eq(json_sv_at(item, "name"), name))
			return item;
	}
	return NULL;
}

static json_t *addresses_of(const json_t *gateway)
{
	json_t *addresses = json_array();
	const json_t *address;
	size_t i;

	json_array_foreach(json_at(gateway, "status.addresses"), i, address)
	{
		json_array_append_new(addresses, json_sv(json_sv_at(address, "value")));
	}
	return addresses;
}

static void copy(json_t *to, const char *key, const json_t *from, const char *path)
{
	json_t *value = json_at(from, path);

	if (value != NULL)
		json_object_set(to, key, value);
}

static bool is_false(const json_t *conditions, const char *type)
{
	return sv_eq(json_sv_at(condition_find(conditions, sv_from(type)), "status"), SV("False"));
}

/* Of a listener or a Gateway that is not programmed the condition that tells why. */
static const char *telling_type(const json_t *conditions)
{
	if (is_false(conditions, "Accepted"))
		return "Accepted";
	return is_false(conditions, "ResolvedRefs") ? "ResolvedRefs" : "Programmed";
}

static void report_listener(json_t *report, const json_t *gateway, const json_t *listener)
{
	struct str_view name = json_sv_at(listener, "name");
	const json_t *status = by_name(json_at(gateway, "status.listeners"), name);
	const json_t *conditions = json_member(status, "conditions");
	bool programmed = conditions_have_true(conditions, "Programmed");
	AUTO(auto_free) char *part = xasprintf("listener %.*s", SV_ARG(name));
	AUTO(auto_free) char *object = report_name(gateway, part);
	json_t *row = json_object();

	copy(row, "namespace", gateway, "metadata.namespace");
	copy(row, "gateway", gateway, "metadata.name");
	copy(row, "name", listener, "name");
	json_object_set_new(row, "addresses", addresses_of(gateway));
	copy(row, "port", listener, "port");
	copy(row, "protocol", listener, "protocol");
	copy(row, "hostname", listener, "hostname");
	json_object_set_new(row, "programmed", json_boolean(programmed));
	copy(row, "attachedRoutes", status, "attachedRoutes");
	json_array_append_new(json_object_get(report, "listeners"), row);
	if (!programmed)
		problem_of_condition(report, SEVERITY_DEGRADED, object, conditions,
				     telling_type(conditions));
}

/* A Gateway that is refused as a whole serves nothing. */
static void report_gateway(json_t *report, const json_t *gateway)
{
	const json_t *conditions = json_at(gateway, "status.conditions"), *listener;
	AUTO(auto_free) char *object = report_name(gateway, NULL);
	struct str_view programmed =
		json_sv_at(condition_find(conditions, SV("Programmed")), "status");
	size_t i;

	if (!sv_eq(programmed, SV("True")))
		problem_of_condition(report,
				     sv_eq(programmed, SV("False")) ? SEVERITY_CRITICAL
								    : SEVERITY_DEGRADED,
				     object, conditions,
				     is_false(conditions, "Accepted") ? "Accepted" : "Programmed");
	json_array_foreach(json_at(gateway, "spec.listeners"), i, listener)
	{
		report_listener(report, gateway, listener);
	}
}

/* ---- routes ---- */

static bool parents_hold(const json_t *route, const char *type, struct str_view *reason)
{
	const json_t *parents = json_at(route, "status.parents"), *parent;
	size_t i;

	*reason = SV("");
	json_array_foreach(parents, i, parent)
	{
		const json_t *condition =
			condition_find(json_member(parent, "conditions"), sv_from(type));

		*reason = json_sv_at(condition, "reason");
		if (!sv_eq(json_sv_at(condition, "status"), SV("True")))
			return false;
	}
	return json_array_size(parents) > 0;
}

static void problem_of_route(json_t *report, const json_t *route, const char *type)
{
	AUTO(auto_free) char *object = report_name(route, NULL);
	const json_t *parent;
	size_t i;

	if (json_array_size(json_at(route, "status.parents")) == 0)
		report_problem(report, SEVERITY_DEGRADED, object,
			       SV("no Gateway has taken it (does spec.parentRefs name one?)"));
	json_array_foreach(json_at(route, "status.parents"), i, parent)
	{
		const json_t *conditions = json_member(parent, "conditions");

		if (!conditions_have_true(conditions, type)) {
			problem_of_condition(report, SEVERITY_DEGRADED, object, conditions, type);
			return;
		}
	}
}

static void report_route(json_t *report, const json_t *route)
{
	struct str_view accepted_reason, resolved_reason;
	bool accepted = parents_hold(route, "Accepted", &accepted_reason);
	bool resolved = parents_hold(route, "ResolvedRefs", &resolved_reason);
	json_t *row = json_object();

	copy(row, "kind", route, "kind");
	copy(row, "namespace", route, "metadata.namespace");
	copy(row, "name", route, "metadata.name");
	copy(row, "hostnames", route, "spec.hostnames");
	json_object_set_new(row, "accepted", json_boolean(accepted));
	json_object_set_new(row, "acceptedReason", json_sv(accepted_reason));
	json_object_set_new(row, "resolved", json_boolean(resolved));
	json_object_set_new(row, "resolvedReason", json_sv(resolved_reason));
	json_array_append_new(json_object_get(report, "routes"), row);
	if (!accepted)
		problem_of_route(report, route, "Accepted");
	else if (!resolved)
		problem_of_route(report, route, "ResolvedRefs");
}

/* ---- events ---- */

static int64_t time_of(const json_t *event)
{
	int64_t wall = 0;

	if (!clock_parse_rfc3339(json_sv_at(event, "lastTimestamp"), &wall))
		(void)clock_parse_rfc3339(json_sv_at(event, "metadata.creationTimestamp"), &wall);
	return wall;
}

static int newest_first(const void *left, const void *right)
{
	int64_t a = time_of(*(json_t *const *)left), b = time_of(*(json_t *const *)right);

	return a < b ? 1 : a > b ? -1 : 0;
}

static void report_event(json_t *report, const json_t *event, int64_t now)
{
	AUTO(auto_free)
	char *object = xasprintf("%.*s %.*s", SV_ARG(json_sv_at(event, "involvedObject.kind")),
				 SV_ARG(json_sv_at(event, "involvedObject.name")));
	AUTO(auto_free) char *text = NULL;
	char age[CLOCK_TEXT_SIZE];

	clock_age(now > time_of(event) ? now - time_of(event) : 0, age);
	text = xasprintf("%.*s, %s ago: %.*s", SV_ARG(json_sv_at(event, "reason")), age,
			 SV_ARG(json_sv_at(event, "message")));
	report_problem(report, SEVERITY_OK, object, sv_from(text));
}

/* What went wrong lately, the newest first. An event alone makes nothing degraded: it is past. */
static void report_events(json_t *report, const json_t *events, int64_t now)
{
	size_t count = 0;
	json_t **recent = xcalloc(json_array_size(events) + 1, sizeof(json_t *));
	json_t *event;
	size_t i;

	json_array_foreach(events, i, event)
	{
		/* Of Gateways the conditions tell it, as it is now. */
		if (sv_eq(json_sv_at(event, "type"), SV("Warning")) &&
		    !sv_eq(json_sv_at(event, "involvedObject.kind"), SV("Gateway")) &&
		    time_of(event) + EVENT_RECENT_S > now)
			recent[count++] = event;
	}
	qsort(recent, count, sizeof(json_t *), newest_first);
	for (i = 0; i < count && i < EVENTS_SHOWN; i++)
		report_event(report, recent[i], now);
	free(recent);
}

/* ---- all of it ---- */

json_t *status_report(const struct status_lists *lists, int64_t now)
{
	json_t *report = report_new();
	const json_t *object;
	size_t i;

	if (lists->not_ready != NULL)
		report_problem(report, SEVERITY_CRITICAL, "sallyportd", sv_from(lists->not_ready));
	json_array_foreach(lists->gateways, i, object)
	{
		report_gateway(report, object);
	}
	json_array_foreach(lists->routes, i, object)
	{
		report_route(report, object);
	}
	report_certificates(report, lists, now);
	report_events(report, lists->events, now);
	return report;
}
