/* resource/backend.c - gateway.envoyproxy.io Backend: addresses of services, outside of Kubernetes'
 * Services
 *
 * Which addresses a Backend may name is not asked here: the controller knows this host.
 */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

#include "base/own.h"

#define UNIX_PATH_MAX 107 /* bytes of sun_path before its NUL (unix(7)) */

static const struct schema_node ip_members[] = {
	TEXT("address", REQUIRED, .min = 1, .max = 45, .format = &format_ip),
	PORT("port", REQUIRED),
	END,
};

static bool is_fqdn(struct str_view text)
{
	if (sv_ends(text, SV(".")))
		text = sv_head(text, text.len - 1);
	return name_is_hostname(text, false);
}

static const struct text_format format_fqdn = {
	is_fqdn, "must be a host name in lower case; no wildcard, no address, no port"};

static const struct schema_node fqdn_members[] = {
	TEXT("hostname", REQUIRED, .min = 1, .max = 253, .format = &format_fqdn),
	PORT("port", REQUIRED),
	END,
};

static bool is_unix_path(struct str_view text)
{
	return sv_starts(text, SV("/")) && !sv_ends(text, SV("/"));
}

static const struct text_format format_unix_path = {
	is_unix_path, "must be the absolute path of a socket: it begins with '/'"};

static const struct schema_node unix_members[] = {
	TEXT("path", REQUIRED, .min = 1, .max = UNIX_PATH_MAX, .format = &format_unix_path),
	END,
};

static const struct schema_node endpoint_members[] = {
	OBJECT("ip", ip_members),
	OBJECT("fqdn", fqdn_members),
	OBJECT("unix", unix_members),
	TEXT("hostname", .min = 1, .max = 253, .format = &format_exact_hostname),
	TEXT("zone", .max = 253),
	END,
};
static const struct schema_node endpoint_item[] = {OBJECT("[]", endpoint_members)};

static const struct schema_node protocol_item[] = {
	TEXT("[]", WORDS("gateway.envoyproxy.io/h2c", "gateway.envoyproxy.io/ws",
			 "gateway.envoyproxy.io/wss"))};

#define CAS_MAX 8

static const struct schema_node ca_members[] = {
	TEXT("group", .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	END,
};
static const struct schema_node ca_item[] = {OBJECT("[]", ca_members)};

static const struct schema_node tls_members[] = {
	LIST("caCertificateRefs", ca_item, .max = CAS_MAX),
	TEXT("wellKnownCACertificates", WORDS("System")),
	TEXT("sni", .min = 1, .max = 253, .format = &format_exact_hostname),
	BOOL("insecureSkipVerify"),
	REFUSED("clientCertificateRef"),
	REFUSED("minVersion"),
	REFUSED("maxVersion"),
	REFUSED("ciphers"),
	REFUSED("ecdhCurves"),
	REFUSED("signatureAlgorithms"),
	REFUSED("alpnProtocols"),
	END,
};

static const struct schema_node backend_spec[] = {
	TEXT("type", WORDS("Endpoints"), .text = "Endpoints"),
	LIST("endpoints", endpoint_item, REQUIRED, .min = 1, .max = 256),
	LIST("appProtocols", protocol_item, .max = 8),
	BOOL("fallback"),
	OBJECT("tls", tls_members),
	END,
};

const struct schema_node backend_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", backend_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* Whose certificate is expected, and who may have signed it: neither goes without saying. */
static void validate_tls(const json_t *spec, size_t names, struct causes *causes)
{
	const json_t *tls = json_member(spec, "tls");
	bool refs = json_array_size(json_member(tls, "caCertificateRefs")) > 0;
	bool known = json_sv_at(tls, "wellKnownCACertificates").len > 0;

	if (!json_is_object(tls))
		return;
	if (json_bool_at(tls, "insecureSkipVerify", false))
		cause_invalid(causes, "spec.tls.insecureSkipVerify", NULL,
			      "certificates of backends are always verified: name the CA, or the "
			      "certificate itself, in caCertificateRefs");
	if (refs && known)
		cause_invalid(causes, "spec.tls", tls,
			      "must not contain both caCertificateRefs and "
			      "wellKnownCACertificates");
	else if (!refs && !known)
		cause_required(causes, "spec.tls",
			       "one of caCertificateRefs and wellKnownCACertificates");
	if (names == 0 && json_sv_at(tls, "sni").len == 0)
		cause_required(causes, "spec.tls.sni",
			       "the name in the backend's certificate, since no endpoint has one");
}

void backend_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	static const char *const ways[] = {"ip", "fqdn", "unix"};
	const json_t *endpoints = json_at(object, "spec.endpoints");
	size_t names = 0, count = json_array_size(endpoints);

	(void)old;
	for (size_t i = 0; i < count; i++) {
		const json_t *endpoint = json_array_get(endpoints, i);
		struct where where = {0};
		size_t given = 0;

		for (size_t w = 0; w < ARRAY_LEN(ways); w++)
			given += json_member(endpoint, ways[w]) != NULL;
		names += json_member(endpoint, "fqdn") != NULL;
		where_to(&where, "spec.endpoints[%zu]", i);
		if (given == 0 && json_is_object(endpoint))
			cause_required(causes, where.text, "one of ip, fqdn or unix");
		else if (given > 1)
			cause_invalid(causes, where.text, endpoint,
				      "must have only one of ip, fqdn and unix");
	}
	validate_tls(json_member(object, "spec"), names, causes);
	if (names > 0 && names < count)
		cause_invalid(causes, "spec.endpoints", endpoints,
			      "fqdn endpoints cannot be mixed with others: make two Backends");
}

static json_t *backend_state(const json_t *object, int64_t now)
{
	(void)now;
	return cell_condition(object, "Accepted", "reason");
}

const struct column backend_columns[1] = {
	{.name = "Status", .type = "string", .cell = backend_state},
};
