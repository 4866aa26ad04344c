/* Certificates for the hostnames of the routes on a listener without one. */
#include "certlab.h"

static const char setting[] =
	"apiVersion: cert-manager.io/v1\n"
	"kind: ClusterIssuer\n"
	"metadata: {name: self}\n"
	"spec: {selfSigned: {}}\n"
	"---\n"
	"apiVersion: gateway.networking.k8s.io/v1\n"
	"kind: Gateway\n"
	"metadata:\n"
	"  name: gw\n"
	"  annotations:\n"
	"    cert-manager.io/cluster-issuer: self\n"
	"    cert-manager.io/private-key-algorithm: ECDSA\n"
	"    sallyport.dev/certificates: routes\n"
	"spec:\n"
	"  gatewayClassName: sallyport\n"
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
	"  listeners:\n"
	"  - {name: any, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}\n"
	"  - {name: own, port: %P%, protocol: HTTPS, hostname: own.example,\n"
	"     tls: {certificateRefs: [{name: own}]}}\n";

static void apply_route(struct certlab *lab, const char *name, const char *hostnames)
{
	AUTO(auto_free)
	char *yaml = xasprintf("apiVersion: gateway.networking.k8s.io/v1\n"
			       "kind: HTTPRoute\n"
			       "metadata: {name: %s}\n"
			       "spec:\n"
			       "  parentRefs: [{name: gw}]\n"
			       "  hostnames: %s\n"
			       "  rules: [{filters: [{type: RequestRedirect, requestRedirect: "
			       "{statusCode: 302, hostname: x.example}}]}]\n",
			       name, hostnames);

	certlab_apply(lab, yaml);
}

static const char *listener_words(struct certlab *lab)
{
	const json_t *gateway = certlab_get(lab, "gateway.networking.k8s.io/gateways/default/gw");
	const char *words = json_str_at(
		condition_find(json_at(gateway, "status.listeners.0.conditions"), "ResolvedRefs"),
		"message");

	return words == NULL ? "" : words;
}

static bool says_none(struct certlab *lab, const void *arg)
{
	(void)arg;
	return strstr(listener_words(lab), "each hostname of an HTTPRoute") != NULL;
}

static bool says_nothing(struct certlab *lab, const void *arg)
{
	return !says_none(lab, arg);
}

static bool is_absent(struct certlab *lab, const void *arg)
{
	return certlab_get(lab, arg) == NULL;
}

static bool set_is_served(struct certlab *lab, const void *arg)
{
	const json_t *set = certlab_get(lab, "gateway.networking.k8s.io/listenersets/default/more");
	const json_t *condition =
		condition_find(json_at(set, "status.listeners.0.conditions"), "ResolvedRefs");

	(void)arg;
	return sv_eq(json_sv_at(condition, "status"), SV("True"));
}

static void test_names_of_routes(void **state)
{
	struct certlab lab;
	char serial[65];

	(void)state;
	certlab_open(&lab, NULL, "127.0.0.1:9");
	certlab_start(&lab);
	certlab_apply(&lab, setting);
	certlab_until(&lab, says_none, NULL, "the listener to say what it waits for");
	apply_route(&lab, "r", "[a.example, own.example, '*.w.example']");
	certlab_expect(&lab, CERT_KEY("tls-a.example"), "Ready", "True/Ready");
	certlab_expect(&lab, CERT_KEY("tls-wildcard.w.example"), "Ready", "True/Ready");
	certlab_expect(&lab, CERT_KEY("own"), "Ready", "True/Ready");
	certlab_check_pair(&lab, SECRET_KEY("tls-a.example"), "a.example", serial);
	certlab_check_pair(&lab, SECRET_KEY("tls-wildcard.w.example"), "*.w.example", serial);
	certlab_until(&lab, says_nothing, NULL, "the certificates to be served");
	certlab_settle(&lab);
	assert_null(certlab_get(&lab, CERT_KEY("tls-own.example"))); /* the other listener's */
	apply_route(&lab, "other", "[b.example, a.example]");
	certlab_expect(&lab, CERT_KEY("tls-b.example"), "Ready", "True/Ready");
	/* what no route names any more goes; what another one names stays */
	apply_route(&lab, "r", "['*.w.example']");
	certlab_delete(&lab, "gateway.networking.k8s.io/httproutes/default/r");
	certlab_until(&lab, is_absent, CERT_KEY("tls-wildcard.w.example"), "its end");
	certlab_settle(&lab);
	assert_non_null(certlab_get(&lab, CERT_KEY("tls-a.example")));
	certlab_close(&lab);
}

