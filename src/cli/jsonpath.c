/* cli/jsonpath.c - kubectl's JSONPath templates */
#include "cli/jsonpath.h"

#include "base/own.h"

#include <stdlib.h>

struct run {
	struct buf *out;
	struct err *err;
	size_t visited;
	unsigned depth;
};

static int syntax(struct run *run, const char *what, struct str_view at)
{
	return err_set(run->err, ERR_INVALID, "error parsing jsonpath: %s at \"%.*s\"", what,
		       SV_ARG(sv_head(at, 40)));
}

/* ---- values ---- */

static void add_value(struct buf *out, const json_t *value)
{
	AUTO(auto_free) char *text = NULL;

	if (json_is_string(value)) {
		buf_add(out, sv_new(json_string_value(value), json_string_length(value)));
		return;
	}
	text = json_text_sorted(value);
	buf_add(out, sv_from(text));
}

/* Every value below values[*] by one step goes into next. */
static void step_name(const json_t *value, struct str_view name, json_t *next)
{
	json_t *child = json_object_getn(value, name.data, name.len);

	if (child != NULL)
		json_array_append(next, child);
}

static void step_index(const json_t *value, int64_t index, json_t *next)
{
	int64_t size = (int64_t)json_array_size(value);
	json_t *child;

	index = index < 0 ? index + size : index;
	child = index < 0 ? NULL : json_array_get(value, (size_t)index);
	if (child != NULL)
		json_array_append(next, child);
}

static void step_all(const json_t *value, json_t *next)
{
	const char *key;
	json_t *child;
	size_t i;

	json_array_foreach(value, i, child) json_array_append(next, child);
	json_object_foreach((json_t *)(uintptr_t)value, key, child) json_array_append(next, child);
}

/* ---- one path: .a.b[0][*]['c'][?(@.d=="e")] ---- */

static bool ends_name(char c)
{
	return c == '.' || c == '[' || c == '}' || c == ' ' || c == ')' || c == '=' || c == '!' ||
	       c == '<' || c == '>';
}

/* A name with \. for a dot in it; *path goes on behind it. */
static struct str_view take_name(struct str_view *path, struct buf *name)
{
	while (path->len > 0 && !ends_name(path->data[0])) {
		if (path->data[0] == '\\' && path->len > 1)
			*path = sv_skip(*path, 1);
		buf_addc(name, path->data[0]);
		*path = sv_skip(*path, 1);
	}
	return buf_view(name);
}

static char unescaped(char c)
{
	if (c == 'n')
		return '\n';
	if (c == 't')
		return '\t';
	return c;
}

/* 'text' or "text" with \n, \t and \CHAR in it; false: no end. */
static bool take_quoted(struct str_view *path, struct buf *text)
{
	char quote = path->data[0];

	for (*path = sv_skip(*path, 1); path->len > 0; *path = sv_skip(*path, 1)) {
		char c = path->data[0];

		if (c == quote) {
			*path = sv_skip(*path, 1);
			return true;
		}
		if (c == '\\' && path->len > 1) {
			*path = sv_skip(*path, 1);
			c = unescaped(path->data[0]);
		}
		buf_addc(text, c);
	}
	return false;
}

static int eval_path(struct run *run, struct str_view *path, const json_t *value, json_t *found);

enum compare { COMPARE_EXISTS, COMPARE_SAME, COMPARE_OTHER };

struct filter {
	struct str_view left; /* behind "@" */
	enum compare compare;
	struct buf right;
};

static bool filter_holds(struct run *run, const struct filter *filter, const json_t *value)
{
	AUTO(auto_json) json_t *found = json_array();
	struct str_view left = filter->left;
	struct buf text;
	bool same;

	if (eval_path(run, &left, value, found) < 0)
		return false;
	if (filter->compare == COMPARE_EXISTS || json_array_size(found) == 0)
		return json_array_size(found) > 0;
	buf_init(&text, JSON_TEXT_MAX);
	add_value(&text, json_array_get(found, 0));
	same = sv_eq(buf_view(&text), buf_view(&filter->right));
	buf_deinit(&text);
	return same == (filter->compare == COMPARE_SAME);
}

static void skip_spaces(struct str_view *text)
{
	while (text->len > 0 && text->data[0] == ' ')
		*text = sv_skip(*text, 1);
}

static int read_right(struct run *run, struct filter *filter, struct str_view *path)
{
	skip_spaces(path);
	if (filter->compare == COMPARE_EXISTS)
		return 0;
	if (path->len > 0 && (path->data[0] == '"' || path->data[0] == '\''))
		return take_quoted(path, &filter->right) ? 0
							 : syntax(run, "unterminated text", *path);
	take_name(path, &filter->right);
	skip_spaces(path);
	return 0;
}

