/* Keys to reconcile: each once, now or later, and backing off. */
#include "controller/queue.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define DONE_MAX 64

struct fixture {
	struct loop *loop;
	struct queue *queue;
	struct timer stop;
	unsigned count, expected;
	char done[DONE_MAX][32]; /* "what key" in order */
};

static void on_stop(struct timer *timer)
{
	loop_stop(CONTAINER_OF(timer, struct fixture, stop)->loop);
}

static void work(void *arg, unsigned what, struct str_view key)
{
	struct fixture *fixture = arg;

	assert_true(fixture->count < DONE_MAX);
	(void)snprintf(fixture->done[fixture->count++], 32, "%u %.*s", what, SV_ARG(key));
	if (sv_eq(key, SV("again")) && fixture->count < 3)
		queue_add(fixture->queue, what, key);
	if (sv_eq(key, SV("drops")))
		queue_drop(fixture->queue, what, SV("dropped"));
	if (fixture->count == fixture->expected)
		loop_stop(fixture->loop);
}

static void run(struct fixture *fixture, unsigned expected)
{
	fixture->expected = expected;
	timer_in(fixture->loop, &fixture->stop, 5000); /* a test that comes here has failed */
	loop_run(fixture->loop);
	timer_stop(fixture->loop, &fixture->stop);
	assert_int_equal(fixture->count, expected);
}

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	fixture->loop = loop_new(NULL);
	fixture->queue = queue_new(fixture->loop, work, fixture);
	timer_init(&fixture->stop, on_stop);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	queue_free(fixture->queue);
	loop_free(fixture->loop);
	free(fixture);
	return 0;
}

static void test_once_and_in_order(void **state)
{
	struct fixture *fixture = *state;

	queue_add(fixture->queue, 1, SV("b"));
	queue_add(fixture->queue, 1, SV("a"));
	queue_add(fixture->queue, 1, SV("b"));
	queue_add(fixture->queue, 2, SV("b"));
	assert_int_equal(fixture->count, 0); /* never inside the call */
	assert_false(queue_idle(fixture->queue));
	run(fixture, 3);
	assert_string_equal(fixture->done[0], "1 b");
	assert_string_equal(fixture->done[1], "1 a");
	assert_string_equal(fixture->done[2], "2 b");
	assert_true(queue_idle(fixture->queue));
}

static void test_queued_while_it_runs(void **state)
{
	struct fixture *fixture = *state;

	queue_add(fixture->queue, 0, SV("again"));
	run(fixture, 3);
}

static void test_later_and_sooner(void **state)
{
	struct fixture *fixture = *state;

	queue_add_in(fixture->queue, 0, SV("late"), 40);
	queue_add_in(fixture->queue, 0, SV("early"), 10);
	queue_add_in(fixture->queue, 0, SV("late"), 100000); /* the earlier one holds */
	assert_true(queue_idle(fixture->queue));
	run(fixture, 2);
	assert_string_equal(fixture->done[0], "0 early");
	assert_string_equal(fixture->done[1], "0 late");
}

static void test_now_beats_later(void **state)
{
	struct fixture *fixture = *state;

	queue_add_in(fixture->queue, 0, SV("key"), 10);
	queue_add(fixture->queue, 0, SV("key"));
	queue_add_in(fixture->queue, 0, SV("end"), 30);
	run(fixture, 2);
	assert_string_equal(fixture->done[0], "0 key");
	assert_string_equal(fixture->done[1], "0 end");
}

static void test_drop(void **state)
{
	struct fixture *fixture = *state;

	queue_add_in(fixture->queue, 0, SV("dropped"), 10);
	queue_add(fixture->queue, 0, SV("drops"));
	queue_add_in(fixture->queue, 0, SV("end"), 30);
	run(fixture, 2);
	assert_string_equal(fixture->done[1], "0 end");
}

/* The first try again comes after about a second, with jitter of a quarter. */
static void test_back_off(void **state)
{
	struct fixture *fixture = *state;
	int64_t began = loop_now(fixture->loop), took;

	queue_retry(fixture->queue, 0, SV("failing"));
	run(fixture, 1);
	took = loop_now(fixture->loop) - began;
	assert_in_range(took, 700, 2000);
	queue_succeeded(fixture->queue, 0, SV("failing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queued_while_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_and_sooner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_now_beats_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_off, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
