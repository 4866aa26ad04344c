/* dataplane/rule.c - rules and their backends: made and destroyed */
#include "dataplane/rule.h"

#include "base/own.h"
#include "dataplane/backend.h"
#include "dataplane/pack.h"

#include <stdlib.h>

/* ---- filters ---- */

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
	tls->id = part_id();
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
