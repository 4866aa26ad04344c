/* tests/unit/base/test_url.c - parts of a URL as they stand in its text */
#include "base/url.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_parts(void **state)
{
	static const struct {
		struct str_view url, authority, path;
	} cases[] = {
		{SV_INIT("https://ca.example/acme/directory"), SV_INIT("ca.example"),
		 SV_INIT("acme/directory")},
		{SV_INIT("https://ca.example:8443/"), SV_INIT("ca.example:8443"), SV_INIT("")},
		{SV_INIT("https://[::1]:1"), SV_INIT("[::1]:1"), SV_INIT("")},
		{SV_INIT("ca.example/dir"), SV_INIT("ca.example"), SV_INIT("dir")},
		{SV_INIT(""), SV_INIT(""), SV_INIT("")},
		{{NULL, 0}, SV_INIT(""), SV_INIT("")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (!sv_eq(url_authority(cases[i].url), cases[i].authority) ||
		    !sv_eq(url_path(cases[i].url), cases[i].path))
			fail_msg("case %zu", i);
	}
	assert_null(url_path(SV("https://ca.example")).data);
	assert_non_null(url_path(SV("https://ca.example/")).data);
}

static void test_staging(void **state)
{
	static const struct {
		struct str_view url;
		bool staging;
	} cases[] = {
		{SV_INIT("https://acme-staging-v02.api.letsencrypt.org/directory"), true},
		{SV_INIT("https://dv.acme-v02.test-api.pki.goog/directory"), true},
		{SV_INIT("https://api.test4.buypass.no/acme/directory"), true},
		{SV_INIT("https://acme-v02.api.letsencrypt.org/directory"), false},
		{SV_INIT("https://ca.example/staging"), false},
		{SV_INIT("https://ca.test/directory"), false}, /* the last label is no word */
		{SV_INIT(""), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (url_is_staging(cases[i].url) != cases[i].staging)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_staging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
