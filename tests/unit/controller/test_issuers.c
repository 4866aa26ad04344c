/* Several issuers in order: which failure goes on to the next, who issued, the staging server first
 * for names that have failed. */
#include "certlab.h"
#include "fakeca.h"

#define ISSUER  "cert-manager.io/clusterissuers//fake"
#define REQUEST "cert-manager.io/certificaterequests/default/site-1"

static const char setting[] = "apiVersion: gateway.networking.k8s.io/v1\n"
			      "kind: Gateway\n"
			      "metadata: {name: gw}\n"
			      "spec:\n"
			      "  gatewayClassName: sallyport\n"
			      "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
			      "  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
			      "---\n"
			      "apiVersion: cert-manager.io/v1\n"
			      "kind: ClusterIssuer\n"
			      "metadata: {name: self}\n"
			      "spec: {selfSigned: {}}\n"
			      "---\n"
			      "apiVersion: cert-manager.io/v1\n"
			      "kind: Issuer\n"
			      "metadata: {name: missing}\n"
			      "spec: {ca: {secretName: nowhere}}\n";

static void apply(struct certlab *lab, const char *issuer_notes, const char *notes,
		  const char *issuer)
{
	AUTO(auto_free)
	char *yaml = xasprintf(
		"apiVersion: cert-manager.io/v1\n"
		"kind: ClusterIssuer\n"
		"metadata: {name: fake, annotations: {sallyport.dev/self-check: 'off'%s}}\n"
		"spec: {acme: {server: https://ca.test/dir, privateKeySecretRef: {name: "
		"account}}}\n"
		"---\n"
		"apiVersion: cert-manager.io/v1\n"
		"kind: Certificate\n"
		"metadata: {name: site, annotations: {a: b%s}}\n"
		"spec:\n"
		"  secretName: site\n"
		"  dnsNames: [a.example]\n"
		"  privateKey: {algorithm: ECDSA}\n"
		"  issuerRef: %s\n",
		issuer_notes, notes, issuer);

	certlab_apply(lab, setting);
	certlab_apply(lab, yaml);
}

#define FAKE "{name: fake, kind: ClusterIssuer}"

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	fake_ca_reset(lab->loop);
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

static const char *site(struct certlab *lab, const char *path)
{
	const char *text = json_str_at(certlab_get(lab, CERT_KEY("site")), path);

	return text == NULL ? "" : text;
}

static void test_goes_on(void **state)
{
	static const struct {
		const char *what, *type;
		enum acme_outcome outcome;
		bool on_issuer, goes_on;
	} cases[] = {
		{"a limit", "rateLimited", ACME_RETRY_LATER, false, true},
		{"a name that the CA does not sign", "rejectedIdentifier", ACME_REFUSED, true,
		 true},
		{"CAA", "caa", ACME_REFUSED, false, true},
		{"a request that the CA does not understand", "badCSR", ACME_REFUSED, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *note = ", sallyport.dev/fallback-issuers: 'none, ClusterIssuer/self'";
		struct certlab *lab;
		void *made;

		print_message("%s\n", cases[i].what);
		setup(&made);
		lab = made;
		fake_ca.fault = (struct fake_fault){.step = FAKE_ORDER_NEW,
						    .result = {.outcome = cases[i].outcome,
							       .step = "newOrder",
							       .retry_after_ms = -1}};
		snprintf(fake_ca.fault.result.problem.type,
			 sizeof(fake_ca.fault.result.problem.type), "%s", cases[i].type);
		apply(lab, cases[i].on_issuer ? note : "", cases[i].on_issuer ? "" : note, FAKE);
		if (cases[i].goes_on) {
			/* the one in between does not exist: that takes patience */
			certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/NextIssuer");
			assert_string_equal(site(lab, "status.attemptIssuer.name"), "none");
		} else {
			certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/BadCSR");
			assert_string_equal(site(lab, "status.attemptIssuer.name"), "");
		}
		teardown(&made);
	}
}

/* As if the request had been made long ago. */
static void make_old(struct certlab *lab, const char *key)
{
	const struct object *object = store_get(lab->store, sv_from(key));
	AUTO(auto_json) json_t *copy = json_deep_copy(object->json);

	json_set_at(copy, "metadata.creationTimestamp", json_string("2026-01-01T00:00:00Z"));
	store_put(lab->store, sv_from(key), copy, object->revision, NULL, NULL);
}

static bool is_pending(struct certlab *lab, const void *arg)
{
	(void)arg;
	return strcmp(certlab_condition(lab, REQUEST, "Ready"), "False/Pending") == 0;
}

static void test_patience(void **state)
{
	struct certlab *lab = *state;

	apply(lab, "", ", sallyport.dev/fallback-issuers: ClusterIssuer/self", "{name: missing}");
	certlab_until(lab, is_pending, NULL, "the request to wait for its issuer");
	certlab_settle(lab);
	assert_string_equal(site(lab, "status.attemptIssuer.name"), ""); /* not yet */
	make_old(lab, REQUEST);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_expect(lab, CERT_KEY("site"), "Fallback", "True/IssuedByFallback");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Issued");
	assert_string_equal(site(lab, "status.issuedBy.name"), "self");
	assert_string_equal(site(lab, "status.issuedBy.kind"), "ClusterIssuer");
	certlab_settle(lab); /* it is kept: one that may take the place has issued it */
	assert_int_equal(json_int_at(certlab_get(lab, CERT_KEY("site")), "status.revision", 0), 1);
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(json_int_at(certlab_get(lab, CERT_KEY("site")), "status.revision", 0), 1);
	/* without the annotation it is another issuer's */
	apply(lab, "", "", FAKE);
	certlab_expect(lab, CERT_KEY("site"), "Fallback", "none");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	assert_string_equal(site(lab, "status.issuedBy.name"), "fake");
}

static void trigger(struct certlab *lab)
{
	certlab_set_status(lab, CERT_KEY("site"), "conditions.1",
			   json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True",
				     "reason", "ManuallyTriggered", "message", "by hand"));
}

