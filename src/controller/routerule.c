#include "controller/routerule.h"

#include "base/clock.h"
#include "base/own.h"
#include "controller/filters.h"
#include "controller/gateway.h"
#include "controller/grants.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_MAX     (1u << 20) /* arrays of one route's filters */
#define MESSAGE_MAX   4096       /* bytes of a condition's message; what is more is left out */
#define RULE_NAME_MAX 640        /* "namespace/name/rule" */
#define WHERE_MAX     128        /* "rules[1].filters[2].requestMirror.backendRef" */
#define RETRIES       2          /* attempts after the first when a rule's retry does not say */

struct making { /* one route being compiled */
	struct compiled *out;
	const struct object *route;
	const struct compile_env *env;
	enum route_kind kind;
	struct arena arena;
	size_t rule;  /* index */
	bool refused; /* this rule answers 500 */
};

/* ---- what is wrong ---- */

static void say(struct buf *out, const char *where, const char *what)
{
	if (buf_len(out) + strlen(where) + strlen(what) + 4 < MESSAGE_MAX)
		(void)buf_addf(out, "%s%s: %s", buf_len(out) == 0 ? "" : "; ", where, what);
}

static void rule_refused(struct making *making, const char *reason, const char *what)
{
	char where[64];

	snprintf(where, sizeof(where), "rules[%zu]", making->rule);
	say(&making->out->refused_message, where, what);
	making->out->refused_count += !making->refused;
	making->refused = true;
	if (making->out->refused_reason == NULL)
		making->out->refused_reason = reason;
}

static void ref_failed(struct making *making, const char *ref, const char *reason, const char *what)
{
	struct compiled *out = making->out;
	char where[WHERE_MAX];

	snprintf(where, sizeof(where), "rules[%zu].%s", making->rule, ref);
	if (out->refs_reason == NULL && reason != NULL)
		out->refs_reason = reason;
	say(&out->refs_message, where, what);
}

/* ---- backends ---- */

static const struct target *use_target(struct making *making, const struct target_name *name)
{
	struct compiled *out = making->out;
	const struct target *target = backends_get(making->env->backends, name);

	if (out->use_count == out->use_size) {
		out->use_size = out->use_size == 0 ? 4 : out->use_size * 2;
		out->uses = xrealloc(out->uses, out->use_size * sizeof(out->uses[0]));
	}
	out->uses[out->use_count++] = (struct use){.target = target, .serial = target->serial};
	return target;
}

static const struct {
	const char *group, *kind;
} backend_kinds[] = {{"", "Service"}, {"gateway.envoyproxy.io", "Backend"}};

static bool backend_kind_known(const char *group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(backend_kinds); i++) {
		if (strcmp(backend_kinds[i].group, group) == 0 &&
		    strcmp(backend_kinds[i].kind, kind) == 0)
			return true;
	}
	return false;
}

static const char *text_or(const json_t *value, const char *member, const char *otherwise)
{
	const char *text = json_str_at(value, member);

	return text == NULL ? otherwise : text;
}

static const enum target_use uses[ROUTE_KIND_COUNT] = {
	[ROUTE_TLS] = USE_STREAM, [ROUTE_TCP] = USE_STREAM, [ROUTE_UDP] = USE_DATAGRAM};

static bool ref_granted(struct making *making, const char *group, const struct target_name *name)
{
	struct grant_ask ask = {.from_group = GATEWAY_GROUP,
				.from_kind = route_kinds[making->kind].kind,
				.from_ns = object_namespace(making->route),
				.to_group = group,
				.to_kind = name->kind,
				.to_ns = name->ns,
				.to_name = name->name};

	if (strcmp(ask.from_ns, ask.to_ns) != 0)
		making->out->asks_grants = true;
	return grants_permit(making->env->store, &ask);
}

/* What a reference comes to: a target, or NULL and the condition has been told. where: in the rule.
 */
static const struct target *resolve_ref(struct making *making, const json_t *ref, const char *where)
{
	const char *group = text_or(ref, "group", "");
	struct target_name name = {.kind = text_or(ref, "kind", "Service"),
				   .ns = text_or(ref, "namespace", object_namespace(making->route)),
				   .name = text_or(ref, "name", ""),
				   .port = (uint16_t)json_int_at(ref, "port", 0),
				   .use = uses[making->kind]};
	AUTO(auto_free) char *what = NULL;
	const struct target *target;

	if (!backend_kind_known(group, name.kind)) {
		what = xasprintf("a backend of kind %s%s%s is not supported", name.kind,
				 group[0] == '\0' ? "" : ".", group);
		ref_failed(making, where, "InvalidKind", what);
		return NULL;
	}
	if (!ref_granted(making, group, &name)) {
		what = xasprintf("%s %s/%s is in another namespace, and no ReferenceGrant there "
				 "permits %ss of %s to name it",
				 name.kind, name.ns, name.name, route_kinds[making->kind].kind,
				 object_namespace(making->route));
		ref_failed(making, where, "RefNotPermitted", what);
		return NULL;
	}
	if (strcmp(name.kind, "Backend") == 0)
		name.port = 0; /* its endpoints have their own */
	target = use_target(making, &name);
	if (target->message != NULL) {
		what = xasprintf("%s %s/%s: %s", name.kind, name.ns, name.name, target->message);
		ref_failed(making, where, target->reason, what);
	}
	return target;
}

