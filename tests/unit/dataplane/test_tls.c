/* TLS of a real worker: who is served with what, tickets, certificates that change, memory. */
#include "rig.h"

#include "dataplane/binding.h"
#include "dataplane/tls_cert.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct client {
	int fd;
	SSL_CTX *ctx; /* borrowed */
	SSL *ssl;
};

struct hello {
	const char *name; /* SNI; NULL: none */
	const char *alpn; /* wire form; NULL: none */
	int version;      /* 0: any */
	SSL_SESSION *session;
};

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_security_level(ctx, 0);
	return ctx;
}

/* Returns SSL_connect's result; the client is to be closed in any case. */
static int client_open(struct client *client, SSL_CTX *ctx, const struct binding *binding,
		       struct hello hello)
{
	*client = (struct client){.fd = rig_connect(binding), .ctx = ctx, .ssl = SSL_new(ctx)};
	if (hello.name != NULL)
		SSL_set_tlsext_host_name(client->ssl, hello.name);
	if (hello.alpn != NULL)
		SSL_set_alpn_protos(client->ssl, (const unsigned char *)hello.alpn,
				    (unsigned)strlen(hello.alpn));
	if (hello.version != 0) {
		SSL_set_min_proto_version(client->ssl, hello.version);
		SSL_set_max_proto_version(client->ssl, hello.version);
	}
	if (hello.session != NULL)
		SSL_set_session(client->ssl, hello.session);
	SSL_set_fd(client->ssl, client->fd);
	ERR_clear_error();
	return SSL_connect(client->ssl);
}

static void client_close(struct client *client)
{
	SSL_free(client->ssl);
	close(client->fd);
}

static void tls_send(struct client *client, const char *text)
{
	assert_int_equal(SSL_write(client->ssl, text, (int)strlen(text)), strlen(text));
}

static void tls_expect(struct client *client, const char *text)
{
	char got[512] = "";
	int len = 0, want = (int)strlen(text);

	while (len < want) {
		int part = SSL_read(client->ssl, got + len, want - len);

		if (part <= 0)
			fail_msg("got '%s', then error %d, instead of '%s'", got,
				 SSL_get_error(client->ssl, part), text);
		len += part;
	}
	assert_string_equal(got, text);
}

static void tls_expect_bytes(struct client *client, size_t len)
{
	char block[65536];

	while (len > 0) {
		int part = SSL_read(client->ssl, block,
				    len < sizeof(block) ? (int)len : (int)sizeof(block));

		if (part <= 0)
			fail_msg("%zu bytes missing, error %d", len,
				 SSL_get_error(client->ssl, part));
		len -= (size_t)part;
	}
}

/* close_notify, then FIN. */
static void tls_expect_end(struct client *client)
{
	char byte;
	int got = SSL_read(client->ssl, &byte, 1);

	assert_int_equal(got, 0);
	assert_int_equal(SSL_get_error(client->ssl, got), SSL_ERROR_ZERO_RETURN);
	expect_end(client->fd);
}

static void served_name(struct client *client, char name[100])
{
	X509 *x509 = SSL_get1_peer_certificate(client->ssl);

	assert_non_null(x509);
	X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, 100);
	X509_free(x509);
}

static void drop_cert(struct rig *rig, struct cert *cert)
{
	part_unref(&cert->part, plane_graveyard(rig->plane));
}

/* One TLS port; hostname and certificate of one listener. */
static struct binding *start_tls(struct rig *rig, const char *hostname)
{
	struct cert *cert;
	struct rig_port port = {.tls = true, .listener_count = 1};
	struct binding *binding;

	rig_start(rig, 1, NULL, -1);
	cert = rig_cert(hostname[0] == '\0' ? "any.example" : hostname);
	port.listeners[0] = (struct rig_listener){.hostname = hostname, .cert = cert};
	binding = rig_serve(rig, port);
	drop_cert(rig, cert);
	return binding;
}

