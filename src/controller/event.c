/* controller/event.c - Events: what happened to an object, kept for an hour */
#include "controller/ctl.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>

#define EVENT_LIFE_S   3600
#define EVENT_REPEAT_S 600 /* the same again within this time counts up */
#define EVENT_NOTE_MAX 1024
#define NAME_KEPT      200 /* bytes of the object's name; the rest is a hash */

static const struct kind *event_kind(void)
{
	return kind_by_plural(SV(""), SV("events"));
}

/* The name says what is the same: object, reason and words. So a repeat finds the earlier one by
 * its key. */
static void event_name(struct buf *out, const struct object *about, const char *reason,
		       const char *note)
{
	uint64_t hash = sv_hash(sv_from(note)) * 31 + sv_hash(sv_from(reason)) +
			sv_hash(json_sv_at(about->json, "metadata.uid"));

	struct str_view begin = sv_head(sv_from(object_name(about)), NAME_KEPT);

	while (sv_ends(begin, SV(".")) || sv_ends(begin, SV("-"))) /* else it is no name */
		begin = sv_head(begin, begin.len - 1);
	(void)buf_addf(out, "%.*s.%016llx", SV_ARG(begin), (unsigned long long)hash);
}

static json_t *event_about(const struct kind *kind, const struct object *about)
{
	AUTO(auto_free) char *version = kind_api_version(kind, NULL);

	return json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "apiVersion", version, "kind", kind->kind,
			 "name", object_name(about), "namespace",
			 kind->namespaced ? object_namespace(about) : NULL, "uid",
			 json_str_at(about->json, "metadata.uid"));
}

static bool count_up(struct controllers *ctl, const struct object *old, const char *now)
{
	json_t *copy;
	int64_t last;

	if (old == NULL || !clock_parse_rfc3339(json_sv_at(old->json, "lastTimestamp"), &last) ||
	    last + EVENT_REPEAT_S < ctl_now())
		return false;
	copy = json_deep_copy(old->json);
	json_object_set_new(copy, "count", json_integer(json_int_at(copy, "count", 1) + 1));
	json_object_set_new(copy, "lastTimestamp", json_string(now));
	ctl_put_object(ctl, event_kind(), old, copy, NULL, NULL);
	return true;
}

void ctl_event(struct controllers *ctl, const struct kind *kind, const struct object *about,
	       const char *type, const char *reason, const char *fmt, ...)
{
	const char *ns = kind->namespaced ? object_namespace(about) : "default";
	char note[EVENT_NOTE_MAX], now[CLOCK_TEXT_SIZE];
	const struct object *old;
	struct buf name;
	va_list args;

	va_start(args, fmt);
	vsnprintf(note, sizeof(note), fmt, args);
	va_end(args);
	clock_rfc3339(ctl_now(), now);
	buf_init(&name, 512);
	event_name(&name, about, reason, note);
	old = ctl_get(ctl, event_kind(), ns, buf_cstr(&name));
	if (!count_up(ctl, old, now))
		ctl_put_object(ctl, event_kind(), old,
			       json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:s, s:s, s:s, s:s, "
					 "s:i, s:{s:s}}",
					 "apiVersion", "v1", "kind", "Event", "metadata", "name",
					 buf_cstr(&name), "namespace", ns, "involvedObject",
					 event_about(kind, about), "reason", reason, "message",
					 note, "type", type, "firstTimestamp", now, "lastTimestamp",
					 now, "count", 1, "source", "component", "sallyport"),
			       NULL, NULL);
	buf_deinit(&name);
	if (type[0] == 'W')
		log_warn("controller", "%s %s: %s: %s", kind->kind, object_name(about), reason,
			 note);
	else
		log_info("controller", "%s %s: %s: %s", kind->kind, object_name(about), reason,
			 note);
}

static void event_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *event = store_get(ctl->config.store, key);
	int64_t last, left;

	if (event == NULL)
		return;
	if (!clock_parse_rfc3339(json_sv_at(event->json, "lastTimestamp"), &last) &&
	    !clock_parse_rfc3339(json_sv_at(event->json, "metadata.creationTimestamp"), &last))
		return;
	left = last + EVENT_LIFE_S - ctl_now();
	if (left <= 0)
		ctl_delete_object(ctl, event);
	else
		ctl_queue_in(ctl, CTL_EVENT, key, left * 1000);
}

const struct ctl_row ctl_event_row = {
	.name = "event",
	.watches = {{.prefix = "core/events/"}},
	.reconcile = event_reconcile,
};
