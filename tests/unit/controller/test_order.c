/* Orders against a CA in memory: each request's answer lost in turn, and what each failure leads
 * to. */
#include "certlab.h"
#include "fakeca.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTING(server)                                                            \
	"apiVersion: gateway.networking.k8s.io/v1\n"                               \
	"kind: Gateway\n"                                                          \
	"metadata: {name: gw}\n"                                                   \
	"spec:\n"                                                                  \
	"  gatewayClassName: sallyport\n"                                          \
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"                     \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"                 \
	"---\n"                                                                    \
	"apiVersion: cert-manager.io/v1\n"                                         \
	"kind: ClusterIssuer\n"                                                    \
	"metadata: {name: fake, annotations: {sallyport.dev/self-check: 'off'}}\n" \
	"spec: {acme: {server: " server ", email: a@b.test,\n"                     \
	"  privateKeySecretRef: {name: account}}}\n"

static const char setting[] = SETTING("https://localhost/dir");
static const char distant[] = SETTING("https://ca.test/dir");

static const char certificate[] = "apiVersion: cert-manager.io/v1\n"
				  "kind: Certificate\n"
				  "metadata: {name: site}\n"
				  "spec:\n"
				  "  secretName: site\n"
				  "  dnsNames: [a.example, b.example]\n"
				  "  privateKey: {algorithm: ECDSA}\n"
				  "  issuerRef: {name: fake, kind: ClusterIssuer}\n";

#define COMMITS_MAX 18
#define ISSUER      "cert-manager.io/clusterissuers//fake"

static void fetched(void *arg, struct str_view token)
{
	struct certlab *lab = arg;

	if (lab->ctl != NULL)
		controllers_challenge_fetched(lab->ctl, token);
}

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	fake_ca_reset(lab->loop);
	fake_ca.fetched = fetched;
	fake_ca.fetched_arg = lab;
	certlab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	fake_ca_free();
	free(*state);
	return 0;
}

static bool is_issued(struct certlab *lab, const void *arg)
{
	(void)arg;
	return strcmp(certlab_condition(lab, CERT_KEY("site"), "Ready"), "True/Ready") == 0 &&
	       strcmp(certlab_condition(lab, CERT_KEY("site"), "Issuing"), "False/Issued") == 0;
}

static bool is_issued_or_stopped(struct certlab *lab, const void *arg)
{
	return fake_ca.stopped || is_issued(lab, arg);
}

static void expect_issued(struct certlab *lab)
{
	char serial[65];

	certlab_until(lab, is_issued, NULL, "the certificate");
	certlab_check_pair(lab, SECRET_KEY("site"), "b.example", serial);
	assert_int_equal(fake_ca.accounts, 1);
	assert_int_equal(fake_ca.finalized, 1);
}

static bool no_challenge(struct certlab *lab, const void *arg)
{
	(void)arg;
	return store_count(lab->store, SV("acme.cert-manager.io/challenges/")) == 0;
}

static void test_issued(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	certlab_apply(lab, certificate);
	expect_issued(lab);
	assert_int_equal(fake_ca.orders, 1);
	/* account; order; two authorizations, two challenges; order, finalize, order ×2,
	 * certificate */
	assert_true(fake_ca.requests <= 11);
	certlab_until(lab, no_challenge, NULL, "the challenges to go");
	assert_string_equal(json_str_at(certlab_get(lab, ISSUER), "status.acme.uri"),
			    "https://ca.test/account/1");
	/* the next one needs no account, and no request at a restart */
	certlab_kill(lab);
	fake_ca.requests = 0;
	certlab_start(lab);
	certlab_settle(lab);
	certlab_run(lab, 50);
	assert_int_equal(fake_ca.requests, 0);
}

/* ---- each turn of the loop that writes is a transaction, which waits for the disk ---- */

struct commits {
	struct loop_hook hook;
	struct store *store;
	uint64_t revision;
	unsigned count;
};

static void count_commits(struct loop_hook *hook)
{
	struct commits *commits = CONTAINER_OF(hook, struct commits, hook);

	commits->count += store_revision(commits->store) != commits->revision;
	commits->revision = store_revision(commits->store);
}

