#include "dataplane/policy.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

/* As IPv6, IPv4 mapped (RFC 4291, section 2.5.5.2). False: neither. */
static bool bytes_of(const struct sock_addr *addr, unsigned char bytes[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (addr->len == 0)
		return false;
	if (addr->u.any.sa_family == AF_INET) {
		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + sizeof(mapped), &addr->u.v4.sin_addr, 4);
		return true;
	}
	if (addr->u.any.sa_family != AF_INET6)
		return false;
	memcpy(bytes, &addr->u.v6.sin6_addr, 16);
	return true;
}

bool cidr_parse(struct str_view text, struct cidr *cidr)
{
	size_t slash = sv_find(text, '/');
	struct sock_addr addr;
	struct str_view length = slash == SV_NOT_FOUND ? SV_NONE : sv_skip(text, slash + 1);
	uint64_t bits;
	bool v4;

	if (slash == SV_NOT_FOUND || length.len == 0 || length.len > 3 ||
	    (length.len > 1 && length.data[0] == '0') || !sv_to_u64(length, &bits) ||
	    !sock_addr_ip(&addr, sv_head(text, slash), 0) || !bytes_of(&addr, cidr->bytes))
		return false;
	v4 = addr.u.any.sa_family == AF_INET;
	if (bits > (v4 ? 32 : 128))
		return false;
	cidr->bits = (unsigned)bits + (v4 ? 96 : 0);
	return true;
}

bool cidr_has(const struct cidr *cidr, const struct sock_addr *addr)
{
	unsigned char bytes[16];
	unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;

	if (!bytes_of(addr, bytes) || memcmp(bytes, cidr->bytes, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ cidr->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- policies ---- */

static void policy_destroy(struct part *part, struct graveyard *graveyard)
{
	(void)graveyard;
	free(CONTAINER_OF(part, struct client_policy, part));
}

struct client_policy *client_policy_new(const struct client_policy *like)
{
	size_t cidrs = like->cidr_count * sizeof(like->cidrs[0]);
	char *block = xmalloc(sizeof(*like) + cidrs + like->name.len + like->field.len + 1);
	struct client_policy *policy = (struct client_policy *)(void *)block;
	char *text = block + sizeof(*like) + cidrs;

	*policy = *like;
	part_init(&policy->part, policy_destroy);
	policy->cidrs = (struct cidr *)(void *)(block + sizeof(*like));
	if (cidrs > 0)
		memcpy(block + sizeof(*like), like->cidrs, cidrs);
	if (like->name.len > 0)
		memcpy(text, like->name.data, like->name.len);
	policy->name = sv_new(text, like->name.len);
	text += like->name.len;
	if (like->field.len > 0)
		memcpy(text, like->field.data, like->field.len);
	policy->field = sv_new(text, like->field.len);
	return policy;
}

bool client_policy_same(const struct client_policy *a, const struct client_policy *b)
{
	if (a->cidr_count != b->cidr_count)
		return false;
	for (size_t i = 0; i < a->cidr_count; i++) {
		if (a->cidrs[i].bits != b->cidrs[i].bits ||
		    memcmp(a->cidrs[i].bytes, b->cidrs[i].bytes, 16) != 0)
			return false;
	}
	return sv_eq(a->name, b->name) && a->proxy == b->proxy &&
	       a->trusted_hops == b->trusted_hops && sv_eq(a->field, b->field) &&
	       a->field_required == b->field_required && a->connections == b->connections &&
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0;
}
