/* What the store says is what is served and what the statuses say: through a real worker. */
#include "gwlab.h"

#include "objects.h"

#include "base/own.h"
#include "controller/gateway.h"
#include "controller/tokens.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATEWAY                                                     \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n" \
	"metadata: {name: gw, namespace: default}\n"                \
	"spec:\n  gatewayClassName: sallyport\n"                    \
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"      \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
#define SERVICE                                                                \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"          \
	"spec: {ports: [{name: http, port: 80}]}\n"                            \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"          \
	"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n" \
	"addressType: IPv4\nports: [{name: http, port: %Q%}]\n"                \
	"endpoints: [{addresses: [127.0.0.1]}]\n"
#define ROUTE                                                                  \
	"---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"     \
	"metadata: {name: shop}\n"                                             \
	"spec:\n  parentRefs: [{name: gw}]\n  hostnames: [shop.example.com]\n" \
	"  rules:\n  - backendRefs: [{name: web, port: 80}]\n"

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

static void serves_from_start_to_end(void **state)
{
	struct lab *lab = *state;
	const json_t *gateway;

	assert_true(controllers_ready(lab->ctl));
	lab_expect(lab, "gateway.networking.k8s.io/gatewayclasses//sallyport", "status.conditions",
		   "Accepted", "True/Accepted");
	lab_apply(lab, GATEWAY SERVICE ROUTE);
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Accepted", "True/Accepted");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "True/Programmed");
	lab_expect(lab, GW_KEY("gw"), "status.listeners.0.conditions", "Programmed",
		   "True/Programmed");
	lab_expect(lab, GW_KEY("gw"), "status.listeners.0.conditions", "Conflicted",
		   "False/NoConflicts");
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.0.conditions", "Accepted",
		   "True/Accepted");
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.0.conditions", "ResolvedRefs",
		   "True/ResolvedRefs");
	gateway = lab_object(lab, GW_KEY("gw"));
	assert_int_equal(json_int_at(gateway, "status.listeners.0.attachedRoutes", -1), 1);
	assert_string_equal(json_str_at(gateway, "status.addresses.0.value"), "127.0.0.1");
	lab_expect_get(lab, "shop.example.com", "/a/b", 200, "origin /a/b");
	lab_expect_get(lab, "other.example.com", "/", 404, NULL);
	lab_delete(lab, ROUTE_KEY("shop"));
	lab_expect_get(lab, "shop.example.com", "/a/b", 404, NULL);
	assert_int_equal(
		json_int_at(lab_object(lab, GW_KEY("gw")), "status.listeners.0.attachedRoutes", -1),
		0);
	lab_delete(lab, GW_KEY("gw"));
	assert_null(lab_get(lab, "shop.example.com", "/"));
}

/* ---- what a route says ---- */

#define PARENT "status.parents.0.conditions"

struct route_case {
	const char *name;
	const char *rule;            /* of the route, in flow style */
	const char *accepted, *refs; /* conditions */
	const char *partly;          /* PartiallyInvalid */
	int status;                  /* of a request */
	const char *words;           /* in the message of the condition that is not fine */
};

static void apply_route(struct lab *lab, const char *rule)
{
	AUTO(auto_free)
	char *text = xasprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
			       "metadata: {name: shop}\nspec: {parentRefs: [{name: gw}], "
			       "hostnames: [shop.example.com], rules: [%s]}\n",
			       rule);

	lab_apply(lab, text);
}

#define WEB "backendRefs: [{name: web, port: 80}]"

