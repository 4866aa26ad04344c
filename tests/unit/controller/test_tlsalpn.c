/* TLS-ALPN-01 as a CA sees it: the handshake of RFC 8737 to a real worker, and nothing else. */
#include "certlab.h"

#include "pki/tls_alpn.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define KEY_AUTHORIZATION "token-of-22-characters-1.thumbprint"
#define ACME_ALPN \
	"\x0a"    \
	"acme-tls/1"

static const char setting[] =
	"apiVersion: gateway.networking.k8s.io/v1\n"
	"kind: Gateway\n"
	"metadata: {name: gw}\n"
	"spec:\n"
	"  gatewayClassName: sallyport\n"
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
	"  listeners:\n"
	"  - {name: https, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: site}]}}\n";

static void apply_challenge(struct certlab *lab, const char *object, const char *name,
			    const char *type)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: acme.cert-manager.io/v1\n"
			       "kind: Challenge\n"
			       "metadata: {name: %s}\n"
			       "spec:\n"
			       "  url: https://ca.test/c\n"
			       "  authorizationURL: https://ca.test/a\n"
			       "  dnsName: '%s'\n"
			       "  type: %s\n"
			       "  token: token-of-22-characters-1\n"
			       "  key: " KEY_AUTHORIZATION "\n"
			       "  solver: {tlsALPN01: {}}\n"
			       "  issuerRef: {name: fake, kind: ClusterIssuer}\n",
			       object, name, type);

	certlab_apply(lab, yaml);
}

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	certlab_start(lab);
	certlab_apply(lab, setting);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	free(*state);
	return 0;
}

/* ---- the CA ---- */

struct visit {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool shaken; /* the handshake came to its end */
};

static int dial(const struct certlab *lab)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(lab->port)};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd); /* not bound yet */
	return -1;
}

static struct visit visit(const struct certlab *lab, const char *name, const char *alpn)
{
	struct visit visit = {.ctx = SSL_CTX_new(TLS_client_method()), .fd = dial(lab)};

	SSL_CTX_set_verify(visit.ctx, SSL_VERIFY_NONE, NULL);
	visit.ssl = SSL_new(visit.ctx);
	SSL_set_tlsext_host_name(visit.ssl, name);
	SSL_set_alpn_protos(visit.ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	SSL_set_fd(visit.ssl, visit.fd);
	visit.shaken = visit.fd >= 0 && SSL_connect(visit.ssl) == 1;
	return visit;
}

static void leave(struct visit *visit)
{
	SSL_free(visit->ssl);
	SSL_CTX_free(visit->ctx);
	if (visit->fd >= 0)
		close(visit->fd);
}

static bool is_refused(const struct certlab *lab, const char *name, const char *alpn)
{
	struct visit there = visit(lab, name, alpn);
	bool refused = !there.shaken;

	leave(&there);
	return refused;
}

static bool is_answered(struct certlab *lab, const void *arg)
{
	return lab->plane != NULL && !is_refused(lab, arg, ACME_ALPN);
}

/* acmeIdentifier is critical, and the digest of the key authorization. */
static void check_identifier(X509 *cert)
{
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	int at = X509_get_ext_by_OBJ(cert, oid, -1);
	X509_EXTENSION *extension = at < 0 ? NULL : X509_get_ext(cert, at);
	unsigned char want[34] = {4, 32};
	const ASN1_OCTET_STRING *value;

	ASN1_OBJECT_free(oid);
	assert_non_null(extension);
	assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
	value = X509_EXTENSION_get_data(extension);
	SHA256((const unsigned char *)KEY_AUTHORIZATION, strlen(KEY_AUTHORIZATION), want + 2);
	assert_int_equal(ASN1_STRING_length(value), sizeof(want));
	assert_memory_equal(ASN1_STRING_get0_data(value), want, sizeof(want));
}

static void check_names(X509 *cert, const char *dns, const char *ip)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name;
	unsigned char bytes[16];

	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	name = sk_GENERAL_NAME_value(names, 0);
	if (dns != NULL) {
		assert_int_equal(name->type, GEN_DNS);
		assert_memory_equal(ASN1_STRING_get0_data(name->d.dNSName), dns, strlen(dns));
	} else {
		int len = inet_pton(AF_INET, ip, bytes) == 1 ? 4 : 16;

		if (len == 16)
			assert_int_equal(inet_pton(AF_INET6, ip, bytes), 1);
		assert_int_equal(name->type, GEN_IPADD);
		assert_int_equal(ASN1_STRING_length(name->d.iPAddress), len);
		assert_memory_equal(ASN1_STRING_get0_data(name->d.iPAddress), bytes, (size_t)len);
	}
	GENERAL_NAMES_free(names);
}

static void expect_validated(struct certlab *lab, const char *sni, const char *dns, const char *ip)
{
	struct visit there;
	const unsigned char *alpn;
	unsigned len;
	char byte;
	X509 *cert;
	int got;

	certlab_until(lab, is_answered, sni, "the listener to answer");
	there = visit(lab, sni, ACME_ALPN);
	assert_true(there.shaken);
	SSL_get0_alpn_selected(there.ssl, &alpn, &len);
	assert_int_equal(len, 10);
	assert_memory_equal(alpn, "acme-tls/1", 10);
	cert = SSL_get1_peer_certificate(there.ssl);
	assert_non_null(cert);
	check_identifier(cert);
	check_names(cert, dns, ip);
	X509_free(cert);
	/* nothing follows, whatever is said */
	(void)SSL_write(there.ssl, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	got = SSL_read(there.ssl, &byte, 1);
	assert_true(got <= 0);
	leave(&there);
}

static void test_names(void **state)
{
	struct certlab *lab = *state;

	apply_challenge(lab, "one", "a.example", "TLS-ALPN-01");
	apply_challenge(lab, "two", "192.0.2.7", "TLS-ALPN-01");
	apply_challenge(lab, "three", "2001:db8::1f", "TLS-ALPN-01");
	expect_validated(lab, "a.example", "a.example", NULL);
	expect_validated(lab, "A.EXAMPLE", "a.example", NULL);
	expect_validated(lab, "7.2.0.192.in-addr.arpa", NULL, "192.0.2.7");
	expect_validated(lab,
			 "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
			 NULL, "2001:db8::1f");
}

static void test_nothing_else(void **state)
{
	struct certlab *lab = *state;

	apply_challenge(lab, "http", "h.example", "HTTP-01");
	apply_challenge(lab, "one", "a.example", "TLS-ALPN-01");
	expect_validated(lab, "a.example", "a.example", NULL);
	assert_true(is_refused(lab, "b.example", ACME_ALPN));
	assert_true(is_refused(lab, "h.example", ACME_ALPN));
	/* with others beside it, or without: not a validation */
	assert_true(is_refused(lab, "a.example", ACME_ALPN "\x08http/1.1"));
	assert_true(is_refused(lab, "a.example", "\x08http/1.1"));
	assert_true(is_refused(lab, "a.example", "\x02h2" ACME_ALPN));
}

static bool is_over(struct certlab *lab, const void *arg)
{
	return is_refused(lab, arg, ACME_ALPN);
}

static void test_over(void **state)
{
	struct certlab *lab = *state;

	apply_challenge(lab, "one", "a.example", "TLS-ALPN-01");
	expect_validated(lab, "a.example", "a.example", NULL);
	/* the same answer after a restart, with another certificate */
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	expect_validated(lab, "a.example", "a.example", NULL);
	certlab_delete(lab, "acme.cert-manager.io/challenges/default/one");
	certlab_until(lab, is_over, "a.example", "the answer to end");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_nothing_else),
		TEST(test_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
