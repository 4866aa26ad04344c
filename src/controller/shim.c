/* controller/shim.c - annotations of a Gateway or ListenerSet become Certificates (cert-manager's
 * gateway-shim)
 *
 * cert-manager.io/cluster-issuer or cert-manager.io/issuer: every Secret that an HTTPS listener
 * with a hostname names in certificateRefs gets a Certificate of that name, for the hostnames of
 * all listeners that name it. A ListenerSet that names no issuer has that of its Gateway. A
 * Certificate that somebody else made is never touched. Listeners without hostname:
 * shim_routes.h.
 */
#include "controller/shim_routes.h"

#include "base/own.h"

#include <stdlib.h>

#define NOTE_ISSUER       "cert-manager.io/issuer"
#define NOTE_CLUSTER      "cert-manager.io/cluster-issuer"
#define NOTE_COMMON_NAME  "cert-manager.io/common-name"
#define NOTE_DURATION     "cert-manager.io/duration"
#define NOTE_RENEW_BEFORE "cert-manager.io/renew-before"
#define NOTE_ALGORITHM    "cert-manager.io/private-key-algorithm"
#define NOTE_SIZE         "cert-manager.io/private-key-size"
#define NOTE_ENCODING     "cert-manager.io/private-key-encoding"
#define NOTE_ROTATION     "cert-manager.io/private-key-rotation-policy"

static const struct kind *certificate_kind(void)
{
	return kind_by_plural(SV("cert-manager.io"), SV("certificates"));
}

#define SETS_PREFIX "gateway.networking.k8s.io/listenersets/"

static bool is_set(const struct object *owner)
{
	return sv_starts(sv_from(owner->key), SV(SETS_PREFIX));
}

static const struct kind *owner_kind(const char *kind)
{
	return kind_by_plural(SV("gateway.networking.k8s.io"), strcmp(kind, "ListenerSet") == 0
								       ? SV("listenersets")
								       : SV("gateways"));
}

static const struct kind *kind_of(const struct object *owner)
{
	return owner_kind(is_set(owner) ? "ListenerSet" : "Gateway");
}

/* Of a ListenerSet: its Gateway, or NULL. */
static const struct object *parent_of(struct controllers *ctl, const struct object *set)
{
	const char *ns = json_str_at(set->json, "spec.parentRef.namespace");
	const char *name = json_str_at(set->json, "spec.parentRef.name");

	return name == NULL ? NULL
			    : ctl_get(ctl, owner_kind("Gateway"),
				      ns != NULL ? ns : object_namespace(set), name);
}

static const char *note(const struct object *gateway, const char *name)
{
	return json_string_value(json_member(json_at(gateway->json, "metadata.annotations"), name));
}

static void add_name(json_t *names, const char *name)
{
	json_t *known;
	size_t i;

	json_array_foreach(names, i, known)
	{
		if (strcmp(json_string_value(known), name) == 0)
			return;
	}
	json_array_append_new(names, json_string(name));
}

/* Who names the issuer: the owner, or the Gateway of a ListenerSet; NULL: nobody. */
static const struct object *issuer_source(struct controllers *ctl, const struct object *owner)
{
	const struct object *source = owner;

	if (note(owner, NOTE_ISSUER) == NULL && note(owner, NOTE_CLUSTER) == NULL)
		source = is_set(owner) ? parent_of(ctl, owner) : NULL;
	if (source == NULL ||
	    (note(source, NOTE_ISSUER) == NULL && note(source, NOTE_CLUSTER) == NULL))
		return NULL;
	return source;
}

/* Names that each Secret of the Gateway's own namespace must cover: {"secret": ["a.example", …]}.
 */
static json_t *wanted_secrets(const struct object *gateway)
{
	json_t *wanted = json_object();
	json_t *listener, *ref;
	size_t i, j;

	json_array_foreach(json_at(gateway->json, "spec.listeners"), i, listener)
	{
		const char *hostname = json_str_at(listener, "hostname");
		const char *protocol = json_str_at(listener, "protocol");
		const char *mode = json_str_at(listener, "tls.mode");

		if (hostname == NULL || hostname[0] == '\0' || protocol == NULL ||
		    (strcmp(protocol, "HTTPS") != 0 && strcmp(protocol, "TLS") != 0) ||
		    (mode != NULL && strcmp(mode, "Terminate") != 0))
			continue;
		json_array_foreach(json_at(listener, "tls.certificateRefs"), j, ref)
		{
			const char *secret = json_str_at(ref, "name");
			const char *ns = json_str_at(ref, "namespace");

			if (secret == NULL ||
			    (ns != NULL && strcmp(ns, object_namespace(gateway)) != 0))
				continue;
			if (json_object_get(wanted, secret) == NULL)
				json_object_set_new(wanted, secret, json_array());
			add_name(json_object_get(wanted, secret), hostname);
		}
	}
	return wanted;
}