static const struct route_case route_cases[] = {
	{"fine", "{" WEB "}", "True/Accepted", "True/ResolvedRefs", "none", 200, NULL},
	{"no backends", "{backendRefs: []}", "True/Accepted", "True/ResolvedRefs", "none", 500,
	 NULL},
	{"no such Service", "{backendRefs: [{name: none, port: 80}]}", "True/Accepted",
	 "False/BackendNotFound", "none", 500, "Service default/none: it does not exist"},
	{"no such port", "{backendRefs: [{name: web, port: 81}]}", "True/Accepted",
	 "False/BackendNotFound", "none", 500, "no TCP port 81"},
	{"unknown kind", "{backendRefs: [{group: x.example, kind: Thing, name: web, port: 80}]}",
	 "True/Accepted", "False/InvalidKind", "none", 500, "Thing"},
	{"not granted", "{backendRefs: [{namespace: far, name: web, port: 80}]}", "True/Accepted",
	 "False/RefNotPermitted", "none", 500, "ReferenceGrant"},
	{"nothing ready", "{backendRefs: [{name: idle, port: 80}]}", "True/Accepted",
	 "True/ResolvedRefs", "none", 503, NULL},
	{"a filter that is not supported",
	 "{" WEB ", filters: [{type: ExtensionRef, extensionRef: {group: x.example, kind: K, "
	 "name: n}}]}",
	 "False/UnsupportedValue", "True/ResolvedRefs", "none", 500, "ExtensionRef"},
	{"retry", "{" WEB ", retry: {attempts: 2, codes: [500, 503], backoff: 100ms}}",
	 "True/Accepted", "True/ResolvedRefs", "none", 200, NULL},
	{"mirrors",
	 "{" WEB ", filters: [{type: RequestMirror, requestMirror: {backendRef: {name: idle, port: "
	 "80}}}, {type: RequestMirror, requestMirror: {percent: 10, backendRef: {name: idle, port: "
	 "80}}}]}",
	 "True/Accepted", "True/ResolvedRefs", "none", 200, NULL},
	{"a mirror that is not there",
	 "{" WEB ", filters: [{type: CORS, cors: {allowOrigins: ['*']}}, {type: RequestMirror, "
	 "requestMirror: {backendRef: {name: none, port: 80}}}]}",
	 "True/Accepted", "False/BackendNotFound", "none", 200,
	 "rules[0].filters[1].requestMirror.backendRef"},
	{"one rule of two",
	 "{matches: [{path: {value: /x}}], " WEB
	 ", filters: [{type: ExtensionRef, extensionRef: {group: x.example, kind: K, name: n}}]}, "
	 "{" WEB "}",
	 "True/Accepted", "True/ResolvedRefs", "True/UnsupportedValue", 200, NULL},
	{"a broken expression",
	 "{matches: [{path: {type: RegularExpression, value: '/(('}}], " WEB "}",
	 "False/UnsupportedValue", "True/ResolvedRefs", "none", 404, NULL},
	{"an expression", "{matches: [{path: {type: RegularExpression, value: '/.*'}}], " WEB "}",
	 "True/Accepted", "True/ResolvedRefs", "none", 200, NULL},
	{"a redirect",
	 "{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]}",
	 "True/Accepted", "True/ResolvedRefs", "none", 301, NULL},
	{"a rewrite of a backendRef",
	 "{backendRefs: [{name: web, port: 80, filters: [{type: URLRewrite, urlRewrite: "
	 "{hostname: a.example}}]}]}",
	 "True/Accepted", "True/ResolvedRefs", "none", 200, NULL},
	{"a redirect of a backendRef",
	 "{backendRefs: [{name: web, port: 80, filters: [{type: RequestRedirect, requestRedirect: "
	 "{scheme: https}}]}]}",
	 "True/Accepted", "True/ResolvedRefs", "none", 302, NULL},
};

static void routes_say_what_they_do(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab,
		  GATEWAY SERVICE "---\napiVersion: v1\nkind: Service\nmetadata: {name: idle}\n"
				  "spec: {ports: [{port: 80}]}\n");
	for (size_t i = 0; i < ARRAY_LEN(route_cases); i++) {
		const struct route_case *one = &route_cases[i];
		const char *type = strncmp(one->refs, "True", 4) != 0 ? "ResolvedRefs" : "Accepted";

		print_message("%s\n", one->name);
		apply_route(lab, one->rule);
		lab_expect(lab, ROUTE_KEY("shop"), PARENT, "Accepted", one->accepted);
		lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", one->refs);
		lab_expect(lab, ROUTE_KEY("shop"), PARENT, "PartiallyInvalid", one->partly);
		if (one->words != NULL)
			lab_expect_words(lab, ROUTE_KEY("shop"), PARENT, type, one->words);
		lab_expect_get(lab, "shop.example.com", "/", one->status, NULL);
	}
}

static void route_statuses_are_shared(void **state)
{
	struct lab *lab = *state;
	const json_t *route;

	lab_apply(lab, GATEWAY SERVICE ROUTE);
	/* Another controller writes beside us; then a parent comes and one goes. */
	AUTO(auto_json) json_t *body = json_deep_copy(lab_object(lab, ROUTE_KEY("shop")));

	json_array_append_new(json_at(body, "status.parents"),
			      json_pack("{s:{s:s}, s:s, s:[]}", "parentRef", "name", "gw",
					"controllerName", "example.com/other", "conditions"));
	store_put(lab->store, SV(ROUTE_KEY("shop")), body, 0, NULL, NULL);
	store_put(lab->store, SV(ROUTE_KEY("shop")), body,
		  store_get(lab->store, SV(ROUTE_KEY("shop")))->revision, NULL, NULL);
	lab_settle(lab);
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
		       "metadata: {name: shop}\nspec:\n"
		       "  parentRefs: [{name: gw, sectionName: none}, {name: nobody}]\n"
		       "  rules: [{backendRefs: [{name: web, port: 80}]}]\n");
	route = lab_object(lab, ROUTE_KEY("shop"));
	assert_int_equal(json_array_size(json_at(route, "status.parents")), 3);
	assert_string_equal(json_str_at(route, "status.parents.0.controllerName"),
			    "example.com/other");
	lab_expect(lab, ROUTE_KEY("shop"), "status.parents.1.conditions", "Accepted",
		   "False/NoMatchingParent");
	lab_expect_words(lab, ROUTE_KEY("shop"), "status.parents.2.conditions", "Accepted",
			 "no Gateway");
}

