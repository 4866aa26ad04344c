/* codec/yaml_scalar.c - what an unquoted YAML scalar means */
#include "codec/yaml_scalar.h"

#include "base/own.h"

#include <math.h>
#include <stdlib.h>

#define NUMBER_MAX 128 /* characters; no number that means anything is longer */

static const struct {
	struct str_view text;
	struct scalar means;
} words[] = {
	{SV_INIT(""), {.kind = SCALAR_NULL}},
	{SV_INIT("~"), {.kind = SCALAR_NULL}},
	{SV_INIT("null"), {.kind = SCALAR_NULL}},
	{SV_INIT("Null"), {.kind = SCALAR_NULL}},
	{SV_INIT("NULL"), {.kind = SCALAR_NULL}},
	{SV_INIT("true"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("True"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("TRUE"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("yes"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("Yes"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("YES"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("on"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("On"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("ON"), {.kind = SCALAR_BOOL, .boolean = true}},
	{SV_INIT("false"), {.kind = SCALAR_BOOL}},
	{SV_INIT("False"), {.kind = SCALAR_BOOL}},
	{SV_INIT("FALSE"), {.kind = SCALAR_BOOL}},
	{SV_INIT("no"), {.kind = SCALAR_BOOL}},
	{SV_INIT("No"), {.kind = SCALAR_BOOL}},
	{SV_INIT("NO"), {.kind = SCALAR_BOOL}},
	{SV_INIT("off"), {.kind = SCALAR_BOOL}},
	{SV_INIT("Off"), {.kind = SCALAR_BOOL}},
	{SV_INIT("OFF"), {.kind = SCALAR_BOOL}},
	{SV_INIT(".nan"), {.kind = SCALAR_BEYOND}},
	{SV_INIT(".NaN"), {.kind = SCALAR_BEYOND}},
	{SV_INIT(".NAN"), {.kind = SCALAR_BEYOND}},
	{SV_INIT(".inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT(".Inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT(".INF"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("+.inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("+.Inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("+.INF"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("-.inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("-.Inf"), {.kind = SCALAR_BEYOND}},
	{SV_INIT("-.INF"), {.kind = SCALAR_BEYOND}},
};

static const struct scalar *word_find(struct str_view text)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (sv_eq(words[i].text, text))
			return &words[i].means;
	return NULL;
}

static struct str_view skip_sign(struct str_view text)
{
	return text.len > 0 && (text.data[0] == '+' || text.data[0] == '-') ? sv_skip(text, 1)
									    : text;
}

/* Cuts "0x" and the like off the digits and says what base they are in. */
static unsigned integer_base(struct str_view *digits)
{
	int mark = digits->len >= 3 ? ascii_lower(digits->data[1]) : 0;
	unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;

	if (digits->len == 0 || digits->data[0] != '0')
		return 10;
	*digits = sv_skip(*digits, base == 0 ? 1 : 2);
	return base == 0 ? 8 : base;
}

static int digit_value(char c)
{
	char lower = ascii_lower(c);

	if (ascii_is_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

/* "0755", "-12", "0x1F": SCALAR_STRING when it is not an integer at all. */
static struct scalar integer_read(struct str_view text)
{
	struct str_view digits = skip_sign(text);
	bool negative = text.len > 0 && text.data[0] == '-';
	unsigned base = integer_base(&digits);
	struct scalar out = {.kind = SCALAR_INT};

	if (digits.len == 0 && base != 8)
		return (struct scalar){.kind = SCALAR_STRING};
	for (size_t i = 0; i < digits.len; i++) {
		int digit = digit_value(digits.data[i]);

		if (digit >= (int)base)
			return (struct scalar){.kind = SCALAR_STRING};
		if (__builtin_mul_overflow(out.integer, (int64_t)base, &out.integer) ||
		    (negative ? __builtin_sub_overflow(out.integer, digit, &out.integer)
			      : __builtin_add_overflow(out.integer, digit, &out.integer)))
			out.kind = SCALAR_BEYOND;
	}
	return out;
}

static size_t skip_digits(struct str_view text, size_t at)
{
	while (at < text.len && ascii_is_digit(text.data[at]))
		at++;
	return at;
}

/* [-+]? ( .digits | digits (.digits?)? ) ( [eE] [-+]? digits )? */
static bool looks_real(struct str_view text)
{
	size_t whole, at;

	text = skip_sign(text);
	at = whole = skip_digits(text, 0);
	if (at < text.len && text.data[at] == '.') {
		at = skip_digits(text, at + 1);
		if (whole == 0 && at == 1)
			return false;
	} else if (whole == 0) {
		return false;
	}
	if (at < text.len && ascii_lower(text.data[at]) == 'e') {
		struct str_view exponent = skip_sign(sv_skip(text, at + 1));

		return exponent.len > 0 && skip_digits(exponent, 0) == exponent.len;
	}
	return at == text.len;
}

static struct scalar real_read(struct str_view text)
{
	char copy[NUMBER_MAX + 1];
	struct scalar out = {.kind = SCALAR_STRING};

	if (!looks_real(text))
		return out;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	out.real = strtod(copy, NULL);
	if (!isfinite(out.real))
		return out;
	out.kind = SCALAR_REAL;
	if (fabs(out.real) <= 9007199254740992.0 && (double)(int64_t)out.real == out.real) {
		out.kind = SCALAR_INT;
		out.integer = (int64_t)out.real;
	}
	return out;
}

static struct scalar number_read(struct str_view plain)
{
	char copy[NUMBER_MAX];
	struct str_view text = sv_new(copy, 0);
	struct scalar out;

	if (plain.len > NUMBER_MAX) {
		bool digits = skip_digits(plain, 0) == plain.len;

		return (struct scalar){.kind = digits ? SCALAR_BEYOND : SCALAR_STRING};
	}
	for (size_t i = 0; i < plain.len; i++)
		if (plain.data[i] != '_')
			copy[text.len++] = plain.data[i];
	out = integer_read(text);
	return out.kind == SCALAR_STRING ? real_read(text) : out;
}

struct scalar scalar_resolve(struct str_view plain)
{
	const struct scalar *word = word_find(plain);
	char first = '\0';

	if (word != NULL)
		return *word;
	if (plain.len > 0)
		first = plain.data[0];
	if (ascii_is_digit(first) || first == '+' || first == '-')
		return number_read(plain);
	if (first == '.' && plain.len <= NUMBER_MAX)
		return real_read(plain);
	return (struct scalar){.kind = SCALAR_STRING};
}

/* 2026-01-02, alone or with a time behind it. */
static bool looks_dated(struct str_view text)
{
	size_t year = skip_digits(text, 0), month, day;

	if (year != 4 || year >= text.len || text.data[year] != '-')
		return false;
	month = skip_digits(text, year + 1);
	if (month == year + 1 || month >= text.len || text.data[month] != '-')
		return false;
	day = skip_digits(text, month + 1);
	if (day == month + 1)
		return false;
	return day == text.len || sv_find(SV("Tt "), text.data[day]) != SV_NOT_FOUND;
}

/* 12:30 and 1:02:03.5 are base 60 numbers to a reader of YAML 1.1. */
static bool looks_base60(struct str_view text)
{
	bool colon = false;

	text = skip_sign(text);
	if (text.len == 0 || !ascii_is_digit(text.data[0]))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		colon |= text.data[i] == ':';
		if (!ascii_is_digit(text.data[i]) &&
		    sv_find(SV(":._"), text.data[i]) == SV_NOT_FOUND)
			return false;
	}
	return colon;
}

bool scalar_needs_quotes(struct str_view text)
{
	if (text.len == 1 && sv_find(SV("yYnN"), text.data[0]) != SV_NOT_FOUND)
		return true;
	return scalar_resolve(text).kind != SCALAR_STRING || sv_eq(text, SV("<<")) ||
	       looks_dated(text) || looks_base60(text);
}