static void test_hello(void **state)
{
	static const struct {
		const char *title;
		struct hello hello;
		const char *served; /* NULL: refused with alert */
		int alert;
		const char *info;
	} cases[] = {
		{"first name", {.name = "a.example"}, "a.example", 0, "one sni=a.example\n"},
		{"second name", {.name = "b.example"}, "b.example", 0, "one sni=b.example\n"},
		{"case does not matter",
		 {.name = "B.Example"},
		 "b.example",
		 0,
		 "one sni=b.example\n"},
		{"unknown name", {.name = "c.example"}, NULL, SSL_AD_UNRECOGNIZED_NAME, NULL},
		{"listener without certificate",
		 {.name = "none.example"},
		 NULL,
		 SSL_AD_UNRECOGNIZED_NAME,
		 NULL},
		{"an address, two certificates",
		 {.name = "127.0.0.1"},
		 NULL,
		 SSL_AD_HANDSHAKE_FAILURE,
		 NULL},
		{"no name, two certificates", {0}, NULL, SSL_AD_HANDSHAKE_FAILURE, NULL},
		{"h2",
		 {.name = "a.example", .alpn = "\x2h2\x8http/1.1"},
		 "a.example",
		 0,
		 "two sni=a.example\n"},
		{"ours is the order",
		 {.name = "a.example", .alpn = "\x8http/1.1\x2h2"},
		 "a.example",
		 0,
		 "two sni=a.example\n"},
		{"http/1.1 only",
		 {.name = "a.example", .alpn = "\x8http/1.1"},
		 "a.example",
		 0,
		 "one sni=a.example\n"},
		{"others only",
		 {.name = "a.example", .alpn = "\x6spdy/3"},
		 NULL,
		 SSL_AD_NO_APPLICATION_PROTOCOL,
		 NULL},
		{"TLS 1.3",
		 {.name = "a.example", .version = TLS1_3_VERSION},
		 "a.example",
		 0,
		 "one sni=a.example\n"},
		{"TLS 1.2",
		 {.name = "a.example", .version = TLS1_2_VERSION},
		 "a.example",
		 0,
		 "one sni=a.example\n"},
		{"TLS 1.1",
		 {.name = "a.example", .version = TLS1_1_VERSION},
		 NULL,
		 SSL_AD_PROTOCOL_VERSION,
		 NULL},
	};
	struct rig rig;
	struct rig_port port = {.tls = true, .listener_count = 3};
	struct cert *a = rig_cert("a.example"), *b = rig_cert("b.example");
	struct binding *binding;
	SSL_CTX *ctx = client_ctx();
	uint64_t failures = 0;

	(void)state;
	rig_start(&rig, 1, NULL, -1);
	port.listeners[0] = (struct rig_listener){.hostname = "a.example", .cert = a};
	port.listeners[1] = (struct rig_listener){.hostname = "b.example", .cert = b};
	port.listeners[2] = (struct rig_listener){.hostname = "none.example"};
	binding = rig_serve(&rig, port);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client client;
		int done = client_open(&client, ctx, binding, cases[i].hello);
		char name[100] = "";

		if ((done == 1) != (cases[i].served != NULL))
			fail_msg("%s: handshake %s", cases[i].title,
				 done == 1 ? "done" : "refused");
		if (done == 1) {
			served_name(&client, name);
			assert_string_equal(name, cases[i].served);
			tls_send(&client, "info\n");
			tls_expect(&client, cases[i].info);
		} else if (ERR_GET_REASON(ERR_peek_error()) !=
			   SSL_AD_REASON_OFFSET + cases[i].alert) {
			fail_msg("%s: %s", cases[i].title,
				 ERR_reason_error_string(ERR_peek_error()));
		} else {
			failures++;
		}
		client_close(&client);
	}
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	assert_int_equal(rig_metric(&rig, "sallyport_tls_handshake_failures_total"), failures);
	drop_cert(&rig, a);
	drop_cert(&rig, b);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* Without a name, or with an address as one: the only certificate, if there is just one. */
static void test_no_name(void **state)
{
	static const char *const names[] = {NULL, "127.0.0.1", "::1"};
	struct rig rig;
	struct binding *binding = start_tls(&rig, "a.example");
	SSL_CTX *ctx = client_ctx();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct client client;

		assert_int_equal(
			client_open(&client, ctx, binding, (struct hello){.name = names[i]}), 1);
		tls_send(&client, "info\n");
		tls_expect(&client, "one sni=\n");
		client_close(&client);
	}
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