static void transitions_keep_their_time(void **state)
{
	struct lab *lab = *state;
	AUTO(auto_json) json_t *before = NULL;

	lab_apply(lab, GATEWAY SERVICE ROUTE);
	before = json_deep_copy(
		json_at(lab_object(lab, ROUTE_KEY("shop")), PARENT ".0.lastTransitionTime"));
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
		       "metadata: {name: shop}\nspec: {parentRefs: [{name: gw}], hostnames: "
		       "[b.example.com], rules: [{backendRefs: [{name: web, port: 80}]}]}\n");
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "Accepted", "True/Accepted");
	assert_true(json_same(before, json_at(lab_object(lab, ROUTE_KEY("shop")),
					      PARENT ".0.lastTransitionTime")));
	lab_expect_get(lab, "shop.example.com", "/", 404, NULL);
	lab_expect_get(lab, "b.example.com", "/", 200, NULL);
}

/* ---- what changes below a route ---- */

static void backends_come_and_go(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY ROUTE);
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "False/BackendNotFound");
	lab_expect_get(lab, "shop.example.com", "/", 500, NULL);
	lab_apply(lab, "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		       "spec: {ports: [{name: http, port: 80}]}\n");
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "True/ResolvedRefs");
	lab_expect_get(lab, "shop.example.com", "/", 503, NULL);
	lab_apply(lab, SERVICE);
	lab_expect_get(lab, "shop.example.com", "/", 200, "origin /");
	lab_delete(lab, "discovery.k8s.io/endpointslices/default/web-1");
	lab_expect_get(lab, "shop.example.com", "/", 503, NULL);
	lab_delete(lab, "core/services/default/web");
	lab_expect_get(lab, "shop.example.com", "/", 500, NULL);
}

#define FAR                                                                                    \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: far}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n"                                            \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                          \
	"metadata: {name: web-1, namespace: far, labels: {kubernetes.io/service-name: web}}\n" \
	"addressType: IPv4\nports: [{name: http, port: %Q%}]\n"                                \
	"endpoints: [{addresses: [127.0.0.1]}]\n"
#define FAR_GRANT                                                                             \
	"apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n"               \
	"metadata: {name: g, namespace: far}\nspec:\n"                                        \
	"  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]\n" \
	"  to: [{group: '', kind: Service}]\n"

static void grants_open_and_close(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	lab_apply(lab, FAR);
	apply_route(lab, "{backendRefs: [{namespace: far, name: web, port: 80}]}");
	lab_expect_get(lab, "shop.example.com", "/", 500, NULL);
	lab_apply(lab, FAR_GRANT);
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "True/ResolvedRefs");
	lab_expect_get(lab, "shop.example.com", "/", 200, NULL);
	lab_delete(lab, "gateway.networking.k8s.io/referencegrants/far/g");
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "False/RefNotPermitted");
	lab_expect_get(lab, "shop.example.com", "/", 500, NULL);
}

#define BACKEND(endpoint)                                                                    \
	"apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata: {name: app}\n" \
	"spec: {endpoints: [" endpoint "]}\n"
#define BACKEND_KEY "gateway.envoyproxy.io/backends/default/app"

static void backends_are_checked(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	apply_route(lab,
		    "{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: app}]}");
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "False/BackendNotFound");
	lab_apply(lab, BACKEND("{ip: {address: 127.0.0.1, port: %Q%}}"));
	lab_expect(lab, BACKEND_KEY, "status.conditions", "Accepted", "True/Accepted");
	lab_expect_get(lab, "shop.example.com", "/", 200, NULL);
	lab_apply(lab, BACKEND("{unix: {path: /run/sallyport/test.sock}}"));
	lab_expect(lab, BACKEND_KEY, "status.conditions", "Accepted", "False/Invalid");
	lab_expect_words(lab, BACKEND_KEY, "status.conditions", "Accepted", "control socket");
	lab_expect(lab, ROUTE_KEY("shop"), PARENT, "ResolvedRefs", "False/RefNotPermitted");
	lab_expect_get(lab, "shop.example.com", "/", 500, NULL);
	lab_apply(lab, BACKEND("{fqdn: {hostname: localhost, port: %Q%}}"));
	lab_expect(lab, BACKEND_KEY, "status.conditions", "Accepted", "True/Accepted");
}

