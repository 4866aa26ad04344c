/* tests/unit/loop/test_loop.c - turns, descriptors, timers, tasks, hooks */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/own.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct loop *loop;
	char seen[256]; /* what ran, in order */
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};

	fixture->loop = loop_new(&err);
	assert_non_null(fixture->loop);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	loop_free(fixture->loop);
	free(fixture);
	return 0;
}

static void note(struct fixture *fixture, const char *what)
{
	size_t used = strlen(fixture->seen);

	snprintf(fixture->seen + used, sizeof(fixture->seen) - used, "%s ", what);
}

/* ---- descriptors ---- */

struct end { /* one end of a socket pair */
	struct loop_fd watch;
	struct fixture *fixture;
	struct end *other;
	unsigned events; /* all that were reported */
	int calls;
	int stop_after; /* calls; 0: never */
};

static void open_pair(struct fixture *fixture, struct end ends[2])
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		ends[i] =
			(struct end){.watch.fd = fds[i], .fixture = fixture, .other = &ends[1 - i]};
}

static void close_end(struct end *end)
{
	loop_remove(end->fixture->loop, &end->watch);
	close(end->watch.fd);
}

static void on_ready(struct loop_fd *self, unsigned events)
{
	struct end *end = CONTAINER_OF(self, struct end, watch);

	end->events |= events;
	if (++end->calls == end->stop_after)
		loop_stop(end->fixture->loop);
}

static void watch_end(struct end *end, unsigned events, int stop_after)
{
	struct err err = {0};

	end->watch.ready = on_ready;
	end->stop_after = stop_after;
	if (loop_add(end->fixture->loop, &end->watch, events, &err) < 0)
		fail_msg("%s", err.msg);
}

static void test_level_triggered_comes_again(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2];

	open_pair(fixture, ends);
	watch_end(&ends[0], LOOP_READ, 3);
	assert_int_equal(write(ends[1].watch.fd, "x", 1), 1);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(ends[0].calls, 3); /* nobody read the byte */
	assert_int_equal(ends[0].events, LOOP_READ);
	close_end(&ends[0]);
	close_end(&ends[1]);
}

struct stopper {
	struct timer timer;
	struct loop *loop;
};

static void stop_loop(struct timer *self)
{
	loop_stop(CONTAINER_OF(self, struct stopper, timer)->loop);
}

static void run_for(struct fixture *fixture, int64_t delay_ms)
{
	struct stopper stopper = {.loop = fixture->loop};

	timer_init(&stopper.timer, stop_loop);
	timer_in(fixture->loop, &stopper.timer, delay_ms);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_false(timer_armed(&stopper.timer));
}

static void test_edge_triggered_comes_once(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2];

	open_pair(fixture, ends);
	watch_end(&ends[0], LOOP_READ | LOOP_WRITE | LOOP_EDGE, 0);
	assert_int_equal(write(ends[1].watch.fd, "x", 1), 1);
	run_for(fixture, 3);
	assert_int_equal(ends[0].calls, 1);
	assert_int_equal(ends[0].events, LOOP_READ | LOOP_WRITE);
	assert_int_equal(write(ends[1].watch.fd, "y", 1), 1);
	run_for(fixture, 3);
	assert_int_equal(ends[0].calls, 2);
	close_end(&ends[0]);
	close_end(&ends[1]);
}

static void test_change(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2];

	open_pair(fixture, ends);
	watch_end(&ends[0], LOOP_READ, 1);
	run_for(fixture, 2);
	assert_int_equal(ends[0].calls, 0);
	assert_int_equal(loop_change(fixture->loop, &ends[0].watch, LOOP_WRITE), 0);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(ends[0].events, LOOP_WRITE);
	close_end(&ends[0]);
	close_end(&ends[1]);
}