static void test_few_commits(void **state)
{
	struct certlab *lab = *state;
	struct commits commits = {.hook.turn_end = count_commits, .store = lab->store};

	certlab_apply(lab, setting);
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	certlab_settle(lab);
	commits.revision = store_revision(lab->store);
	loop_hook_add(lab->loop, &commits.hook);
	certlab_apply(lab, certificate);
	expect_issued(lab);
	loop_hook_remove(&commits.hook);
	/* spec; Issuing with name, key and request; Order; Certificate; intent; order's URL;
	 * authorizations with challenges; two answers; ready, challenges gone ×2; processing;
	 * valid; certificate; request; Secret; Ready */
	if (commits.count > COMMITS_MAX)
		fail_msg("%u commits for a certificate", commits.count);
}

/* The process ends at its n-th request, before or after the CA has acted on it. */
static bool issue_with_a_kill(struct certlab *lab, unsigned at, bool before)
{
	fake_ca.stop_at = at;
	fake_ca.stop_before = before;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_issued_or_stopped, NULL, "the certificate, or the end");
	if (!fake_ca.stopped)
		return false;
	certlab_kill(lab);
	fake_ca.stopped = false;
	certlab_start(lab);
	expect_issued(lab);
	if (fake_ca.orders != 1)
		fail_msg("%s request %u: %u orders", before ? "before" : "after", at,
			 fake_ca.orders);
	return true;
}

static void kill_at_each(void **state, bool before)
{
	unsigned at = 1;

	teardown(state);
	for (bool killed = true; killed; at++) {
		setup(state);
		killed = issue_with_a_kill(*state, at, before);
		if (killed)
			teardown(state);
	}
	assert_true(at > 10);
}

static void test_killed_before(void **state)
{
	kill_at_each(state, true);
}

static void test_killed_after(void **state)
{
	kill_at_each(state, false);
}

#define FAULT(what, ...)                                                  \
	{                                                                 \
		.step = (what), .result = {.step = "fault", __VA_ARGS__ } \
	}

struct bad_answer {
	const char *name;
	struct fake_fault fault;
	const char *issuing; /* condition */
	const char *words;   /* in its message */
	unsigned orders;
};

static void expect_words(struct certlab *lab, const char *key, const char *type, const char *words)
{
	const json_t *condition =
		condition_find(json_at(certlab_get(lab, key), "status.conditions"), type);
	const char *message = json_str_at(condition, "message");

	if (message == NULL || strstr(message, words) == NULL)
		fail_msg("%s %s says: %s", key, type, message);
}

static void test_bad_answers(void **state)
{
	static const struct bad_answer cases[] = {
		{"refused name",
		 FAULT(FAKE_ORDER_NEW, .outcome = ACME_REFUSED,
		       .problem = {"rejectedIdentifier", "not this one"}),
		 "False/RejectedIdentifier", "not this one", 0},
		{"rate limit",
		 FAULT(FAKE_ORDER_NEW, .outcome = ACME_RETRY_LATER, .http_status = 429,
		       .retry_after_ms = 7200000, .problem = {"rateLimited", "too many"}),
		 "True/RateLimited", "next try at", 0},
		{"trust",
		 FAULT(FAKE_ORDER, .outcome = ACME_BROKEN, .failure = FETCH_TLS,
		       .retry_after_ms = 60000, .problem = {"", "certificate has expired"}),
		 "True/TLSVerificationFailed", "certificate has expired", 1},
		{"foreign URL",
		 FAULT(FAKE_AUTHZ, .outcome = ACME_BROKEN, .problem = {"", "elsewhere"}),
		 "False/UntrustedURL", "elsewhere", 1},
		{"bad request",
		 FAULT(FAKE_FINALIZE, .outcome = ACME_REFUSED, .problem = {"badCSR", "no"}),
		 "False/BadCSR", "no", 1},
		{"transient for too long",
		 FAULT(FAKE_CERTIFICATE, .outcome = ACME_RETRY_LATER, .http_status = 503,
		       .problem = {"serverInternal", "busy"}),
		 "True/ServerInternal", "busy", 1},
		{"lost for good", FAULT(FAKE_ORDER, .outcome = ACME_GONE, .http_status = 404),
		 "False/OrderLost", "404", 2},
	};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		fake_ca.fault = cases[i].fault;
		certlab_apply(lab, setting);
		certlab_apply(lab, certificate);
		certlab_expect(lab, CERT_KEY("site"), "Issuing", cases[i].issuing);
		expect_words(lab, CERT_KEY("site"), "Issuing", cases[i].words);
		expect_words(lab, CERT_KEY("site"), "Ready", cases[i].words);
		if (fake_ca.orders != cases[i].orders)
			fail_msg("%u orders", fake_ca.orders);
		teardown(state);
		setup(state);
		lab = *state;
	}
}

