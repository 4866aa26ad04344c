/* tests/unit/base/test_log.c - lines that nobody can forge */
#include "base/log.h"

#include "base/own.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The line that log_line writes, without its time; lines is how many there were. */
static void capture(enum log_format format, const char *text, char out[8192])
{
	int pipes[2];
	ssize_t count;

	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	log_setup(LOG_LEVEL_INFO, format, pipes[1]);
	errno = ENOENT;
	log_info("acme", "%s", text);
	assert_int_equal(errno, ENOENT);
	count = read(pipes[0], out, 8191);
	assert_true(count > 0);
	out[count] = '\0';
	assert_int_equal(read(pipes[0], out + count, 1), -1);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_lines(void **state)
{
	static const struct {
		const char *message, *text, *json;
	} cases[] = {
		{"order is ready", "order is ready", "order is ready"},
		{"say \"hi\" \\", "say \"hi\" \\", "say \\\"hi\\\" \\\\"},
		{"a\nerror acme: b", "a\\nerror acme: b", "a\\nerror acme: b"},
		{"\x1b[31m\r\t\x7f", "\\x1b[31m\\x0d\\x09\\x7f",
		 "\\u001b[31m\\u000d\\u0009\\u007f"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\xff\xc3", "\\xff\\xc3", "\\u00ff\\u00c3"},
		{"\xc2\x9b\xed\xa0\x80", "\\xc2\\x9b\\xed\\xa0\\x80",
		 "\\u00c2\\u009b\\u00ed\\u00a0\\u0080"},      /* C1 control; surrogate */
		{"\xc0\xaf", "\\xc0\\xaf", "\\u00c0\\u00af"}, /* overlong */
		{"", "", ""},
	};
	char got[8192], want[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		capture(LOG_FORMAT_TEXT, cases[i].message, got);
		snprintf(want, sizeof(want), " info acme: %s\n", cases[i].text);
		assert_true(strlen(got) > 24 && got[10] == 'T' && got[23] == 'Z');
		assert_string_equal(got + 24, want);
		capture(LOG_FORMAT_JSON, cases[i].message, got);
		snprintf(want, sizeof(want),
			 "\",\"level\":\"info\",\"room\":\"acme\",\"message\":\"%s\"}\n",
			 cases[i].json);
		assert_true(strlen(got) > 33 && memcmp(got, "{\"time\":\"20", 11) == 0);
		assert_string_equal(got + 33, want);
	}
}

static void test_long_lines_are_cut(void **state)
{
	char message[6000], got[8192];

	(void)state;
	memset(message, '\x01', sizeof(message) - 1); /* six bytes each in JSON */
	message[sizeof(message) - 1] = '\0';
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
		capture((enum log_format)format, message, got);
		assert_true(strlen(got) > 3000 && strlen(got) <= 4096);
		assert_string_equal(got + strlen(got) - 3,
				    format == LOG_FORMAT_JSON ? "\"}\n" : "01\n");
	}
}

static void test_levels(void **state)
{
	int pipes[2];
	char got[256];

	(void)state;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT, pipes[1]);
	assert_true(log_enabled(LOG_LEVEL_WARN) && !log_enabled(LOG_LEVEL_INFO));
	log_info("x", "not said");
	log_debug("x", "not said");
	assert_int_equal(read(pipes[0], got, sizeof(got)), -1);
	log_error("x", "said");
	assert_true(read(pipes[0], got, sizeof(got)) > 0);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_parse(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;
	enum log_format format = LOG_FORMAT_TEXT;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("Debug", &level));
	assert_false(log_level_parse("", &level));
	assert_true(log_format_parse("json", &format));
	assert_int_equal(format, LOG_FORMAT_JSON);
	assert_false(log_format_parse("xml", &format));
}

/* systemd's journal takes the level from "<N>", and has the time itself. */
static void test_journal(void **state)
{
	static const struct {
		enum log_level level;
		enum log_format format;
		const char *line; /* begins so */
	} cases[] = {
		{LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, "<3>error acme: m\n"},
		{LOG_LEVEL_WARN, LOG_FORMAT_TEXT, "<4>warn acme: m\n"},
		{LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "<6>info acme: m\n"},
		{LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, "<7>debug acme: m\n"},
		{LOG_LEVEL_WARN, LOG_FORMAT_JSON, "<4>{\"time\":\"20"},
	};
	char stream[64], got[256];
	int pipes[2], other[2];
	struct stat info;

	(void)state;
	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	assert_int_equal(pipe2(other, O_NONBLOCK), 0);
	assert_int_equal(fstat(pipes[1], &info), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ssize_t count;

		log_setup(LOG_LEVEL_DEBUG, cases[i].format, pipes[1]);
		log_line(cases[i].level, "acme", "m");
		count = read(pipes[0], got, sizeof(got) - 1);
		assert_true(count > 0);
		got[count] = '\0';
		if (strncmp(got, cases[i].line, strlen(cases[i].line)) != 0)
			fail_msg("%s: %s", cases[i].line, got);
	}
	/* Standard error was led elsewhere: the variable is inherited, the stream is not. */
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, other[1]);
	log_line(LOG_LEVEL_WARN, "acme", "m");
	assert_int_equal(read(other[0], got, 2), 2);
	assert_memory_equal(got, "20", 2);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	for (size_t i = 0; i < 2; i++) {
		close(pipes[i]);
		close(other[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
