/* cli/describe.h - the parts of describe */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include "cli/cli.h"
#include "cli/refs.h"

/* ---- describe_value.c: pure ---- */

/* "creationTimestamp" -> "Creation Timestamp"; keys that are no words stay ("tls.crt"). */
void describe_label(const char *key, struct buf *out);
/* "KEY:  value" for each member, objects and lists below it, lists of conditions as tables. now:
 * wall clock, for ages. Private fields of kind are left out. */
struct describe_how {
	const char *kind;
	int64_t now;
	size_t indent;
};
void describe_members(const struct describe_how *how, const json_t *object, struct buf *out);
/* "Labels:       a=b", one to a line. */
void describe_map(const char *title, const json_t *map, struct buf *out);
/* Name and size of what a Secret holds. */
void describe_secret(const json_t *secret, struct buf *out);
/* Name and text of what a ConfigMap holds. */
void describe_configmap(const json_t *configmap, struct buf *out);

/* ---- describe_events.c ---- */

/* events: an array of Events; with_object: of several objects, which is then a column. Pure. */
void describe_events(json_t *events, bool with_object, int64_t now, struct buf *out);
/* Events of one object. New array, or NULL: there are none to be had. */
json_t *events_of(struct cli *cli, const struct ref *ref, const json_t *object);
/* What happened to a Certificate, and to what it was ordered with. */
void describe_order(struct cli *cli, const struct ref *ref, const json_t *certificate,
		    struct buf *out);

#endif
