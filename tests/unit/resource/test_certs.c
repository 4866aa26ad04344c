/* tests/unit/resource/test_certs.c - resource/issuer.c, certificate.c, acme.c */
#include "admit.h"
#include "base/enc.h"
#include "pki/csr.h"

#define ISSUER                                                                               \
	"{apiVersion: cert-manager.io/v1, kind: ClusterIssuer, metadata: {name: le}, spec: " \
	"{acme: {server: 'https://ca.example/dir', email: admin@example.com, "               \
	"privateKeySecretRef: {name: account}, solvers: [{http01: {gatewayHTTPRoute: "       \
	"{parentRefs: [{kind: Gateway, name: gw, namespace: default}]}}}]}}}"
#define CERTIFICATE                                                                       \
	"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c}, spec: " \
	"{secretName: c-tls, dnsNames: [www.example.com, '*.example.com'], issuerRef: "   \
	"{name: le, kind: ClusterIssuer, group: cert-manager.io}}}"
#define ORDER                                                                            \
	"{apiVersion: acme.cert-manager.io/v1, kind: Order, metadata: {name: o}, spec: " \
	"{request: YQ==, dnsNames: [a.example], issuerRef: {name: le}}}"
#define CHALLENGE                                                                            \
	"{apiVersion: acme.cert-manager.io/v1, kind: Challenge, metadata: {name: h}, spec: " \
	"{url: 'https://ca.example/c/1', authorizationURL: 'https://ca.example/a/1', "       \
	"dnsName: a.example, type: HTTP-01, token: t, key: t.thumb, solver: {http01: {}}, "  \
	"issuerRef: {name: le, kind: ClusterIssuer}}}"
#define SOLVER "spec.acme.solvers.0"
#define AT     "spec.acme.solvers[0]"

