/* http/h1_line.c - "name: value" (RFC 9112, section 5) */
#include "http/h1_line.h"

#include "http/chars.h"

static bool split_line(struct str_view line, struct str_view *name, struct str_view *value,
		       struct http_bad *bad)
{
	size_t i = 0;

	while (i < line.len && char_is(line.data[i], CHAR_TOKEN))
		i++;
	if (i == 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
		return http_refuse(bad, 400, "folded field line");
	if (i == line.len)
		return http_refuse(bad, 400, "field line without a colon");
	if (i == 0 || line.data[i] != ':')
		return http_refuse(bad, 400, "illegal field name");
	*name = sv_head(line, i);
	*value = sv_trim(sv_skip(line, i + 1));
	if (!field_value_ok(*value))
		return http_refuse(bad, 400, "illegal character in a field value");
	return true;
}

static bool add_copy(struct fields *fields, struct str_view name, struct str_view value,
		     struct http_bad *bad)
{
	enum field_id id = field_id_parse(name);

	value = arena_dup(fields->arena, value);
	if (id == FIELD_OTHER)
		name = arena_dup(fields->arena, name);
	if (value.data != NULL && name.data != NULL && fields_add(fields, name, value))
		return true;
	return http_refuse(bad, 431, "too many fields");
}

bool h1_line_add(struct str_view line, struct fields *fields, struct http_bad *bad)
{
	struct str_view name, value;

	return split_line(line, &name, &value, bad) && add_copy(fields, name, value, bad);
}

bool h1_line_add_trailer(struct str_view line, struct fields *fields, struct http_bad *bad)
{
	struct str_view name, value;

	if (!split_line(line, &name, &value, bad))
		return false;
	if (!field_trailer_ok(field_id_parse(name)))
		return true;
	return add_copy(fields, name, value, bad);
}
