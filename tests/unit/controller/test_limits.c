/* tests/unit/controller/test_limits.c - controller/limits.c */
#include "base/own.h"
#include "controller/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW  INT64_C(1767322800)
#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

static const struct str_view le = SV_INIT("https://acme-v02.api.letsencrypt.org/directory");

static struct limits_rules rules_for(const char *note)
{
	struct limits_rules rules;

	assert_int_equal(limits_rules_for(le, note, &rules, NULL), 0);
	return rules;
}

static void test_rules(void **state)
{
	static const struct {
		const char *server, *note;
		unsigned orders, domain, duplicates, failures;
		bool wrong;
	} cases[] = {
		{"https://acme-v02.api.letsencrypt.org/directory", NULL, 300, 50, 5, 5, false},
		{"https://acme-v02.api.letsencrypt.org.evil/directory", NULL, 0, 0, 0, 0, false},
		{"https://ca.example/dir", NULL, 0, 0, 0, 0, false},
		{"https://ca.example/dir", "orders=10/1h, failures=2/30m", 10, 0, 0, 2, false},
		{"https://acme-v02.api.letsencrypt.org/directory", "off", 0, 0, 0, 0, false},
		{"https://ca.example/dir", "orders=10", 0, 0, 0, 0, true},
		{"https://ca.example/dir", "orders=10/0s", 0, 0, 0, 0, true},
		{"https://ca.example/dir", "orders=10/2000h", 0, 0, 0, 0, true},
		{"https://ca.example/dir", "orders=99999/1h", 0, 0, 0, 0, true},
		{"https://ca.example/dir", "sheep=1/1h", 0, 0, 0, 0, true},
		{"https://ca.example/dir", "", 0, 0, 0, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct limits_rules rules;
		struct err err = {0};
		int rc = limits_rules_for(sv_from(cases[i].server), cases[i].note, &rules, &err);

		assert_int_equal(rc, cases[i].wrong ? -1 : 0);
		if (cases[i].wrong)
			continue;
		assert_int_equal(rules.orders.count, cases[i].orders);
		assert_int_equal(rules.domain.count, cases[i].domain);
		assert_int_equal(rules.duplicates.count, cases[i].duplicates);
		assert_int_equal(rules.failures.count, cases[i].failures);
	}
}

static int64_t wait_for(struct limits *limits, const char *name, bool replaces, int64_t now)
{
	struct limits_rules rules = rules_for(NULL);
	struct str_view view = sv_from(name);
	struct limits_names names = {.dns = &view, .count = 1, .replaces = replaces};

	return limits_wait(limits, &rules, &names, now, NULL);
}

static void issue(struct limits *limits, const char *name, bool replaces, int64_t now)
{
	struct str_view view = sv_from(name);
	struct limits_names names = {.dns = &view, .count = 1, .replaces = replaces};

	limits_ordered(limits, &names, now);
	limits_issued(limits, &names, now);
}

static void test_domain(void **state)
{
	struct limits *limits = limits_new();
	char name[64];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "h%d.example.co.uk", i);
		assert_int_equal(wait_for(limits, name, false, NOW + i), 0);
		issue(limits, name, false, NOW + i);
	}
	assert_int_equal(wait_for(limits, "new.example.co.uk", false, NOW + 60), NOW + 7 * DAY);
	assert_int_equal(wait_for(limits, "new.example.co.uk", true, NOW + 60), 0); /* exempt */
	assert_int_equal(wait_for(limits, "new.other.co.uk", false, NOW + 60), 0);
	assert_int_equal(wait_for(limits, "new.example.co.uk", false, NOW + 7 * DAY), 0);
	limits_free(limits);
}

static void test_orders(void **state)
{
	struct limits *limits = limits_new();
	char name[64];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "h%d.e%d.example", i, i);
		issue(limits, name, false, NOW);
		issue(limits, name, true, NOW); /* not counted */
	}
	assert_int_equal(wait_for(limits, "a.example", false, NOW + 1), NOW + 3 * HOUR);
	assert_int_equal(wait_for(limits, "a.example", false, NOW + 3 * HOUR), 0);
	limits_free(limits);
}

static void test_duplicates(void **state)
{
	const struct str_view one[] = {SV("a.test"), SV("b.test")};
	const struct str_view other[] = {SV("b.test"), SV("a.test")};
	struct limits_names names = {.dns = one, .count = 2}, again = {.dns = other, .count = 2};
	struct limits_rules rules = rules_for(NULL);
	struct limits *limits = limits_new();
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(limits_wait(limits, &rules, &again, NOW, NULL), 0);
		limits_issued(limits, &names, NOW + i);
	}
	assert_int_equal(limits_wait(limits, &rules, &again, NOW + 9, &err), NOW + 7 * DAY);
	assert_non_null(strstr(err.msg, "exactly these names"));
	again.count = 1;
	assert_int_equal(limits_wait(limits, &rules, &again, NOW + 9, NULL), 0);
	limits_free(limits);
}

static void test_failures(void **state)
{
	struct limits *limits = limits_new();

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(wait_for(limits, "a.example", false, NOW + i), 0);
		limits_failed(limits, SV("a.example"), NOW + i);
	}
	assert_int_equal(wait_for(limits, "a.example", true, NOW + 5), NOW + HOUR);
	assert_int_equal(wait_for(limits, "b.example", false, NOW + 5), 0);
	/* a clock that was set back: what it wrote does not hold anybody up for ever */
	assert_int_equal(wait_for(limits, "a.example", false, NOW - DAY), 0);
	limits_free(limits);
}

static void test_kept(void **state)
{
	struct limits *limits = limits_new(), *after = limits_new();
	AUTO(auto_json) json_t *dump = NULL, *later = NULL;
	AUTO(auto_json) json_t *nonsense = json_pack("{s:i, s:[s, i]}", "a", 1, "b", "x", 5);

	(void)state;
	for (int i = 0; i < 5; i++)
		issue(limits, "a.example", false, NOW + i);
	dump = limits_dump(limits, NOW + 9);
	limits_load(after, dump);
	assert_int_equal(wait_for(after, "a.example", false, NOW + 9),
			 wait_for(limits, "a.example", false, NOW + 9));
	assert_true(wait_for(after, "a.example", false, NOW + 9) > NOW);
	limits_load(after, nonsense);
	later = limits_dump(after, NOW + 8 * DAY); /* nothing counts for longer */
	assert_int_equal(json_object_size(later), 0);
	limits_free(limits);
	limits_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),    cmocka_unit_test(test_domain),
		cmocka_unit_test(test_orders),   cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
