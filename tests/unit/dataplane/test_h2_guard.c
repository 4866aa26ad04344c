/* An honest client fills no bucket; one that only makes work is told to calm down. */
#include "dataplane/h2_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_rapid_resets(void **state)
{
	struct h2_guard guard;
	int allowed = 0;

	(void)state;
	h2_guard_init(&guard, 1000);
	while (h2_guard_reset(&guard, 1000) && allowed < 100000)
		allowed++;
	assert_int_equal(allowed, H2_RESETS_MAX);
}

static void test_patient_resets(void **state)
{
	struct h2_guard guard;

	(void)state;
	h2_guard_init(&guard, 0);
	for (int64_t second = 0; second < 600; second++) {
		for (int i = 0; i < H2_RESETS_PER_SECOND; i++)
			assert_true(h2_guard_reset(&guard, second * 1000));
	}
}

static void test_noise(void **state)
{
	struct h2_guard guard;
	int allowed = 0;

	(void)state;
	h2_guard_init(&guard, 0);
	while (h2_guard_noise(&guard, 5) && allowed < 100000)
		allowed++;
	assert_in_range(allowed, H2_NOISE_MAX - 1, H2_NOISE_MAX + 1);
}

/* WINDOW_UPDATE and PING beside requests are no noise. */
static void test_work_outweighs(void **state)
{
	struct h2_guard guard;

	(void)state;
	h2_guard_init(&guard, 0);
	for (int i = 0; i < 100000; i++) {
		h2_guard_work(&guard);
		assert_true(h2_guard_noise(&guard, 0));
		assert_true(h2_guard_noise(&guard, 0));
	}
}

/* Windows opened for content that flows are no noise, windows opened octet by octet are. */
static void test_content_taken(void **state)
{
	struct h2_guard guard;
	int allowed = 0;

	(void)state;
	h2_guard_init(&guard, 0);
	for (int i = 0; i < 100000; i++) {
		h2_guard_sent(&guard, 2048, false);
		assert_true(h2_guard_noise(&guard, 0));
		assert_true(h2_guard_noise(&guard, 0));
	}
	for (int i = 0; i < 100000; i++) { /* small messages, each with a PING and two windows */
		h2_guard_sent(&guard, 20, true);
		for (int k = 0; k < 3; k++)
			assert_true(h2_guard_noise(&guard, 0));
	}
	while (h2_guard_noise(&guard, 0) && allowed < 100000) {
		h2_guard_sent(&guard, 1, false);
		allowed++;
	}
	assert_in_range(allowed, H2_NOISE_MAX - 10, H2_NOISE_MAX + 10);
}

static void test_content_sent(void **state)
{
	struct h2_guard guard;

	(void)state;
	h2_guard_init(&guard, 0);
	for (int i = 0; i < 100000; i++) {
		h2_guard_content(&guard, 1);
		assert_true(h2_guard_noise(&guard, 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rapid_resets),  cmocka_unit_test(test_patient_resets),
		cmocka_unit_test(test_noise),         cmocka_unit_test(test_work_outweighs),
		cmocka_unit_test(test_content_taken), cmocka_unit_test(test_content_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
