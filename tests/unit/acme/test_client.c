/* The client against a CA in memory that fails in every way: outcomes, counts, waits. */
#include "acme/account.h"
#include "acme/revoke.h"
#include "fake_ca.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define KID CA "/acct/1"

static const struct str_view name = SV_INIT("a.example");

static struct acme_call *new_order(struct acme_client *client, struct outcome *outcome)
{
	struct acme_new_order order = {.dns = &name, .dns_count = 1};

	return acme_order_new(client, &order, fake_done, outcome);
}

static struct acme_call *find_order(struct acme_client *client, struct outcome *outcome)
{
	struct acme_new_order order = {.dns = &name, .dns_count = 1};

	return acme_order_find(client, &order, fake_done, outcome);
}

static struct acme_call *finalize(struct acme_client *client, struct outcome *outcome)
{
	struct acme_finalization what = {
		.order_url = CA "/order/1", .url = CA "/finalize/1", .csr_der = SV("csr")};

	return acme_finalize(client, &what, fake_done, outcome);
}

static struct acme_call *read_order(struct acme_client *client, struct outcome *outcome)
{
	return acme_get(client, CA "/order/1", fake_done, outcome);
}

static struct acme_call *answer(struct acme_client *client, struct outcome *outcome)
{
	return acme_challenge_answer(client, CA "/challenge/1", fake_done, outcome);
}

static struct acme_call *account(struct acme_client *client, struct outcome *outcome)
{
	return acme_account(client, SV("a@example.org"), NULL, fake_done, outcome);
}

static struct acme_call *download(struct acme_client *client, struct outcome *outcome)
{
	return acme_certificate(client, CA "/cert/1", SV_NONE, fake_done, outcome);
}

static struct acme_call *revoke(struct acme_client *client, struct outcome *outcome)
{
	struct acme_revocation what = {.cert_der = SV("der"), .reason = 1};

	return acme_revoke(client, &what, fake_done, outcome);
}

static struct acme_call *revoke_by_key(struct acme_client *client, struct outcome *outcome)
{
	struct acme_revocation what = {.cert_der = SV("der"), .reason = 1, .key = EVP_PKEY_new()};
	struct acme_call *call = acme_revoke(client, &what, fake_done, outcome);

	EVP_PKEY_free(what.key);
	return call;
}

static struct acme_call *change_key(struct acme_client *client, struct outcome *outcome)
{
	AUTO(auto_key) EVP_PKEY *key = EVP_PKEY_new();

	return acme_key_change(client, key, fake_done, outcome);
}

static struct acme_call *find_account(struct acme_client *client, struct outcome *outcome)
{
	return acme_account_find(client, fake_done, outcome);
}

static struct acme_call *deactivate(struct acme_client *client, struct outcome *outcome)
{
	return acme_account_deactivate(client, fake_done, outcome);
}

static struct acme_call *renewal_info(struct acme_client *client, struct outcome *outcome)
{
	return acme_renewal_info(client, SV("aki.serial"), fake_done, outcome);
}

static struct acme_call *read_foreign(struct acme_client *client, struct outcome *outcome)
{
	return acme_get(client, "https://evil.example/order/1", fake_done, outcome);
}

#define FAULT(where, count, what, ...)                                     \
	{                                                                  \
		.path = where, .times = count, .kind = what, ##__VA_ARGS__ \
	}

struct scenario {
	const char *name;
	struct acme_call *(*start)(struct acme_client *client, struct outcome *outcome);
	struct fault faults[2];
	const char *order_status; /* NULL: "pending" */
	unsigned orders;          /* that exist already */
	bool no_account, no_list, no_kid, no_member;

	enum acme_outcome outcome;
	const char *step, *type, *text; /* parts; NULL: not looked at */
	unsigned requests;              /* exactly; 0: not looked at */
	unsigned new_orders;            /* at the CA */
	int64_t least_ms, most_ms;      /* 0: not looked at */
};