static bool answers_200(struct lab *lab, const void *arg)
{
	AUTO(auto_free) char *got = lab_get(lab, "shop.example.com", "/");

	(void)arg;
	return got != NULL && strncmp(got, "HTTP/1.1 200", 12) == 0;
}

static void names_are_looked_up(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	lab_apply(lab, BACKEND("{fqdn: {hostname: localhost, port: %Q%}}"));
	apply_route(lab,
		    "{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: app}]}");
	lab_until(lab, answers_200, NULL, "the name to be looked up");
}

/* ---- listeners ---- */

#define TWO(more)                                                       \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"     \
	"metadata: {name: two}\nspec:\n  gatewayClassName: sallyport\n" \
	"  addresses: [{value: 127.0.0.1}]\n  listeners: [" more "]\n"
#define FIRST "status.listeners.0.conditions"

static void listeners_say_what_they_do(void **state)
{
	static const struct {
		const char *name, *listener;
		const char *accepted, *refs, *programmed, *gateway, *served;
	} cases[] = {
		{"HTTP", "{name: a, port: %P%, protocol: HTTP}", "True/Accepted",
		 "True/ResolvedRefs", "True/Programmed", "True/Accepted", "True/Programmed"},
		{"another protocol", "{name: a, port: %P%, protocol: x.example/y}",
		 "False/UnsupportedProtocol", "True/ResolvedRefs", "False/Invalid",
		 "False/ListenersNotValid", "False/Invalid"},
		{"TCP", "{name: a, port: %P%, protocol: TCP}", "True/Accepted", "True/ResolvedRefs",
		 "True/Programmed", "True/Accepted", "True/Programmed"},
		{"TLS passed through",
		 "{name: a, port: %P%, protocol: TLS, tls: {mode: Passthrough}}", "True/Accepted",
		 "True/ResolvedRefs", "True/Programmed", "True/Accepted", "True/Programmed"},
		{"a kind that TLS passed through does not carry",
		 "{name: a, port: %P%, protocol: TLS, tls: {mode: Passthrough}, allowedRoutes: "
		 "{kinds: "
		 "[{kind: TCPRoute}]}}",
		 "True/Accepted", "False/InvalidRouteKinds", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"TLS that ends here, without a certificate",
		 "{name: a, port: %P%, protocol: TLS, tls: {certificateRefs: [{name: none}]}}",
		 "True/Accepted", "False/InvalidCertificateRef", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"kinds",
		 "{name: a, port: %P%, protocol: HTTP, allowedRoutes: {kinds: [{kind: X}]}}",
		 "True/Accepted", "False/InvalidRouteKinds", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"some kinds",
		 "{name: a, port: %P%, protocol: HTTP, allowedRoutes: {kinds: [{kind: X}, {kind: "
		 "HTTPRoute}]}}",
		 "True/Accepted", "False/InvalidRouteKinds", "True/Programmed", "True/Accepted",
		 "True/Programmed"},
		{"no Secret",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}",
		 "True/Accepted", "False/InvalidCertificateRef", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"wrong type of Secret",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: opaque}]}}",
		 "True/Accepted", "False/InvalidCertificateRef", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"another kind",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{kind: X, name: "
		 "y}]}}",
		 "True/Accepted", "False/InvalidCertificateRef", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"another namespace",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: cert, "
		 "namespace: far}]}}",
		 "True/Accepted", "False/RefNotPermitted", "False/Invalid", "True/Accepted",
		 "False/Invalid"},
		{"HTTPS",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}",
		 "True/Accepted", "True/ResolvedRefs", "True/Programmed", "True/Accepted",
		 "True/Programmed"},
		{"one certificate of two",
		 "{name: a, port: %P%, protocol: HTTPS, tls: {certificateRefs: [{name: none}, "
		 "{name: cert}]}}",
		 "True/Accepted", "False/InvalidCertificateRef", "True/Programmed", "True/Accepted",
		 "True/Programmed"},
		{"one of two listeners",
		 "{name: a, port: %P%, protocol: HTTP}, {name: b, port: %P%, protocol: "
		 "x.example/y}",
		 "True/Accepted", "True/ResolvedRefs", "True/Programmed", "True/ListenersNotValid",
		 "True/Programmed"},
	};
	struct lab *lab = *state;
	AUTO(auto_free) char *secret = lab_secret("default", "cert", "shop.example.com");
	AUTO(auto_free) char *far = lab_secret("far", "cert", "shop.example.com");

	lab_apply(lab, secret);
	lab_apply(lab, far);
	lab_apply(lab, "apiVersion: v1\nkind: Secret\nmetadata: {name: opaque}\n"
		       "stringData: {password: x}\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf(TWO("%s"), cases[i].listener);

		print_message("%s\n", cases[i].name);
		lab_apply(lab, text);
		lab_expect(lab, GW_KEY("two"), FIRST, "Accepted", cases[i].accepted);
		lab_expect(lab, GW_KEY("two"), FIRST, "ResolvedRefs", cases[i].refs);
		lab_expect(lab, GW_KEY("two"), FIRST, "Programmed", cases[i].programmed);
		lab_expect(lab, GW_KEY("two"), "status.conditions", "Accepted", cases[i].gateway);
		lab_expect(lab, GW_KEY("two"), "status.conditions", "Programmed", cases[i].served);
	}
}

