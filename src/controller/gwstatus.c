#include "controller/gwstatus.h"

#include "base/own.h"
#include "controller/clients.h"
#include "controller/listenerset.h"
#include "controller/ports.h"
#include "controller/telling.h"

#include <stdio.h>
#include <stdlib.h>

#define KINDS_TEXT_MAX 512
#define UNSUPPORTED_PROTOCOL \
	"its protocol is none of HTTP, HTTPS, TLS, TCP and UDP (in capital letters)"

/* Programmed, once all else is in order. While the workers are slow to take over the newest
 * snapshot what was served of this generation still is, and the rest waits. */
static void tell_served(struct telling *telling, bool acknowledged, const char *words)
{
	const json_t *before = condition_find(telling->conditions, "Programmed");

	if (acknowledged)
		tell(telling, "Programmed", COND_TRUE, "Programmed", words);
	else if (!sv_eq(json_sv_at(before, "status"), SV("True")) ||
		 json_int_at(before, "observedGeneration", 0) != telling->generation)
		tell(telling, "Programmed", COND_FALSE, "Pending",
		     "the workers have not taken it over yet");
}

/* ---- GatewayClass ---- */

/* In ascending order (GatewayClass, status.supportedFeatures). */
static const char *const features[] = {
	"BackendTLSPolicy",
	"BackendTLSPolicySANValidation",
	"GRPCRoute",
	"GRPCRouteNamedRouteRule",
	"GRPCRouteRequestHeaderModifier",
	"Gateway",
	"GatewayAddressEmpty",
	"GatewayBackendClientCertificate",
	"GatewayFrontendClientCertificateValidation",
	"GatewayFrontendClientCertificateValidationInsecureFallback",
	"GatewayHTTPListenerIsolation",
	"GatewayHTTPSListenerDetectMisdirectedRequests",
	"GatewayPort8080",
	"GatewayStaticAddresses",
	"HTTPRoute",
	"HTTPRoute303RedirectStatusCode",
	"HTTPRoute307RedirectStatusCode",
	"HTTPRoute308RedirectStatusCode",
	"HTTPRouteBackendProtocolH2C",
	"HTTPRouteBackendProtocolWebSocket",
	"HTTPRouteBackendRequestHeaderModification",
	"HTTPRouteBackendRequestRedirect",
	"HTTPRouteBackendTimeout",
	"HTTPRouteBackendURLRewrite",
	"HTTPRouteCORS",
	"HTTPRouteDestinationPortMatching",
	"HTTPRouteHostRewrite",
	"HTTPRouteMethodMatching",
	"HTTPRouteNamedRouteRule",
	"HTTPRouteParentRefPort",
	"HTTPRoutePathRedirect",
	"HTTPRoutePathRewrite",
	"HTTPRoutePortRedirect",
	"HTTPRouteQueryParamMatching",
	"HTTPRouteRequestMirror",
	"HTTPRouteRequestMultipleMirrors",
	"HTTPRouteRequestPercentageMirror",
	"HTTPRouteRequestTimeout",
	"HTTPRouteResponseHeaderModification",
	"HTTPRouteRetry",
	"HTTPRouteRetryBackendTimeout",
	"HTTPRouteRetryConnectionError",
	"HTTPRouteSchemeRedirect",
	"ListenerSet",
	"ReferenceGrant",
	"TCPRoute",
	"TLSRoute",
	"TLSRouteModeMixed",
	"TLSRouteModeTerminate",
	"UDPRoute",
};

static json_t *feature_list(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		json_array_append_new(list, json_pack("{s:s}", "name", features[i]));
	return list;
}

json_t *gwstatus_class(const struct object *class, int64_t now)
{
	struct telling telling = telling_new(json_at(class->json, "status.conditions"), class, now);

	if (gatewayclass_accepted(class))
		tell(&telling, "Accepted", COND_TRUE, "Accepted",
		     "Gateways of this class are served by sallyportd");
	else
		tell(&telling, "Accepted", COND_FALSE, "InvalidParameters",
		     "spec.parametersRef: no kind of parameters is supported");
	tell(&telling, "SupportedVersion", COND_TRUE, "SupportedVersion",
	     "the kinds of the Gateway API are built in, at version 1.6");
	return json_pack("{s:o, s:o}", "conditions", telling.conditions, "supportedFeatures",
			 feature_list());
}

