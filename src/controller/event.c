/* controller/event.c - Events: what happened to an object, kept for an hour
 *
 * What is said again counts up. What is said of one object for one reason in ever new words (a CA
 * that puts a number into each refusal) becomes one Event after a while, as in Kubernetes. And of
 * all Events so many are kept: above that the oldest go, the Normal ones before any Warning.
 */
#include "controller/ctl.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENT_LIFE_S   3600
#define EVENT_NOTE_MAX 1024
#define NAME_KEPT      200 /* bytes of the object's name; the rest is a hash */
#define ALIKE_MAX      10  /* of one object for one reason; more are told by one */
#define EVENTS_MAX     2000
#define SWEEP_S        60
#define ALL            "core/events/"
#define COMBINED       "(combined from similar events): "

struct events { /* ctl->state[CTL_EVENT] */
	size_t count, max;
	size_t going;     /* deleted, and not told of yet */
	int64_t swept;    /* monotonic */
	uint64_t dropped; /* before their hour was over */
};

static struct events *events_of(struct controllers *ctl)
{
	return ctl->state[CTL_EVENT];
}

static const struct kind *event_kind(void)
{
	return kind_by_plural(SV(""), SV("events"));
}

static void name_begin(struct buf *out, const struct object *about)
{
	struct str_view begin = sv_head(sv_from(object_name(about)), NAME_KEPT);

	while (sv_ends(begin, SV(".")) || sv_ends(begin, SV("-"))) /* else it is no name */
		begin = sv_head(begin, begin.len - 1);
	(void)buf_addf(out, "%.*s.", SV_ARG(begin));
}

/* The name says what is the same: object, reason and words. So a repeat finds the earlier one by
 * its key. */
static void event_name(struct buf *out, const struct object *about, const char *reason,
		       const char *note)
{
	uint64_t hash = sv_hash(sv_from(note)) * 31 + sv_hash(sv_from(reason)) +
			sv_hash(json_sv_at(about->json, "metadata.uid"));

	name_begin(out, about);
	(void)buf_addf(out, "%016llx", (unsigned long long)hash);
}

struct alike {
	struct str_view uid, reason;
	size_t count;
};

static bool count_alike(void *arg, const struct object *event)
{
	struct alike *alike = arg;

	if (sv_eq(json_sv_at(event->json, "involvedObject.uid"), alike->uid) &&
	    sv_eq(json_sv_at(event->json, "reason"), alike->reason))
		alike->count++;
	return alike->count < ALIKE_MAX;
}

/* Has the object been told of for this reason in many words already? */
static bool are_many(struct controllers *ctl, const char *ns, const struct object *about,
		     const char *reason)
{
	struct alike alike = {.uid = json_sv_at(about->json, "metadata.uid"),
			      .reason = sv_from(reason)};
	struct buf prefix;

	buf_init(&prefix, 1024);
	(void)buf_addf(&prefix, ALL "%s/", ns);
	name_begin(&prefix, about);
	store_each(ctl->config.store, buf_view(&prefix), count_alike, &alike);
	buf_deinit(&prefix);
	return alike.count >= ALIKE_MAX;
}

static json_t *event_about(const struct kind *kind, const struct object *about)
{
	AUTO(auto_free) char *version = kind_api_version(kind, NULL);

	return json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "apiVersion", version, "kind", kind->kind,
			 "name", object_name(about), "namespace",
			 kind->namespaced ? object_namespace(about) : NULL, "uid",
			 json_str_at(about->json, "metadata.uid"));
}

static void count_up(struct controllers *ctl, const struct object *old, const char *note,
		     const char *now)
{
	json_t *copy = json_deep_copy(old->json);

	json_object_set_new(copy, "count", json_integer(json_int_at(copy, "count", 1) + 1));
	json_object_set_new(copy, "lastTimestamp", json_string(now));
	json_object_set_new(copy, "message", json_string(note));
	ctl_put_object(ctl, event_kind(), old, copy, NULL, NULL);
}

struct telling {
	const struct kind *kind;
	const struct object *about;
	const char *type, *reason;
};

static void tell(struct controllers *ctl, const struct telling *what, const char *note)
{
	const char *ns = what->kind->namespaced ? object_namespace(what->about) : "default";
	AUTO(auto_free) char *combined = NULL;
	char now[CLOCK_TEXT_SIZE];
	const struct object *old;
	struct buf name;

	clock_rfc3339(ctl_now(), now);
	buf_init(&name, 512);
	event_name(&name, what->about, what->reason, note);
	old = ctl_get(ctl, event_kind(), ns, buf_cstr(&name));
	if (old == NULL && are_many(ctl, ns, what->about, what->reason)) {
		buf_reset(&name);
		event_name(&name, what->about, what->reason, COMBINED);
		old = ctl_get(ctl, event_kind(), ns, buf_cstr(&name));
		note = combined = xasprintf(COMBINED "%s", note);
	}
	if (old != NULL)
		count_up(ctl, old, note, now);
	else
		ctl_put_object(ctl, event_kind(), old,
			       json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:s, s:s, s:s, s:s, "
					 "s:i, s:{s:s}}",
					 "apiVersion", "v1", "kind", "Event", "metadata", "name",
					 buf_cstr(&name), "namespace", ns, "involvedObject",
					 event_about(what->kind, what->about), "reason",
					 what->reason, "message", note, "type", what->type,
					 "firstTimestamp", now, "lastTimestamp", now, "count", 1,
					 "source", "component", "sallyport"),
			       NULL, NULL);
	buf_deinit(&name);
}