static const struct scenario scenarios[] = {
	/* ---- the straight way ---- */
	{"an order: directory, nonce, newOrder", new_order, .outcome = ACME_OK, .requests = 3,
	 .new_orders = 1, .most_ms = 100},
	{"an account that exists", account, .no_kid = true, .outcome = ACME_OK, .requests = 3},
	{"an account that does not", account, .no_kid = true, .no_account = true,
	 .outcome = ACME_OK, .requests = 3},
	{"the account's URL is looked up when it is not known", new_order, .no_kid = true,
	 .outcome = ACME_OK, .requests = 4, .new_orders = 1},
	/* ---- F01 to F07 ---- */
	{"F01: one badNonce costs one request",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_BAD_NONCE)},
	 .outcome = ACME_OK,
	 .requests = 4,
	 .new_orders = 1,
	 .most_ms = 100},
	{"F03: badNonce for ever",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_BAD_NONCE)},
	 .outcome = ACME_RETRY_LATER,
	 .step = "newOrder",
	 .type = "badNonce",
	 .requests = 16},
	{"F06: no nonce anywhere",
	 new_order,
	 {FAULT("/newNonce", 0, FAULT_NO_NONCE), FAULT("/newOrder", 0, FAULT_NO_NONCE)},
	 .outcome = ACME_RETRY_LATER,
	 .step = "newNonce",
	 .text = "no Replay-Nonce",
	 .requests = 6},
	{"F07: a nonce outside base64url is asked for again",
	 new_order,
	 {FAULT("/newNonce", 1, FAULT_GARBAGE_NONCE)},
	 .outcome = ACME_OK,
	 .requests = 4,
	 .new_orders = 1},
	/* ---- F08 to F22 ---- */
	{"F08: 500 at dir",
	 new_order,
	 {FAULT("/dir", 3, FAULT_PROBLEM, .status = 500)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 1700},
	{"F08: 502 at nonce",
	 new_order,
	 {FAULT("/newNonce", 3, FAULT_PROBLEM, .status = 502)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 1700},
	{"F08: 503 at newacct",
	 account,
	 {FAULT("/newAccount", 3, FAULT_PROBLEM, .status = 503)},
	 .outcome = ACME_OK,
	 .least_ms = 1700},
	{"F08: 503 at neworder",
	 new_order,
	 {FAULT("/newOrder", 3, FAULT_PROBLEM, .status = 503)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .requests = 6,
	 .least_ms = 1700},
	{"F08: 504 at order",
	 read_order,
	 {FAULT("/order", 4, FAULT_PROBLEM, .status = 504)},
	 .outcome = ACME_OK},
	{"F08: 500 for ever ends",
	 read_order,
	 {FAULT("/order", 0, FAULT_PROBLEM, .status = 500)},
	 .outcome = ACME_RETRY_LATER,
	 .requests = 7,
	 .type = "serverInternal",
	 .most_ms = 30000},
	{"F09: Retry-After is waited for",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 503, .retry_after = "3")},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 3000,
	 .most_ms = 4000},
	{"F11: a Retry-After of years is handed on",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 503, .retry_after = "315360000")},
	 .outcome = ACME_RETRY_LATER,
	 .requests = 3},
	{"F11: a negative one is ignored",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 503, .retry_after = "-1")},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .most_ms = 1000},
	{"F12: a page of a balancer",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_BODY, .status = 503,
		.text = "<html>\033[2J<h1>Unavailable</h1></html>")},
	 .outcome = ACME_RETRY_LATER,
	 .type = "",
	 .text = "?[2J Unavailable"},
	{"F15: 429 with a short Retry-After is waited for",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 429, .type = "rateLimited",
		.retry_after = "3")},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 3000,
	 .requests = 4},
	{"F17: 429 without Retry-After",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_PROBLEM, .status = 429, .type = "rateLimited")},
	 .outcome = ACME_RETRY_LATER,
	 .type = "rateLimited",
	 .requests = 3,
	 .most_ms = 100},
	{"F18: 429 at newNonce",
	 new_order,
	 {FAULT("/newNonce", 3, FAULT_PROBLEM, .status = 429, .type = "rateLimited",
		.retry_after = "2")},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 6000},
	{"F18: 429 at a poll",
	 read_order,
	 {FAULT("/order", 3, FAULT_PROBLEM, .status = 429, .type = "rateLimited",
		.retry_after = "2")},
	 .outcome = ACME_OK,
	 .least_ms = 6000},
	{"F21: a redirect of a signed request",
	 read_order,
	 {FAULT("/order", 1, FAULT_BODY, .status = 302, .text = "")},
	 .outcome = ACME_OK,
	 .least_ms = 250},
	/* ---- F23 to F28 ---- */
	{"F23: not JSON",
	 read_order,
	 {FAULT("/order", 0, FAULT_BODY, .text = "\001{not json")},
	 .outcome = ACME_RETRY_LATER,
	 .text = "not JSON",
	 .requests = 7},
	{"F24: the wrong shape",
	 read_order,
	 {FAULT("/order", 0, FAULT_BODY, .text = "{\"status\":\"ready\",\"finalize\":[]}")},
	 .outcome = ACME_RETRY_LATER,
	 .text = "\"finalize\""},
	{"F24: an array",
	 read_order,
	 {FAULT("/order", 1, FAULT_BODY, .text = "[{\"status\":7}]")},
	 .outcome = ACME_OK},
	{"F24: at the directory",
	 new_order,
	 {FAULT("/dir", 1, FAULT_BODY, .text = "[7]")},
	 .outcome = ACME_OK,
	 .new_orders = 1},
	{"F25: empty",
	 read_order,
	 {FAULT("/order", 2, FAULT_BODY, .text = "")},
	 .outcome = ACME_OK},
	{"no certificate in the answer",
	 download,
	 {FAULT("/cert", 0, FAULT_BODY, .text = "hello")},
	 .outcome = ACME_RETRY_LATER,
	 .text = "no certificate"},
	{"the certificate",
	 download,
	 {FAULT("/cert", 0, FAULT_BODY, .text = "-----BEGIN CERTIFICATE-----\n")},
	 .outcome = ACME_OK},
	/* ---- F34 to F39: lost answers ---- */
	{"F34: newOrder closed: no list, once more",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_CLOSED)},
	 .no_list = true,
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .requests = 6},
	{"F34: newOrder closed: the list is empty, once more",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_CLOSED)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .requests = 7},
	{"F36: newOrder lost: the order is found",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_LOST)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .requests = 7},
	{"F36: newOrder lost: found on the last page",
	 new_order,
	 {FAULT("/newOrder", 1, FAULT_LOST)},
	 .orders = 7,
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .requests = 14},
	{"F36: newOrder lost twice without a list: one order too many at most",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_LOST)},
	 .no_list = true,
	 .outcome = ACME_RETRY_LATER,
	 .new_orders = 2},
	{"F36: finalize lost: the order is read, not finalized again",
	 finalize,
	 {FAULT("/finalize", 1, FAULT_LOST)},
	 .order_status = "ready",
	 .outcome = ACME_OK,
	 .requests = 5},
	{"F36: finalize closed: still ready, so finalized",
	 finalize,
	 {FAULT("/finalize", 1, FAULT_CLOSED)},
	 .order_status = "ready",
	 .outcome = ACME_OK,
	 .requests = 6},
	{"F36: challenge lost: read, not answered again",
	 answer,
	 {FAULT("/challenge", 1, FAULT_LOST)},
	 .outcome = ACME_OK,
	 .requests = 5},
	{"F36: challenge closed: still pending, so answered",
	 answer,
	 {FAULT("/challenge", 1, FAULT_CLOSED)},
	 .outcome = ACME_OK,
	 .requests = 6},
	{"F36: account lost",
	 account,
	 {FAULT("/newAccount", 1, FAULT_LOST)},
	 .no_kid = true,
	 .no_account = true,
	 .outcome = ACME_OK,
	 .requests = 5},
	{"F37: a kept connection died: at once again, once",
	 read_order,
	 {FAULT("/order", 1, FAULT_KEPT_DIED)},
	 .outcome = ACME_OK,
	 .requests = 5,
	 .most_ms = 100},
	{"F37: kept connections die for ever",
	 read_order,
	 {FAULT("/order", 0, FAULT_KEPT_DIED)},
	 .outcome = ACME_RETRY_LATER,
	 .least_ms = 3000},
	{"F38: refused for a while",
	 new_order,
	 {FAULT("/", 4, FAULT_NOT_SENT)},
	 .outcome = ACME_OK,
	 .new_orders = 1,
	 .least_ms = 3750},
	{"F39: TLS",
	 new_order,
	 {FAULT("/", 0, FAULT_TLS)},
	 .outcome = ACME_BROKEN,
	 .step = "directory",
	 .requests = 1},
	{"F39: TLS later",
	 read_order,
	 {FAULT("/order", 0, FAULT_TLS)},
	 .outcome = ACME_BROKEN,
	 .step = "read",
	 .requests = 3},
	/* ---- F41 to F48 ---- */
	{"F41: the account is gone", new_order, .no_account = true, .outcome = ACME_GONE,
	 .type = "accountDoesNotExist", .requests = 5},
	{"F42: the account is deactivated",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_PROBLEM, .status = 401, .type = "unauthorized")},
	 .outcome = ACME_REFUSED,
	 .type = "unauthorized",
	 .requests = 3},
	{"F45: contact",
	 account,
	 {FAULT("/newAccount", 0, FAULT_PROBLEM, .status = 400, .type = "unsupportedContact")},
	 .outcome = ACME_REFUSED,
	 .type = "unsupportedContact",
	 .requests = 3},
	{"F46: the directory lacks newOrder", new_order, .no_member = true, .outcome = ACME_BROKEN,
	 .step = "directory", .text = "\"newOrder\"", .requests = 1},
	{"the directory's URL is wrong",
	 new_order,
	 {FAULT("/dir", 0, FAULT_PROBLEM, .status = 404, .type = "malformed")},
	 .outcome = ACME_BROKEN,
	 .text = "the URL of an ACME directory?",
	 .requests = 1},
	/* ---- F58 to F69 ---- */
	{"F58: orderNotReady: the order is read", finalize, .outcome = ACME_OK, .requests = 4},
	{"F61: the order is gone",
	 read_order,
	 {FAULT("/order", 0, FAULT_PROBLEM, .status = 404, .type = "malformed")},
	 .outcome = ACME_GONE,
	 .type = "malformed",
	 .requests = 3},
	{"a 404 with Retry-After is not yet a no",
	 read_order,
	 {FAULT("/order", 1, FAULT_PROBLEM, .status = 404, .type = "malformed",
		.retry_after = "1")},
	 .outcome = ACME_OK},
	{"F63: newOrder without Location",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_NO_LOCATION)},
	 .outcome = ACME_RETRY_LATER,
	 .new_orders = 1,
	 .requests = 3},
	{"F63: newAccount without Location",
	 account,
	 {FAULT("/newAccount", 1, FAULT_NO_LOCATION)},
	 .outcome = ACME_OK,
	 .requests = 4},
	{"F64: badCSR",
	 finalize,
	 {FAULT("/finalize", 0, FAULT_PROBLEM, .status = 400, .type = "badCSR")},
	 .order_status = "ready",
	 .outcome = ACME_REFUSED,
	 .type = "badCSR"},
	{"F65: rejectedIdentifier",
	 new_order,
	 {FAULT("/newOrder", 0, FAULT_PROBLEM, .status = 400, .type = "rejectedIdentifier")},
	 .outcome = ACME_REFUSED,
	 .type = "rejectedIdentifier",
	 .text = "detail of rejectedIdentifier"},
	{"F69: another origin", read_foreign, .outcome = ACME_BROKEN, .text = "evil.example",
	 .requests = 1},
	/* ---- the rest ---- */
	{"revoked already is revoked", revoke, .outcome = ACME_OK},
	{"by its own key, without an account", revoke_by_key, .no_account = true, .no_kid = true,
	 .outcome = ACME_OK, .requests = 3},
	{"another key for the account", change_key, .outcome = ACME_OK, .requests = 3},
	{"another key, refused",
	 change_key,
	 {FAULT("/keyChange", 0, FAULT_PROBLEM, .status = 409, .type = "conflict")},
	 .outcome = ACME_REFUSED,
	 .type = "conflict"},
	{"the account is found by its key", find_account, .no_kid = true, .outcome = ACME_OK,
	 .requests = 3},
	{"it is not made", find_account, .no_kid = true, .no_account = true,
	 .outcome = ACME_REFUSED, .type = "accountDoesNotExist"},
	{"the account is ended", deactivate, .outcome = ACME_OK, .requests = 3},
	{"it was ended before",
	 deactivate,
	 {FAULT("/acct/", 0, FAULT_PROBLEM, .status = 401, .type = "unauthorized")},
	 .outcome = ACME_OK},
	{"renewal information is not signed", renewal_info, .no_account = true, .no_kid = true,
	 .outcome = ACME_OK, .requests = 2},
	{"F85: 404",
	 renewal_info,
	 {FAULT("/renewal/", 0, FAULT_PROBLEM, .status = 404, .type = "malformed")},
	 .outcome = ACME_GONE,
	 .requests = 2},
	{"F85: garbage",
	 renewal_info,
	 {FAULT("/renewal/", 0, FAULT_BODY, .text = "<html>")},
	 .outcome = ACME_RETRY_LATER,
	 .text = "not JSON"},
	{"an order of ours is found", find_order, .orders = 2, .outcome = ACME_OK, .requests = 6},
	{"none is there", find_order, .outcome = ACME_GONE, .type = ""},
	{"finished ones do not count", find_order, .orders = 2, .order_status = "valid",
	 .outcome = ACME_GONE, .type = ""},
	{"no list of orders", find_order, .no_list = true, .outcome = ACME_GONE, .type = ""},
};

