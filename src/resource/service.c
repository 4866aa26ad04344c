/* resource/service.c - Service and EndpointSlice: names for addresses of backends */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

#include <inttypes.h>

#define CELL_MAX   2048
#define CELL_ITEMS 3 /* endpoints and ports of a slice that a cell names */

/* ---- Service ---- */

static const struct schema_node service_port_members[] = {
	TEXT("name", .min = 1, .max = 63, .format = &format_label),
	TEXT("protocol", WORDS("TCP", "UDP", "SCTP"), .text = "TCP"),
	TEXT("appProtocol", .max = 253, .format = &format_qualified),
	PORT("port", REQUIRED),
	{.name = "targetPort", .type = SCHEMA_PORT_OR_NAME},
	INTEGER("nodePort", .min = 0, .max = 65535),
	END,
};
static const struct schema_node service_port_item[] = {OBJECT("[]", service_port_members)};
static const struct schema_node ip_item[] = {TEXT("[]", .format = &format_ip)};

static const struct schema_node service_spec[] = {
	LIST("ports", service_port_item, .key = "name", .max = 100),
	MAP("selector", text_item, .format = &format_qualified),
	TEXT("type", WORDS("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
	     .text = "ClusterIP"),
	TEXT("clusterIP"),
	LIST("clusterIPs", text_item, .max = 2),
	TEXT("externalName", .max = 253, .format = &format_exact_hostname),
	LIST("externalIPs", ip_item),
	TEXT("sessionAffinity", WORDS("None", "ClientIP")),
	ANY("sessionAffinityConfig"),
	TEXT("loadBalancerIP"),
	TEXT("loadBalancerClass"),
	LIST("loadBalancerSourceRanges", text_item),
	BOOL("allocateLoadBalancerNodePorts"),
	TEXT("externalTrafficPolicy"),
	TEXT("internalTrafficPolicy"),
	INTEGER("healthCheckNodePort", .max = 65535),
	BOOL("publishNotReadyAddresses"),
	LIST("ipFamilies", text_item, .max = 2),
	TEXT("ipFamilyPolicy"),
	TEXT("trafficDistribution"),
	END,
};

const struct schema_node service_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", service_spec, REQUIRED),
	KIND_STATUS,
	END,
};

static bool is_external(const json_t *object)
{
	return sv_eq(json_sv_at(object, "spec.type"), SV("ExternalName"));
}

/* On one host no address belongs to a Service itself: it is what Kubernetes calls headless. */
static void default_cluster_ip(json_t *object, const json_t *old)
{
	json_t *spec = json_object_get(object, "spec");
	struct str_view before = json_sv_at(old, "spec.clusterIP");

	if (!json_is_object(spec) || json_member(spec, "clusterIP") != NULL || is_external(object))
		return;
	json_object_set_new(spec, "clusterIP", json_sv(before.len > 0 ? before : SV("None")));
}

void service_defaults(json_t *object, const json_t *old)
{
	json_t *ports = json_at(object, "spec.ports"), *port;
	size_t i;

	default_cluster_ip(object, old);
	json_array_foreach(ports, i, port)
	{
		json_t *number = json_object_get(port, "port");

		if (json_integer_value(number) >= 1 && json_integer_value(number) <= 65535 &&
		    json_member(port, "targetPort") == NULL)
			json_object_set(port, "targetPort", number);
	}
}

json_t *service_status(const json_t *object, int64_t now)
{
	json_t *status = json_object();

	(void)object;
	(void)now;
	json_object_set_new(status, "loadBalancer", json_object());
	return status;
}

static bool ports_same(const json_t *a, const json_t *b)
{
	return json_same(json_member(a, "port"), json_member(b, "port")) &&
	       json_same(json_member(a, "protocol"), json_member(b, "protocol"));
}

static void validate_port(const json_t *ports, size_t index, struct causes *causes)
{
	const json_t *port = json_array_get(ports, index);
	struct where where = {0};

	if (json_member(port, "name") == NULL && json_array_size(ports) > 1) {
		where_to(&where, "spec.ports[%zu].name", index);
		cause_required(causes, where.text, "several ports need names");
		where_back(&where, 0);
	}
	for (size_t i = 0; i < index; i++) {
		if (!ports_same(json_array_get(ports, i), port))
			continue;
		where_to(&where, "spec.ports[%zu].port", index);
		cause_duplicate(causes, where.text, json_member(port, "port"));
		return;
	}
}