/* ---- listeners ---- */

/* Every socket that it asked for failed, and not because of the address. */
static bool port_unavailable(const struct gw_listener *listener)
{
	return listener->bound == 0 && listener->unbound > 0 && !listener->unusable;
}

static bool listener_valid(const struct gw_listener *listener)
{
	return listener_usable(listener) && !port_unavailable(listener);
}

static bool listener_programmed(const struct gw_listener *listener)
{
	return listener_valid(listener) && listener->bound > 0 && listener->unbound == 0 &&
	       listener->takes != 0 && (!listener_has_tls(listener) || listener->cert_count > 0);
}

static const char *conflict_reason(const struct gw_listener *listener)
{
	return listener->conflict == CONFLICT_PROTOCOL ? "ProtocolConflict" : "HostnameConflict";
}

static char *conflict_message(const struct gw_listener *listener)
{
	const struct gw_listener *rival = listener->rival;
	const char *what = listener->conflict == CONFLICT_PROTOCOL
				   ? "has another protocol on the same port"
				   : "has the same port and hostname";

	/* What others may not read in each other's sets is not told. */
	if (rival->set != NULL && rival->set != listener->set)
		return xasprintf("a listener of another ListenerSet %s, and that set is older",
				 what);
	if (rival->gateway == listener->gateway && rival->set != listener->set)
		return xasprintf("listener %.*s of Gateway %s itself %s", SV_ARG(rival->name),
				 rival->gateway->id, what);
	if (rival->set != NULL)
		return xasprintf("listener %.*s of this ListenerSet %s: neither is served",
				 SV_ARG(rival->name), what);
	return xasprintf("listener %.*s of Gateway %s %s%s", SV_ARG(rival->name),
			 rival->gateway->id, what,
			 rival->gateway == listener->gateway ? ": neither is served"
							     : ", and that Gateway is older");
}

static void tell_conflict(struct telling *telling, const struct gw_listener *listener)
{
	AUTO(auto_free) char *message = conflict_message(listener);
	const char *reason = conflict_reason(listener);

	tell(telling, "Accepted", COND_FALSE, reason, message);
	tell(telling, "Conflicted", COND_TRUE, reason, message);
	tell(telling, "Programmed", COND_FALSE, reason, message);
}

static void tell_listener_accepted(struct telling *telling, const struct gw_listener *listener)
{
	const struct gateway *gateway = listener->gateway;

	if (gateway->state == GATEWAY_PENDING)
		tell(telling, "Accepted", COND_UNKNOWN, "Pending", gateway->message);
	else if (gateway->state == GATEWAY_REFUSED)
		tell(telling, "Accepted", COND_FALSE, "Invalid", gateway->message);
	else if (listener->protocol == LISTENER_UNSUPPORTED)
		tell(telling, "Accepted", COND_FALSE, "UnsupportedProtocol", UNSUPPORTED_PROTOCOL);
	else if (listener->clients_refused)
		tell(telling, "Accepted", COND_FALSE, "NoValidCACertificate",
		     listener->clients_message);
	else if (port_unavailable(listener))
		tell(telling, "Accepted", COND_FALSE, "PortUnavailable", listener->bind_message);
	else
		tell(telling, "Accepted", COND_TRUE, "Accepted", "the listener is accepted");
}

/* Why a listener that is accepted does not serve, in words; NULL: it does. */
static const char *not_programmed(const struct gw_listener *listener)
{
	if (listener->unbound > 0)
		return listener->bind_message;
	if (listener->takes == 0)
		return "no kind of route that it names can attach";
	if (listener_has_tls(listener) && listener->cert_count == 0)
		return listener->cert_message;
	return NULL;
}

