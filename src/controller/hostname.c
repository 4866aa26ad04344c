#include "controller/hostname.h"

bool hostname_covers(struct str_view pattern, struct str_view name)
{
	if (pattern.len == 0 || sv_eq(pattern, name))
		return true;
	if (!sv_starts(pattern, SV("*.")))
		return false;
	return name.len > pattern.len - 1 && sv_ends(name, sv_skip(pattern, 1));
}

bool hostname_intersect(struct str_view listener, struct str_view route, struct str_view *both)
{
	if (hostname_covers(listener, route))
		*both = route;
	else if (hostname_covers(route, listener))
		*both = listener;
	else
		return false;
	return true;
}

bool hostname_widen(struct str_view *host, char text[HOSTNAME_TEXT])
{
	struct str_view name = *host;
	size_t dot;

	if (name.len == 0)
		return false;
	if (sv_starts(name, SV("*.")))
		name = sv_skip(name, 2);
	dot = sv_find(name, '.');
	if (dot == SV_NOT_FOUND || name.len - dot + 1 > HOSTNAME_TEXT) {
		*host = SV("");
		return true;
	}
	name = sv_skip(name, dot);
	memmove(text + 1, name.data, name.len);
	text[0] = '*';
	*host = sv_new(text, name.len + 1);
	return true;
}