void service_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *spec = json_member(object, "spec");
	const json_t *ports = json_member(spec, "ports"), *ip = json_member(spec, "clusterIP");
	struct str_view text = text_of(ip);

	(void)old;
	if (is_external(object) && json_sv_at(object, "spec.externalName").len == 0)
		cause_required(causes, "spec.externalName", NULL);
	if (!is_external(object) && json_at(object, "spec.externalName") != NULL)
		cause_forbidden(causes, "spec.externalName", "only with type ExternalName");
	if (json_is_object(spec) && !is_external(object) && ports == NULL &&
	    json_member(spec, "selector") == NULL)
		cause_required(causes, "spec.ports", NULL);
	if (json_is_string(ip) && text.len > 0 && !sv_eq(text, SV("None")) && !name_is_ip(text))
		cause_invalid(causes, "spec.clusterIP", ip,
			      "must be \"None\", empty or an address");
	if (json_array_size(ports) > 100)
		return;
	for (size_t i = 0; i < json_array_size(ports); i++)
		validate_port(ports, i, causes);
}

CELL_VALUE(service_type, "spec.type")

static json_t *service_cluster_ip(const json_t *object, int64_t now)
{
	(void)now;
	return cell_or_none(object, "spec.clusterIP");
}

static json_t *joined(const json_t *list, const char *member)
{
	struct buf text;
	json_t *cell, *item;
	size_t i;

	buf_init(&text, CELL_MAX);
	json_array_foreach(list, i, item)
	{
		struct str_view part = text_of(member == NULL ? item : json_member(item, member));

		if (part.len > 0)
			buf_addf(&text, "%s%.*s", buf_len(&text) == 0 ? "" : ",", SV_ARG(part));
	}
	cell = buf_len(&text) == 0 ? NULL : json_sv(buf_view(&text));
	buf_deinit(&text);
	return cell;
}

static json_t *service_external_ip(const json_t *object, int64_t now)
{
	json_t *cell = joined(json_at(object, "spec.externalIPs"), NULL);

	(void)now;
	if (cell != NULL)
		return cell;
	if (is_external(object))
		return cell_or_none(object, "spec.externalName");
	if (!sv_eq(json_sv_at(object, "spec.type"), SV("LoadBalancer")))
		return json_string("<none>");
	cell = joined(json_at(object, "status.loadBalancer.ingress"), "ip");
	return cell != NULL ? cell : json_string("<pending>");
}

static json_t *service_ports(const json_t *object, int64_t now)
{
	json_t *ports = json_at(object, "spec.ports"), *port, *cell;
	struct buf text;
	size_t i;

	(void)now;
	buf_init(&text, CELL_MAX);
	json_array_foreach(ports, i, port)
	{
		int64_t node = json_int_at(port, "nodePort", 0);

		buf_addf(&text, "%s%" PRId64, i == 0 ? "" : ",", json_int_at(port, "port", 0));
		if (node > 0)
			buf_addf(&text, ":%" PRId64, node);
		buf_addf(&text, "/%.*s", SV_ARG(json_sv_at(port, "protocol")));
	}
	cell = buf_len(&text) == 0 ? json_string("<none>") : json_sv(buf_view(&text));
	buf_deinit(&text);
	return cell;
}

static json_t *service_age(const json_t *object, int64_t now)
{
	return cell_since(object, "metadata.creationTimestamp", now);
}

static json_t *service_selector(const json_t *object, int64_t now)
{
	(void)now;
	return cell_labels(object, "spec.selector");
}

const struct column service_columns[6] = {
	{.name = "Type", .type = "string", .cell = service_type},
	{.name = "Cluster-IP", .type = "string", .cell = service_cluster_ip},
	{.name = "External-IP", .type = "string", .cell = service_external_ip},
	{.name = "Port(s)", .type = "string", .cell = service_ports},
	{.name = "Age", .type = "string", .cell = service_age},
	{.name = "Selector", .type = "string", .priority = 1, .cell = service_selector},
};

/* ---- EndpointSlice ---- */

static const struct schema_node endpoint_conditions[] = {
	BOOL("ready"),
	BOOL("serving"),
	BOOL("terminating"),
	END,
};

