/* cli/why.c - why a certificate is not there, and what is tried next */
#include "cli/why.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/cause.h"
#include "cli/condition.h"
#include "cli/out.h"

#include <stdlib.h>

#define WIDTH     80
#define TITLE_PAD 10

/* ---- lines that fit ---- */

static void add_wrapped(struct buf *out, const char *title, struct str_view text)
{
	size_t indent = 2 + TITLE_PAD;

	text = sv_trim(text);
	buf_addf(out, "  %-*s", TITLE_PAD, title);
	for (bool first = true; text.len > 0; first = false) {
		struct str_view line = text_line(&text, WIDTH - indent);

		if (!first)
			buf_addf(out, "%*s", (int)indent, "");
		buf_add(out, line);
		buf_addc(out, '\n');
	}
}

/* What came from outside, on as many lines as it needs. */
static void add_said(struct buf *out, const char *title, struct str_view text)
{
	struct buf clean;

	buf_init(&clean, 1u << 16);
	text_escape(&clean, text, ESCAPE_ALL);
	if (buf_len(&clean) > 0)
		add_wrapped(out, title, buf_view(&clean));
	buf_deinit(&clean);
}

/* "2026-01-02T03:04:05Z (in 5m)" */
static void add_time(struct buf *out, const char *title, struct str_view when, int64_t now)
{
	AUTO(auto_free) char *text = NULL;
	char age[CLOCK_TEXT_SIZE];
	int64_t then;

	if (!clock_parse_rfc3339(when, &then))
		return;
	clock_age(then > now ? then - now : now - then, age);
	text = xasprintf("%.*s (%s%s%s)", SV_ARG(when), then > now ? "in " : "", age,
			 then > now ? "" : " ago");
	add_wrapped(out, title, sv_from(text));
}

/* ---- steps ---- */

static void add_step(struct buf *out, struct str_view when, int64_t now, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void add_step(struct buf *out, struct str_view when, int64_t now, const char *fmt, ...)
{
	char age[CLOCK_TEXT_SIZE] = "";
	struct buf text;
	int64_t then;
	va_list args;

	if (clock_parse_rfc3339(when, &then))
		clock_age(now > then ? now - then : 0, age);
	buf_init(&text, 1u << 16);
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	buf_addf(out, "    %-22.*s %-7s ", SV_ARG(when), age);
	text_escape(out, buf_view(&text), ESCAPE_ALL);
	buf_addc(out, '\n');
	buf_deinit(&text);
}

static void add_names(const struct why *why, struct buf *out)
{
	const json_t *challenge;
	size_t i;

	json_array_foreach(why->story->challenges, i, challenge)
	{
		struct str_view state = json_sv_at(challenge, "status.state");

		add_step(out, json_sv_at(challenge, "metadata.creationTimestamp"), why->now,
			 "%.*s is proved by %.*s: %.*s",
			 SV_ARG(json_sv_at(challenge, "spec.dnsName")),
			 SV_ARG(json_sv_at(challenge, "spec.type")),
			 SV_ARG(state.len > 0 ? state : SV("under way")));
	}
}

void why_steps(const struct why *why, struct buf *out)
{
	const json_t *order = why->story->order, *request = why->story->request;
	struct str_view state = json_sv_at(order, "status.state");

	if (request == NULL && order == NULL)
		return;
	buf_addf(out, "  Steps:\n");
	if (request != NULL)
		add_step(out, json_sv_at(request, "metadata.creationTimestamp"), why->now,
			 "the key is stored, the request is made");
	if (json_sv_at(order, "status.intent").len > 0)
		add_step(out, json_sv_at(order, "status.intent"), why->now, "%s",
			 json_str_at(order, "status.url") != NULL ? "the CA has the order"
								  : "the CA is asked for an order");
	add_names(why, out);
	if (json_sv_at(order, "status.failureTime").len > 0)
		add_step(out, json_sv_at(order, "status.failureTime"), why->now,
			 "the order is %.*s: %.*s", SV_ARG(state),
			 SV_ARG(json_sv_at(order, "status.failureReason")));
	else if (sv_eq(state, SV("valid")))
		add_step(out, SV(""), why->now, "the CA has signed");
	else if (json_sv_at(order, "status.failureReason").len > 0)
		add_step(out, SV(""), why->now, "it waits: %.*s",
			 SV_ARG(json_sv_at(order, "status.failureReason")));
}

/* ---- what was said ---- */

static void find_condition(struct findings *findings, const json_t *object, const char *type)
{
	const json_t *condition =
		condition_find(json_at(object, "status.conditions"), sv_from(type));

	if (condition != NULL)
		findings_add(findings, json_sv_at(condition, "reason"),
			     json_sv_at(condition, "message"));
}

static void find_listeners(struct findings *findings, const json_t *gateways)
{
	const json_t *gateway, *listener, *condition;
	size_t i, k, n;

	json_array_foreach(gateways, i, gateway)
	{
		json_array_foreach(json_at(gateway, "status.listeners"), k, listener)
		{
			json_array_foreach(json_member(listener, "conditions"), n, condition)
			{
				if (sv_eq(json_sv_at(condition, "reason"), SV("PortUnavailable")))
					findings_add(findings, json_sv_at(condition, "reason"),
						     json_sv_at(condition, "message"));
			}
		}
	}
}

static void find_events(struct findings *findings, const json_t *events)
{
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event)
	{
		if (sv_eq(json_sv_at(event, "type"), SV("Warning")))
			findings_add(findings, json_sv_at(event, "reason"),
				     json_sv_at(event, "message"));
	}
}