static void gateways_say_what_they_do(void **state)
{
	static const struct {
		const char *name, *class, *more;
		const char *accepted, *programmed;
		const char *words;
	} cases[] = {
		{"no such class", "none", "addresses: [{value: 127.0.0.1}]", "Unknown/Pending",
		 "Unknown/Pending", "\"none\" does not exist"},
		{"a type of address", "sallyport",
		 "addresses: [{type: Hostname, value: a.example}, {value: 127.0.0.1}]",
		 "False/UnsupportedAddress", "False/Invalid", "Hostname"},
		{"parameters", "sallyport",
		 "infrastructure: {parametersRef: {group: x.example, kind: K, name: n}}",
		 "False/InvalidParameters", "False/Invalid", "parametersRef"},
		{"an address of somebody else", "sallyport",
		 "addresses: [{value: 192.0.2.77}, {value: 127.0.0.1}]", "True/Accepted",
		 "False/AddressNotUsable", NULL},
		{"fine", "sallyport", "addresses: [{value: 127.0.0.1}]", "True/Accepted",
		 "True/Programmed", NULL},
		{"all addresses", "sallyport", "addresses: [{type: IPAddress}]", "True/Accepted",
		 "True/Programmed", NULL},
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *text = xasprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
				       "metadata: {name: gw}\nspec:\n  gatewayClassName: %s\n"
				       "  %s\n  listeners: [{name: a, port: %%P%%, protocol: "
				       "HTTP}]\n",
				       cases[i].class, cases[i].more);

		print_message("%s\n", cases[i].name);
		lab_apply(lab, text);
		lab_expect(lab, GW_KEY("gw"), "status.conditions", "Accepted", cases[i].accepted);
		lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed",
			   cases[i].programmed);
		if (cases[i].words != NULL)
			lab_expect_words(lab, GW_KEY("gw"), "status.conditions", "Accepted",
					 cases[i].words);
	}
	assert_true(json_array_size(json_at(lab_object(lab, GW_KEY("gw")), "status.addresses")) >
		    0);
}

static void classes_decide(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n"
		       "metadata: {name: mine}\nspec: {controllerName: " GATEWAY_CONTROLLER ", "
		       "parametersRef: {group: x.example, kind: K, name: n}}\n");
	lab_expect(lab, "gateway.networking.k8s.io/gatewayclasses//mine", "status.conditions",
		   "Accepted", "False/InvalidParameters");
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: gw}\nspec:\n  gatewayClassName: mine\n"
		       "  addresses: [{value: 127.0.0.1}]\n"
		       "  listeners: [{name: a, port: %P%, protocol: HTTP}]\n");
	lab_expect(lab, "gateway.networking.k8s.io/gatewayclasses//mine", "status.conditions",
		   "SupportedVersion", "True/SupportedVersion");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Accepted", "Unknown/Pending");
	assert_null(lab_get(lab, "a.example", "/"));
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n"
		       "metadata: {name: mine}\nspec: {controllerName: " GATEWAY_CONTROLLER "}\n");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "True/Programmed");
	lab_expect_get(lab, "a.example", "/", 404, NULL);
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n"
		       "metadata: {name: theirs}\nspec: {controllerName: example.com/other}\n"
		       "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: their-gw}\nspec:\n  gatewayClassName: theirs\n"
		       "  listeners: [{name: a, port: %P%, protocol: HTTP}]\n");
	lab_expect_words(lab, GW_KEY("their-gw"), "status.conditions", "Accepted",
			 "Waiting for controller");
}