static void tell_listener_programmed(struct telling *telling, const struct gw_listener *listener,
				     bool acknowledged)
{
	const char *why;

	if (!listener_valid(listener)) {
		tell(telling, "Programmed", COND_FALSE, "Invalid", "the listener is not accepted");
		return;
	}
	why = not_programmed(listener);
	if (why != NULL)
		tell(telling, "Programmed", COND_FALSE,
		     listener->unbound == 0 && listener->cert_pending ? "Pending" : "Invalid", why);
	else
		tell_served(telling, acknowledged, "the listener is served");
}

static void tell_bad_kinds(struct telling *telling, const struct gw_listener *listener)
{
	struct buf text;

	buf_init(&text, KINDS_TEXT_MAX);
	(void)buf_addf(&text, "allowedRoutes.kinds names a kind that cannot attach to this "
			      "protocol; these can:");
	for (unsigned i = 0; i < ROUTE_KIND_COUNT; i++) {
		if ((route_kinds[i].protocols >> listener->protocol & 1) != 0)
			(void)buf_addf(&text, " %s", route_kinds[i].kind);
	}
	tell(telling, "ResolvedRefs", COND_FALSE, "InvalidRouteKinds", buf_cstr(&text));
	buf_deinit(&text);
}

static void tell_listener_refs(struct telling *telling, const struct gw_listener *listener)
{
	if (listener->bad_kinds)
		tell_bad_kinds(telling, listener);
	else if (listener->clients_reason != NULL)
		tell(telling, "ResolvedRefs", COND_FALSE, listener->clients_reason,
		     listener->clients_message);
	else if (listener->cert_reason != NULL)
		tell(telling, "ResolvedRefs", COND_FALSE, listener->cert_reason,
		     listener->cert_message);
	else
		tell(telling, "ResolvedRefs", COND_TRUE, "ResolvedRefs",
		     listener->cert_message != NULL ? listener->cert_message
						    : "all references resolve");
}

static void tell_overlap(struct telling *telling, const struct gw_listener *listener)
{
	const struct gw_listener *other = listener->overlap;
	AUTO(auto_free) char *message = NULL;

	if (other == NULL) {
		untell(telling, "OverlappingTLSConfig");
		return;
	}
	message = xasprintf("hostnames of listener %.*s on the same port are also its own: a "
			    "connection that was made for one may be used for the other, and is "
			    "then answered with 421",
			    SV_ARG(other->name));
	tell(telling, "OverlappingTLSConfig", COND_TRUE, "OverlappingHostnames", message);
}

static const json_t *listener_before(const struct gw_listener *listener)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_at(listener_object(listener)->json, "status.listeners"), i, entry)
	{
		if (sv_eq(json_sv_at(entry, "name"), listener->name))
			return json_member(entry, "conditions");
	}
	return NULL;
}

static json_t *supported_kinds(const struct gw_listener *listener)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ROUTE_KIND_COUNT; i++) {
		if ((listener->takes & ROUTE_BIT(i)) != 0)
			json_array_append_new(list, json_pack("{s:s, s:s}", "group", GATEWAY_GROUP,
							      "kind", route_kinds[i].kind));
	}
	return list;
}

static json_t *listener_status(const struct gw_listener *listener, const struct gwstatus_env *env)
{
	struct telling telling =
		telling_new(listener_before(listener), listener_owner(listener), env->now);

	if (listener->conflict != CONFLICT_NONE) {
		tell_conflict(&telling, listener);
	} else {
		tell_listener_accepted(&telling, listener);
		tell(&telling, "Conflicted", COND_FALSE, "NoConflicts", "no listener conflicts");
		tell_listener_programmed(&telling, listener, env->acknowledged);
	}
	tell_listener_refs(&telling, listener);
	tell_overlap(&telling, listener);
	return json_pack("{s:o, s:o, s:I, s:o}", "name", json_sv(listener->name), "supportedKinds",
			 supported_kinds(listener), "attachedRoutes",
			 (json_int_t)listener->attached, "conditions", telling.conditions);
}

static json_t *listeners_status(const struct gateway *gateway, size_t first, size_t count,
				const struct gwstatus_env *env)
{
	json_t *listeners = json_array();

	for (size_t i = first; i < first + count; i++)
		json_array_append_new(listeners, listener_status(&gateway->listeners[i], env));
	return listeners;
}

/* ---- Gateways ---- */

