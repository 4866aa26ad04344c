/* dataplane/tls.h - TLS of the clients: handshake, records, certificates by SNI, ALPN, tickets
 *
 * OpenSSL reads from conn->buffers->cipher and writes to the chunks that the socket gets: it makes
 * no system call. One tls_server for each worker. TLS 1.2 and 1.3 (RFC 8446), ECDHE with AEAD only.
 */
#ifndef DATAPLANE_TLS_H
#define DATAPLANE_TLS_H

#include "base/err.h"
#include "dataplane/conn.h"

struct tls_server; /* the SSL_CTX of a listener policy, and the certificates parsed so far */
struct tls_conn;
struct cert_cache;

struct tls_server *tls_server_new(struct err *err);
void tls_server_free(struct tls_server *server);

/* The certificates that it has parsed: a worker's connections to backends show some too. */
struct cert_cache *tls_server_certs(const struct tls_server *server);

/* At the first bytes: a connection that says nothing costs no TLS state. */
struct tls_conn *tls_conn_new(struct conn *conn);
void tls_conn_free(struct tls_conn *tls);
/* Gives back what OpenSSL holds; the server name stays. */
void tls_conn_shrink(struct tls_conn *tls);

enum tls_step { TLS_DONE, TLS_MORE, TLS_FAILED };
/* Goes on as far as the bytes go, reading more where the kernel has some. TLS_FAILED: an alert may
 * be queued. */
enum tls_step tls_handshake(struct conn *conn);
bool tls_resumed(const struct tls_conn *tls);
bool tls_dead(const struct tls_conn *tls); /* broken beyond use; an alert may be queued */
/* It was to validate a name (RFC 8737): nothing follows the handshake. */
bool tls_acme(const struct tls_conn *tls);
bool tls_h2(const struct tls_conn *tls); /* ALPN said h2; otherwise HTTP/1.1 */
/* Of whom the client was asked for a certificate: id of the CAs; 0: it was not asked. */
uint64_t tls_clients(const struct tls_conn *tls);
/* As the client sent it, in lower case; "" without. */
struct str_view tls_server_name(const struct tls_conn *tls);

/* Opens the records of buffers->cipher into buffers->in. IO_AGAIN: needs more; IO_EOF:
 * close_notify. */
enum conn_io tls_open(struct conn *conn);
/* Takes plaintext; full records are sealed at once, the rest waits for tls_seal. */
void tls_write(struct conn *conn, struct str_view bytes);
void tls_seal(struct conn *conn);
/* Seals what waits and queues close_notify. */
void tls_goodbye(struct conn *conn);

#endif
