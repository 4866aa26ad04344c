/* One edit among many routes costs one route. ROUTES=10000 shows the times of passes. */
#include "gwlab.h"

#include "base/own.h"
#include "controller/compile_priv.h"

static size_t route_count(void)
{
	const char *text = getenv("ROUTES");
	uint64_t count = 300;

	(void)sv_to_u64(sv_from(text), &count);
	return (size_t)count;
}

#define GATEWAY                                                                \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"            \
	"metadata: {name: gw}\nspec:\n  gatewayClassName: sallyport\n"         \
	"  addresses: [{value: 127.0.0.1}]\n"                                  \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"             \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"          \
	"spec: {ports: [{name: http, port: 80}]}\n"                            \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"          \
	"metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n" \
	"addressType: IPv4\nports: [{name: http, port: %Q%}]\n"                \
	"endpoints: [{addresses: [127.0.0.1]}]\n"

static void add_route(struct buf *out, size_t index, const char *host, const char *path)
{
	buf_addf(out,
		 "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
		 "metadata: {name: r%zu}\nspec: {parentRefs: [{name: gw}], hostnames: [%s], "
		 "rules: [{matches: [{path: {value: %s}}], backendRefs: [{name: web, port: "
		 "80}]}]}\n",
		 index, host, path);
}

/* In parts: a text of YAML has its limit. */
static void apply_routes(struct lab *lab, size_t count, bool one_host)
{
	for (size_t first = 0; first < count; first += 1000) {
		struct buf text;

		buf_init(&text, 16 << 20);
		for (size_t i = first; i < first + 1000 && i < count; i++) {
			AUTO(auto_free)
			char *host = xasprintf(one_host ? "a.example" : "h%zu.example", i);
			AUTO(auto_free) char *path = xasprintf(one_host ? "/p%zu" : "/", i);

			add_route(&text, i, host, path);
		}
		lab_apply(lab, buf_cstr(&text));
		buf_deinit(&text);
	}
}

static void idle_pass(struct lab *lab)
{
	compile_soon(lab->ctl);
	lab_settle(lab);
}

static void edit_one(struct lab *lab, bool one_host)
{
	const struct compile *compile = compile_of(lab->ctl);
	uint64_t before = compile->last_compiled;
	struct buf text;

	buf_init(&text, 4096);
	add_route(&text, 7, one_host ? "a.example" : "h7.example", "/edited");
	lab_apply(lab, buf_cstr(&text));
	buf_deinit(&text);
	assert_int_equal(compile->last_compiled - before, 1);
}

static void one_edit(void **state, bool one_host)
{
	struct lab lab;
	size_t count = route_count();
	int64_t begun;

	(void)state;
	lab_start(&lab);
	lab_apply(&lab, GATEWAY);
	begun = clock_mono_ms();
	apply_routes(&lab, count, one_host);
	print_message("%zu routes applied in %lld ms\n", count,
		      (long long)(clock_mono_ms() - begun));
	idle_pass(&lab);
	print_message("pass without news: %lld us\n", (long long)compile_of(lab.ctl)->pass_us);
	compile_of(lab.ctl)->longest_us = 0;
	edit_one(&lab, one_host);
	print_message("longest pass of one edit: %lld us\n",
		      (long long)compile_of(lab.ctl)->longest_us);
	lab_expect_get(&lab, one_host ? "a.example" : "h7.example", "/edited", 200, "origin");
	lab_expect_get(&lab, one_host ? "a.example" : "h9.example", one_host ? "/p9" : "/", 200,
		       "origin");
	assert_int_equal(json_int_at(lab_object(&lab, GW_KEY("gw")),
				     "status.listeners.0.attachedRoutes", -1),
			 (json_int_t)count);
	compile_of(lab.ctl)->longest_us = 0;
	lab_apply(&lab,
		  "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {x: y}}\n");
	print_message("longest pass when all attach anew: %lld us\n",
		      (long long)compile_of(lab.ctl)->longest_us);
	lab_stop(&lab);
}

static void one_edit_of_many_hostnames(void **state)
{
	one_edit(state, false);
}

static void one_edit_of_many_paths(void **state)
{
	one_edit(state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_edit_of_many_hostnames),
		cmocka_unit_test(one_edit_of_many_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