static void conflicts_are_told(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, TWO("{name: a, port: %P%, protocol: HTTP}"));
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: two-more}\nspec:\n  gatewayClassName: sallyport\n"
		       "  addresses: [{value: 127.0.0.1}]\n  listeners:\n"
		       "  - {name: a, port: %P%, protocol: HTTP}\n"
		       "  - {name: b, port: %P%, protocol: HTTP, hostname: b.example.com}\n");
	lab_expect(lab, GW_KEY("two"), FIRST, "Conflicted", "False/NoConflicts");
	lab_expect(lab, GW_KEY("two-more"), FIRST, "Conflicted", "True/HostnameConflict");
	lab_expect(lab, GW_KEY("two-more"), FIRST, "Accepted", "False/HostnameConflict");
	lab_expect_words(lab, GW_KEY("two-more"), FIRST, "Conflicted", "default/two ");
	lab_expect(lab, GW_KEY("two-more"), "status.listeners.1.conditions", "Programmed",
		   "True/Programmed");
	lab_expect(lab, GW_KEY("two-more"), "status.conditions", "Accepted",
		   "True/ListenersNotValid");
	lab_delete(lab, GW_KEY("two"));
	lab_expect(lab, GW_KEY("two-more"), FIRST, "Conflicted", "False/NoConflicts");
	lab_expect(lab, GW_KEY("two-more"), FIRST, "Programmed", "True/Programmed");
}

static bool is_programmed(struct lab *lab, const void *arg)
{
	(void)arg;
	return strcmp(lab_condition(lab, GW_KEY("gw"), "status.conditions", "Programmed"),
		      "True/Programmed") == 0;
}

static void ports_in_use_are_tried_again(void **state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct lab *lab = *state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons(lab->port);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	lab_apply(lab, GATEWAY SERVICE ROUTE);
	lab_expect(lab, GW_KEY("gw"), FIRST, "Accepted", "False/PortUnavailable");
	lab_expect_words(lab, GW_KEY("gw"), FIRST, "Accepted", "in use");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Accepted", "False/ListenersNotValid");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "False/Invalid");
	close(fd);
	lab_until(lab, is_programmed, NULL, "the port to be bound");
	lab_expect_get(lab, "shop.example.com", "/", 200, NULL);
}

/* ---- certificates ---- */

#define HTTPS_ONLY                                                                       \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gw, " \
	"annotations: {cert-manager.io/cluster-issuer: le}}\n"                           \
	"spec:\n  gatewayClassName: sallyport\n  addresses: [{value: 127.0.0.1}]\n"      \
	"  listeners: [{name: https, port: %P%, protocol: HTTPS, hostname: "             \
	"shop.example.com, tls: {certificateRefs: [{name: cert}]}}]\n"
#define ISSUER                                                                             \
	"apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: le}\n"      \
	"spec: {acme: {server: 'https://ca.example/dir', privateKeySecretRef: {name: k}, " \
	"solvers: [{http01: {ingress: {}}}]}}\n"

static void pending_certificates_are_explained(void **state)
{
	struct lab *lab = *state;
	AUTO(auto_free) char *secret = lab_secret("default", "cert", "shop.example.com");

	lab_apply(lab, HTTPS_ONLY);
	lab_expect(lab, GW_KEY("gw"), FIRST, "ResolvedRefs", "False/InvalidCertificateRef");
	lab_expect_words(lab, GW_KEY("gw"), FIRST, "ResolvedRefs", "does not exist either");
	lab_apply(lab, ISSUER);
	lab_expect_words(lab, GW_KEY("gw"), FIRST, "ResolvedRefs",
			 "HTTP-01 needs a listener of protocol HTTP");
	lab_expect(lab, GW_KEY("gw"), FIRST, "Programmed", "False/Pending");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "False/Pending");
	assert_false(compile_has_http(lab->ctl));
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: plain}\nspec:\n  gatewayClassName: sallyport\n"
		       "  addresses: [{value: 127.0.0.2}]\n"
		       "  listeners: [{name: a, port: %P%, protocol: HTTP}]\n");
	assert_true(compile_has_http(lab->ctl));
	lab_expect_words(lab, GW_KEY("gw"), FIRST, "ResolvedRefs", "pending issuance");
	lab_apply(lab, secret);
	lab_expect(lab, GW_KEY("gw"), FIRST, "ResolvedRefs", "True/ResolvedRefs");
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "True/Programmed");
	lab_delete(lab, "core/secrets/default/cert");
	lab_expect(lab, GW_KEY("gw"), FIRST, "ResolvedRefs", "False/InvalidCertificateRef");
}

