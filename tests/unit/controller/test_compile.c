/* What the store says is what is served and what the statuses say: through a real worker. */
#include "gwlab.h"

#include "base/own.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(serves_from_start_to_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
