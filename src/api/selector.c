/* api/selector.c - labelSelector and fieldSelector */
#include "api/selector.h"

#include "base/own.h"

#include <string.h>

#define FIELD_PATH_MAX 64

static int term_add(struct selector *selector, const struct selector_term *term, struct err *err)
{
	if (selector->count == SELECTOR_TERMS_MAX)
		return err_set(err, ERR_INVALID, "a selector has at most %d terms",
			       SELECTOR_TERMS_MAX);
	selector->terms[selector->count++] = *term;
	return 0;
}

/* ---- reading ---- */

/* Cuts the next term off: commas inside of parentheses do not end it. */
static struct str_view next_term(struct str_view *rest)
{
	size_t depth = 0;

	for (size_t i = 0; i < rest->len; i++) {
		char c = rest->data[i];

		depth += c == '(';
		depth -= c == ')' && depth > 0;
		if (c == ',' && depth == 0) {
			struct str_view term = sv_head(*rest, i);

			*rest = sv_skip(*rest, i + 1);
			return term;
		}
	}
	return sv_split(rest, '\0');
}

static bool is_name(struct str_view text, bool may_be_empty)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]) && strchr("-_./", text.data[i]) == NULL)
			return false;
	}
	return may_be_empty || text.len > 0;
}

/* "a=b", "a==b", "a!=b" */
static bool parse_equality(struct str_view text, struct selector_term *term)
{
	size_t at = sv_find(text, '=');
	bool negated;

	if (at == SV_NOT_FOUND)
		return false;
	negated = at > 0 && text.data[at - 1] == '!';
	term->op = negated ? SELECT_NOT_IN : SELECT_IN;
	term->key = sv_trim(sv_head(text, negated ? at - 1 : at));
	term->values = sv_skip(text, at + 1);
	if (!negated && sv_starts(term->values, SV("=")))
		term->values = sv_skip(term->values, 1);
	term->values = sv_trim(term->values);
	return true;
}

/* "a in (b,c)", "a notin (b)" */
static bool parse_set(struct str_view text, struct selector_term *term)
{
	size_t open = sv_find(text, '(');
	struct str_view head;

	if (open == SV_NOT_FOUND || !sv_ends(text, SV(")")))
		return false;
	head = sv_trim(sv_head(text, open));
	term->values = sv_skip(sv_head(text, text.len - 1), open + 1);
	term->op = sv_ends(head, SV(" notin")) ? SELECT_NOT_IN : SELECT_IN;
	if (!sv_ends(head, SV(" in")) && term->op == SELECT_IN)
		return false;
	term->key = sv_trim(sv_head(head, head.len - (term->op == SELECT_IN ? 3 : 6)));
	return true;
}

static bool values_good(struct str_view values)
{
	while (values.data != NULL) {
		if (!is_name(sv_trim(sv_split(&values, ',')), true))
			return false;
	}
	return true;
}

static bool parse_label(struct str_view text, struct selector_term *term)
{
	*term = (struct selector_term){.label = true, .values = SV("")};
	if (parse_set(text, term) || parse_equality(text, term))
		return is_name(term->key, false) && values_good(term->values);
	term->op = sv_starts(text, SV("!")) ? SELECT_ABSENT : SELECT_EXISTS;
	term->key = term->op == SELECT_ABSENT ? sv_trim(sv_skip(text, 1)) : text;
	return is_name(term->key, false);
}

int selector_add_labels(struct selector *selector, const char *text, struct err *err)
{
	struct str_view rest = sv_from(text);

	while (rest.data != NULL && rest.len > 0) {
		struct str_view part = sv_trim(next_term(&rest));
		struct selector_term term;

		if (!parse_label(part, &term))
			return err_set(err, ERR_INVALID,
				       "labelSelector: \"%.*s\" is none of a=b, a!=b, a in (b,c), "
				       "a notin (b), a, !a",
				       SV_ARG(sv_head(part, 128)));
		if (term_add(selector, &term, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- fields ---- */

static const struct {
	const char *kind; /* NULL: every kind */
	const char *field;
} fields[] = {
	{NULL, "metadata.name"},
	{NULL, "metadata.namespace"},
	{"Event", "involvedObject.apiVersion"},
	{"Event", "involvedObject.kind"},
	{"Event", "involvedObject.name"},
	{"Event", "involvedObject.namespace"},
	{"Event", "involvedObject.uid"},
	{"Event", "involvedObject.resourceVersion"},
	{"Event", "involvedObject.fieldPath"},
	{"Event", "reason"},
	{"Event", "reportingComponent"},
	{"Event", "type"},
	{"Secret", "type"},
	{"Namespace", "status.phase"},
};

static bool field_known(const struct kind *kind, struct str_view field)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (sv_eq(field, sv_from(fields[i].field)) &&
		    (fields[i].kind == NULL || strcmp(fields[i].kind, kind->kind) == 0))
			return true;
	}
	return false;
}

int selector_add_fields(struct selector *selector, const struct kind *kind, const char *text,
			struct err *err)
{
	struct str_view rest = sv_from(text);

	while (rest.data != NULL && rest.len > 0) {
		struct str_view part = sv_trim(sv_split(&rest, ','));
		struct selector_term term = {.label = false};

		if (!parse_equality(part, &term))
			return err_set(err, ERR_INVALID,
				       "fieldSelector: \"%.*s\" is none of a=b, a!=b",
				       SV_ARG(sv_head(part, 128)));
		if (!field_known(kind, term.key))
			return err_set(err, ERR_INVALID,
				       "fieldSelector: %s cannot be selected by \"%.*s\", only by "
				       "metadata.name and metadata.namespace%s",
				       kind->plural, SV_ARG(sv_head(term.key, 128)),
				       strcmp(kind->kind, "Event") == 0
					       ? ", involvedObject.*, type and reason"
					       : "");
		if (term_add(selector, &term, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- matching ---- */

/* Data NULL: the object has no such label or field. */
static struct str_view value_of(const struct selector_term *term, const json_t *object)
{
	char path[FIELD_PATH_MAX + 1];
	const json_t *value;

	if (term->label) {
		value = json_object_getn(json_at(object, "metadata.labels"), term->key.data,
					 term->key.len);
	} else {
		struct str_view key = sv_head(term->key, FIELD_PATH_MAX);

		memcpy(path, key.data, key.len);
		path[key.len] = '\0';
		value = json_at(object, path);
	}
	if (!json_is_string(value))
		return SV_NONE;
	return sv_new(json_string_value(value), json_string_length(value));
}

static bool among(struct str_view value, struct str_view values)
{
	while (values.data != NULL) {
		if (sv_eq(value, sv_trim(sv_split(&values, ','))))
			return true;
	}
	return false;
}

static bool term_matches(const struct selector_term *term, const json_t *object)
{
	struct str_view value = value_of(term, object);
	bool there = value.data != NULL;

	value = there ? value : SV("");
	switch (term->op) {
	case SELECT_EXISTS:
		return there;
	case SELECT_ABSENT:
		return !there;
	case SELECT_IN:
		/* an absent field is an empty one; an absent label is none */
		return (there || !term->label) && among(value, term->values);
	case SELECT_NOT_IN:
	default:
		return (!there && term->label) || !among(value, term->values);
	}
}

bool selector_matches(const struct selector *selector, const json_t *object)
{
	for (size_t i = 0; i < selector->count; i++) {
		if (!term_matches(&selector->terms[i], object))
			return false;
	}
	return true;
}
