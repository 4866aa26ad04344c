#include "acme/link.h"

/* Cuts the next ";"- or ","-separated part off *rest; separators inside quotes do not count. */
static struct str_view part_next(struct str_view *rest, char *separator)
{
	struct str_view text = *rest;
	bool quoted = false;
	size_t i = 0;

	for (; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\\' && quoted)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if ((c == ';' || c == ',') && !quoted)
			break;
	}
	i = i < text.len ? i : text.len;
	*separator = '\0';
	if (i < text.len)
		*separator = text.data[i];
	*rest = sv_skip(text, i + 1);
	return sv_trim(sv_head(text, i));
}

/* rel="a b": a list of relation types, compared without case. */
static bool param_has_rel(struct str_view param, struct str_view rel)
{
	size_t equals = sv_find(param, '=');

	if (equals == SV_NOT_FOUND || !sv_eq_nocase(sv_trim(sv_head(param, equals)), SV("rel")))
		return false;

	struct str_view value = sv_trim(sv_skip(param, equals + 1));

	if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
		value = sv_new(value.data + 1, value.len - 2);
	while (value.data != NULL) {
		if (sv_eq_nocase(sv_trim(sv_split(&value, ' ')), rel))
			return true;
	}
	return false;
}

bool link_next(struct str_view *rest, struct str_view rel, struct str_view *target)
{
	while (rest->len > 0) {
		size_t open = sv_find(*rest, '<');
		struct str_view inside = open == SV_NOT_FOUND ? SV_NONE : sv_skip(*rest, open + 1);
		size_t close = sv_find(inside, '>');
		char separator = ';';
		bool found = false;

		if (open == SV_NOT_FOUND || close == SV_NOT_FOUND)
			break;
		*target = sv_head(inside, close);
		*rest = sv_skip(inside, close + 1);
		while (rest->len > 0 && separator == ';')
			found = param_has_rel(part_next(rest, &separator), rel) || found;
		if (found)
			return true;
	}
	*rest = SV_NONE;
	return false;
}
