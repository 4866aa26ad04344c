#include "gwlab.h"

#include "../port.h"
#include "base/enc.h"
#include "base/own.h"
#include "codec/yaml.h"
#include "pki/x509.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 60000

/* Rows of controllers that these tests do without; the one of Orders counts. */
static size_t *woken_count;

static void nothing(struct controllers *ctl, struct str_view key)
{
	(void)ctl;
	(void)key;
}

static void count_woken(struct controllers *ctl, struct str_view key)
{
	(void)ctl;
	(void)key;
	if (woken_count != NULL)
		(*woken_count)++;
}

const struct ctl_row ctl_issuer = {.name = "issuer", .reconcile = nothing};
const struct ctl_row ctl_certificate = {.name = "certificate", .reconcile = nothing};
const struct ctl_row ctl_request = {.name = "request", .reconcile = nothing};
const struct ctl_row ctl_order = {.name = "order", .reconcile = count_woken};
const struct ctl_row ctl_dns01 = {.name = "dns01", .reconcile = nothing};

/* ---- an origin: answers each connection's requests with "origin PATH" ---- */

struct server {
	int fd;
	pthread_t thread;
};

static int listen_any(uint16_t *port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	return fd;
}

static bool read_head(int fd, char *out, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		ssize_t count = read(fd, out + len, size - 1 - len);

		if (count <= 0)
			return false;
		len += (size_t)count;
		out[len] = '\0';
		if (strstr(out, "\r\n\r\n") != NULL)
			return true;
	}
	return false;
}

static void answer(int fd)
{
	char head[8192], path[1024] = "";
	char *line;

	while (read_head(fd, head, sizeof(head))) {
		(void)sscanf(head, "%*s %1000s", path);
		line = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\norigin %s\n%s",
				 8 + strlen(path) + strlen(head), path, head);
		(void)!write(fd, line, strlen(line));
		free(line);
	}
	close(fd);
}

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0)
		answer(fd);
	return NULL;
}

static struct server *server_start(uint16_t *port)
{
	struct server *server = xcalloc(1, sizeof(*server));

	server->fd = listen_any(port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
	return server;
}

static void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	free(server);
}

/* ---- birth and death ---- */

static void acknowledged(void *arg, uint64_t generation)
{
	struct lab *lab = arg;

	if (lab->ctl != NULL)
		controllers_acknowledged(lab->ctl, generation);
}

void lab_start(struct lab *lab)
{
	struct err err = {0};
	struct plane_config plane = {.workers = 1,
				     .limits = plane_limits_default,
				     .access_fd = -1,
				     .acknowledged = acknowledged,
				     .arg = lab};
	struct address_rules_config rules = {.control_socket = "/run/sallyport/test.sock"};
	struct controllers_config config;

	*lab = (struct lab){.port = port_claim()};
	woken_count = &lab->woken;
	lab->server = server_start(&lab->origin);
	lab->loop = loop_new(&err);
	lab->store = store_open(lab->loop, &engine_mem, NULL, &err);
	lab->dns = dns_new(lab->loop, "127.0.0.1:9", &err);
	lab->rules = rules_new(&rules, &err);
	plane.loop = lab->loop;
	lab->plane = plane_start(&plane, &err);
	if (lab->plane == NULL || lab->dns == NULL)
		fail_msg("%s", err.msg);
	config = (struct controllers_config){.loop = lab->loop,
					     .store = lab->store,
					     .plane = lab->plane,
					     .dns = lab->dns,
					     .rules = lab->rules};
	lab->ctl = controllers_start(&config, &err);
	assert_non_null(lab->ctl);
	lab_settle(lab);
}

void lab_stop(struct lab *lab)
{
	controllers_free(lab->ctl);
	lab->ctl = NULL;
	plane_free(lab->plane);
	store_close(lab->store);
	dns_free(lab->dns);
	rules_free(lab->rules);
	loop_free(lab->loop);
	server_stop(lab->server);
	woken_count = NULL;
}

/* ---- running ---- */

struct limit {
	struct timer timer;
	struct loop *loop;
	bool passed;
};

static void limit_fire(struct timer *timer)
{
	struct limit *limit = CONTAINER_OF(timer, struct limit, timer);

	limit->passed = true;
	loop_stop(limit->loop);
}

static void run_for(struct lab *lab, int64_t ms)
{
	struct limit limit = {.loop = lab->loop};

	timer_init(&limit.timer, limit_fire);
	timer_in(lab->loop, &limit.timer, ms);
	(void)loop_run(lab->loop);
	timer_stop(lab->loop, &limit.timer);
}

