/* resource/acme.c - Order and Challenge (acme.cert-manager.io): what an issuance remembers over a
 * restart */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

/* ---- Order ---- */

static const struct schema_node ip_item[] = {TEXT("[]", .format = &format_ip)};

static const struct schema_node order_spec[] = {
	TEXT("request", REQUIRED, .min = 1, .format = &format_base64),
	OBJECT("issuerRef", issuer_ref_members, REQUIRED),
	TEXT("commonName", .max = 64),
	LIST("dnsNames", hostname_item, .max = 100),
	LIST("ipAddresses", ip_item, .max = 100),
	TEXT("duration", .format = &format_duration),
	TEXT("profile", .max = 64),
	TEXT("replaces", .max = 256),
	END,
};

const struct schema_node order_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", order_spec, REQUIRED),
	KIND_STATUS,
	END,
};

void order_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	cause_immutable(causes, object, old, "spec");
	issuer_ref_validate(json_at(object, "spec.issuerRef"), causes);
}

CELL_VALUE(acme_state, "status.state")
CELL_VALUE(acme_issuer, "spec.issuerRef.name")
CELL_VALUE(acme_reason, "status.reason")

const struct column order_columns[3] = {
	{.name = "State", .type = "string", .cell = acme_state},
	{.name = "Issuer", .type = "string", .priority = 1, .cell = acme_issuer},
	{.name = "Reason", .type = "string", .priority = 1, .cell = acme_reason},
};

/* ---- Challenge ---- */

static const struct schema_node challenge_spec[] = {
	TEXT("url", REQUIRED, .min = 1, .max = 2048, .format = &format_url),
	TEXT("authorizationURL", REQUIRED, .min = 1, .max = 2048, .format = &format_url),
	TEXT("dnsName", REQUIRED, .min = 1, .max = 253),
	BOOL("wildcard"),
	TEXT("type", REQUIRED, WORDS("HTTP-01", "DNS-01", "TLS-ALPN-01")),
	TEXT("token", REQUIRED, .min = 1, .max = 1024),
	TEXT("key", .min = 1, .max = 2048, .flags = SCHEMA_REQUIRED | SCHEMA_HIDDEN),
	OBJECT("solver", solver_members, REQUIRED),
	OBJECT("issuerRef", issuer_ref_members, REQUIRED),
	END,
};

const struct schema_node challenge_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", challenge_spec, REQUIRED),
	KIND_STATUS,
	END,
};

void challenge_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	struct where where = {0};

	cause_immutable(causes, object, old, "spec");
	issuer_ref_validate(json_at(object, "spec.issuerRef"), causes);
	where_to(&where, "spec.solver");
	solver_validate(json_at(object, "spec.solver"), &where, causes);
}

CELL_VALUE(challenge_domain, "spec.dnsName")

const struct column challenge_columns[3] = {
	{.name = "State", .type = "string", .cell = acme_state},
	{.name = "Domain", .type = "string", .cell = challenge_domain},
	{.name = "Reason", .type = "string", .priority = 1, .cell = acme_reason},
};
