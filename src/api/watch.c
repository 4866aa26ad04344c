/* api/watch.c - watch streams: a change a line, for as long as the client listens
 *
 * What is queued are the objects themselves (immutable, counted, shared between watches), not text:
 * a line is made when the client takes it. A watch that falls WATCH_QUEUE_MAX changes behind gets
 * an ERROR of code 410 and is closed: its client lists again. While there is nothing to send, the
 * connection is suspended, and our loop watches its descriptor, since libmicrohttpd does not: a
 * client that went away is found at once.
 */
#include "api/serve.h"
#include "api/verbs.h"
#include "base/own.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_QUEUE_MAX   4096  /* changes that wait for a slow client, the first list apart */
#define WATCH_BLOCK       16384 /* bytes that are asked of the stream at once */
#define WATCH_TIMEOUT_MAX 86400 /* seconds; longer ones are cut */

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED, EVENT_BOOKMARK, EVENT_ERROR };

struct event {
	struct list link;
	enum event_type type;
	struct object *object; /* owned; NULL: see text */
	char *message;         /* of an EVENT_ERROR */
	uint64_t revision;     /* of an EVENT_BOOKMARK */
	bool first;            /* of the list that a watch begins with */
};

struct watch {
	struct request *request; /* owns it */
	struct selector selector;
	struct store_watch *store_watch; /* NULL once ended */
	struct list events;
	size_t waiting;  /* events that are not of the first list */
	bool first_list; /* while the watch begins: what is there, or was missed */
	char *line;      /* being sent */
	size_t line_len, line_sent;
	bool ended; /* the stream ends behind the events */
	bool suspended;
	struct loop_fd hangup;
	struct timer timeout;
};

/* ---- the queue ---- */

static void event_free(struct event *event)
{
	list_remove(&event->link);
	object_unref(event->object);
	free(event->message);
	free(event);
}

static void wake(struct watch *watch)
{
	if (!watch->suspended)
		return;
	watch->suspended = false;
	server_resume(&watch->request->api->control, watch->request->mhd);
}

static struct event *add_event(struct watch *watch, enum event_type type)
{
	struct event *event = xcalloc(1, sizeof(*event));

	event->type = type;
	list_append(&watch->events, &event->link);
	wake(watch);
	return event;
}

static void add_object(struct watch *watch, enum event_type type, const struct object *object)
{
	struct event *event = add_event(watch, type);

	event->object = object_ref(object);
	event->first = watch->first_list;
}

/* Nothing comes any more; what is queued is still sent. */
static void watch_end(struct watch *watch)
{
	struct loop *loop = watch->request->api->config.loop;

	if (watch->ended)
		return;
	watch->ended = true;
	store_unwatch(watch->store_watch);
	watch->store_watch = NULL;
	timer_stop(loop, &watch->timeout);
	loop_remove(loop, &watch->hangup);
	watch->request->api->watch_count--;
	wake(watch);
}

static void watch_fail(struct watch *watch, const char *message)
{
	LIST_EACH(&watch->events, node)
	event_free(LIST_ENTRY(node, struct event, link));
	add_event(watch, EVENT_ERROR)->message = xstrdup(message);
	watch_end(watch);
}

/* ---- from the store ---- */

/* What a change means to a watch with selectors: an object may come into sight, or leave it. */
static bool event_of(const struct watch *watch, enum store_change change,
		     const struct object *object, const struct object *before,
		     enum event_type *type)
{
	bool was = before != NULL && selector_matches(&watch->selector, before->json);
	bool is = change != STORE_DELETED && selector_matches(&watch->selector, object->json);

	if (is)
		*type = was ? EVENT_MODIFIED : EVENT_ADDED;
	else
		*type = EVENT_DELETED;
	return was || is;
}

static void on_change(void *arg, enum store_change change, const struct object *object,
		      const struct object *before)
{
	struct watch *watch = arg;
	enum event_type type;

	if (watch->ended || !event_of(watch, change, object, before, &type))
		return;
	if (watch->waiting == WATCH_QUEUE_MAX) {
		watch_fail(watch, "the client is too slow for this watch: list again");
		return;
	}
	if (!watch->first_list)
		watch->waiting++;
	add_object(watch, type, object);
}

