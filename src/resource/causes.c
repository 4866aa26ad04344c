/* resource/causes.c - the list of what is wrong with an object, in Kubernetes' words */
#include "resource/kind.h"

#include "base/own.h"
#include "resource/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAUSE_FIELD_MAX   512
#define CAUSE_MESSAGE_MAX 1024
#define CAUSE_VALUE_MAX   80 /* bytes of a value that a message repeats */

static const char *const reason_text[] = {
	[CAUSE_REQUIRED] = "FieldValueRequired",          [CAUSE_INVALID] = "FieldValueInvalid",
	[CAUSE_NOT_SUPPORTED] = "FieldValueNotSupported", [CAUSE_DUPLICATE] = "FieldValueDuplicate",
	[CAUSE_TYPE] = "FieldValueTypeInvalid",           [CAUSE_TOO_LONG] = "FieldValueTooLong",
	[CAUSE_FORBIDDEN] = "FieldValueForbidden",
};

void causes_init(struct causes *causes)
{
	causes->count = 0;
	causes->dropped = 0;
}

void causes_deinit(struct causes *causes)
{
	for (size_t i = 0; i < causes->count; i++) {
		free(causes->list[i].field);
		free(causes->list[i].message);
	}
	causes_init(causes);
}

static bool causes_hold(const struct causes *causes, const char *field, struct str_view message)
{
	for (size_t i = 0; i < causes->count; i++) {
		if (strcmp(causes->list[i].field, field) == 0 &&
		    sv_eq(sv_from(causes->list[i].message), message))
			return true;
	}
	return false;
}

void causes_add(struct causes *causes, enum cause_reason reason, const char *field, const char *fmt,
		...)
{
	char message[CAUSE_MESSAGE_MAX];
	va_list args;

	if (causes->count == CAUSES_MAX) {
		causes->dropped++;
		return;
	}
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (causes_hold(causes, field, sv_from(message)))
		return;
	causes->list[causes->count++] = (struct cause){
		.reason = reason,
		.field = sv_dup(sv_head(sv_from(field), CAUSE_FIELD_MAX)),
		.message = sv_dup(sv_from(message)),
	};
}

const char *cause_reason_text(enum cause_reason reason)
{
	return reason_text[reason];
}

void causes_text(const struct causes *causes, struct buf *out)
{
	bool several = causes->count + causes->dropped > 1;

	if (several)
		buf_addc(out, '[');
	for (size_t i = 0; i < causes->count; i++)
		buf_addf(out, "%s%s: %s", i == 0 ? "" : ", ", causes->list[i].field,
			 causes->list[i].message);
	if (causes->dropped > 0)
		buf_addf(out, ", and %zu more", causes->dropped);
	if (several)
		buf_addc(out, ']');
}

/* Heap: the value as it stands in a message. */
static char *value_text(const json_t *value)
{
	struct str_view text = text_of(value);

	if (json_is_object(value))
		return xstrdup("{…}");
	if (json_is_array(value))
		return xstrdup("[…]");
	if (!json_is_string(value))
		return value == NULL ? xstrdup("\"\"") : json_text(value);
	if (text.len <= CAUSE_VALUE_MAX)
		return json_text(value);

	AUTO(auto_json)
	json_t *cut = json_fmt("%.*s…", (int)CAUSE_VALUE_MAX,
			       text.data); /* json_fmt mends a cut character */

	return json_text(cut);
}

void cause_invalid(struct causes *causes, const char *field, const json_t *value, const char *must,
		   ...)
{
	char words[CAUSE_MESSAGE_MAX];
	va_list args;

	if (causes->count == CAUSES_MAX) {
		causes->dropped++;
		return;
	}
	va_start(args, must);
	vsnprintf(words, sizeof(words), must, args);
	va_end(args);

	AUTO(auto_free) char *text = value_text(value);

	causes_add(causes, CAUSE_INVALID, field, "Invalid value: %s: %s", text, words);
}

void cause_required(struct causes *causes, const char *field, const char *why)
{
	causes_add(causes, CAUSE_REQUIRED, field, "Required value%s%s", why == NULL ? "" : ": ",
		   why == NULL ? "" : why);
}

void cause_duplicate(struct causes *causes, const char *field, const json_t *value)
{
	AUTO(auto_free) char *text = value_text(value);

	causes_add(causes, CAUSE_DUPLICATE, field, "Duplicate value: %s", text);
}

void cause_forbidden(struct causes *causes, const char *field, const char *fmt, ...)
{
	char words[CAUSE_MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	causes_add(causes, CAUSE_FORBIDDEN, field, "Forbidden: %s", words);
}

void cause_immutable(struct causes *causes, const json_t *object, const json_t *old,
		     const char *path)
{
	const json_t *value = json_at(object, path);

	if (old != NULL && !json_same(value, json_at(old, path)))
		cause_invalid(causes, path, value, "field is immutable");
}
