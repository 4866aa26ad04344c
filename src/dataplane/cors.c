#include "dataplane/cors.h"

#define ORIGIN        SV("origin")
#define ASKED_METHOD  SV("access-control-request-method")
#define ASKED_HEADERS SV("access-control-request-headers")

const struct cors *cors_of(const struct exchange *ex)
{
	if (ex->backend != NULL && ex->backend->cors.present)
		return &ex->backend->cors;
	return ex->rule != NULL && ex->rule->cors.present ? &ex->rule->cors : NULL;
}

bool cors_is_preflight(const struct http_request *request)
{
	return request->method_id == METHOD_OPTIONS &&
	       fields_find_id(&request->fields, FIELD_ORIGIN) != NULL &&
	       fields_find(&request->fields, ASKED_METHOD) != NULL;
}

/* ---- origins ---- */

static bool is_any(const struct str_view *list, size_t count)
{
	return count == 1 && sv_eq(list[0], SV("*"));
}

/* http means port 80 and https 443, whether an origin says so or not (RFC 6454, section 4). */
static struct str_view without_default_port(struct str_view origin)
{
	if (sv_eq_nocase(sv_head(origin, 7), SV("http://")) && sv_ends(origin, SV(":80")))
		return sv_head(origin, origin.len - 3);
	if (sv_eq_nocase(sv_head(origin, 8), SV("https://")) && sv_ends(origin, SV(":443")))
		return sv_head(origin, origin.len - 4);
	return origin;
}

/* "https://www.example.com", or with "*" in place of the leftmost labels, any number of them. */
static bool origin_matches(struct str_view pattern, struct str_view origin)
{
	size_t star = sv_find(pattern, '*');
	struct str_view tail, labels;

	if (star == SV_NOT_FOUND)
		return sv_eq_nocase(pattern, origin);
	tail = sv_skip(pattern, star + 1);
	if (origin.len <= star + tail.len)
		return false;
	labels = sv_head(sv_skip(origin, star), origin.len - star - tail.len);
	return sv_eq_nocase(sv_head(pattern, star), sv_head(origin, star)) &&
	       sv_eq_nocase(tail, sv_skip(origin, origin.len - tail.len)) &&
	       sv_find(labels, '/') == SV_NOT_FOUND &&
	       (tail.len == 0 || sv_find(labels, ':') == SV_NOT_FOUND);
}

static bool origin_allowed(const struct cors *cors, struct str_view origin)
{
	struct str_view given = without_default_port(origin);
	bool has_port = sv_find(sv_skip(given, sizeof("https:") - 1), ':') != SV_NOT_FOUND;

	for (size_t i = 0; i < cors->origin_count; i++) {
		struct str_view allowed = without_default_port(cors->origins[i]);
		bool only_default = allowed.len < cors->origins[i].len;

		if (sv_eq(allowed, SV("*")) ||
		    ((!has_port || !only_default) && origin_matches(allowed, given)))
			return true;
	}
	return false;
}

/* ---- fields ---- */

static struct str_view joined(struct exchange *ex, const struct str_view *list, size_t count)
{
	struct str_view text = SV("");

	for (size_t i = 0; i < count; i++)
		text = arena_printf(&ex->arena, "%.*s%s%.*s", SV_ARG(text), i == 0 ? "" : ", ",
				    SV_ARG(list[i]));
	return text;
}

/* The backend's word on this is not asked. Empty values are left out. */
static bool put(struct exchange *ex, struct str_view name, struct str_view value)
{
	return value.len == 0 || fields_set(&ex->response.fields, name, value);
}

/* Caches must know what else the response depends on. */
static bool put_vary(struct exchange *ex, struct str_view name)
{
	return fields_add(&ex->response.fields, SV("vary"), name);
}

/* "*" does not stand for all where credentials are concerned: then the response's own names do. */
static struct str_view exposed(struct exchange *ex, const struct cors *cors)
{
	const struct fields *fields = &ex->response.fields;
	struct str_view text = SV("");

	if (!is_any(cors->expose, cors->expose_count) || !cors->credentials)
		return joined(ex, cors->expose, cors->expose_count);
	for (size_t i = 0; i < fields->count; i++) {
		struct str_view name = fields->items[i].name;

		if (!sv_starts(name, SV("access-control-")) &&
		    fields->items[i].id != FIELD_SET_COOKIE)
			text = arena_printf(&ex->arena, "%.*s%s%.*s", SV_ARG(text),
					    text.len == 0 ? "" : ", ", SV_ARG(name));
	}
	return text;
}

/* What every response says; *allowed: is the origin? */
static bool put_origin(struct exchange *ex, const struct cors *cors, bool *allowed)
{
	struct str_view origin = fields_value(&ex->request.fields, FIELD_ORIGIN);
	bool all = is_any(cors->origins, cors->origin_count) && !cors->credentials;

	*allowed = fields_count_id(&ex->request.fields, FIELD_ORIGIN) == 1 &&
		   origin_allowed(cors, origin);
	if (!all && !put_vary(ex, SV("Origin")))
		return false;
	return !*allowed || (put(ex, SV("access-control-allow-origin"), all ? SV("*") : origin) &&
			     put(ex, SV("access-control-allow-credentials"),
				 cors->credentials ? SV("true") : SV("")) &&
			     put(ex, SV("access-control-expose-headers"), exposed(ex, cors)));
}

bool cors_response(struct exchange *ex, const struct cors *cors)
{
	bool allowed;

	return put_origin(ex, cors, &allowed) && !ex->arena.spent;
}

/* What "*" stands for is what was asked for: that is right with credentials and without. */
static struct str_view granted(struct exchange *ex, const struct str_view *list, size_t count,
			       struct str_view asked)
{
	if (is_any(list, count))
		return fields_joined(&ex->request.fields, asked);
	return joined(ex, list, count);
}

bool cors_preflight(struct exchange *ex, const struct cors *cors)
{
	bool allowed;
	struct str_view age = arena_printf(&ex->arena, "%u", cors->max_age);

	if (!put_origin(ex, cors, &allowed))
		return false;
	if (allowed && (!put(ex, SV("access-control-allow-methods"),
			     granted(ex, cors->methods, cors->method_count, ASKED_METHOD)) ||
			!put(ex, SV("access-control-allow-headers"),
			     granted(ex, cors->headers, cors->header_count, ASKED_HEADERS)) ||
			!put(ex, SV("access-control-max-age"), cors->max_age == 0 ? SV("") : age)))
		return false;
	if (is_any(cors->methods, cors->method_count) && !put_vary(ex, ASKED_METHOD))
		return false;
	return (!is_any(cors->headers, cors->header_count) || put_vary(ex, ASKED_HEADERS)) &&
	       !ex->arena.spent;
}