static void test_valid(void **state)
{
	static const char *const texts[] = {
		ISSUER,
		CERTIFICATE,
		ORDER,
		CHALLENGE,
		"{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: i}, spec: "
		"{selfSigned: {}}}",
		"{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: i}, spec: {ca: "
		"{secretName: ca}}}",
		"{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: i}, spec: {acme: "
		"{server: 'https://ca.example/dir', preferredChain: Root, profile: shortlived, "
		"skipTLSVerify: true, disableAccountKeyGeneration: true, enableDurationFeature: "
		"true, externalAccountBinding: {keyID: k, keySecretRef: {name: e, key: secret}, "
		"keyAlgorithm: HS256}, privateKeySecretRef: {name: a, key: tls.key}, solvers: "
		"[{selector: {dnsNames: ['*.a.example'], dnsZones: [a.example], matchLabels: {a: "
		"b}}, dns01: {rfc2136: {nameserver: '192.0.2.1:53', tsigKeyName: k, "
		"tsigAlgorithm: HMACSHA256, tsigSecretSecretRef: {name: t, key: k}}}}, {dns01: "
		"{cnameStrategy: Follow, acmeDNS: {host: 'https://d.example', accountSecretRef: "
		"{name: d, key: j}}}}, {dns01: {webhook: {groupName: g, solverName: s, config: "
		"{any: [1]}}}}, {http01: {ingress: {class: nginx}}}, {http01: {}}]}}}",
		"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c}, spec: "
		"{secretName: c, commonName: a.example, ipAddresses: [192.0.2.1, '::1'], "
		"duration: 2160h, renewBefore: 360h0m0s, usages: [server auth, client auth], "
		"isCA: false, revisionHistoryLimit: 1, privateKey: {algorithm: ECDSA, size: 256, "
		"encoding: PKCS8, rotationPolicy: Always}, secretTemplate: {labels: {a: b}, "
		"annotations: {c: d}}, subject: {organizations: [Shop]}, issuerRef: {name: i}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_valid(texts[i]);
}

static void test_issuer_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec", NULL, "spec", CAUSE_REQUIRED, NULL},
		{"spec", "{}", "spec", CAUSE_REQUIRED, "one of acme, ca or selfSigned"},
		{"spec.ca", "{secretName: a}", "spec", CAUSE_FORBIDDEN, "more than one"},
		{"spec", "{vault: {}}", "spec.vault", CAUSE_FORBIDDEN, "not supported"},
		{"spec", "{ca: {}}", "spec.ca.secretName", CAUSE_REQUIRED, NULL},
		{"spec.acme.server", NULL, "spec.acme.server", CAUSE_REQUIRED, NULL},
		{"spec.acme.server", "''", "spec.acme.server", CAUSE_INVALID, "empty"},
		{"spec.acme.server", "'http://ca.example/dir'", "spec.acme.server", CAUSE_INVALID,
		 "https URL"},
		{"spec.acme.email", "true", "spec.acme.email", CAUSE_TYPE, "quote it"},
		{"spec.acme.privateKeySecretRef", NULL, "spec.acme.privateKeySecretRef",
		 CAUSE_REQUIRED, NULL},
		{"spec.acme.privateKeySecretRef.name", "''", "spec.acme.privateKeySecretRef.name",
		 CAUSE_INVALID, NULL},
		{"spec.acme.skipTLSVerify", "'no'", "spec.acme.skipTLSVerify", CAUSE_TYPE, NULL},
		{"spec.acme.caBundle", "'?'", "spec.acme.caBundle", CAUSE_INVALID, "base64"},
		{"spec.acme.caBundle", "aGVsbG8=", "spec.acme.caBundle", CAUSE_INVALID, "PEM"},
		{"spec.acme.externalAccountBinding", "{keyID: k}",
		 "spec.acme.externalAccountBinding.keySecretRef", CAUSE_REQUIRED, NULL},
		{SOLVER, "{}", AT, CAUSE_REQUIRED, "http01, dns01 or tlsALPN01"},
		{SOLVER ".dns01", "{webhook: {groupName: g, solverName: s}}", AT, CAUSE_FORBIDDEN,
		 "more than one solver type"},
		{SOLVER ".http01.ingress", "{}", AT ".http01", CAUSE_FORBIDDEN, "not both"},
		{SOLVER, "{dns01: {}}", AT ".dns01", CAUSE_REQUIRED, "acmeDNS, cloudflare"},
		{SOLVER, "{dns01: {route53: {region: x}}}",
		 AT ".dns01.route53.secretAccessKeySecretRef", CAUSE_REQUIRED, NULL},
		{SOLVER, "{dns01: {webhook: {url: 'ftp://h.example'}}}", AT ".dns01.webhook.url",
		 CAUSE_INVALID, "http or https"},
		{SOLVER, "{dns01: {exec: {script: ../x}}}", AT ".dns01.exec.script", CAUSE_INVALID,
		 "folder of hooks"},
		{SOLVER, "{dns01: {nameservers: [ns.example], exec: {script: x}}}",
		 AT ".dns01.nameservers[0]", CAUSE_INVALID, "address"},
		{SOLVER, "{dns01: {akamai: {}}}", AT ".dns01.akamai", CAUSE_FORBIDDEN,
		 "not supported"},
		{SOLVER, "{dns01: {rfc2136: {}}}", AT ".dns01.rfc2136.nameserver", CAUSE_REQUIRED,
		 NULL},
		{SOLVER ".http01.gatewayHTTPRoute.parentRefs.0.name", NULL,
		 AT ".http01.gatewayHTTPRoute.parentRefs[0].name", CAUSE_REQUIRED, NULL},
		{SOLVER ".selector", "{dnsNames: [A]}", AT ".selector.dnsNames[0]", CAUSE_INVALID,
		 NULL},
		{"spec.acme.solvers", NULL, NULL, 0, NULL},
	};

	(void)state;
	check_mistakes(ISSUER, mistakes, ARRAY_LEN(mistakes));
}

static void test_bundle_or_no_check(void **state)
{
	/* base64 of "-----BEGIN CERTIFICATE-----" */
	static const struct mistake both = {
		"spec.acme.caBundle", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
		"spec.acme.skipTLSVerify", CAUSE_FORBIDDEN, "cannot both be set"};

	(void)state;
	check_mistake("{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: i}, spec: "
		      "{acme: {server: 'https://ca.example/dir', skipTLSVerify: true, "
		      "privateKeySecretRef: {name: a}}}}",
		      NULL, &both);
}