struct tally { /* of a Gateway's listeners */
	size_t valid, programmed, pending;
	bool unusable;
	const struct gw_listener *first_bad, *first_idle;
};

/* An HTTPS listener of a ListenerSet without any certificate, now or later, is not valid. */
static bool entry_valid(const struct gw_listener *listener)
{
	return listener_valid(listener) &&
	       (listener->set == NULL || listener->cert_reason == NULL ||
		listener->cert_count > 0 || listener->cert_pending);
}

static struct tally tally_of(const struct gw_listener *listeners, size_t count)
{
	struct tally tally = {0};

	for (size_t i = 0; i < count; i++) {
		const struct gw_listener *listener = &listeners[i];

		tally.unusable = tally.unusable || listener->unusable;
		tally.valid += entry_valid(listener);
		tally.programmed += listener_programmed(listener);
		tally.pending += listener->cert_pending;
		if (tally.first_bad == NULL && !entry_valid(listener))
			tally.first_bad = listener;
		if (tally.first_idle == NULL && !listener_programmed(listener))
			tally.first_idle = listener;
	}
	return tally;
}

static char *bad_message(const struct gw_listener *listener)
{
	AUTO(auto_free)
	char *conflict = listener->conflict == CONFLICT_NONE ? NULL : conflict_message(listener);
	const char *why = conflict != NULL                             ? conflict
			  : listener->protocol == LISTENER_UNSUPPORTED ? UNSUPPORTED_PROTOCOL
			  : listener->clients_refused                  ? listener->clients_message
								       : listener->bind_message;

	if (why == NULL)
		why = listener->cert_message;
	return xasprintf("listener %.*s: %s", SV_ARG(listener->name), why == NULL ? "" : why);
}

static void tell_accepted(struct telling *telling, const struct tally *tally, const char *fine)
{
	AUTO(auto_free)
	char *bad = tally->first_bad == NULL ? NULL : bad_message(tally->first_bad);

	if (tally->valid == 0)
		tell(telling, "Accepted", COND_FALSE, "ListenersNotValid",
		     bad == NULL ? "it has no listeners" : bad);
	else if (bad != NULL)
		tell(telling, "Accepted", COND_TRUE, "ListenersNotValid", bad);
	else
		tell(telling, "Accepted", COND_TRUE, "Accepted", fine);
}

static void tell_gateway_accepted(struct telling *telling, const struct gateway *gateway,
				  const struct tally *tally)
{
	if (gateway->state == GATEWAY_PENDING)
		tell(telling, "Accepted", COND_UNKNOWN, gateway->reason, gateway->message);
	else if (gateway->state == GATEWAY_REFUSED)
		tell(telling, "Accepted", COND_FALSE, gateway->reason, gateway->message);
	else
		tell_accepted(telling, tally, "the Gateway is accepted");
}

/* Nothing of it serves, or an address is not there. */
static void tell_idle(struct telling *telling, const struct tally *tally)
{
	const struct gw_listener *idle = tally->first_idle;
	const char *why = listener_valid(idle) ? not_programmed(idle) : NULL;
	AUTO(auto_free)
	char *message = xasprintf("listener %.*s: %s", SV_ARG(idle->name),
				  why == NULL ? "it is not accepted" : why);

	if (tally->unusable)
		tell(telling, "Programmed", COND_FALSE, "AddressNotUsable", message);
	else
		tell(telling, "Programmed", COND_FALSE, tally->pending > 0 ? "Pending" : "Invalid",
		     message);
}

static void tell_gateway_programmed(struct telling *telling, const struct gateway *gateway,
				    const struct tally *tally, bool acknowledged)
{
	if (gateway->state == GATEWAY_PENDING)
		tell(telling, "Programmed", COND_UNKNOWN, "Pending", gateway->message);
	else if (gateway->state == GATEWAY_REFUSED || tally->valid == 0)
		tell(telling, "Programmed", COND_FALSE, "Invalid", "the Gateway is not accepted");
	else if (tally->unusable || tally->programmed == 0)
		tell_idle(telling, tally);
	else
		tell_served(telling, acknowledged, "the Gateway is served");
}

