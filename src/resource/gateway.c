/* resource/gateway.c - GatewayClass and Gateway (gateway.networking.k8s.io) */
#include "base/own.h"
#include "resource/columns.h"
#include "resource/condition.h"
#include "resource/names.h"
#include "resource/rows.h"

/* ---- GatewayClass ---- */

static const struct schema_node class_parameters[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("namespace", .min = 1, .max = 63, .format = &format_label),
	END,
};

static const struct schema_node class_spec[] = {
	TEXT("controllerName", REQUIRED, .min = 1, .max = 253, .format = &format_domain_path),
	OBJECT("parametersRef", class_parameters),
	TEXT("description", .max = 64),
	END,
};

const struct schema_node gatewayclass_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", class_spec, REQUIRED),
	KIND_STATUS,
	END,
};

void gatewayclass_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	cause_immutable(causes, object, old, "spec.controllerName");
}

/* What the Gateway API lets a new object say until a controller has looked at it. */
static json_t *pending(const json_t *object, const char *const *types, int64_t now)
{
	json_t *status = json_object(), *conditions = json_array();

	for (size_t i = 0; types[i] != NULL; i++) {
		struct condition condition = {
			.type = types[i],
			.status = COND_UNKNOWN,
			.reason = "Pending",
			.message = "Waiting for controller",
			.observed_generation = json_int_at(object, "metadata.generation", 0),
		};

		condition_set(conditions, &condition, now);
	}
	json_object_set_new(status, "conditions", conditions);
	return status;
}

json_t *gatewayclass_status(const json_t *object, int64_t now)
{
	static const char *const types[] = {"Accepted", NULL};

	return pending(object, types, now);
}

CELL_VALUE(class_controller, "spec.controllerName")
CELL_CONDITION(class_accepted, "Accepted", "status")
CELL_VALUE(class_description, "spec.description")

static json_t *class_age(const json_t *object, int64_t now)
{
	return cell_since(object, "metadata.creationTimestamp", now);
}

const struct column gatewayclass_columns[4] = {
	{.name = "Controller", .type = "string", .cell = class_controller},
	{.name = "Accepted", .type = "string", .cell = class_accepted},
	{.name = "Age", .type = "string", .cell = class_age},
	{.name = "Description", .type = "string", .priority = 1, .cell = class_description},
};

/* ---- Gateway: its members ---- */

static const struct schema_node options_item[] = {TEXT("[]", .max = 4096)};

static const struct schema_node listener_tls[] = {
	TEXT("mode", WORDS("Terminate", "Passthrough"), .text = "Terminate"),
	LIST("certificateRefs", secret_ref_item, .max = 64),
	MAP("options", options_item, .format = &format_annotation_key, .max = 16),
	END,
};

static const struct schema_node route_kind_members[] = {
	TEXT("group", .max = 253, .format = &format_group, .text = "gateway.networking.k8s.io"),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	END,
};
static const struct schema_node route_kind_item[] = {OBJECT("[]", route_kind_members)};

static const struct schema_node route_namespaces[] = {
	TEXT("from", WORDS("All", "Selector", "Same"), .text = "Same"),
	OBJECT("selector", label_selector_members),
	END,
};

static const struct schema_node allowed_routes[] = {
	OBJECT("namespaces", route_namespaces, .flags = SCHEMA_MAKE),
	LIST("kinds", route_kind_item, .max = 8),
	END,
};

/* Letters, digits and '-', or a domain and a name behind '/'. */
static bool is_protocol(struct str_view text)
{
	size_t slash = sv_find(text, '/');
	struct str_view name = slash == SV_NOT_FOUND ? text : sv_skip(text, slash + 1);

	if (slash != SV_NOT_FOUND && !name_is_dns_subdomain(sv_head(text, slash)))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '-')
			return false;
	}
	return name.len > 0 && name.data[0] != '-' && name.data[name.len - 1] != '-';
}

static const struct text_format format_protocol = {
	is_protocol,
	"must be HTTP, HTTPS, TLS, TCP, UDP, or a domain and a name: example.com/proto"};

static const struct schema_node listener_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	TEXT("hostname", .min = 1, .max = 253, .format = &format_hostname),
	PORT("port", REQUIRED),
	TEXT("protocol", REQUIRED, .min = 1, .max = 255, .format = &format_protocol),
	OBJECT("tls", listener_tls),
	OBJECT("allowedRoutes", allowed_routes, .flags = SCHEMA_MAKE),
	END,
};
const struct schema_node listener_item[] = {OBJECT("[]", listener_members)};

static bool is_address_type(struct str_view text)
{
	return sv_eq(text, SV("IPAddress")) || sv_eq(text, SV("Hostname")) ||
	       sv_eq(text, SV("NamedAddress")) || format_domain_path.is(text);
}

static const struct text_format format_address_type = {
	is_address_type, "must be IPAddress, Hostname, NamedAddress, or a domain and a path"};

static const struct schema_node address_members[] = {
	TEXT("type", .min = 1, .max = 253, .format = &format_address_type, .text = "IPAddress"),
	TEXT("value", .max = 253),
	END,
};
static const struct schema_node address_item[] = {OBJECT("[]", address_members)};

