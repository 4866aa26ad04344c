/* dataplane/snapshot.h - what the workers serve: listeners, routes, certificates, endpoints,
 * challenges
 *
 * Built by the control thread, immutable once published, read by every worker without a lock. Parts
 * that did not change are shared between snapshots: each part is counted by the control thread
 * alone
 * (_ref/_unref). What an exchange or a connection must keep past a turn (rule, backend,
 * certificate) it pins with an atomic counter; a part that nobody owns any more goes to a
 * graveyard, and the control thread frees it when all workers run a newer generation and its pins
 * are gone. Workers never free.
 */
#ifndef DATAPLANE_SNAPSHOT_H
#define DATAPLANE_SNAPSHOT_H

#include "base/str.h"
#include "loop/sock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graveyard;

/* First member of every shared part. */
struct part {
	unsigned owners;       /* control thread only */
	_Atomic unsigned pins; /* workers: part_pin/part_unpin */
	void (*destroy)(struct part *part, struct graveyard *graveyard);
	uint64_t buried;        /* newest generation published when the last owner let go */
	struct part *next_dead; /* graveyard */
};

/* Parts without owner that a worker may still look at. One for each plane (plane_graveyard). */
struct graveyard {
	struct part *dead;
	uint64_t newest; /* generation published last */
};

static inline void part_pin(struct part *part)
{
	atomic_fetch_add_explicit(&part->pins, 1, memory_order_relaxed);
}

static inline void part_unpin(struct part *part)
{
	atomic_fetch_sub_explicit(&part->pins, 1, memory_order_release);
}

/* ---- filters: of a rule, or of one of its backendRefs ---- */
struct header_pair {
	struct str_view name, value;
};

struct header_mods { /* HTTPHeaderFilter: set, then add, then remove */
	const struct header_pair *set, *add;
	const struct str_view *remove;
	size_t set_count, add_count, remove_count;
};

enum path_change { PATH_KEEP, PATH_REPLACE_FULL, PATH_REPLACE_PREFIX };

struct redirect { /* HTTPRequestRedirectFilter; empty view / 0: as the request (Gateway API's rules)
		   */
	bool present;
	struct str_view scheme, hostname;
	uint16_t port; /* 0: well-known port of scheme when scheme is given, else the listener's */
	enum path_change path_change;
	struct str_view path;
	uint16_t status; /* 301 302 303 307 308 */
};

struct rewrite { /* HTTPURLRewriteFilter */
	bool present;
	struct str_view hostname;
	enum path_change path_change;
	struct str_view path;
};

struct cors { /* HTTPCORSFilter; of the lists, "*" stands alone */
	bool present, credentials;
	const struct str_view *origins, *methods, *headers, *expose;
	size_t origin_count, method_count, header_count, expose_count;
	uint32_t max_age; /* seconds */
};

struct mirror { /* HTTPRequestMirrorFilter: a share of the requests goes there too */
	struct backend *backend;
	uint32_t numerator, denominator; /* denominator 0: all */
};

/* ---- backends ---- */
enum backend_protocol {
	BACKEND_HTTP1, /* with TLS: HTTP/2 as well, when the backend chooses it (ALPN) */
	BACKEND_H2C    /* HTTP/2 with prior knowledge; with TLS: HTTP/2 or nothing */
};

struct ca_set { /* whom a backend's or client's certificate may come from; parsed by each worker on
		   first use */
	struct part part;
	uint64_t id; /* differs for every ca_set_new */
	size_t count;
	const struct str_view *certs; /* DER */
};
struct ca_set *ca_set_new(const struct ca_set *like); /* copies all; one owner, the caller */

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
struct backend_tls *backend_tls_new(const struct backend_tls *like); /* one owner, the caller */

struct backend { /* one backendRef of a rule */
	struct part part;
	struct str_view name; /* "default/frontend:80" for logs and metrics */
	uint32_t weight;
	uint16_t fail_status; /* 0: fine; 500: reference does not resolve; 503: no ready endpoint */
	enum backend_protocol protocol;
	struct backend_tls *tls; /* a reference is taken; NULL: without */
	bool resolved_name; /* endpoints came from DNS: checked again against forbidden addresses
			       when dialled */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite; /* its path takes the place of the rule's */
	struct cors cors;       /* takes the place of the rule's */
	size_t mirror_count;
	const struct mirror *mirrors;
	size_t endpoint_count;
	const struct sock_addr *endpoints;
};