static void check(const struct scenario *scenario, const struct outcome *outcome)
{
	const char *wrong = NULL;

	if (outcome->calls != 1)
		wrong = "not answered once";
	else if (outcome->outcome != scenario->outcome)
		wrong = "outcome";
	else if (scenario->step != NULL && strcmp(outcome->step, scenario->step) != 0)
		wrong = "step";
	else if (scenario->type != NULL && strcmp(outcome->type, scenario->type) != 0)
		wrong = "type";
	else if (scenario->text != NULL && strstr(outcome->text, scenario->text) == NULL)
		wrong = "text";
	else if (scenario->requests != 0 && ca.requests != scenario->requests)
		wrong = "requests";
	else if (ca.new_order != scenario->new_orders)
		wrong = "orders at the CA";
	else if (scenario->least_ms > outcome->elapsed_ms ||
		 (scenario->most_ms != 0 && outcome->elapsed_ms > scenario->most_ms))
		wrong = "time";
	else if (ca.violations != 0)
		wrong = ca.violation;
	else if (outcome->outcome == ACME_BROKEN && outcome->retry_after_ms < 60000)
		wrong = "broken, but to be tried within a minute";
	if (wrong != NULL)
		fail_msg("%s: %s (outcome %d, step %s, type %s, text %s, %u requests, %u orders, "
			 "%lld ms)",
			 scenario->name, wrong, outcome->outcome, outcome->step, outcome->type,
			 outcome->text, ca.requests, ca.new_order, (long long)outcome->elapsed_ms);
}

