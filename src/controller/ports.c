#include "controller/ports.h"

#include "base/log.h"
#include "base/own.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS 5000  /* the look for who holds the port is not cheap */
#define FAMILY_MS    60000 /* a host rarely gets IPv6 while it runs */

/* ---- which sockets ---- */

/* Wildcard: 0.0.0.0 and [::], a socket each. */
static size_t listener_sockets(const struct gw_listener *listener)
{
	return listener->gateway->wildcard ? 2 : listener->gateway->address_count;
}

static struct sock_addr socket_addr(const struct gw_listener *listener, size_t index)
{
	struct sock_addr addr = listener->gateway->addresses[index];

	if (listener->gateway->wildcard)
		(void)sock_addr_ip(&addr, index == 0 ? SV("0.0.0.0") : SV("::"), listener->port);
	else if (addr.u.any.sa_family == AF_INET)
		addr.u.v4.sin_port = htons(listener->port);
	else
		addr.u.v6.sin6_port = htons(listener->port);
	return addr;
}

static struct port *port_get(struct ports *ports, const struct gw_listener *listener, size_t index)
{
	struct sock_addr addr = socket_addr(listener, index);
	bool datagram = listener->protocol == LISTENER_UDP;
	char text[SOCK_ADDR_TEXT], key[SOCK_ADDR_TEXT + 4];
	struct port *port;

	sock_addr_text(&addr, text);
	snprintf(key, sizeof(key), "%s%s", datagram ? "udp " : "", text);
	port = map_get(&ports->by_addr, sv_from(key));
	if (port == NULL) {
		port = xcalloc(1, sizeof(*port));
		port->addr = addr;
		port->datagram = datagram;
		(void)map_put(&ports->by_addr, sv_from(key), port);
	}
	return port;
}

/* ---- binding ---- */

/* One family may be missing from a host; that is nothing to talk about. */
static bool family_missing(const struct port *port)
{
	return sock_addr_any(&port->addr) && port->binding == NULL &&
	       (port->err.code == ERR_NOT_FOUND || port->err.code == ERR_UNSUPPORTED);
}

