/* field.c: known names, sections, lists, what belongs to one connection */
#include "http/field.h"

#include "base/buf.h"
#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct fields fields;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	arena_init(&f->arena, 65536);
	fields_init(&f->fields, &f->arena, 100);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_deinit(&f->arena);
	free(f);
	return 0;
}

/* "name: value" separated by '|' */
static void fill(struct fields *fields, const char *text)
{
	struct str_view rest = sv_from(text);

	while (rest.data != NULL && rest.len > 0) {
		struct str_view line = sv_split(&rest, '|');
		struct str_view name = sv_split(&line, ':');

		assert_true(fields_add(fields, name, sv_trim(line)));
	}
}

static void assert_section(const struct fields *fields, const char *expected, const char *what)
{
	struct buf text;

	buf_init(&text, 65536);
	for (size_t i = 0; i < fields->count; i++)
		buf_addf(&text, "%s%.*s: %.*s", i == 0 ? "" : "|", SV_ARG(fields->items[i].name),
			 SV_ARG(fields->items[i].value));
	if (strcmp(buf_cstr(&text), expected) != 0)
		fail_msg("%s: got \"%s\", expected \"%s\"", what, buf_cstr(&text), expected);
	buf_deinit(&text);
}

static void test_every_known_name(void **state)
{
	(void)state;
	for (int id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++) {
		struct str_view name = field_id_name((enum field_id)id);
		char upper[64];

		for (size_t i = 0; i < name.len; i++)
			upper[i] = (char)(name.data[i] >= 'a' ? name.data[i] - 32 : name.data[i]);
		if (field_id_parse(name) != (enum field_id)id ||
		    field_id_parse(sv_new(upper, name.len)) != (enum field_id)id)
			fail_msg("%.*s is not found", SV_ARG(name));
	}
}

static void test_unknown_names(void **state)
{
	static const char *const names[] = {"",
					    "t",
					    "x",
					    "hosts",
					    "hos",
					    "hosT ",
					    "h\rst",
					    "content_length",
					    "dote",
					    "via\x80",
					    "\024e",
					    "x-forwarded-hort",
					    "transfer\rencoding"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (field_id_parse(sv_from(names[i])) != FIELD_OTHER)
			fail_msg("\"%s\" is taken for a known name", names[i]);
	}
}

static void test_names_are_lowered(void **state)
{
	struct fixture *f = *state;

	fill(&f->fields, "X-Foo: a|HOST: b|x-bar: c");
	assert_section(&f->fields, "x-foo: a|host: b|x-bar: c", "lowered");
	assert_int_equal(f->fields.items[1].id, FIELD_HOST);
	assert_ptr_equal(fields_find(&f->fields, SV("X-BAR")), &f->fields.items[2]);
	assert_null(fields_find(&f->fields, SV("x-ba")));
}

static void test_set_and_remove(void **state)
{
	struct fixture *f = *state;

	fill(&f->fields, "a: 1|b: 2|A: 3|via: x|Via: y");
	assert_true(fields_set(&f->fields, SV("A"), SV("9")));
	assert_section(&f->fields, "a: 9|b: 2|via: x|via: y", "set replaces all, in place");
	assert_true(fields_set_id(&f->fields, FIELD_VIA, SV("z")));
	assert_true(fields_set_id(&f->fields, FIELD_HOST, SV("h")));
	assert_section(&f->fields, "a: 9|b: 2|via: z|host: h", "set by id");
	assert_int_equal(fields_remove(&f->fields, SV("B")), 1);
	assert_int_equal(fields_remove_id(&f->fields, FIELD_HOST), 1);
	assert_int_equal(fields_remove(&f->fields, SV("none")), 0);
	assert_section(&f->fields, "a: 9|via: z", "removed");
}

