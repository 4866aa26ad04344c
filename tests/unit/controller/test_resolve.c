/* From Services, EndpointSlices and Backends to addresses. */
#include "objects.h"

#include "controller/resolve.h"

static struct address_rules *rules;

struct outcome {
	const char *name;
	const char *reason; /* NULL: resolved */
	uint16_t status;
	const char *endpoints; /* joined by blanks */
	const char *words;     /* in the message; NULL: none is due */
};

static void check(const struct outcome *want, const struct target *got)
{
	char text[SOCK_ADDR_TEXT];
	struct buf all;

	buf_init(&all, 4096);
	for (size_t i = 0; i < got->endpoint_count; i++) {
		sock_addr_text(&got->endpoints[i], text);
		buf_addf(&all, "%s%s", i == 0 ? "" : " ", text);
	}
	if ((want->reason == NULL) != (got->reason == NULL) ||
	    (want->reason != NULL && strcmp(want->reason, got->reason) != 0) ||
	    want->status != got->fail_status || strcmp(want->endpoints, buf_cstr(&all)) != 0 ||
	    (want->words == NULL) != (got->message == NULL) ||
	    (want->words != NULL && strstr(got->message, want->words) == NULL))
		fail_msg("%s: %s, %u, [%s], %s", want->name, got->reason, got->fail_status,
			 buf_cstr(&all), got->message);
	buf_deinit(&all);
}

#define SLICE "{addressType: IPv4, ports: [{name: http, port: 8080}], endpoints: "

