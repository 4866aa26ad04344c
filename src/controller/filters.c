#include "controller/filters.h"

#include "base/own.h"

/* ---- header modifiers ---- */

/* The first pair of a name counts, others of the same name do not (Gateway API). */
static bool has_pair(const struct header_pair *pairs, size_t count, struct str_view name)
{
	for (size_t i = 0; i < count; i++) {
		if (sv_eq_nocase(pairs[i].name, name))
			return true;
	}
	return false;
}

static const struct header_pair *read_pairs(const json_t *list, struct arena *arena, size_t *count)
{
	struct header_pair *pairs =
		arena_zalloc(arena, (json_array_size(list) + 1) * sizeof(*pairs));
	json_t *entry;
	size_t i;

	*count = 0;
	json_array_foreach(list, i, entry)
	{
		struct str_view name = json_sv_at(entry, "name");

		if (pairs != NULL && !has_pair(pairs, *count, name))
			pairs[(*count)++] = (struct header_pair){
				.name = name, .value = json_sv_at(entry, "value")};
	}
	return pairs;
}

static void read_mods(const json_t *own, struct arena *arena, struct header_mods *mods)
{
	const json_t *remove = json_member(own, "remove");
	struct str_view *names =
		arena_zalloc(arena, (json_array_size(remove) + 1) * sizeof(*names));
	json_t *name;
	size_t i;

	mods->set = read_pairs(json_member(own, "set"), arena, &mods->set_count);
	mods->add = read_pairs(json_member(own, "add"), arena, &mods->add_count);
	json_array_foreach(remove, i, name)
	{
		if (names != NULL)
			names[mods->remove_count++] =
				sv_new(json_string_value(name), json_string_length(name));
	}
	mods->remove = names;
}

static void read_request_mods(const json_t *own, struct arena *arena, struct filters *out)
{
	read_mods(own, arena, &out->request_headers);
}

static void read_response_mods(const json_t *own, struct arena *arena, struct filters *out)
{
	read_mods(own, arena, &out->response_headers);
}

/* ---- redirect and rewrite ---- */

static enum path_change read_path(const json_t *path, struct str_view *text)
{
	if (path == NULL)
		return PATH_KEEP;
	if (sv_eq(json_sv_at(path, "type"), SV("ReplaceFullPath"))) {
		*text = json_sv_at(path, "replaceFullPath");
		return PATH_REPLACE_FULL;
	}
	*text = json_sv_at(path, "replacePrefixMatch");
	return PATH_REPLACE_PREFIX;
}

static void read_redirect(const json_t *own, struct arena *arena, struct filters *out)
{
	struct redirect *redirect = &out->redirect;

	(void)arena;
	redirect->present = true;
	redirect->scheme = json_sv_at(own, "scheme");
	redirect->hostname = json_sv_at(own, "hostname");
	redirect->port = (uint16_t)json_int_at(own, "port", 0);
	redirect->status = (uint16_t)json_int_at(own, "statusCode", 302);
	redirect->path_change = read_path(json_member(own, "path"), &redirect->path);
}

static void read_rewrite(const json_t *own, struct arena *arena, struct filters *out)
{
	(void)arena;
	out->rewrite.present = true;
	out->rewrite.hostname = json_sv_at(own, "hostname");
	out->rewrite.path_change = read_path(json_member(own, "path"), &out->rewrite.path);
}

/* ---- mirrors and CORS ---- */

static void read_mirror(const json_t *own, struct arena *arena, struct filters *out)
{
	const json_t *fraction = json_member(own, "fraction");
	struct mirror_ask *mirror = &out->mirrors[out->mirror_count];

	(void)arena;
	if (out->mirror_count == FILTERS_MAX)
		return; /* the schema lets no more in */
	out->mirror_count++;
	mirror->ref = json_member(own, "backendRef");
	mirror->filter = out->at;
	mirror->numerator = (uint32_t)json_int_at(own, "percent", 100);
	mirror->denominator = 100;
	if (fraction == NULL)
		return;
	mirror->numerator = (uint32_t)json_int_at(fraction, "numerator", 0);
	mirror->denominator = (uint32_t)json_int_at(fraction, "denominator", 100);
}

static const struct str_view *read_texts(const json_t *list, struct arena *arena, size_t *count)
{
	struct str_view *texts = arena_zalloc(arena, (json_array_size(list) + 1) * sizeof(*texts));
	json_t *text;
	size_t i;

	*count = 0;
	json_array_foreach(list, i, text)
	{
		if (texts != NULL)
			texts[(*count)++] =
				sv_new(json_string_value(text), json_string_length(text));
	}
	return texts;
}

static void read_cors(const json_t *own, struct arena *arena, struct filters *out)
{
	struct cors *cors = &out->cors;

	cors->present = true;
	cors->credentials = json_bool_at(own, "allowCredentials", false);
	cors->origins = read_texts(json_member(own, "allowOrigins"), arena, &cors->origin_count);
	cors->methods = read_texts(json_member(own, "allowMethods"), arena, &cors->method_count);
	cors->headers = read_texts(json_member(own, "allowHeaders"), arena, &cors->header_count);
	cors->expose = read_texts(json_member(own, "exposeHeaders"), arena, &cors->expose_count);
	cors->max_age = (uint32_t)json_int_at(own, "maxAge", 5);
}

/* ---- all ---- */

static const struct row {
	const char *type, *member;
	void (*read)(const json_t *own, struct arena *arena, struct filters *out);
} rows[] = {
	{"RequestHeaderModifier", "requestHeaderModifier", read_request_mods},
	{"ResponseHeaderModifier", "responseHeaderModifier", read_response_mods},
	{"RequestRedirect", "requestRedirect", read_redirect},
	{"URLRewrite", "urlRewrite", read_rewrite},
	{"RequestMirror", "requestMirror", read_mirror},
	{"CORS", "cors", read_cors},
};

static const struct row *row_of(const char *type)
{
	for (size_t i = 0; type != NULL && i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].type, type) == 0)
			return &rows[i];
	}
	return NULL;
}

int filters_read(const json_t *list, struct arena *arena, struct filters *out, const char **reason,
		 struct err *err)
{
	json_t *filter;
	size_t i;

	json_array_foreach(list, i, filter)
	{
		const char *type = json_str_at(filter, "type");
		const struct row *row = row_of(type);

		if (row == NULL) {
			*reason = "UnsupportedValue";
			return err_set(err, ERR_UNSUPPORTED, "filter %s is not supported",
				       type == NULL ? "without type" : type);
		}
		out->at = i;
		row->read(json_member(filter, row->member), arena, out);
	}
	if (out->redirect.present && out->rewrite.present) {
		*reason = "IncompatibleFilters";
		return err_set(err, ERR_INVALID,
			       "RequestRedirect and URLRewrite cannot be in one rule");
	}
	if (arena->spent) {
		*reason = "UnsupportedValue";
		return err_set(err, ERR_LIMIT, "the filters are too large");
	}
	return 0;
}
