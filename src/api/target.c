/* api/target.c - what a request's target says */
#include "api/target.h"

#include "base/enc.h"

#include <string.h>

/* The decoded part, NUL-terminated, or NULL. text has been given its whole room at once: it does
 * not move. */
static const char *decode(struct target *target, struct str_view part, char space)
{
	size_t start = target->text.end;

	while (part.data != NULL) {
		struct str_view piece = space == '\0' ? part : sv_split(&part, space);

		if (!dec_percent(&target->text, piece))
			return NULL;
		if (space == '\0')
			break;
		if (part.data != NULL)
			buf_addc(&target->text, ' ');
	}
	buf_addc(&target->text, '\0');
	return target->text.data + start;
}

static int parse_path(struct target *target, struct str_view path, struct err *err)
{
	while (path.data != NULL) {
		struct str_view part = sv_split(&path, '/');
		const char *segment;

		if (part.len == 0)
			continue;
		if (target->segment_count == TARGET_SEGMENTS_MAX)
			return err_set(err, ERR_NOT_FOUND,
				       "the server could not find the requested resource");
		segment = decode(target, part, '\0');
		if (segment == NULL)
			return err_set(err, ERR_INVALID, "the path holds a broken escape");
		target->segments[target->segment_count++] = segment;
	}
	return 0;
}

static int parse_query(struct target *target, struct str_view query, struct err *err)
{
	while (query.data != NULL) {
		struct str_view value = sv_split(&query, '&'), name;
		struct target_param *param = &target->params[target->param_count];

		if (value.len == 0)
			continue;
		name = sv_split(&value, '=');
		if (target->param_count == TARGET_PARAMS_MAX)
			return err_set(err, ERR_LIMIT, "more than %d query parameters",
				       TARGET_PARAMS_MAX);
		param->name = decode(target, name, '+');
		param->value = value.data == NULL ? "" : decode(target, value, '+');
		if (param->name == NULL || param->value == NULL)
			return err_set(err, ERR_INVALID, "the query holds a broken escape");
		target->param_count++;
	}
	return 0;
}

int target_parse(struct target *target, struct str_view text, struct err *err)
{
	size_t parts = TARGET_SEGMENTS_MAX + 2 * (size_t)TARGET_PARAMS_MAX;
	size_t room = 2 * text.len + parts; /* each part has its NUL */
	struct str_view path, query = text;

	memset(target, 0, sizeof(*target));
	buf_init(&target->text, room);
	if (buf_room(&target->text, room) == NULL)
		return err_set(err, ERR_LIMIT, "no memory for a target of %zu bytes", text.len);
	path = sv_split(&query, '?');
	if (path.len == 0 || path.data[0] != '/')
		return err_set(err, ERR_INVALID, "the path does not begin with '/'");
	buf_add(&target->text, path);
	target->path = buf_view(&target->text);
	if (parse_path(target, path, err) < 0)
		return -1;
	return parse_query(target, query, err);
}

void target_deinit(struct target *target)
{
	buf_deinit(&target->text);
}

const char *target_param(const struct target *target, const char *name)
{
	for (size_t i = target->param_count; i > 0; i--) {
		if (strcmp(target->params[i - 1].name, name) == 0)
			return target->params[i - 1].value;
	}
	return NULL;
}

bool target_flag(const struct target *target, const char *name)
{
	const char *value = target_param(target, name);

	return value != NULL &&
	       (sv_eq_nocase(sv_from(value), SV("true")) || strcmp(value, "1") == 0);
}
