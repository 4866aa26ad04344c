#include "controller/clash.h"

#include "controller/hostname.h"

#include <stdio.h>

#define KEY_MAX (32 + 256)

struct name { /* a hostname of a listener: "" any, "*.example.com", "a.example.com" */
	const struct gw_listener *listener;
	struct str_view host;
};

static struct str_view key_of(const struct name *name, char text[KEY_MAX])
{
	int len = snprintf(text, KEY_MAX, "%p %.*s", (const void *)name->listener,
			   SV_ARG(sv_head(name->host, 255)));

	return sv_new(text, (size_t)len);
}

/* Values: own kinds in the low half, kinds of names below in the high half. */
#define BELOW_SHIFT 8

static unsigned claims_get(const struct clash *clash, const struct name *name)
{
	char text[KEY_MAX];

	return (unsigned)(uintptr_t)map_get(&clash->claims, key_of(name, text));
}

static void claims_add(struct clash *clash, const struct name *name, unsigned bits)
{
	char text[KEY_MAX];
	uintptr_t all = claims_get(clash, name) | bits;

	(void)map_put(&clash->claims, key_of(name, text), (void *)all);
}

static bool taken(const struct clash *clash, struct name name, unsigned others)
{
	unsigned here = claims_get(clash, &name);
	char text[HOSTNAME_TEXT];

	if (((here | here >> BELOW_SHIFT) & others) != 0)
		return true;
	while (hostname_widen(&name.host, text)) {
		if ((claims_get(clash, &name) & others) != 0)
			return true;
	}
	return false;
}

static void claim(struct clash *clash, struct name name, unsigned kind)
{
	char text[HOSTNAME_TEXT];

	claims_add(clash, &name, kind);
	while (hostname_widen(&name.host, text))
		claims_add(clash, &name, kind << BELOW_SHIFT);
}

static struct name name_of(const struct attachment *attachment, const struct object *route)
{
	return (struct name){.listener = attachment->listener,
			     .host = attachment_host(attachment, route)};
}

static bool loses(const struct clash *clash, const struct object *route,
		  const struct attached *attached, const struct gw_listener *listener)
{
	unsigned others = CLASHING & ~ROUTE_BIT(route_kind_of(route));

	for (size_t i = 0; i < attached->count; i++) {
		const struct attachment *attachment = &attached->list[i];

		if (attachment->listener == listener &&
		    taken(clash, name_of(attachment, route), others))
			return true;
	}
	return false;
}

/* A parent that has lost all its listeners is lost. */
static bool judge_parent(struct attached *attached, size_t index)
{
	struct parent *parent = &attached->parents[index];
	bool before = parent->lost;
	size_t kept = 0, all = 0;

	for (size_t i = 0; i < attached->count; i++) {
		if (attached->list[i].parent != index)
			continue;
		all++;
		kept += !attached->list[i].lost;
	}
	parent->lost = all > 0 && kept == 0;
	return parent->lost != before;
}

bool clash_show(struct clash *clash, const struct object *route, struct attached *attached)
{
	bool changed = false;

	if ((CLASHING & ROUTE_BIT(route_kind_of(route))) == 0)
		return false;
	for (size_t i = 0; i < attached->count; i++) {
		struct attachment *attachment = &attached->list[i];

		attachment->lost = loses(clash, route, attached, attachment->listener);
		if (attachment->lost)
			attachment->served = NULL;
	}
	for (size_t i = 0; i < attached->count; i++) {
		if (!attached->list[i].lost)
			claim(clash, name_of(&attached->list[i], route),
			      ROUTE_BIT(route_kind_of(route)));
	}
	for (size_t i = 0; i < attached->parent_count; i++)
		changed |= judge_parent(attached, i);
	return changed;
}

void clash_deinit(struct clash *clash)
{
	map_deinit(&clash->claims, NULL);
}