void ctl_event(struct controllers *ctl, const struct kind *kind, const struct object *about,
	       const char *type, const char *reason, const char *fmt, ...)
{
	struct telling what = {.kind = kind, .about = about, .type = type, .reason = reason};
	char note[EVENT_NOTE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(note, sizeof(note), fmt, args);
	va_end(args);
	tell(ctl, &what, note);
	if (type[0] == 'W')
		log_warn("controller", "%s %s: %s: %s", kind->kind, object_name(about), reason,
			 note);
	else
		log_info("controller", "%s %s: %s: %s", kind->kind, object_name(about), reason,
			 note);
}

/* ---- what is not kept ---- */

struct kept {
	bool warning;
	int64_t last;
	const struct object *event; /* until the next turn */
};

struct sweep {
	struct controllers *ctl;
	int64_t now;
	size_t count, room;
	struct kept *list;
};

static bool look_at(void *arg, const struct object *event)
{
	struct sweep *sweep = arg;
	int64_t last = sweep->now;

	if (!clock_parse_rfc3339(json_sv_at(event->json, "lastTimestamp"), &last))
		(void)clock_parse_rfc3339(json_sv_at(event->json, "metadata.creationTimestamp"),
					  &last);
	if (last + EVENT_LIFE_S <= sweep->now)
		ctl_delete_object(sweep->ctl, event);
	else if (sweep->count < sweep->room)
		sweep->list[sweep->count++] = (struct kept){
			.warning = sv_eq(json_sv_at(event->json, "type"), SV("Warning")),
			.last = last,
			.event = event};
	return true;
}

/* The first to go first. */
static int compare(const void *a, const void *b)
{
	const struct kept *left = a, *right = b;

	if (left->warning != right->warning)
		return left->warning ? 1 : -1;
	return left->last < right->last ? -1 : left->last > right->last;
}

/* A tenth more than needed: so there is room for a while. */
static void drop_first(struct events *events, struct sweep *sweep)
{
	size_t keep = events->max - events->max / 10;

	if (sweep->count <= events->max || events->going > 0)
		return;
	qsort(sweep->list, sweep->count, sizeof(*sweep->list), compare);
	for (size_t i = 0; i < sweep->count - keep; i++)
		ctl_delete_object(sweep->ctl, sweep->list[i].event);
	events->going = sweep->count - keep;
	events->dropped += events->going;
}

/* key: of no Event, but of all. */
static void event_reconcile(struct controllers *ctl, struct str_view key)
{
	struct events *events = events_of(ctl);
	struct sweep sweep = {.ctl = ctl, .now = ctl_now(), .room = events->count};

	if (loop_now(ctl->config.loop) - events->swept >= SWEEP_S * 1000)
		events->going = 0; /* one that was told again meanwhile has stayed */
	events->swept = loop_now(ctl->config.loop);
	sweep.list = xcalloc(sweep.room + 1, sizeof(*sweep.list));
	store_each(ctl->config.store, SV(ALL), look_at, &sweep);
	drop_first(events, &sweep);
	free(sweep.list);
	ctl_queue_in(ctl, CTL_EVENT, key, SWEEP_S * 1000);
}

static void event_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	struct events *events = events_of(ctl);

	if (before == NULL)
		events->count++;
	else if (after == NULL)
		events->count--;
	if (after == NULL && events->going > 0)
		events->going--;
	if (events->count > events->max + events->going)
		ctl_queue(ctl, CTL_EVENT, SV(ALL));
}

/* ---- life ---- */

static int event_start(struct controllers *ctl, struct err *err)
{
	struct events *events = xcalloc(1, sizeof(*events));

	(void)err;
	events->max = ctl->config.events_max == 0 ? EVENTS_MAX : ctl->config.events_max;
	ctl->state[CTL_EVENT] = events;
	ctl_queue_in(ctl, CTL_EVENT, SV(ALL), SWEEP_S * 1000);
	return 0;
}

static void event_stop(struct controllers *ctl)
{
	free(ctl->state[CTL_EVENT]);
	ctl->state[CTL_EVENT] = NULL;
}

static void event_metrics(struct controllers *ctl, struct buf *out)
{
	metric_head(out, "sallyport_events", "gauge", "Events that are kept.");
	metric_sample(out, "sallyport_events", "", (double)events_of(ctl)->count);
	metric_head(out, "sallyport_events_dropped_total", "counter",
		    "Events that were dropped within their hour, since there were too many.");
	metric_sample(out, "sallyport_events_dropped_total", "", (double)events_of(ctl)->dropped);
}

const struct ctl_row ctl_event_row = {
	.name = "event",
	.watches = {{.prefix = ALL, .map = event_map}},
	.reconcile = event_reconcile,
	.start = event_start,
	.stop = event_stop,
	.metrics = event_metrics,
};