static void test_email_remark(void **state)
{
	static const struct {
		const char *email;
		size_t warnings;
	} cases[] = {{"admin@example.com", 0},
		     {"a+b@mail.example.com", 0},
		     {"", 0},
		     {"admin", 1},
		     {"admin@", 1},
		     {"@example.com", 1},
		     {"a b@example.com", 1},
		     {"a@b@example.com", 1},
		     {"not an email", 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = doc(ISSUER);

		json_set_at(body, "spec.acme.email", json_string(cases[i].email));

		AUTO(admitted_deinit) struct admitted made = admit(body, NULL, FIELDS_STRICT);

		if (made.object == NULL || json_array_size(made.warnings) != cases[i].warnings)
			fail_msg("%s: %zu", cases[i].email, json_array_size(made.warnings));
	}
}

static void test_certificate_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.secretName", NULL, "spec.secretName", CAUSE_REQUIRED, NULL},
		{"spec.secretName", "A", "spec.secretName", CAUSE_INVALID, NULL},
		{"spec.dnsNames", NULL, "spec", CAUSE_REQUIRED, "at least one of dnsNames"},
		{"spec.dnsNames", "[]", "spec", CAUSE_REQUIRED, NULL},
		{"spec.dnsNames", "[a_b.example]", "spec.dnsNames[0]", CAUSE_INVALID, NULL},
		{"spec.dnsNames", "['https://a.example']", "spec.dnsNames[0]", CAUSE_INVALID, NULL},
		{"spec.ipAddresses", "[a.example]", "spec.ipAddresses[0]", CAUSE_INVALID, NULL},
		{"spec.issuerRef", NULL, "spec.issuerRef", CAUSE_REQUIRED, NULL},
		{"spec.issuerRef.name", NULL, "spec.issuerRef.name", CAUSE_REQUIRED, NULL},
		{"spec.issuerRef.kind", "Clusterissuer", "spec.issuerRef.kind", CAUSE_INVALID,
		 "Issuer or ClusterIssuer"},
		{"spec.issuerRef.group", "a.example", "spec.issuerRef.group", CAUSE_INVALID, NULL},
		{"spec.duration", "90 days", "spec.duration", CAUSE_INVALID, "a duration"},
		{"spec.duration", "30m", "spec.duration", CAUSE_INVALID, "at least 1h"},
		{"spec.renewBefore", "1m", "spec.renewBefore", CAUSE_INVALID, "at least 5m"},
		{"spec.renewBeforePercentage", "100", "spec.renewBeforePercentage", CAUSE_INVALID,
		 NULL},
		{"spec.privateKey", "{algorithm: DSA}", "spec.privateKey.algorithm",
		 CAUSE_NOT_SUPPORTED, "\"ECDSA\""},
		{"spec.privateKey", "{size: 1024}", "spec.privateKey.size", CAUSE_INVALID, "2048"},
		{"spec.privateKey", "{algorithm: ECDSA, size: 521}", "spec.privateKey.size",
		 CAUSE_INVALID, NULL},
		{"spec.privateKey", "{rotationPolicy: never}", "spec.privateKey.rotationPolicy",
		 CAUSE_NOT_SUPPORTED, NULL},
		{"spec.usages", "[server]", "spec.usages[0]", CAUSE_NOT_SUPPORTED, NULL},
		{"spec.revisionHistoryLimit", "0", "spec.revisionHistoryLimit", CAUSE_INVALID,
		 NULL},
		{"spec.uris", "['no uri']", "spec.uris[0]", CAUSE_INVALID, "absolute URI"},
		{"spec.uris", "[relative]", "spec.uris[0]", CAUSE_INVALID, "absolute URI"},
		{"spec.emailAddresses", "['A <a@b>']", "spec.emailAddresses[0]", CAUSE_INVALID,
		 "bare mail address"},
		{"spec.keystores", "{}", "spec.keystores", CAUSE_FORBIDDEN, "not supported"},
	};

	(void)state;
	check_mistakes(CERTIFICATE, mistakes, ARRAY_LEN(mistakes));
}

