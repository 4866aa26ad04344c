#include "controller/resolve.h"

#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what comes out ---- */

void resolved_init(struct resolved *resolved)
{
	*resolved = (struct resolved){.target = {.protocol = BACKEND_HTTP1}};
}

void resolved_deinit(struct resolved *resolved)
{
	free(resolved->target.message);
	free(resolved->target.endpoints);
	resolved_init(resolved);
}

static char *text_of(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
static char *text_of(const char *fmt, va_list args)
{
	char text[ERR_MSG_MAX + 256];

	vsnprintf(text, sizeof(text), fmt, args);
	return xstrdup(text);
}

void resolved_fail(struct resolved *resolved, const char *reason, const char *fmt, ...)
{
	struct target *target = &resolved->target;
	va_list args;

	if (target->reason != NULL)
		return;
	free(target->message);
	va_start(args, fmt);
	target->message = text_of(fmt, args);
	va_end(args);
	target->reason = reason;
	target->fail_status = 500;
	target->endpoint_count = 0;
}

/* Nothing is wrong with the reference, but there is nobody to ask now (503). */
static void none_ready(struct resolved *resolved, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void none_ready(struct resolved *resolved, const char *fmt, ...)
{
	struct target *target = &resolved->target;
	va_list args;

	if (target->reason != NULL || target->message != NULL)
		return;
	va_start(args, fmt);
	target->message = text_of(fmt, args);
	va_end(args);
	target->fail_status = 503;
}

static bool has_endpoint(const struct target *target, const struct sock_addr *addr)
{
	for (size_t i = 0; i < target->endpoint_count; i++) {
		if (sock_addr_eq(&target->endpoints[i], addr))
			return true;
	}
	return false;
}

/* One address that is refused refuses the whole: who names it means harm, or errs badly. */
static void add_endpoint(const struct resolve_how *how, struct resolved *out,
			 const struct sock_addr *addr)
{
	struct target *target = &out->target;
	struct err err = {.code = ERR_NONE};

	if (target->reason != NULL)
		return;
	if (how->use == USE_DATAGRAM && addr->u.any.sa_family == AF_UNIX) {
		resolved_fail(out, "UnsupportedValue",
			      "a Unix socket takes no datagrams: name an ip or fqdn endpoint");
		return;
	}
	if (how->rules != NULL && rules_check(how->rules, addr, &err) < 0) {
		resolved_fail(out, "RefNotPermitted", "address refused: %s", err.msg);
		return;
	}
	if (target->endpoint_count >= BACKEND_ENDPOINTS_MAX || has_endpoint(target, addr))
		return;
	if (target->endpoint_count == out->size) {
		out->size = out->size == 0 ? 4 : out->size * 2;
		target->endpoints =
			xrealloc(target->endpoints, out->size * sizeof(target->endpoints[0]));
	}
	target->endpoints[target->endpoint_count++] = *addr;
}

/* ---- protocols ---- */

static const struct {
	struct str_view name;
	enum backend_protocol protocol;
	bool tls;
} protocols[] = {
	{SV_INIT("http"), BACKEND_HTTP1, false},
	{SV_INIT("kubernetes.io/http"), BACKEND_HTTP1, false},
	{SV_INIT("kubernetes.io/ws"), BACKEND_HTTP1, false}, /* begins as a request of HTTP/1.1 */
	{SV_INIT("gateway.envoyproxy.io/ws"), BACKEND_HTTP1, false},
	{SV_INIT("kubernetes.io/h2c"), BACKEND_H2C, false},
	{SV_INIT("gateway.envoyproxy.io/h2c"), BACKEND_H2C, false},
	{SV_INIT("https"), BACKEND_HTTP1, true},
	{SV_INIT("kubernetes.io/wss"), BACKEND_HTTP1, true},
	{SV_INIT("gateway.envoyproxy.io/wss"), BACKEND_HTTP1, true},
};

/* What an appProtocol asks for; false: not spoken here. */
static bool resolve_protocol(struct str_view app_protocol, struct target *target)
{
	target->protocol = BACKEND_HTTP1;
	if (app_protocol.len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (!sv_eq_nocase(protocols[i].name, app_protocol))
			continue;
		target->protocol = protocols[i].protocol;
		target->needs_tls = protocols[i].tls;
		return true;
	}
	return false;
}

/* Whatever runs in a stream or a datagram is not looked at. */
static void set_protocol(const struct resolve_how *how, struct resolved *out,
			 struct str_view app_protocol)
{
	if (how->use == USE_HTTP && !resolve_protocol(app_protocol, &out->target))
		resolved_fail(out, "UnsupportedProtocol",
			      "appProtocol %.*s is not supported: backends are spoken to in "
			      "HTTP/1.1, HTTP/2 (kubernetes.io/h2c), or either over TLS (https)",
			      SV_ARG(app_protocol));
}

/* ---- Services ---- */

static bool port_speaks(const json_t *port, enum target_use use)
{
	struct str_view protocol = json_sv_at(port, "protocol");

	if (use == USE_DATAGRAM)
		return sv_eq(protocol, SV("UDP"));
	return protocol.len == 0 || sv_eq(protocol, SV("TCP"));
}

static const json_t *service_port(const json_t *service, const struct resolve_how *how)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_at(service, "spec.ports"), i, port)
	{
		if (json_int_at(port, "port", 0) == how->port && port_speaks(port, how->use))
			return port;
	}
	return NULL;
}