static void services(void **state)
{
	static const struct {
		const char *spec;   /* of the Service */
		const char *slices; /* list */
		struct outcome want;
	} cases[] = {
		{"{ports: [{name: http, port: 80}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]}]",
		 {"by name", NULL, 0, "10.0.0.1:8080 10.0.0.2:8080", NULL}},
		{"{ports: [{name: http, port: 80}]}",
		 "[" SLICE "[{addresses: [10.0.0.1], conditions: {ready: false}}]}]",
		 {"not ready", NULL, 503, "", "none of its endpoints is ready (1"}},
		{"{ports: [{name: http, port: 80}], publishNotReadyAddresses: true}",
		 "[" SLICE "[{addresses: [10.0.0.1], conditions: {ready: false}}]}]",
		 {"not ready, but published", NULL, 0, "10.0.0.1:8080", NULL}},
		{"{ports: [{name: http, port: 80}]}",
		 "[]",
		 {"no slices", NULL, 503, "", "no EndpointSlice"}},
		{"{ports: [{name: web, port: 80}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}]",
		 {"other port", NULL, 503, "", "port named \"web\""}},
		{"{ports: [{port: 80, targetPort: 3000}]}",
		 "[{addressType: IPv6, ports: [{port: 3001}], endpoints: [{addresses: "
		 "['fd00::1']}]}]",
		 {"the slice has the number", NULL, 0, "[fd00::1]:3001", NULL}},
		{"{ports: [{port: 80, targetPort: 3000}]}",
		 "[{addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}]",
		 {"a slice of all ports", NULL, 0, "10.0.0.1:3000", NULL}},
		{"{ports: [{name: http, port: 80}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}, " SLICE
		 "[{addresses: [10.0.0.1, 10.0.0.3]}]}]",
		 {"the same twice", NULL, 0, "10.0.0.1:8080 10.0.0.3:8080", NULL}},
		{"{ports: [{name: http, port: 81}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}]",
		 {"no such port", "BackendNotFound", 500, "", "no TCP port 80"}},
		{"{ports: [{name: http, port: 80, protocol: UDP}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}]",
		 {"UDP", "BackendNotFound", 500, "", "no TCP port 80"}},
		{"{type: ExternalName, externalName: a.example, ports: [{port: 80}]}",
		 "[]",
		 {"ExternalName", "InvalidKind", 500, "", "ExternalName"}},
		{"{ports: [{name: http, port: 80, appProtocol: 'kubernetes.io/ws'}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}]",
		 {"WebSocket", NULL, 0, "10.0.0.1:8080", NULL}},
		{"{ports: [{name: http, port: 80, appProtocol: HTTPS}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}]}]",
		 {"HTTPS", NULL, 0, "10.0.0.1:8080", NULL}},
		{"{ports: [{name: http, port: 80}]}",
		 "[" SLICE "[{addresses: [10.0.0.1]}, {addresses: [169.254.169.254]}]}]",
		 {"link-local", "RefNotPermitted", 500, "", "169.254.169.254"}},
		{"{ports: [{name: http, port: 80}]}",
		 "[{addressType: FQDN, endpoints: [{addresses: [a.example]}]}]",
		 {"names", "BackendNotFound", 500, "", "FQDN"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free)
		char *text = xasprintf("spec: %s\nslices: %s\n", cases[i].spec, cases[i].slices);
		AUTO(auto_json) json_t *all = value_of(text);
		const json_t *slices[4];
		struct resolve_how how = {.rules = rules, .port = 80, .slices = slices};
		struct resolved out;
		json_t *slice;
		size_t j;

		json_array_foreach(json_member(all, "slices"), j, slice) slices[how.slice_count++] =
			slice;
		resolved_init(&out);
		resolve_service(&how, all, &out);
		check(&cases[i].want, &out.target);
		resolved_deinit(&out);
	}
}

static void backends(void **state)
{
	static struct fqdn there = {.name = (char *)"there.example", .answered = true, .count = 1};
	static struct fqdn gone = {
		.name = (char *)"gone.example", .answered = true, .status = DNS_NXDOMAIN};
	static struct fqdn asked = {.name = (char *)"asked.example"};
	static struct fqdn silent = {
		.name = (char *)"silent.example", .answered = true, .status = DNS_TIMEOUT};
	static struct fqdn evil = {.name = (char *)"evil.example", .answered = true, .count = 1};
#define NAMED "{endpoints: [{fqdn: {hostname: x, port: 80}}]}"
	static const struct {
		const char *spec;
		const struct fqdn *names[2];
		struct outcome want;
	} cases[] = {
		{"{endpoints: [{ip: {address: 10.0.0.1, port: 80}}, {unix: {path: /run/app/s}}]}",
		 {NULL},
		 {"ip and unix", NULL, 0, "10.0.0.1:80 unix:/run/app/s", NULL}},
		{"{endpoints: [{unix: {path: /run/sallyport/test.sock}}]}",
		 {NULL},
		 {"the control socket", "RefNotPermitted", 500, "", "control socket"}},
		{"{endpoints: [{unix: {path: /var/run/docker.sock}}]}",
		 {NULL},
		 {"docker", "RefNotPermitted", 500, "", "docker"}},
		{NAMED, {&there}, {"a name", NULL, 0, "10.0.0.9:80", NULL}},
		{NAMED, {&gone}, {"no such name", "BackendNotFound", 500, "", "gone.example"}},
		{NAMED, {&asked}, {"not yet", NULL, 503, "", "being looked up"}},
		{NAMED, {&silent}, {"no answer", NULL, 503, "", "silent.example"}},
		{NAMED, {&evil}, {"rebound", "RefNotPermitted", 500, "", "169.254.1.1"}},
		{"{endpoints: [{fqdn: {hostname: x, port: 80}}, {fqdn: {hostname: y, port: 81}}]}",
		 {&gone, &there},
		 {"one of two", NULL, 0, "10.0.0.9:81", NULL}},
		{"{endpoints: [{ip: {address: 10.0.0.1, port: 80}}], appProtocols: "
		 "[gateway.envoyproxy.io/h2c]}",
		 {NULL},
		 {"h2c", NULL, 0, "10.0.0.1:80", NULL}},
		{"{endpoints: [{ip: {address: 10.0.0.1, port: 80}}], appProtocols: "
		 "[gateway.envoyproxy.io/wss]}",
		 {NULL},
		 {"wss", NULL, 0, "10.0.0.1:80", NULL}},
		{"{endpoints: [{ip: {address: 10.0.0.1, port: 80}}], fallback: true}",
		 {NULL},
		 {"fallback", "UnsupportedValue", 500, "", "fallback"}},
	};

	(void)state;
	assert_true(sock_addr_ip(&there.addrs[0], SV("10.0.0.9"), 0));
	assert_true(sock_addr_ip(&evil.addrs[0], SV("169.254.1.1"), 0));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_free) char *text = xasprintf("spec: %s\n", cases[i].spec);
		AUTO(auto_json) json_t *backend = value_of(text);
		struct resolve_how how = {.rules = rules, .names = cases[i].names};
		struct resolved out;

		resolved_init(&out);
		resolve_backend(&how, backend, &out);
		check(&cases[i].want, &out.target);
		resolved_deinit(&out);
	}
}

static int setup(void **state)
{
	struct address_rules_config config = {.control_socket = "/run/sallyport/test.sock"};

	(void)state;
	rules = rules_new(&config, NULL);
	return rules == NULL;
}

static int teardown(void **state)
{
	(void)state;
	rules_free(rules);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services),
		cmocka_unit_test(backends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