static void set_up(const struct scenario *scenario)
{
	fake_reset();
	memcpy(ca.faults, scenario->faults, sizeof(scenario->faults));
	ca.has_account = !scenario->no_account;
	ca.no_orders_list = scenario->no_list;
	ca.no_new_order_member = scenario->no_member;
	ca.orders = scenario->orders;
	if (scenario->order_status != NULL)
		ca.order_status = scenario->order_status;
}

static void test_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		const struct scenario *scenario = &scenarios[i];
		struct acme_client *client;
		struct outcome outcome = {0};

		set_up(scenario);
		client = fake_client(scenario->no_kid ? NULL : KID);
		scenario->start(client, &outcome);
		assert_int_equal(outcome.calls, 0); /* later, never inside the call */
		fake_run();
		check(scenario, &outcome);
		assert_int_equal(fake_open(), 0);
		acme_client_free(client);
	}
}

/* Whatever is cut off after any number of steps, nothing is left behind (LeakSanitizer looks). */
static void freed_after(const struct scenario *scenario, int steps)
{
	struct acme_client *client;
	struct outcome outcome = {0};
	struct acme_call *call;

	set_up(scenario);
	client = fake_client(scenario->no_kid ? NULL : KID);
	call = scenario->start(client, &outcome);
	fake_steps(steps);
	if (steps % 2 == 0 && outcome.calls == 0) {
		acme_cancel(call);
		fake_run();
		assert_int_equal(outcome.calls, 0);
	}
	acme_client_free(client);
	assert_int_equal(fake_open(), 0);
}