/* name: RULE_NAME_MAX bytes, for the text of like->name. */
static void backend_fill(const struct making *making, const json_t *ref,
			 const struct target *target, struct backend *like, char *name)
{
	snprintf(name, RULE_NAME_MAX, "%s/%s:%u",
		 text_or(ref, "namespace", object_namespace(making->route)),
		 text_or(ref, "name", ""), (unsigned)json_int_at(ref, "port", 0));
	like->name = sv_from(name);
	if (json_member(ref, "port") == NULL)
		like->name.len -= 2; /* ":0" */
	like->fail_status = target == NULL ? 500 : target->fail_status;
	if (target == NULL)
		return;
	like->protocol = target->protocol;
	if (making->kind == ROUTE_GRPC && like->protocol == BACKEND_HTTP1)
		like->protocol = BACKEND_H2C; /* there is no gRPC over HTTP/1 */
	like->tls = target->tls;
	like->endpoint_count = target->endpoint_count;
	like->endpoints = target->endpoints;
}

/* ---- filters ---- */

/* Resolves what RequestMirror filters name. The caller lets go of the backends (mirrors_drop).
 * prefix: of the list in the rule. NULL: the arena is full. */
static struct mirror *mirrors_make(struct making *making, const struct filters *filters,
				   const char *prefix)
{
	struct mirror *mirrors =
		arena_zalloc(&making->arena, (filters->mirror_count + 1) * sizeof(*mirrors));

	for (size_t i = 0; mirrors != NULL && i < filters->mirror_count; i++) {
		const struct mirror_ask *ask = &filters->mirrors[i];
		struct backend like = {.weight = 1};
		char name[RULE_NAME_MAX], where[WHERE_MAX];

		snprintf(where, sizeof(where), "%sfilters[%zu].requestMirror.backendRef", prefix,
			 ask->filter);
		backend_fill(making, ask->ref, resolve_ref(making, ask->ref, where), &like, name);
		mirrors[i] = (struct mirror){.backend = backend_new(&like),
					     .numerator = ask->numerator,
					     .denominator = ask->denominator};
	}
	return mirrors;
}

static void mirrors_drop(struct making *making, const struct mirror *mirrors, size_t count)
{
	for (size_t i = 0; i < count; i++)
		part_unref(&mirrors[i].backend->part, making->env->graveyard);
}

/* Reads a list of filters, or refuses the rule. */
static void read_filters(struct making *making, const json_t *list, struct filters *filters)
{
	struct err err = {.code = ERR_NONE};
	const char *reason;

	*filters = (struct filters){.at = 0};
	if (filters_read(list, &making->arena, filters, &reason, &err) < 0)
		rule_refused(making, reason, err.msg);
}

static struct backend *backend_make(struct making *making, const json_t *ref, size_t index)
{
	struct backend *backend, like = {.weight = (uint32_t)json_int_at(ref, "weight", 1)};
	struct filters filters;
	struct mirror *mirrors;
	char name[RULE_NAME_MAX], where[WHERE_MAX];

	snprintf(where, sizeof(where), "backendRefs[%zu]", index);
	backend_fill(making, ref, resolve_ref(making, ref, where), &like, name);
	read_filters(making, json_member(ref, "filters"), &filters);
	snprintf(where, sizeof(where), "backendRefs[%zu].", index);
	mirrors = mirrors_make(making, &filters, where);
	like.request_headers = filters.request_headers;
	like.response_headers = filters.response_headers;
	like.redirect = filters.redirect;
	like.rewrite = filters.rewrite;
	like.cors = filters.cors;
	like.mirrors = mirrors;
	like.mirror_count = mirrors == NULL ? 0 : filters.mirror_count;
	backend = backend_new(&like);
	mirrors_drop(making, mirrors, like.mirror_count);
	return backend;
}

/* ---- one rule ---- */

/* The rule's own filters; like->mirrors are to be dropped when the rule is made. */
static void rule_filters(struct making *making, const json_t *json, struct rule *like)
{
	struct filters filters;

	read_filters(making, json_member(json, "filters"), &filters);
	like->request_headers = filters.request_headers;
	like->response_headers = filters.response_headers;
	like->redirect = filters.redirect;
	like->rewrite = filters.rewrite;
	like->cors = filters.cors;
	like->mirrors = mirrors_make(making, &filters, "");
	like->mirror_count = like->mirrors == NULL ? 0 : filters.mirror_count;
}

static int64_t timeout_of(const json_t *json, const char *path)
{
	int64_t ms = 0;

	(void)clock_parse_duration(json_sv_at(json, path), &ms);
	return ms;
}

