#include "controller/clients.h"

#include "base/own.h"
#include "controller/grants.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct asking { /* one listener */
	const struct clients_env *env;
	struct gw_listener *listener;
	size_t count;
	const struct object *maps[CAS_MAPS_MAX]; /* those that are in order */
};

/* The first failure is the one that is told. */
static void fail(struct asking *asking, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct asking *asking, const char *reason, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list args;

	if (asking->listener->clients_reason != NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	asking->listener->clients_message = xasprintf("caCertificateRefs: %s", text);
	asking->listener->clients_reason = reason;
}

/* What perPort says takes the place of the default as a whole. NULL: no certificates are asked for.
 */
static const json_t *validation_of(const struct gw_listener *listener)
{
	const json_t *frontend = json_at(listener->gateway->spec->json, "spec.tls.frontend");
	json_t *row;
	size_t i;

	if (listener->protocol != LISTENER_HTTPS)
		return NULL;
	json_array_foreach(json_member(frontend, "perPort"), i, row)
	{
		if (json_int_at(row, "port", 0) == listener->port)
			return json_at(row, "tls.validation");
	}
	return json_at(frontend, "default.validation");
}

static bool granted(const struct asking *asking, const char *ns, const char *name)
{
	struct grant_ask ask = {.from_group = GATEWAY_GROUP,
				.from_kind = "Gateway",
				.from_ns = object_namespace(asking->listener->gateway->spec),
				.to_group = "",
				.to_kind = "ConfigMap",
				.to_ns = ns,
				.to_name = name};

	return grants_permit(asking->env->store, &ask);
}

static void take_map(struct asking *asking, const char *ns, const char *name)
{
	AUTO(auto_free) char *key = object_key("core", "configmaps", ns, name);
	const struct object *map = key == NULL ? NULL : store_get(asking->env->store, sv_from(key));
	const char *problem = map == NULL ? NULL : cas_problem(asking->env->cas, map);

	if (map == NULL)
		fail(asking, "InvalidCACertificateRef", "ConfigMap %s/%s does not exist", ns, name);
	else if (problem != NULL)
		fail(asking, "InvalidCACertificateRef", "%s", problem);
	else if (asking->count < CAS_MAPS_MAX)
		asking->maps[asking->count++] = map;
}

static void take_ref(struct asking *asking, const json_t *ref)
{
	const char *own = object_namespace(asking->listener->gateway->spec);
	struct str_view group = json_sv_at(ref, "group"), kind = json_sv_at(ref, "kind");
	const char *ns = json_str_at(ref, "namespace"), *name = json_str_at(ref, "name");

	ns = ns != NULL ? ns : own;
	if (group.len > 0 || !sv_eq(kind, SV("ConfigMap")) || name == NULL)
		fail(asking, "InvalidCACertificateKind",
		     "only ConfigMaps of the core group can hold CA certificates, not kind %.*s",
		     SV_ARG(kind));
	else if (!granted(asking, ns, name))
		fail(asking, "RefNotPermitted",
		     "ConfigMap %s/%s is in another namespace, and no ReferenceGrant there permits "
		     "Gateways of %s to name it",
		     ns, name, own);
	else
		take_map(asking, ns, name);
}

static bool insecure(const json_t *validation)
{
	return sv_eq(json_sv_at(validation, "mode"), SV("AllowInsecureFallback"));
}

bool clients_resolve(const struct clients_env *env, struct gw_listener *listener)
{
	const json_t *validation = validation_of(listener);
	struct asking asking = {.env = env, .listener = listener};
	bool refused = listener->clients_refused;
	json_t *ref;
	size_t i;

	listener_reset_clients(listener);
	json_array_foreach(json_member(validation, "caCertificateRefs"), i, ref)
	{
		take_ref(&asking, ref);
	}
	listener->clients_refused = validation != NULL && asking.count == 0;
	listener->clients_optional = insecure(validation);
	if (asking.count > 0)
		listener->clients = cas_get(env->cas, asking.maps, asking.count,
					    listener->clients_optional ? "optional" : "required");
	return listener->clients_refused != refused;
}

bool clients_insecure(const struct gateway *gateway)
{
	const json_t *frontend = json_at(gateway->spec->json, "spec.tls.frontend");
	json_t *row;
	size_t i;

	json_array_foreach(json_member(frontend, "perPort"), i, row)
	{
		if (insecure(json_at(row, "tls.validation")))
			return true;
	}
	return insecure(json_at(frontend, "default.validation"));
}
