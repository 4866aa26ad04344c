/* dataplane/policy.h - how the clients of one port are met (ClientTrafficPolicy)
 *
 * A part of the snapshot; connections pin the one they were accepted under.
 */
#ifndef DATAPLANE_POLICY_H
#define DATAPLANE_POLICY_H

#include "dataplane/limits.h"
#include "dataplane/part.h"
#include "loop/sock.h"

enum proxy_mode {
	PROXY_OFF,
	PROXY_OPTIONAL, /* a header, or none */
	PROXY_STRICT    /* who sends none is sent away */
};

struct cidr { /* an IPv4 one is kept as IPv6, mapped */
	unsigned char bytes[16];
	unsigned bits; /* 0..128 */
};

/* "192.0.2.0/24", "2001:db8::/32"; bits beyond the prefix do not count. False: none. */
bool cidr_parse(struct str_view text, struct cidr *cidr);
bool cidr_has(const struct cidr *cidr, const struct sock_addr *addr);

struct client_policy {
	struct part part;
	struct str_view name; /* "default/edge" */
	enum proxy_mode proxy;
	/* Who the client is: one of these three, or none of them. */
	uint32_t trusted_hops; /* the address so far from the right end of X-Forwarded-For */
	size_t cidr_count;     /* the last one there that is in none of these */
	const struct cidr *cidrs;
	struct str_view field; /* a field that holds the address */
	bool field_required;   /* without it: 403 */
	uint32_t connections;  /* of the port, all workers together; 0: no limit */
	struct plane_limits limits;
};

/* Copies everything. One owner: the caller. */
struct client_policy *client_policy_new(const struct client_policy *like);
bool client_policy_same(const struct client_policy *a, const struct client_policy *b);
/* Does it look at the fields of requests? */
static inline bool client_policy_detects(const struct client_policy *policy)
{
	return policy->trusted_hops > 0 || policy->cidr_count > 0 || policy->field.len > 0;
}

#endif