static json_t *addresses_of(const struct gateway *gateway)
{
	json_t *out;
	char text[SOCK_ADDR_TEXT];

	if (gateway->wildcard)
		return ports_host_addresses(gateway->address_bound);
	out = json_array();
	for (size_t i = 0; i < gateway->address_count; i++) {
		if (!gateway->address_bound[i])
			continue;
		sock_addr_ip_text(&gateway->addresses[i], text);
		json_array_append_new(out,
				      json_pack("{s:s, s:s}", "type", "IPAddress", "value", text));
	}
	return out;
}

static void tell_clients(struct telling *telling, const struct gateway *gateway)
{
	if (clients_insecure(gateway))
		tell(telling, "InsecureFrontendValidationMode", COND_TRUE, "ConfigurationChanged",
		     "mode AllowInsecureFallback lets clients in without a valid certificate");
	else
		untell(telling, "InsecureFrontendValidationMode");
}

/* Only a Gateway that itself refers to something has it. */
static void tell_gateway_refs(struct telling *telling, const struct gateway *gateway)
{
	if (gateway->client_reason != NULL)
		tell(telling, "ResolvedRefs", COND_FALSE, gateway->client_reason,
		     gateway->client_message);
	else if (gateway->asks_client_cert)
		tell(telling, "ResolvedRefs", COND_TRUE, "ResolvedRefs", "all references resolve");
	else
		untell(telling, "ResolvedRefs");
}

json_t *gwstatus_gateway(const struct gateway *gateway, const struct gwstatus_env *env)
{
	struct telling telling = telling_new(json_at(gateway->object->json, "status.conditions"),
					     gateway->spec, env->now);
	struct tally tally = tally_of(gateway->listeners, gateway->own_count);

	tell_gateway_accepted(&telling, gateway, &tally);
	tell_gateway_programmed(&telling, gateway, &tally, env->acknowledged);
	tell_clients(&telling, gateway);
	tell_gateway_refs(&telling, gateway);
	return json_pack("{s:o, s:I, s:o, s:o}", "addresses", addresses_of(gateway),
			 "attachedListenerSets", (json_int_t)gateway->attached_sets, "conditions",
			 telling.conditions, "listeners",
			 listeners_status(gateway, 0, gateway->own_count, env));
}

/* ---- ListenerSets ---- */

static struct tally set_tally(const struct listenerset *set)
{
	if (set->state != SET_ATTACHED)
		return (struct tally){0};
	return tally_of(&set->gateway->listeners[set->first], set->count);
}

static bool set_accepted(const struct listenerset *set)
{
	return set->state == SET_ATTACHED && set->gateway->state == GATEWAY_ACCEPTED &&
	       set_tally(set).valid > 0;
}

void gwstatus_count_sets(const struct gateways *gateways)
{
	for (size_t i = 0; i < gateways->count; i++)
		gateways->list[i]->attached_sets = 0;
	for (size_t i = 0; i < gateways->set_count; i++) {
		if (set_accepted(gateways->sets[i]))
			gateways->sets[i]->gateway->attached_sets++;
	}
}

static void tell_set_accepted(struct telling *telling, const struct listenerset *set,
			      const struct tally *tally)
{
	if (set->state == SET_NO_GATEWAY)
		tell(telling, "Accepted", COND_UNKNOWN, "Pending",
		     "there is no Gateway of the name that spec.parentRef has");
	else if (set->state == SET_NOT_ALLOWED)
		tell(telling, "Accepted", COND_FALSE, "NotAllowed",
		     "the Gateway does not allow ListenerSets of this namespace "
		     "(spec.allowedListeners)");
	else if (set->gateway->state == GATEWAY_PENDING)
		tell(telling, "Accepted", COND_UNKNOWN, "Pending", set->gateway->message);
	else if (set->gateway->state == GATEWAY_REFUSED)
		tell(telling, "Accepted", COND_FALSE, "ParentNotAccepted",
		     "the Gateway is not accepted");
	else
		tell_accepted(telling, tally, "the ListenerSet is accepted");
}