static void set_private_key(json_t *spec, const struct object *gateway)
{
	static const struct {
		const char *note, *member;
	} words[] = {{NOTE_ALGORITHM, "algorithm"},
		     {NOTE_ENCODING, "encoding"},
		     {NOTE_ROTATION, "rotationPolicy"}};
	const char *size = note(gateway, NOTE_SIZE);
	json_t *key = json_object();
	uint64_t bits;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (note(gateway, words[i].note) != NULL)
			json_object_set_new(key, words[i].member,
					    json_string(note(gateway, words[i].note)));
	}
	if (size != NULL && sv_to_u64(sv_from(size), &bits) && bits <= 16384)
		json_object_set_new(key, "size", json_integer((json_int_t)bits));
	if (json_object_size(key) > 0)
		json_object_set(spec, "privateKey", key);
	json_decref(key);
}

static json_t *certificate_spec(const struct object *gateway, const struct object *source,
				const char *secret, json_t *names)
{
	const char *cluster = note(source, NOTE_CLUSTER);
	const char *issuer = cluster != NULL ? cluster : note(source, NOTE_ISSUER);
	json_t *spec = json_pack("{s:s, s:O, s:{s:s, s:s, s:s}, s:s*, s:s*, s:s*}", "secretName",
				 secret, "dnsNames", names, "issuerRef", "name", issuer, "kind",
				 cluster != NULL ? "ClusterIssuer" : "Issuer", "group",
				 "cert-manager.io", "commonName", note(gateway, NOTE_COMMON_NAME),
				 "duration", note(gateway, NOTE_DURATION), "renewBefore",
				 note(gateway, NOTE_RENEW_BEFORE));

	set_private_key(spec, gateway);
	if (shim_by_routes(gateway)) { /* certrefs.c knows their Secrets by it */
		AUTO(auto_free) char *whose = shim_routes_of(gateway);

		json_object_del(spec, "commonName");
		json_object_set_new(spec, "secretTemplate",
				    json_pack("{s:{s:s}}", "annotations", NOTE_ROUTES_OF, whose));
	}
	return spec;
}

/* Does the stored spec hold all that is wanted? Defaults that admission has added do not count. */
static bool spec_holds(const json_t *stored, json_t *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach(wanted, name, value)
	{
		const json_t *there = json_member(stored, name);

		if (json_is_object(value) ? !spec_holds(there, value) : !json_same(there, value))
			return false;
	}
	return true;
}

/* ---- one Certificate being stored ---- */

struct wish {
	struct controllers *ctl;
	char *gateway; /* its key */
	char *secret;
	bool is_new;
};

/* Annotations are free text: what admission refuses of them is the Gateway's trouble. Who lost a
 * race is called again by the change that won. */
static void wish_done(void *arg, const struct object *certificate, const struct err *err)
{
	struct wish *wish = arg;
	const struct object *gateway = store_get(wish->ctl->config.store, sv_from(wish->gateway));

	(void)certificate;
	if (gateway != NULL && err->code == ERR_NONE)
		ctl_event(wish->ctl, kind_of(gateway), gateway, "Normal",
			  wish->is_new ? "CreateCertificate" : "UpdateCertificate",
			  "Certificate %s is wanted for the listeners that name Secret %s",
			  wish->secret, wish->secret);
	else if (gateway != NULL && err->code == ERR_INVALID)
		ctl_event(wish->ctl, kind_of(gateway), gateway, "Warning", "BadConfig",
			  "Certificate %s cannot be made as the annotations and listeners ask: %s",
			  wish->secret, err->msg);
	free(wish->gateway);
	free(wish->secret);
	free(wish);
}

static struct wish *wish_new(struct controllers *ctl, const struct object *gateway,
			     const char *secret, bool is_new)
{
	struct wish *wish = xcalloc(1, sizeof(*wish));

	wish->ctl = ctl;
	wish->gateway = xstrdup(gateway->key);
	wish->secret = xstrdup(secret);
	wish->is_new = is_new;
	return wish;
}

static void want_certificate(struct controllers *ctl, const struct object *gateway,
			     const char *secret, json_t *names)
{
	AUTO(auto_json)
	json_t *spec = certificate_spec(gateway, issuer_source(ctl, gateway), secret, names);
	const struct object *old =
		ctl_get(ctl, certificate_kind(), object_namespace(gateway), secret);
	json_t *body;

	if (old != NULL &&
	    (!ctl_is_owned_by(old, gateway) || spec_holds(json_member(old->json, "spec"), spec)))
		return;
	body = old != NULL ? json_deep_copy(old->json)
			   : json_pack("{s:s, s:s, s:{s:s, s:s, s:[o]}}", "apiVersion",
				       "cert-manager.io/v1", "kind", "Certificate", "metadata",
				       "name", secret, "namespace", object_namespace(gateway),
				       "ownerReferences", ctl_owner_ref(kind_of(gateway), gateway));
	json_object_set(body, "spec", spec);
	ctl_put_object(ctl, certificate_kind(), old, body, wish_done,
		       wish_new(ctl, gateway, secret, old == NULL));
}

