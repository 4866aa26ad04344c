/* cli/kinds.c - which kinds there are, as the server's discovery tells */
#include "cli/kinds.h"

#include "base/enc.h"
#include "base/nearest.h"
#include "base/own.h"

#include <stdlib.h>

#define ESCAPED_MAX 65536

void kinds_init(struct kinds *kinds)
{
	*kinds = (struct kinds){.documents = json_array()};
}

void kinds_deinit(struct kinds *kinds)
{
	free(kinds->list);
	json_decref(kinds->documents);
	*kinds = (struct kinds){0};
}

/* ---- learning ---- */

static bool is_known(const struct kinds *kinds, struct str_view group, const char *plural)
{
	for (size_t i = 0; i < kinds->count; i++) {
		if (sv_eq(kinds->list[i].group, group) &&
		    strcmp(kinds->list[i].plural, plural) == 0)
			return true;
	}
	return false;
}

static bool has_subresource(const json_t *resources, const char *plural, const char *sub)
{
	AUTO(auto_free) char *name = xasprintf("%s/%s", plural, sub);
	const json_t *resource;
	size_t i;

	json_array_foreach(resources, i, resource)
	{
		if (sv_eq(json_sv_at(resource, "name"), sv_from(name)))
			return true;
	}
	return false;
}

static void add_kind(struct kinds *kinds, struct str_view group_version, const json_t *resource,
		     const json_t *resources)
{
	struct str_view version = group_version, group = sv_split(&version, '/');
	const char *plural = json_str_at(resource, "name"), *kind = json_str_at(resource, "kind");
	const char *singular = json_str_at(resource, "singularName");

	if (plural == NULL || kind == NULL || strchr(plural, '/') != NULL ||
	    kinds->count == KINDS_MAX)
		return;
	if (version.data == NULL) {
		version = group;
		group = SV("");
	}
	kinds->list = xrealloc(kinds->list, (kinds->count + 1) * sizeof(*kinds->list));
	kinds->list[kinds->count] = (struct kind_info){
		.group = group,
		.version = version,
		.kind = kind,
		.plural = plural,
		.singular = singular == NULL ? "" : singular,
		.short_names = json_member(resource, "shortNames"),
		.categories = json_member(resource, "categories"),
		.namespaced = json_bool_at(resource, "namespaced", false),
		.has_status = has_subresource(resources, plural, "status"),
		.preferred = !is_known(kinds, group, plural),
	};
	kinds->count++;
}

void kinds_add(struct kinds *kinds, json_t *list)
{
	const json_t *resources = json_member(list, "resources");
	const json_t *resource;
	size_t i;

	json_array_append(kinds->documents, list);
	json_array_foreach(resources, i, resource)
	{
		add_kind(kinds, json_sv_at(list, "groupVersion"), resource, resources);
	}
}

/* ---- asking ---- */

static bool has_text(const json_t *texts, struct str_view text)
{
	const json_t *item;
	size_t i;

	json_array_foreach(texts, i, item)
	{
		if (sv_eq_nocase(sv_from(json_string_value(item)), text))
			return true;
	}
	return false;
}

static bool is_called(const struct kind_info *kind, struct str_view name)
{
	return sv_eq_nocase(name, sv_from(kind->plural)) ||
	       sv_eq_nocase(name, sv_from(kind->kind)) ||
	       (kind->singular[0] != '\0' && sv_eq_nocase(name, sv_from(kind->singular))) ||
	       has_text(kind->short_names, name);
}

/* suffix: "GROUP" or "VERSION.GROUP" or "VERSION"; data NULL: any preferred version. */
static bool suffix_fits(const struct kind_info *kind, struct str_view suffix)
{
	struct str_view rest = suffix, version;

	if (suffix.data == NULL)
		return kind->preferred;
	if (sv_eq_nocase(suffix, kind->group))
		return kind->preferred;
	version = sv_split(&rest, '.');
	return sv_eq_nocase(version, kind->version) &&
	       sv_eq_nocase(rest.data == NULL ? SV("") : rest, kind->group);
}