static void test_ciphers(void **state)
{
	static const struct {
		const char *cipher;
		bool served;
	} cases[] = {
		{"ECDHE-ECDSA-AES128-GCM-SHA256", true}, {"ECDHE-ECDSA-AES256-GCM-SHA384", true},
		{"ECDHE-ECDSA-CHACHA20-POLY1305", true}, {"ECDHE-ECDSA-AES128-SHA256", false},
		{"ECDHE-ECDSA-AES128-SHA", false},       {"AES128-GCM-SHA256", false},
	};
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client client;

		assert_int_equal(SSL_CTX_set_cipher_list(ctx, cases[i].cipher), 1);
		if ((client_open(&client, ctx, binding,
				 (struct hello){.version = TLS1_2_VERSION}) == 1) !=
		    cases[i].served)
			fail_msg("%s", cases[i].cipher);
		client_close(&client);
	}
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* A ClientHello and what follows, one byte in each segment. */
static void test_byte_by_byte(void **state)
{
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();
	SSL *ssl = SSL_new(ctx);
	BIO *to_us = BIO_new(BIO_s_mem()), *from_us = BIO_new(BIO_s_mem());
	int fd = rig_connect(binding), on = 1;
	char got[16] = "";
	bool sent = false;

	(void)state;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	SSL_set_bio(ssl, to_us, from_us);
	SSL_set_connect_state(ssl);
	while (SSL_read(ssl, got, sizeof(got) - 1) <= 0) {
		char byte;

		if (SSL_is_init_finished(ssl) && !sent) {
			SSL_write(ssl, "echo slow\n", 10);
			sent = true;
		}
		while (BIO_read(from_us, &byte, 1) == 1)
			assert_int_equal(send(fd, &byte, 1, MSG_NOSIGNAL), 1);
		if (BIO_pending(to_us) == 0 && recv(fd, &byte, 1, 0) == 1)
			BIO_write(to_us, &byte, 1);
	}
	assert_string_equal(got, "slow\n");
	SSL_free(ssl);
	close(fd);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

static void test_not_tls(void **state)
{
	static const char *const junk[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"\x16\x03\x01\xff\xff................",
		"",
	};
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");

	(void)state;
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		int fd = rig_connect(binding);
		char got[64];
		ssize_t len;

		send_text(fd, junk[i]);
		shutdown(fd, SHUT_WR);
		do
			len = recv(fd, got, sizeof(got), 0);
		while (len > 0); /* at most an alert */
		close(fd);
	}
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	assert_int_equal(rig_metric(&rig, "sallyport_tls_handshakes_total"), 0);
	rig_stop(&rig);
}