/* The number behind a port of the Service in one slice: its ports have the names of the Service's;
 * 0: this slice has no such port. */
static uint16_t slice_port(const json_t *slice, const json_t *port, enum target_use use)
{
	const json_t *ports = json_member(slice, "ports");
	int64_t target = json_int_at(port, "targetPort", 0);
	json_t *candidate;
	size_t i;

	if (json_array_size(ports) == 0) /* all ports (EndpointSlice, ports) */
		return (uint16_t)(target > 0 ? target : json_int_at(port, "port", 0));
	json_array_foreach(ports, i, candidate)
	{
		if (sv_eq(json_sv_at(candidate, "name"), json_sv_at(port, "name")) &&
		    port_speaks(candidate, use))
			return (uint16_t)json_int_at(candidate, "port", target);
	}
	return 0;
}

struct reading { /* the EndpointSlices of a Service */
	const struct resolve_how *how;
	struct resolved *out;
	bool take_unready;
	bool saw_names; /* slices of type FQDN */
	bool saw_port;  /* some slice has the port */
	size_t not_ready;
};

static void read_endpoint(struct reading *reading, const json_t *endpoint, uint16_t port)
{
	json_t *address;
	size_t i;

	if (!json_bool_at(endpoint, "conditions.ready", true) && !reading->take_unready) {
		reading->not_ready++;
		return;
	}
	json_array_foreach(json_member(endpoint, "addresses"), i, address)
	{
		struct str_view text =
			sv_new(json_string_value(address), json_string_length(address));
		struct sock_addr addr;

		if (sock_addr_ip(&addr, text, port))
			add_endpoint(reading->how, reading->out, &addr);
	}
}

static void read_slice(struct reading *reading, const json_t *slice, const json_t *port)
{
	uint16_t number = slice_port(slice, port, reading->how->use);
	json_t *endpoint;
	size_t i;

	if (sv_eq(json_sv_at(slice, "addressType"), SV("FQDN"))) {
		reading->saw_names = true;
		return;
	}
	if (number == 0)
		return;
	reading->saw_port = true;
	json_array_foreach(json_member(slice, "endpoints"), i, endpoint)
	{
		read_endpoint(reading, endpoint, number);
	}
}

static void explain_none(const struct reading *reading, const json_t *port)
{
	struct resolved *out = reading->out;

	if (reading->how->slice_count == 0)
		none_ready(out, "no EndpointSlice has the label kubernetes.io/service-name of it");
	else if (reading->saw_names)
		resolved_fail(out, "BackendNotFound",
			      "its EndpointSlices are of addressType FQDN, which is not supported: "
			      "name a Backend with fqdn instead");
	else if (!reading->saw_port)
		none_ready(out, "no EndpointSlice of it has a port named \"%.*s\"",
			   SV_ARG(json_sv_at(port, "name")));
	else
		none_ready(out, "none of its endpoints is ready (%zu are not)", reading->not_ready);
}

