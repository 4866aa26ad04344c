#include "controller/served.h"

#include "base/log.h"
#include "base/own.h"
#include "controller/listenerset.h"

#include <stdlib.h>

struct served_host {
	struct vhost *vhost; /* owned */
	size_t built_count;
	uint64_t *built; /* compilations that it was built from, in order */
	size_t count, size;
	const struct route **routes; /* of this pass, in order */
};

/* ---- collecting ---- */

void served_begin(struct served_all *all)
{
	void *value, *inner;

	for (size_t it = 0; map_next(&all->by_id, &it, NULL, &value);) {
		struct served *served = value;

		served->used = false;
		served->collected = true;
		for (size_t in = 0; map_next(&served->hosts, &in, NULL, &inner);)
			((struct served_host *)inner)->count = 0;
	}
}

struct served *served_get(struct served_all *all, const struct gw_listener *listener)
{
	AUTO(auto_free)
	char *id = listener_id(listener);
	struct served *served = map_get(&all->by_id, sv_from(id));

	if (served == NULL) {
		served = xcalloc(1, sizeof(*served));
		served->collected = true;
		(void)map_put(&all->by_id, sv_from(id), served);
	}
	served->used = true;
	return served;
}

static struct served_host *host_get(struct served *served, struct str_view name)
{
	struct served_host *host = map_get(&served->hosts, name);

	if (host == NULL) {
		host = xcalloc(1, sizeof(*host));
		(void)map_put(&served->hosts, name, host);
	}
	return host;
}

/* An attachment remembers its hostname's entry: that lives as long as something is added to it in
 * each pass, and who attaches anew has new attachments. */
void served_add(struct served *served, struct attachment *attachment, const struct route *route)
{
	struct served_host *host = attachment->served;

	if (host == NULL)
		host = host_get(served, attachment_host(attachment, route->object));
	attachment->served = host;
	if (host->count > 0 && host->routes[host->count - 1] == route)
		return; /* by another parentRef or hostname */
	if (host->count == host->size) {
		host->size = host->size == 0 ? 1 : host->size * 2;
		host->routes = xrealloc(host->routes, host->size * sizeof(struct route *));
	}
	host->routes[host->count++] = route;
}

/* ---- one hostname ---- */

static void host_free(struct served_host *host, struct graveyard *graveyard)
{
	if (host->vhost != NULL)
		part_unref(vhost_part(host->vhost), graveyard);
	free(host->built);
	free(host->routes);
	free(host);
}

static bool host_is_built(const struct served_host *host)
{
	if (host->vhost == NULL || host->built_count != host->count)
		return false;
	for (size_t i = 0; i < host->count; i++) {
		if (host->built[i] != host->routes[i]->compiled.id)
			return false;
	}
	return true;
}

static void host_build(struct served_host *host, struct graveyard *graveyard)
{
	struct err err = {.code = ERR_NONE};
	size_t count = 0, at = 0;
	AUTO(auto_free) struct match_spec *specs = NULL;

	if (host->vhost != NULL)
		part_unref(vhost_part(host->vhost), graveyard);
	for (size_t i = 0; i < host->count; i++)
		count += host->routes[i]->matches.count;
	specs = xcalloc(count + 1, sizeof(*specs));
	for (size_t i = 0; i < host->count; i++) {
		const struct matches *matches = &host->routes[i]->matches;

		if (matches->count > 0)
			memcpy(&specs[at], matches->specs, matches->count * sizeof(*specs));
		at += matches->count;
	}
	host->vhost = vhost_new(specs, count, &err);
	if (host->vhost == NULL) /* each rule was tried before */
		log_error("gateway", "a hostname cannot be served: %s", err.msg);
	host->built = xrealloc(host->built, (host->count + 1) * sizeof(host->built[0]));
	host->built_count = host->count;
	for (size_t i = 0; i < host->count; i++)
		host->built[i] = host->routes[i]->compiled.id;
}

