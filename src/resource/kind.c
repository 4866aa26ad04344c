/* resource/kind.c - the table of kinds, and how a row is found */
#include "resource/kind.h"

#include "base/own.h"
#include "resource/rows.h"

#include <stdlib.h>

#define COLUMNS(array) .columns = (array), .column_count = ARRAY_LEN(array)
#define GATEWAY_API    .categories = {"gateway-api"}
#define CERT_MANAGER   .categories = {"cert-manager"}

const struct kind kinds[] = {
	/* ---- core ---- */
	{.group = "",
	 .versions = {"v1"},
	 .kind = "Namespace",
	 .plural = "namespaces",
	 .singular = "namespace",
	 .short_names = {"ns"},
	 .has_status = true,
	 .strategic = true,
	 .name_rule = NAME_LABEL,
	 COLUMNS(namespace_columns),
	 .schema = namespace_schema,
	 .set_defaults = namespace_defaults,
	 .initial_status = namespace_status},
	{.group = "",
	 .versions = {"v1"},
	 .kind = "Secret",
	 .plural = "secrets",
	 .singular = "secret",
	 .namespaced = true,
	 .strategic = true,
	 COLUMNS(secret_columns),
	 .schema = secret_schema,
	 .set_defaults = secret_defaults,
	 .validate = secret_validate,
	 .remark = secret_remark},
	{.group = "",
	 .versions = {"v1"},
	 .kind = "ConfigMap",
	 .plural = "configmaps",
	 .singular = "configmap",
	 .short_names = {"cm"},
	 .namespaced = true,
	 .strategic = true,
	 COLUMNS(configmap_columns),
	 .schema = configmap_schema,
	 .validate = configmap_validate},
	{.group = "",
	 .versions = {"v1"},
	 .kind = "Service",
	 .plural = "services",
	 .singular = "service",
	 .short_names = {"svc"},
	 .categories = {"all"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 .strategic = true,
	 .name_rule = NAME_LABEL_1035,
	 COLUMNS(service_columns),
	 .own_age = true,
	 .schema = service_schema,
	 .set_defaults = service_defaults,
	 .validate = service_validate,
	 .initial_status = service_status},
	{.group = "",
	 .versions = {"v1"},
	 .kind = "Event",
	 .plural = "events",
	 .singular = "event",
	 .short_names = {"ev"},
	 .namespaced = true,
	 .strategic = true,
	 COLUMNS(event_columns),
	 .own_age = true,
	 .own_name = true,
	 .schema = event_schema},
	{.group = "discovery.k8s.io",
	 .versions = {"v1"},
	 .kind = "EndpointSlice",
	 .plural = "endpointslices",
	 .singular = "endpointslice",
	 .namespaced = true,
	 .has_spec_generation = true,
	 .strategic = true,
	 COLUMNS(endpointslice_columns),
	 .schema = endpointslice_schema,
	 .validate = endpointslice_validate},
	{.group = "apps",
	 .versions = {"v1"},
	 .kind = "Deployment",
	 .plural = "deployments",
	 .singular = "deployment",
	 .short_names = {"deploy"},
	 .categories = {"all"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 .strategic = true,
	 .warning = "sallyport stores Deployments but runs none: start the program by other means "
		    "and point an EndpointSlice or a Backend at it",
	 COLUMNS(deployment_columns),
	 .schema = deployment_schema,
	 .validate = deployment_validate},

	/* ---- gateways ---- */
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1beta1"},
	 .kind = "GatewayClass",
	 .plural = "gatewayclasses",
	 .singular = "gatewayclass",
	 .short_names = {"gc"},
	 GATEWAY_API,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(gatewayclass_columns),
	 .own_age = true,
	 .schema = gatewayclass_schema,
	 .validate = gatewayclass_validate,
	 .initial_status = gatewayclass_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1beta1"},
	 .kind = "Gateway",
	 .plural = "gateways",
	 .singular = "gateway",
	 .short_names = {"gtw"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(gateway_columns),
	 .schema = gateway_schema,
	 .validate = gateway_validate,
	 .remark = gateway_remark,
	 .initial_status = gateway_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1"},
	 .kind = "ListenerSet",
	 .plural = "listenersets",
	 .singular = "listenerset",
	 .short_names = {"lset"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(listenerset_columns),
	 .schema = listenerset_schema,
	 .validate = listenerset_validate,
	 .initial_status = gateway_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1beta1"},
	 .kind = "HTTPRoute",
	 .plural = "httproutes",
	 .singular = "httproute",
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(httproute_columns),
	 .schema = httproute_schema,
	 .validate = httproute_validate,
	 .initial_status = route_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1alpha2"},
	 .kind = "GRPCRoute",
	 .plural = "grpcroutes",
	 .singular = "grpcroute",
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(httproute_columns),
	 .schema = grpcroute_schema,
	 .validate = grpcroute_validate,
	 .initial_status = route_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1alpha3", "v1alpha2"},
	 .kind = "TLSRoute",
	 .plural = "tlsroutes",
	 .singular = "tlsroute",
	 .short_names = {"tlsr"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(tlsroute_columns),
	 .schema = tlsroute_schema,
	 .validate = l4route_validate,
	 .initial_status = route_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1alpha2"},
	 .kind = "TCPRoute",
	 .plural = "tcproutes",
	 .singular = "tcproute",
	 .short_names = {"tcpr"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(l4route_columns),
	 .schema = l4route_schema,
	 .validate = l4route_validate,
	 .initial_status = route_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1alpha2"},
	 .kind = "UDPRoute",
	 .plural = "udproutes",
	 .singular = "udproute",
	 .short_names = {"udpr"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(l4route_columns),
	 .schema = l4route_schema,
	 .validate = l4route_validate,
	 .initial_status = route_status},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1beta1"},
	 .kind = "ReferenceGrant",
	 .plural = "referencegrants",
	 .singular = "referencegrant",
	 .short_names = {"refgrant"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_spec_generation = true,
	 .schema = referencegrant_schema},
	{.group = "gateway.networking.k8s.io",
	 .versions = {"v1", "v1alpha3"},
	 .kind = "BackendTLSPolicy",
	 .plural = "backendtlspolicies",
	 .singular = "backendtlspolicy",
	 .short_names = {"btlspolicy"},
	 GATEWAY_API,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(backendtlspolicy_columns),
	 .schema = backendtlspolicy_schema,
	 .validate = backendtlspolicy_validate},
	{.group = "gateway.envoyproxy.io",
	 .versions = {"v1alpha1"},
	 .kind = "Backend",
	 .plural = "backends",
	 .singular = "backend",
	 .short_names = {"be"},
	 .categories = {"envoy-gateway"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(backend_columns),
	 .schema = backend_schema,
	 .validate = backend_validate},
	{.group = "gateway.envoyproxy.io",
	 .versions = {"v1alpha1"},
	 .kind = "ClientTrafficPolicy",
	 .plural = "clienttrafficpolicies",
	 .singular = "clienttrafficpolicy",
	 .short_names = {"ctp"},
	 .categories = {"envoy-gateway"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(clienttraffic_columns),
	 .schema = clienttraffic_schema,
	 .validate = clienttraffic_validate},

	/* ---- certificates ---- */
	{.group = "cert-manager.io",
	 .versions = {"v1"},
	 .kind = "ClusterIssuer",
	 .plural = "clusterissuers",
	 .singular = "clusterissuer",
	 .short_names = {"ciss"},
	 CERT_MANAGER,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(issuer_columns),
	 .schema = issuer_schema,
	 .validate = issuer_validate,
	 .remark = issuer_remark},
	{.group = "cert-manager.io",
	 .versions = {"v1"},
	 .kind = "Issuer",
	 .plural = "issuers",
	 .singular = "issuer",
	 .short_names = {"iss"},
	 CERT_MANAGER,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(issuer_columns),
	 .schema = issuer_schema,
	 .validate = issuer_validate,
	 .remark = issuer_remark},
	{.group = "cert-manager.io",
	 .versions = {"v1"},
	 .kind = "Certificate",
	 .plural = "certificates",
	 .singular = "certificate",
	 .short_names = {"cert", "certs"},
	 CERT_MANAGER,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(certificate_columns),
	 .schema = certificate_schema,
	 .waits_for_disk = certificate_waits_for_disk,
	 .validate = certificate_validate},
	{.group = "cert-manager.io",
	 .versions = {"v1"},
	 .kind = "CertificateRequest",
	 .plural = "certificaterequests",
	 .singular = "certificaterequest",
	 .short_names = {"cr", "crs"},
	 CERT_MANAGER,
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(certificaterequest_columns),
	 .schema = certificaterequest_schema,
	 .waits_for_disk = certificaterequest_waits_for_disk,
	 .validate = certificaterequest_validate},
	{.group = "acme.cert-manager.io",
	 .versions = {"v1"},
	 .kind = "Order",
	 .plural = "orders",
	 .singular = "order",
	 .categories = {"cert-manager", "cert-manager-acme"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(order_columns),
	 .schema = order_schema,
	 .validate = order_validate},
	{.group = "acme.cert-manager.io",
	 .versions = {"v1"},
	 .kind = "Challenge",
	 .plural = "challenges",
	 .singular = "challenge",
	 .categories = {"cert-manager", "cert-manager-acme"},
	 .namespaced = true,
	 .has_status = true,
	 .has_spec_generation = true,
	 COLUMNS(challenge_columns),
	 .schema = challenge_schema,
	 .validate = challenge_validate},

	/* ---- what the tutorial's cluster has besides ---- */
	{.group = "operator.tigera.io",
	 .versions = {"v1"},
	 .kind = "Installation",
	 .plural = "installations",
	 .singular = "installation",
	 .has_status = true,
	 .has_spec_generation = true,
	 .only_names = installation_names,
	 .schema = installation_schema},
	{.group = "operator.tigera.io",
	 .versions = {"v1"},
	 .kind = "GatewayAPI",
	 .plural = "gatewayapis",
	 .singular = "gatewayapi",
	 .has_status = true,
	 .has_spec_generation = true,
	 .only_names = gatewayapi_names,
	 .schema = gatewayapi_schema},
	{.group = "operator.tigera.io",
	 .versions = {"v1"},
	 .kind = "TigeraStatus",
	 .plural = "tigerastatuses",
	 .singular = "tigerastatus",
	 .has_status = true,
	 .has_spec_generation = true,
	 .read_only = true,
	 COLUMNS(tigerastatus_columns),
	 .own_age = true,
	 .schema = tigerastatus_schema},
};

const size_t kind_count = ARRAY_LEN(kinds);

const struct kind *kind_by_plural(struct str_view group, struct str_view plural)
{
	for (size_t i = 0; i < kind_count; i++) {
		if (sv_eq(sv_from(kinds[i].group), group) &&
		    sv_eq(sv_from(kinds[i].plural), plural))
			return &kinds[i];
	}
	return NULL;
}

const struct kind *kind_by_gvk(struct str_view api_version, struct str_view kind)
{
	size_t slash = sv_find(api_version, '/');
	bool core = slash == SV_NOT_FOUND;
	struct str_view group = core ? SV("") : sv_head(api_version, slash);
	struct str_view version = core ? api_version : sv_skip(api_version, slash + 1);

	for (size_t i = 0; i < kind_count; i++) {
		if (sv_eq(sv_from(kinds[i].group), group) && sv_eq(sv_from(kinds[i].kind), kind))
			return kind_serves(&kinds[i], version) ? &kinds[i] : NULL;
	}
	return NULL;
}

static bool is_called(const struct kind *kind, struct str_view word)
{
	for (size_t i = 0; i < ARRAY_LEN(kind->short_names); i++) {
		if (kind->short_names[i] != NULL &&
		    sv_eq_nocase(sv_from(kind->short_names[i]), word))
			return true;
	}
	return sv_eq_nocase(sv_from(kind->plural), word) ||
	       sv_eq_nocase(sv_from(kind->singular), word) ||
	       sv_eq_nocase(sv_from(kind->kind), word);
}

/* "GROUP" or "VERSION.GROUP" behind the first dot of a word. */
static bool is_of(const struct kind *kind, struct str_view tail)
{
	size_t dot = sv_find(tail, '.');

	if (sv_eq_nocase(sv_from(kind->group), tail))
		return true;
	if (dot == SV_NOT_FOUND)
		return kind->group[0] == '\0' && kind_serves(kind, tail); /* "services.v1" */
	return kind_serves(kind, sv_head(tail, dot)) &&
	       sv_eq_nocase(sv_from(kind->group), sv_skip(tail, dot + 1));
}

const struct kind *kind_by_word(struct str_view word)
{
	size_t dot = sv_find(word, '.');

	for (size_t i = 0; i < kind_count; i++) {
		if (!is_called(&kinds[i], sv_head(word, dot)))
			continue;
		if (dot == SV_NOT_FOUND || is_of(&kinds[i], sv_skip(word, dot + 1)))
			return &kinds[i];
	}
	return NULL;
}

bool kind_serves(const struct kind *kind, struct str_view version)
{
	for (size_t i = 0; i < KIND_VERSIONS_MAX && kind->versions[i] != NULL; i++) {
		if (sv_eq(sv_from(kind->versions[i]), version))
			return true;
	}
	return false;
}

char *kind_api_version(const struct kind *kind, const char *version)
{
	return xasprintf("%s%s%s", kind->group, kind->group[0] == '\0' ? "" : "/",
			 version == NULL ? kind->versions[0] : version);
}

static const char *key_group(const struct kind *kind)
{
	return kind->group[0] == '\0' ? "core" : kind->group;
}

char *kind_key(const struct kind *kind, const char *ns, const char *name)
{
	return object_key(key_group(kind), kind->plural, kind->namespaced && ns != NULL ? ns : "",
			  name);
}

char *kind_prefix(const struct kind *kind, const char *ns)
{
	if (ns == NULL)
		return xasprintf("%s/%s/", key_group(kind), kind->plural);
	return xasprintf("%s/%s/%s/", key_group(kind), kind->plural, kind->namespaced ? ns : "");
}
