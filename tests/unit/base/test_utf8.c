/* tests/unit/base/test_utf8.c - characters of UTF-8 */
#include "base/utf8.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_first(void **state)
{
	static const struct {
		struct str_view text;
		size_t len;
		uint32_t code;
	} cases[] = {
		{SV_INIT("a"), 1, 'a'},
		{SV_INIT("\0"), 1, 0},
		{SV_INIT("\x7f"), 1, 0x7F},
		{SV_INIT("\xc2\x80x"), 2, 0x80},
		{SV_INIT("\xdf\xbf"), 2, 0x7FF},
		{SV_INIT("\xe0\xa0\x80"), 3, 0x800},
		{SV_INIT("\xe2\x82\xac!"), 3, 0x20AC},
		{SV_INIT("\xed\x9f\xbf"), 3, 0xD7FF},
		{SV_INIT("\xee\x80\x80"), 3, 0xE000},
		{SV_INIT("\xf0\x90\x80\x80"), 4, 0x10000},
		{SV_INIT("\xf4\x8f\xbf\xbf"), 4, 0x10FFFF},
		{SV_INIT("\x80"), 0, 0x80},             /* begins nothing */
		{SV_INIT("\xc0\xaf"), 0, 0xC0},         /* overlong */
		{SV_INIT("\xc1\xbf"), 0, 0xC1},         /* overlong */
		{SV_INIT("\xe0\x9f\xbf"), 0, 0xE0},     /* overlong */
		{SV_INIT("\xf0\x8f\xbf\xbf"), 0, 0xF0}, /* overlong */
		{SV_INIT("\xed\xa0\x80"), 0, 0xED},     /* a surrogate */
		{SV_INIT("\xed\xbf\xbf"), 0, 0xED},     /* a surrogate */
		{SV_INIT("\xf4\x90\x80\x80"), 0, 0xF4}, /* beyond U+10FFFF */
		{SV_INIT("\xf5\x80\x80\x80"), 0, 0xF5}, /* beyond U+10FFFF */
		{SV_INIT("\xff"), 0, 0xFF},             /* begins nothing */
		{SV_INIT("\xe2\x82"), 0, 0xE2},         /* cut */
		{SV_INIT("\xf0\x90\x80"), 0, 0xF0},     /* cut */
		{SV_INIT("\xe2\x28\xa1"), 0, 0xE2},     /* does not go on */
		{SV_INIT("\xf0\x90\x28\xbc"), 0, 0xF0}, /* does not go on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t code = 1;

		if (utf8_first(cases[i].text, &code) != cases[i].len || code != cases[i].code ||
		    utf8_first(cases[i].text, NULL) != cases[i].len)
			fail_msg("case %zu: U+%04x", i, (unsigned)code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