static const struct schema_node endpoint_members[] = {
	LIST("addresses", text_item, REQUIRED, .min = 1, .max = 100),
	OBJECT("conditions", endpoint_conditions),
	TEXT("hostname", .max = 63, .format = &format_label),
	ANY("targetRef"),
	MAP("deprecatedTopology", text_item),
	TEXT("nodeName", .max = 253),
	TEXT("zone", .max = 253),
	ANY("hints"),
	END,
};
static const struct schema_node endpoint_item[] = {OBJECT("[]", endpoint_members)};

static const struct schema_node slice_port_members[] = {
	TEXT("name", .max = 63),
	TEXT("protocol", WORDS("TCP", "UDP", "SCTP"), .text = "TCP"),
	PORT("port"),
	TEXT("appProtocol", .max = 253, .format = &format_qualified),
	END,
};
static const struct schema_node slice_port_item[] = {OBJECT("[]", slice_port_members)};

const struct schema_node endpointslice_schema[] = {
	KIND_MEMBERS,
	TEXT("addressType", REQUIRED, WORDS("IPv4", "IPv6", "FQDN")),
	LIST("endpoints", endpoint_item, .max = 1000),
	LIST("ports", slice_port_item, .key = "name", .max = 100),
	END,
};

static const struct {
	struct str_view type;
	bool (*is)(struct str_view text);
	const char *must;
} address_types[] = {
	{SV_INIT("IPv4"), name_is_ipv4, "must be an IPv4 address, since addressType is IPv4"},
	{SV_INIT("IPv6"), name_is_ipv6, "must be an IPv6 address, since addressType is IPv6"},
	{SV_INIT("FQDN"), name_is_dns_subdomain, "must be a host name, since addressType is FQDN"},
};

static void validate_addresses(const json_t *endpoint, size_t index, size_t type,
			       struct causes *causes)
{
	json_t *address;
	size_t i;

	json_array_foreach(json_object_get(endpoint, "addresses"), i, address)
	{
		struct where where = {0};

		if (!json_is_string(address) || address_types[type].is(text_of(address)))
			continue;
		where_to(&where, "endpoints[%zu].addresses[%zu]", index, i);
		cause_invalid(causes, where.text, address, "%s", address_types[type].must);
	}
}

void endpointslice_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *endpoints = json_member(object, "endpoints");
	struct str_view type = json_sv_at(object, "addressType");

	cause_immutable(causes, object, old, "addressType");
	for (size_t t = 0; t < sizeof(address_types) / sizeof(address_types[0]); t++) {
		if (!sv_eq(type, address_types[t].type))
			continue;
		for (size_t i = 0; i < json_array_size(endpoints); i++)
			validate_addresses(json_array_get(endpoints, i), i, t, causes);
	}
}

CELL_VALUE(slice_type, "addressType")

static json_t *slice_cell(const struct buf *text, size_t count)
{
	if (count == 0)
		return json_string("<unset>");
	if (count > CELL_ITEMS)
		return json_fmt("%.*s + %zu more...", SV_ARG(buf_view(text)), count - CELL_ITEMS);
	return json_sv(buf_view(text));
}

static json_t *slice_ports(const json_t *object, int64_t now)
{
	json_t *port, *cell;
	struct buf text;
	size_t i, count = 0;

	(void)now;
	buf_init(&text, CELL_MAX);
	json_array_foreach(json_object_get(object, "ports"), i, port)
	{
		if (count++ < CELL_ITEMS)
			buf_addf(&text, "%s%" PRId64, i == 0 ? "" : ",",
				 json_int_at(port, "port", 0));
	}
	cell = slice_cell(&text, count);
	buf_deinit(&text);
	return cell;
}

static json_t *slice_endpoints(const json_t *object, int64_t now)
{
	json_t *endpoint, *address, *cell;
	struct buf text;
	size_t i, j, count = 0;

	(void)now;
	buf_init(&text, CELL_MAX);
	json_array_foreach(json_object_get(object, "endpoints"), i, endpoint)
	{
		json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
		{
			if (count++ < CELL_ITEMS)
				buf_addf(&text, "%s%.*s", count == 1 ? "" : ",",
					 SV_ARG(text_of(address)));
		}
	}
	cell = slice_cell(&text, count);
	buf_deinit(&text);
	return cell;
}

const struct column endpointslice_columns[3] = {
	{.name = "AddressType", .type = "string", .cell = slice_type},
	{.name = "Ports", .type = "string", .cell = slice_ports},
	{.name = "Endpoints", .type = "string", .cell = slice_endpoints},
};
