/* ListenerSets: who may add listeners, which of them win, what attaches, certificates, statuses. */
#include "gwlab.h"

#include "base/own.h"

#define SET_KEY(ns, name) "gateway.networking.k8s.io/listenersets/" ns "/" name
#define CONDITIONS        "status.conditions"
#define FIRST             "status.listeners.0.conditions"
#define GATEWAY(allowed)                                            \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n" \
	"metadata: {name: gw, namespace: default}\n"                \
	"spec:\n  gatewayClassName: sallyport\n"                    \
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"      \
	"  allowedListeners: {namespaces: {" allowed "}}\n"         \
	"  listeners: [{name: own, port: %P%, protocol: HTTP, hostname: own.example.com}]\n---\n"
#define SET(ns, name, listeners)                                        \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\n" \
	"metadata: {name: " name ", namespace: " ns "}\nspec:\n"        \
	"  parentRef: {name: gw, namespace: default}\n  listeners:\n" listeners "---\n"
#define HTTP(name, host) "  - {name: " name ", port: %P%, protocol: HTTP, hostname: " host "}\n"
#define NAMESPACE(name, labels) \
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: " name ", labels: {" labels "}}\n---\n"
#define SERVICE                                                                \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n"                            \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"          \
	"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n" \
	"addressType: IPv4\nports: [{name: http, port: %Q%}]\n"                \
	"endpoints: [{addresses: [127.0.0.1]}]\n---\n"
#define ROUTE(name, parent)                                                          \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"                \
	"metadata: {name: " name "}\nspec:\n  parentRefs: [{" parent "}]\n  rules: " \
	"[{backendRefs: [{name: web, port: 80}]}]\n---\n"

static int setup(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	lab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_stop(*state);
	free(*state);
	return 0;
}

static int attached_sets(struct lab *lab)
{
	return (int)json_int_at(lab_object(lab, GW_KEY("gw")), "status.attachedListenerSets", -1);
}

static void gateways_allow_whom_they_name(void **state)
{
	static const struct {
		const char *allowed;
		bool own, other; /* namespaces */
	} cases[] = {
		{GATEWAY("from: None"), false, false},
		{GATEWAY(""), false, false},
		{GATEWAY("from: Same"), true, false},
		{GATEWAY("from: All"), true, true},
		{GATEWAY("from: Selector, selector: {matchLabels: {team: shop}}"), false, true},
	};
	struct lab *lab = *state;

	lab_apply(lab,
		  NAMESPACE("shop", "team: shop") SET("default", "a", HTTP("a", "a.example.com"))
			  SET("shop", "b", HTTP("b", "b.example.com")));
	lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Accepted", "Unknown/Pending");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		lab_apply(lab, cases[i].allowed);
		lab_expect(lab, SET_KEY("default", "a"), CONDITIONS, "Accepted",
			   cases[i].own ? "True/Accepted" : "False/NotAllowed");
		lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Accepted",
			   cases[i].other ? "True/Accepted" : "False/NotAllowed");
		lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Programmed",
			   cases[i].other ? "True/Programmed" : "False/NotAllowed");
		assert_int_equal(attached_sets(lab), cases[i].own + cases[i].other);
	}
	lab_apply(lab, NAMESPACE("shop", "team: none"));
	lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Accepted", "False/NotAllowed");
	lab_delete(lab, GW_KEY("gw"));
	lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Accepted", "Unknown/Pending");
}

/* Older by creation or, in the same second, first by name. */
static void the_gateway_wins_then_the_first_set(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY("from: Same"));
	lab_apply(lab, SET("default", "a",
			   HTTP("one", "own.example.com") HTTP("two", "both.example.com")));
	lab_apply(lab, SET("default", "b",
			   HTTP("one", "b.example.com") HTTP("two", "both.example.com")));
	lab_apply(lab, SET("default", "c", HTTP("one", "both.example.com")));
	lab_expect(lab, GW_KEY("gw"), CONDITIONS, "Accepted", "True/Accepted");
	lab_expect(lab, GW_KEY("gw"), FIRST, "Conflicted", "False/NoConflicts");
	lab_expect(lab, SET_KEY("default", "a"), FIRST, "Conflicted", "True/HostnameConflict");
	lab_expect_words(lab, SET_KEY("default", "a"), FIRST, "Conflicted", "Gateway default/gw");
	lab_expect(lab, SET_KEY("default", "a"), "status.listeners.1.conditions", "Programmed",
		   "True/Programmed");
	lab_expect(lab, SET_KEY("default", "b"), FIRST, "Programmed", "True/Programmed");
	lab_expect(lab, SET_KEY("default", "b"), "status.listeners.1.conditions", "Accepted",
		   "False/HostnameConflict");
	lab_expect(lab, SET_KEY("default", "b"), CONDITIONS, "Accepted", "True/ListenersNotValid");
	lab_expect(lab, SET_KEY("default", "c"), CONDITIONS, "Accepted", "False/ListenersNotValid");
	lab_expect(lab, SET_KEY("default", "c"), CONDITIONS, "Programmed",
		   "False/ListenersNotValid");
	assert_int_equal(attached_sets(lab), 2);
	lab_delete(lab, SET_KEY("default", "a"));
	lab_expect(lab, SET_KEY("default", "b"), CONDITIONS, "Accepted", "True/Accepted");
}

