/* cli/describe_events.c - what happened to an object, and the story of a certificate's last order
 */
#include "cli/describe.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/columns.h"
#include "cli/issuers.h"
#include "cli/status.h"
#include "cli/story.h"
#include "cli/why.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- the table ---- */

static int64_t time_of(const json_t *event, bool first)
{
	static const char *const last_paths[] = {"series.lastObservedTime", "lastTimestamp",
						 "eventTime", "firstTimestamp",
						 "metadata.creationTimestamp"};
	static const char *const first_paths[] = {"firstTimestamp", "eventTime",
						  "metadata.creationTimestamp", NULL, NULL};
	const char *const *paths = first ? first_paths : last_paths;
	int64_t wall;

	for (size_t i = 0; i < ARRAY_LEN(last_paths) && paths[i] != NULL; i++) {
		if (clock_parse_rfc3339(json_sv_at(event, paths[i]), &wall))
			return wall;
	}
	return 0;
}

static uint64_t version_of(const json_t *event)
{
	uint64_t version = 0;

	(void)sv_to_u64(json_sv_at(event, "metadata.resourceVersion"), &version);
	return version;
}

static int by_time(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	int64_t first = time_of(a, false), second = time_of(b, false);

	if (first != second)
		return first < second ? -1 : 1;
	return version_of(a) < version_of(b) ? -1 : version_of(a) > version_of(b) ? 1 : 0;
}

/* "5m", "5s (x3 over 2m)" */
static void add_age(struct columns *columns, const json_t *event, int64_t now)
{
	char last[CLOCK_TEXT_SIZE], first[CLOCK_TEXT_SIZE];
	int64_t count = json_int_at(event, "series.count", json_int_at(event, "count", 1));
	AUTO(auto_free) char *text = NULL;

	clock_age(now > time_of(event, false) ? now - time_of(event, false) : 0, last);
	clock_age(now > time_of(event, true) ? now - time_of(event, true) : 0, first);
	if (count > 1)
		text = xasprintf("%s (x%" PRId64 " over %s)", last, count, first);
	columns_add(columns, sv_from(text == NULL ? last : text));
}

static void add_object(struct columns *columns, const json_t *event)
{
	AUTO(auto_free)
	char *text = xasprintf("%.*s/%.*s", SV_ARG(json_sv_at(event, "involvedObject.kind")),
			       SV_ARG(json_sv_at(event, "involvedObject.name")));

	columns_add(columns, sv_from(text));
}

static void add_event(struct columns *columns, const json_t *event, bool with_object, int64_t now)
{
	columns_add(columns, json_sv_at(event, "type"));
	columns_add(columns, json_sv_at(event, "reason"));
	add_age(columns, event, now);
	if (with_object)
		add_object(columns, event);
	else
		columns_add(columns, json_sv_at(event, "source.component"));
	columns_add(columns, json_sv_at(event, "message"));
	columns_end(columns);
}

static void add_line(struct columns *columns, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		columns_add(columns, sv_from(texts[i]));
	columns_end(columns);
}

void describe_events(json_t *events, bool with_object, int64_t now, struct buf *out)
{
	const char *heads[] = {"Type", "Reason", "Age", with_object ? "Object" : "From", "Message"};
	const char *rules[] = {"----", "------", "---", with_object ? "------" : "----", "-------"};
	size_t count = json_array_size(events);
	json_t **sorted;
	struct columns columns;

	if (count == 0) {
		buf_addf(out, "Events:       <none>\n");
		return;
	}
	buf_addf(out, "Events:\n");
	sorted = xcalloc(count, sizeof(json_t *));
	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(events, i);
	qsort(sorted, count, sizeof(json_t *), by_time);
	columns_init(&columns);
	columns.gap = 2;
	add_line(&columns, heads, ARRAY_LEN(heads));
	add_line(&columns, rules, ARRAY_LEN(rules));
	for (size_t i = 0; i < count; i++)
		add_event(&columns, sorted[i], with_object, now);
	columns_text(&columns, 2, out);
	columns_deinit(&columns);
	free(sorted);
}

/* ---- of one object ---- */

static json_t *list_of(struct cli *cli, const char *word, const char *ns, const char *fields)
{
	const struct kind_info *kind = kinds_by_word(&cli->kinds, sv_from(word));
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_json) json_t *list = NULL;
	struct fault fault;

	if (kind == NULL)
		return NULL;
	path = kind_path(kind, ns, NULL, NULL);
	path_add(&path, "fieldSelector", fields);
	fault_init(&fault);
	list = cli_get(cli, path, &fault);
	fault_deinit(&fault);
	return json_incref(json_object_get(list, "items"));
}

json_t *events_of(struct cli *cli, const struct ref *ref, const json_t *object)
{
	AUTO(auto_free)
	char *fields =
		xasprintf("involvedObject.name=%s,involvedObject.kind=%s,involvedObject.uid=%.*s",
			  ref->name, ref->kind->kind, SV_ARG(json_sv_at(object, "metadata.uid")));

	return list_of(cli, "events", ref->ns, fields);
}