static void tell_set_programmed(struct telling *telling, const struct listenerset *set,
				const struct tally *tally, bool acknowledged)
{
	if (set->state == SET_NO_GATEWAY)
		tell(telling, "Programmed", COND_UNKNOWN, "Pending", "there is no Gateway");
	else if (set->state == SET_NOT_ALLOWED)
		tell(telling, "Programmed", COND_FALSE, "NotAllowed",
		     "the Gateway does not allow it");
	else if (set->gateway->state == GATEWAY_PENDING)
		tell(telling, "Programmed", COND_UNKNOWN, "Pending", set->gateway->message);
	else if (set->gateway->state == GATEWAY_REFUSED)
		tell(telling, "Programmed", COND_FALSE, "ParentNotProgrammed",
		     "the Gateway is not served");
	else if (tally->valid == 0)
		tell(telling, "Programmed", COND_FALSE, "ListenersNotValid",
		     "none of its listeners can be served");
	else if (tally->programmed == 0)
		tell_idle(telling, tally);
	else
		tell_served(telling, acknowledged, "the ListenerSet is served");
}

json_t *gwstatus_listenerset(const struct listenerset *set, const struct gwstatus_env *env)
{
	struct telling telling;
	struct tally tally = set_tally(set);

	if (set->state == SET_FOREIGN)
		return NULL;
	telling = telling_new(json_at(set->object->json, "status.conditions"), set->spec, env->now);
	tell_set_accepted(&telling, set, &tally);
	tell_set_programmed(&telling, set, &tally, env->acknowledged);
	return json_pack("{s:o, s:o}", "conditions", telling.conditions, "listeners",
			 listeners_status(set->gateway, set->first, set->count, env));
}

/* ---- what a status is made of ---- */

static uint64_t mix(uint64_t print, uint64_t value)
{
	print = (print ^ value) * UINT64_C(0x9E3779B97F4A7C15);
	return print ^ print >> 29;
}

static uint64_t mix_text(uint64_t print, const char *text)
{
	return mix(print, text == NULL ? 1 : sv_hash(sv_from(text)));
}

static uint64_t listener_print(uint64_t print, const struct gw_listener *listener)
{
	const uint64_t numbers[] = {listener->attached, listener->cert_count,   listener->bound,
				    listener->unbound,  listener->cert_pending, listener->unusable,
				    listener->conflict};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		print = mix(print, numbers[i]);
	print = mix_text(print, listener->cert_reason);
	print = mix_text(print, listener->cert_message);
	print = mix_text(print, listener->clients_reason);
	print = mix_text(print, listener->clients_message);
	print = mix(print, listener->overlap == NULL ? 0 : sv_hash(listener->overlap->name));
	print = mix_text(print, listener->bind_message);
	if (listener->rival == NULL)
		return print;
	print = mix(print, sv_hash(listener->rival->name));
	return mix_text(print, listener->rival->gateway->id);
}

uint64_t gwstatus_print(const struct gateway *gateway, const struct gwstatus_env *env)
{
	uint64_t print = mix(env->acknowledged, gateway->state);

	print = mix(print, (uint64_t)object_generation(gateway->spec));
	print = mix(print, gateway->attached_sets);
	print = mix_text(print, gateway->reason);
	print = mix_text(print, gateway->message);
	print = mix(print, gateway->asks_client_cert);
	print = mix_text(print, gateway->client_reason);
	print = mix_text(print, gateway->client_message);
	for (size_t i = 0; i < ARRAY_LEN(gateway->address_bound); i++)
		print = mix(print, gateway->address_bound[i]);
	for (size_t i = 0; i < gateway->own_count; i++)
		print = listener_print(print, &gateway->listeners[i]);
	return print == 0 ? 1 : print;
}

/* ---- Backends ---- */

json_t *gwstatus_backend(const struct object *backend, const char *problem, int64_t now)
{
	struct telling telling =
		telling_new(json_at(backend->json, "status.conditions"), backend, now);

	if (problem == NULL)
		tell(&telling, "Accepted", COND_TRUE, "Accepted", "the Backend is accepted");
	else
		tell(&telling, "Accepted", COND_FALSE, "Invalid", problem);
	return json_pack("{s:o}", "conditions", telling.conditions);
}