static bool add_first(void *arg, const struct object *object)
{
	struct watch *watch = arg;

	if (selector_matches(&watch->selector, object->json))
		add_object(watch, EVENT_ADDED, object);
	return true;
}

/* ---- lines ---- */

static json_t *bookmark(const struct shape *shape, uint64_t revision)
{
	AUTO(auto_free) char *version = kind_api_version(shape->kind, shape->version);
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(shape->kind->kind));
	json_object_set_new(object, "apiVersion", json_string(version));
	json_set_at(object, "metadata.resourceVersion", json_fmt("%" PRIu64, revision));
	json_set_at(object, "metadata.creationTimestamp", json_null());
	json_object_set_new(json_object_get(object, "metadata"), "annotations",
			    json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
	return object;
}

static json_t *event_object(const struct watch *watch, const struct event *event)
{
	struct shape shape = request_shape(watch->request);

	if (event->type == EVENT_ERROR)
		return status_new(
			&(struct status){.reason = REASON_EXPIRED, .message = event->message});
	if (event->type == EVENT_BOOKMARK)
		return bookmark(&shape, event->revision);
	return shape_object(&shape, event->object->json);
}

static void next_line(struct watch *watch)
{
	static const char *const words[] = {
		[EVENT_ADDED] = "ADDED",     [EVENT_MODIFIED] = "MODIFIED",
		[EVENT_DELETED] = "DELETED", [EVENT_BOOKMARK] = "BOOKMARK",
		[EVENT_ERROR] = "ERROR",
	};
	struct event *event = LIST_ENTRY(watch->events.next, struct event, link);
	AUTO(auto_json) json_t *line = json_object();

	json_object_set_new(line, "type", json_string(words[event->type]));
	json_object_set_new(line, "object", event_object(watch, event));
	free(watch->line);
	watch->line = json_text(line);
	watch->line_len = strlen(watch->line) + 1;
	watch->line[watch->line_len - 1] = '\n'; /* in the place of the NUL */
	watch->line_sent = 0;
	if (!event->first && event->object != NULL)
		watch->waiting--;
	event_free(event);
}

