/* Streams of a real worker to a backend that speaks TLS, and takes little at a time. */
#include "rig.h"

#include "base/own.h"
#include "dataplane/binding.h"

#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#define FDS_MAX 1024
#define MUCH    30000 /* more than the sockets hold, less than the worker reads at once */

static const int little = 1; /* the kernel makes it the least that it can do with */

/* ---- the backend ---- */

static int backend_listen(struct sock_addr *addr)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 16), 0);
	sock_local(fd, addr);
	return fd;
}

static SSL_CTX *server_context(const struct cert *like)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const unsigned char *cert = (const unsigned char *)like->chain[0].data;
	const unsigned char *key = (const unsigned char *)like->key.data;
	X509 *leaf = d2i_X509(NULL, &cert, (long)like->chain[0].len);
	EVP_PKEY *secret = d2i_AutoPrivateKey(NULL, &key, (long)like->key.len);

	assert_int_equal(SSL_CTX_use_cert_and_key(ctx, leaf, secret, NULL, 1), 1);
	X509_free(leaf);
	EVP_PKEY_free(secret);
	return ctx;
}

/* The worker's end of that connection: it is a descriptor of this process. */
static int other_end(int fd)
{
	struct sockaddr_in peer, own;
	socklen_t len = sizeof(peer);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
	for (int i = 0; i < FDS_MAX; i++) {
		len = sizeof(own);
		if (getsockname(i, (struct sockaddr *)&own, &len) == 0 &&
		    own.sin_family == AF_INET && own.sin_port == peer.sin_port &&
		    own.sin_addr.s_addr == peer.sin_addr.s_addr)
			return i;
	}
	fail_msg("no such descriptor");
	return -1;
}

/* ---- the rule ---- */

static struct vhost *vhost_to(struct rig *rig, const struct sock_addr *addr,
			      const struct cert *cert)
{
	struct graveyard *graveyard = plane_graveyard(rig->plane);
	struct ca_set *cas = ca_set_new(&(struct ca_set){.count = 1, .certs = cert->chain});
	struct backend_tls *tls = backend_tls_new(&(struct backend_tls){
		.name = SV("test/policy"), .server_name = SV("back.test"), .cas = cas});
	struct backend *backend = backend_new(&(struct backend){.name = SV("test/backend:1"),
								.weight = 1,
								.tls = tls,
								.endpoints = addr,
								.endpoint_count = 1});
	struct rule *rule = rule_new(&(struct rule){
		.name = SV("test/rule/0"), .backends = &backend, .backend_count = 1});
	struct match_spec spec = {.path_type = MATCH_PREFIX,
				  .path = SV("/"),
				  .route_key = SV("test/r"),
				  .rule = rule};
	struct err err;
	struct vhost *vhost = vhost_new(&spec, 1, &err);

	assert_non_null(vhost);
	part_unref(&cas->part, graveyard);
	part_unref(&tls->part, graveyard);
	part_unref(&backend->part, graveyard);
	part_unref(&rule->part, graveyard);
	return vhost;
}

/* ---- tests ---- */

static void read_all(SSL *ssl, size_t count)
{
	char block[4096];

	while (count > 0) {
		int got = SSL_read(ssl, block, sizeof(block));

		if (got <= 0)
			fail_msg("%zu bytes did not come", count);
		count -= (size_t)got;
	}
}

/* What was sealed and found no room in the socket follows when there is some, though the client
 * says nothing more. */
static void test_rest_follows(void **state)
{
	static const struct timeval patience = {.tv_sec = 20};
	AUTO(auto_free) char *zeros = xcalloc(1, MUCH);
	struct cert *cert = rig_cert("back.test");
	struct rig rig;
	struct sock_addr addr;
	int listener = backend_listen(&addr), client, backend;
	SSL_CTX *ctx = server_context(cert);
	SSL *ssl = SSL_new(ctx);
	struct rig_port port = {.listener_count = 1};
	struct vhost *vhost;
	struct binding *binding;

	(void)state;
	rig_start(&rig, 1, NULL, -1);
	vhost = vhost_to(&rig, &addr, cert);
	port.listeners[0] =
		(struct rig_listener){.hostname = "", .serves = SERVES_STREAM, .vhost = vhost};
	binding = rig_serve(&rig, port);
	client = rig_connect(binding);
	backend = accept(listener, NULL, NULL);
	assert_true(backend >= 0);
	setsockopt(backend, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(other_end(backend), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	SSL_set_fd(ssl, backend);
	assert_int_equal(SSL_accept(ssl), 1);
	assert_int_equal(send(client, zeros, MUCH, MSG_NOSIGNAL), MUCH);
	rig_wait_at_least(&rig, "sallyport_received_bytes_total", MUCH);
	read_all(ssl, MUCH);
	assert_int_equal(SSL_write(ssl, "thanks", 6), 6);
	expect_text(client, "thanks");
	close(client);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(backend);
	part_unref(vhost_part(vhost), plane_graveyard(rig.plane));
	part_unref(&cert->part, plane_graveyard(rig.plane));
	rig_wait_metric(&rig, "sallyport_connections_active", 0);
	rig_stop(&rig);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rest_follows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