/* True: some hostname is another, has come or gone. */
static bool hosts_build(struct served *served, struct graveyard *graveyard)
{
	bool changed = false;
	struct str_view name;
	void *value;

	if (!served->collected)
		return false;
	served->collected = false;
	for (size_t it = 0; map_next(&served->hosts, &it, &name, &value);) {
		struct served_host *host = value;

		if (host->count == 0) {
			(void)map_remove(&served->hosts, name);
			host_free(host, graveyard);
			changed = true;
		} else if (!host_is_built(host)) {
			host_build(host, graveyard);
			changed = true;
		}
	}
	return changed;
}

/* ---- one listener ---- */

static enum serves serves_of(const struct gw_listener *listener)
{
	static const enum serves serves[] = {
		[LISTENER_HTTP] = SERVES_HTTP,        [LISTENER_HTTPS] = SERVES_HTTP,
		[LISTENER_TLS] = SERVES_STREAM,       [LISTENER_PASSTHROUGH] = SERVES_PASSTHROUGH,
		[LISTENER_TCP] = SERVES_STREAM,       [LISTENER_UDP] = SERVES_DATAGRAM,
		[LISTENER_UNSUPPORTED] = SERVES_HTTP,
	};

	return serves[listener->protocol];
}

static bool same_listener(const struct snap_listener *have, const struct gw_listener *want)
{
	if (have == NULL || !sv_eq(have->hostname, want->hostname) ||
	    have->tls != listener_has_tls(want) || have->serves != serves_of(want) ||
	    have->cert_count != want->cert_count || have->clients != want->clients ||
	    have->clients_optional != want->clients_optional ||
	    have->client_cert != want->gateway->client_cert)
		return false;
	for (size_t i = 0; i < want->cert_count; i++) {
		if (have->certs[i] != want->certs[i])
			return false;
	}
	return true;
}

static struct snap_listener *listener_make(struct served *served,
					   const struct gw_listener *listener)
{
	size_t count = served->hosts.count;
	AUTO(auto_free) struct str_view *names = xcalloc(count + 1, sizeof(*names));
	AUTO(auto_free) struct vhost **vhosts = xcalloc(count + 1, sizeof(struct vhost *));
	AUTO(auto_free)
	char *id = listener_id(listener);
	struct snap_listener like = {.name = sv_from(id),
				     .hostname = listener->hostname,
				     .tls = listener_has_tls(listener),
				     .serves = serves_of(listener),
				     .cert_count = listener->cert_count,
				     .certs = listener->certs,
				     .clients = listener->clients,
				     .clients_optional = listener->clients_optional,
				     .client_cert = listener->gateway->client_cert,
				     .vhost_hosts = names,
				     .vhosts = vhosts};
	struct str_view name;
	void *value;

	for (size_t it = 0; map_next(&served->hosts, &it, &name, &value);) {
		struct vhost *vhost = ((struct served_host *)value)->vhost;

		if (vhost == NULL)
			continue;
		names[like.vhost_count] = name;
		vhosts[like.vhost_count++] = vhost;
	}
	return snap_listener_new(&like);
}

void served_build(struct served *served, const struct gw_listener *listener,
		  struct graveyard *graveyard)
{
	bool changed = hosts_build(served, graveyard);

	if (!changed && same_listener(served->listener, listener))
		return;
	if (served->listener != NULL)
		part_unref(&served->listener->part, graveyard);
	served->listener = listener_make(served, listener);
}

static void served_free(struct served *served, struct graveyard *graveyard)
{
	void *value;

	if (served->listener != NULL)
		part_unref(&served->listener->part, graveyard);
	for (size_t it = 0; map_next(&served->hosts, &it, NULL, &value);)
		host_free(value, graveyard);
	map_deinit(&served->hosts, NULL);
	free(served);
}

void served_end(struct served_all *all, struct graveyard *graveyard)
{
	struct str_view id;
	void *value;

	for (size_t it = 0; map_next(&all->by_id, &it, &id, &value);) {
		struct served *served = value;

		if (served->used)
			continue;
		(void)map_remove(&all->by_id, id);
		served_free(served, graveyard);
	}
}

void served_deinit(struct served_all *all, struct graveyard *graveyard)
{
	void *value;

	for (size_t it = 0; map_next(&all->by_id, &it, NULL, &value);)
		served_free(value, graveyard);
	map_deinit(&all->by_id, NULL);
}
