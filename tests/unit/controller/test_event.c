/* How many Events are kept, and which. */
#include "certlab.h"

#include "objects.h"

#include "controller/ctl.h"

#define MAX 20

static int setup(void **state)
{
	struct certlab *lab = xcalloc(1, sizeof(*lab));

	certlab_open(lab, NULL, "127.0.0.1:9");
	lab->events_max = MAX;
	certlab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	certlab_close(*state);
	free(*state);
	return 0;
}

/* One that was last told of so many seconds ago. */
static void put(struct certlab *lab, const char *name, const char *type, int64_t ago)
{
	char when[CLOCK_TEXT_SIZE], yaml[600];

	clock_rfc3339(clock_wall() - ago, when);
	snprintf(yaml, sizeof(yaml),
		 "apiVersion: v1\nkind: Event\nmetadata: {name: %s, namespace: default}\n"
		 "involvedObject: {apiVersion: v1, kind: Namespace, name: default}\n"
		 "reason: Told\nmessage: of %s\ntype: %s\nfirstTimestamp: '%s'\n"
		 "lastTimestamp: '%s'\ncount: 1\n",
		 name, name, type, when, when);
	certlab_apply(lab, yaml);
}

struct count {
	size_t all, warnings;
	int64_t told; /* times */
	bool oldest, newest, expired, combined;
};

static bool look_at(void *arg, const struct object *event)
{
	struct count *count = arg;
	struct str_view name = sv_from(object_name(event));

	count->all++;
	count->warnings += sv_eq(json_sv_at(event->json, "type"), SV("Warning"));
	count->told += json_int_at(event->json, "count", 0);
	count->oldest |= sv_eq(name, SV("normal-20"));
	count->newest |= sv_eq(name, SV("normal-1"));
	count->expired |= sv_eq(name, SV("expired"));
	count->combined |= sv_starts(json_sv_at(event->json, "message"),
				     SV("(combined from similar events): number "));
	return true;
}

static struct count look(struct certlab *lab, const char *prefix)
{
	struct count count = {0};

	store_each(lab->store, sv_from(prefix), look_at, &count);
	return count;
}

static bool are_few(struct certlab *lab, const void *arg)
{
	(void)arg;
	return look(lab, "core/events/").all <= MAX;
}

static void normal_ones_go_first_and_the_oldest(void **state)
{
	struct certlab *lab = *state;
	struct count count;
	char name[40];

	put(lab, "expired", "Warning", 4000);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "warning-%d", i);
		put(lab, name, "Warning", 3000);
	}
	for (int i = 20; i > 0; i--) {
		snprintf(name, sizeof(name), "normal-%d", i);
		put(lab, name, "Normal", i * 10);
	}
	certlab_until(lab, are_few, NULL, "few Events");
	certlab_settle(lab);
	count = look(lab, "core/events/");
	assert_int_equal(count.warnings, 5);
	assert_true(count.newest);
	assert_false(count.oldest);
	assert_false(count.expired);
	assert_true(count.all >= MAX - MAX / 10);
}

static void warnings_alone_are_bounded_too(void **state)
{
	struct certlab *lab = *state;
	char name[40];

	for (int i = 0; i < 3 * MAX; i++) {
		snprintf(name, sizeof(name), "warning-%d", i);
		put(lab, name, "Warning", 100 - i);
	}
	certlab_until(lab, are_few, NULL, "few Events");
}

static const struct object *told_of(struct certlab *lab)
{
	return store_get(lab->store, SV("core/namespaces//default"));
}

static void the_same_counts_up(void **state)
{
	struct certlab *lab = *state;
	struct count count;

	certlab_settle(lab);
	for (int i = 0; i < 30; i++) {
		ctl_event(lab->ctl, kind_by_plural(SV(""), SV("namespaces")), told_of(lab),
			  "Normal", "Told", "again");
		certlab_settle(lab);
	}
	count = look(lab, "core/events/default/default.");
	assert_int_equal(count.all, 1);
	assert_int_equal(count.told, 30);
}

static void many_words_for_one_reason_are_one(void **state)
{
	struct certlab *lab = *state;
	struct count count;

	certlab_settle(lab);
	for (int i = 0; i < 30; i++) {
		ctl_event(lab->ctl, kind_by_plural(SV(""), SV("namespaces")), told_of(lab),
			  "Warning", "Refused", "number %d", i);
		certlab_settle(lab);
	}
	count = look(lab, "core/events/default/default.");
	assert_int_equal(count.all, 11);
	assert_int_equal(count.told, 30);
	assert_true(count.combined);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(normal_ones_go_first_and_the_oldest),
		TEST(warnings_alone_are_bounded_too),
		TEST(the_same_counts_up),
		TEST(many_words_for_one_reason_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