static void test_peer_that_goes(void **state)
{
	static const struct {
		const char *name;
		bool half; /* shuts down its side only */
		unsigned events;
	} cases[] = {
		{"half-closed", true, LOOP_READ | LOOP_EOF},
		{"closed", false, LOOP_READ | LOOP_EOF | LOOP_GONE},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct end ends[2];

		open_pair(fixture, ends);
		watch_end(&ends[0], LOOP_READ, 1);
		shutdown(ends[1].watch.fd, SHUT_WR);
		if (!cases[i].half)
			close(ends[1].watch.fd);
		assert_int_equal(loop_run(fixture->loop), 0);
		if (ends[0].events != cases[i].events)
			fail_msg("%s: %x", cases[i].name, ends[0].events);
		close_end(&ends[0]);
		if (cases[i].half)
			close(ends[1].watch.fd);
	}
}

/* A pipe whose writer went reports only a hang-up; who knows only READ must not miss it. */
static void test_hang_up_of_a_pipe(void **state)
{
	struct fixture *fixture = *state;
	struct end end = {.fixture = fixture};
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	end.watch.fd = fds[0];
	watch_end(&end, LOOP_READ, 1);
	close(fds[1]);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(end.events, LOOP_READ | LOOP_GONE);
	close_end(&end);
}

static void free_other(struct loop_fd *self, unsigned events)
{
	struct end *end = CONTAINER_OF(self, struct end, watch);

	on_ready(self, events);
	if (end->other == NULL)
		return;
	close_end(end->other);
	memset(end->other, 0xAA, sizeof(*end->other)); /* as good as freed */
	end->other = NULL;
	loop_stop(end->fixture->loop);
}

static void test_no_event_after_remove(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2], *left;

	open_pair(fixture, ends);
	for (int i = 0; i < 2; i++) {
		watch_end(&ends[i], LOOP_WRITE, 0); /* both are ready in the same turn */
		ends[i].watch.ready = free_other;
	}
	assert_int_equal(loop_run(fixture->loop), 0);
	left = ends[0].other == NULL ? &ends[0] : &ends[1];
	assert_int_equal(left->calls, 1);
	close_end(left);
}

static void remove_self(struct loop_fd *self, unsigned events)
{
	struct end *end = CONTAINER_OF(self, struct end, watch);
	struct fixture *fixture = end->fixture;

	(void)events;
	close_end(end);
	memset(end, 0xAA, sizeof(*end));
	loop_stop(fixture->loop);
}

static void test_remove_in_own_callback(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2];

	open_pair(fixture, ends);
	watch_end(&ends[0], LOOP_WRITE, 0);
	ends[0].watch.ready = remove_self;
	assert_int_equal(loop_run(fixture->loop), 0);
	close_end(&ends[1]);
}

static void test_nested_epoll(void **state)
{
	struct fixture *fixture = *state;
	struct end ends[2], nested = {.fixture = fixture};
	struct epoll_event event = {.events = EPOLLIN};

	open_pair(fixture, ends);
	nested.watch.fd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(epoll_ctl(nested.watch.fd, EPOLL_CTL_ADD, ends[0].watch.fd, &event), 0);
	watch_end(&nested, LOOP_READ, 1);
	assert_int_equal(write(ends[1].watch.fd, "x", 1), 1);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_int_equal(nested.events, LOOP_READ);
	close_end(&nested);
	close_end(&ends[0]);
	close_end(&ends[1]);
}