/* What is told to wait is not asked, over a restart, until somebody wants it now. */
static void test_back_off_is_kept(void **state)
{
	struct certlab *lab = *state;
	unsigned asked;

	fake_ca.fault = (struct fake_fault)FAULT(FAKE_CERTIFICATE, .outcome = ACME_RETRY_LATER,
						 .problem = {"", "busy"});
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/Retrying");
	asked = fake_ca.requests;
	fake_ca.fault.result.step = NULL;
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	certlab_run(lab, 100);
	assert_int_equal(fake_ca.requests, asked);
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
	expect_issued(lab);
	assert_int_equal(fake_ca.orders, 1);
}

static void test_order_anew(void **state)
{
	struct certlab *lab = *state;

	fake_ca.fault =
		(struct fake_fault)FAULT(FAKE_ORDER, .outcome = ACME_GONE, .http_status = 404);
	fake_ca.fault.times = 1;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	expect_issued(lab);
	assert_int_equal(fake_ca.orders, 2);
}

static void test_account_lost(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	fake_ca.fault = (struct fake_fault)FAULT(FAKE_ORDER_NEW, .outcome = ACME_GONE,
						 .problem = {"accountDoesNotExist", "who?"});
	fake_ca.fault.times = 1;
	certlab_apply(lab, certificate);
	expect_issued(lab);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 2);
	assert_int_equal(fake_ca.orders, 1);
}

static void test_account_deactivated(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	fake_ca.fault = (struct fake_fault)FAULT(FAKE_ACCOUNT, .outcome = ACME_REFUSED,
						 .problem = {"unauthorized", "deactivated"});
	/* a new key: the account is asked for again, and refused */
	certlab_delete(lab, "core/secrets/sallyport-system/account");
	certlab_expect(lab, ISSUER, "Ready", "False/AccountDeactivated");
	expect_words(lab, ISSUER, "Ready", "not tried again");
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	certlab_run(lab, 50);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 2);
	certlab_apply(lab, certificate);
	certlab_expect(lab, "cert-manager.io/certificaterequests/default/site-1", "Ready",
		       "False/Pending");
}

static void test_not_validated(void **state)
{
	struct certlab *lab = *state;

	fake_ca.invalid_type = "connection";
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Connection");
	expect_words(lab, CERT_KEY("site"), "Issuing", "a.example was not validated");
	expect_words(lab, CERT_KEY("site"), "Issuing", "nobody answers there");
	assert_int_equal(fake_ca.orders, 1);
	certlab_until(lab, no_challenge, NULL, "the challenges to go");
}

static void test_refused_certificates(void **state)
{
	struct certlab *lab = *state;

	fake_ca.wrong_key = true;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/CertificateRefused");
	assert_null(certlab_get(lab, SECRET_KEY("site")));
	/* from a CA whose clock is an hour ahead: kept, not served yet */
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.not_before = 3600;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/NotYetValid");
	assert_null(certlab_get(lab, SECRET_KEY("site")));
	assert_int_equal(fake_ca.finalized, 1);
}

static bool has_new_contact(struct certlab *lab, const void *arg)
{
	(void)arg;
	return sv_eq(json_sv_at(certlab_get(lab, ISSUER), "status.acme.lastRegisteredEmail"),
		     SV("other@b.test"));
}