void resolve_service(const struct resolve_how *how, const json_t *service, struct resolved *out)
{
	const json_t *port = service_port(service, how);
	struct reading reading = {
		.how = how,
		.out = out,
		.take_unready = json_bool_at(service, "spec.publishNotReadyAddresses", false)};

	if (sv_eq(json_sv_at(service, "spec.type"), SV("ExternalName"))) {
		resolved_fail(out, "InvalidKind",
			      "a Service of type ExternalName cannot be a backend: name a Backend "
			      "with fqdn instead");
		return;
	}
	if (port == NULL) {
		resolved_fail(out, "BackendNotFound", "the Service has no %s port %u",
			      how->use == USE_DATAGRAM ? "UDP" : "TCP", (unsigned)how->port);
		return;
	}
	(void)snprintf(out->target.section, sizeof(out->target.section), "%.*s",
		       SV_ARG(json_sv_at(port, "name")));
	set_protocol(how, out, json_sv_at(port, "appProtocol"));
	for (size_t i = 0; i < how->slice_count; i++)
		read_slice(&reading, how->slices[i], port);
	if (out->target.endpoint_count == 0)
		explain_none(&reading, port);
}

/* ---- Backends ---- */

static void add_name(const struct resolve_how *how, struct resolved *out, const struct fqdn *name,
		     int64_t port)
{
	if (name->status == DNS_NXDOMAIN || name->status == DNS_NODATA)
		out->absent = true;
	for (size_t i = 0; i < name->count; i++) {
		struct sock_addr addr = name->addrs[i];

		if (addr.u.any.sa_family == AF_INET)
			addr.u.v4.sin_port = htons((uint16_t)port);
		else
			addr.u.v6.sin6_port = htons((uint16_t)port);
		add_endpoint(how, out, &addr);
	}
	if (name->count == 0 && !name->answered)
		none_ready(out, "%s is being looked up", name->name);
	else if (name->count == 0)
		none_ready(out, "%s: %s", name->name, dns_status_text(name->status));
}

/* One endpoint with an address; false: it has none that can be read. */
static bool endpoint_addr(const json_t *endpoint, struct sock_addr *addr)
{
	if (json_member(endpoint, "unix") != NULL)
		return sock_addr_unix(addr, json_sv_at(endpoint, "unix.path"));
	return sock_addr_ip(addr, json_sv_at(endpoint, "ip.address"),
			    (uint16_t)json_int_at(endpoint, "ip.port", 0));
}

static void add_backend_endpoint(const struct resolve_how *how, struct resolved *out,
				 const json_t *endpoint, size_t *name)
{
	struct sock_addr addr;

	if (how->names != NULL && json_sv_at(endpoint, "fqdn.hostname").len > 0)
		add_name(how, out, how->names[(*name)++], json_int_at(endpoint, "fqdn.port", 0));
	else if (endpoint_addr(endpoint, &addr))
		add_endpoint(how, out, &addr);
	else
		resolved_fail(out, "BackendNotFound", "an endpoint has no address");
}

static void set_backend_protocols(const struct resolve_how *how, const json_t *backend,
				  struct resolved *out)
{
	json_t *protocol;
	size_t i;

	json_array_foreach(json_at(backend, "spec.appProtocols"), i, protocol)
	{
		set_protocol(how, out,
			     sv_new(json_string_value(protocol), json_string_length(protocol)));
	}
	if (json_bool_at(backend, "spec.fallback", false))
		resolved_fail(out, "UnsupportedValue", "spec.fallback is not supported");
}

void resolve_backend(const struct resolve_how *how, const json_t *backend, struct resolved *out)
{
	size_t i, name = 0;
	json_t *endpoint;

	set_backend_protocols(how, backend, out);
	json_array_foreach(json_at(backend, "spec.endpoints"), i, endpoint)
	{
		add_backend_endpoint(how, out, endpoint, &name);
	}
	if (out->target.reason != NULL)
		return;
	if (out->target.endpoint_count > 0) { /* what one name lacks, another has */
		free(out->target.message);
		out->target.message = NULL;
		out->target.fail_status = 0;
		return;
	}
	none_ready(out, "it has no endpoint");
	if (out->absent) { /* only names that do not exist */
		out->target.reason = "BackendNotFound";
		out->target.fail_status = 500;
	}
}

int backend_check(const json_t *backend, const struct address_rules *rules, struct err *err)
{
	struct resolve_how how = {.rules = rules};
	struct resolved resolved;
	int result = 0;
	json_t *endpoint;
	size_t i, name = 0;

	resolved_init(&resolved);
	set_backend_protocols(&how, backend, &resolved);
	json_array_foreach(json_at(backend, "spec.endpoints"), i, endpoint)
	{
		if (json_sv_at(endpoint, "fqdn.hostname").len == 0)
			add_backend_endpoint(&how, &resolved, endpoint, &name);
	}
	if (resolved.target.reason != NULL)
		result = err_set(err, ERR_DENIED, "%s", resolved.target.message);
	resolved_deinit(&resolved);
	return result;
}
