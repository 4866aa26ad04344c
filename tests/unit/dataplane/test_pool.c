/* Which endpoint gets the next request: the less busy of two, and none that has just failed. */
#include "dataplane/pool.h"

#include "base/own.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define COUNT 4

struct rig {
	struct pool pool;
	struct sock_addr addrs[COUNT];
	struct backend backend;
	uint64_t random;
	metric_counter ejections;
};

static int start(void **state)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	pool_init(&rig->pool);
	rig->pool.ejections = &rig->ejections;
	rig->random = 1;
	for (uint16_t i = 0; i < COUNT; i++)
		assert_true(sock_addr_ip(&rig->addrs[i], SV("127.0.0.1"), (uint16_t)(8000 + i)));
	rig->backend = (struct backend){.endpoint_count = COUNT, .endpoints = rig->addrs};
	*state = rig;
	return 0;
}

static int stop(void **state)
{
	struct rig *rig = *state;

	pool_deinit(&rig->pool);
	free(rig);
	return 0;
}

static struct endpoint *choose(struct rig *rig, int64_t now, uint64_t avoid)
{
	struct pool_wish wish = {.now = now, .avoid = avoid};

	rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
	wish.random = rig->random ^ rig->random >> 33;
	return pool_choose(&rig->pool, &rig->backend, &wish);
}

static void test_shares(void **state)
{
	struct rig *rig = *state;
	unsigned most = 0, least = UINT32_MAX;

	for (int i = 0; i < 1000; i++) /* nobody ever finishes: all become equally busy */
		choose(rig, 0, 0)->active++;
	for (int i = 0; i < 50; i++) {
		struct endpoint *endpoint = choose(rig, 0, 0);

		most = endpoint->active > most ? endpoint->active : most;
		least = endpoint->active < least ? endpoint->active : least;
	}
	assert_in_range(most, 245, 255);
	assert_in_range(least, 245, 255);
}

static void test_failed_rests(void **state)
{
	struct rig *rig = *state;
	struct endpoint *down = choose(rig, 0, 0);

	pool_failed(down, 0);
	for (int i = 0; i < 200; i++)
		assert_ptr_not_equal(choose(rig, 999, 0), down);
	pool_failed(down, 1000); /* twice as long */
	for (int i = 0; i < 200; i++)
		assert_ptr_not_equal(choose(rig, 2999, 0), down);
	for (int i = 0; i < 20; i++) /* and never longer than half a minute */
		pool_failed(down, 3000);
	assert_in_range(down->down_until, 3001, 33000);
	pool_worked(down);
	assert_int_equal(down->down_until, 0);
	pool_failed(down, 5000);
	assert_int_equal(down->down_until, 6000);
}

/* Five answers in a row that are failures; the rest grows, and is forgiven. */
static void test_answers(void **state)
{
	struct rig *rig = *state;
	struct endpoint *bad = choose(rig, 0, 0);
	int64_t now = 0;

	for (int i = 0; i < 4; i++)
		pool_answered(bad, 503, now);
	pool_answered(bad, 200, now); /* not in a row */
	pool_answered(bad, 500, now); /* its own affair */
	for (int i = 0; i < 4; i++)
		pool_answered(bad, 502, now);
	assert_int_equal(bad->out_until, 0);
	pool_answered(bad, 504, now);
	assert_int_equal(bad->out_until, 5000);
	assert_int_equal(atomic_load(&rig->ejections), 1);
	for (int i = 0; i < 200; i++)
		assert_ptr_not_equal(choose(rig, 4999, 0), bad);
	for (int i = 0; i < 20; i++) /* what was under way makes it no longer */
		pool_answered(bad, 503, 4999);
	pool_worked(bad);
	assert_int_equal(bad->out_until, 5000);
	for (int64_t rest = 10000; rest <= 160000; rest *= 2) {
		now = bad->out_until;
		for (int i = 0; i < 5; i++)
			pool_answered(bad, 503, now);
		assert_int_equal(bad->out_until, now + (rest < 60000 ? rest : 60000));
	}
	now = bad->out_until + 3600001;
	for (int i = 0; i < 5; i++)
		pool_answered(bad, 503, now);
	assert_int_equal(bad->out_until, now + 5000);
}