static void test_what_cannot_be_watched(void **state)
{
	struct fixture *fixture = *state;
	struct end end = {.fixture = fixture, .watch.ready = on_ready};
	struct err err = {0};

	end.watch.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loop_add(fixture->loop, &end.watch, LOOP_READ, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_false(end.watch.registered);
	close_end(&end);
}

/* ---- timers ---- */

struct alarm {
	struct timer timer;
	struct fixture *fixture;
	const char *name;
	int64_t fired_at;
	int again; /* arms itself for now so often */
	bool last; /* stops the loop */
};

static void ring(struct timer *self)
{
	struct alarm *alarm = CONTAINER_OF(self, struct alarm, timer);

	assert_false(timer_armed(self));
	assert_true(loop_now(alarm->fixture->loop) > alarm->fired_at);
	alarm->fired_at = loop_now(alarm->fixture->loop);
	note(alarm->fixture, alarm->name);
	if (alarm->again-- > 0)
		timer_in(alarm->fixture->loop, self, 0);
	else if (alarm->last)
		loop_stop(alarm->fixture->loop);
}

static void alarm_init(struct alarm *alarm, struct fixture *fixture, const char *name)
{
	*alarm = (struct alarm){.fixture = fixture, .name = name};
	timer_init(&alarm->timer, ring);
}

static void test_timers_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct alarm a, b, c, never;
	int64_t begin = clock_mono_ms();

	alarm_init(&a, fixture, "a");
	alarm_init(&b, fixture, "b");
	alarm_init(&c, fixture, "c");
	alarm_init(&never, fixture, "never");
	c.last = true;
	timer_set(fixture->loop, &c.timer, begin + 6);
	timer_set(fixture->loop, &a.timer, begin + 2);
	timer_set(fixture->loop, &b.timer, begin + 4);
	timer_set(fixture->loop, &never.timer, begin + 3);
	timer_stop(fixture->loop, &never.timer);
	timer_stop(fixture->loop, &never.timer); /* harmless */
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "a b c ");
	assert_true(c.fired_at >= begin + 6);
}

static void test_timers_move(void **state)
{
	struct fixture *fixture = *state;
	struct alarm later, sooner;
	int64_t begin = clock_mono_ms();

	alarm_init(&later, fixture, "later");
	alarm_init(&sooner, fixture, "sooner");
	later.last = true;
	timer_set(fixture->loop, &later.timer, begin + 1);
	timer_set(fixture->loop, &later.timer, begin + 8);
	timer_set(fixture->loop, &sooner.timer, begin + 60000);
	timer_set(fixture->loop, &sooner.timer, begin + 3);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "sooner later ");
	assert_true(later.fired_at >= begin + 8);
}

/* A loop that comes late, with all of them due, keeps to the order all the same. */
static void test_late_timers_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct alarm later, sooner;
	int64_t begin = clock_mono_ms();

	alarm_init(&later, fixture, "later");
	alarm_init(&sooner, fixture, "sooner");
	later.last = true;
	timer_set(fixture->loop, &later.timer, begin - 90);
	timer_set(fixture->loop, &later.timer, begin - 20);
	timer_set(fixture->loop, &sooner.timer, begin - 50);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "sooner later ");
}

static void test_timer_that_arms_itself_lets_others_in(void **state)
{
	struct fixture *fixture = *state;
	struct alarm eager, other;

	alarm_init(&eager, fixture, "eager");
	alarm_init(&other, fixture, "other");
	eager.again = 3;
	eager.last = true;
	timer_in(fixture->loop, &eager.timer, -5);
	timer_in(fixture->loop, &other.timer, 0);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "eager other eager eager eager ");
}

static void test_far_deadlines(void **state)
{
	struct fixture *fixture = *state;
	struct alarm far, past;

	alarm_init(&far, fixture, "far");
	alarm_init(&past, fixture, "past");
	past.last = true;
	timer_in(fixture->loop, &far.timer, INT64_MAX);
	timer_set(fixture->loop, &past.timer, INT64_MIN);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "past ");
	assert_true(timer_armed(&far.timer));
	timer_stop(fixture->loop, &far.timer);
}

/* ---- tasks and hooks ---- */

struct chore {
	struct task task;
	struct fixture *fixture;
	const char *name;
	struct chore *then;   /* deferred by this one */
	struct chore *cancel; /* cancelled by this one */
	bool last;
};

static void run_chore(struct task *task)
{
	struct chore *chore = CONTAINER_OF(task, struct chore, task);

	note(chore->fixture, chore->name);
	if (chore->then != NULL)
		task_defer(chore->fixture->loop, &chore->then->task);
	if (chore->cancel != NULL)
		task_cancel(&chore->cancel->task);
	if (chore->last)
		loop_stop(chore->fixture->loop);
}

static void chore_init(struct chore *chore, struct fixture *fixture, const char *name)
{
	*chore = (struct chore){.fixture = fixture, .name = name};
	task_init(&chore->task, run_chore);
}