static void certificates_are_replaced(void **state)
{
	struct lab *lab = *state;
	AUTO(auto_free) char *first = lab_secret("default", "cert", "shop.example.com");
	AUTO(auto_free) char *second = lab_secret("default", "cert", "shop.example.com");
	AUTO(auto_free) char *one = NULL;
	AUTO(auto_free) char *other = NULL;

	lab_apply(lab, HTTPS_ONLY);
	assert_null(lab_handshake(lab, "shop.example.com"));
	lab_apply(lab, first);
	one = lab_handshake(lab, "shop.example.com");
	assert_non_null(one);
	assert_null(lab_handshake(lab, "other.example.com"));
	lab_apply(lab, second);
	other = lab_handshake(lab, "shop.example.com");
	assert_non_null(other);
	assert_string_not_equal(one, other);
	lab_delete(lab, "core/secrets/default/cert");
	assert_null(lab_handshake(lab, "shop.example.com"));
}

static void client_certificates_are_not_passed_over(void **state)
{
	struct lab *lab = *state;
	AUTO(auto_free) char *secret = lab_secret("default", "cert", "shop.example.com");

	lab_apply(lab, secret);
	lab_apply(lab, HTTPS_ONLY "  tls: {frontend: {default: {validation: {caCertificateRefs: "
				  "[{group: '', kind: ConfigMap, name: ca}]}}}}\n");
	lab_expect(lab, GW_KEY("gw"), FIRST, "Accepted", "False/NoValidCACertificate");
	assert_null(lab_get(lab, "shop.example.com", "/"));
}

/* ---- tokens ---- */

#define ORDER                                                                     \
	"apiVersion: acme.cert-manager.io/v1\nkind: Order\nmetadata: {name: o}\n" \
	"spec: {request: YQ==, issuerRef: {name: le}, dnsNames: [new.example.com]}\n"

/* A Challenge of that Order, which must be there. */
static void apply_challenge(struct lab *lab)
{
	const char *uid = json_str_at(lab_object(lab, "acme.cert-manager.io/orders/default/o"),
				      "metadata.uid");
	AUTO(auto_free)
	char *text = xasprintf(
		"apiVersion: acme.cert-manager.io/v1\nkind: Challenge\nmetadata: {name: c, "
		"ownerReferences: [{apiVersion: acme.cert-manager.io/v1, kind: Order, name: o, "
		"uid: %s}]}\nspec: {url: 'https://ca.example/c', authorizationURL: "
		"'https://ca.example/a', dnsName: new.example.com, type: HTTP-01, token: tok, "
		"key: tok.thumb, solver: {http01: {}}, issuerRef: {name: le}}\n",
		uid);

	lab_apply(lab, text);
}

static bool token_is_served(struct lab *lab, const void *arg)
{
	return compile_challenge_served(lab->ctl, sv_from(arg));
}

static void tokens_are_answered(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	lab_expect_get(lab, "new.example.com", "/.well-known/acme-challenge/tok", 404, NULL);
	assert_false(compile_challenge_served(lab->ctl, SV("tok")));
	lab_apply(lab, ORDER);
	lab->woken = 0;
	apply_challenge(lab);
	assert_true(compile_challenge_served(lab->ctl, SV("tok")));
	assert_true(lab->woken > 0);
	lab_expect_get(lab, "new.example.com", "/.well-known/acme-challenge/tok", 200, "tok.thumb");
	lab_expect_get(lab, "other.example.com", "/.well-known/acme-challenge/tok", 404, NULL);
	lab_delete(lab, "acme.cert-manager.io/challenges/default/c");
	assert_false(compile_challenge_served(lab->ctl, SV("tok")));
	lab_expect_get(lab, "new.example.com", "/.well-known/acme-challenge/tok", 404, NULL);
}

static void probes_are_answered(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	assert_true(compile_probe_add(lab->ctl, SV("Probe.example.com"), SV("p1"), SV("hello")));
	lab_until(lab, token_is_served, "p1", "the probe to be served");
	lab_expect_get(lab, "probe.example.com", "/.well-known/acme-challenge/p1", 200, "hello");
	compile_probe_remove(lab->ctl, SV("Probe.example.com"), SV("p1"));
	lab_settle(lab);
	lab_expect_get(lab, "probe.example.com", "/.well-known/acme-challenge/p1", 404, NULL);
	for (int i = 0; i < COMPILE_PROBES_MAX; i++) {
		AUTO(auto_free) char *token = xasprintf("t%d", i);

		assert_true(compile_probe_add(lab->ctl, SV("a"), sv_from(token), SV("x")));
	}
	assert_false(compile_probe_add(lab->ctl, SV("a"), SV("more"), SV("x")));
}

