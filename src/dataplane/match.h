/* dataplane/match.h - host -> path -> method, fields, query: which rule answers (Gateway API
 * precedence)
 *
 * Pure over a snapshot. The path is the normalised one of the request; what is matched here is what
 * is forwarded.
 */
#ifndef DATAPLANE_MATCH_H
#define DATAPLANE_MATCH_H

#include "dataplane/snapshot.h"
#include "http/message.h"

enum match_answer {
	MATCH_RULE,
	MATCH_NONE,        /* 404 */
	MATCH_MISDIRECTED, /* 421: the host is another listener's than the handshake's */
	MATCH_AMBIGUOUS /* 400: the path's two readings lead to different rules (http/target.h) */
};

struct match_result {
	enum match_answer answer;
	const struct snap_listener *listener; /* of the host; NULL: none */
	struct rule *rule;                    /* not pinned yet */
	struct str_view
		prefix; /* the path prefix that matched, for ReplacePrefixMatch; "" otherwise */
};

/* sni: server name of the connection ("" without): a host of another listener than the handshake's
 * is MATCH_MISDIRECTED (421). Falls through to less specific hostnames when no rule of the first
 * matches. */
struct match_result match_request(const struct snap_port *port, struct str_view sni,
				  const struct http_request *request);

/* Most specific listener of a port for a host (exact, longest wildcard, any); NULL: none. */
const struct snap_listener *match_listener(const struct snap_port *port, struct str_view host);
/* Of a listener that serves no HTTP: the rule for a server name ("" without); NULL: none. */
struct rule *match_stream(const struct snap_listener *listener, struct str_view name);
/* One of the rule's backends, each as often as its weight says; NULL: all weights are 0. */
struct backend *match_backend(const struct rule *rule, uint64_t random);
/* Certificate for a server name on this port, or without one by the no-SNI rule of design.md; NULL:
 * refuse. */
struct cert *match_cert(const struct snap_port *port, struct str_view sni);
/* Our token with its host, or NULL (then it is routed like any other path). */
const struct challenge *match_challenge(const struct snapshot *snapshot, struct str_view host,
					struct str_view path);
/* Our TLS-ALPN-01 challenge for a server name, or NULL. */
const struct challenge *match_tls_challenge(const struct snapshot *snapshot, struct str_view name);

#endif
