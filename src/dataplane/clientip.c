#include "dataplane/clientip.h"

#include "dataplane/conn.h"
#include "dataplane/policy.h"

static struct str_view ip_text(struct exchange *ex, const struct sock_addr *addr)
{
	char text[SOCK_ADDR_TEXT];

	sock_addr_ip_text(addr, text);
	return arena_dup(&ex->arena, sv_from(text));
}

/* With or without a port: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80" */
static bool read_address(struct str_view text, struct sock_addr *addr)
{
	bool boxed = sv_starts(text, SV("[")) && sv_ends(text, SV("]"));

	if (boxed)
		text = sv_head(sv_skip(text, 1), text.len - 2);
	return sock_addr_ip(addr, text, 0) ||
	       (!boxed && sock_addr_parse(addr, text, 0) && addr->u.any.sa_family != AF_UNIX);
}

static bool is_trusted(const struct client_policy *policy, const struct sock_addr *addr)
{
	for (size_t i = 0; i < policy->cidr_count; i++) {
		if (cidr_has(&policy->cidrs[i], addr))
			return true;
	}
	return false;
}

/* The address that stands count-th from the right end. */
static bool from_right(struct str_view all, uint32_t count, struct sock_addr *addr)
{
	struct str_view rest = all, element;
	size_t there = 0;

	while (list_next(&rest, &element))
		there++;
	rest = all;
	for (size_t i = 0; list_next(&rest, &element); i++) {
		if (there >= count && i == there - count)
			return read_address(element, addr);
	}
	return false;
}

/* The last one that no trusted proxy has; when all have, the first. */
static bool behind_proxies(const struct client_policy *policy, struct str_view all,
			   struct sock_addr *addr)
{
	struct str_view rest = all, element;
	struct sock_addr one;
	bool found = false, good = false;

	while (list_next(&rest, &element)) {
		bool readable = read_address(element, &one);

		if (found && readable && is_trusted(policy, &one))
			continue;
		found = true;
		good = readable;
		*addr = one;
	}
	return found && good;
}

static bool find(struct exchange *ex, struct sock_addr *addr)
{
	const struct client_policy *policy = ex->conn->policy;
	struct fields *fields = &ex->request.fields;
	const struct field *field;

	if (policy->field.len > 0) {
		field = fields_find(fields, policy->field);
		return field != NULL && read_address(field->value, addr);
	}
	if (policy->cidr_count > 0 && !is_trusted(policy, &ex->conn->peer))
		return false;
	if (policy->cidr_count > 0)
		return behind_proxies(policy, fields_joined(fields, SV("x-forwarded-for")), addr);
	return from_right(fields_joined(fields, SV("x-forwarded-for")), policy->trusted_hops, addr);
}

bool clientip_find(struct exchange *ex)
{
	const struct client_policy *policy = ex->conn->policy;
	struct sock_addr addr = {.len = 0};

	if (!client_policy_detects(policy))
		return true;
	ex->trusted = find(ex, &addr);
	if (ex->trusted)
		ex->client = ip_text(ex, &addr);
	return ex->trusted || !policy->field_required;
}

struct str_view clientip_forwarded(struct exchange *ex)
{
	struct str_view peer = ip_text(ex, &ex->conn->peer);
	struct str_view before = ex->client;

	if (!ex->trusted)
		return peer;
	if (ex->conn->policy->field.len == 0)
		before = fields_joined(&ex->request.fields, SV("x-forwarded-for"));
	return arena_printf(&ex->arena, "%.*s, %.*s", SV_ARG(before), SV_ARG(peer));
}