static void port_failed(struct port *port, int64_t now)
{
	int64_t delay = RETRY_MIN_MS << (port->failures < 3 ? port->failures : 3);

	if (family_missing(port)) {
		port->retry_at = now + FAMILY_MS;
		return;
	}
	if (port->failures++ == 0)
		log_warn("gateway", "%s", port->err.msg);
	port->retry_at = now + (delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
}

/* Once a pass for each port. What is bound is asked for again, so that the plane keeps it. */
static void port_bind(struct ports *ports, struct port *port, int64_t now)
{
	bool before = port->binding != NULL;
	char text[SOCK_ADDR_TEXT];

	if (port->used)
		return;
	port->used = true;
	if (port->binding == NULL && now < port->retry_at)
		return;
	port->binding = port->datagram ? plane_bind_udp(ports->plane, &port->addr, &port->err)
				       : plane_bind(ports->plane, &port->addr, &port->err);
	if (!before || port->binding == NULL)
		ports->tried = true;
	if (port->binding == NULL) {
		port_failed(port, now);
		return;
	}
	port->failures = 0;
	port->retry_at = 0;
	sock_addr_text(&port->addr, text);
	if (!before)
		log_info("gateway", "listening on %s%s", text, port->datagram ? " (UDP)" : "");
}

static void add_message(struct gw_listener *listener, const char *message)
{
	char *before = listener->bind_message;

	listener->bind_message =
		before == NULL ? xstrdup(message) : xasprintf("%s; %s", before, message);
	free(before);
}

static void take_outcome(struct gw_listener *listener, const struct port *port, size_t index)
{
	if (port->binding != NULL) {
		listener->bound++;
		listener->bound_on |= UINT32_C(1) << index;
		listener->gateway->address_bound[index] = true;
		return;
	}
	listener->unbound++;
	add_message(listener, port->err.msg);
	if (port->err.code == ERR_NOT_FOUND)
		listener->unusable = true;
}

void ports_bind(struct ports *ports, struct gw_listener *listener, int64_t now)
{
	const struct port *missing = NULL;

	listener_reset_sockets(listener);
	for (size_t i = 0; i < listener_sockets(listener); i++) {
		struct port *port = port_get(ports, listener, i);

		port_bind(ports, port, now);
		if (family_missing(port))
			missing = port;
		else
			take_outcome(listener, port, i);
	}
	if (missing != NULL && listener->bound + listener->unbound == 0)
		take_outcome(listener, missing, 0);
}

/* ---- serving ---- */

void ports_begin(struct ports *ports)
{
	void *value;

	for (size_t it = 0; map_next(&ports->by_addr, &it, NULL, &value);) {
		struct port *port = value;

		port->used = false;
		port->count = 0;
	}
}

static void port_add(struct port *port, struct snap_listener *served)
{
	if (port->count == port->size) {
		port->size = port->size == 0 ? 4 : port->size * 2;
		port->listeners =
			xrealloc(port->listeners, port->size * sizeof(struct snap_listener *));
	}
	port->listeners[port->count++] = served;
}

void ports_serve(struct ports *ports, const struct gw_listener *listener,
		 struct snap_listener *served)
{
	for (size_t i = 0; i < listener_sockets(listener); i++) {
		struct port *port = port_get(ports, listener, i);

		port->tls = listener_hears_tls(listener);
		port->policy = listener->policy;
		port_add(port, served);
	}
}

static void port_free(void *value)
{
	struct port *port = value;

	free(port->listeners);
	free(port);
}

int64_t ports_end(struct ports *ports)
{
	int64_t next = 0;
	struct str_view text;
	void *value;

	for (size_t it = 0; map_next(&ports->by_addr, &it, &text, &value);) {
		struct port *port = value;

		if (!port->used) {
			(void)map_remove(&ports->by_addr, text);
			port_free(port);
		} else if (port->binding == NULL && (next == 0 || port->retry_at < next)) {
			next = port->retry_at;
		}
	}
	return next;
}

void ports_try_again(struct ports *ports)
{
	void *value;

	for (size_t it = 0; map_next(&ports->by_addr, &it, NULL, &value);)
		((struct port *)value)->retry_at = 0;
}

void ports_deinit(struct ports *ports)
{
	map_deinit(&ports->by_addr, port_free);
}

static int port_cmp(const void *left, const void *right)
{
	const struct snap_port *a = left, *b = right;
	char one[SOCK_ADDR_TEXT], other[SOCK_ADDR_TEXT];

	sock_addr_text(binding_addr(a->binding), one);
	sock_addr_text(binding_addr(b->binding), other);
	if (strcmp(one, other) != 0)
		return strcmp(one, other);
	return a->binding < b->binding ? -1 : 1;
}

struct snap_port *ports_snapshot(const struct ports *ports, size_t *count)
{
	struct snap_port *out = xcalloc(ports->by_addr.count + 1, sizeof(*out));
	void *value;

	*count = 0;
	for (size_t it = 0; map_next(&ports->by_addr, &it, NULL, &value);) {
		const struct port *port = value;

		if (port->binding == NULL || port->count == 0)
			continue;
		out[(*count)++] = (struct snap_port){.binding = port->binding,
						     .port = sock_addr_port(&port->addr),
						     .tls = port->tls,
						     .policy = port->policy,
						     .listener_count = port->count,
						     .listeners = port->listeners};
	}
	qsort(out, *count, sizeof(out[0]), port_cmp);
	return out;
}

/* ---- addresses of this host ---- */

enum scope { SCOPE_GLOBAL, SCOPE_LOOPBACK };

static bool address_of(const struct ifaddrs *entry, struct sock_addr *addr)
{
	if (entry->ifa_addr == NULL || (entry->ifa_flags & IFF_UP) == 0)
		return false;
	*addr = (struct sock_addr){0};
	if (entry->ifa_addr->sa_family == AF_INET)
		addr->len = sizeof(addr->u.v4);
	else if (entry->ifa_addr->sa_family == AF_INET6)
		addr->len = sizeof(addr->u.v6);
	else
		return false;
	memcpy(&addr->u, entry->ifa_addr, addr->len);
	return !sock_addr_link_local(addr);
}

static void add_address(json_t *out, const struct sock_addr *addr)
{
	char text[SOCK_ADDR_TEXT];
	AUTO(auto_json) json_t *entry = NULL;
	json_t *known;
	size_t i;

	sock_addr_ip_text(addr, text);
	entry = json_pack("{s:s, s:s}", "type", "IPAddress", "value", text);
	json_array_foreach(out, i, known)
	{
		if (json_same(known, entry))
			return;
	}
	if (json_array_size(out) < GATEWAY_ADDRESSES_MAX)
		json_array_append(out, entry);
}

static void add_family(json_t *out, const struct ifaddrs *all, int family, enum scope scope)
{
	struct sock_addr addr;

	for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
		if (address_of(entry, &addr) && addr.u.any.sa_family == family &&
		    sock_addr_loopback(&addr) == (scope == SCOPE_LOOPBACK))
			add_address(out, &addr);
	}
}

json_t *ports_host_addresses(const bool family_bound[2])
{
	static const int families[2] = {AF_INET, AF_INET6};
	struct ifaddrs *all = NULL;
	json_t *out = json_array();

	if (getifaddrs(&all) < 0)
		return out;
	for (int scope = SCOPE_GLOBAL; scope <= SCOPE_LOOPBACK && json_array_size(out) == 0;
	     scope++) {
		for (int i = 0; i < 2; i++) {
			if (family_bound[i])
				add_family(out, all, families[i], (enum scope)scope);
		}
	}
	freeifaddrs(all);
	return out;
}