static void challenges_end(void **state)
{
	static const struct {
		const char *challenge;
		bool presented;
	} cases[] = {
		{"{spec: {type: HTTP-01}}", true},
		{"{spec: {type: DNS-01}}", false},
		{"{spec: {type: HTTP-01}, status: {state: pending}}", true},
		{"{spec: {type: HTTP-01}, status: {state: valid}}", false},
		{"{spec: {type: HTTP-01}, status: {state: valid, presented: true}}", true},
		{"{spec: {type: HTTP-01}, status: {state: errored, presented: false}}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *challenge = value_of(cases[i].challenge);

		if (challenge_presented(challenge) != cases[i].presented)
			fail_msg("%s", cases[i].challenge);
	}
}

/* ---- addresses ---- */

static void http_is_bound_where_it_is(void **state)
{
	struct lab *lab = *state;
	struct sock_addr here, there, six;

	assert_true(sock_addr_ip(&here, SV("127.0.0.1"), 80));
	assert_true(sock_addr_ip(&there, SV("127.0.0.2"), 80));
	assert_true(sock_addr_ip(&six, SV("::1"), 80));
	assert_false(compile_http_bound(lab->ctl, &here));
	lab_apply(lab, GATEWAY);
	assert_true(compile_http_bound(lab->ctl, &here));
	assert_false(compile_http_bound(lab->ctl, &there));
	assert_false(compile_http_bound(lab->ctl, &six));
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: gw}\nspec:\n  gatewayClassName: sallyport\n"
		       "  listeners: [{name: a, port: %P%, protocol: HTTP}]\n");
	assert_true(compile_http_bound(lab->ctl, &here));
	assert_true(compile_http_bound(lab->ctl, &there));
}

static void wildcard_and_address_go_together(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY SERVICE ROUTE);
	lab_apply(lab, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		       "metadata: {name: all}\nspec:\n  gatewayClassName: sallyport\n"
		       "  listeners: [{name: a, port: %P%, protocol: HTTP}]\n");
	lab_expect(lab, GW_KEY("all"), "status.conditions", "Programmed", "True/Programmed");
	lab_expect_get(lab, "shop.example.com", "/", 200, NULL);
	lab_delete(lab, GW_KEY("gw"));
	lab_expect_get(lab, "shop.example.com", "/", 404, NULL);
	lab_apply(lab, GATEWAY);
	lab_expect(lab, GW_KEY("gw"), "status.conditions", "Programmed", "True/Programmed");
	lab_expect_get(lab, "shop.example.com", "/", 200, NULL);
}

static void namespaces_are_selected(void **state)
{
	struct lab *lab = *state;

	lab_apply(lab, "apiVersion: v1\nkind: Namespace\nmetadata: {name: far}\n");
	lab_apply(lab, FAR);
	lab_apply(lab,
		  "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"
		  "metadata: {name: gw}\nspec:\n  gatewayClassName: sallyport\n"
		  "  addresses: [{value: 127.0.0.1}]\n"
		  "  listeners: [{name: a, port: %P%, protocol: HTTP, allowedRoutes: "
		  "{namespaces: {from: Selector, selector: {matchLabels: {ours: 'yes'}}}}}]\n"
		  "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
		  "metadata: {name: shop, namespace: far}\n"
		  "spec: {parentRefs: [{name: gw, namespace: default}], rules: [{" WEB "}]}\n");
	lab_expect(lab, "gateway.networking.k8s.io/httproutes/far/shop", PARENT, "Accepted",
		   "False/NotAllowedByListeners");
	lab_expect_get(lab, "a.example", "/", 404, NULL);
	lab_apply(lab, "apiVersion: v1\nkind: Namespace\nmetadata: {name: far, labels: {ours: "
		       "'yes'}}\n");
	lab_expect(lab, "gateway.networking.k8s.io/httproutes/far/shop", PARENT, "Accepted",
		   "True/Accepted");
	lab_expect_get(lab, "a.example", "/", 200, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(serves_from_start_to_end, setup, teardown),
		cmocka_unit_test_setup_teardown(routes_say_what_they_do, setup, teardown),
		cmocka_unit_test_setup_teardown(route_statuses_are_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(transitions_keep_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(backends_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(grants_open_and_close, setup, teardown),
		cmocka_unit_test_setup_teardown(backends_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_looked_up, setup, teardown),
		cmocka_unit_test_setup_teardown(listeners_say_what_they_do, setup, teardown),
		cmocka_unit_test_setup_teardown(gateways_say_what_they_do, setup, teardown),
		cmocka_unit_test_setup_teardown(classes_decide, setup, teardown),
		cmocka_unit_test_setup_teardown(conflicts_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(ports_in_use_are_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(pending_certificates_are_explained, setup,
						teardown),
		cmocka_unit_test_setup_teardown(certificates_are_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(client_certificates_are_not_passed_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(tokens_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_are_answered, setup, teardown),
		cmocka_unit_test(challenges_end),
		cmocka_unit_test_setup_teardown(http_is_bound_where_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(wildcard_and_address_go_together, setup, teardown),
		cmocka_unit_test_setup_teardown(namespaces_are_selected, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