void lab_until(struct lab *lab, bool (*holds)(struct lab *lab, const void *arg), const void *arg,
	       const char *what)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (!holds(lab, arg)) {
		if (clock_mono_ms() > end)
			fail_msg("waited in vain for %s", what);
		run_for(lab, 2);
	}
}

static void settled(void *arg)
{
	struct lab *lab = arg;

	loop_stop(lab->loop);
}

static bool rests(struct lab *lab, const void *arg)
{
	(void)arg;
	return store_pending(lab->store) == 0 && queue_idle(lab->ctl->queue) &&
	       lab->ctl->changes_pending == 0;
}

void lab_settle(struct lab *lab)
{
	do { /* once more when its 200 ms were too short for the workers */
		lab_until(lab, rests, NULL, "the controllers to settle");
		controllers_settle(lab->ctl, store_revision(lab->store), settled, lab);
		(void)loop_run(lab->loop);
	} while (!rests(lab, NULL));
}

/* ---- objects ---- */

static char *filled_in(const struct lab *lab, const char *yaml)
{
	struct buf out;

	buf_init(&out, 1 << 24);
	for (const char *at = yaml; *at != '\0'; at++) {
		if (strncmp(at, "%P%", 3) == 0 || strncmp(at, "%Q%", 3) == 0) {
			buf_addf(&out, "%u", at[1] == 'P' ? lab->port : lab->origin);
			at += 2;
		} else {
			buf_addc(&out, *at);
		}
	}
	return buf_detach(&out);
}

static void wrote(void *arg, const struct object *object, const struct err *err)
{
	(void)object;
	(void)arg;
	if (err->code != ERR_NONE)
		fail_msg("not stored: %s", err->msg);
}

static void apply_one(struct lab *lab, const json_t *doc)
{
	struct admission how = {
		.kind = kind_by_gvk(json_sv_at(doc, "apiVersion"), json_sv_at(doc, "kind")),
		.now = clock_wall()};
	AUTO(auto_json) json_t *warnings = json_array();
	AUTO(auto_json) json_t *made = NULL;
	const struct object *old;
	struct causes causes;
	struct err err = {0};
	const char *ns = json_str_at(doc, "metadata.namespace");

	assert_non_null(how.kind);
	AUTO(auto_free)
	char *key = kind_key(how.kind, how.kind->namespaced ? (ns ? ns : "default") : "",
			     json_str_at(doc, "metadata.name"));

	old = store_get(lab->store, sv_from(key));
	how.old = old == NULL ? NULL : old->json;
	causes_init(&causes);
	made = kind_admit(&how, doc, warnings, &causes, &err);
	causes_deinit(&causes);
	if (made == NULL)
		fail_msg("%s: %s", key, err.msg);
	store_put(lab->store, sv_from(key), made, old == NULL ? 0 : old->revision, wrote, lab);
}

void lab_apply(struct lab *lab, const char *yaml)
{
	AUTO(auto_free) char *text = filled_in(lab, yaml);
	struct err err = {0};
	AUTO(auto_json) json_t *docs = yaml_parse(sv_from(text), &err);
	json_t *doc;
	size_t i;

	if (docs == NULL)
		fail_msg("%s", err.msg);
	json_array_foreach(docs, i, doc) apply_one(lab, doc);
	lab_settle(lab);
}

void lab_delete(struct lab *lab, const char *key)
{
	store_delete(lab->store, sv_from(key), 0, wrote, lab);
	lab_settle(lab);
}

const json_t *lab_object(struct lab *lab, const char *key)
{
	const struct object *object = store_get(lab->store, sv_from(key));

	if (object == NULL)
		fail_msg("%s does not exist", key);
	return object->json;
}

/* ---- conditions ---- */

static const json_t *condition_of(struct lab *lab, const char *key, const char *path,
				  const char *type)
{
	return condition_find(json_at(lab_object(lab, key), path), type);
}

const char *lab_condition(struct lab *lab, const char *key, const char *path, const char *type)
{
	static char text[256];
	const json_t *condition = condition_of(lab, key, path, type);

	if (condition == NULL)
		return "none";
	bool is_old = json_int_at(condition, "observedGeneration", 0) !=
		      json_int_at(lab_object(lab, key), "metadata.generation", 0);

	snprintf(text, sizeof(text), "%s/%s%s", json_str_at(condition, "status"),
		 json_str_at(condition, "reason"), is_old ? " of an old generation" : "");
	return text;
}

struct expected {
	const char *key, *path, *type, *want;
};