/* [?(@.type=="Ready")], behind the "[?(". */
static int read_filter(struct run *run, struct filter *filter, struct str_view *path)
{
	size_t end = 0;

	skip_spaces(path);
	if (path->len == 0 || path->data[0] != '@')
		return syntax(run, "'@' is due in a filter", *path);
	*path = sv_skip(*path, 1);
	while (end < path->len && strchr("=!<> )", path->data[end]) == NULL)
		end++;
	filter->left = sv_head(*path, end);
	*path = sv_skip(*path, end);
	skip_spaces(path);
	if (sv_starts(*path, SV("==")))
		filter->compare = COMPARE_SAME;
	else if (sv_starts(*path, SV("!=")))
		filter->compare = COMPARE_OTHER;
	if (filter->compare != COMPARE_EXISTS)
		*path = sv_skip(*path, 2);
	if (read_right(run, filter, path) < 0)
		return -1;
	skip_spaces(path);
	if (!sv_starts(*path, SV(")]")))
		return syntax(run, "filters are (@.NAME == \"TEXT\"), != or (@.NAME)", *path);
	*path = sv_skip(*path, 2);
	return 0;
}

static int step_filter(struct run *run, struct str_view *path, const json_t *values, json_t *next)
{
	struct filter filter = {.compare = COMPARE_EXISTS};
	const json_t *value, *item;
	size_t i, k;
	int rc;

	buf_init(&filter.right, JSON_TEXT_MAX);
	rc = read_filter(run, &filter, path);
	json_array_foreach(values, i, value)
	{
		json_array_foreach(value, k, item)
		{
			if (rc == 0 && filter_holds(run, &filter, item))
				json_array_append(next, (json_t *)(uintptr_t)item);
		}
	}
	buf_deinit(&filter.right);
	return rc;
}

static int step_number(struct run *run, struct str_view *path, const json_t *values, json_t *next)
{
	size_t end = sv_find(*path, ']');
	struct str_view text = sv_trim(sv_head(*path, end)), digits = text;
	const json_t *value;
	uint64_t index;
	size_t i;

	if (end == SV_NOT_FOUND)
		return syntax(run, "unterminated array", *path);
	if (sv_starts(text, SV("-")))
		digits = sv_skip(text, 1);
	if (!sv_to_u64(digits, &index) || index > INT32_MAX)
		return syntax(run, "an index, '*', a 'name' or a filter is due", *path);
	*path = sv_skip(*path, end + 1);
	json_array_foreach(values, i, value)
	{
		step_index(value, digits.len < text.len ? -(int64_t)index : (int64_t)index, next);
	}
	return 0;
}

static int step_quoted(struct run *run, struct str_view *path, const json_t *values, json_t *next)
{
	struct buf name;
	const json_t *value;
	bool whole;
	size_t i;

	buf_init(&name, JSON_TEXT_MAX);
	whole = take_quoted(path, &name) && sv_starts(*path, SV("]"));
	json_array_foreach(values, i, value) step_name(value, buf_view(&name), next);
	buf_deinit(&name);
	if (!whole)
		return syntax(run, "unterminated ['name']", *path);
	*path = sv_skip(*path, 1);
	return 0;
}

/* Behind a "[". */
static int step_bracket(struct run *run, struct str_view *path, const json_t *values, json_t *next)
{
	const json_t *value;
	size_t i;

	if (sv_starts(*path, SV("?("))) {
		*path = sv_skip(*path, 2);
		return step_filter(run, path, values, next);
	}
	if (path->len > 0 && (path->data[0] == '\'' || path->data[0] == '"'))
		return step_quoted(run, path, values, next);
	if (!sv_starts(*path, SV("*]")))
		return step_number(run, path, values, next);
	*path = sv_skip(*path, 2);
	json_array_foreach(values, i, value) step_all(value, next);
	return 0;
}

/* Behind a "." */
static int step_dot(struct run *run, struct str_view *path, const json_t *values, json_t *next)
{
	struct buf name;
	const json_t *value;
	size_t i;

	if (path->len == 0 || path->data[0] == '[' || path->data[0] == '}') { /* "." alone */
		json_array_extend(next, (json_t *)(uintptr_t)values);
		return 0;
	}
	if (path->data[0] == '.')
		return syntax(run, "'..' is not supported", *path);
	buf_init(&name, JSON_TEXT_MAX);
	take_name(path, &name);
	json_array_foreach(values, i, value)
	{
		if (strcmp(buf_cstr(&name), "*") == 0)
			step_all(value, next);
		else
			step_name(value, buf_view(&name), next);
	}
	buf_deinit(&name);
	return 0;
}

/* Appends to found what the path leads to from value; *path goes on behind it. */
static int eval_path(struct run *run, struct str_view *path, const json_t *value, json_t *found)
{
	AUTO(auto_json) json_t *values = json_array();

	json_array_append(values, (json_t *)(uintptr_t)value);
	if (sv_starts(*path, SV("$")) || sv_starts(*path, SV("@")))
		*path = sv_skip(*path, 1);
	while (path->len > 0 && (path->data[0] == '.' || path->data[0] == '[')) {
		AUTO(auto_json) json_t *next = json_array();
		bool dot = path->data[0] == '.';

		*path = sv_skip(*path, 1);
		if ((dot ? step_dot : step_bracket)(run, path, values, next) < 0)
			return -1;
		run->visited += json_array_size(next) + 1;
		if (run->visited > JSONPATH_STEPS_MAX)
			return err_set(run->err, ERR_LIMIT, "the jsonpath visits over %d values",
				       JSONPATH_STEPS_MAX);
		json_decref(values);
		values = TAKE(next);
	}
	json_array_extend(found, values);
	return 0;
}

