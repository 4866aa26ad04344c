/* resource/l4route.c - TLSRoute, TCPRoute and UDPRoute (gateway.networking.k8s.io) */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/route.h"
#include "resource/rows.h"

#define HOSTNAMES_MAX  1024
#define BACKENDS_BYTES 4096 /* of the cell */

/* ---- members ---- */

static const struct schema_node backend_members[] = {
	BACKEND_REF_MEMBERS,
	INTEGER("weight", .min = 0, .max = 1000000, .integer = 1),
	END,
};
static const struct schema_node backend_item[] = {OBJECT("[]", backend_members)};

static const struct schema_node rule_members[] = {
	TEXT("name", .min = 1, .max = 253, .format = &format_subdomain),
	LIST("backendRefs", backend_item, REQUIRED, .min = 1, .max = RULE_BACKENDS_MAX),
	END,
};
static const struct schema_node rule_item[] = {OBJECT("[]", rule_members)};

/* Without anything to tell streams apart there is one rule. */
#define ROUTE_MEMBERS                                                   \
	LIST("parentRefs", parent_ref_item, .max = 32),                 \
		LIST("rules", rule_item, REQUIRED, .min = 1, .max = 1), \
		REFUSED("useDefaultGateways")

static const struct schema_node tls_spec[] = {
	LIST("hostnames", hostname_item, REQUIRED, .min = 1, .max = HOSTNAMES_MAX),
	ROUTE_MEMBERS,
	END,
};

static const struct schema_node stream_spec[] = {ROUTE_MEMBERS, END};

const struct schema_node tlsroute_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", tls_spec, REQUIRED),
	KIND_STATUS,
	END,
};

const struct schema_node l4route_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", stream_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* ---- rules between members ---- */

static void validate_backends(const json_t *backends, struct where *where, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(backends) && i < RULE_BACKENDS_MAX; i++) {
		size_t mark = where_to(where, ".backendRefs[%zu]", i);

		backend_ref_validate(json_array_get(backends, i), where, causes);
		where_back(where, mark);
	}
}

void l4route_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *rules = json_at(object, "spec.rules");
	struct where where = {0};

	(void)old;
	parent_refs_validate(json_at(object, "spec.parentRefs"), causes);
	where_to(&where, "spec.rules[0]");
	validate_backends(json_member(json_array_get(rules, 0), "backendRefs"), &where, causes);
}

/* ---- tables ---- */

/* "db:5432,db-old:5432" */
static json_t *backends(const json_t *object, int64_t now)
{
	const json_t *rule = json_array_get(json_at(object, "spec.rules"), 0);
	struct buf text;
	json_t *ref, *cell;
	size_t i;

	(void)now;
	buf_init(&text, BACKENDS_BYTES);
	json_array_foreach(json_member(rule, "backendRefs"), i, ref)
	{
		int64_t port = json_int_at(ref, "port", 0);

		buf_addf(&text, "%s%.*s", i == 0 ? "" : ",", SV_ARG(json_sv_at(ref, "name")));
		if (port != 0)
			buf_addf(&text, ":%lld", (long long)port);
	}
	cell = buf_len(&text) == 0 ? json_null() : json_sv(buf_view(&text));
	buf_deinit(&text);
	return cell;
}

const struct column tlsroute_columns[2] = {
	{.name = "Hostnames", .type = "string", .cell = cell_hostnames},
	{.name = "Backends", .type = "string", .priority = 1, .cell = backends},
};

const struct column l4route_columns[1] = {
	{.name = "Backends", .type = "string", .priority = 1, .cell = backends},
};
