#include "dataplane/snapshot.h"

#include "base/own.h"
#include "dataplane/hostindex.h"
#include "dataplane/policy.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* Each part lives in one block of exactly its size: its copy function runs twice, first counting
 * (at is NULL), then writing. So nothing is measured by one piece of code and filled by another. */
struct pack {
	char *at; /* NULL while counting */
	size_t used;
};

static void *pack_bytes(struct pack *pack, const void *bytes, size_t len, size_t align)
{
	size_t start = (pack->used + align - 1) & ~(align - 1);

	pack->used = start + len;
	if (pack->at == NULL)
		return NULL;
	if (len > 0)
		memcpy(pack->at + start, bytes, len);
	return pack->at + start;
}

static struct str_view pack_sv(struct pack *pack, struct str_view text)
{
	return sv_new(pack_bytes(pack, text.data, text.len, 1), text.len);
}

#define PACK_ARRAY(pack, array, count) \
	pack_bytes(pack, array, (count) * sizeof((array)[0]), _Alignof(__typeof__((array)[0])))

static const struct str_view *pack_views(struct pack *pack, const struct str_view *views,
					 size_t count)
{
	struct str_view *copy = PACK_ARRAY(pack, views, count);

	for (size_t i = 0; i < count; i++) {
		struct str_view text = pack_sv(pack, views[i]);

		if (copy != NULL)
			copy[i] = text;
	}
	return copy;
}

static const struct header_pair *pack_pairs(struct pack *pack, const struct header_pair *pairs,
					    size_t count)
{
	struct header_pair *copy = PACK_ARRAY(pack, pairs, count);

	for (size_t i = 0; i < count; i++) {
		struct header_pair pair = {.name = pack_sv(pack, pairs[i].name),
					   .value = pack_sv(pack, pairs[i].value)};

		if (copy != NULL)
			copy[i] = pair;
	}
	return copy;
}

static void pack_mods(struct pack *pack, struct header_mods *mods)
{
	mods->set = pack_pairs(pack, mods->set, mods->set_count);
	mods->add = pack_pairs(pack, mods->add, mods->add_count);
	mods->remove = pack_views(pack, mods->remove, mods->remove_count);
}

/* Copies like (size bytes) and, by deep, all it points to, into one block. */
static void *pack_new(const void *like, size_t size, void (*deep)(void *copy, struct pack *pack))
{
	struct pack count = {.at = NULL, .used = size};
	AUTO(auto_free) void *scratch = xmalloc(size);
	struct pack fill = {.used = size};
	char *block;

	memcpy(scratch, like, size);
	deep(scratch, &count);
	block = xmalloc(count.used);
	fill.at = block;
	memcpy(block, like, size);
	deep(block, &fill);
	return block;
}

/* ---- parts ---- */

static void part_init(struct part *part, void (*destroy)(struct part *, struct graveyard *))
{
	*part = (struct part){.owners = 1, .destroy = destroy};
}

void part_ref(struct part *part)
{
	assert(part->owners > 0);
	part->owners++;
}

void part_unref(struct part *part, struct graveyard *graveyard)
{
	if (part == NULL)
		return;
	assert(part->owners > 0);
	if (--part->owners > 0)
		return;
	part->buried = graveyard->newest;
	part->next_dead = graveyard->dead;
	graveyard->dead = part;
}

/* A part buried when generation G was the newest may be seen by workers that run G or older. Its
 * own parts are let go of in destroy, which buries them: the loop goes on until nothing more falls
 * out. */
size_t graveyard_sweep(struct graveyard *graveyard, uint64_t acknowledged)
{
	struct part *keep = NULL;
	size_t kept = 0;

	while (graveyard->dead != NULL) {
		struct part *part = graveyard->dead;

		graveyard->dead = part->next_dead;
		if (part->buried < acknowledged &&
		    atomic_load_explicit(&part->pins, memory_order_acquire) == 0) {
			part->destroy(part, graveyard);
			continue;
		}
		part->next_dead = keep;
		keep = part;
		kept++;
	}
	graveyard->dead = keep;
	return kept;
}

/* ---- filters ---- */

static void pack_redirect(struct pack *pack, struct redirect *redirect)
{
	redirect->scheme = pack_sv(pack, redirect->scheme);
	redirect->hostname = pack_sv(pack, redirect->hostname);
	redirect->path = pack_sv(pack, redirect->path);
}

static void pack_rewrite(struct pack *pack, struct rewrite *rewrite)
{
	rewrite->hostname = pack_sv(pack, rewrite->hostname);
	rewrite->path = pack_sv(pack, rewrite->path);
}

static void pack_cors(struct pack *pack, struct cors *cors)
{
	cors->origins = pack_views(pack, cors->origins, cors->origin_count);
	cors->methods = pack_views(pack, cors->methods, cors->method_count);
	cors->headers = pack_views(pack, cors->headers, cors->header_count);
	cors->expose = pack_views(pack, cors->expose, cors->expose_count);
}

static void mirrors_ref(const struct mirror *mirrors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		part_ref(&mirrors[i].backend->part);
}

static void mirrors_unref(const struct mirror *mirrors, size_t count, struct graveyard *graveyard)
{
	for (size_t i = 0; i < count; i++)
		part_unref(&mirrors[i].backend->part, graveyard);
}

/* ---- TLS of backends ---- */

static uint64_t next_part_id(void)
{
	static _Atomic uint64_t next = 1; /* identity, not state: never read back */

	return atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
}