static void test_limit(void **state)
{
	struct fixture *f = *state;

	fields_init(&f->fields, &f->arena, 20);
	for (int i = 0; i < 20; i++)
		assert_true(fields_add(&f->fields, SV("x"), SV("y")));
	assert_false(fields_add(&f->fields, SV("x"), SV("y")));
	assert_int_equal(f->fields.count, 20);
	assert_true(fields_set(&f->fields, SV("x"), SV("z"))); /* replaces, needs no room */
	assert_int_equal(f->fields.count, 1);
}

static void test_full_arena(void **state)
{
	struct arena arena;
	struct fields fields;
	size_t count = 0;

	(void)state;
	arena_init(&arena, 2000);
	fields_init(&fields, &arena, 1000);
	while (count < 1000 && fields_add(&fields, SV("X-Upper"), SV("v")))
		count++;
	assert_true(count > 0 && count < 1000);
	assert_true(arena.spent);
	assert_int_equal(fields.count, count);
	arena_deinit(&arena);
}

static void test_joined(void **state)
{
	struct fixture *f = *state;

	fill(&f->fields, "a: 1|b: 2|a:|a: 3");
	assert_true(sv_eq(fields_joined(&f->fields, SV("A")), SV("1, , 3")));
	assert_true(sv_eq(fields_joined_with(&f->fields, SV("a"), SV("; ")), SV("1; ; 3")));
	assert_true(sv_eq(fields_joined(&f->fields, SV("b")), SV("2")));
	assert_null(fields_joined(&f->fields, SV("c")).data);
}