static void test_contact_changes(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	certlab_apply(lab, "apiVersion: cert-manager.io/v1\n"
			   "kind: ClusterIssuer\n"
			   "metadata: {name: fake}\n"
			   "spec: {acme: {server: https://localhost/dir, email: other@b.test,\n"
			   "  privateKeySecretRef: {name: account}}}\n");
	certlab_until(lab, has_new_contact, NULL, "the contact to change");
	assert_int_equal(fake_ca.asked[FAKE_CONTACT], 1);
	assert_int_equal(fake_ca.asked[FAKE_ACCOUNT], 1);
}

static void apply_four_names(struct certlab *lab)
{
	certlab_apply(lab, setting);
	certlab_apply(lab, "apiVersion: cert-manager.io/v1\n"
			   "kind: Certificate\n"
			   "metadata: {name: site}\n"
			   "spec:\n"
			   "  secretName: site\n"
			   "  dnsNames: [a.example, b.example, c.example, d.example]\n"
			   "  privateKey: {algorithm: ECDSA}\n"
			   "  issuerRef: {name: fake, kind: ClusterIssuer}\n");
}

static bool is_chain_of(struct certlab *lab, const void *arg)
{
	const struct object *secret = store_get(lab->store, SV(SECRET_KEY("site")));
	const size_t *count = arg;
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(buf_deinit) struct buf pem = {0};

	return is_issued(lab, NULL) && secret != NULL && secret_value(secret, "tls.crt", &pem) &&
	       chain_from_pem(buf_view(&pem), &chain, NULL) == 0 && chain.count == *count &&
	       json_int_at(certlab_get(lab, CERT_KEY("site")), "status.revision", 0) ==
		       (int64_t)fake_ca.finalized;
}

/* F74: without the issuer's certificate; the one that is stored serves again. */
static void test_leaf_only(void **state)
{
	struct certlab *lab = *state;
	size_t alone = 1, whole = 2;

	fake_ca.leaf_only = true;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_chain_of, &alone, "the certificate alone");
	teardown(state);
	setup(state);
	lab = *state;
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_chain_of, &whole, "the chain");
	fake_ca.leaf_only = true;
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Issued");
	certlab_until(lab, is_chain_of, &whole, "the chain, completed");
	assert_int_equal(fake_ca.finalized, 2);
}

/* One request is answered with a certificate, whatever it asks for. */
struct issuer_server {
	pthread_t thread;
	int fd;
	X509 *cert;
};

static void *serve_issuer(void *arg)
{
	const struct issuer_server *server = arg;
	int fd = accept(server->fd, NULL, NULL);
	unsigned char *der = NULL;
	int len = i2d_X509(server->cert, &der);
	char head[160], request[2048];

	if (fd >= 0 && recv(fd, request, sizeof(request), 0) > 0) {
		int head_len = snprintf(head, sizeof(head),
					"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-cert"
					"\r\nContent-Length: %d\r\n\r\n",
					len);

		(void)!send(fd, head, (size_t)head_len, MSG_NOSIGNAL);
		(void)!send(fd, der, (size_t)len, MSG_NOSIGNAL);
	}
	OPENSSL_free(der);
	close(fd);
	return NULL;
}

static void issuer_server_start(struct issuer_server *server, X509 *cert)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	server->cert = cert;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(server->fd, 8), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(fake_ca.issuer_url, sizeof(fake_ca.issuer_url), "http://127.0.0.1:%d/ca.der",
		 ntohs(addr.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, serve_issuer, server), 0);
}

static void issuer_server_stop(struct issuer_server *server)
{
	(void)shutdown(server->fd, SHUT_RDWR); /* the thread may not have been asked */
	assert_int_equal(pthread_join(server->thread, NULL), 0);
	close(server->fd);
}

/* F74: the certificate says where its issuer's is. */
static void test_leaf_with_issuer_url(void **state)
{
	struct certlab *lab = *state;
	struct issuer_server server;
	size_t whole = 2;

	fake_ca.leaf_only = true;
	issuer_server_start(&server, fake_ca.root);
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_chain_of, &whole, "the chain, fetched");
	assert_int_equal(fake_ca.finalized, 1);
	issuer_server_stop(&server);
}