static void test_freed_at_any_point(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		for (int steps = 0; steps < 24; steps++)
			freed_after(&scenarios[i], steps);
	}
}

static void test_rate_limit_holds_the_others(void **state)
{
	struct outcome outcomes[6] = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.faults[0] = (struct fault)FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 429,
					   .type = "rateLimited", .retry_after = "5");
	client = fake_client(KID);
	new_order(client, &outcomes[0]);
	fake_run();
	assert_int_equal(ca.new_order, 1);
	/* One more refusal: the five that come now wait for it, and pass one after the other. */
	ca.faults[0] = (struct fault)FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 429,
					   .type = "rateLimited", .retry_after = "20");
	for (size_t i = 1; i < ARRAY_LEN(outcomes); i++)
		new_order(client, &outcomes[i]);
	fake_run();
	assert_int_equal(ca.new_order, 6);
	assert_int_equal(ca.violations, 0);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		assert_true(outcomes[i].calls == 1 && outcomes[i].outcome == ACME_OK);
	acme_client_free(client);
}

static void test_long_rate_limit_answers_here(void **state)
{
	struct outcome first = {0}, second = {0}, third = {0};
	struct acme_client *client;
	unsigned requests;

	(void)state;
	fake_reset();
	ca.faults[0] = (struct fault)FAULT("/newOrder", 1, FAULT_PROBLEM, .status = 429,
					   .type = "rateLimited", .retry_after = "3600");
	client = fake_client(KID);
	new_order(client, &first);
	fake_run();
	requests = ca.requests;
	new_order(client, &second);
	fake_run();
	assert_int_equal(first.outcome, ACME_RETRY_LATER);
	assert_int_equal(first.retry_after_ms, 3600000);
	assert_int_equal(second.outcome, ACME_RETRY_LATER);
	assert_string_equal(second.type, "rateLimited");
	assert_in_range(second.retry_after_ms, 3590000, 3600000);
	assert_int_equal(ca.requests, requests);
	acme_client_reset_limits(client); /* somebody wants it now */
	ca.faults[0] = (struct fault)FAULT("/newOrder", 1, FAULT_BODY, .status = 429,
					   .text = "slow down", .retry_after = "3600");
	new_order(client, &second);
	fake_run();
	assert_int_equal(ca.requests, requests + 1);
	assert_string_equal(second.type, "rateLimited");
	fake_advance(3600000);
	new_order(client, &third);
	fake_run();
	assert_int_equal(third.outcome, ACME_OK);
	assert_int_equal(ca.violations, 1); /* the one that was wanted */
	acme_client_free(client);
}