static bool has_condition(struct lab *lab, const void *arg)
{
	const struct expected *expected = arg;

	return strcmp(lab_condition(lab, expected->key, expected->path, expected->type),
		      expected->want) == 0;
}

void lab_expect(struct lab *lab, const char *key, const char *path, const char *type,
		const char *want)
{
	struct expected expected = {key, path, type, want};

	if (!has_condition(lab, &expected)) {
		AUTO(auto_free) char *text = json_text(json_at(lab_object(lab, key), "status"));

		fail_msg("%s %s %s is %s, not %s: %s", key, path, type,
			 lab_condition(lab, key, path, type), want, text);
	}
}

void lab_expect_words(struct lab *lab, const char *key, const char *path, const char *type,
		      const char *words)
{
	const char *message = json_str_at(condition_of(lab, key, path, type), "message");

	if (message == NULL || strstr(message, words) == NULL)
		fail_msg("%s %s %s says: %s", key, path, type, message);
}

/* ---- requests ---- */

/* -1: nobody listens. */
static int client_connect(const struct lab *lab)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(lab->port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

char *lab_get(const struct lab *lab, const char *host, const char *path)
{
	AUTO(auto_close) int fd = client_connect(lab);
	AUTO(auto_free)
	char *request =
		xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
	struct buf out;
	ssize_t count;

	if (fd < 0)
		return NULL;
	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	buf_init(&out, 1 << 20);
	while ((count = read(fd, buf_room(&out, 4096), 4096)) > 0)
		buf_wrote(&out, (size_t)count);
	return buf_detach(&out);
}

void lab_expect_get(const struct lab *lab, const char *host, const char *path, int status,
		    const char *words)
{
	AUTO(auto_free) char *got = lab_get(lab, host, path);
	int is = 0;

	if (got != NULL)
		(void)sscanf(got, "HTTP/1.1 %d", &is);
	if (is != status || (words != NULL && strstr(got, words) == NULL))
		fail_msg("GET %s%s: wanted %d %s, got: %s", host, path, status,
			 words == NULL ? "" : words, got == NULL ? "no connection" : got);
}

/* ---- certificates ---- */

static char *serial_of(SSL *ssl)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	struct cert_info info;
	struct err err = {0};
	char *serial;

	if (cert_info_read(cert, &info, &err) < 0)
		fail_msg("%s", err.msg);
	serial = xstrdup(info.serial);
	cert_info_deinit(&info);
	X509_free(cert);
	return serial;
}

char *lab_handshake(const struct lab *lab, const char *name)
{
	AUTO(auto_close) int fd = client_connect(lab);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	char *serial = NULL;

	assert_true(fd >= 0);
	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_host_name(ssl, name);
	if (SSL_connect(ssl) == 1)
		serial = serial_of(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return serial;
}

static char *base64_of(struct str_view bytes)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_true(enc_base64(&out, bytes));
	return buf_detach(&out);
}

char *lab_secret(const char *ns, const char *name, const char *host)
{
	struct str_view dns = sv_from(host);
	struct cert_names names = {.dns = &dns, .dns_count = 1};
	struct x509_sign_how how = {.not_before = clock_wall() - 60,
				    .not_after = clock_wall() + 86400,
				    .usages.purposes = X509_USAGE_SERVER};
	struct err err = {0};
	struct cert_chain chain = {.count = 1};
	struct buf csr, crt, key_text;
	EVP_PKEY *key = key_make(KEY_ECDSA_P256, &err);
	char *text, *crt64, *key64;

	buf_init(&csr, 1 << 16);
	buf_init(&crt, 1 << 16);
	buf_init(&key_text, 1 << 16);
	how.issuer_key = key;
	assert_int_equal(csr_make(key, &names, &csr, &err), 0);
	chain.certs[0] = cert_sign(buf_view(&csr), &how, &err);
	assert_non_null(chain.certs[0]);
	assert_int_equal(chain_to_pem(&chain, &crt, &err), 0);
	assert_int_equal(key_to_pem(key, KEY_PKCS8, &key_text, &err), 0);
	crt64 = base64_of(buf_view(&crt));
	key64 = base64_of(buf_view(&key_text));
	text = xasprintf("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\n"
			 "metadata: {name: %s, namespace: %s}\n"
			 "data: {tls.crt: %s, tls.key: %s}\n",
			 name, ns, crt64, key64);
	free(crt64);
	free(key64);
	buf_deinit(&csr);
	buf_deinit(&crt);
	buf_deinit(&key_text);
	chain_deinit(&chain);
	EVP_PKEY_free(key);
	return text;
}