/* Somebody must be asked, when all have failed. */
static void test_all_down(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 100; i++)
		pool_failed(choose(rig, 0, 0), 0);
	assert_int_equal(atomic_load(&rig->ejections), COUNT);
	assert_non_null(choose(rig, 1, 0));
	for (int i = 0; i < 100; i++)
		pool_answered(choose(rig, 1, 0), 503, 1);
	assert_non_null(choose(rig, 2, 0));
}

static void test_avoid(void **state)
{
	struct rig *rig = *state;
	struct endpoint *first = choose(rig, 0, 0);

	for (int i = 0; i < 200; i++)
		assert_ptr_not_equal(choose(rig, 0, first->id), first);
	rig->backend.endpoint_count = 1; /* better the same than none */
	assert_non_null(choose(rig, 0, choose(rig, 0, 0)->id));
}

static void test_sweep(void **state)
{
	struct rig *rig = *state;
	struct endpoint *kept;

	for (int i = 0; i < 100; i++)
		(void)choose(rig, 0, 0);
	assert_int_equal(rig->pool.endpoints.count, COUNT);
	kept = choose(rig, 0, 0);
	kept->active = 1;
	pool_sweep(&rig->pool, 100, 100);
	assert_int_equal(rig->pool.endpoints.count, COUNT);
	pool_sweep(&rig->pool, 101, 100);
	assert_int_equal(rig->pool.endpoints.count, 1);
	kept->active = 0;
	pool_sweep(&rig->pool, 101, 100);
	assert_int_equal(rig->pool.endpoints.count, 0);
}

/* ---- whoever uses endpoints need not think of their end ---- */

struct swept {
	struct worker worker;
	struct timer look;
	int looks;
};

static void look(struct timer *timer)
{
	struct swept *swept = CONTAINER_OF(timer, struct swept, look);

	if (upstreams_pool(swept->worker.upstreams)->endpoints.count == 0 || ++swept->looks > 2000)
		loop_stop(swept->worker.loop);
	else
		timer_in(swept->worker.loop, timer, 10);
}

static void test_swept_by_itself(void **state)
{
	struct rig *rig = *state;
	struct plane_config config = {.limits.upstream_idle_ms = 1};
	struct swept swept = {.worker.config = &config};
	struct pool_wish wish = {.way = WAY_TLS_STREAM};

	swept.worker.loop = loop_new(NULL);
	swept.worker.upstreams = upstreams_new(&swept.worker);
	wish.now = loop_now(swept.worker.loop);
	(void)pool_choose(upstreams_pool(swept.worker.upstreams), &rig->backend, &wish);
	timer_init(&swept.look, look);
	timer_in(swept.worker.loop, &swept.look, 1);
	assert_int_equal(loop_run(swept.worker.loop), 0);
	assert_int_equal(upstreams_pool(swept.worker.upstreams)->endpoints.count, 0);
	upstreams_free(swept.worker.upstreams);
	loop_free(swept.worker.loop);
}

/* TCP that is refused says nothing of UDP at the same address. */
static void test_ways_apart(void **state)
{
	struct rig *rig = *state;
	struct pool_wish tcp = {.way = WAY_H1}, udp = {.way = WAY_DATAGRAM};
	struct endpoint *one, *other;

	rig->backend.endpoint_count = 1;
	one = pool_choose(&rig->pool, &rig->backend, &tcp);
	other = pool_choose(&rig->pool, &rig->backend, &udp);
	assert_ptr_not_equal(one, other);
	pool_failed(one, 0);
	assert_int_equal(other->down_until, 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_shares),          EACH(test_failed_rests), EACH(test_all_down),
		EACH(test_answers),         EACH(test_avoid),        EACH(test_sweep),
		EACH(test_swept_by_itself), EACH(test_ways_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