/* libmicrohttpd wants up to max bytes; 0 after suspending. */
static ssize_t on_content(void *cls, uint64_t at, char *out, size_t max)
{
	struct watch *watch = cls;
	size_t count = 0;

	(void)at;
	while (count < max) {
		size_t left = watch->line_len - watch->line_sent;
		size_t part = left < max - count ? left : max - count;

		if (left == 0 && list_empty(&watch->events))
			break;
		if (left == 0) {
			next_line(watch);
			continue;
		}
		memcpy(out + count, watch->line + watch->line_sent, part);
		watch->line_sent += part;
		count += part;
	}
	if (count > 0)
		return (ssize_t)count;
	if (watch->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	watch->suspended = true;
	MHD_suspend_connection(watch->request->mhd);
	return 0;
}

/* ---- the end ---- */

/* Data on a connection that listens to a watch is the next request: its turn comes. */
static void on_hangup(struct loop_fd *fd, unsigned events)
{
	struct watch *watch = CONTAINER_OF(fd, struct watch, hangup);

	if ((events & (LOOP_EOF | LOOP_GONE)) == 0)
		return;
	LIST_EACH(&watch->events, node)
	event_free(LIST_ENTRY(node, struct event, link));
	watch_end(watch);
}

static void on_timeout(struct timer *timer)
{
	watch_end(CONTAINER_OF(timer, struct watch, timeout));
}

static void on_hurry(struct request *request)
{
	watch_end(request->work);
}

static void on_abandon(struct request *request)
{
	struct watch *watch = request->work;

	watch_end(watch);
	LIST_EACH(&watch->events, node)
	event_free(LIST_ENTRY(node, struct event, link));
	free(watch->line);
	free(watch);
	request->work = NULL;
	request->abandon = NULL;
	request->hurry = NULL;
}

/* ---- the beginning ---- */

/* Everything there is, or what changed after a revision; then what changes from now on. */
static void subscribe(struct watch *watch, const char *prefix)
{
	const struct target *target = &watch->request->target;
	struct store *store = watch->request->api->config.store;
	const char *version = target_param(target, "resourceVersion");
	bool initial = target_flag(target, "sendInitialEvents");
	uint64_t after = 0;
	struct err err = {.code = ERR_NONE};

	watch->first_list = true;
	if (version != NULL && version[0] != '\0' && !sv_to_u64(sv_from(version), &after))
		err_set(&err, ERR_GONE, "the resourceVersion \"%.64s\" is none of ours", version);
	else if (after == 0 || initial)
		store_each(store, sv_from(prefix), add_first, watch);
	else
		store_replay(store, sv_from(prefix), after, on_change, watch, &err);
	watch->first_list = false;
	if (err.code != ERR_NONE) {
		AUTO(auto_free) char *message = xasprintf("too old resource version: %s", err.msg);

		watch_fail(watch, message);
		return;
	}
	if (initial && target_flag(target, "allowWatchBookmarks"))
		add_event(watch, EVENT_BOOKMARK)->revision = store_revision(store);
	if (!watch->ended)
		watch->store_watch = store_watch(store, sv_from(prefix), on_change, watch);
}

static void arm_timeout(struct watch *watch)
{
	const char *text = target_param(&watch->request->target, "timeoutSeconds");
	uint64_t seconds;

	if (watch->ended || text == NULL || !sv_to_u64(sv_from(text), &seconds) || seconds == 0)
		return;
	seconds = seconds > WATCH_TIMEOUT_MAX ? WATCH_TIMEOUT_MAX : seconds;
	timer_in(watch->request->api->config.loop, &watch->timeout, (int64_t)seconds * 1000);
}

/* One object's watch is its collection's with one more term. */
static int select_name(struct request *request, struct selector *selector)
{
	if (request->route.name == NULL)
		return 0;
	if (selector->count == SELECTOR_TERMS_MAX) {
		request_refuse(request, REASON_BAD_REQUEST, "too many selectors");
		return -1;
	}
	selector->terms[selector->count++] = (struct selector_term){
		.op = SELECT_IN,
		.key = SV("metadata.name"),
		.values = sv_from(request->route.name),
	};
	return 0;
}

static struct watch *watch_new(struct request *request, const struct selector *selector)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->request = request;
	watch->selector = *selector;
	list_init(&watch->events);
	timer_init(&watch->timeout, on_timeout);
	watch->hangup = (struct loop_fd){.fd = request->conn->fd, .ready = on_hangup};
	request->work = watch;
	request->abandon = on_abandon;
	request->hurry = on_hurry;
	request->api->watch_count++;
	return watch;
}

static void answer_stream(struct request *request, struct watch *watch)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, WATCH_BLOCK, on_content, watch, NULL);

	if (response == NULL)
		abort(); /* out of memory in a small allocation */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	request_answer_with(request, 200, response);
}

void serve_watch(struct request *request)
{
	AUTO(auto_free) char *prefix = request_prefix(request);
	struct err err = {.code = ERR_NONE};
	struct selector selector;
	struct watch *watch;

	if (prefix == NULL) {
		request_not_found(request);
		return;
	}
	if (request_selector(request, &selector) < 0 || select_name(request, &selector) < 0)
		return;
	if (request->api->watch_count >= API_WATCH_MAX) {
		request_refuse(request, REASON_TOO_MANY, "there are %d watches already",
			       API_WATCH_MAX);
		return;
	}
	watch = watch_new(request, &selector);
	if (loop_add(request->api->config.loop, &watch->hangup, LOOP_READ | LOOP_EDGE, &err) < 0) {
		on_abandon(request);
		request_fail(request, &err, NULL);
		return;
	}
	subscribe(watch, prefix);
	arm_timeout(watch);
	answer_stream(request, watch);
}
