/* tests/unit/cli/test_args.c - cli/args.c */
#include "cli/args.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORDS_MAX 8

static const enum flag_id allowed[] = {FLAG_FILE,    FLAG_ALL_NAMESPACES, FLAG_WATCH,   FLAG_OUTPUT,
				       FLAG_DRY_RUN, FLAG_SELECTOR,       FLAG_TIMEOUT, FLAG_NONE};

static int parse(struct args *args, const char *const *argv, struct err *err)
{
	int argc = 0;

	memset(args, 0, sizeof(*args));
	while (argv[argc] != NULL)
		argc++;
	return args_parse(args, argc, (char **)(uintptr_t)argv, allowed, err);
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *argv[WORDS_MAX];
		enum flag_id id;
		const char *value;
		size_t words;
	} cases[] = {
		{"equals", {"--namespace=a", "x"}, FLAG_NAMESPACE, "a", 1},
		{"next argument", {"--namespace", "a", "x"}, FLAG_NAMESPACE, "a", 1},
		{"letter, next argument", {"-n", "a"}, FLAG_NAMESPACE, "a", 0},
		{"letter and value together", {"-na"}, FLAG_NAMESPACE, "a", 0},
		{"letter, equals", {"-n=a"}, FLAG_NAMESPACE, "a", 0},
		{"the last one counts", {"-n", "a", "-nb"}, FLAG_NAMESPACE, "b", 0},
		{"a value may have equals signs", {"-l=a=b"}, FLAG_SELECTOR, "a=b", 0},
		{"a dash is a value", {"-f", "-"}, FLAG_FILE, "-", 0},
		{"a dash behind its letter", {"-f-"}, FLAG_FILE, "-", 0},
		{"a dash is a word", {"-", "-w"}, FLAG_WATCH, "true", 1},
		{"booleans stand alone", {"-w", "a"}, FLAG_WATCH, "true", 1},
		{"booleans joined", {"-Aw"}, FLAG_WATCH, "true", 0},
		{"joined with a value behind", {"-Ao", "json"}, FLAG_OUTPUT, "json", 0},
		{"a boolean set", {"--watch=false"}, FLAG_WATCH, "false", 0},
		{"an optional value left out", {"--dry-run", "x"}, FLAG_DRY_RUN, "client", 1},
		{"an optional value", {"--dry-run=server"}, FLAG_DRY_RUN, "server", 0},
		{"an empty value", {"--selector="}, FLAG_SELECTOR, "", 0},
		{"flags behind words", {"a", "b", "-n", "c"}, FLAG_NAMESPACE, "c", 2},
		{"no flags behind --", {"--", "-n", "c"}, FLAG_NAMESPACE, NULL, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct args args;
		const char *got;

		if (parse(&args, cases[i].argv, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.msg);
		got = args_text(&args, cases[i].id);
		if ((got == NULL) != (cases[i].value == NULL) ||
		    (got != NULL && strcmp(got, cases[i].value) != 0))
			fail_msg("%s: got %s", cases[i].name, got == NULL ? "nothing" : got);
		if (args.word_count != cases[i].words)
			fail_msg("%s: %zu words", cases[i].name, args.word_count);
		args_deinit(&args);
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *name, *argv[WORDS_MAX], *words;
	} cases[] = {
		{"unknown", {"--colour"}, "unknown flag: --colour"},
		{"unknown with a value", {"--colour=red"}, "unknown flag: --colour"},
		{"of another verb", {"--overwrite"}, "unknown flag: --overwrite"},
		{"unknown letter", {"-x"}, "unknown shorthand flag: 'x' in -x"},
		{"unknown letter behind others", {"-wx"}, "unknown shorthand flag: 'x' in -wx"},
		{"no value left", {"-n"}, "flag needs an argument: -n"},
		{"no value left", {"--output"}, "flag needs an argument: --output"},
		{"no truth",
		 {"--watch=maybe"},
		 "invalid argument \"maybe\" for \"--watch\": true or false is due"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct args args;

		if (parse(&args, cases[i].argv, &err) == 0)
			fail_msg("%s: taken", cases[i].name);
		if (strcmp(err.msg, cases[i].words) != 0)
			fail_msg("%s: %s", cases[i].name, err.msg);
		args_deinit(&args);
	}
}

static void test_many_values(void **state)
{
	const char *argv[ARGS_VALUES_MAX + 2] = {NULL};
	struct err err = {.code = ERR_NONE};
	struct args args;

	(void)state;
	for (size_t i = 0; i < ARGS_VALUES_MAX; i++)
		argv[i] = "-w";
	assert_int_equal(parse(&args, argv, &err), 0);
	args_deinit(&args);
	argv[ARGS_VALUES_MAX] = "-w";
	assert_int_equal(parse(&args, argv, &err), -1);
	args_deinit(&args);
}

static void test_repeated(void **state)
{
	static const char *const argv[] = {"-f", "a", "-w", "--filename=b", "-fc", NULL};
	static const char *const want[] = {"a", "b", "c"};
	struct err err = {.code = ERR_NONE};
	struct args args;
	size_t it = 0;

	(void)state;
	assert_int_equal(parse(&args, argv, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(args_next(&args, FLAG_FILE, &it), want[i]);
	assert_null(args_next(&args, FLAG_FILE, &it));
	assert_true(args_bool(&args, FLAG_WATCH, false));
	assert_true(args_bool(&args, FLAG_ALL, true));
	args_deinit(&args);
}

static void test_common(void **state)
{
	static const char *const argv[] = {"sallyport", "--socket=/s", "-n", "a",
					   "get",       "-w",          NULL};
	struct err err = {.code = ERR_NONE};
	struct args args = {.value_count = 0};
	int at = 1;

	(void)state;
	assert_int_equal(args_parse_common(&args, 6, (char **)(uintptr_t)argv, &at, &err), 0);
	assert_int_equal(at, 4);
	assert_string_equal(args_text(&args, FLAG_SOCKET), "/s");
	at = 5;
	assert_int_equal(args_parse_common(&args, 6, (char **)(uintptr_t)argv, &at, &err), -1);
	args_deinit(&args);
}

static void test_duration(void **state)
{
	static const struct {
		const char *argv[2];
		int rc;
		int64_t ms;
	} cases[] = {
		{{"--timeout=30s"}, 0, 30000},
		{{"--timeout=2m"}, 0, 120000},
		{{"--timeout=1h30m"}, 0, 5400000},
		{{"--timeout=0"}, 0, 0},
		{{"--timeout=45"}, 0, 45000},
		{{"--timeout=-1s"}, 0, -1},
		{{"--timeout=soon"}, -1, 7},
		{{"--timeout="}, -1, 7},
		{{"--timeout=99999999999999999999"}, -1, 7},
		{{"-w"}, 0, 7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct args args;
		int64_t ms = 7;
		int rc;

		assert_int_equal(parse(&args, cases[i].argv, &err), 0);
		rc = args_duration(&args, FLAG_TIMEOUT, &ms, &err);
		if (rc != cases[i].rc || ms != cases[i].ms)
			fail_msg("%s: %d, %lld", cases[i].argv[0], rc, (long long)ms);
		args_deinit(&args);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),   cmocka_unit_test(test_errors),
		cmocka_unit_test(test_repeated), cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_common),   cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
