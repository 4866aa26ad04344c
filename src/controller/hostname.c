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
