/* tests/unit/base/test_enc.c - bytes as text and back */
#include "base/enc.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_base64(void **state)
{
	static const struct {
		struct str_view bytes, base64, base64url;
	} cases[] = {
		/* RFC 4648, section 10 */
		{SV_INIT(""), SV_INIT(""), SV_INIT("")},
		{SV_INIT("f"), SV_INIT("Zg=="), SV_INIT("Zg")},
		{SV_INIT("fo"), SV_INIT("Zm8="), SV_INIT("Zm8")},
		{SV_INIT("foo"), SV_INIT("Zm9v"), SV_INIT("Zm9v")},
		{SV_INIT("foob"), SV_INIT("Zm9vYg=="), SV_INIT("Zm9vYg")},
		{SV_INIT("fooba"), SV_INIT("Zm9vYmE="), SV_INIT("Zm9vYmE")},
		{SV_INIT("foobar"), SV_INIT("Zm9vYmFy"), SV_INIT("Zm9vYmFy")},
		{SV_INIT("\xfb\xff\xfe"), SV_INIT("+//+"), SV_INIT("-__-")},
		{SV_INIT("\0\0"), SV_INIT("AAA="), SV_INIT("AAA")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf a, b, c, d;

		buf_init(&a, 100);
		buf_init(&b, 100);
		buf_init(&c, 100);
		buf_init(&d, 100);
		assert_true(enc_base64(&a, cases[i].bytes));
		assert_true(enc_base64url(&b, cases[i].bytes));
		assert_true(dec_base64(&c, cases[i].base64));
		assert_true(dec_base64url(&d, cases[i].base64url));
		if (!sv_eq(buf_view(&a), cases[i].base64) ||
		    !sv_eq(buf_view(&b), cases[i].base64url) ||
		    !sv_eq(buf_view(&c), cases[i].bytes) || !sv_eq(buf_view(&d), cases[i].bytes))
			fail_msg("case %zu", i);
		buf_deinit(&a);
		buf_deinit(&b);
		buf_deinit(&c);
		buf_deinit(&d);
	}
}

static void test_base64_is_strict(void **state)
{
	static const struct {
		struct str_view text;
		bool base64, base64url;
	} cases[] = {
		{SV_INIT("Zg"), false, true},
		{SV_INIT("Zg="), false, false},
		{SV_INIT("Zg=="), true, false},
		{SV_INIT("Zg==="), false, false},
		{SV_INIT("Zm9v\r\nYmFy\n"), true, false},
		{SV_INIT("Zm9v YmFy"), false, false},
		{SV_INIT("Zh=="), false, false}, /* bits behind the last byte */
		{SV_INIT("Zm9="), false, false},
		{SV_INIT("Z"), false, false},
		{SV_INIT("===="), false, false},
		{SV_INIT("Zg==Zg=="), false, false},
		{SV_INIT("Z=g="), false, false},
		{SV_INIT("+/+/"), true, false},
		{SV_INIT("-_-_"), false, true},
		{SV_INIT("Zm9v\0"), false, false},
		{SV_INIT("Zm9v="), false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 100);
		buf_add(&out, SV("kept"));
		if (dec_base64(&out, cases[i].text) != cases[i].base64)
			fail_msg("base64 %.*s", SV_ARG(cases[i].text));
		if (!cases[i].base64)
			assert_string_equal(buf_cstr(&out), "kept");
		buf_reset(&out);
		if (dec_base64url(&out, cases[i].text) != cases[i].base64url)
			fail_msg("base64url %.*s", SV_ARG(cases[i].text));
		buf_deinit(&out);
	}
}

static void test_hex(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_true(enc_hex(&out, SV("\x00\x9f\xff")));
	assert_string_equal(buf_cstr(&out), "009fff");
	buf_deinit(&out);
	assert_int_equal(hex_digit('0'), 0);
	assert_int_equal(hex_digit('f'), 15);
	assert_int_equal(hex_digit('A'), 10);
	assert_int_equal(hex_digit('g'), -1);
	assert_int_equal(hex_digit('/'), -1);
	assert_int_equal(hex_digit('\0'), -1);
}

static void test_percent(void **state)
{
	static const struct {
		struct str_view text, bytes;
		bool good;
	} cases[] = {
		{SV_INIT("a%20b"), SV_INIT("a b"), true},
		{SV_INIT("%e2%82%AC"), SV_INIT("\xe2\x82\xac"), true},
		{SV_INIT("a+b"), SV_INIT("a+b"), true},
		{SV_INIT("%25"), SV_INIT("%"), true},
		{SV_INIT("%ff"), SV_INIT("\xff"), true},
		{SV_INIT(""), SV_INIT(""), true},
		{SV_INIT("%"), SV_INIT(""), false},
		{SV_INIT("a%2"), SV_INIT(""), false},
		{SV_INIT("a%2g"), SV_INIT(""), false},
		{SV_INIT("%00"), SV_INIT(""), false},
		{SV_INIT("a\0"), SV_INIT(""), false},
		{SV_INIT("%%20"), SV_INIT(""), false},
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&out, 100);
		if (dec_percent(&out, cases[i].text) != cases[i].good ||
		    !sv_eq(buf_view(&out), cases[i].bytes))
			fail_msg("%.*s", SV_ARG(cases[i].text));
		buf_deinit(&out);
	}
	buf_init(&out, 100);
	assert_true(enc_percent(&out, SV("aZ9-._~ /?\xe4")));
	assert_string_equal(buf_cstr(&out), "aZ9-._~%20%2F%3F%E4");
	buf_deinit(&out);
}

/* What does not fit leaves nothing behind. */
static void test_full(void **state)
{
	static bool (*const functions[])(struct buf *, struct str_view) = {
		enc_base64,    enc_base64url, enc_hex,     dec_base64,
		dec_base64url, enc_percent,   dec_percent,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		struct buf out;

		buf_init(&out, 5);
		buf_add(&out, SV("abc"));
		if (functions[i](&out, SV("Zm9v")) || !sv_eq(buf_view(&out), SV("abc")))
			fail_msg("function %zu: %s", i, buf_cstr(&out));
		buf_deinit(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64), cmocka_unit_test(test_base64_is_strict),
		cmocka_unit_test(test_hex),    cmocka_unit_test(test_percent),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
