/* BackendTLSPolicies: which one holds, what it comes to, what its status says; through a worker. */
#include "gwlab.h"

#include "base/own.h"

#define API "apiVersion: gateway.networking.k8s.io/v1\n"
#define GATEWAY                                                    \
	API "kind: Gateway\nmetadata: {name: gw}\n"                \
	    "spec:\n  gatewayClassName: sallyport\n"               \
	    "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n" \
	    "  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
#define SERVICE                                                                \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"          \
	"spec: {ports: [{name: main, port: 80}]}\n"                            \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"          \
	"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n" \
	"addressType: IPv4\nports: [{name: main, port: 1}]\n"                  \
	"endpoints: [{addresses: [127.0.0.1]}]\n"
#define ROUTE                                                   \
	"---\n" API "kind: HTTPRoute\nmetadata: {name: shop}\n" \
	"spec:\n  parentRefs: [{name: gw}]\n"                   \
	"  rules:\n  - backendRefs: [{name: web, port: 80}]\n"
#define POLICY(name, section, refs)                                              \
	API "kind: BackendTLSPolicy\nmetadata: {name: " name "}\nspec:\n"        \
	    "  targetRefs: [{group: '', kind: Service, name: web" section "}]\n" \
	    "  validation: {hostname: web.test, caCertificateRefs: [" refs "]}\n"
#define REF(kind, name) "{group: '', kind: " kind ", name: " name "}"
#define KEY(name)       "gateway.networking.k8s.io/backendtlspolicies/default/" name
#define CONDITIONS      "status.ancestors.0.conditions"
#define CONFIGMAP(name) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata:\n"
#define PEM                                                                      \
	"  ca.crt: |\n"                                                          \
	"    -----BEGIN CERTIFICATE-----\n"                                      \
	"    MIIBfDCCASGgAwIBAgIUUDpeGI0duE4sjG6a7hFmdLhfj4MwCgYIKoZIzj0EAwIw\n" \
	"    EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjMwNTE0NTBaGA8yMTI2MTAzMDA1\n" \
	"    MTQ1MFowEjEQMA4GA1UEAwwHVGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n" \
	"    A0IABCIz2IJXGIFqK0HJkIDqXSBVj0BTIOxdvDy8AXh8LoWUFryq3fvsCValVQwH\n" \
	"    Bp41iFt1j46/Ov7KV5xiyasY746jUzBRMB0GA1UdDgQWBBR363yorwoEdRnjaO8J\n" \
	"    iqEM45uy0jAfBgNVHSMEGDAWgBR363yorwoEdRnjaO8JiqEM45uy0jAPBgNVHRMB\n" \
	"    Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC2hw+isrGmpIkN7AtPHO+nabDX\n" \
	"    2JysrL0vAxfI0dER8gIhAKPsjdMdgIGLfqAK6v1BVKtblDRDuvg/ok7PrYhkFjKz\n" \
	"    -----END CERTIFICATE-----\n"

static int setup(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	lab_start(lab);
	lab_apply(lab, GATEWAY SERVICE ROUTE);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_stop(*state);
	free(*state);
	return 0;
}

static void expect(struct lab *lab, const char *key, const char *accepted, const char *refs)
{
	lab_expect(lab, key, CONDITIONS, "Accepted", accepted);
	lab_expect(lab, key, CONDITIONS, "ResolvedRefs", refs);
}

/* Nobody listens at the endpoint: 503 is the answer when it is tried, 500 when it is not. */
static void follows_its_ca(void **state)
{
	struct lab *lab = *state;

	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_apply(lab, POLICY("p", "", REF("ConfigMap", "ca")));
	expect(lab, KEY("p"), "False/NoValidCACertificate", "False/InvalidCACertificateRef");
	lab_expect_get(lab, "a.test", "/", 500, NULL); /* never in clear text */
	lab_apply(lab, CONFIGMAP("ca") PEM);
	expect(lab, KEY("p"), "True/Accepted", "True/ResolvedRefs");
	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_apply(lab, CONFIGMAP("ca") "  ca.crt: nonsense\n");
	expect(lab, KEY("p"), "False/NoValidCACertificate", "False/InvalidCACertificateRef");
	lab_expect_get(lab, "a.test", "/", 500, NULL);
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.0.conditions", "ResolvedRefs",
		   "True/ResolvedRefs");
	lab_delete(lab, KEY("p"));
	lab_expect_get(lab, "a.test", "/", 503, NULL);
}

static void tells_its_references(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, CONFIGMAP("ca") PEM);
	lab_apply(lab, POLICY("p", "", REF("ConfigMap", "ca") ", " REF("Secret", "none")));
	expect(lab, KEY("p"), "True/Accepted", "False/InvalidCACertificateRef");
	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_apply(lab, POLICY("p", "", "{group: a.b, kind: Thing, name: x}"));
	expect(lab, KEY("p"), "False/NoValidCACertificate", "False/InvalidKind");
}

/* The older holds, here the first by name; one for the port goes before both. */
static void resolves_conflicts(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, CONFIGMAP("ca") PEM);
	lab_apply(lab, POLICY("a", "", REF("ConfigMap", "ca")));
	lab_apply(lab, POLICY("b", "", REF("ConfigMap", "missing")));
	expect(lab, KEY("a"), "True/Accepted", "True/ResolvedRefs");
	lab_expect(lab, KEY("b"), CONDITIONS, "Accepted", "False/Conflicted");
	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_apply(lab, POLICY("c", ", sectionName: main", REF("ConfigMap", "missing")));
	lab_expect(lab, KEY("c"), CONDITIONS, "Accepted", "False/NoValidCACertificate");
	lab_expect(lab, KEY("a"), CONDITIONS, "Accepted", "True/Accepted");
	lab_expect_get(lab, "a.test", "/", 500, NULL);
	lab_delete(lab, KEY("c"));
	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_delete(lab, KEY("a"));
	lab_expect(lab, KEY("b"), CONDITIONS, "Accepted", "False/NoValidCACertificate");
	lab_expect_get(lab, "a.test", "/", 500, NULL);
}

/* A section or a Service that is not there: the policy is for nothing, and says so. */
static void is_for_what_is_there(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, CONFIGMAP("ca") PEM);
	lab_apply(lab, POLICY("p", ", sectionName: other", REF("ConfigMap", "ca")));
	expect(lab, KEY("p"), "False/TargetNotFound", "True/ResolvedRefs");
	lab_expect_words(lab, KEY("p"), CONDITIONS, "Accepted", "default/web has no port other");
	lab_expect_get(lab, "a.test", "/", 503, NULL);
	lab_apply(lab, POLICY("p", ", sectionName: main", REF("ConfigMap", "ca")));
	expect(lab, KEY("p"), "True/Accepted", "True/ResolvedRefs");
	lab_delete(lab, "core/services/default/web");
	expect(lab, KEY("p"), "False/TargetNotFound", "True/ResolvedRefs");
	lab_expect_words(lab, KEY("p"), CONDITIONS, "Accepted", "default/web does not exist");
	lab_apply(lab, "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		       "spec: {ports: [{name: main, port: 80}]}\n");
	expect(lab, KEY("p"), "True/Accepted", "True/ResolvedRefs");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(follows_its_ca),
		EACH(tells_its_references),
		EACH(resolves_conflicts),
		EACH(is_for_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
