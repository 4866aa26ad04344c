#include "controller/certrefs.h"

#include "base/own.h"
#include "controller/grants.h"
#include "controller/hostname.h"
#include "controller/listenerset.h"
#include "controller/shim_routes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NOTE_ISSUER  "cert-manager.io/issuer"
#define NOTE_CLUSTER "cert-manager.io/cluster-issuer"

/* The first failure is the one that is told. */
static void fail(struct gw_listener *listener, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct gw_listener *listener, const char *reason, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list args;

	if (listener->cert_reason != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	free(listener->cert_message);
	listener->cert_message = xstrdup(text);
	listener->cert_reason = reason;
}

/* ---- issuers ---- */

static const char *note_of(const struct object *object, const char *name)
{
	return json_string_value(json_member(json_at(object->json, "metadata.annotations"), name));
}

/* A ListenerSet that names no issuer has that of its Gateway, as with cert-manager. */
static const char *note(const struct gw_listener *listener, const char *name)
{
	const struct object *owner = listener_owner(listener);

	if (note_of(owner, NOTE_CLUSTER) == NULL && note_of(owner, NOTE_ISSUER) == NULL)
		owner = listener->gateway->spec;
	return note_of(owner, name);
}

static const struct object *issuer_of(const struct certrefs_env *env,
				      const struct gw_listener *listener)
{
	const char *cluster = note(listener, NOTE_CLUSTER), *name = note(listener, NOTE_ISSUER);
	AUTO(auto_free)
	char *key = cluster != NULL ? object_key("cert-manager.io", "clusterissuers", "", cluster)
		    : name != NULL  ? object_key("cert-manager.io", "issuers",
						 object_namespace(listener_owner(listener)), name)
				    : NULL;

	return key == NULL ? NULL : store_get(env->store, sv_from(key));
}

/* Are there HTTP-01 solvers, and no others? */
static bool only_http01(const struct object *issuer)
{
	const json_t *solvers = json_at(issuer->json, "spec.acme.solvers");
	json_t *solver;
	size_t i;

	json_array_foreach(solvers, i, solver)
	{
		if (json_member(solver, "http01") == NULL)
			return false;
	}
	return json_array_size(solvers) > 0;
}

/* A Secret that is not there yet, of a Gateway that asks an issuer for it. */
static void tell_pending(const struct certrefs_env *env, struct gw_listener *listener,
			 const char *secret)
{
	const char *cluster = note(listener, NOTE_CLUSTER);
	const char *name = cluster != NULL ? cluster : note(listener, NOTE_ISSUER);
	const char *kind = cluster != NULL ? "ClusterIssuer" : "Issuer";
	const struct object *issuer = issuer_of(env, listener);

	if (issuer == NULL) {
		fail(listener, "InvalidCertificateRef",
		     "Secret %s does not exist, and the %s \"%s\" that should issue it does not "
		     "exist either",
		     secret, kind, name);
		return;
	}
	listener->cert_pending = true;
	if (only_http01(issuer) && !env->http_listener)
		fail(listener, "InvalidCertificateRef",
		     "Secret %s waits for %s \"%s\", which cannot get it: HTTP-01 needs a listener "
		     "of protocol HTTP, on port 80, and there is none. Add one to a Gateway, or "
		     "give the issuer a tlsALPN01 or dns01 solver",
		     secret, kind, name);
	else
		fail(listener, "InvalidCertificateRef",
		     "Secret %s does not exist yet: its certificate is pending issuance by %s "
		     "\"%s\"; until then handshakes are refused",
		     secret, kind, name);
}

/* ---- references ---- */

static const char *kind_of_owner(const struct gw_listener *listener)
{
	return listener->set != NULL ? "ListenerSet" : "Gateway";
}

static bool granted(const struct certrefs_env *env, const struct gw_listener *listener,
		    const char *ns, const char *name)
{
	struct grant_ask ask = {.from_group = GATEWAY_GROUP,
				.from_kind = kind_of_owner(listener),
				.from_ns = object_namespace(listener_owner(listener)),
				.to_group = "",
				.to_kind = "Secret",
				.to_ns = ns,
				.to_name = name};

	return grants_permit(env->store, &ask);
}

static void take_secret(const struct certrefs_env *env, struct gw_listener *listener,
			const char *ns, const char *name)
{
	bool own = strcmp(ns, object_namespace(listener_owner(listener))) == 0;
	AUTO(auto_free) char *key = object_key("core", "secrets", ns, name);
	AUTO(auto_free) char *id = xasprintf("%s/%s", ns, name);
	const struct object *secret = key == NULL ? NULL : store_get(env->store, sv_from(key));
	const char *problem = NULL;
	struct cert *cert;

	if (secret == NULL) {
		if (own &&
		    (note(listener, NOTE_CLUSTER) != NULL || note(listener, NOTE_ISSUER) != NULL))
			tell_pending(env, listener, id);
		else
			fail(listener, "InvalidCertificateRef",
			     "Secret %s does not exist: create it, or name who issues it with the "
			     "annotation cert-manager.io/cluster-issuer of the %s",
			     id, kind_of_owner(listener));
		return;
	}
	cert = certs_get(env->certs, secret, env->graveyard, &problem);
	if (cert == NULL)
		fail(listener, "InvalidCertificateRef", "%s", problem);
	else if (listener->cert_count < LISTENER_CERTS_MAX)
		listener->certs[listener->cert_count++] = cert;
}

static void take_ref(const struct certrefs_env *env, struct gw_listener *listener,
		     const json_t *ref)
{
	struct str_view group = json_sv_at(ref, "group"), kind = json_sv_at(ref, "kind");
	const char *ns = json_str_at(ref, "namespace"), *name = json_str_at(ref, "name");

	ns = ns != NULL ? ns : object_namespace(listener_owner(listener));
	if (group.len > 0 || (kind.len > 0 && !sv_eq(kind, SV("Secret"))) || name == NULL)
		fail(listener, "InvalidCertificateRef",
		     "certificateRefs can name Secrets of the core group only, not kind %.*s",
		     SV_ARG(kind));
	else if (!granted(env, listener, ns, name))
		fail(listener, "RefNotPermitted",
		     "Secret %s/%s is in another namespace, and no ReferenceGrant there permits "
		     "%ss of %s to name it",
		     ns, name, kind_of_owner(listener), object_namespace(listener_owner(listener)));
	else
		take_secret(env, listener, ns, name);
}

/* ---- certificates for the hostnames of routes (shim_routes.h) ---- */

struct beside {
	const struct certrefs_env *env;
	struct gw_listener *listener;
	const char *whose;
};

static bool take_beside(void *arg, const struct object *secret)
{
	const struct beside *beside = arg;
	const char *whose = note_of(secret, NOTE_ROUTES_OF);

	if (whose != NULL && strcmp(whose, beside->whose) == 0)
		take_secret(beside->env, beside->listener, object_namespace(secret),
			    object_name(secret));
	return true;
}

static bool is_by_routes(const struct gw_listener *listener)
{
	return listener->hostname.len == 0 && shim_by_routes(listener_owner(listener)) &&
	       (note(listener, NOTE_CLUSTER) != NULL || note(listener, NOTE_ISSUER) != NULL);
}

/* The Secret of certificateRefs need not be there: it gives those of the hostnames their name. */
static void take_ref_and_beside(const struct certrefs_env *env, struct gw_listener *listener,
				const json_t *ref)
{
	const char *ns = object_namespace(listener_owner(listener));
	const char *name = json_str_at(ref, "name"), *of = json_str_at(ref, "namespace");
	AUTO(auto_free) char *whose = shim_routes_of(listener_owner(listener));
	struct beside beside = {.env = env, .listener = listener, .whose = whose};
	AUTO(auto_free) char *key = NULL;
	AUTO(auto_free) char *prefix = NULL;

	if (name == NULL || (of != NULL && strcmp(of, ns) != 0)) {
		take_ref(env, listener, ref);
		return;
	}
	key = object_key("core", "secrets", ns, name);
	prefix = key == NULL ? NULL : xasprintf("%s-", key);
	if (prefix == NULL || store_get(env->store, sv_from(key)) != NULL)
		take_ref(env, listener, ref);
	if (prefix != NULL)
		store_each(env->store, sv_from(prefix), take_beside, &beside);
}

static void tell_no_names(struct gw_listener *listener)
{
	listener->cert_pending = true;
	fail(listener, "InvalidCertificateRef",
	     "no certificate is there yet: each hostname of an HTTPRoute that attaches here gets "
	     "one "
	     "(" NOTE_CERTIFICATES "); until then handshakes are refused");
}

/* A wrong name's certificate is never shown, so such a listener refuses its own hostname. */
static void check_names(struct gw_listener *listener)
{
	for (size_t i = 0; i < listener->cert_count; i++) {
		for (size_t j = 0; j < listener->certs[i]->name_count; j++) {
			struct str_view name = listener->certs[i]->names[j];

			if (hostname_covers(name, listener->hostname) ||
			    hostname_covers(listener->hostname, name))
				return;
		}
	}
	if (listener->cert_reason != NULL || listener->cert_count == 0)
		return;
	listener->cert_message =
		xasprintf("no certificate is for hostname %.*s: its handshakes are refused",
			  SV_ARG(listener->hostname));
}

void certrefs_resolve(const struct certrefs_env *env, struct gw_listener *listener)
{
	const json_t *refs = json_at(listener->json, "tls.certificateRefs");
	json_t *ref;
	size_t i;

	listener_reset_certs(listener);
	if (json_array_size(refs) == 0)
		fail(listener, "InvalidCertificateRef", "the listener names no certificateRefs");
	json_array_foreach(refs, i, ref)
	{
		if (is_by_routes(listener))
			take_ref_and_beside(env, listener, ref);
		else
			take_ref(env, listener, ref);
	}
	if (is_by_routes(listener) && listener->cert_count == 0)
		tell_no_names(listener);
	if (listener->hostname.len > 0)
		check_names(listener);
}
