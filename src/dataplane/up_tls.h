/* dataplane/up_tls.h - TLS towards backends: handshake, verification, records, sessions to resume
 *
 * OpenSSL reads and writes memory; here, and only here, that memory meets the socket. One SSL_CTX a
 * worker for each pair of policy and client certificate, one X509_STORE for each set of CAs; both
 * go with the last endpoint that used them. TLS 1.2 and 1.3 (RFC 8446), ALPN (RFC 7301).
 */
#ifndef DATAPLANE_UP_TLS_H
#define DATAPLANE_UP_TLS_H

#include "base/str.h"
#include "dataplane/backend.h"

#include <sys/types.h>

struct endpoint;
struct up_contexts;
struct up_peer; /* what the connections of one endpoint share */
struct up_tls;  /* one connection */
struct worker;

struct up_contexts *up_contexts_new(struct worker *worker);
void up_contexts_free(struct up_contexts *contexts); /* after the last up_peer_free */

void up_peer_free(struct up_peer *peer); /* NULL is fine */

/* Makes endpoint->peer when there is none. NULL: *failure says why, a word for the access log.
 * client_cert may be NULL. */
struct up_tls *up_tls_new(struct up_contexts *contexts, struct endpoint *endpoint,
			  const struct backend_tls *policy, const struct cert *client_cert,
			  const char **failure);
/* fd: for a last close_notify, which may be lost; -1: none. NULL is fine. */
void up_tls_free(struct up_tls *tls, int fd);

enum up_tls_step { UP_TLS_DONE, UP_TLS_MORE, UP_TLS_FAILED };
/* Goes on as far as the socket lets it. Done: the certificate is one that the policy accepts. */
enum up_tls_step up_tls_handshake(struct up_tls *tls, int fd);
const char *up_tls_failure(const struct up_tls *tls); /* a word for the access log */
bool up_tls_h2(const struct up_tls *tls);             /* ALPN chose it */

/* As read(2): 0 is close_notify. -1 with EAGAIN: nothing more now. An end without close_notify is
 * an error (RFC 9112, section 9.8). */
ssize_t up_tls_read(struct up_tls *tls, int fd, char *out, size_t room);
/* After up_tls_read: something is left, here or (as far as can be known) in the socket. */
bool up_tls_more(const struct up_tls *tls);
/* As send(2), but 0 when the socket is full. What was taken may wait here, less than 100 KB: see
 * up_tls_flush. */
ssize_t up_tls_write(struct up_tls *tls, int fd, struct str_view bytes);
/* True: nothing waits, or nothing can be sent any more. */
bool up_tls_flush(struct up_tls *tls, int fd);
void up_tls_goodbye(struct up_tls *tls, int fd); /* close_notify */

#endif