/* ---- rules ---- */
struct rule_retry { /* HTTPRouteRetry */
	bool present;
	uint32_t attempts;     /* after the first one */
	int64_t backoff_ms;    /* 0: not said */
	const uint16_t *codes; /* of responses that are not the last word */
	size_t code_count;
};

struct rule { /* one rule of one HTTPRoute */
	struct part part;
	struct str_view name; /* "default/shop/0" or the rule's name, for the access log */
	struct header_mods request_headers, response_headers;
	struct redirect redirect;
	struct rewrite rewrite;
	struct cors cors;
	size_t mirror_count;
	const struct mirror *mirrors;
	struct rule_retry retry;
	int64_t request_timeout_ms, backend_timeout_ms; /* 0: none */
	uint16_t fail_status; /* 500: an unknown filter; answered without looking at backends; 0:
				 fine */
	uint32_t weight_total;
	size_t backend_count;
	struct backend *const *backends; /* none: 500 (404 when the route has no backendRefs is not
					    the API's way) */
};

/* ---- matches ---- */
enum path_match { MATCH_EXACT, MATCH_PREFIX, MATCH_REGEX };
enum value_match { VALUE_EXACT, VALUE_REGEX, VALUE_PRESENT };

struct value_test {
	struct str_view name; /* header names: compared without case; first rule for a name wins */
	enum value_match type;
	struct str_view value;
	void *regex; /* compiled by match.c (pcre2), or NULL */
};

struct match_spec { /* one HTTPRouteMatch or GRPCRouteMatch of one rule; borrowed views, copied by
		       vhost_new */
	enum path_match path_type;
	struct str_view path;
	struct str_view method;      /* empty: any */
	bool grpc;                   /* only requests of gRPC (http_is_grpc) */
	struct str_view grpc_method; /* the path ends with "/METHOD"; empty: any */
	const struct value_test *headers, *queries;
	size_t header_count, query_count;
	/* precedence after path, method, headers and queries: oldest route, then name, then order
	 * in it */
	int64_t route_created;     /* seconds */
	struct str_view route_key; /* "namespace/name" */
	uint32_t order;
	struct rule *rule; /* a reference is taken */
};

struct vhost; /* a part: the matches of one hostname of one listener, sorted by precedence (match.c)
	       */
struct part *vhost_part(struct vhost *vhost);
struct err;
/* NULL: a regular expression does not compile (err names it). Owned by the caller (one owner). */
struct vhost *vhost_new(const struct match_spec *matches, size_t count, struct err *err);

/* ---- TLS ---- */
struct cert { /* a chain and its key, DER; parsed by each worker on first use */
	struct part part;
	struct str_view name; /* "default/secure-demo-cert" */
	size_t chain_count;
	const struct str_view *chain; /* DER, leaf first */
	struct str_view key;          /* PKCS#8 DER */
	size_t name_count;
	const struct str_view *names; /* dNSNames (with "*."), lower case; IPs as text */
	int64_t not_after;
	uint64_t id; /* differs for every cert_new: key of the workers' caches */
};

/* Copies everything (key material is cleansed when destroyed). */
struct cert *cert_new(const struct cert *like);

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
	void *index;                        /* host -> vhost, made by listener_new */
};
/* Copies arrays and views, takes references on certs and vhosts. */
struct snap_listener *snap_listener_new(const struct snap_listener *like);

struct binding;       /* plane.h: one bound (address, port) */
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
	void *index;                            /* host -> listener, made by snapshot_new */
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
void snapshot_free(struct snapshot *snapshot,
		   struct graveyard *graveyard); /* drops its references */

/* Constructors copy everything they are given; references inside (rule->backends, mirrors) are
 * taken. One owner: the caller. */
struct backend *backend_new(const struct backend *like);
struct rule *rule_new(const struct rule *like);
void part_ref(struct part *part);
void part_unref(struct part *part,
		struct graveyard *graveyard); /* the last owner buries it; NULL is fine */
/* Frees what was buried before the generation that all workers run and is not pinned; returns how
 * many parts remain. Called by plane.c after each acknowledgement and from a slow timer. */
size_t graveyard_sweep(struct graveyard *graveyard, uint64_t acknowledged);

#endif