static void ca_set_destroy(struct part *part, struct graveyard *graveyard)
{
	(void)graveyard;
	free(CONTAINER_OF(part, struct ca_set, part));
}

static void ca_set_deep(void *copy, struct pack *pack)
{
	struct ca_set *cas = copy;

	cas->certs = pack_views(pack, cas->certs, cas->count);
}

struct ca_set *ca_set_new(const struct ca_set *like)
{
	struct ca_set *cas = pack_new(like, sizeof(*like), ca_set_deep);

	part_init(&cas->part, ca_set_destroy);
	cas->id = next_part_id();
	return cas;
}

static void backend_tls_destroy(struct part *part, struct graveyard *graveyard)
{
	struct backend_tls *tls = CONTAINER_OF(part, struct backend_tls, part);

	part_unref(&tls->cas->part, graveyard);
	free(tls);
}

static void backend_tls_deep(void *copy, struct pack *pack)
{
	struct backend_tls *tls = copy;
	struct san *sans = PACK_ARRAY(pack, tls->sans, tls->san_count);

	for (size_t i = 0; i < tls->san_count; i++) {
		struct str_view name = pack_sv(pack, tls->sans[i].name);

		if (sans != NULL)
			sans[i].name = name;
	}
	tls->sans = sans;
	tls->name = pack_sv(pack, tls->name);
	tls->server_name = pack_sv(pack, tls->server_name);
}

struct backend_tls *backend_tls_new(const struct backend_tls *like)
{
	struct backend_tls *tls = pack_new(like, sizeof(*like), backend_tls_deep);

	part_init(&tls->part, backend_tls_destroy);
	tls->id = next_part_id();
	part_ref(&tls->cas->part);
	return tls;
}

/* ---- backends ---- */

static void backend_destroy(struct part *part, struct graveyard *graveyard)
{
	struct backend *backend = CONTAINER_OF(part, struct backend, part);

	mirrors_unref(backend->mirrors, backend->mirror_count, graveyard);
	if (backend->tls != NULL)
		part_unref(&backend->tls->part, graveyard);
	free(backend);
}

static void backend_deep(void *copy, struct pack *pack)
{
	struct backend *backend = copy;

	backend->endpoints = PACK_ARRAY(pack, backend->endpoints, backend->endpoint_count);
	pack_mods(pack, &backend->request_headers);
	pack_mods(pack, &backend->response_headers);
	pack_redirect(pack, &backend->redirect);
	pack_rewrite(pack, &backend->rewrite);
	backend->mirrors = PACK_ARRAY(pack, backend->mirrors, backend->mirror_count);
	pack_cors(pack, &backend->cors);
	backend->name = pack_sv(pack, backend->name);
}

struct backend *backend_new(const struct backend *like)
{
	struct backend *backend = pack_new(like, sizeof(*like), backend_deep);

	part_init(&backend->part, backend_destroy);
	mirrors_ref(backend->mirrors, backend->mirror_count);
	if (backend->tls != NULL)
		part_ref(&backend->tls->part);
	return backend;
}

/* ---- rules ---- */

static void rule_destroy(struct part *part, struct graveyard *graveyard)
{
	struct rule *rule = CONTAINER_OF(part, struct rule, part);

	for (size_t i = 0; i < rule->backend_count; i++)
		part_unref(&rule->backends[i]->part, graveyard);
	mirrors_unref(rule->mirrors, rule->mirror_count, graveyard);
	free(rule);
}

static void rule_deep(void *copy, struct pack *pack)
{
	struct rule *rule = copy;

	rule->backends = PACK_ARRAY(pack, rule->backends, rule->backend_count);
	pack_mods(pack, &rule->request_headers);
	pack_mods(pack, &rule->response_headers);
	rule->name = pack_sv(pack, rule->name);
	pack_redirect(pack, &rule->redirect);
	pack_rewrite(pack, &rule->rewrite);
	rule->mirrors = PACK_ARRAY(pack, rule->mirrors, rule->mirror_count);
	rule->retry.codes = PACK_ARRAY(pack, rule->retry.codes, rule->retry.code_count);
	pack_cors(pack, &rule->cors);
}

struct rule *rule_new(const struct rule *like)
{
	struct rule *rule = pack_new(like, sizeof(*like), rule_deep);

	part_init(&rule->part, rule_destroy);
	mirrors_ref(rule->mirrors, rule->mirror_count);
	rule->weight_total = 0;
	for (size_t i = 0; i < rule->backend_count; i++) {
		part_ref(&rule->backends[i]->part);
		rule->weight_total += rule->backends[i]->weight;
	}
	return rule;
}

/* ---- certificates ---- */

static void cert_destroy(struct part *part, struct graveyard *graveyard)
{
	struct cert *cert = CONTAINER_OF(part, struct cert, part);

	(void)graveyard;
	OPENSSL_cleanse((char *)cert->key.data, cert->key.len);
	free(cert);
}

static void cert_deep(void *copy, struct pack *pack)
{
	struct cert *cert = copy;

	cert->chain = pack_views(pack, cert->chain, cert->chain_count);
	cert->names = pack_views(pack, cert->names, cert->name_count);
	cert->name = pack_sv(pack, cert->name);
	cert->key = pack_sv(pack, cert->key);
}

struct cert *cert_new(const struct cert *like)
{
	static _Atomic uint64_t next_id = 1; /* identity, not state: never read back */
	struct cert *cert = pack_new(like, sizeof(*like), cert_deep);

	part_init(&cert->part, cert_destroy);
	cert->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	return cert;
}

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
