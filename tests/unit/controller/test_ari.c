/* Renewal as the CA wants it (RFC 9773): windows earlier, later, past and none, over restarts. */
#include "certlab.h"
#include "fakeca.h"

#define ISSUER "cert-manager.io/clusterissuers//fake"
#define DAY    INT64_C(86400)

static void apply(struct certlab *lab, const char *source, const char *wish)
{
	AUTO(auto_free)
	char *yaml =
		xasprintf("apiVersion: gateway.networking.k8s.io/v1\n"
			  "kind: Gateway\n"
			  "metadata: {name: gw}\n"
			  "spec:\n"
			  "  gatewayClassName: sallyport\n"
			  "  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"
			  "  listeners: [{name: http, port: %%P%%, protocol: HTTP}]\n"
			  "---\n"
			  "apiVersion: cert-manager.io/v1\n"
			  "kind: ClusterIssuer\n"
			  "metadata: {name: fake, annotations: {sallyport.dev/self-check: 'off'}}\n"
			  "spec: {acme: {server: https://ca.test/dir, privateKeySecretRef: {name: "
			  "account}%s}}\n"
			  "---\n"
			  "apiVersion: cert-manager.io/v1\n"
			  "kind: Certificate\n"
			  "metadata: {name: site}\n"
			  "spec:\n"
			  "  secretName: site\n"
			  "  dnsNames: [a.example]\n"
			  "%s"
			  "  privateKey: {algorithm: ECDSA}\n"
			  "  issuerRef: {name: fake, kind: ClusterIssuer}\n",
			  source, wish);

	certlab_apply(lab, yaml);
}

/* start, end: seconds from now */
static void offer(int64_t start, int64_t end)
{
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];

	clock_rfc3339(clock_wall() + start, from);
	clock_rfc3339(clock_wall() + end, to);
	json_decref(fake_ca.directory);
	fake_ca.directory = json_pack("{s:s}", "renewalInfo", "https://ca.test/ari");
	json_decref(fake_ca.renewal_info);
	fake_ca.renewal_info = json_pack("{s:{s:s, s:s}, s:s}", "suggestedWindow", "start", from,
					 "end", to, "explanationURL", "https://ca.test/why");
}

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	fake_ca_reset(lab->loop);
	certlab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	fake_ca_free();
	free(*state);
	return 0;
}

static int64_t time_of(struct certlab *lab, const char *path)
{
	int64_t when = 0;

	(void)json_time_at(certlab_get(lab, CERT_KEY("site")), path, &when);
	return when;
}

static bool was_checked(struct certlab *lab, const void *arg)
{
	(void)arg;
	return time_of(lab, "status.renewalInfo.checkedTime") != 0;
}

static bool is_within(struct certlab *lab, const void *arg)
{
	const int64_t *window = arg;
	int64_t renewal = time_of(lab, "status.renewalTime");

	return renewal >= window[0] && renewal < window[1];
}

static void expect_renewal_within(struct certlab *lab, int64_t start, int64_t end)
{
	int64_t window[2] = {start, end};

	certlab_until(lab, is_within, window, "the renewal to be within the window");
}

static bool orders_are(struct certlab *lab, const void *arg)
{
	const unsigned *count = arg;

	return fake_ca.orders == *count &&
	       strcmp(certlab_condition(lab, CERT_KEY("site"), "Issuing"), "False/Issued") == 0;
}

static void expect_orders(struct certlab *lab, unsigned count)
{
	certlab_until(lab, orders_are, &count, "the orders");
}

/* As if the time had come to ask again. */
static void ask_again(struct certlab *lab)
{
	certlab_set_status(lab, CERT_KEY("site"), "renewalInfo.nextCheckTime",
			   json_time(clock_wall() - 1));
	certlab_settle(lab);
}