static void test_renewal_times(void **state)
{
	static const struct mistake before = {"spec.renewBefore", "24h", "spec.renewBefore",
					      CAUSE_INVALID, "less than spec.duration"};
	static const struct mistake percent = {"spec.renewBefore", "6h",
					       "spec.renewBeforePercentage", CAUSE_FORBIDDEN,
					       "cannot both"};

	(void)state;
	check_mistake("{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c}, "
		      "spec: {secretName: c, dnsNames: [a], duration: 24h, issuerRef: {name: i}}}",
		      NULL, &before);
	check_mistake("{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: c}, "
		      "spec: {secretName: c, dnsNames: [a], renewBeforePercentage: 50, issuerRef: "
		      "{name: i}}}",
		      NULL, &percent);
}

static json_t *request_text(void)
{
	static const struct str_view name = SV_INIT("a.example");
	struct cert_names names = {.dns = &name, .dns_count = 1};
	struct err err = {0};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, &err);
	struct buf der, pem, text;
	json_t *value;

	buf_init(&der, 4096);
	buf_init(&pem, 8192);
	buf_init(&text, 16384);
	assert_int_equal(csr_make(key, &names, &der, &err), 0);
	assert_int_equal(csr_to_pem(buf_view(&der), &pem, &err), 0);
	assert_true(enc_base64(&text, buf_view(&pem)));
	value = json_sv(buf_view(&text));
	buf_deinit(&der);
	buf_deinit(&pem);
	buf_deinit(&text);
	return value;
}

static void test_request(void **state)
{
	AUTO(auto_json)
	json_t *body =
		doc("{apiVersion: cert-manager.io/v1, kind: CertificateRequest, metadata: {name: "
		    "r}, spec: {request: aGVsbG8=, issuerRef: {name: i}, usages: [server auth]}}");
	AUTO(admitted_deinit) struct admitted bad = admit(body, NULL, FIELDS_STRICT);

	(void)state;
	json_set_at(body, "spec.request", request_text());

	AUTO(admitted_deinit) struct admitted good = admit(body, NULL, FIELDS_STRICT);

	json_set_at(body, "spec.isCA", json_true());

	AUTO(admitted_deinit) struct admitted changed = admit(body, good.object, FIELDS_STRICT);

	assert_null(bad.object);
	assert_string_equal(bad.causes.list[0].field, "spec.request");
	if (good.object == NULL)
		fail_msg("%s", good.err.msg);
	assert_null(changed.object);
	assert_string_equal(changed.causes.list[0].field, "spec");
}

static void test_order_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.request", NULL, "spec.request", CAUSE_REQUIRED, NULL},
		{"spec.request", "'?'", "spec.request", CAUSE_INVALID, "base64"},
		{"spec.dnsNames", "[A]", "spec.dnsNames[0]", CAUSE_INVALID, NULL},
	};
	static const struct mistake change = {"spec.dnsNames", "[b.example]", "spec", CAUSE_INVALID,
					      "immutable"};
	AUTO(auto_json) json_t *old = stored(ORDER);

	(void)state;
	check_mistakes(ORDER, mistakes, ARRAY_LEN(mistakes));
	check_mistake(ORDER, old, &change);
}

static void test_challenge_mistakes(void **state)
{
	static const struct mistake mistakes[] = {
		{"spec.url", "file:///etc/shadow", "spec.url", CAUSE_INVALID, "http"},
		{"spec.type", "http-01", "spec.type", CAUSE_NOT_SUPPORTED, NULL},
		{"spec.key", NULL, "spec.key", CAUSE_REQUIRED, NULL},
		{"spec.key", "''", "spec.key", CAUSE_INVALID, "Invalid value: \"\""},
		{"spec.solver", "{}", "spec.solver", CAUSE_REQUIRED, NULL},
	};

	(void)state;
	check_mistakes(CHALLENGE, mistakes, ARRAY_LEN(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_issuer_mistakes),
		cmocka_unit_test(test_bundle_or_no_check),
		cmocka_unit_test(test_email_remark),
		cmocka_unit_test(test_certificate_mistakes),
		cmocka_unit_test(test_renewal_times),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_order_mistakes),
		cmocka_unit_test(test_challenge_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