/* A CA elsewhere cannot have this host's loopback asked. */
static void test_leaf_with_url_of_this_host(void **state)
{
	struct certlab *lab = *state;
	struct issuer_server server;
	size_t alone = 1;

	fake_ca.leaf_only = true;
	issuer_server_start(&server, fake_ca.root);
	certlab_apply(lab, distant);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_chain_of, &alone, "the certificate alone");
	issuer_server_stop(&server);
}

/* What is there has not issued it, or nothing is there: the certificate is served alone. */
static void test_leaf_with_wrong_issuer_url(void **state)
{
	struct certlab *lab = *state;
	struct issuer_server server;
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	struct x509_sign_how how = {.issuer_key = key,
				    .not_before = clock_wall() - 60,
				    .not_after = clock_wall() + 3600,
				    .is_ca = true};
	struct cert_names names = {.common_name = SV("Fake CA")};
	AUTO(buf_deinit) struct buf csr = {0};
	size_t alone = 1;
	X509 *other;

	buf_init(&csr, 65536);
	assert_int_equal(csr_make(key, &names, &csr, NULL), 0);
	other = cert_sign(buf_view(&csr), &how, NULL);
	assert_non_null(other);
	fake_ca.leaf_only = true;
	issuer_server_start(&server, other);
	certlab_apply(lab, setting);
	certlab_apply(lab, certificate);
	certlab_until(lab, is_chain_of, &alone, "the certificate alone");
	issuer_server_stop(&server);
	X509_free(other);
}

/* Names go side by side; what happens to one of them is known of the order. */
static void test_side_by_side(void **state)
{
	struct certlab *lab = *state;

	apply_four_names(lab);
	expect_issued(lab);
	assert_int_equal(fake_ca.asked[FAKE_AUTHZ], 4);
	assert_int_equal(fake_ca.asked[FAKE_CHALLENGE], 4);
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.fault =
		(struct fake_fault)FAULT(FAKE_AUTHZ, .outcome = ACME_GONE, .http_status = 404);
	fake_ca.fault.times = 1;
	apply_four_names(lab);
	expect_issued(lab);
	assert_int_equal(fake_ca.orders, 2);
	teardown(state);
	setup(state);
	lab = *state;
	fake_ca.fault = (struct fake_fault)FAULT(FAKE_CHALLENGE, .outcome = ACME_RETRY_LATER,
						 .problem = {"serverInternal", "busy"});
	fake_ca.fault.times = 1;
	apply_four_names(lab);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/ServerInternal");
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
	expect_issued(lab);
	assert_int_equal(fake_ca.orders, 1);
	assert_int_equal(fake_ca.asked[FAKE_CHALLENGE], 5);
}

/* A signing request that somebody brings: what is signed is his, whatever Certificates say. */
static void test_request_of_a_user(void **state)
{
	struct certlab *lab = *state;
	struct str_view dns = SV("own.example");
	struct cert_names names = {.dns = &dns, .dns_count = 1};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(buf_deinit) struct buf der, pem;
	AUTO(auto_json) json_t *request = NULL;
	AUTO(auto_free) char *yaml = NULL;
	struct err err = {0};

	buf_init(&der, 65536);
	buf_init(&pem, 65536);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	request = json_request(buf_view(&der));
	yaml = xasprintf("apiVersion: cert-manager.io/v1\n"
			 "kind: CertificateRequest\n"
			 "metadata: {name: mine}\n"
			 "spec: {request: %s, issuerRef: {name: fake, kind: ClusterIssuer}}\n",
			 json_string_value(request));
	certlab_apply(lab, setting);
	certlab_apply(lab, yaml);
	certlab_expect(lab, "cert-manager.io/certificaterequests/default/mine", "Ready",
		       "True/Issued");
	assert_true(base64_at(certlab_get(lab, "cert-manager.io/certificaterequests/default/mine"),
			      "status.certificate", &pem));
	assert_int_equal(chain_from_pem(buf_view(&pem), &chain, &err), 0);
	if (chain_check(&chain, key, &names, clock_wall(), 300, &err) < 0)
		fail_msg("%s", err.msg);
}

static void test_immutable_secret(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	certlab_apply(lab, "apiVersion: v1\nkind: Secret\nmetadata: {name: site}\n"
			   "immutable: true\ndata: {a: YQ==}\n");
	certlab_apply(lab, certificate);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/SecretImmutable");
	certlab_delete(lab, SECRET_KEY("site"));
	expect_issued(lab); /* with the certificate that was there */
	assert_int_equal(fake_ca.orders, 1);
}