static void test_window_is_followed(void **state)
{
	struct certlab *lab = *state;
	int64_t now = clock_wall(), chosen;

	offer(70 * DAY, 72 * DAY); /* later than a third of the lifetime left */
	apply(lab, "", "");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	expect_renewal_within(lab, now + 70 * DAY, now + 72 * DAY + 60);
	chosen = time_of(lab, "status.renewalTime");
	assert_int_equal(time_of(lab, "status.renewalInfo.selectedTime"), chosen);
	/* the same window, the same moment: after another question, and over a restart */
	ask_again(lab);
	certlab_settle(lab);
	assert_int_equal(time_of(lab, "status.renewalTime"), chosen);
	certlab_kill(lab);
	fake_ca.requests = 0;
	certlab_start(lab);
	certlab_settle(lab);
	assert_int_equal(fake_ca.requests, 0);
	assert_int_equal(time_of(lab, "status.renewalTime"), chosen);
	/* earlier, and later again */
	offer(10 * DAY, 11 * DAY);
	ask_again(lab);
	expect_renewal_within(lab, now + 10 * DAY, now + 11 * DAY + 60);
	offer(80 * DAY, 81 * DAY);
	ask_again(lab);
	expect_renewal_within(lab, now + 80 * DAY, now + 81 * DAY + 60);
	/* past the end: some of the lifetime is left */
	offer(100 * DAY, 101 * DAY);
	ask_again(lab);
	expect_renewal_within(lab, now + 85 * DAY, now + 86 * DAY);
	assert_int_equal(fake_ca.orders, 1);
	assert_string_equal(fake_ca.replaces, "");
}

static void test_past_window(void **state)
{
	struct certlab *lab = *state;
	AUTO(auto_free) char *first = NULL;

	offer(50 * DAY, 51 * DAY);
	apply(lab, "", "");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_until(lab, was_checked, NULL, "the CA to be asked");
	first = sv_dup(
		json_sv_at(certlab_get(lab, CERT_KEY("site")), "status.renewalInfo.certificateID"));
	/* a notice: renewed at once, as the successor; and the successor, which the CA says the
	 * same of, is not renewed at once again */
	offer(-2 * DAY, -DAY);
	ask_again(lab);
	expect_orders(lab, 2);
	assert_string_equal(fake_ca.replaces, first);
	certlab_settle(lab);
	expect_renewal_within(lab, clock_wall() + 400, clock_wall() + 1000);
	assert_int_equal(fake_ca.orders, 2);
	assert_string_equal(json_str_at(certlab_get(lab, CERT_KEY("site")),
					"status.renewalInfo.explanationURL"),
			    "https://ca.test/why");
	/* a window ahead ends the hurry */
	offer(50 * DAY, 51 * DAY);
	ask_again(lab);
	expect_renewal_within(lab, clock_wall() + 49 * DAY, clock_wall() + 52 * DAY);
	assert_null(json_at(certlab_get(lab, CERT_KEY("site")), "status.renewalInfo.pastWindows"));
}

static void test_already_replaced(void **state)
{
	static const char *const types[] = {"alreadyReplaced", "malformed"};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		offer(50 * DAY, 51 * DAY);
		apply(lab, "", "");
		certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
		certlab_until(lab, was_checked, NULL, "the CA to be asked");
		fake_ca.fault = (struct fake_fault){
			.step = FAKE_ORDER_NEW,
			.result = {.step = "newOrder", .outcome = ACME_REFUSED, .http_status = 409},
			.times = 1};
		snprintf(fake_ca.fault.result.problem.type,
			 sizeof(fake_ca.fault.result.problem.type), "%s", types[i]);
		offer(-2 * DAY, -DAY);
		ask_again(lab);
		expect_orders(lab, 2);
		assert_string_equal(fake_ca.replaces, "");
		assert_int_equal(fake_ca.asked[FAKE_ORDER_NEW], 3);
		teardown(state);
		setup(state);
		lab = *state;
	}
}

struct no_window {
	const char *name;
	struct acme_result result; /* step NULL: none, the body is the answer */
	const char *body;
};

