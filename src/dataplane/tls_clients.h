/* dataplane/tls_clients.h - certificates of clients: one SSL_CTX for each policy of listeners
 *
 * A policy is a set of CAs and whether a certificate is required. The context of a policy is made
 * on first use; a worker keeps the POLICIES_MAX used last.
 */
#ifndef DATAPLANE_TLS_CLIENTS_H
#define DATAPLANE_TLS_CLIENTS_H

#include "dataplane/snapshot.h"

#include <openssl/ssl.h>

#define POLICIES_MAX 64

struct tls_policies;

/* setup: what every context of a listener has in common. */
struct tls_policies *tls_policies_new(bool (*setup)(SSL_CTX *ctx));
void tls_policies_free(struct tls_policies *policies);
/* In the callback of the ClientHello: the handshake asks for what listener->clients says. */
bool tls_policies_apply(struct tls_policies *policies, SSL *ssl,
			const struct snap_listener *listener);

/* Names the policy: differs when the CAs do, and when a certificate becomes required. 0: none. */
static inline uint64_t tls_clients_id(const struct snap_listener *listener)
{
	if (listener->clients == NULL)
		return 0;
	return listener->clients->id * 2 + (listener->clients_optional ? 1 : 0);
}

/* A listener whose policy all listeners of the port have; NULL: they differ, or there is none. */
const struct snap_listener *tls_clients_common(const struct snap_port *port);

#endif
