/* What a backend may say over HTTP/2, and clients meanwhile: the leg to it is the real one, over a
 * socket pair; requests and frames are the input.
 *
 * Checked: a response ends only when all of its length was there and never has more, nothing comes
 * behind its end, and at the end nothing is left: no pin, no stream, no connection.
 *
 * Input: steps, each an octet that says what happens, an octet of length, and that many octets.
 */
#include "fuzz.h"

#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/tls.h"
#include "dataplane/upstream_priv.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define CLIENTS_MAX 32
#define CONNS_MAX   4
#define STEPS_MAX   400
#define FRAME_HEAD  9

struct client {
	struct exchange *ex; /* NULL: the place is free */
	uint64_t got, sent;
	bool headed, over, waits;
};

struct later {
	void (*release)(void *object);
	void *object;
};

static struct stage {
	struct worker worker;
	struct plane_config config;
	struct loop_hook hook;
	struct task idle;
	struct rule *rule;
	struct endpoint *endpoint;
	struct client clients[CLIENTS_MAX];
	int fd; /* the backend's end of the newest connection; -1: ended */
	unsigned conns;
	bool deaf;  /* the backend reads nothing */
	bool stops; /* clients take nothing until it is cleared */
	struct later later[8192];
	size_t later_count;
} stage;

/* ---- what the room would find in a worker ---- */

void worker_free_later(struct worker *worker, void (*release)(void *object), void *object)
{
	(void)worker;
	CHECK(stage.later_count < ARRAY_LEN(stage.later));
	stage.later[stage.later_count++] = (struct later){.release = release, .object = object};
}

char *worker_buffer_take(struct worker *worker)
{
	(void)worker;
	return xmalloc(WORKER_BUFFER_SIZE);
}

void worker_buffer_give(struct worker *worker, char *buffer)
{
	(void)worker;
	free(buffer);
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
	return NULL;
}

struct cert_cache *tls_server_certs(const struct tls_server *server)
{
	(void)server;
	return NULL;
}

static bool may_not_dial(const void *arg, const struct sock_addr *addr)
{
	(void)arg;
	(void)addr;
	return false;
}

/* ---- one turn of the loop ---- */

