/* dataplane/snapshot.h - what the workers serve: listeners with their certificates and routes, and
 * challenges
 *
 * Built by the control thread, immutable once published, read by every worker without a lock. Parts
 * that did not change are shared between snapshots (part.h). What an exchange or a connection must
 * keep past a turn (rule, backend, certificate) it pins.
 */
#ifndef DATAPLANE_SNAPSHOT_H
#define DATAPLANE_SNAPSHOT_H

#include "dataplane/backend.h"
#include "dataplane/cert.h"
#include "dataplane/rule.h"

struct host_index; /* hostindex.h */

/* ---- listeners ---- */

enum serves {
	SERVES_HTTP,
	SERVES_STREAM,      /* bytes: TCP, or TLS that ends here */
	SERVES_PASSTHROUGH, /* TLS that ends at the backend: the ClientHello is read and sent on */
	SERVES_DATAGRAM
};

struct snap_listener {
	struct part part;
	struct str_view name;     /* "default/gw/https" */
	struct str_view hostname; /* lower case, "*.example.com" or "" for any */
	bool tls;
	enum serves serves; /* all but HTTP: a vhost has one rule that counts, its first */
	size_t cert_count;
	struct cert *const
		*certs;           /* owned references; none: handshakes are refused with an alert */
	struct cert *client_cert; /* shown to backends that ask for one (an owned reference), or
				     NULL */
	struct ca_set *clients;   /* whom certificates of clients may come from (an owned
				     reference); NULL: none is asked for */
	bool clients_optional;    /* whoever has none, or a wrong one, comes in as well */
	size_t vhost_count;
	const struct str_view *vhost_hosts; /* "shop.example.com", "*.example.com", "" for any */
	struct vhost *const *vhosts;        /* owned references */
	struct host_index *index;           /* host -> vhost, made by snap_listener_new */
};
/* Copies arrays and views, takes references on certs and vhosts. */
struct snap_listener *snap_listener_new(const struct snap_listener *like);

struct binding;       /* binding.h: one bound (address, port) */
struct client_policy; /* policy.h */

struct snap_port {
	struct binding *binding;
	uint16_t port;
	bool tls; /* all listeners of a port speak TLS, or none does */
	/* Made by snapshot_new of what the listeners serve: */
	bool http;                    /* some listener serves it, with TLS or without */
	bool stream, datagram;        /* TCP without TLS; UDP */
	bool peek;                    /* some listener passes TLS through */
	struct client_policy *policy; /* how its clients are met; owned reference, or NULL */
	size_t listener_count;
	struct snap_listener *const *listeners; /* owned references, no hostname twice */
	struct host_index *index;               /* host -> listener, made by snapshot_new */
};

/* ---- challenges ---- */
struct challenge {            /* HTTP-01 (RFC 8555, section 8.3), TLS-ALPN-01 (RFC 8737) */
	struct str_view host; /* lower case; IPv6 identifiers without brackets; for TLS-ALPN-01 the
				 server name, which is below in-addr.arpa or ip6.arpa for an address
				 (RFC 8738) */
	struct str_view token, key_authorization;
	struct str_view cert_der, key_der; /* TLS-ALPN-01: what is shown; empty for HTTP-01 */
};

#define TICKET_KEYS 3
struct ticket_key { /* newest first; made and rotated by the control thread */
	unsigned char name[16], aes[32], hmac[32];
	bool set;
};

struct snapshot {
	uint64_t generation; /* set by plane_publish */
	size_t port_count;
	struct snap_port *ports;
	size_t challenge_count;
	struct challenge *challenges; /* sorted by token */
	struct ticket_key ticket_keys[TICKET_KEYS];
};

/* Copies the arrays given (ports, challenges), takes references. */
struct snapshot *snapshot_new(const struct snapshot *like);
/* Drops its references. */
void snapshot_free(struct snapshot *snapshot, struct graveyard *graveyard);

#endif
