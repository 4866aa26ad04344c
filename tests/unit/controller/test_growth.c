/* What one change costs does not grow with what is there: counted, not timed. */
#include "gwlab.h"

#include "controller/compile_priv.h"

#include "base/own.h"

#define GATEWAYS  3
#define LISTENERS 8 /* of each */
#define CERTS     (GATEWAYS * LISTENERS)
#define TEXT_MAX  (256u << 10)

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

static void apply_gateways(struct lab *lab)
{
	AUTO(buf_deinit) struct buf text = {0};

	buf_init(&text, TEXT_MAX);
	for (int i = 0; i < CERTS; i++) {
		if (i % LISTENERS == 0)
			buf_addf(&text,
				 "---\napiVersion: gateway.networking.k8s.io/v1\n"
				 "kind: Gateway\nmetadata: {name: gw%d}\nspec:\n"
				 "  gatewayClassName: sallyport\n"
				 "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
				 "  listeners:\n",
				 i / LISTENERS);
		buf_addf(&text,
			 "  - {name: l%d, port: %%P%%, protocol: HTTPS, hostname: h%d.example,"
			 " tls: {certificateRefs: [{name: c%d}]}}\n",
			 i, i, i);
	}
	lab_apply(lab, buf_cstr(&text));
}

static void apply_secret(struct lab *lab, int number)
{
	AUTO(auto_free) char *name = xasprintf("c%d", number);
	AUTO(auto_free) char *host = xasprintf("h%d.example", number);
	AUTO(auto_free) char *text = lab_secret("default", name, host);

	lab_apply(lab, text);
}

static void apply_route(struct lab *lab, const char *path)
{
	AUTO(auto_free)
	char *text = xasprintf("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
			       "metadata: {name: shop}\nspec:\n  parentRefs: [{name: gw0}]\n"
			       "  rules: [{matches: [{path: {value: %s}}]}]\n",
			       path);

	lab_apply(lab, text);
}

static void changes_cost_what_they_are(void **state)
{
	struct lab *lab = *state;
	struct compile *compile = compile_of(lab->ctl);
	uint64_t followed;

	apply_gateways(lab);
	for (int i = 0; i < CERTS; i++)
		apply_secret(lab, i);
	assert_int_equal(certs_reads(compile->certs), CERTS); /* each once */

	apply_route(lab, "/a");
	followed = compile->certs_told;
	apply_route(lab, "/b");
	assert_int_equal(compile->certs_told, followed); /* a route has no certificates */
	assert_int_equal(certs_reads(compile->certs), CERTS);

	apply_secret(lab, 5);
	assert_int_equal(certs_reads(compile->certs), CERTS + 1);
	assert_true(compile->certs_told > followed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_cost_what_they_are, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