static void drain_backend(void)
{
	char block[16384];

	if (stage.fd < 0 || stage.deaf)
		return;
	while (recv(stage.fd, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
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

static void turn(void)
{
	task_defer(stage.worker.loop, &stage.idle);
	CHECK(loop_run(stage.worker.loop) == 0);
	drain_backend();
}

/* ---- clients ---- */

static struct client *client_of(const struct exchange *ex)
{
	struct client *client = ex->stream;

	CHECK(client->ex == ex && !client->over);
	return client;
}

static void respond(struct exchange *ex)
{
	struct client *client = client_of(ex);

	CHECK(!client->headed && ex->response.status >= 200 && ex->response.status <= 599);
	client->headed = true;
}

static void inform(struct exchange *ex, const struct http_response *interim)
{
	CHECK(!client_of(ex)->headed && http_is_interim(interim->status));
}

static bool body(struct exchange *ex, struct str_view bytes)
{
	struct client *client = client_of(ex);

	CHECK(client->headed);
	client->got += bytes.len;
	if (ex->response.framing == BODY_LENGTH)
		CHECK(client->got <= ex->response.length);
	return !stage.stops;
}

static void finish(struct exchange *ex, const struct fields *trailers)
{
	struct client *client = client_of(ex);

	(void)trailers;
	CHECK(client->headed);
	if (ex->response.framing == BODY_LENGTH)
		CHECK(client->got == ex->response.length);
	client->over = true;
}

static void aborted(struct exchange *ex)
{
	client_of(ex)->over = true;
}

static void request_resume(struct exchange *ex)
{
	client_of(ex)->waits = false;
}

static void tunnel(struct exchange *ex)
{
	(void)ex;
	abort(); /* nobody asked for one */
}

static const struct transport client_transport = {
	.name = "fuzz",
	.respond = respond,
	.inform = inform,
	.body = body,
	.finish = finish,
	.abort = aborted,
	.request_resume = request_resume,
	.tunnel = tunnel,
};

static struct client *pick(struct str_view bytes)
{
	size_t number = bytes.len == 0 ? 0 : (unsigned char)bytes.data[0];
	struct client *client = &stage.clients[number % CLIENTS_MAX];

	return client->ex == NULL ? NULL : client;
}

/* ---- what happens ---- */

static void put(struct str_view bytes)
{
	if (stage.fd >= 0)
		(void)send(stage.fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void step_bytes(struct str_view bytes)
{
	put(bytes);
}

/* Type, flags, stream, then its payload, which is as long as its head says. */
static void step_frame(struct str_view bytes)
{
	char head[FRAME_HEAD] = {0};
	struct str_view payload = sv_skip(bytes, 3);

	if (bytes.len < 3)
		return;
	head[1] = (char)(payload.len >> 8);
	head[2] = (char)(payload.len & 0xff);
	head[3] = bytes.data[0];
	head[4] = bytes.data[1];
	head[8] = bytes.data[2];
	put(sv_new(head, sizeof(head)));
	put(payload);
}

static void fill_request(struct exchange *ex, unsigned kind)
{
	static const struct {
		enum http_method id;
		struct str_view name;
		enum body_framing framing;
	} kinds[] = {
		{METHOD_GET, SV_INIT("GET"), BODY_NONE},
		{METHOD_HEAD, SV_INIT("HEAD"), BODY_NONE},
		{METHOD_POST, SV_INIT("POST"), BODY_NONE},
		{METHOD_POST, SV_INIT("POST"), BODY_LENGTH},
		{METHOD_PUT, SV_INIT("PUT"), BODY_CHUNKED},
	};
	struct http_request *request = &ex->request;

	kind %= ARRAY_LEN(kinds);
	fields_init(&request->fields, &ex->arena, stage.config.limits.fields);
	(void)fields_add(&request->fields, SV("x-one"), SV("1"));
	request->method_id = kinds[kind].id;
	request->method = kinds[kind].name;
	request->major = request->minor = 1;
	request->authority.host = SV("a.test");
	request->target.path = SV("/");
	request->framing = kinds[kind].framing;
	request->length = 100000;
	ex->request_ended = request->framing == BODY_NONE;
}

static void step_request(struct str_view bytes)
{
	struct exchange of = {.rule = stage.rule};

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = &stage.clients[i];

		if (client->ex != NULL)
			continue;
		*client = (struct client){0};
		client->ex = exchange_copy_new(&stage.worker, &client_transport, client);
		fill_request(client->ex, bytes.len == 0 ? 0 : (unsigned char)bytes.data[0]);
		exchange_copy_start(client->ex, &of, stage.rule->backends[0]);
		return;
	}
}

static void step_content(struct str_view bytes)
{
	static const char block[4096];
	struct client *client = pick(bytes);
	size_t times = bytes.len < 2 ? 1 : (unsigned char)bytes.data[1];

	for (; client != NULL && times > 0; times--) {
		const struct http_request *request = &client->ex->request;
		size_t len = sizeof(block);

		if (client->ex->request_ended || client->over || client->waits)
			return;
		if (request->framing == BODY_LENGTH && len > request->length - client->sent)
			len = (size_t)(request->length - client->sent);
		if (len == 0)
			return;
		client->sent += len;
		client->waits = !exchange_request_body(client->ex, sv_new(block, len));
	}
}

static void step_request_end(struct str_view bytes)
{
	struct client *client = pick(bytes);

	if (client == NULL || client->ex->request_ended || client->over)
		return;
	if (client->ex->request.framing != BODY_LENGTH ||
	    client->sent == client->ex->request.length)
		exchange_request_end(client->ex, NULL);
}

static void resume_all(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (stage.clients[i].ex != NULL && !stage.clients[i].over)
			exchange_response_resume(stage.clients[i].ex);
	}
}

static void step_stop(struct str_view bytes)
{
	stage.stops = bytes.len % 2 == 1;
	if (!stage.stops)
		resume_all();
}

static void client_close(struct client *client)
{
	exchange_close(client->ex);
	client->ex = NULL;
}

static void step_close(struct str_view bytes)
{
	struct client *client = pick(bytes);

	if (client != NULL)
		client_close(client);
}

static void step_turn(struct str_view bytes)
{
	(void)bytes;
	turn();
}

static void step_deaf(struct str_view bytes)
{
	stage.deaf = bytes.len % 2 == 1;
	drain_backend();
}

static void backend_close(void)
{
	if (stage.fd >= 0)
		close(stage.fd);
	stage.fd = -1;
}

static void step_backend_ends(struct str_view bytes)
{
	if (stage.fd >= 0 && bytes.len % 2 == 0)
		shutdown(stage.fd, SHUT_WR);
	else
		backend_close();
}

static void step_connect(struct str_view bytes)
{
	static const char settings[FRAME_HEAD] = {[3] = 4};
	int fds[2];

	if (stage.conns == CONNS_MAX)
		return;
	stage.conns++;
	backend_close();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	stage.fd = fds[1];
	(void)up_h2_new(stage.worker.upstreams, stage.endpoint, fds[0], NULL);
	if (bytes.len % 2 == 0)
		put(sv_new(settings, sizeof(settings)));
}

static void (*const steps[])(struct str_view bytes) = {
	step_bytes,       step_frame, step_request,      step_turn,    step_content, step_frame,
	step_request_end, step_stop,  step_turn,         step_close,   step_frame,   step_deaf,
	step_turn,        step_frame, step_backend_ends, step_connect,
};

/* ---- the stage ---- */

static struct rule *make_rule(struct graveyard *graveyard)
{
	struct sock_addr addr;
	struct backend *backend;
	struct rule *rule;

	CHECK(sock_addr_ip(&addr, SV("127.0.0.1"), 1));
	backend = backend_new(&(struct backend){.name = SV("b"),
						.weight = 1,
						.protocol = BACKEND_H2C,
						.endpoint_count = 1,
						.endpoints = &addr});
	rule = rule_new(&(struct rule){.name = SV("r"), .backends = &backend, .backend_count = 1});
	part_unref(&backend->part, graveyard);
	return rule;
}

static void stage_open(struct graveyard *graveyard)
{
	struct pool_wish wish = {.way = WAY_H2};

	memset(&stage, 0, sizeof(stage));
	stage.fd = -1;
	stage.config.may_dial = may_not_dial;
	stage.config.limits = (struct plane_limits){.head = 2048,
						    .fields = 16,
						    .buffer = 16384,
						    .upstream_idle = 4,
						    .body_idle_ms = 60000,
						    .upstream_connect_ms = 5000,
						    .upstream_response_ms = 60000,
						    .upstream_idle_ms = 50000,
						    .tunnel_idle_ms = 3600000};
	stage.worker.config = &stage.config;
	stage.worker.loop = loop_new(NULL);
	stage.worker.upstreams = upstreams_new(&stage.worker);
	stage.rule = make_rule(graveyard);
	wish.now = loop_now(stage.worker.loop);
	stage.endpoint =
		pool_choose(upstreams_pool(stage.worker.upstreams), stage.rule->backends[0], &wish);
	task_init(&stage.idle, idle);
	stage.hook.turn_end = turn_end;
	loop_hook_add(stage.worker.loop, &stage.hook);
	step_connect(SV(""));
}

static void stage_close(struct graveyard *graveyard)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (stage.clients[i].ex != NULL)
			client_close(&stage.clients[i]);
	}
	turn();
	CHECK(stage.endpoint->active == 0);
	upstreams_free(stage.worker.upstreams);
	turn();
	backend_close();
	exchange_pool_deinit(&stage.worker.exchanges);
	loop_hook_remove(&stage.hook);
	task_cancel(&stage.idle);
	loop_free(stage.worker.loop);
	part_unref(&stage.rule->part, graveyard);
	CHECK(graveyard_sweep(graveyard, UINT64_MAX) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view script = sv_new((const char *)data, size);
	struct graveyard graveyard = {.newest = 1};

	stage_open(&graveyard);
	for (unsigned i = 0; i < STEPS_MAX && script.len >= 2; i++) {
		unsigned what = (unsigned char)script.data[0] % ARRAY_LEN(steps);
		struct str_view bytes = sv_head(sv_skip(script, 2), (unsigned char)script.data[1]);

		steps[what](bytes);
		script = sv_skip(sv_skip(script, 2), bytes.len);
	}
	turn();
	stage_close(&graveyard);
	return 0;
}
