/* tests/unit/base/test_str.c - views of text */
#include "base/str.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_compare(void **state)
{
	static const struct {
		struct str_view a, b;
		bool eq, eq_nocase;
		int order;
	} cases[] = {
		{SV_INIT(""), SV_INIT(""), true, true, 0},
		{{NULL, 0}, SV_INIT(""), true, true, 0},
		{SV_INIT("a"), SV_INIT("A"), false, true, 1},
		{SV_INIT("Host"), SV_INIT("hOST"), false, true, -1},
		{SV_INIT("ab"), SV_INIT("abc"), false, false, -1},
		{SV_INIT("b"), SV_INIT("abc"), false, false, 1},
		{SV_INIT("\xc3"), SV_INIT("\xe3"), false, false, -1}, /* no folding beyond ASCII */
		{SV_INIT("@"), SV_INIT("`"), false, false, -1},
		{SV_INIT("a\0b"), SV_INIT("a\0c"), false, false, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int order = sv_cmp(cases[i].a, cases[i].b);

		if (sv_eq(cases[i].a, cases[i].b) != cases[i].eq ||
		    sv_eq_nocase(cases[i].a, cases[i].b) != cases[i].eq_nocase ||
		    (order > 0) - (order < 0) != cases[i].order ||
		    (sv_cmp(cases[i].b, cases[i].a) < 0) != (cases[i].order > 0))
			fail_msg("case %zu", i);
	}
}

static void test_find(void **state)
{
	static const struct {
		struct str_view view;
		char byte;
		size_t first, last;
	} cases[] = {
		{SV_INIT("a:b:c"), ':', 1, 3}, {SV_INIT("a:b:c"), 'x', SV_NOT_FOUND, SV_NOT_FOUND},
		{SV_INIT("a"), 'a', 0, 0},     {{NULL, 0}, 'a', SV_NOT_FOUND, SV_NOT_FOUND},
		{SV_INIT("a\0b"), '\0', 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(sv_find(cases[i].view, cases[i].byte), cases[i].first);
		assert_int_equal(sv_rfind(cases[i].view, cases[i].byte), cases[i].last);
	}
	assert_int_equal(sv_find_sv(SV("a, b"), SV(", ")), 1);
	assert_int_equal(sv_find_sv(SV("aab"), SV("ab")), 1);
	assert_int_equal(sv_find_sv(SV("ab"), SV("abc")), SV_NOT_FOUND);
	assert_int_equal(sv_find_sv(SV_NONE, SV("a")), SV_NOT_FOUND);
	assert_int_equal(sv_find_sv(SV("a"), SV("")), 0);
}

static void test_cut(void **state)
{
	(void)state;
	assert_true(sv_eq(sv_skip(SV("abc"), 1), SV("bc")));
	assert_true(sv_eq(sv_skip(SV("abc"), 9), SV("")));
	assert_true(sv_eq(sv_head(SV("abc"), 9), SV("abc")));
	assert_true(sv_starts(SV("abc"), SV("ab")) && !sv_starts(SV("a"), SV("ab")));
	assert_true(sv_ends(SV("abc"), SV("bc")) && !sv_ends(SV("c"), SV("bc")));
	assert_true(sv_eq(sv_trim(SV(" \t a b \t")), SV("a b")));
	assert_true(sv_eq(sv_trim(SV(" \t ")), SV("")));
	assert_true(sv_eq(sv_trim(SV("\na\n")), SV("\na\n")));
}

static void test_split(void **state)
{
	static const struct {
		struct str_view text;
		const char *parts; /* each in brackets */
	} cases[] = {
		{SV_INIT("a,b"), "[a][b]"},
		{SV_INIT("a"), "[a]"},
		{SV_INIT(""), "[]"},
		{SV_INIT(","), "[][]"},
		{SV_INIT("a,,b,"), "[a][][b][]"},
		{{NULL, 0}, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view rest = cases[i].text;
		char got[64] = "";

		while (rest.data != NULL) {
			struct str_view part = sv_split(&rest, ',');
			size_t used = strlen(got);

			snprintf(got + used, sizeof(got) - used, "[%.*s]", SV_ARG(part));
		}
		assert_string_equal(got, cases[i].parts);
	}
}

static void test_to_u64(void **state)
{
	static const struct {
		struct str_view text;
		bool good;
		uint64_t value;
	} cases[] = {
		{SV_INIT("0"), true, 0},
		{SV_INIT("007"), true, 7},
		{SV_INIT("18446744073709551615"), true, UINT64_MAX},
		{SV_INIT("18446744073709551616"), false, 0},
		{SV_INIT("99999999999999999999"), false, 0},
		{SV_INIT(""), false, 0},
		{SV_INIT("-1"), false, 0},
		{SV_INIT("+1"), false, 0},
		{SV_INIT(" 1"), false, 0},
		{SV_INIT("1\0"), false, 0},
		{SV_INIT("0x1"), false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 42;

		if (sv_to_u64(cases[i].text, &value) != cases[i].good ||
		    value != (cases[i].good ? cases[i].value : 42))
			fail_msg("%.*s", SV_ARG(cases[i].text));
	}
}

static void test_dup(void **state)
{
	AUTO(auto_free) char *copy = sv_dup(sv_head(SV("abc"), 2));
	AUTO(auto_free) char *empty = sv_dup(SV_NONE);

	(void)state;
	assert_string_equal(copy, "ab");
	assert_string_equal(empty, "");
}

/* The first rows of the authors' test vectors, for one and three rounds: key 00..0f, text 00, 01…
 */
static void test_hash_keyed(void **state)
{
	static const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const uint64_t hashes[] = {
		0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb,
		0xcf75576088d38328, 0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140,
		0x369095118d299a8e, 0x25a48eb36c063de4,
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		assert_int_equal(sv_hash_keyed(sv_new(text, i), &key), hashes[i]);
		text[i] = (char)i;
	}
}

static void test_hash(void **state)
{
	struct hash_key a, b;

	(void)state;
	assert_int_equal(sv_hash(SV("shop")), sv_hash(SV("shop")));
	assert_int_not_equal(sv_hash(SV("shop")), sv_hash(SV("shoq")));
	hash_key_random(&a);
	hash_key_random(&b);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_not_equal(sv_hash_keyed(SV("shop"), &a), sv_hash_keyed(SV("shop"), &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare), cmocka_unit_test(test_find),
		cmocka_unit_test(test_cut),     cmocka_unit_test(test_split),
		cmocka_unit_test(test_to_u64),  cmocka_unit_test(test_dup),
		cmocka_unit_test(test_hash),    cmocka_unit_test(test_hash_keyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