static void test_lists(void **state)
{
	static const struct {
		const char *list, *elements;
	} cases[] = {
		{"", ""},
		{"a", "a"},
		{" a ,\tb", "a|b"},
		{",,a,, ,b,", "a|b"},
		{"\"x, y\", z", "\"x, y\"|z"},
		{"\"x\\\", y\", z", "\"x\\\", y\"|z"},
		{"a, \"open, b", "a|\"open, b"},
		{"a, \"open\\", "a|\"open\\"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str_view rest = sv_from(cases[i].list), element;
		struct buf got;

		buf_init(&got, 1000);
		while (list_next(&rest, &element))
			buf_addf(&got, "%s%.*s", buf_len(&got) > 0 ? "|" : "", SV_ARG(element));
		if (strcmp(buf_cstr(&got), cases[i].elements) != 0)
			fail_msg("\"%s\" gives \"%s\"", cases[i].list, buf_cstr(&got));
		buf_deinit(&got);
	}
}

static void test_names_and_values(void **state)
{
	static const char bad_names[] = " \t\r\n\"(),/:;<=>?@[\\]{}\x7f\x80\xff";
	static const char bad_values[] = "\r\n\x01\x08\x0b\x0c\x1f\x7f";

	(void)state;
	assert_true(field_name_ok(SV("!#$%&'*+-.^_`|~09azAZ")));
	assert_false(field_name_ok(SV("")));
	for (size_t i = 0; i < sizeof(bad_names); i++) /* with the NUL */
		assert_false(field_name_ok(sv_new(&bad_names[i], 1)));
	assert_true(field_value_ok(SV("")));
	assert_true(field_value_ok(SV("a \t~!\x80\xff")));
	for (size_t i = 0; i < sizeof(bad_values); i++)
		assert_false(field_value_ok(sv_new(&bad_values[i], 1)));
}

static void test_strip_hop_by_hop(void **state)
{
	static const struct {
		const char *name, *before, *after;
	} cases[] = {
		{"nothing to do", "a: 1|trailer: x", "a: 1|trailer: x"},
		{"the fixed ones",
		 "connection: close|keep-alive: 5|proxy-connection: x|te: gzip|upgrade: h2c|"
		 "transfer-encoding: chunked|http2-settings: AA|a: 1",
		 "a: 1"},
		{"nominated", "connection: x-a|x-a: 1|X-A: 2|x-b: 3", "x-b: 3"},
		{"nominated, odd list", "connection: , ,\tX-A , keep-alive,|x-a: 1|x-b: 2",
		 "x-b: 2"},
		{"two lines", "connection: x-a|a: 1|connection: x-b|x-a: 2|x-b: 3", "a: 1"},
		{"set-cookie of a response", "connection: set-cookie|set-cookie: a=1|b: 2", "b: 2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f = *state;

		fields_init(&f->fields, &f->arena, 100);
		fill(&f->fields, cases[i].before);
		assert_true(fields_strip_hop_by_hop(&f->fields));
		assert_section(&f->fields, cases[i].after, cases[i].name);
	}
}

static void test_trailers_nominated(void **state)
{
	static const struct {
		const char *head, *trailers, *after;
	} cases[] = {
		{"x: 1", "x-a: 1", "x-a: 1"},
		{"connection: close", "x-a: 1", "x-a: 1"},
		{"connection: X-A", "x-a: 1|x-b: 2|x-a: 3", "x-b: 2"},
		{"connection: x-a|connection: keep-alive, x-b|c: d", "x-a: 1|x-b: 2|x-c: 3",
		 "x-c: 3"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f = *state;
		struct fields trailers;

		fields_init(&f->fields, &f->arena, 100);
		fields_init(&trailers, &f->arena, 100);
		fill(&f->fields, cases[i].head);
		fill(&trailers, cases[i].trailers);
		assert_true(fields_strip_hop_by_hop(&f->fields));
		fields_strip_trailers(&trailers, &f->fields);
		assert_section(&trailers, cases[i].after, cases[i].head);
	}
}

static void test_too_many_nominated(void **state)
{
	struct fixture *f = *state;
	struct buf list;

	buf_init(&list, 65536);
	for (int i = 0; i < FIELDS_NOMINATED_MAX; i++)
		buf_addf(&list, "x-%d,", i);
	fields_add(&f->fields, SV("connection"), buf_view(&list));
	fields_add(&f->fields, SV("x-63"), SV("1"));
	assert_true(fields_strip_hop_by_hop(&f->fields));
	assert_int_equal(f->fields.count, 0);
	buf_addf(&list, "one-more");
	fields_add(&f->fields, SV("connection"), buf_view(&list));
	assert_false(fields_strip_hop_by_hop(&f->fields));
	assert_int_equal(f->fields.count, 1);
	buf_deinit(&list);
}

static void test_content_length(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = {
		{"0", true, 0},
		{"5", true, 5},
		{"00005", true, 5},
		{"9223372036854775807", true, INT64_MAX},
		{"9223372036854775808", false, 0},
		{"18446744073709551616", false, 0},
		{"18446744073709551621", false, 0},
		{"", false, 0},
		{"+5", false, 0},
		{"-5", false, 0},
		{"0x5", false, 0},
		{"5 ", false, 0},
		{"5,5", false, 0},
		{"5.0", false, 0},
		{"5a", false, 0},
		{"\xc2\xa0"
		 "5",
		 false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 77;
		bool good = content_length_parse(sv_from(cases[i].text), &value);

		if (good != cases[i].good || value != (good ? cases[i].value : 77))
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void test_trailers(void **state)
{
	(void)state;
	assert_true(field_trailer_ok(FIELD_OTHER));
	assert_false(field_trailer_ok(FIELD_CONTENT_LENGTH));
	assert_false(field_trailer_ok(FIELD_TRANSFER_ENCODING));
	assert_false(field_trailer_ok(FIELD_HOST));
	assert_false(field_trailer_ok(FIELD_AUTHORIZATION));
	assert_false(field_trailer_ok(FIELD_SET_COOKIE));
	assert_false(field_trailer_ok(FIELD_X_FORWARDED_FOR));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_known_name),
		TEST(test_unknown_names),
		TEST(test_names_are_lowered),
		TEST(test_set_and_remove),
		TEST(test_limit),
		TEST(test_full_arena),
		TEST(test_joined),
		TEST(test_lists),
		TEST(test_names_and_values),
		TEST(test_strip_hop_by_hop),
		TEST(test_trailers_nominated),
		TEST(test_too_many_nominated),
		TEST(test_content_length),
		TEST(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