const struct kind_info *kinds_by_word(const struct kinds *kinds, struct str_view word)
{
	struct str_view suffix = word, name = sv_split(&suffix, '.');

	for (size_t i = 0; i < kinds->count; i++) {
		if (is_called(&kinds->list[i], name) && suffix_fits(&kinds->list[i], suffix))
			return &kinds->list[i];
	}
	return NULL;
}

const struct kind_info *kinds_by_gvk(const struct kinds *kinds, struct str_view api_version,
				     struct str_view kind)
{
	struct str_view version = api_version, group = sv_split(&version, '/');

	if (version.data == NULL) {
		version = group;
		group = SV("");
	}
	for (size_t i = 0; i < kinds->count; i++) {
		const struct kind_info *info = &kinds->list[i];

		if (sv_eq(info->group, group) && sv_eq(info->version, version) &&
		    sv_eq(sv_from(info->kind), kind))
			return info;
	}
	return NULL;
}

const char *kinds_meant(const struct kinds *kinds, struct str_view word)
{
	struct nearest nearest;

	nearest_init(&nearest, word);
	for (size_t i = 0; i < kinds->count; i++) {
		nearest_offer(&nearest, kinds->list[i].plural);
		nearest_offer(&nearest, kinds->list[i].singular);
	}
	return nearest.best;
}

const struct kind_info *kinds_by_name(const struct kinds *kinds, struct str_view kind)
{
	struct nearest nearest;
	const struct kind_info *found = NULL;

	nearest_init(&nearest, kind);
	for (size_t i = 0; i < kinds->count; i++) {
		const struct kind_info *row = &kinds->list[i];
		const char *best = nearest.best;

		if (!row->preferred)
			continue;
		nearest_offer(&nearest, row->kind);
		if (nearest.best != best)
			found = row;
	}
	return found;
}

bool kind_in_category(const struct kind_info *kind, struct str_view category)
{
	return kind->preferred && has_text(kind->categories, category);
}

/* ---- texts ---- */

void kind_label(const struct kind_info *kind, struct buf *out)
{
	for (const char *c = kind->kind; *c != '\0'; c++)
		buf_addc(out, ascii_lower(*c));
	if (kind->group.len > 0)
		buf_addf(out, ".%.*s", SV_ARG(kind->group));
}

void kind_api_version(const struct kind_info *kind, struct buf *out)
{
	if (kind->group.len > 0)
		buf_addf(out, "%.*s/", SV_ARG(kind->group));
	buf_add(out, kind->version);
}

static void add_segment(struct buf *path, struct str_view text)
{
	buf_addc(path, '/');
	enc_percent(path, text);
}

char *kind_path(const struct kind_info *kind, const char *ns, const char *name, const char *sub)
{
	struct buf path;

	buf_init(&path, ESCAPED_MAX);
	buf_addf(&path, kind->group.len == 0 ? "/api" : "/apis");
	if (kind->group.len > 0)
		add_segment(&path, kind->group);
	add_segment(&path, kind->version);
	if (kind->namespaced && ns != NULL) {
		buf_addf(&path, "/namespaces");
		add_segment(&path, sv_from(ns));
	}
	add_segment(&path, sv_from(kind->plural));
	if (name != NULL)
		add_segment(&path, sv_from(name));
	if (sub != NULL)
		add_segment(&path, sv_from(sub));
	return buf_detach(&path);
}

void path_add(char **path, const char *key, const char *value)
{
	struct buf longer;

	if (value == NULL || value[0] == '\0')
		return;
	buf_init(&longer, ESCAPED_MAX);
	buf_addf(&longer, "%s%c%s=", *path, strchr(*path, '?') == NULL ? '?' : '&', key);
	enc_percent(&longer, sv_from(value));
	free(*path);
	*path = buf_detach(&longer);
}
