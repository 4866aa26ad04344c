#include "session.h"

#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/exchange.h"
#include "dataplane/mirror.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"
#include "http/h1_head.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define INPUT_MAX  65536
#define OUTPUT_MAX (8u << 20) /* what may wait for a client that takes nothing */

struct leg { /* a leg to a backend, played */
	struct list link;
	struct exchange *ex;
	uint64_t got;        /* content */
	bool done, answered; /* the request; the head of the response */
	bool full;
};

struct later {
	void (*release)(void *object);
	void *object;
};

static struct stage {
	struct worker worker;
	struct plane_config config;
	struct conn conn;
	struct loop_hook hook;
	struct task idle;
	struct buf in;
	size_t pending; /* output that the client has not taken */
	uint64_t taken;
	bool fresh; /* the input has grown since conn_fill told */
	bool drains, closing;
	struct list legs;
	size_t leg_count;
	struct later later[4096];
	size_t later_count;
	struct snap_port port;
} stage;

/* ---- the connection ---- */

struct str_view conn_input(const struct conn *conn)
{
	(void)conn;
	return buf_view(&stage.in);
}

void conn_consume(struct conn *conn, size_t count)
{
	(void)conn;
	CHECK(count <= buf_len(&stage.in));
	buf_take(&stage.in, count);
}

enum conn_io conn_fill(struct conn *conn)
{
	if (conn->state >= CONN_LINGER)
		return IO_AGAIN;
	if (!stage.fresh)
		return conn->peer_closed ? IO_EOF : IO_AGAIN;
	stage.fresh = false;
	return buf_len(&stage.in) >= WORKER_BUFFER_SIZE ? IO_ERROR : IO_OK;
}

void conn_write(struct conn *conn, struct str_view bytes)
{
	if (conn->state != CONN_SERVING)
		return;
	stage.pending += bytes.len;
	CHECK(stage.pending <= OUTPUT_MAX);
}

bool conn_full(const struct conn *conn)
{
	(void)conn;
	return stage.pending >= stage.config.limits.buffer;
}

size_t conn_pending(const struct conn *conn)
{
	(void)conn;
	return stage.pending;
}

uint64_t conn_taken(const struct conn *conn)
{
	(void)conn;
	return stage.taken;
}

enum conn_io conn_flush(struct conn *conn)
{
	(void)conn;
	return IO_OK;
}

void conn_deadline(struct conn *conn, int64_t delay_ms)
{
	(void)conn;
	CHECK(delay_ms >= 0);
}

void conn_close(struct conn *conn)
{
	if (conn->state < CONN_LINGER)
		conn->state = CONN_LINGER;
}

void conn_abort(struct conn *conn)
{
	conn->state = CONN_CLOSED;
}

struct str_view conn_sni(const struct conn *conn)
{
	(void)conn;
	return SV("");
}

uint64_t conn_clients(const struct conn *conn)
{
	(void)conn;
	return 0;
}

const struct snap_port *conn_port(const struct conn *conn)
{
	(void)conn;
	return &stage.worker.snapshot->ports[0];
}

/* ---- the worker ---- */

void worker_free_later(struct worker *worker, void (*release)(void *object), void *object)
{
	(void)worker;
	CHECK(stage.later_count < ARRAY_LEN(stage.later));
	stage.later[stage.later_count++] = (struct later){.release = release, .object = object};
}

void worker_challenge_fetched(struct worker *worker, struct str_view token)
{
	(void)worker;
	(void)token;
}

struct str_view worker_date(struct worker *worker)
{
	(void)worker;
	return SV("Sun, 06 Nov 1994 08:49:37 GMT");
}

static void turn_end(struct loop_hook *hook)
{
	(void)hook;
	for (size_t i = 0; i < stage.later_count; i++)
		stage.later[i].release(stage.later[i].object);
	stage.later_count = 0;
	loop_stop(stage.worker.loop);
}

static void idle(struct task *task)
{
	(void)task;
}

/* One turn of the loop; what the codec has deferred runs in it. */
static void turn(void)
{
	task_defer(stage.worker.loop, &stage.idle);
	CHECK(loop_run(stage.worker.loop) == 0);
	if (stage.drains && stage.conn.state == CONN_SERVING && stage.pending > 0) {
		stage.taken += stage.pending;
		stage.pending = 0;
		stage.conn.proto->drained(&stage.conn);
	}
}