static const struct schema_node local_parameters[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	END,
};

static const struct schema_node infra_label_item[] = {
	TEXT("[]", .max = 63, .format = &format_label_value)};

static const struct schema_node infrastructure[] = {
	MAP("labels", infra_label_item, .format = &format_qualified, .max = 8),
	MAP("annotations", options_item, .format = &format_qualified, .max = 16),
	OBJECT("parametersRef", local_parameters),
	END,
};

static const struct schema_node listener_namespaces[] = {
	TEXT("from", WORDS("All", "Selector", "Same", "None"), .text = "None"),
	OBJECT("selector", label_selector_members),
	END,
};

static const struct schema_node allowed_listeners[] = {
	OBJECT("namespaces", listener_namespaces, .flags = SCHEMA_MAKE),
	END,
};

static const struct schema_node client_validation[] = {
	LIST("caCertificateRefs", object_ref_item, REQUIRED, .min = 1, .max = 16),
	TEXT("mode", WORDS("AllowValidOnly", "AllowInsecureFallback"), .text = "AllowValidOnly"),
	END,
};

static const struct schema_node frontend_tls[] = {OBJECT("validation", client_validation), END};

static const struct schema_node per_port_members[] = {
	PORT("port", REQUIRED),
	OBJECT("tls", frontend_tls, REQUIRED),
	END,
};
static const struct schema_node per_port_item[] = {OBJECT("[]", per_port_members)};

static const struct schema_node gateway_frontend[] = {
	OBJECT("default", frontend_tls, REQUIRED),
	LIST("perPort", per_port_item, .key = "port", .max = 64),
	END,
};

static const struct schema_node gateway_backend[] = {
	OBJECT("clientCertificateRef", secret_ref_members),
	END,
};

static const struct schema_node gateway_tls[] = {
	OBJECT("backend", gateway_backend),
	OBJECT("frontend", gateway_frontend),
	END,
};

static const struct schema_node gateway_spec[] = {
	TEXT("gatewayClassName", REQUIRED, .min = 1, .max = 253),
	LIST("listeners", listener_item, REQUIRED, .key = "name", .min = 1, .max = LISTENERS_MAX),
	LIST("addresses", address_item, .max = 16),
	OBJECT("infrastructure", infrastructure),
	OBJECT("allowedListeners", allowed_listeners),
	OBJECT("tls", gateway_tls),
	REFUSED("defaultScope"),
	END,
};

const struct schema_node gateway_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", gateway_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* ---- Gateway: rules between its members ---- */

/* What the protocols of the Gateway API ask of a listener; others ask nothing. */
static const struct protocol_rule {
	struct str_view protocol;
	bool hostname, tls; /* may be there */
	bool tls_needed;
	bool terminate_only; /* tls.mode may not be Passthrough */
} protocol_rules[] = {
	{SV_INIT("HTTP"), .hostname = true},
	{SV_INIT("HTTPS"), .hostname = true, .tls = true, .tls_needed = true,
	 .terminate_only = true},
	{SV_INIT("TLS"), .hostname = true, .tls = true, .tls_needed = true},
	{SV_INIT("TCP"), .hostname = false},
	{SV_INIT("UDP"), .hostname = false},
};

static const struct protocol_rule *rule_of(struct str_view protocol)
{
	for (size_t i = 0; i < ARRAY_LEN(protocol_rules); i++) {
		if (sv_eq(protocol_rules[i].protocol, protocol))
			return &protocol_rules[i];
	}
	return NULL;
}

static void validate_listener_tls(const struct protocol_rule *rule, const json_t *tls,
				  struct where *where, struct causes *causes)
{
	struct str_view mode = json_sv_at(tls, "mode");
	size_t mark;

	if (sv_eq(mode, SV("Passthrough")) && rule != NULL && rule->terminate_only) {
		mark = where_to(where, ".mode");
		cause_invalid(causes, where->text, json_member(tls, "mode"),
			      "must be Terminate for protocol HTTPS (Passthrough: protocol TLS)");
		where_back(where, mark);
	}
	if (sv_eq(mode, SV("Terminate")) &&
	    json_array_size(json_member(tls, "certificateRefs")) == 0 &&
	    json_object_size(json_member(tls, "options")) == 0) {
		mark = where_to(where, ".certificateRefs");
		cause_required(causes, where->text,
			       "mode Terminate needs certificateRefs (or options)");
		where_back(where, mark);
	}
}

static void validate_listener(const json_t *listener, struct where *where, struct causes *causes)
{
	struct str_view protocol = json_sv_at(listener, "protocol");
	const struct protocol_rule *rule = rule_of(protocol);
	const json_t *tls = json_member(listener, "tls");
	size_t mark = where_to(where, ".hostname");

	if (rule != NULL && !rule->hostname && json_member(listener, "hostname") != NULL)
		cause_forbidden(causes, where->text, "protocol %.*s knows no hostname",
				SV_ARG(protocol));
	where_back(where, mark);
	where_to(where, ".tls");
	if (rule != NULL && !rule->tls && tls != NULL)
		cause_forbidden(causes, where->text, "protocol %.*s has no TLS", SV_ARG(protocol));
	else if (rule != NULL && rule->tls_needed && tls == NULL)
		cause_required(causes, where->text, "protocol HTTPS or TLS needs it");
	if (json_is_object(tls))
		validate_listener_tls(rule, tls, where, causes);
	where_back(where, mark);
}