/* F85: the lifetime decides, and nothing waits. */
static void test_no_window(void **state)
{
	static const struct no_window cases[] = {
		{"404", {.step = "renewalInfo", .outcome = ACME_GONE, .http_status = 404}, NULL},
		{"500", {.step = "renewalInfo", .outcome = ACME_RETRY_LATER}, NULL},
		{"inverted",
		 {0},
		 "{\"suggestedWindow\":{\"start\":\"2030-01-02T00:00:00Z\","
		 "\"end\":\"2030-01-01T00:00:00Z\"}}"},
		{"no window", {0}, "{\"suggestedWindow\":7}"},
	};
	struct certlab *lab = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t now = clock_wall(), next;

		print_message("%s\n", cases[i].name);
		offer(70 * DAY, 71 * DAY);
		if (cases[i].result.step != NULL)
			fake_ca.fault = (struct fake_fault){.step = FAKE_RENEWAL_INFO,
							    .result = cases[i].result};
		if (cases[i].body != NULL) {
			json_decref(fake_ca.renewal_info);
			fake_ca.renewal_info = json_loads(cases[i].body, 0, NULL);
		}
		apply(lab, "", "");
		certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
		certlab_until(lab, was_checked, NULL, "the CA to be asked");
		expect_renewal_within(lab, now + 59 * DAY, now + 61 * DAY);
		next = time_of(lab, "status.renewalInfo.nextCheckTime");
		assert_in_range(next - now, 590, 700);
		certlab_settle(lab);
		assert_int_equal(fake_ca.asked[FAKE_RENEWAL_INFO], 1);
		teardown(state);
		setup(state);
		lab = *state;
	}
}

/* A CA that has gone silent: the window that is known stays. One that knows no window any more:
 * it goes. */
static void test_window_is_lost(void **state)
{
	struct certlab *lab = *state;
	int64_t now = clock_wall();

	offer(10 * DAY, 11 * DAY);
	apply(lab, "", "");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	expect_renewal_within(lab, now + 10 * DAY, now + 11 * DAY + 60);
	fake_ca.fault =
		(struct fake_fault){.step = FAKE_RENEWAL_INFO,
				    .result = {.step = "renewalInfo", .outcome = ACME_RETRY_LATER},
				    .times = 1};
	ask_again(lab);
	certlab_settle(lab);
	expect_renewal_within(lab, now + 10 * DAY, now + 11 * DAY + 60);
	json_decref(fake_ca.renewal_info);
	fake_ca.renewal_info = NULL;
	/* over a restart, when only the status is known of the certificate */
	certlab_kill(lab);
	certlab_start(lab);
	certlab_settle(lab);
	ask_again(lab);
	expect_renewal_within(lab, now + 59 * DAY, now + 61 * DAY);
}

static void test_not_wanted(void **state)
{
	struct certlab *lab = *state;
	int64_t now = clock_wall();

	offer(70 * DAY, 71 * DAY);
	apply(lab, ", renewalInformationSource: None", "");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_settle(lab);
	assert_int_equal(fake_ca.asked[FAKE_RENEWAL_INFO], 0);
	expect_renewal_within(lab, now + 59 * DAY, now + 61 * DAY);
	/* and what the user wants earlier is done earlier */
	teardown(state);
	setup(state);
	lab = *state;
	offer(70 * DAY, 71 * DAY);
	apply(lab, "", "  renewBefore: 960h\n");
	certlab_expect(lab, CERT_KEY("site"), "Ready", "True/Ready");
	certlab_until(lab, was_checked, NULL, "the CA to be asked");
	certlab_settle(lab);
	expect_renewal_within(lab, now + 49 * DAY, now + 51 * DAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_window_is_followed), TEST(test_past_window),
		TEST(test_already_replaced),   TEST(test_no_window),
		TEST(test_window_is_lost),     TEST(test_not_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
