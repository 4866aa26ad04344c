#include "dataplane/match.h"

#include "dataplane/hostindex.h"
#include "dataplane/vhost.h"

static struct str_view bare_host(struct str_view host)
{
	if (host.len >= 2 && host.data[0] == '[')
		return sv_new(host.data + 1, host.len - 2);
	return host;
}

const struct snap_listener *match_listener(const struct snap_port *port, struct str_view host)
{
	struct host_walk walk;

	return host_index_first(port->index, host, &walk);
}

/* Falls through to less specific hostnames: their rules come after, not never. */
static struct rule *match_path(const struct snap_listener *listener,
			       const struct http_request *request, struct str_view path,
			       struct str_view *prefix)
{
	struct host_walk walk;
	struct vhost *vhost = host_index_first(listener->index, request->authority.host, &walk);

	for (; vhost != NULL; vhost = host_index_next(listener->index, &walk)) {
		struct rule *rule = vhost_match(vhost, request, path, prefix);

		if (rule != NULL)
			return rule;
	}
	return NULL;
}

struct match_result match_request(const struct snap_port *port, struct str_view sni,
				  const struct http_request *request)
{
	const struct snap_listener *listener = match_listener(port, request->authority.host);
	struct match_result result = {.answer = MATCH_NONE, .listener = listener};
	struct str_view other;

	if (port->tls && sni.len > 0 && listener != match_listener(port, sni)) {
		result.answer = MATCH_MISDIRECTED;
		return result;
	}
	if (listener == NULL)
		return result;
	result.rule = match_path(listener, request, request->target.path, &result.prefix);
	if (request->target.path_eager.data != NULL &&
	    match_path(listener, request, request->target.path_eager, &other) != result.rule)
		result.answer = MATCH_AMBIGUOUS;
	else if (result.rule != NULL)
		result.answer = MATCH_RULE;
	return result;
}

/* ---- streams and datagrams ---- */

struct rule *match_stream(const struct snap_listener *listener, struct str_view name)
{
	struct host_walk walk;
	struct vhost *vhost = host_index_first(listener->index, name, &walk);

	return vhost == NULL ? NULL : vhost_first(vhost);
}

struct backend *match_backend(const struct rule *rule, uint64_t random)
{
	uint64_t at;

	if (rule->weight_total == 0)
		return NULL;
	at = random % rule->weight_total;
	for (size_t i = 0; i < rule->backend_count; i++) {
		if (at < rule->backends[i]->weight)
			return rule->backends[i];
		at -= rule->backends[i]->weight;
	}
	return NULL;
}

/* ---- certificates ---- */

static bool name_covers(struct str_view pattern, struct str_view host)
{
	size_t dot;

	if (sv_eq(pattern, host))
		return true;
	if (!sv_starts(pattern, SV("*.")))
		return false;
	dot = sv_find(host, '.'); /* a wildcard stands for one label (RFC 6125, section 6.4.3) */
	return dot != SV_NOT_FOUND && dot > 0 && sv_eq(sv_skip(pattern, 1), sv_skip(host, dot));
}

static struct cert *listener_cert(const struct snap_listener *listener, struct str_view sni)
{
	for (size_t i = 0; i < listener->cert_count; i++) {
		const struct cert *cert = listener->certs[i];

		for (size_t j = 0; j < cert->name_count; j++) {
			if (name_covers(cert->names[j], sni))
				return listener->certs[i];
		}
	}
	return NULL;
}

/* Without a server name: the sole listener without hostname, else the sole certificate of the port.
 */
static struct cert *default_cert(const struct snap_port *port)
{
	const struct snap_listener *open = match_listener(port, SV(""));
	struct cert *only = NULL;

	if (open != NULL && open->cert_count > 0)
		return open->certs[0];
	for (size_t i = 0; i < port->listener_count; i++) {
		for (size_t j = 0; j < port->listeners[i]->cert_count; j++) {
			if (only != NULL && only != port->listeners[i]->certs[j])
				return NULL;
			only = port->listeners[i]->certs[j];
		}
	}
	return only;
}

struct cert *match_cert(const struct snap_port *port, struct str_view sni)
{
	const struct snap_listener *listener;

	if (sni.len == 0)
		return default_cert(port);
	listener = match_listener(port, sni);
	return listener == NULL ? NULL : listener_cert(listener, sni);
}

/* ---- challenges ---- */

#define CHALLENGE_PREFIX SV("/.well-known/acme-challenge/")

const struct challenge *match_challenge(const struct snapshot *snapshot, struct str_view host,
					struct str_view path)
{
	size_t low = 0, high = snapshot->challenge_count;
	struct str_view token;

	if (high == 0 || !sv_starts(path, CHALLENGE_PREFIX))
		return NULL;
	token = sv_skip(path, CHALLENGE_PREFIX.len);
	host = bare_host(host);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sv_cmp(snapshot->challenges[middle].token, token) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < snapshot->challenge_count && sv_eq(snapshot->challenges[low].token, token);
	     low++) {
		if (sv_eq(snapshot->challenges[low].host, host) &&
		    snapshot->challenges[low].cert_der.len == 0)
			return &snapshot->challenges[low];
	}
	return NULL;
}

const struct challenge *match_tls_challenge(const struct snapshot *snapshot, struct str_view name)
{
	for (size_t i = 0; name.len > 0 && i < snapshot->challenge_count; i++) {
		if (snapshot->challenges[i].cert_der.len > 0 &&
		    sv_eq(snapshot->challenges[i].host, name))
			return &snapshot->challenges[i];
	}
	return NULL;
}