/* ---- legs to backends ---- */

static void leg_free(void *object)
{
	free(object);
}

static void leg_end(struct leg *leg)
{
	leg->ex->upstream = NULL;
	leg->ex = NULL;
	list_remove(&leg->link);
	stage.leg_count--;
	worker_free_later(&stage.worker, leg_free, leg);
}

void upstream_begin(struct exchange *ex)
{
	struct leg *leg = xcalloc(1, sizeof(*leg));
	const struct http_request *request = &ex->request;

	CHECK(ex->upstream == NULL && ex->backend != NULL && ex->rule != NULL);
	CHECK(request->method.len > 0 && request->target.path.len > 0 &&
	      request->target.path.data[0] == '/');
	CHECK(!fields_find_id(&request->fields, FIELD_CONNECTION) &&
	      !fields_find_id(&request->fields, FIELD_TRANSFER_ENCODING) &&
	      !fields_find_id(&request->fields, FIELD_CONTENT_LENGTH));
	leg->ex = ex;
	/* content that has ended before (it is repeated) still comes, and its end */
	leg->done =
		ex->request_ended && (request->framing == BODY_NONE ||
				      (request->framing == BODY_LENGTH && request->length == 0));
	ex->upstream = leg;
	list_append(&stage.legs, &leg->link);
	stage.leg_count++;
}

bool upstream_body(struct exchange *ex, struct str_view bytes)
{
	struct leg *leg = ex->upstream;

	CHECK(leg != NULL && leg->ex == ex && (!leg->done || ex->upgraded));
	leg->got += bytes.len;
	if (ex->request.framing == BODY_LENGTH && !ex->upgraded)
		CHECK(leg->got <= ex->request.length);
	else if (!ex->upgraded)
		CHECK(ex->request.framing == BODY_CHUNKED);
	leg->full = leg->full || leg->got > stage.config.limits.buffer;
	return !leg->full;
}

void upstream_end(struct exchange *ex, const struct fields *trailers)
{
	struct leg *leg = ex->upstream;

	(void)trailers;
	CHECK(leg != NULL && leg->ex == ex);
	if (ex->request.framing == BODY_LENGTH && !ex->upgraded)
		CHECK(leg->got == ex->request.length);
	leg->done = true;
}

void upstream_resume(struct exchange *ex)
{
	CHECK(ex->upstream != NULL);
}

void upstream_judge(struct exchange *ex, int status)
{
	(void)ex;
	(void)status;
}

void upstream_detach(struct exchange *ex)
{
	if (ex->upstream != NULL)
		leg_end(ex->upstream);
}

static struct leg *pick(size_t number)
{
	struct list *at = stage.legs.next;

	if (stage.leg_count == 0)
		return NULL;
	for (number %= stage.leg_count; number > 0; number--)
		at = at->next;
	return LIST_ENTRY(at, struct leg, link);
}

/* ---- what happens ---- */

static void step_input(struct str_view bytes)
{
	if (stage.conn.peer_closed || !buf_add(&stage.in, bytes))
		return;
	stage.fresh = stage.fresh || bytes.len > 0;
	stage.conn.proto->input(&stage.conn);
}

static void step_end_of_input(struct str_view bytes)
{
	(void)bytes;
	stage.conn.peer_closed = true;
	stage.conn.proto->input(&stage.conn);
}

/* A head as a backend may write it; bytes[0] picks the leg. */
static void step_head(struct str_view bytes)
{
	const struct h1_limits limits = H1_LIMITS_DEFAULT;
	struct leg *leg = bytes.len == 0 ? NULL : pick((unsigned char)bytes.data[0]);
	struct exchange *ex = leg == NULL ? NULL : leg->ex;
	struct h1_head head;

	if (ex == NULL || leg->answered)
		return;
	h1_head_init(&head, &limits, &ex->arena);
	if (h1_head_response(&head, sv_skip(bytes, 1), ex->request.method_id, &ex->response) !=
		    H1_DONE ||
	    (ex->response.status == 101 && !ex->request.websocket)) {
		leg_end(leg);
		exchange_upstream_failed(ex, 502, "upstream_malformed", LEG_SEEN);
		return;
	}
	if (http_is_interim(ex->response.status)) {
		exchange_upstream_interim(ex, &ex->response);
		return;
	}
	leg->answered = true;
	exchange_upstream_head(ex);
}