static void test_seven_requests_a_certificate(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(NULL);
	account(client, &outcome);
	fake_run();
	assert_string_equal(acme_client_kid(client), KID);
	ca.requests = 0;
	ca.faults[0] = (struct fault)FAULT("/cert", 0, FAULT_BODY,
					   .text = "-----BEGIN CERTIFICATE-----\n");
	new_order(client, &outcome);
	fake_run();
	answer(client, &outcome);
	fake_run();
	ca.order_status = "ready";
	read_order(client, &outcome);
	fake_run();
	finalize(client, &outcome);
	fake_run();
	download(client, &outcome);
	fake_run();
	assert_int_equal(outcome.calls, 6);
	assert_int_equal(ca.requests, 5); /* no nonce was asked for, no directory, no account */
	acme_client_free(client);
}

static void test_moved_directory(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(KID);
	new_order(client, &outcome);
	fake_run();
	ca.moved_to = "/v2";
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	assert_int_equal(ca.directory, 2);
	assert_int_equal(ca.violations, 0);
	acme_client_free(client);
}

static void test_directory_is_read_daily(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(KID);
	new_order(client, &outcome);
	fake_run();
	fake_advance(86400000);
	ca.faults[0] = (struct fault)FAULT("/dir", 0, FAULT_PROBLEM, .status = 500);
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK); /* the old one does */
	ca.faults[0] = (struct fault){0};
	fake_advance(3600000);
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(ca.directory, 2);
	acme_client_free(client);
}

