#include "dataplane/filter.h"

#include "dataplane/clientip.h"
#include "dataplane/conn.h"

#include <stdio.h>

bool filter_headers(struct fields *fields, const struct header_mods *mods)
{
	bool fits = true;

	for (size_t i = 0; i < mods->set_count; i++)
		fits = fits && fields_set(fields, mods->set[i].name, mods->set[i].value);
	for (size_t i = 0; i < mods->add_count; i++)
		fits = fits && fields_add(fields, mods->add[i].name, mods->add[i].value);
	for (size_t i = 0; i < mods->remove_count; i++)
		(void)fields_remove(fields, mods->remove[i]);
	return fits;
}

static struct str_view scheme_of(const struct exchange *ex)
{
	return ex->conn->tls != NULL ? SV("https") : SV("http");
}

static uint16_t default_port(struct str_view scheme)
{
	return sv_eq(scheme, SV("https")) ? 443 : 80;
}

static struct str_view authority_text(struct exchange *ex)
{
	const struct http_authority *authority = &ex->request.authority;

	if (authority->port == 0)
		return authority->host;
	return arena_printf(&ex->arena, "%.*s:%u", SV_ARG(authority->host), authority->port);
}

/* What a proxy before us says of the request that it got, when that is believed. */
static struct str_view proto_of(const struct exchange *ex)
{
	const struct fields *fields = &ex->request.fields;
	struct str_view told;

	if (!ex->trusted || fields_count_id(fields, FIELD_X_FORWARDED_PROTO) != 1)
		return scheme_of(ex);
	told = fields_value(fields, FIELD_X_FORWARDED_PROTO);
	return sv_eq(told, SV("http")) || sv_eq(told, SV("https")) ? told : scheme_of(ex);
}

static struct str_view host_of(struct exchange *ex)
{
	const struct fields *fields = &ex->request.fields;
	struct str_view told;
	struct http_authority authority;

	if (!ex->trusted || fields_count_id(fields, FIELD_X_FORWARDED_HOST) != 1)
		return authority_text(ex);
	told = fields_value(fields, FIELD_X_FORWARDED_HOST);
	return http_authority_parse(told, &ex->arena, &authority) ? told : authority_text(ex);
}

/* A chain of gateways like this one is fine, but not an endless one. Only requests with a Via are
 * looked at. */
static bool comes_again(struct str_view via)
{
	struct str_view rest = via, hop;
	unsigned count = 0;

	while (list_next(&rest, &hop)) {
		if (sv_ends(hop, SV(" sallyport")))
			count++;
	}
	return count >= FILTER_HOPS_MAX;
}

bool filter_forwarded(struct exchange *ex)
{
	struct fields *fields = &ex->request.fields;
	struct str_view via = fields_joined(fields, SV("via"));

	if (via.len > 0 && comes_again(via)) {
		ex->looped = true;
		return false;
	}
	fields_remove_id(fields, FIELD_FORWARDED);
	fields_remove_id(fields, FIELD_X_FORWARDED_PORT);
	fields_remove_id(fields, FIELD_X_REAL_IP);
	/* RFC 9110, section 7.6.3: a gateway says in which version the request came. */
	via = via.len > 0 ? arena_printf(&ex->arena, "%.*s, %u.%u sallyport", SV_ARG(via),
					 ex->request.major, ex->request.minor)
	      : ex->request.major == 2 ? SV("2.0 sallyport")
	      : ex->request.minor == 0 ? SV("1.0 sallyport")
				       : SV("1.1 sallyport");
	if (host_of(ex).len == 0) /* HTTP/1.0 */
		fields_remove_id(fields, FIELD_X_FORWARDED_HOST);
	else if (!fields_set_id(fields, FIELD_X_FORWARDED_HOST, host_of(ex)))
		return false;
	return fields_set_id(fields, FIELD_X_FORWARDED_FOR, clientip_forwarded(ex)) &&
	       fields_set_id(fields, FIELD_X_FORWARDED_PROTO, proto_of(ex)) &&
	       fields_set_id(fields, FIELD_VIA, via) && !ex->arena.spent;
}

/* The replacement takes the place of the prefix, on whole segments: no slash is doubled or lost. */
static struct str_view replace_prefix(struct exchange *ex, struct str_view path,
				      struct str_view prefix, struct str_view value)
{
	struct str_view rest = sv_skip(path, prefix.len);

	while (value.len > 0 && value.data[value.len - 1] == '/')
		value.len--;
	if (value.len == 0 && rest.len == 0)
		return SV("/");
	return arena_printf(&ex->arena, "%.*s%.*s", SV_ARG(value), SV_ARG(rest));
}

static struct str_view changed_path(struct exchange *ex, enum path_change change,
				    struct str_view value, struct str_view prefix)
{
	switch (change) {
	case PATH_REPLACE_FULL:
		return value.len > 0 ? value : SV("/");
	case PATH_REPLACE_PREFIX:
		return replace_prefix(ex, ex->request.target.path, prefix, value);
	case PATH_KEEP:
		break;
	}
	return ex->request.target.path;
}

bool filter_rewrite(struct exchange *ex, const struct rewrite *rewrite, struct str_view prefix)
{
	if (rewrite->hostname.len > 0)
		ex->request.authority =
			(struct http_authority){.host = rewrite->hostname, .port = 0};
	ex->request.target.path = changed_path(ex, rewrite->path_change, rewrite->path, prefix);
	return !ex->arena.spent;
}

/* Gateway API, HTTPRequestRedirectFilter.port: given, else the scheme's own when a scheme is given,
 * else the listener's; never written when it is the scheme's own. */
struct str_view filter_location(struct exchange *ex, const struct redirect *redirect,
				struct str_view prefix, const struct snap_port *port)
{
	const struct http_request *request = &ex->request;
	struct str_view scheme = redirect->scheme.len > 0 ? redirect->scheme : scheme_of(ex);
	struct str_view host =
		redirect->hostname.len > 0 ? redirect->hostname : request->authority.host;
	struct str_view path = changed_path(ex, redirect->path_change, redirect->path, prefix);
	uint16_t number = redirect->port != 0        ? redirect->port
			  : redirect->scheme.len > 0 ? default_port(scheme)
						     : port->port;
	char suffix[8] = "";

	if (number != default_port(scheme))
		(void)snprintf(suffix, sizeof(suffix), ":%u", number);
	return arena_printf(&ex->arena, "%.*s://%.*s%s%.*s%s%.*s", SV_ARG(scheme), SV_ARG(host),
			    suffix, SV_ARG(path), request->target.has_query ? "?" : "",
			    SV_ARG(request->target.query));
}
