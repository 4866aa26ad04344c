/* dataplane/snapshot.c - listeners and snapshots: made and destroyed */
#include "dataplane/snapshot.h"

#include "base/own.h"
#include "dataplane/hostindex.h"
#include "dataplane/pack.h"
#include "dataplane/policy.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* ---- listeners ---- */

static void snap_listener_destroy(struct part *part, struct graveyard *graveyard)
{
	struct snap_listener *listener = CONTAINER_OF(part, struct snap_listener, part);

	for (size_t i = 0; i < listener->cert_count; i++)
		part_unref(&listener->certs[i]->part, graveyard);
	if (listener->client_cert != NULL)
		part_unref(&listener->client_cert->part, graveyard);
	if (listener->clients != NULL)
		part_unref(&listener->clients->part, graveyard);
	for (size_t i = 0; i < listener->vhost_count; i++)
		part_unref(vhost_part(listener->vhosts[i]), graveyard);
	host_index_free(listener->index);
	free(listener);
}

static void snap_listener_deep(void *copy, struct pack *pack)
{
	struct snap_listener *listener = copy;

	listener->certs = PACK_ARRAY(pack, listener->certs, listener->cert_count);
	listener->vhosts = PACK_ARRAY(pack, listener->vhosts, listener->vhost_count);
	listener->vhost_hosts = pack_views(pack, listener->vhost_hosts, listener->vhost_count);
	listener->name = pack_sv(pack, listener->name);
	listener->hostname = pack_sv(pack, listener->hostname);
}

struct snap_listener *snap_listener_new(const struct snap_listener *like)
{
	struct snap_listener *listener = pack_new(like, sizeof(*like), snap_listener_deep);

	part_init(&listener->part, snap_listener_destroy);
	for (size_t i = 0; i < listener->cert_count; i++)
		part_ref(&listener->certs[i]->part);
	if (listener->client_cert != NULL)
		part_ref(&listener->client_cert->part);
	if (listener->clients != NULL)
		part_ref(&listener->clients->part);
	for (size_t i = 0; i < listener->vhost_count; i++)
		part_ref(vhost_part(listener->vhosts[i]));
	listener->index = host_index_new(listener->vhost_hosts, (void *const *)listener->vhosts,
					 listener->vhost_count);
	return listener;
}

/* ---- snapshots ---- */

static void snapshot_deep(void *copy, struct pack *pack)
{
	struct snapshot *snapshot = copy;
	struct snap_port *ports = PACK_ARRAY(pack, snapshot->ports, snapshot->port_count);
	struct challenge *challenges =
		PACK_ARRAY(pack, snapshot->challenges, snapshot->challenge_count);

	for (size_t i = 0; i < snapshot->port_count; i++) {
		const struct snap_port *port = &snapshot->ports[i];
		void *listeners = PACK_ARRAY(pack, port->listeners, port->listener_count);

		if (ports != NULL)
			ports[i].listeners = listeners;
	}
	for (size_t i = 0; i < snapshot->challenge_count; i++) {
		const struct challenge *like = &snapshot->challenges[i];
		struct challenge one = {.host = pack_sv(pack, like->host),
					.token = pack_sv(pack, like->token),
					.key_authorization = pack_sv(pack, like->key_authorization),
					.cert_der = pack_sv(pack, like->cert_der),
					.key_der = pack_sv(pack, like->key_der)};

		if (challenges != NULL)
			challenges[i] = one;
	}
	snapshot->ports = ports;
	snapshot->challenges = challenges;
}

static int challenge_cmp(const void *a, const void *b)
{
	const struct challenge *left = a, *right = b;
	int order = sv_cmp(left->token, right->token);

	return order != 0 ? order : sv_cmp(left->host, right->host);
}

static void port_note(struct snap_port *port, enum serves serves)
{
	port->http = port->http || serves == SERVES_HTTP;
	port->stream = port->stream || (serves == SERVES_STREAM && !port->tls);
	port->datagram = port->datagram || serves == SERVES_DATAGRAM;
	port->peek = port->peek || serves == SERVES_PASSTHROUGH;
}

static void port_index(struct snap_port *port)
{
	AUTO(auto_free)
	struct str_view *hosts = xcalloc(port->listener_count + 1, sizeof(*hosts));

	for (size_t i = 0; i < port->listener_count; i++) {
		part_ref(&port->listeners[i]->part);
		hosts[i] = port->listeners[i]->hostname;
		port_note(port, port->listeners[i]->serves);
	}
	port->index = host_index_new(hosts, (void *const *)port->listeners, port->listener_count);
}

struct snapshot *snapshot_new(const struct snapshot *like)
{
	struct snapshot *snapshot = pack_new(like, sizeof(*like), snapshot_deep);

	for (size_t i = 0; i < snapshot->port_count; i++) {
		port_index(&snapshot->ports[i]);
		if (snapshot->ports[i].policy != NULL)
			part_ref(&snapshot->ports[i].policy->part);
	}
	if (snapshot->challenge_count > 1)
		qsort(snapshot->challenges, snapshot->challenge_count,
		      sizeof(snapshot->challenges[0]), challenge_cmp);
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot, struct graveyard *graveyard)
{
	if (snapshot == NULL)
		return;
	for (size_t i = 0; i < snapshot->port_count; i++) {
		for (size_t j = 0; j < snapshot->ports[i].listener_count; j++)
			part_unref(&snapshot->ports[i].listeners[j]->part, graveyard);
		host_index_free(snapshot->ports[i].index);
		if (snapshot->ports[i].policy != NULL)
			part_unref(&snapshot->ports[i].policy->part, graveyard);
	}
	OPENSSL_cleanse(snapshot->ticket_keys, sizeof(snapshot->ticket_keys));
	free(snapshot);
}