/* F14: while nobody answers, a try asks for the directory and for nothing else; then it goes on. */
static void test_outage(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(KID);
	new_order(client, &outcome);
	fake_run();
	ca.faults[0] = (struct fault)FAULT("/new", 0, FAULT_NOT_SENT);
	ca.faults[1] = (struct fault)FAULT("/dir", 0, FAULT_NOT_SENT);
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_RETRY_LATER);
	for (int try = 0; try < 3; try++) {
		ca.faults[0] =
			(struct fault)FAULT("/new", 0, FAULT_BODY, .text = "asked all the same");
		fake_advance(6000000);
		new_order(client, &outcome);
		fake_run();
		assert_int_equal(outcome.outcome, ACME_RETRY_LATER);
		assert_string_equal(outcome.step, "directory");
		assert_int_equal(outcome.failure, FETCH_CONNECT);
	}
	ca.faults[0] = ca.faults[1] = (struct fault){0};
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	assert_int_equal(ca.directory, 2);
	assert_int_equal(ca.new_order, 2);
	assert_int_equal(ca.violations, 0);
	acme_client_free(client);
}

/* A directory that answers without being one: what is known of before does. */
static void test_outage_of_something_else(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(KID);
	new_order(client, &outcome);
	fake_run();
	ca.faults[0] = (struct fault)FAULT("/newOrder", 5, FAULT_CLOSED);
	ca.faults[1] = (struct fault)FAULT("/dir", 0, FAULT_PROBLEM, .status = 500);
	ca.no_orders_list = true;
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_RETRY_LATER);
	ca.faults[0] = (struct fault){0};
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	acme_client_free(client);
}