static void step_content(struct str_view bytes)
{
	struct leg *leg = bytes.len == 0 ? NULL : pick((unsigned char)bytes.data[0]);

	if (leg == NULL || !leg->answered || leg->ex->response.framing == BODY_NONE)
		return;
	for (unsigned i = 0; leg->ex != NULL && i < (unsigned char)bytes.data[0] % 8u + 1; i++)
		(void)exchange_upstream_body(leg->ex, sv_skip(bytes, 1));
}

static void step_response_end(struct str_view bytes)
{
	struct leg *leg = pick(bytes.len == 0 ? 0 : (unsigned char)bytes.data[0]);
	struct exchange *ex = leg == NULL ? NULL : leg->ex;
	struct fields trailers;

	if (ex == NULL || !leg->answered)
		return;
	leg_end(leg);
	fields_init(&trailers, &ex->arena, 4);
	(void)fields_add(&trailers, SV("x-sum"), SV("1"));
	exchange_upstream_end(ex, bytes.len % 2 == 1 ? &trailers : NULL);
}

static void step_failure(struct str_view bytes)
{
	struct leg *leg = pick(bytes.len == 0 ? 0 : (unsigned char)bytes.data[0]);
	struct exchange *ex = leg == NULL ? NULL : leg->ex;
	enum leg_fate fate = LEG_SEEN;

	if (ex == NULL)
		return;
	/* "Unseen" would leave the content with the leg that is made up here. */
	if (leg->got == 0 && !leg->done && ex->request.framing == BODY_NONE)
		fate = (enum leg_fate)(bytes.len % (LEG_SEEN + 1));
	leg_end(leg);
	exchange_upstream_failed(ex, 502, "upstream_closed", fate);
}

static void step_room(struct str_view bytes)
{
	struct leg *leg = pick(bytes.len == 0 ? 0 : (unsigned char)bytes.data[0]);

	if (leg == NULL || !leg->full)
		return;
	leg->full = false;
	exchange_upstream_room(leg->ex);
}

static void step_drained(struct str_view bytes)
{
	stage.drains = bytes.len % 2 == 0;
}

static void step_timeout(struct str_view bytes)
{
	(void)bytes;
	stage.conn.proto->timeout(&stage.conn);
}

static void step_drain(struct str_view bytes)
{
	(void)bytes;
	if (stage.conn.draining)
		return;
	stage.conn.draining = true;
	stage.conn.proto->drain(&stage.conn);
}

static void step_turn(struct str_view bytes)
{
	(void)bytes;
	turn();
}

static void (*const steps[])(struct str_view bytes) = {
	step_input, step_turn,    step_head,    step_content, step_response_end, step_failure,
	step_room,  step_drained, step_timeout, step_drain,   step_input,        step_end_of_input,
};

/* ---- the stage ---- */

static struct vhost *make_vhost(struct graveyard *graveyard)
{
	static const struct sock_addr addr = {.len = 2};
	static const uint16_t codes[] = {500, 503};
	static const struct header_pair pairs[] = {{SV_INIT("x-set"), SV_INIT("1")}};
	static const struct str_view star = SV_INIT("*");
	struct backend like = {
		.name = SV("b"), .weight = 1, .endpoint_count = 1, .endpoints = &addr};
	struct backend *backend = backend_new(&like);
	struct mirror mirror = {.backend = backend};
	struct rule rules[] = {
		{.backends = &backend, .backend_count = 1},
		{.redirect = {.present = true, .status = 301}},
		{.backends = &backend,
		 .backend_count = 1,
		 .retry = {.present = true, .attempts = 2, .codes = codes, .code_count = 2}},
		{.backends = &backend, .backend_count = 1, .mirrors = &mirror, .mirror_count = 1},
		{.backends = &backend,
		 .backend_count = 1,
		 .response_headers = {.set = pairs, .set_count = 1},
		 .request_headers = {.set = pairs, .set_count = 1},
		 .rewrite = {.present = true, .path_change = PATH_REPLACE_PREFIX, .path = SV("/q")},
		 .cors = {.present = true, .origins = &star, .origin_count = 1}},
	};
	static const struct str_view paths[] = {SV_INIT("/"), SV_INIT("/d"), SV_INIT("/r"),
						SV_INIT("/m"), SV_INIT("/f")};
	struct match_spec matches[ARRAY_LEN(rules)];
	struct vhost *vhost;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		rules[i].name = paths[i];
		matches[i] = (struct match_spec){
			.path_type = MATCH_PREFIX, .path = paths[i], .rule = rule_new(&rules[i])};
	}
	vhost = vhost_new(matches, ARRAY_LEN(rules), NULL);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		part_unref(&matches[i].rule->part, graveyard);
	part_unref(&backend->part, graveyard);
	return vhost;
}