static void test_end(void **state)
{
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();
	struct client client;

	(void)state;
	assert_int_equal(client_open(&client, ctx, binding, (struct hello){0}), 1);
	tls_send(&client, "echo x\nclose\nmore that nobody reads\n");
	tls_expect(&client, "x\nbye\n");
	tls_expect_end(&client);
	client_close(&client);
	assert_int_equal(client_open(&client, ctx, binding, (struct hello){0}), 1);
	tls_send(&client, "echo y\nbig 500000\n");
	SSL_shutdown(client.ssl); /* half-close: our answer still comes */
	tls_expect(&client, "y\n");
	tls_expect_bytes(&client, 500000);
	tls_expect_end(&client);
	client_close(&client);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* Bad bytes after the handshake: an alert, and the connection ends. */
static void test_broken_record(void **state)
{
	static const char junk[] = "\x17\x03\x03\x00\x20................................";
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();
	struct client client;
	char byte;

	(void)state;
	assert_int_equal(client_open(&client, ctx, binding, (struct hello){0}), 1);
	tls_send(&client, "echo x\n");
	tls_expect(&client, "x\n");
	assert_int_equal(send(client.fd, junk, sizeof(junk) - 1, 0), sizeof(junk) - 1);
	assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
	client_close(&client);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

static void test_volume(void **state)
{
	enum { SIZE = 20000000 };
	static const char block[16000];
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();
	struct client client;

	(void)state;
	assert_int_equal(client_open(&client, ctx, binding, (struct hello){0}), 1);
	tls_send(&client, "big 20000000\n");
	tls_expect_bytes(&client, SIZE);
	assert_true(rig_most_pending() < plane_limits_default.buffer + 65536);
	tls_send(&client, "sink 20000000\n");
	for (size_t i = 0; i < SIZE / sizeof(block); i++)
		assert_int_equal(SSL_write(client.ssl, block, sizeof(block)), sizeof(block));
	tls_expect(&client, "sunk\n");
	client_close(&client);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* ---- tickets ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	SSL_SESSION_free(*kept);
	*kept = session;
	return 1;
}

/* Connects with *session, which becomes the newest ticket; true: it was resumed. */
static bool resume(SSL_CTX *ctx, const struct binding *binding, const char *name, int version,
		   SSL_SESSION **session)
{
	struct client client;
	bool resumed;
	SSL_SESSION *given = *session;

	if (given != NULL)
		SSL_SESSION_up_ref(given);
	client = (struct client){.fd = rig_connect(binding), .ctx = ctx, .ssl = SSL_new(ctx)};
	SSL_set_app_data(client.ssl, session);
	SSL_set_tlsext_host_name(client.ssl, name);
	SSL_set_min_proto_version(client.ssl, version);
	SSL_set_max_proto_version(client.ssl, version);
	if (given != NULL)
		SSL_set_session(client.ssl, given);
	SSL_SESSION_free(given);
	SSL_set_fd(client.ssl, client.fd);
	assert_int_equal(SSL_connect(client.ssl), 1);
	tls_send(&client, "echo x\n"); /* TLS 1.3 tickets come with the first answer */
	tls_expect(&client, "x\n");
	resumed = SSL_session_reused(client.ssl);
	if (version == TLS1_2_VERSION) /* the callback is not called for renewed tickets */
		keep_session(client.ssl, SSL_get1_session(client.ssl));
	SSL_set_shutdown(client.ssl, SSL_SENT_SHUTDOWN); /* else OpenSSL spoils the session */
	client_close(&client);
	return resumed;
}

static void try_tickets(int version)
{
	struct rig rig;
	struct rig_port port = {.tls = true, .listener_count = 2};
	struct cert *a = rig_cert("a.example"), *b = rig_cert("b.example");
	SSL_CTX *ctx = client_ctx();
	SSL_SESSION *session = NULL, *old;

	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	rig_start(&rig, 2, NULL, -1);
	port.binding = rig_bind(&rig, 0);
	port.listeners[0] = (struct rig_listener){.hostname = "a.example", .cert = a};
	port.listeners[1] = (struct rig_listener){.hostname = "b.example", .cert = b};
	rig_publish(&rig, &port, 1, "1");
	assert_false(resume(ctx, port.binding, "a.example", version, &session));
	assert_non_null(session);
	for (int i = 0; i < 4; i++) /* on whichever worker */
		assert_true(resume(ctx, port.binding, "a.example", version, &session));
	old = session;
	SSL_SESSION_up_ref(old);
	assert_false(resume(ctx, port.binding, "b.example", version, &session));
	SSL_SESSION_free(session);
	session = old; /* of a.example, sealed with key 1 */
	rig_publish(&rig, &port, 1, "21");
	assert_true(resume(ctx, port.binding, "a.example", version, &session));
	rig_publish(&rig, &port, 1, "32"); /* the new ticket was sealed with key 2 */
	assert_true(resume(ctx, port.binding, "a.example", version, &session));
	rig_publish(&rig, &port, 1, "4");
	assert_false(resume(ctx, port.binding, "a.example", version, &session));
	SSL_SESSION_free(session);
	session = NULL;
	rig_publish(&rig, &port, 1, ""); /* no keys: no tickets, no harm */
	assert_false(resume(ctx, port.binding, "a.example", version, &session));
	if (session != NULL)
		assert_false(resume(ctx, port.binding, "a.example", version, &session));
	assert_int_equal(rig_metric(&rig, "sallyport_tls_resumed_total"), 6);
	SSL_SESSION_free(session);
	drop_cert(&rig, a);
	drop_cert(&rig, b);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

static void test_tickets_13(void **state)
{
	(void)state;
	try_tickets(TLS1_3_VERSION);
}

static void test_tickets_12(void **state)
{
	(void)state;
	try_tickets(TLS1_2_VERSION);
}

/* ---- renewal ---- */

static long served_serial_bits(struct client *client)
{
	X509 *x509 = SSL_get1_peer_certificate(client->ssl);
	long hash = (long)X509_NAME_hash_ex(X509_get_subject_name(x509), NULL, NULL, NULL);

	X509_free(x509);
	return hash;
}

static void test_renewal(void **state)
{
	struct rig rig;
	struct rig_port port = {.tls = true, .listener_count = 1};
	struct cert *before = rig_cert("before.example"), *after = rig_cert("after.example");
	SSL_CTX *ctx = client_ctx();
	struct client old, new;

	(void)state;
	rig_start(&rig, 1, NULL, -1);
	port.binding = rig_bind(&rig, 0);
	port.listeners[0] = (struct rig_listener){.hostname = "", .cert = before};
	rig_publish(&rig, &port, 1, "k");
	drop_cert(&rig, before);
	assert_int_equal(client_open(&old, ctx, port.binding, (struct hello){0}), 1);
	port.listeners[0].cert = after;
	rig_publish(&rig, &port, 1, "k");
	drop_cert(&rig, after);
	assert_int_equal(client_open(&new, ctx, port.binding, (struct hello){0}), 1);
	assert_int_not_equal(served_serial_bits(&old), served_serial_bits(&new));
	tls_send(&old, "echo still here\n");
	tls_expect(&old, "still here\n");
	client_close(&old);
	client_close(&new);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* A certificate that does not parse hurts nobody else. */
static void test_bad_certificate(void **state)
{
	struct rig rig;
	struct rig_port port = {.tls = true, .listener_count = 2};
	struct str_view junk = SV("junk"), name = SV("bad.example");
	struct cert *good = rig_cert("good.example");
	struct cert *bad = cert_new(&(struct cert){.name = SV("default/bad"),
						   .chain = &junk,
						   .chain_count = 1,
						   .key = SV("junk"),
						   .names = &name,
						   .name_count = 1});
	SSL_CTX *ctx = client_ctx();
	struct client client;
	struct binding *binding;

	(void)state;
	rig_start(&rig, 1, NULL, -1);
	port.listeners[0] = (struct rig_listener){.hostname = "bad.example", .cert = bad};
	port.listeners[1] = (struct rig_listener){.hostname = "good.example", .cert = good};
	binding = rig_serve(&rig, port);
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(
			client_open(&client, ctx, binding, (struct hello){.name = "bad.example"}),
			1);
		client_close(&client);
		assert_int_equal(
			client_open(&client, ctx, binding, (struct hello){.name = "good.example"}),
			1);
		client_close(&client);
	}
	drop_cert(&rig, good);
	drop_cert(&rig, bad);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

/* More certificates than the cache holds: each is found, and is the right one. */
static void test_cert_cache(void **state)
{
	static const char *const names[] = {"a.example", "b.example", "c.example"};
	static const int order[] = {0, 1, 0, 2, 1, 0, 2, 2, 0};
	struct cert_cache *cache = cert_cache_new(2);
	struct graveyard graveyard = {0};
	struct cert *certs[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		certs[i] = rig_cert(names[i]);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct parsed_cert *parsed = cert_cache_get(cache, certs[order[i]]);

		assert_non_null(parsed);
		assert_int_equal(X509_check_host(parsed->leaf, names[order[i]], 0, 0, NULL), 1);
	}
	cert_cache_free(cache);
	for (size_t i = 0; i < 3; i++)
		part_unref(&certs[i]->part, &graveyard);
	assert_int_equal(graveyard_sweep(&graveyard, UINT64_MAX), 0);
}

/* Half a ClientHello, or none, ends at the deadline. */
static void test_handshake_time_out(void **state)
{
	static const char *const beginnings[] = {"", "\x16\x03\x01"};
	struct plane_limits limits = plane_limits_default;
	struct rig rig;
	struct binding *binding;

	(void)state;
	limits.tls_handshake_ms = 1000;
	rig_start(&rig, 1, &limits, -1);
	binding = rig_serve(&rig, (struct rig_port){.tls = true});
	for (size_t i = 0; i < 2; i++) {
		int fd = rig_connect(binding);

		send_text(fd, beginnings[i]);
		expect_end(fd);
		close(fd);
	}
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	assert_int_equal(rig_metric(&rig, "sallyport_client_timeouts_total"), 2);
	rig_stop(&rig);
}

/* ---- memory ---- */

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size = 0, pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Handshake and one exchange; the client forgets its TLS state and keeps the socket. */
static int open_idle(SSL_CTX *ctx, const struct binding *binding)
{
	struct client client;

	assert_int_equal(client_open(&client, ctx, binding, (struct hello){.name = "any.example"}),
			 1);
	tls_send(&client, "echo x\n");
	tls_expect(&client, "x\n");
	SSL_free(client.ssl);
	return client.fd;
}

static void test_idle_memory(void **state)
{
	enum { WARM = 100, COUNT = 1000 };
	static int fds[WARM + COUNT];
	struct rig rig;
	struct binding *binding = start_tls(&rig, "");
	SSL_CTX *ctx = client_ctx();
	size_t before = 0, each;

	(void)state;
	for (int i = 0; i < WARM + COUNT; i++) {
		if (i == WARM)
			before = resident();
		fds[i] = open_idle(ctx, binding);
	}
	each = (resident() - before) / COUNT;
	print_message("an idle TLS connection takes %zu bytes\n", each);
	if (!SANITIZED)
		assert_true(each < 20 * 1024);
	for (int i = 0; i < WARM + COUNT; i++)
		close(fds[i]);
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),         cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_ciphers),       cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_not_tls),       cmocka_unit_test(test_end),
		cmocka_unit_test(test_broken_record), cmocka_unit_test(test_volume),
		cmocka_unit_test(test_tickets_13),    cmocka_unit_test(test_tickets_12),
		cmocka_unit_test(test_renewal),       cmocka_unit_test(test_bad_certificate),
		cmocka_unit_test(test_cert_cache),    cmocka_unit_test(test_handshake_time_out),
		cmocka_unit_test(test_idle_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