struct leftovers {
	struct controllers *ctl;
	const struct object *gateway;
	const json_t *wanted;
};

static bool drop_leftover(void *arg, const struct object *certificate)
{
	const struct leftovers *left = arg;

	if (ctl_is_owned_by(certificate, left->gateway) &&
	    json_member(left->wanted, object_name(certificate)) == NULL)
		ctl_delete_object(left->ctl, certificate);
	return true;
}

static struct str_view accepted_reason(const struct object *set)
{
	return json_sv_at(condition_find(json_at(set->json, "status.conditions"), "Accepted"),
			  "reason");
}

/* Nobody has said yet whether the Gateway allows it. */
static bool undecided(const struct object *set)
{
	return sv_eq(accepted_reason(set), SV("Pending"));
}

static bool shut_out(const struct object *set)
{
	return sv_eq(accepted_reason(set), SV("NotAllowed"));
}

static json_t *wanted_of(struct controllers *ctl, const struct object *owner)
{
	json_t *wanted = wanted_secrets(owner);

	shim_route_names(ctl, owner, wanted);
	return wanted;
}

static void shim_reconcile(struct controllers *ctl, struct str_view key)
{
	const struct object *gateway = store_get(ctl->config.store, key);
	AUTO(auto_json) json_t *wanted = NULL;
	AUTO(auto_free) char *prefix = NULL;
	struct leftovers left = {.ctl = ctl, .gateway = gateway};
	const char *secret;
	json_t *names;

	if (gateway == NULL || (is_set(gateway) && undecided(gateway)))
		return; /* its Certificates go with it: owner.c */
	if (issuer_source(ctl, gateway) == NULL || (is_set(gateway) && shut_out(gateway)))
		wanted = json_object();
	else
		wanted = wanted_of(ctl, gateway);
	json_object_foreach(wanted, secret, names)
	{
		want_certificate(ctl, gateway, secret, names);
	}
	left.wanted = wanted;
	prefix = kind_prefix(certificate_kind(), object_namespace(gateway));
	store_each(ctl->config.store, sv_from(prefix), drop_leftover, &left);
}

/* Its status is written often, and asks for nothing. */
static void owner_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	if (after == NULL ||
	    (before != NULL && object_generation(before) == object_generation(after) &&
	     json_same(json_at(before->json, "metadata.annotations"),
		       json_at(after->json, "metadata.annotations"))))
		return;
	ctl_queue(ctl, CTL_SHIM, sv_from(after->key));
}

struct seeking {
	struct controllers *ctl;
	const struct object *gateway;
};

static bool queue_child(void *arg, const struct object *set)
{
	const struct seeking *seeking = arg;

	if (parent_of(seeking->ctl, set) == seeking->gateway)
		ctl_queue(seeking->ctl, CTL_SHIM, sv_from(set->key));
	return true;
}

/* The issuer of its ListenerSets may be another now. */
static void gateway_map(struct controllers *ctl, const struct object *before,
			const struct object *after)
{
	struct seeking seeking = {.ctl = ctl, .gateway = after};

	owner_map(ctl, before, after);
	if (after != NULL && before != NULL &&
	    !json_same(json_at(before->json, "metadata.annotations"),
		       json_at(after->json, "metadata.annotations")))
		store_each(ctl->config.store, SV(SETS_PREFIX), queue_child, &seeking);
}

static void set_map(struct controllers *ctl, const struct object *before,
		    const struct object *after)
{
	if (after != NULL && before != NULL &&
	    !sv_eq(accepted_reason(before), accepted_reason(after)))
		ctl_queue(ctl, CTL_SHIM, sv_from(after->key));
	else
		owner_map(ctl, before, after);
}

/* A Certificate of a Gateway that was changed or deleted by hand is brought back. */
static void certificate_map(struct controllers *ctl, const struct object *before,
			    const struct object *after)
{
	const struct object *certificate = after != NULL ? after : before;
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(certificate->json, "metadata.ownerReferences"), i, ref)
	{
		AUTO(auto_free) char *key = NULL;
		const char *name = json_str_at(ref, "name");

		if (name == NULL || (!sv_eq(json_sv_at(ref, "kind"), SV("Gateway")) &&
				     !sv_eq(json_sv_at(ref, "kind"), SV("ListenerSet"))))
			continue;
		key = kind_key(owner_kind(json_str_at(ref, "kind")), object_namespace(certificate),
			       name);
		ctl_queue(ctl, CTL_SHIM, sv_from(key));
	}
}

const struct ctl_row ctl_shim = {
	.name = "gateway-shim",
	.watches = {{.prefix = "gateway.networking.k8s.io/gateways/", .map = gateway_map},
		    {.prefix = SETS_PREFIX, .map = set_map},
		    {.prefix = "gateway.networking.k8s.io/httproutes/", .map = shim_route_map},
		    {.prefix = "cert-manager.io/certificates/", .map = certificate_map}},
	.reconcile = shim_reconcile,
};