static struct snapshot *make_snapshot(struct graveyard *graveyard)
{
	struct vhost *vhost = make_vhost(graveyard);
	struct str_view any = SV("");
	struct snap_listener like = {
		.name = SV("l"), .vhost_count = 1, .vhost_hosts = &any, .vhosts = &vhost};
	struct snap_listener *listener = snap_listener_new(&like);
	struct snap_port port = {.port = 80, .listener_count = 1, .listeners = &listener};
	struct challenge token = {
		.host = SV("a.test"), .token = SV("t"), .key_authorization = SV("t.x")};
	struct snapshot *snapshot = snapshot_new(&(struct snapshot){
		.port_count = 1, .ports = &port, .challenge_count = 1, .challenges = &token});

	part_unref(vhost_part(vhost), graveyard);
	part_unref(&listener->part, graveyard);
	return snapshot;
}

const struct plane_limits plane_limits_small = {
	.request_line = 512,
	.head = 2048,
	.fields = 16,
	.h2_streams = 8,
	.buffer = 16384,
	.request_head_ms = 30000,
	.keepalive_idle_ms = 75000,
	.body_idle_ms = 60000,
	.upstream_response_ms = 60000,
	.tunnel_idle_ms = 3600000,
	.h2_window = 131072,
	.h2_conn_window = 1048576,
};

static void stage_open(const struct transport *proto, const struct snapshot *snapshot)
{
	memset(&stage, 0, sizeof(stage));
	stage.config.limits = plane_limits_small;
	stage.drains = true;
	stage.worker.config = &stage.config;
	stage.worker.snapshot = snapshot;
	stage.worker.loop = loop_new(NULL);
	stage.worker.access =
		access_new(stage.worker.loop, -1, false, &stage.worker.metrics.access_dropped);
	list_init(&stage.legs);
	task_init(&stage.idle, idle);
	stage.hook.turn_end = turn_end;
	loop_hook_add(stage.worker.loop, &stage.hook);
	buf_init(&stage.in, INPUT_MAX);
	stage.conn = (struct conn){.limits = &stage.config.limits,
				   .magic = CONN_MAGIC,
				   .state = CONN_SERVING,
				   .worker = &stage.worker,
				   .proto = proto};
	CHECK(sock_addr_ip(&stage.conn.peer, SV("192.0.2.1"), 1));
	proto->open(&stage.conn);
}

static void stage_close(void)
{
	stage.conn.state = CONN_CLOSED;
	stage.conn.proto->closed(&stage.conn);
	mirrors_stop(&stage.worker);
	turn();
	CHECK(stage.leg_count == 0 && stage.conn.codec == NULL);
	exchange_pool_deinit(&stage.worker.exchanges);
	access_free(stage.worker.access);
	loop_hook_remove(&stage.hook);
	task_cancel(&stage.idle);
	loop_free(stage.worker.loop);
	buf_deinit(&stage.in);
}

void session_run(const struct transport *proto, struct str_view preface, struct str_view script)
{
	struct graveyard graveyard = {.newest = 1};
	struct snapshot *snapshot = make_snapshot(&graveyard);

	stage_open(proto, snapshot);
	step_input(preface);
	while (script.len >= 2 && stage.conn.state == CONN_SERVING) {
		unsigned what = (unsigned char)script.data[0] % ARRAY_LEN(steps);
		size_t len = (unsigned char)script.data[1];
		struct str_view bytes = sv_head(sv_skip(script, 2), len);

		steps[what](bytes);
		script = sv_skip(sv_skip(script, 2), bytes.len);
	}
	turn();
	stage_close();
	snapshot_free(snapshot, &graveyard);
	CHECK(graveyard_sweep(&graveyard, UINT64_MAX) == 0);
}
