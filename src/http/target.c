/* http/target.c - request targets and authorities */
#include "http/target.h"

#include "http/chars.h"
#include "http/path.h"

#include <arpa/inet.h>

static bool lower_copy(struct str_view text, struct arena *arena, struct str_view *out)
{
	char *copy = arena_alloc(arena, text.len);

	if (copy == NULL)
		return false;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = char_lower(text.data[i]);
	*out = sv_new(copy, text.len);
	return true;
}

/* Letters, digits, - . _ ~, no empty label. */
static bool name_ok(struct str_view host)
{
	char before = '.';

	for (size_t i = 0; i < host.len; i++) {
		if (!char_is(host.data[i], CHAR_HOST) || (host.data[i] == '.' && before == '.'))
			return false;
		before = host.data[i];
	}
	return before != '.';
}

static bool ipv6_ok(struct str_view brackets)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	struct str_view inner = sv_head(sv_skip(brackets, 1), brackets.len - 2);

	if (brackets.len < 4 || brackets.data[brackets.len - 1] != ']' || inner.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < inner.len; i++) {
		if (inner.data[i] == '\0')
			return false;
		text[i] = inner.data[i];
	}
	text[inner.len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool port_ok(struct str_view text, uint16_t *port)
{
	uint64_t value;

	*port = 0;
	if (text.len == 0) /* "host:" is "host" (RFC 3986, section 6.2.3) */
		return true;
	if (text.len > 5 || !sv_to_u64(text, &value) || value < 1 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

bool http_authority_parse(struct str_view text, struct arena *arena, struct http_authority *out)
{
	size_t colon = sv_rfind(text, ':'), bracket = sv_rfind(text, ']');
	struct str_view host = text;

	*out = (struct http_authority){.host = SV("")};
	if (colon != SV_NOT_FOUND && (bracket == SV_NOT_FOUND || colon > bracket)) {
		host = sv_head(text, colon);
		if (!port_ok(sv_skip(text, colon + 1), &out->port))
			return false;
	}
	if (host.len > 1 && host.data[0] != '[' && host.data[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len > HTTP_HOST_MAX)
		return false;
	if (host.data[0] == '[' ? !ipv6_ok(host) : !name_ok(host))
		return false;
	return lower_copy(host, arena, &out->host);
}

static unsigned effective_port(const struct http_authority *authority, struct str_view scheme)
{
	if (authority->port != 0)
		return authority->port;
	if (sv_eq(scheme, SV("https")))
		return 443;
	return sv_eq(scheme, SV("http")) ? 80 : 0;
}

bool http_authority_same(const struct http_authority *a, const struct http_authority *b,
			 struct str_view scheme)
{
	return sv_eq(a->host, b->host) && effective_port(a, scheme) == effective_port(b, scheme);
}

/* tail: path, and behind a '?' the query. The rest of target is left alone. */
static bool parse_tail(struct str_view tail, struct arena *arena, struct http_target *target,
		       struct http_bad *bad)
{
	size_t mark = sv_find(tail, '?');
	struct str_view path = sv_head(tail, mark), query = sv_skip(tail, mark + 1);

	if (!path_normalise(path.len == 0 ? SV("/") : path, arena, target, bad))
		return false;
	if (mark == SV_NOT_FOUND)
		return true;
	if (!query_ok(query, bad))
		return false;
	target->has_query = true;
	target->query = arena_dup(arena, query);
	return !arena->spent || http_refuse(bad, 431, "request too large");
}

bool http_path_parse(struct str_view text, enum http_method method, struct arena *arena,
		     struct http_target *target, struct http_bad *bad)
{
	*target = (struct http_target){.form = TARGET_ORIGIN, .path_eager = SV_NONE};
	if (text.len > 0 && text.data[0] == '/')
		return parse_tail(text, arena, target, bad);
	if (!sv_eq(text, SV("*")))
		return http_refuse(bad, 400, "illegal request target");
	if (method != METHOD_OPTIONS)
		return http_refuse(bad, 400, "target * without OPTIONS");
	target->form = TARGET_ASTERISK;
	target->path = SV("*");
	return true;
}

/* "host", "host/path?query" or "host?query": the part behind the scheme. */
static bool parse_behind_scheme(struct str_view text, enum http_method method, struct arena *arena,
				struct http_target *target, struct http_bad *bad)
{
	size_t end = 0;

	while (end < text.len && text.data[end] != '/' && text.data[end] != '?')
		end++;
	target->form = TARGET_ABSOLUTE;
	if (!http_authority_parse(sv_head(text, end), arena, &target->authority))
		return http_refuse(bad, 400, "illegal host in the request target");
	if (end < text.len || method != METHOD_OPTIONS)
		return parse_tail(sv_skip(text, end), arena, target, bad);
	target->form = TARGET_ASTERISK; /* RFC 9112, section 3.2.4 */
	target->path = SV("*");
	return true;
}

static bool parse_absolute(struct str_view text, enum http_method method, struct arena *arena,
			   struct http_target *target, struct http_bad *bad)
{
	static const struct str_view schemes[] = {SV_INIT("http"), SV_INIT("https")};
	size_t colon = sv_find(text, ':');
	struct str_view behind = sv_skip(text, colon);

	if (colon == SV_NOT_FOUND || !sv_starts(behind, SV("://")))
		return http_refuse(bad, 400, "illegal request target");
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (sv_eq_nocase(sv_head(text, colon), schemes[i])) {
			target->scheme = schemes[i];
			return parse_behind_scheme(sv_skip(behind, 3), method, arena, target, bad);
		}
	}
	return http_refuse(bad, 400, "unknown scheme in the request target");
}

bool http_target_parse(struct str_view text, enum http_method method, struct arena *arena,
		       struct http_target *target, struct http_bad *bad)
{
	*target = (struct http_target){.form = TARGET_AUTHORITY, .path_eager = SV_NONE};
	if (method == METHOD_CONNECT) {
		if (http_authority_parse(text, arena, &target->authority) &&
		    target->authority.port != 0)
			return true;
		return http_refuse(bad, 400, "CONNECT without host and port");
	}
	if (text.len > 0 && text.data[0] != '/' && !sv_eq(text, SV("*")))
		return parse_absolute(text, method, arena, target, bad);
	return http_path_parse(text, method, arena, target, bad);
}
