/* api/request.h - one request from its head to its answer; private to this room
 *
 * Born when the target has been read, freed when libmicrohttpd is done with it. A request that
 * cannot be answered at once (a write that settles, a watch) is suspended; answering resumes it.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/api.h"
#include "api/media.h"
#include "api/route.h"
#include "api/server.h"
#include "api/status.h"
#include "api/target.h"

#include <sys/types.h>

#define API_CONN_MAX   320         /* connections, watches among them */
#define API_WATCH_MAX  256         /* watches: the rest of the connections is left for others */
#define API_BODY_MAX   (3u << 20)  /* bytes of a request's body */
#define API_BODIES_MAX (64u << 20) /* bytes of the bodies of all requests together */
#define API_WARN_MAX   16          /* Warning headers of an answer */

struct api {
	struct api_config config;
	char *socket_path;
	struct server control, metrics;
	bool group_known;
	gid_t group;
	struct list requests; /* struct request */
	size_t watch_count, body_bytes;
	uint64_t request_count, refused_count; /* refused: peers that may not */
	bool draining;
};

struct request {
	struct list link; /* in api->requests */
	struct api *api;
	struct MHD_Connection *mhd;
	struct server_conn *conn;
	char method[8]; /* "" when longer than all we know */
	struct target target;
	struct err target_err; /* what is wrong with the target */
	struct route route;
	const char *subject; /* name for a Status where the route has none (create); NULL: none */
	enum view view;
	struct buf body;
	size_t received; /* bytes of the body, kept or not */
	bool crowded;    /* the body did not fit beside the others */
	bool begun, arrived, suspended;
	json_t *warnings; /* strings for Warning headers */

	struct MHD_Response *response; /* the answer; owned */
	unsigned status;

	/* What works on it meanwhile; told when the request ends first. */
	void *work;
	void (*abandon)(struct request *request);
	void (*hurry)(
		struct request *request); /* the daemon stops: answer now if you can; may be NULL */
};

extern const struct server_ops request_ops; /* of the control socket; arg: struct api */

/* Ends the wait of every request that it can; those of the store come by themselves. */
void requests_hurry(struct api *api);
/* Answers what still waits with 503, so that the server can stop. */
void requests_give_up(struct api *api);

/* ---- answers: once a request ---- */
void request_answer(struct request *request, unsigned http, json_t *body); /* takes body */
/* The same with a media type of its own. */
void request_answer_as(struct request *request, unsigned http, const char *type, json_t *body);
void request_answer_text(struct request *request, unsigned http, const char *type,
			 struct str_view text);
/* The answer itself, taken: a stream, say. */
void request_answer_with(struct request *request, unsigned http, struct MHD_Response *response);
/* Kind and name of the route go into the details. causes may be NULL. */
void request_fail(struct request *request, const struct err *err, const struct causes *causes);
void request_refuse(struct request *request, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Where status leaves kind and name open, those of the route are taken. */
void request_answer_status(struct request *request, const struct status *status);
void request_not_found(struct request *request); /* nothing is served at this path */

/* ---- what handlers ask ---- */
const char *request_header(const struct request *request, const char *name); /* NULL: absent */
/* The body as JSON, whatever form it came in, once: the body is dropped. NULL with err. An empty
 * body is json_null(). */
json_t *request_json(struct request *request, struct err *err);
enum media request_media(const struct request *request);

#endif
