#include "controller/backends.h"

#include "base/list.h"
#include "base/map.h"
#include "base/own.h"
#include "controller/resolve.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX 640 /* kind, namespace and name are at most 63, 63 and 253 bytes */

struct entry { /* a target, and what it hangs on */
	struct target target;
	struct list link; /* in its group */
	struct group *group;
	uint16_t port;
	enum target_use use;
	unsigned users;
	size_t name_count;
	const struct fqdn **names; /* looked up for it */
};

struct group { /* all targets of one object: its ports */
	struct list entries;
	struct list dirty; /* in backends->dirty */
	char *key;         /* "Service/default/frontend" */
	const char *kind;  /* static text */
	char *ns, *name;
};

struct slices { /* EndpointSlices of one Service */
	size_t count;
	char **keys; /* sorted: endpoints have a steady order */
};

struct backends {
	struct backends_config config;
	struct fqdns *fqdns;
	struct map groups; /* "Service/default/frontend" -> struct group */
	struct map slices; /* "default/frontend" -> struct slices */
	struct list dirty;
	uint64_t serial; /* last one given */
};

/* ---- EndpointSlices of a Service ---- */

static struct str_view slice_service(const struct object *slice)
{
	const json_t *name =
		json_member(json_at(slice->json, "metadata.labels"), "kubernetes.io/service-name");

	return sv_new(json_string_value(name), json_string_length(name));
}

static struct str_view print_key(char out[KEY_MAX], const char *a, struct str_view b)
{
	int len = snprintf(out, KEY_MAX, "%s/%.*s", a, SV_ARG(b));

	return sv_new(out, len < 0 || len >= KEY_MAX ? 0 : (size_t)len);
}

