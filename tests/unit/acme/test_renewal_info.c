/* Renewal information: what is a window, and what is none. */
#include "acme/renewal_info.h"

#include "base/own.h"
#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct info_case {
	const char *text;
	int64_t start, end; /* 0: refused */
	const char *url;
	const char *words; /* of the refusal */
};

#define WINDOW(start, end) "{\"suggestedWindow\":{\"start\":" start ",\"end\":" end "}}"
#define GOOD                                                                                  \
	"\"suggestedWindow\":{\"start\":\"1970-01-01T00:00:10Z\",\"end\":\"1970-01-01T00:00:" \
	"20Z\"}"

static const struct info_case cases[] = {
	/* the example of RFC 9773, section 4.2 */
	{"{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"2025-01-03T04:00:"
	 "00Z\"},"
	 "\"explanationURL\":\"https://acme.example.com/docs/ari\"}",
	 1735790400, 1735876800, "https://acme.example.com/docs/ari", NULL},
	{WINDOW("\"1970-01-01T01:00:10+01:00\"", "\"1970-01-01T00:00:20.5Z\""), 10, 20, "", NULL},
	{"{" GOOD ",\"explanationURL\":\"javascript:alert(1)\"}", 10, 20, "", NULL},
	{"{" GOOD ",\"explanationURL\":\"https://a/\\u0007\"}", 10, 20, "", NULL},
	{"{" GOOD ",\"explanationURL\":7}", 10, 20, "", NULL},
	{WINDOW("\"1970-01-01T00:00:20Z\"", "\"1970-01-01T00:00:10Z\""), 0, 0, "",
	 "ends before it begins"},
	{WINDOW("\"1970-01-01T00:00:20Z\"", "\"1970-01-01T00:00:20Z\""), 0, 0, "",
	 "ends before it begins"},
	{WINDOW("12", "\"1970-01-01T00:00:20Z\""), 0, 0, "", "suggestedWindow.start"},
	{WINDOW("\"1970-01-01T00:00:10Z\"", "\"tomorrow\""), 0, 0, "", "suggestedWindow.end"},
	{"{\"suggestedWindow\":[]}", 0, 0, "", "suggestedWindow.start"},
	{"[]", 0, 0, "", "suggestedWindow.start"},
};

static void test_windows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *body = json_parse(sv_from(cases[i].text), NULL);
		struct acme_renewal_window window;
		struct err err = {0};
		int rc = acme_renewal_info_read(body, &window, &err);

		assert_non_null(body);
		if (cases[i].words != NULL) {
			assert_int_equal(rc, -1);
			if (strstr(err.msg, cases[i].words) == NULL)
				fail_msg("%s: %s", cases[i].text, err.msg);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(window.start, cases[i].start);
		assert_int_equal(window.end, cases[i].end);
		assert_string_equal(window.url, cases[i].url);
	}
	{
		struct acme_renewal_window window;

		assert_int_equal(acme_renewal_info_read(NULL, &window, NULL), -1);
	}
}

static void test_long_url(void **state)
{
	char url[RENEWAL_INFO_URL_MAX + 1] = "https://";
	struct acme_renewal_window window;
	AUTO(auto_json) json_t *body = NULL;

	(void)state;
	memset(url + 8, 'a', sizeof(url) - 9);
	body = json_pack("{s:{s:s, s:s}, s:s}", "suggestedWindow", "start", "1970-01-01T00:00:10Z",
			 "end", "1970-01-01T00:00:20Z", "explanationURL", url);
	assert_int_equal(acme_renewal_info_read(body, &window, NULL), 0);
	assert_string_equal(window.url, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_long_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