static bool is_waiting(const struct why *why)
{
	const json_t *order = why->story->order;

	return json_sv_at(order, "status.failureReason").len > 0;
}

/* What is nearest to the failure first: nothing goes on without the issuer. Events last,
 * since they may be of an earlier attempt. */
static void find_all(const struct why *why, struct findings *findings)
{
	const struct story *story = why->story;
	const json_t *challenge;
	size_t i;

	if (why->issuer != NULL && !condition_is_true(why->issuer, "Ready"))
		find_condition(findings, why->issuer, "Ready");
	if (is_waiting(why))
		findings_add(findings, json_sv_at(story->order, "status.failureReason"),
			     json_sv_at(story->order, "status.reason"));
	json_array_foreach(story->challenges, i, challenge)
	{
		if (json_sv_at(challenge, "status.reason").len > 0)
			findings_add(findings, SV(""), json_sv_at(challenge, "status.reason"));
	}
	find_condition(findings, story->certificate, "Issuing");
	find_condition(findings, story->certificate, "Ready");
	find_listeners(findings, why->gateways);
	find_events(findings, why->events);
}

/* ---- why ---- */

/* "Why not there: firewall": the word stands in sallyport-troubleshooting(7). */
static void add_cause(struct buf *out, const char *title, const struct findings *findings)
{
	const struct finding *by = findings->count > 0 ? &findings->list[0] : NULL;
	const struct cause *cause = cause_of(findings, &by);

	buf_addf(out, "%s:%s%s\n", title, cause == NULL ? "" : " ", cause == NULL ? "" : cause->id);
	if (cause != NULL) {
		add_wrapped(out, "Cause:", sv_from(cause->cause));
		add_wrapped(out, "Fix:", sv_from(cause->fix));
	}
	if (by != NULL)
		add_said(out, "Said:", by->words);
}

static struct str_view next_of(const struct why *why)
{
	struct str_view next = json_sv_at(why->story->order, "status.nextTryTime");

	if (next.len == 0)
		next = json_sv_at(why->story->certificate, "status.nextAttemptTime");
	if (next.len == 0 && !condition_is_true(why->issuer, "Ready"))
		next = json_sv_at(why->issuer, "status.acme.nextTryTime");
	return next;
}

static void add_next(const struct why *why, struct buf *out)
{
	struct str_view next = next_of(why);

	if (next.len > 0)
		add_time(out, "Next try:", next, why->now);
	else if (json_bool_at(why->issuer, "status.acme.refused", false))
		add_wrapped(out, "Next try:", SV("when the issuer or its Secrets change"));
	else
		add_wrapped(out,
			    "Next try:", SV("by itself, as soon as what is in the way is gone"));
	if (json_sv_at(why->story->certificate, "status.lastFailureTime").len > 0)
		add_time(out,
			 "Failed:", json_sv_at(why->story->certificate, "status.lastFailureTime"),
			 why->now);
}

static bool failed(const struct why *why)
{
	return json_sv_at(why->story->certificate, "status.lastFailureTime").len > 0 ||
	       is_waiting(why);
}

/* Nothing has failed, and an order is on its way. */
static bool is_under_way(const struct why *why)
{
	return !failed(why) && condition_is_true(why->story->certificate, "Issuing") &&
	       (why->issuer == NULL || condition_is_true(why->issuer, "Ready")) &&
	       why->story->order != NULL;
}

void why_text(const struct why *why, struct buf *out)
{
	struct findings findings = {.count = 0};
	bool ready = condition_is_true(why->story->certificate, "Ready");

	if (ready && !failed(why))
		return;
	if (is_under_way(why)) {
		buf_addf(out, "Why not yet:\n");
		add_wrapped(out, "Step:", sv_from(step_word(story_step(why->story))));
		return;
	}
	find_all(why, &findings);
	add_cause(out, ready ? "Why not renewed" : "Why not there", &findings);
	add_next(why, out);
}

void why_issuer(const json_t *issuer, int64_t now, struct buf *out)
{
	struct findings findings = {.count = 0};
	struct str_view next = json_sv_at(issuer, "status.acme.nextTryTime");

	if (condition_is_true(issuer, "Ready") ||
	    condition_find(json_at(issuer, "status.conditions"), SV("Ready")) == NULL)
		return;
	find_condition(&findings, issuer, "Ready");
	add_cause(out, "Why not ready", &findings);
	if (next.len > 0)
		add_time(out, "Next try:", next, now);
	else if (json_bool_at(issuer, "status.acme.refused", false))
		add_wrapped(out, "Next try:", SV("when the issuer or its Secrets change"));
}