/* ---- templates ---- */

static int print_path(struct run *run, struct str_view path, const json_t *value)
{
	AUTO(auto_json) json_t *found = json_array();
	const json_t *item;
	size_t i;

	if (eval_path(run, &path, value, found) < 0)
		return -1;
	if (sv_trim(path).len > 0)
		return syntax(run, "unexpected text", path);
	json_array_foreach(found, i, item)
	{
		if (i > 0)
			buf_addc(run->out, ' ');
		add_value(run->out, item);
	}
	return 0;
}

/* What stands between { and }, and where the template goes on. Quotes may hold braces. */
static bool take_action(struct str_view *template, struct str_view *action)
{
	struct str_view rest = sv_skip(*template, 1);
	char quote = '\0';

	for (size_t i = 0; i < rest.len; i++) {
		char c = rest.data[i];

		if (quote != '\0' && c == '\\')
			i++;
		else if (quote != '\0' && c == quote)
			quote = '\0';
		else if (quote != '\0')
			continue;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '}') {
			*action = sv_trim(sv_head(rest, i));
			*template = sv_skip(rest, i + 1);
			return true;
		}
	}
	return false;
}

static bool is_range(struct str_view action)
{
	return sv_starts(action, SV("range "));
}

/* The text up to the {end} that belongs to a {range}; *template goes on behind it. */
static bool take_range(struct str_view *template, struct str_view *body)
{
	struct str_view whole = *template, rest = whole;
	unsigned open = 1;

	while (rest.len > 0) {
		struct str_view before = rest, action;

		if (rest.data[0] != '{') {
			rest = sv_skip(rest, 1);
			continue;
		}
		if (!take_action(&rest, &action))
			return false;
		open += is_range(action);
		if (sv_eq(action, SV("end")) && --open == 0) {
			*body = sv_head(whole, whole.len - before.len);
			*template = rest;
			return true;
		}
	}
	return false;
}

static int run_template(struct run *run, struct str_view template, const json_t *value);

static int run_range(struct run *run, struct str_view path, struct str_view body,
		     const json_t *value)
{
	AUTO(auto_json) json_t *found = json_array();
	const json_t *item;
	size_t i;
	int rc = 0;

	path = sv_trim(path);
	if (eval_path(run, &path, value, found) < 0)
		return -1;
	if (++run->depth > JSONPATH_DEPTH_MAX)
		return syntax(run, "ranges are nested too deep", body);
	json_array_foreach(found, i, item)
	{
		if (rc == 0)
			rc = run_template(run, body, item);
	}
	run->depth--;
	return rc;
}

static int run_quoted(struct run *run, struct str_view action)
{
	if (!take_quoted(&action, run->out))
		return syntax(run, "unterminated text", action);
	return sv_trim(action).len == 0 ? 0 : syntax(run, "unexpected text", action);
}

static int run_action(struct run *run, struct str_view *template, const json_t *value)
{
	struct str_view action, body, at = *template;

	if (!take_action(template, &action))
		return syntax(run, "unclosed action", at);
	if (is_range(action)) {
		if (!take_range(template, &body))
			return syntax(run, "{range} without {end}", at);
		return run_range(run, sv_skip(action, 6), body, value);
	}
	if (action.len > 0 && (action.data[0] == '"' || action.data[0] == '\''))
		return run_quoted(run, action);
	if (action.len > 0 && strchr(".[$@", action.data[0]) != NULL)
		return print_path(run, action, value);
	return syntax(run, "a path begins with '.'", at);
}

static int run_template(struct run *run, struct str_view template, const json_t *value)
{
	while (template.len > 0) {
		size_t text = sv_find(template, '{');

		buf_add(run->out, sv_head(template, text));
		template = text == SV_NOT_FOUND ? SV("") : sv_skip(template, text);
		if (template.len > 0 && run_action(run, &template, value) < 0)
			return -1;
	}
	return 0;
}

int jsonpath_text(struct str_view template, const json_t *value, struct buf *out, struct err *err)
{
	struct run run = {.out = out, .err = err};
	AUTO(auto_free) char *braced = NULL;

	/* kubectl lets the braces of a sole path away: -o jsonpath=.metadata.name */
	if (sv_find(template, '{') == SV_NOT_FOUND && sv_starts(template, SV("."))) {
		braced = xasprintf("{%.*s}", SV_ARG(template));
		template = sv_from(braced);
	}
	return run_template(&run, template, value);
}
