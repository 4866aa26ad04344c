/* dataplane/backend.h - where requests go: endpoints, and how they are spoken to
 *
 * Constructors copy all they are given and take references on the parts it names; one owner, the
 * caller.
 */
#ifndef DATAPLANE_BACKEND_H
#define DATAPLANE_BACKEND_H

#include "dataplane/cert.h"
#include "dataplane/filter_spec.h"
#include "loop/sock.h"

enum backend_protocol {
	BACKEND_HTTP1, /* with TLS: HTTP/2 as well, when the backend chooses it (ALPN) */
	BACKEND_H2C    /* HTTP/2 with prior knowledge; with TLS: HTTP/2 or nothing */
};

struct san {      /* a subject alternative name that the backend's certificate may have */
	bool uri; /* else a DNS name */
	struct str_view name;
};

struct backend_tls { /* BackendTLSPolicy, as one Service's port has it */
	struct part part;
	uint64_t id;                 /* differs for every backend_tls_new */
	struct str_view name;        /* "default/policy", for the log */
	struct str_view server_name; /* SNI, and what the certificate must name if sans are none */
	size_t san_count;
	const struct san *sans; /* one of them must be in the certificate */
	struct ca_set *cas;     /* a reference is taken */
};
struct backend_tls *backend_tls_new(const struct backend_tls *like);

struct backend { /* one backendRef of a rule */
	struct part part;
	struct str_view name; /* "default/frontend:80" for logs and metrics */
	uint32_t weight;
	uint16_t fail_status; /* 0: fine; 500: reference does not resolve; 503: no ready endpoint */
	enum backend_protocol protocol;
	struct backend_tls *tls; /* a reference is taken; NULL: without */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite; /* its path takes the place of the rule's */
	struct cors cors;       /* takes the place of the rule's */
	size_t mirror_count;
	const struct mirror *mirrors;
	size_t endpoint_count;
	const struct sock_addr *endpoints;
};

struct backend *backend_new(const struct backend *like);

#endif