#define STAGING ", sallyport.dev/staging-server: 'https://acme-staging.ca.test/dir'"

static bool rehearses(struct certlab *lab, const void *arg)
{
	(void)arg;
	return strcmp(json_str_at(certlab_get(lab, REQUEST), "spec.issuerRef.name") == NULL
			      ? ""
			      : json_str_at(certlab_get(lab, REQUEST), "spec.issuerRef.name"),
		      "fake-staging") == 0;
}

static void test_staging_first(void **state)
{
	struct certlab *lab = *state;

	fake_ca.any_account = true;
	fake_ca.invalid_type = "connection";
	apply(lab, STAGING, "", FAKE);
	certlab_expect(lab, ISSUER "-staging", "Ready", "True/ACMEAccountRegistered");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Connection");
	assert_int_equal(fake_ca.orders, 1);
	trigger(lab);
	certlab_until(lab, rehearses, NULL, "a try at the staging server");
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Connection");
	assert_int_equal(fake_ca.orders, 2); /* nothing was asked of the CA itself */
	fake_ca.invalid_type = NULL;
	trigger(lab);
	certlab_until(lab, rehearses, NULL, "another try at the staging server");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_expect(lab, CERT_KEY("site"), "Staging", "none");
	assert_string_equal(site(lab, "status.issuedBy.name"), "fake");
	assert_int_equal(fake_ca.orders, 4); /* one at each */
	/* without the annotation the issuer that was made goes */
	apply(lab, "", "", FAKE);
	certlab_settle(lab);
	assert_null(certlab_get(lab, ISSUER "-staging"));
}

static void test_staging_is_told(void **state)
{
	struct certlab *lab = *state;

	apply(lab, STAGING, "", "{name: fake-staging, kind: ClusterIssuer}");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_expect(lab, CERT_KEY("site"), "Staging", "True/StagingCA");
}

/* What the CA would refuse is not asked for, over a restart too. */
static bool is_counted(struct certlab *lab, const void *arg)
{
	(void)arg;
	return certlab_get(lab, "core/configmaps/sallyport-system/fake-acme-limits") != NULL;
}

static void test_limits(void **state)
{
	struct certlab *lab = *state;

	fake_ca.invalid_type = "connection";
	apply(lab, ", sallyport.dev/acme-limits: 'failures=1/1h'", "", FAKE);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "False/Connection");
	certlab_until(lab, is_counted, NULL, "what was counted to be stored");
	assert_int_equal(fake_ca.orders, 1);
	trigger(lab);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/RateLimited");
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	trigger(lab);
	certlab_settle(lab);
	certlab_expect(lab, CERT_KEY("site"), "Issuing", "True/RateLimited");
	assert_int_equal(fake_ca.orders, 1);
	fake_ca.invalid_type = NULL;
	apply(lab, ", sallyport.dev/acme-limits: 'off'", "", FAKE);
	trigger(lab);
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on), TEST(test_patience), TEST(test_staging_first),
		TEST(test_staging_is_told),     TEST(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