static void test_not_allowed(void **state)
{
	static const char stranger[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n"
				       "---\n"
				       "apiVersion: gateway.networking.k8s.io/v1\n"
				       "kind: HTTPRoute\n"
				       "metadata: {name: r, namespace: far}\n"
				       "spec:\n"
				       "  parentRefs: [{name: gw, namespace: default}]\n"
				       "  hostnames: [far.example]\n";
	struct certlab lab;

	(void)state;
	certlab_open(&lab, NULL, "127.0.0.1:9");
	certlab_start(&lab);
	certlab_apply(&lab, setting);
	certlab_apply(&lab, stranger);
	apply_route(&lab, "near", "[near.example]");
	certlab_expect(&lab, CERT_KEY("tls-near.example"), "Ready", "True/Ready");
	certlab_settle(&lab);
	assert_null(certlab_get(&lab, CERT_KEY("tls-far.example")));
	certlab_close(&lab);
}

/* A ListenerSet asks for its own listeners; those of the Gateway get nothing by it. */
static void test_of_a_set(void **state)
{
	static const char set[] =
		"apiVersion: cert-manager.io/v1\n"
		"kind: ClusterIssuer\n"
		"metadata: {name: self}\n"
		"spec: {selfSigned: {}}\n"
		"---\n"
		"apiVersion: gateway.networking.k8s.io/v1\n"
		"kind: Gateway\n"
		"metadata:\n"
		"  name: gw\n"
		"  annotations: {cert-manager.io/cluster-issuer: self}\n"
		"spec:\n"
		"  gatewayClassName: sallyport\n"
		"  allowedListeners: {namespaces: {from: Same}}\n"
		"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
		"  listeners:\n"
		"  - {name: own, port: %P%, protocol: HTTPS, hostname: own.example,\n"
		"     tls: {certificateRefs: [{name: own}]}}\n"
		"---\n"
		"apiVersion: gateway.networking.k8s.io/v1\n"
		"kind: ListenerSet\n"
		"metadata:\n"
		"  name: more\n"
		"  annotations:\n"
		"    cert-manager.io/private-key-algorithm: ECDSA\n"
		"    sallyport.dev/certificates: routes\n"
		"spec:\n"
		"  parentRef: {name: gw}\n"
		"  listeners:\n"
		"  - {name: any, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: "
		"more}]}}\n"
		"---\n"
		"apiVersion: gateway.networking.k8s.io/v1\n"
		"kind: HTTPRoute\n"
		"metadata: {name: r}\n"
		"spec:\n"
		"  parentRefs: [{kind: ListenerSet, name: more}]\n"
		"  hostnames: [a.example]\n"
		"  rules: [{filters: [{type: RequestRedirect, requestRedirect: "
		"{statusCode: 302, hostname: x.example}}]}]\n";
	struct certlab lab;
	char serial[65];

	(void)state;
	certlab_open(&lab, NULL, "127.0.0.1:9");
	certlab_start(&lab);
	certlab_apply(&lab, set);
	certlab_expect(&lab, CERT_KEY("more-a.example"), "Ready", "True/Ready");
	certlab_check_pair(&lab, SECRET_KEY("more-a.example"), "a.example", serial);
	certlab_until(&lab, set_is_served, NULL, "the certificate to be served");
	apply_route(&lab, "of-the-gateway", "[b.example]");
	certlab_settle(&lab);
	assert_null(certlab_get(&lab, CERT_KEY("more-b.example")));
	certlab_delete(&lab, "gateway.networking.k8s.io/httproutes/default/r");
	certlab_until(&lab, is_absent, CERT_KEY("more-a.example"), "its end");
	certlab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_routes),
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_of_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