static bool listeners_same(const json_t *a, const json_t *b)
{
	return json_is_object(a) && json_is_object(b) && json_member(a, "port") != NULL &&
	       json_same(json_member(a, "port"), json_member(b, "port")) &&
	       json_same(json_member(a, "protocol"), json_member(b, "protocol")) &&
	       json_same(json_member(a, "hostname"), json_member(b, "hostname"));
}

static void validate_distinct(const json_t *listeners, size_t index, const struct where *where,
			      struct causes *causes)
{
	const json_t *listener = json_array_get(listeners, index);

	for (size_t i = 0; i < index; i++) {
		if (!listeners_same(json_array_get(listeners, i), listener))
			continue;
		causes_add(causes, CAUSE_DUPLICATE, where->text,
			   "Duplicate value: port, protocol and hostname are those of "
			   "spec.listeners[%zu]: each combination must be unique",
			   i);
		return;
	}
}

static void validate_address(const json_t *addresses, size_t index, struct causes *causes)
{
	const json_t *address = json_array_get(addresses, index);
	struct str_view type = json_sv_at(address, "type");
	const json_t *value = json_member(address, "value");
	struct where where = {0};

	if (!json_is_string(value))
		return;
	where_to(&where, "spec.addresses[%zu].value", index);
	if (sv_eq(type, SV("IPAddress")) && !name_is_ip(text_of(value)))
		cause_invalid(causes, where.text, value, "%s", format_ip.must);
	else if (sv_eq(type, SV("Hostname")) && !format_hostname.is(text_of(value)))
		cause_invalid(causes, where.text, value, "%s", format_hostname.must);
	if (!sv_eq(type, SV("IPAddress")) && !sv_eq(type, SV("Hostname")))
		return;
	for (size_t i = 0; i < index; i++) {
		if (!json_same(json_array_get(addresses, i), address))
			continue;
		cause_duplicate(causes, where.text, value);
		return;
	}
}

void listeners_validate(const json_t *listeners, struct causes *causes)
{
	for (size_t i = 0; i < json_array_size(listeners) && i < LISTENERS_MAX; i++) {
		struct where where = {0};

		where_to(&where, "spec.listeners[%zu]", i);
		validate_listener(json_array_get(listeners, i), &where, causes);
		validate_distinct(listeners, i, &where, causes);
	}
}

void gateway_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *addresses = json_at(object, "spec.addresses");

	(void)old;
	listeners_validate(json_at(object, "spec.listeners"), causes);
	for (size_t i = 0; i < json_array_size(addresses) && i < 16; i++)
		validate_address(addresses, i, causes);
}

/* Any name is one that some controller may know, so what is spelt wrong is not refused. */
static const char *protocol_meant(struct str_view text)
{
	static const char *const known[] = {"HTTP", "HTTPS", "TLS", "TCP", "UDP"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (sv_eq_nocase(text, sv_from(known[i])) && !sv_eq(text, sv_from(known[i])))
			return known[i];
	}
	return NULL;
}

void gateway_remark(const json_t *object, json_t *warnings)
{
	const json_t *listener;
	size_t i;

	json_array_foreach(json_at(object, "spec.listeners"), i, listener)
	{
		struct str_view protocol = json_sv_at(listener, "protocol");
		const char *meant = protocol_meant(protocol);

		if (meant != NULL)
			json_array_append_new(warnings,
					      json_fmt("spec.listeners[%zu].protocol: \"%.*s\" is "
						       "not known: is \"%s\" meant?",
						       i, SV_ARG(protocol), meant));
	}
}

json_t *gateway_status(const json_t *object, int64_t now)
{
	static const char *const types[] = {"Accepted", "Programmed", NULL};

	return pending(object, types, now);
}

/* ---- Gateway: its table ---- */

static json_t *gateway_addresses(const json_t *object, int64_t now)
{
	json_t *address, *cell;
	struct buf text;
	size_t i;

	(void)now;
	buf_init(&text, 4096);
	json_array_foreach(json_at(object, "status.addresses"), i, address)
		buf_addf(&text, "%s%.*s", i == 0 ? "" : ",", SV_ARG(json_sv_at(address, "value")));
	cell = buf_len(&text) == 0 ? json_null() : json_sv(buf_view(&text));
	buf_deinit(&text);
	return cell;
}

CELL_VALUE(gateway_class, "spec.gatewayClassName")
CELL_CONDITION(gateway_programmed, "Programmed", "status")

const struct column gateway_columns[3] = {
	{.name = "Class", .type = "string", .cell = gateway_class},
	{.name = "Address", .type = "string", .cell = gateway_addresses},
	{.name = "Programmed", .type = "string", .cell = gateway_programmed},
};