static void test_account_made_again(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.has_account = false;
	client = fake_client(KID);
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_GONE);
	assert_null(acme_client_kid(client));
	account(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	new_order(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	assert_int_equal(ca.account, 1);
	acme_client_free(client);
}

static void test_external_binding(void **state)
{
	struct acme_eab eab = {.kid = SV("kid-1"), .mac_key = SV("secret"), .alg = SV("HS256")};
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.needs_eab = true;
	ca.has_account = false;
	client = fake_client(NULL);
	account(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_REFUSED);
	assert_string_equal(outcome.type, "externalAccountRequired");
	assert_int_equal(ca.account, 0);
	acme_account(client, SV_NONE, &eab, fake_done, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	acme_client_free(client);
}

static void test_no_renewal_info(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.no_renewal_info = true;
	client = fake_client(KID);
	renewal_info(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_REFUSED);
	assert_string_equal(outcome.type, "");
	assert_int_equal(ca.requests, 1);
	ca.no_renewal_info = false;
	assert_int_equal(ca.renewal_info, 0);
	acme_client_free(client);
}

static void test_signed_by_another_key(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	client = fake_client(KID);
	revoke_by_key(client, &outcome);
	fake_run();
	assert_int_equal(ca.own_key_revocations, 1);
	revoke(client, &outcome);
	fake_run();
	assert_int_equal(ca.own_key_revocations, 1);
	change_key(client, &outcome);
	deactivate(client, &outcome);
	fake_run();
	assert_int_equal(ca.key_change, 1);
	assert_int_equal(ca.deactivate, 1);
	acme_client_free(client);
}

static void test_challenge_answered_before(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.challenge_status = "valid";
	client = fake_client(KID);
	answer(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	assert_string_equal(outcome.order_status, "valid");
	ca.challenge_status = "pending"; /* refused for another reason: the refusal stands */
	ca.faults[0] = (struct fault)FAULT("/challenge", 0, FAULT_PROBLEM, .status = 400,
					   .type = "malformed");
	answer(client, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_REFUSED);
	assert_string_equal(outcome.type, "malformed");
	acme_client_free(client);
}

static void test_orders_list(void **state)
{
	struct outcome outcome = {0};
	struct acme_client *client;

	(void)state;
	fake_reset();
	ca.orders = 12;
	client = fake_client(KID);
	acme_orders_list(client, fake_done, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_OK);
	assert_int_equal(outcome.urls, 12);
	ca.no_orders_list = true;
	acme_orders_list(client, fake_done, &outcome);
	fake_run();
	assert_int_equal(outcome.outcome, ACME_REFUSED);
	acme_client_free(client);
}

static void free_client(void *arg, const struct acme_result *result)
{
	struct acme_client **client = arg;

	(void)result;
	acme_client_free(*client);
	*client = NULL;
}

static void test_client_freed_by_its_callback(void **state)
{
	struct acme_new_order order = {.dns = &name, .dns_count = 1};
	struct outcome never = {0};
	struct acme_client *client;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fake_reset();
		ca.has_account = i == 0;
		ca.no_new_order_member = i == 2;
		client = fake_client(KID);
		acme_order_new(client, &order, free_client, &client);
		acme_get(client, "https://evil.example/", fake_done, &never);
		new_order(client, &never);
		fake_run();
		assert_null(client);
		assert_int_equal(fake_open(), 0);
	}
}

static void test_http_directory_is_refused(void **state)
{
	struct acme_config config = {.directory = "http://ca.example/dir"};
	struct err err = {0};

	(void)state;
	fake_reset();
	assert_null(acme_client_new(NULL, NULL, &config, &err));
	assert_non_null(strstr(err.msg, "https"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scenarios),
		cmocka_unit_test(test_freed_at_any_point),
		cmocka_unit_test(test_rate_limit_holds_the_others),
		cmocka_unit_test(test_long_rate_limit_answers_here),
		cmocka_unit_test(test_seven_requests_a_certificate),
		cmocka_unit_test(test_moved_directory),
		cmocka_unit_test(test_directory_is_read_daily),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_outage_of_something_else),
		cmocka_unit_test(test_account_made_again),
		cmocka_unit_test(test_external_binding),
		cmocka_unit_test(test_no_renewal_info),
		cmocka_unit_test(test_signed_by_another_key),
		cmocka_unit_test(test_challenge_answered_before),
		cmocka_unit_test(test_orders_list),
		cmocka_unit_test(test_client_freed_by_its_callback),
		cmocka_unit_test(test_http_directory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