static void routes_name_the_set_or_the_gateway(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY("from: Same") SET("default", "a", HTTP("more", "a.example.com"))
			       SERVICE ROUTE("shop", "kind: ListenerSet, name: a")
				       ROUTE("site", "name: gw")
					       ROUTE("lost", "name: gw, sectionName: more")
						       ROUTE("none", "kind: ListenerSet, name: z"));
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.0.conditions", "Accepted",
		   "True/Accepted");
	lab_expect(lab, ROUTE_KEY("lost"), "status.parents.0.conditions", "Accepted",
		   "False/NoMatchingParent");
	lab_expect(lab, ROUTE_KEY("none"), "status.parents.0.conditions", "Accepted",
		   "False/NoMatchingParent");
	assert_int_equal(json_int_at(lab_object(lab, SET_KEY("default", "a")),
				     "status.listeners.0.attachedRoutes", -1),
			 1);
	assert_int_equal(
		json_int_at(lab_object(lab, GW_KEY("gw")), "status.listeners.0.attachedRoutes", -1),
		1);
	lab_expect_get(lab, "a.example.com", "/x", 200, "origin /x");
	lab_expect_get(lab, "own.example.com", "/x", 200, "origin /x");
	lab_delete(lab, ROUTE_KEY("site"));
	lab_expect_get(lab, "own.example.com", "/x", 404, NULL);
	lab_expect_get(lab, "a.example.com", "/x", 200, "origin /x");
	lab_delete(lab, SET_KEY("default", "a"));
	lab_expect_get(lab, "a.example.com", "/x", 404, NULL);
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.0.conditions", "Accepted",
		   "False/NoMatchingParent");
}

/* ---- certificates ---- */

#define HTTPS(name, host, secret)                                                     \
	"  - {name: " name ", port: %P%, protocol: HTTPS, hostname: " host            \
	", tls: {certificateRefs: [" secret "]}, allowedRoutes: {namespaces: {from: " \
	"All}}}\n"
#define TLS_GATEWAY                                                                       \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw, "  \
	"annotations: {cert-manager.io/cluster-issuer: le}}\nspec:\n  gatewayClassName: " \
	"sallyport\n  addresses: [{value: 127.0.0.1}]\n  allowedListeners: {namespaces: " \
	"{from: All}}\n  listeners: [{name: own, port: %P%, protocol: HTTPS, tls: "       \
	"{certificateRefs: [{name: own}]}}]\n---\n"
#define CERT_KEY(name) "cert-manager.io/certificates/shop/" name

static void secrets_and_grants_are_those_of_the_set(void **state)
{
	struct lab *lab = *state;
	AUTO(auto_free) char *near = lab_secret("shop", "near", "near.example.com");
	AUTO(auto_free) char *far = lab_secret("default", "far", "far.example.com");
	AUTO(auto_free) char *serial = NULL;

	lab_apply(lab, NAMESPACE("shop", ""));
	lab_apply(lab, near);
	lab_apply(lab, far);
	lab_apply(lab,
		  TLS_GATEWAY SET("shop", "a", HTTPS("near", "near.example.com", "{name: near}"))
			  SET("shop", "b",
			      HTTPS("far", "far.example.com", "{name: far, namespace: default}")));
	lab_expect(lab, SET_KEY("shop", "a"), FIRST, "ResolvedRefs", "True/ResolvedRefs");
	lab_expect(lab, SET_KEY("shop", "b"), FIRST, "ResolvedRefs", "False/RefNotPermitted");
	lab_expect(lab, SET_KEY("shop", "b"), CONDITIONS, "Accepted", "False/ListenersNotValid");
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\n"
		       "metadata: {name: g}\nspec: {from: [{group: gateway.networking.k8s.io, "
		       "kind: ListenerSet, namespace: shop}], to: [{group: '', kind: Secret}]}\n");
	lab_expect(lab, SET_KEY("shop", "b"), FIRST, "Programmed", "True/Programmed");
	serial = lab_handshake(lab, "far.example.com");
	assert_non_null(serial);
}

static void issuers_are_asked_for_sets_too(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, NAMESPACE("shop", "") TLS_GATEWAY SET(
			       "shop", "a", HTTPS("x", "x.example.com", "{name: x}")));
	assert_string_equal(json_str_at(lab_object(lab, CERT_KEY("x")), "spec.issuerRef.name"),
			    "le");
	assert_string_equal(
		json_str_at(lab_object(lab, CERT_KEY("x")), "metadata.ownerReferences.0.kind"),
		"ListenerSet");
	lab_apply(lab,
		  "apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {name: "
		  "a, namespace: shop, annotations: {cert-manager.io/issuer: mine}}\nspec:\n"
		  "  parentRef: {name: gw, namespace: default}\n  listeners:\n" HTTPS(
			  "x", "x.example.com", "{name: x}"));
	assert_string_equal(json_str_at(lab_object(lab, CERT_KEY("x")), "spec.issuerRef.kind"),
			    "Issuer");
	lab_delete(lab, SET_KEY("shop", "a"));
	assert_null(store_get(lab->store, SV(CERT_KEY("x"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gateways_allow_whom_they_name, setup, teardown),
		cmocka_unit_test_setup_teardown(the_gateway_wins_then_the_first_set, setup,
						teardown),
		cmocka_unit_test_setup_teardown(routes_name_the_set_or_the_gateway, setup,
						teardown),
		cmocka_unit_test_setup_teardown(secrets_and_grants_are_those_of_the_set, setup,
						teardown),
		cmocka_unit_test_setup_teardown(issuers_are_asked_for_sets_too, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
