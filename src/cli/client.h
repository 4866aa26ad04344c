/* cli/client.h - HTTP requests over the control socket, one after another; watches beside each
 * other
 *
 * libcurl, blocking. Knows HTTP and the socket; not what is asked.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_ANSWER_MAX (256u << 20) /* bytes of one answer */

struct client;

typedef void client_warn_fn(void *arg, struct str_view text);

/* warn is called for each Warning header of an answer. */
struct client *client_new(const char *socket_path, client_warn_fn *warn, void *arg);
void client_free(struct client *client);

struct client_request {
	const char *method; /* static */
	const char *path;   /* with query, escaped */
	const char *accept; /* media types; NULL: JSON */
	const char *type;   /* of the body; NULL: JSON */
	struct str_view body;
};

struct client_answer {
	long http; /* status code */
	struct buf body;
};

/* -1: no answer, err says why in words for the user. The answer is initialised here in any case;
 * the caller deinitialises its body. */
int client_call(struct client *client, const struct client_request *request,
		struct client_answer *answer, struct err *err);

/* ---- watches: answers that go on, a JSON value a line ---- */

#define WATCH_LINE_MAX (8u << 20) /* bytes of one line */

struct watches;

enum watch_end {
	WATCH_STOPPED,   /* a callback has seen enough */
	WATCH_TIMED_OUT, /* the deadline passed */
	WATCH_CLOSED,    /* the server ended one */
	WATCH_FAILED     /* no connection, or an answer that is an error: err says why */
};

/* type: "ADDED" "MODIFIED" "DELETED" "BOOKMARK" "ERROR". False: enough, all watches end. */
typedef bool watch_event_fn(void *arg, struct str_view type, const json_t *object);

struct watches *watches_new(struct client *client); /* client outlives it */
void watches_free(struct watches *watches);
void watches_add(struct watches *watches, const char *path, const char *accept,
		 watch_event_fn *event, void *arg);
/* Runs them all. deadline: monotonic milliseconds; negative: none. */
enum watch_end watches_run(struct watches *watches, int64_t deadline, struct err *err);

#endif