struct turn_hook {
	struct loop_hook hook;
	struct fixture *fixture;
	bool once; /* removes itself */
};

static void end_of_turn(struct loop_hook *self)
{
	struct turn_hook *hook = CONTAINER_OF(self, struct turn_hook, hook);

	note(hook->fixture, hook->once ? "once" : "|");
	if (hook->once)
		loop_hook_remove(self);
}

static void test_tasks_and_hooks(void **state)
{
	struct fixture *fixture = *state;
	struct turn_hook always = {.hook.turn_end = end_of_turn, .fixture = fixture};
	struct turn_hook once = {.hook.turn_end = end_of_turn, .fixture = fixture, .once = true};
	struct chore a, b, c, cancelled;

	chore_init(&a, fixture, "a");
	chore_init(&b, fixture, "b");
	chore_init(&c, fixture, "c");
	chore_init(&cancelled, fixture, "cancelled");
	a.then = &c; /* in the next turn */
	b.cancel = &cancelled;
	c.last = true;
	loop_hook_add(fixture->loop, &once.hook);
	loop_hook_add(fixture->loop, &always.hook);
	task_defer(fixture->loop, &a.task);
	task_defer(fixture->loop, &a.task); /* runs once all the same */
	task_defer(fixture->loop, &b.task);
	task_defer(fixture->loop, &cancelled.task);
	assert_string_equal(fixture->seen, "");
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "a b once | c | ");
	loop_hook_remove(&always.hook);
}

/* Waking up for a timer that has moved is no work: nothing to commit, nothing to flush. */
static void test_no_hook_without_work(void **state)
{
	struct fixture *fixture = *state;
	struct turn_hook hook = {.hook.turn_end = end_of_turn, .fixture = fixture};
	struct alarm alarm;

	alarm_init(&alarm, fixture, "alarm");
	alarm.last = true;
	loop_hook_add(fixture->loop, &hook.hook);
	timer_in(fixture->loop, &alarm.timer, 1);
	timer_in(fixture->loop, &alarm.timer, 5);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "alarm | ");
	loop_hook_remove(&hook.hook);
}

static void test_order_in_a_turn(void **state)
{
	struct fixture *fixture = *state;
	struct turn_hook hook = {.hook.turn_end = end_of_turn, .fixture = fixture};
	struct alarm alarm;
	struct chore chore;

	alarm_init(&alarm, fixture, "timer");
	chore_init(&chore, fixture, "task");
	chore.last = true;
	loop_hook_add(fixture->loop, &hook.hook);
	timer_in(fixture->loop, &alarm.timer, -1);
	task_defer(fixture->loop, &chore.task);
	assert_int_equal(loop_run(fixture->loop), 0);
	assert_string_equal(fixture->seen, "timer task | ");
	loop_hook_remove(&hook.hook);
}

static void test_stop_before_run(void **state)
{
	struct fixture *fixture = *state;

	loop_stop(fixture->loop);
	assert_int_equal(loop_run(fixture->loop), 0); /* else this would never return */
}

int main(void)
{
#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_level_triggered_comes_again),
		LOOP_TEST(test_edge_triggered_comes_once),
		LOOP_TEST(test_change),
		LOOP_TEST(test_peer_that_goes),
		LOOP_TEST(test_hang_up_of_a_pipe),
		LOOP_TEST(test_no_event_after_remove),
		LOOP_TEST(test_remove_in_own_callback),
		LOOP_TEST(test_nested_epoll),
		LOOP_TEST(test_what_cannot_be_watched),
		LOOP_TEST(test_timers_in_order),
		LOOP_TEST(test_timers_move),
		LOOP_TEST(test_late_timers_in_order),
		LOOP_TEST(test_timer_that_arms_itself_lets_others_in),
		LOOP_TEST(test_far_deadlines),
		LOOP_TEST(test_tasks_and_hooks),
		LOOP_TEST(test_no_hook_without_work),
		LOOP_TEST(test_order_in_a_turn),
		LOOP_TEST(test_stop_before_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