/* Eight at a time at one CA; all get their turn. */
static void test_many(void **state)
{
	struct certlab *lab = *state;
	struct buf yaml;

	buf_init(&yaml, 1 << 20);
	for (int i = 0; i < 20; i++)
		buf_addf(&yaml,
			 "---\napiVersion: cert-manager.io/v1\nkind: Certificate\n"
			 "metadata: {name: c%d}\nspec: {secretName: c%d, dnsNames: [c%d.example],\n"
			 "  privateKey: {algorithm: ECDSA},\n"
			 "  issuerRef: {name: fake, kind: ClusterIssuer}}\n",
			 i, i, i);
	certlab_apply(lab, setting);
	certlab_apply(lab, buf_cstr(&yaml));
	buf_deinit(&yaml);
	for (int i = 0; i < 20; i++) {
		AUTO(auto_free) char *key = xasprintf(CERT_KEY("c%d"), i);

		certlab_expect(lab, key, "Ready", "True/Ready");
	}
	assert_int_equal(fake_ca.orders, 20);
}

/* ---- before newOrder ---- */

static void expect_stopped(struct certlab *lab, const char *words)
{
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/SelfCheckFailed");
	expect_words(lab, CERT_KEY("site"), "Issuing", words);
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 0);
}

static void apply_checked(struct certlab *lab, const char *mode, const char *name)
{
	AUTO(auto_free)
	char *yaml = xasprintf(
		"apiVersion: cert-manager.io/v1\n"
		"kind: ClusterIssuer\n"
		"metadata: {name: fake, annotations: {sallyport.dev/self-check: %s}}\n"
		"spec: {acme: {server: https://localhost/dir, privateKeySecretRef: {name: "
		"account}}}\n"
		"---\n"
		"apiVersion: cert-manager.io/v1\n"
		"kind: Certificate\n"
		"metadata: {name: site}\n"
		"spec:\n"
		"  secretName: site\n"
		"  dnsNames: [b.example, %s]\n"
		"  privateKey: {algorithm: ECDSA}\n"
		"  issuerRef: {name: fake, kind: ClusterIssuer}\n",
		mode, name);

	certlab_apply(lab, yaml);
}

static void test_no_listener(void **state)
{
	struct certlab *lab = *state;

	apply_checked(lab, "enforce", "a.localhost");
	expect_stopped(lab, "no HTTP listener is programmed");
}

static void test_unbound_address(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting); /* 127.0.0.1 alone, and localhost is ::1 as well */
	certlab_expect(lab, ISSUER, "Ready", "True/ACMEAccountRegistered");
	apply_checked(lab, "enforce", "a.localhost");
	expect_stopped(lab, "an address of this host that no HTTP listener is bound to");
	/* somebody knows better */
	apply_checked(lab, "warn", "a.localhost");
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
	expect_issued(lab);
}

static void test_wildcard(void **state)
{
	struct certlab *lab = *state;

	certlab_apply(lab, setting);
	apply_checked(lab, "'off'", "'*.example'");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/NoSolver");
	expect_words(lab, CERT_KEY("site"), "Issuing", "DNS-01");
	assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_issued),
		TEST(test_few_commits),
		TEST(test_killed_before),
		TEST(test_killed_after),
		TEST(test_bad_answers),
		TEST(test_back_off_is_kept),
		TEST(test_order_anew),
		TEST(test_account_lost),
		TEST(test_account_deactivated),
		TEST(test_not_validated),
		TEST(test_refused_certificates),
		TEST(test_contact_changes),
		TEST(test_request_of_a_user),
		TEST(test_immutable_secret),
		TEST(test_many),
		TEST(test_no_listener),
		TEST(test_unbound_address),
		TEST(test_wildcard),
		TEST(test_side_by_side),
		TEST(test_leaf_only),
		TEST(test_leaf_with_issuer_url),
		TEST(test_leaf_with_url_of_this_host),
		TEST(test_leaf_with_wrong_issuer_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
