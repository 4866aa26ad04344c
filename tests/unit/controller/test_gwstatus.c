/* Pure parts: what a Gateway says while its workers are slow, ticket keys, tokens. */
#include "objects.h"

#include "base/own.h"
#include "controller/gwstatus.h"
#include "controller/tickets.h"
#include "controller/tokens.h"
#include "resource/condition.h"

#define SPEC                                                        \
	"metadata: {name: gw, namespace: default, generation: 2}\n" \
	"spec: {listeners: [{name: a, port: 80, protocol: HTTP}]}\n"

static struct gateway *bound_gateway(const char *yaml)
{
	AUTO(auto_object) struct object *object = object_of("gateways", yaml);
	AUTO(auto_object)
	struct object *class =
		object_of("gatewayclasses", "metadata: {name: sallyport, namespace: ''}\n"
					    "spec: {controllerName: " GATEWAY_CONTROLLER "}\n");
	struct gateway *gateway = gateway_new(object, class);

	gateway->listeners[0].bound = 1;
	return gateway;
}

static void workers_may_be_slow(void **state)
{
	static const struct {
		const char *before; /* condition that is stored */
		bool acknowledged;
		const char *status;
	} cases[] = {
		{"", true, "True"},
		{"", false, "False"},
		{"status: {conditions: [{type: Programmed, status: 'True', observedGeneration: "
		 "2}]}",
		 false, "True"},
		{"status: {conditions: [{type: Programmed, status: 'True', observedGeneration: "
		 "1}]}",
		 false, "False"},
		{"status: {conditions: [{type: Programmed, status: Unknown, observedGeneration: "
		 "2}]}",
		 false, "False"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf(SPEC "%s\n", cases[i].before);
		struct gateway *gateway = bound_gateway(text);
		struct gwstatus_env env = {.acknowledged = cases[i].acknowledged};
		AUTO(auto_json) json_t *status = gwstatus_gateway(gateway, &env);

		const json_t *is = condition_find(json_member(status, "conditions"), "Programmed");

		if (strcmp(json_str_at(is, "status"), cases[i].status) != 0)
			fail_msg("case %zu: %s", i, json_str_at(is, "status"));
		gateway_free(gateway);
	}
}

/* Whatever a status tells is in its print, else it would be told too late. */
static void print_is_another_with_every_news(void **state)
{
	struct gateway *gateway = bound_gateway(SPEC), *rival = bound_gateway(SPEC);
	struct gw_listener *listener = &gateway->listeners[0];
	struct gwstatus_env env = {.acknowledged = true};
	uint64_t seen[16];
	size_t count = 0;

	(void)state;
#define NEWS(change)                                           \
	do {                                                   \
		change;                                        \
		seen[count++] = gwstatus_print(gateway, &env); \
	} while (0)
	NEWS((void)0);
	NEWS(env.acknowledged = false);
	NEWS(listener->attached = 1);
	NEWS(listener->bound = 2);
	NEWS(listener->unbound = 1);
	NEWS(listener->bind_message = xstrdup("in use"));
	NEWS(listener->unusable = true);
	NEWS(listener->cert_count = 1);
	NEWS(listener->cert_pending = true);
	NEWS(listener->cert_reason = "InvalidCertificateRef");
	NEWS(listener->cert_message = xstrdup("Secret a does not exist"));
	NEWS(listener->conflict = CONFLICT_HOSTNAME);
	NEWS(listener->rival = &rival->listeners[0]);
	NEWS(gateway->address_bound[1] = true);
	NEWS(gateway->state = GATEWAY_PENDING);
#undef NEWS
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (seen[i] == seen[j])
				fail_msg("news %zu looks like %zu", i, j);
		}
	}
	assert_int_equal(gwstatus_print(gateway, &env), seen[count - 1]);
	gateway_free(gateway);
	gateway_free(rival);
}

static void ticket_keys_turn(void **state)
{
	struct tickets tickets = {.made = 0};
	struct ticket_key first;
	int64_t now = 5000;

	(void)state;
	assert_true(tickets_rotate(&tickets, now));
	first = tickets.keys[0];
	assert_true(first.set);
	assert_false(tickets.keys[1].set);
	assert_false(tickets_rotate(&tickets, now + TICKET_ROTATE_S * INT64_C(1000) - 1));
	now += TICKET_ROTATE_S * INT64_C(1000);
	assert_true(tickets_rotate(&tickets, now));
	assert_memory_equal(&tickets.keys[1], &first, sizeof(first));
	assert_memory_not_equal(&tickets.keys[0], &first, sizeof(first));
	for (int i = 1; i < TICKET_KEYS; i++)
		assert_true(tickets_rotate(&tickets, now + i * TICKET_ROTATE_S * INT64_C(1000)));
	assert_memory_not_equal(&tickets.keys[TICKET_KEYS - 1], &first, sizeof(first));
	tickets_deinit(&tickets);
}

static void tokens_are_served_when_acknowledged(void **state)
{
	struct tokens tokens = {0};
	struct challenge probe = {
		.host = SV("a.example"), .token = SV("tok"), .key_authorization = SV("answer")};
	struct challenge *list;
	size_t count;

	(void)state;
	assert_true(tokens_probe_add(&tokens, &probe, 1));
	assert_true(tokens.changed);
	assert_false(tokens_served(&tokens, SV("tok"), 9));
	tokens_published(&tokens, 5);
	assert_false(tokens_served(&tokens, SV("tok"), 4));
	assert_true(tokens_served(&tokens, SV("tok"), 5));
	assert_false(tokens_served(&tokens, SV("other"), 5));
	assert_true(tokens_probe_add(&tokens, &probe, 1)); /* the same: no news */
	assert_false(tokens.changed);
	probe.key_authorization = SV("another answer");
	assert_true(tokens_probe_add(&tokens, &probe, 1));
	assert_false(tokens_served(&tokens, SV("tok"), 5));
	list = tokens_snapshot(&tokens, &count);
	assert_int_equal(count, 1);
	assert_true(sv_eq(list[0].key_authorization, SV("another answer")));
	free(list);
	tokens_probe_remove(&tokens, &probe);
	assert_true(tokens.changed);
	tokens_deinit(&tokens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_may_be_slow),
		cmocka_unit_test(print_is_another_with_every_news),
		cmocka_unit_test(ticket_keys_turn),
		cmocka_unit_test(tokens_are_served_when_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