/* ---- of a certificate and its order ---- */

static bool is_of(const json_t *event, const json_t *object)
{
	struct str_view uid = json_sv_at(object, "metadata.uid");

	return uid.len > 0 && sv_eq(json_sv_at(event, "involvedObject.uid"), uid);
}

/* Challenges that are done are deleted; what happened to them is not. */
static bool is_below(const json_t *event, const json_t *request)
{
	struct str_view name = json_sv_at(request, "metadata.name");
	struct str_view about = json_sv_at(event, "involvedObject.name");
	struct str_view kind = json_sv_at(event, "involvedObject.kind");

	return name.len > 0 && (sv_eq(kind, SV("Challenge")) || sv_eq(kind, SV("Order"))) &&
	       sv_starts(about, name) && sv_starts(sv_skip(about, name.len), SV("-"));
}

static bool belongs(const struct story *story, const json_t *event)
{
	const json_t *challenge;
	size_t i;

	json_array_foreach(story->challenges, i, challenge)
	{
		if (is_of(event, challenge))
			return true;
	}
	return is_of(event, story->certificate) || is_of(event, story->request) ||
	       is_of(event, story->order) || is_below(event, story->request);
}

static void add_part(struct buf *out, const char *title, const json_t *object, const char *url)
{
	struct str_view state = json_sv_at(object, "status.state");
	struct str_view reason = json_sv_at(object, "status.reason");

	if (object == NULL)
		return;
	buf_addf(out, "  %-13s%.*s", title, SV_ARG(json_sv_at(object, "metadata.name")));
	if (state.len > 0)
		buf_addf(out, ": %.*s", SV_ARG(state));
	if (reason.len > 0)
		buf_addf(out, ", %.*s", SV_ARG(reason));
	buf_addc(out, '\n');
	if (url != NULL && url[0] != '\0')
		buf_addf(out, "  %-13s%s\n", "", url);
}

static void add_challenges(const struct story *story, struct buf *out)
{
	const json_t *challenge;
	size_t i;

	json_array_foreach(story->challenges, i, challenge)
	{
		struct str_view state = json_sv_at(challenge, "status.state");
		struct str_view reason = json_sv_at(challenge, "status.reason");

		buf_addf(out, "  %-13s%.*s by %.*s: %.*s%s%.*s\n",
			 "Challenge:", SV_ARG(json_sv_at(challenge, "spec.dnsName")),
			 SV_ARG(json_sv_at(challenge, "spec.type")),
			 SV_ARG(state.len > 0 ? state : SV("not yet tried")),
			 reason.len > 0 ? ", " : "", SV_ARG(reason));
	}
}

/* Without them the story is told all the same. */
static json_t *issuers_of(struct cli *cli, const char *ns)
{
	struct fault fault;
	json_t *issuers;

	fault_init(&fault);
	issuers = all_issuers(cli, ns, &fault);
	fault_deinit(&fault);
	return issuers;
}

void describe_order(struct cli *cli, const struct ref *ref, const json_t *certificate,
		    struct buf *out)
{
	AUTO(auto_json)
	json_t *requests = list_of(cli, "certificaterequests.cert-manager.io", ref->ns, NULL);
	AUTO(auto_json) json_t *orders = list_of(cli, "orders.acme.cert-manager.io", ref->ns, NULL);
	AUTO(auto_json)
	json_t *challenges = list_of(cli, "challenges.acme.cert-manager.io", ref->ns, NULL);
	AUTO(auto_json) json_t *events = list_of(cli, "events", ref->ns, NULL);
	AUTO(auto_json) json_t *issuers = issuers_of(cli, ref->ns);
	AUTO(auto_json)
	json_t *gateways = list_of(cli, "gateways.gateway.networking.k8s.io", NULL, NULL);
	AUTO(auto_json) json_t *mine = json_array();
	struct story story;
	struct why why = {.story = &story,
			  .issuer = issuer_of(issuers, certificate),
			  .gateways = gateways,
			  .events = mine,
			  .now = clock_wall()};
	const json_t *event;
	size_t i;

	story_init(&story, certificate, requests, orders);
	story_add_challenges(&story, challenges);
	if (story.request != NULL || story.order != NULL) {
		buf_addf(out, "Last Order:\n");
		add_part(out, "Request:", story.request, NULL);
		add_part(out, "Order:", story.order, json_str_at(story.order, "status.url"));
		add_challenges(&story, out);
		why_steps(&why, out);
	}
	json_array_foreach(events, i, event)
	{
		if (belongs(&story, event))
			json_array_append(mine, (json_t *)(uintptr_t)event);
	}
	describe_events(mine, true, why.now, out);
	why_text(&why, out);
	story_deinit(&story);
}