static int key_cmp(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void slices_add(struct backends *backends, struct str_view service, const char *key)
{
	struct slices *slices = map_get(&backends->slices, service);

	if (slices == NULL) {
		slices = xcalloc(1, sizeof(*slices));
		(void)map_put(&backends->slices, service, slices);
	}
	slices->keys = xrealloc(slices->keys, (slices->count + 1) * sizeof(slices->keys[0]));
	slices->keys[slices->count++] = xstrdup(key);
	qsort(slices->keys, slices->count, sizeof(slices->keys[0]), key_cmp);
}

static void slices_free(void *value)
{
	struct slices *slices = value;

	for (size_t i = 0; i < slices->count; i++)
		free(slices->keys[i]);
	free(slices->keys);
	free(slices);
}

static void slices_remove(struct backends *backends, struct str_view service, const char *key)
{
	struct slices *slices = map_get(&backends->slices, service);

	for (size_t i = 0; slices != NULL && i < slices->count; i++) {
		if (strcmp(slices->keys[i], key) != 0)
			continue;
		free(slices->keys[i]);
		memmove(&slices->keys[i], &slices->keys[i + 1],
			(--slices->count - i) * sizeof(slices->keys[0]));
		break;
	}
	if (slices != NULL && slices->count == 0)
		slices_free(map_remove(&backends->slices, service));
}

/* ---- what is to be resolved anew ---- */

static void group_touch(struct backends *backends, struct group *group)
{
	if (group != NULL && !list_linked(&group->dirty))
		list_append(&backends->dirty, &group->dirty);
}

void backends_touch(struct backends *backends, const char *kind, const char *ns,
		    struct str_view name)
{
	char text[KEY_MAX];
	int len = snprintf(text, sizeof(text), "%s/%s/%.*s", kind, ns, SV_ARG(name));

	if (len > 0 && len < KEY_MAX)
		group_touch(backends, map_get(&backends->groups, sv_new(text, (size_t)len)));
}

void backends_service_changed(struct backends *backends, const struct object *service)
{
	backends_touch(backends, "Service", object_namespace(service),
		       sv_from(object_name(service)));
}

void backends_backend_changed(struct backends *backends, const struct object *backend)
{
	backends_touch(backends, "Backend", object_namespace(backend),
		       sv_from(object_name(backend)));
}

void backends_slice_changed(struct backends *backends, const struct object *before,
			    const struct object *after)
{
	char text[KEY_MAX];

	if (before != NULL) {
		struct str_view service = slice_service(before);

		slices_remove(backends, print_key(text, object_namespace(before), service),
			      before->key);
		backends_touch(backends, "Service", object_namespace(before), service);
	}
	if (after != NULL && slice_service(after).len > 0) {
		struct str_view service = slice_service(after);

		slices_add(backends, print_key(text, object_namespace(after), service), after->key);
		backends_touch(backends, "Service", object_namespace(after), service);
	}
}

/* Some name has other addresses: whoever uses names is looked at again. */
static void names_changed(void *arg)
{
	struct backends *backends = arg;
	void *value;

	for (size_t it = 0; map_next(&backends->groups, &it, NULL, &value);) {
		struct group *group = value;

		LIST_EACH(&group->entries, node)
		{
			if (LIST_ENTRY(node, struct entry, link)->name_count > 0)
				group_touch(backends, group);
		}
	}
	backends->config.changed(backends->config.arg);
}

/* ---- resolving ---- */

static size_t slices_of(struct backends *backends, const struct group *group,
			const json_t *out[RESOLVE_SLICES_MAX])
{
	char text[KEY_MAX];
	const struct slices *slices =
		map_get(&backends->slices, print_key(text, group->ns, sv_from(group->name)));
	size_t count = 0;

	for (size_t i = 0; slices != NULL && i < slices->count && count < RESOLVE_SLICES_MAX; i++) {
		const struct object *slice =
			store_get(backends->config.store, sv_from(slices->keys[i]));

		if (slice != NULL)
			out[count++] = slice->json;
	}
	return count;
}

/* The names of a Backend, looked up; those that it held before are let go of afterwards, so that
 * what stays is not asked for anew. */
static void entry_names(struct backends *backends, struct entry *entry, const json_t *backend)
{
	const json_t *endpoints = json_at(backend, "spec.endpoints");
	size_t old_count = entry->name_count;
	AUTO(auto_free) const struct fqdn **old = entry->names;
	json_t *endpoint;
	size_t i;

	entry->names = xcalloc(json_array_size(endpoints) + 1, sizeof(struct fqdn *));
	entry->name_count = 0;
	json_array_foreach(endpoints, i, endpoint)
	{
		struct str_view name = json_sv_at(endpoint, "fqdn.hostname");

		if (name.len > 0)
			entry->names[entry->name_count++] = fqdn_get(backends->fqdns, name);
	}
	for (i = 0; i < old_count; i++)
		fqdn_unref(backends->fqdns, old[i]);
}

static const struct object *group_object(struct backends *backends, const struct group *group)
{
	AUTO(auto_free)
	char *key =
		strcmp(group->kind, "Service") == 0
			? object_key("core", "services", group->ns, group->name)
			: object_key("gateway.envoyproxy.io", "backends", group->ns, group->name);

	return key == NULL ? NULL : store_get(backends->config.store, sv_from(key));
}

static void resolve(struct backends *backends, struct entry *entry, struct resolved *out)
{
	const struct group *group = entry->group;
	const struct object *object = group_object(backends, group);
	const json_t *slices[RESOLVE_SLICES_MAX];
	struct resolve_how how = {
		.rules = backends->config.rules, .port = entry->port, .use = entry->use};

	resolved_init(out);
	if (strcmp(group->kind, "Backend") == 0) {
		entry_names(backends, entry, object == NULL ? NULL : object->json);
		how.names = entry->names;
	} else if (object != NULL) {
		how.slices = slices;
		how.slice_count = slices_of(backends, group, slices);
	}
	if (object == NULL)
		resolved_fail(out, "BackendNotFound", "it does not exist");
	else if (how.slices != NULL)
		resolve_service(&how, object->json, out);
	else
		resolve_backend(&how, object->json, out);
}

static struct policy_subject subject_of(const struct group *group, const struct target *target)
{
	return (struct policy_subject){.kind = group->kind,
				       .ns = group->ns,
				       .name = group->name,
				       .section = sv_from(target->section)};
}

/* TLS, as the BackendTLSPolicy says that holds. One that cannot be used fails what it is for. */
static void apply_policy(const struct backends *backends, const struct entry *entry,
			 struct resolved *out)
{
	struct target *target = &out->target;
	struct policy_subject subject = subject_of(entry->group, target);
	struct policy_result found;

	if (entry->use == USE_DATAGRAM || backends->config.policies == NULL)
		return;
	found = policies_find(backends->config.policies, &subject);
	target->policed = found.aimed;
	if (found.tls != NULL) {
		target->tls = found.tls;
		target->tls_id = found.tls->id;
	} else if (found.any && found.own) {
		resolved_fail(out, "InvalidBackendTLS", "spec.tls of Backend %s cannot be used: %s",
			      found.id, found.why == NULL ? "" : found.why);
	} else if (found.any) {
		resolved_fail(out, NULL, "BackendTLSPolicy %s cannot be used, its status says why",
			      found.id);
	} else if (target->needs_tls && entry->use == USE_HTTP) {
		resolved_fail(out, "UnsupportedProtocol",
			      "its appProtocol asks for TLS, and no BackendTLSPolicy says whom to "
			      "trust");
	}
}

bool target_subject(const struct target *target, struct policy_subject *subject)
{
	const struct entry *entry =
		CONTAINER_OF((struct target *)(uintptr_t)target, struct entry, target);

	*subject = subject_of(entry->group, target);
	return target->policed;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_target(const struct target *a, const struct target *b)
{
	if (!same_text(a->reason, b->reason) || !same_text(a->message, b->message) ||
	    a->fail_status != b->fail_status || a->protocol != b->protocol ||
	    a->policed != b->policed || a->tls_id != b->tls_id ||
	    a->endpoint_count != b->endpoint_count)
		return false;
	for (size_t i = 0; i < a->endpoint_count; i++) {
		if (!sock_addr_eq(&a->endpoints[i], &b->endpoints[i]))
			return false;
	}
	return true;
}

static bool entry_refresh(struct backends *backends, struct entry *entry)
{
	struct target *target = &entry->target;
	struct resolved now;

	resolve(backends, entry, &now);
	apply_policy(backends, entry, &now);
	if (target->serial != 0 && same_target(target, &now.target)) {
		resolved_deinit(&now);
		return false;
	}
	free(target->message);
	free(target->endpoints);
	*target = now.target;
	target->serial = ++backends->serial;
	return true;
}

bool backends_refresh(struct backends *backends)
{
	bool news = false;

	LIST_EACH(&backends->dirty, node)
	{
		struct group *group = LIST_ENTRY(node, struct group, dirty);

		list_remove(node);
		LIST_EACH(&group->entries, inner)
		{
			struct entry *entry = LIST_ENTRY(inner, struct entry, link);

			news = entry_refresh(backends, entry) || news;
		}
	}
	return news;
}

/* ---- birth and death ---- */

struct backends *backends_new(const struct backends_config *config)
{
	struct backends *backends = xcalloc(1, sizeof(*backends));

	backends->config = *config;
	backends->fqdns = fqdns_new(config->loop, config->dns, names_changed, backends);
	list_init(&backends->dirty);
	return backends;
}

void backends_free(struct backends *backends)
{
	if (backends == NULL)
		return;
	map_deinit(&backends->groups, NULL);
	map_deinit(&backends->slices, slices_free);
	fqdns_free(backends->fqdns);
	free(backends);
}

static struct group *group_get(struct backends *backends, const struct target_name *name)
{
	AUTO(auto_free) char *key = xasprintf("%s/%s/%s", name->kind, name->ns, name->name);
	struct group *group = map_get(&backends->groups, sv_from(key));

	if (group != NULL)
		return group;
	group = xcalloc(1, sizeof(*group));
	group->kind = strcmp(name->kind, "Service") == 0 ? "Service" : "Backend";
	group->ns = xstrdup(name->ns);
	group->name = xstrdup(name->name);
	list_init(&group->entries);
	list_init(&group->dirty);
	(void)map_put(&backends->groups, sv_from(key), group);
	group->key = TAKE(key);
	return group;
}

static void group_free(struct backends *backends, struct group *group)
{
	(void)map_remove(&backends->groups, sv_from(group->key));
	list_remove(&group->dirty);
	free(group->key);
	free(group->ns);
	free(group->name);
	free(group);
}

static struct entry *entry_find(const struct group *group, const struct target_name *name)
{
	LIST_EACH(&group->entries, node)
	{
		struct entry *entry = LIST_ENTRY(node, struct entry, link);

		if (entry->port == name->port && entry->use == name->use)
			return entry;
	}
	return NULL;
}

const struct target *backends_get(struct backends *backends, const struct target_name *name)
{
	struct group *group = group_get(backends, name);
	struct entry *entry = entry_find(group, name);

	if (entry == NULL) {
		entry = xcalloc(1, sizeof(*entry));
		entry->group = group;
		entry->port = name->port;
		entry->use = name->use;
		list_append(&group->entries, &entry->link);
		(void)entry_refresh(backends, entry);
	}
	entry->users++;
	return &entry->target;
}

void target_unref(struct backends *backends, const struct target *target)
{
	struct entry *entry =
		CONTAINER_OF((struct target *)(uintptr_t)target, struct entry, target);
	struct group *group = entry->group;

	if (--entry->users > 0)
		return;
	for (size_t i = 0; i < entry->name_count; i++)
		fqdn_unref(backends->fqdns, entry->names[i]);
	free(entry->names);
	free(entry->target.message);
	free(entry->target.endpoints);
	list_remove(&entry->link);
	free(entry);
	if (list_empty(&group->entries))
		group_free(backends, group);
}