static void rule_retry(struct making *making, const json_t *json, struct rule_retry *retry)
{
	const json_t *codes = json_member(json, "codes");
	uint16_t *list = arena_zalloc(&making->arena, (json_array_size(codes) + 1) * sizeof(*list));
	json_t *code;
	size_t i;

	if (json == NULL)
		return;
	retry->present = true;
	retry->attempts = (uint32_t)json_int_at(json, "attempts", RETRIES);
	retry->backoff_ms = timeout_of(json, "backoff");
	json_array_foreach(codes, i, code)
	{
		if (list != NULL)
			list[retry->code_count++] = (uint16_t)json_integer_value(code);
	}
	retry->codes = list;
}

static void rule_name(const struct making *making, const json_t *json, char out[RULE_NAME_MAX])
{
	const char *own = json_str_at(json, "name");
	const char *ns = object_namespace(making->route), *name = object_name(making->route);

	if (own != NULL)
		snprintf(out, RULE_NAME_MAX, "%s/%s/%s", ns, name, own);
	else
		snprintf(out, RULE_NAME_MAX, "%s/%s/%zu", ns, name, making->rule);
}

/* Are the expressions of its matches in order? (The workers' own compiler judges.) */
static bool matches_compile(const struct making *making, const json_t *json, struct rule *rule,
			    struct err *err)
{
	const json_t *list = json_member(json, "matches");
	struct matches matches = {0};
	struct rule **rules = NULL;
	struct vhost *vhost;
	AUTO(auto_free) char *text = json_text(list);

	if (text == NULL || strstr(text, "RegularExpression") == NULL)
		return true;
	rules = xcalloc(making->out->rule_count, sizeof(struct rule *));
	rules[making->rule] = rule;
	matches_add(&matches, making->route, rules);
	vhost = vhost_new(matches.specs, matches.count, err);
	if (vhost != NULL)
		part_unref(vhost_part(vhost), making->env->graveyard);
	matches_deinit(&matches);
	free(rules);
	return vhost != NULL;
}

static struct rule *rule_make(struct making *making, const json_t *json)
{
	const json_t *refs = json_member(json, "backendRefs");
	AUTO(auto_free)
	struct backend **backends = xcalloc(json_array_size(refs) + 1, sizeof(void *));
	struct rule like = {.backends = backends};
	struct err err = {.code = ERR_NONE};
	char name[RULE_NAME_MAX];
	struct rule *rule;

	making->refused = false;
	rule_name(making, json, name);
	like.name = sv_from(name);
	rule_filters(making, json, &like);
	rule_retry(making, json_member(json, "retry"), &like.retry);
	like.request_timeout_ms = timeout_of(json, "timeouts.request");
	like.backend_timeout_ms = timeout_of(json, "timeouts.backendRequest");
	for (; like.backend_count < json_array_size(refs); like.backend_count++)
		backends[like.backend_count] = backend_make(
			making, json_array_get(refs, like.backend_count), like.backend_count);
	if (making->refused)
		like.fail_status = 500;
	rule = rule_new(&like);
	for (size_t i = 0; i < like.backend_count; i++) /* the rule has its own reference */
		part_unref(&backends[i]->part, making->env->graveyard);
	mirrors_drop(making, like.mirrors, like.mirror_count);
	if (matches_compile(making, json, rule, &err))
		return rule;
	rule_refused(making, "UnsupportedValue", err.msg);
	part_unref(&rule->part, making->env->graveyard);
	return NULL;
}

/* ---- one route ---- */

void route_compile(struct compiled *out, const struct object *route, const struct compile_env *env)
{
	const json_t *rules = json_at(route->json, "spec.rules");
	struct making making = {
		.out = out, .route = route, .env = env, .kind = route_kind_of(route)};

	*out = (struct compiled){.id = ++*env->last_id, .rule_count = json_array_size(rules)};
	buf_init(&out->refs_message, MESSAGE_MAX);
	buf_init(&out->refused_message, MESSAGE_MAX);
	arena_init(&making.arena, ARENA_MAX);
	out->rules = xcalloc(out->rule_count + 1, sizeof(struct rule *));
	for (making.rule = 0; making.rule < out->rule_count; making.rule++) {
		out->rules[making.rule] = rule_make(&making, json_array_get(rules, making.rule));
		arena_reset(&making.arena);
	}
	arena_deinit(&making.arena);
}

void compiled_deinit(struct compiled *compiled, const struct compile_env *env)
{
	for (size_t i = 0; i < compiled->rule_count; i++) {
		if (compiled->rules[i] != NULL)
			part_unref(&compiled->rules[i]->part, env->graveyard);
	}
	for (size_t i = 0; i < compiled->use_count; i++)
		target_unref(env->backends, compiled->uses[i].target);
	free(compiled->rules);
	free(compiled->uses);
	buf_deinit(&compiled->refs_message);
	buf_deinit(&compiled->refused_message);
	*compiled = (struct compiled){0};
}

bool compiled_is_stale(const struct compiled *compiled)
{
	for (size_t i = 0; i < compiled->use_count; i++) {
		if (compiled->uses[i].target->serial != compiled->uses[i].serial)
			return true;
	}
	return false;
}
