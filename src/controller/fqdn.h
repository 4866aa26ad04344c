/* controller/fqdn.h - host names of Backends, looked up again whenever their answer has grown old
 *
 * One look-up for each name, whoever asks. Addresses carry port 0. While a server does not answer,
 * the last addresses stay; that a name does not exist is believed at once. Control thread only.
 */
#ifndef CONTROLLER_FQDN_H
#define CONTROLLER_FQDN_H

#include "loop/dns.h"

struct fqdns;

struct fqdn {
	char *name;
	bool answered;          /* once, at least */
	enum dns_status status; /* of the newest answer */
	size_t count;
	struct sock_addr addrs[DNS_ADDRS_MAX];
};

/* changed: the addresses or the status of some name are others now (in a later turn). */
struct fqdns *fqdns_new(struct loop *loop, struct dns *dns, void (*changed)(void *arg), void *arg);
void fqdns_free(struct fqdns *fqdns); /* whoever holds a name still must not look at it again */

/* The name, counted; the look-up begins with the first who asks. */
const struct fqdn *fqdn_get(struct fqdns *fqdns, struct str_view name);
void fqdn_unref(struct fqdns *fqdns, const struct fqdn *fqdn);

#endif
