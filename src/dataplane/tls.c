/* dataplane/tls.c - OpenSSL between two memory windows */
#include "dataplane/tls.h"

#include "base/log.h"
#include "base/own.h"
#include "dataplane/conn_io.h"
#include "dataplane/match.h"
#include "dataplane/tls_bio.h"
#include "dataplane/tls_cert.h"
#include "dataplane/tls_clients.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define ACME_PROTOCOL   "acme-tls/1"
#define RECORD_MAX      16384 /* plaintext of one record (RFC 8446, section 5.1) */
#define CERTS_MAX       1024  /* parsed certificates kept by a worker */
#define SERVER_NAME_MAX 255
#define TICKET_SECONDS  14400 /* a session is resumed for four hours at most */
#define TICKETS_SENT    1

struct tls_server {
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	EVP_CIPHER *ticket_cipher;
	EVP_MD *digest;
	struct cert_cache *certs;
	struct tls_policies *policies; /* contexts that ask for certificates of clients */
};

struct tls_conn {
	SSL *ssl;
	struct cert *cert; /* pinned from ClientHello to the end of the handshake */
	uint64_t clients;  /* tls_clients_id of what the client was asked for; 0: not asked */
	bool h2, resumed, dead, acme;
	uint8_t name_len;
	char *name;
};

/* ---- the BIO: no system call, never an end of file (conn_io.c sees that) ---- */

static int bio_read(BIO *bio, char *out, int len)
{
	struct conn *conn = BIO_get_data(bio);

	return tls_bio_take(bio, &conn->buffers->cipher, out, len);
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct conn *conn = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buffers_queue(conn->buffers, conn->worker, data, (size_t)len);
	return len;
}

static struct conn *ssl_conn(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

/* ---- ClientHello: who is asked for ---- */

/* server_name of RFC 6066, section 3: one host_name. False: malformed. */
static bool read_server_name(const unsigned char *data, size_t len, struct str_view *name)
{
	size_t name_len;

	if (len < 5 || ((size_t)data[0] << 8 | data[1]) != len - 2 || data[2] != 0)
		return false;
	name_len = (size_t)data[3] << 8 | data[4];
	if (name_len != len - 5 || name_len == 0 || name_len > SERVER_NAME_MAX)
		return false;
	*name = sv_new((const char *)data + 5, name_len);
	return true;
}

static bool name_byte_ok(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
}

/* Keeps the name in lower case. False: no host has that name. */
static bool keep_server_name(struct tls_conn *tls, struct str_view name)
{
	free(tls->name);
	tls->name_len = (uint8_t)name.len;
	tls->name = name.len == 0 ? NULL : xmalloc(name.len);
	for (size_t i = 0; i < name.len; i++) {
		if (!name_byte_ok(name.data[i]))
			return false;
		tls->name[i] = ascii_lower(name.data[i]);
	}
	return true;
}

/* A ticket carries a client back only to the listener and the name that it was made for: the
 * listener's rules (client certificates) were checked then. */
static bool bind_tickets(SSL *ssl, struct conn *conn, const struct snap_port *port)
{
	struct str_view name = tls_server_name(conn->tls);
	const struct snap_listener *listener = match_listener(port, name);
	struct str_view policy = listener == NULL ? SV("") : listener->name;
	uint64_t clients = conn->tls->clients;
	unsigned char context[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	size_t size = policy.len + 1 + name.len + sizeof(clients);
	AUTO(auto_free) char *text = xmalloc(size);

	if (policy.len > 0)
		memcpy(text, policy.data, policy.len);
	text[policy.len] = '\0';
	if (name.len > 0)
		memcpy(text + policy.len + 1, name.data, name.len);
	memcpy(text + size - sizeof(clients), &clients, sizeof(clients));
	if (!EVP_Digest(text, size, context, &len, conn->worker->tls->digest, NULL))
		return false;
	return SSL_set_session_id_context(ssl, context, len) == 1;
}

static void pin_cert(struct tls_conn *tls, struct cert *cert)
{
	if (cert != NULL)
		part_pin(&cert->part);
	if (tls->cert != NULL)
		part_unpin(&tls->cert->part);
	tls->cert = cert;
}

static int refuse(int *alert, int why)
{
	*alert = why;
	return SSL_CLIENT_HELLO_ERROR;
}

static bool is_address(struct str_view name)
{
	struct sock_addr addr;

	return sock_addr_ip(&addr, name, 0);
}

/* An address is no host name (RFC 6066, section 3), yet some clients send the one they connect to:
 * a certificate for it is used, otherwise that is a handshake without a name. */
static struct cert *choose_cert(struct conn *conn, const struct snap_port *port)
{
	struct tls_conn *tls = conn->tls;
	struct cert *cert = match_cert(port, tls_server_name(tls));

	if (tls->name_len == 0 || !is_address(tls_server_name(tls)))
		return cert;
	tls->name_len = 0;
	return cert != NULL ? cert : match_cert(port, SV(""));
}

/* The listener that the handshake is for. Without a name: the one without hostname, else what all
 * of the port have in common (tls_clients_common). */
static const struct snap_listener *asks_clients(const struct conn *conn,
						const struct snap_port *port)
{
	struct str_view name = tls_server_name(conn->tls);
	const struct snap_listener *listener = match_listener(port, name);

	if (listener == NULL && name.len == 0)
		listener = tls_clients_common(port);
	return listener != NULL && listener->clients != NULL ? listener : NULL;
}

/* From here on the context of the listener's policy is in force: one that asks for certificates. */
static bool ask_client(SSL *ssl, struct conn *conn, const struct snap_port *port)
{
	const struct snap_listener *listener = asks_clients(conn, port);

	conn->tls->clients = 0;
	if (listener == NULL)
		return true;
	conn->tls->clients = tls_clients_id(listener);
	return tls_policies_apply(conn->worker->tls->policies, ssl, listener);
}

/* The client offers this protocol and no other (RFC 8737, section 4). */
static bool wants_acme(SSL *ssl)
{
	static const char only[] = "\0\x0b\x0a" ACME_PROTOCOL;
	const unsigned char *data;
	size_t len;

	return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
					 &data, &len) == 1 &&
	       sv_eq(sv_new((const char *)data, len), sv_new(only, sizeof(only) - 1));
}

static bool use_challenge(SSL *ssl, const struct challenge *challenge)
{
	const unsigned char *cert_at = (const unsigned char *)challenge->cert_der.data;
	const unsigned char *key_at = (const unsigned char *)challenge->key_der.data;
	X509 *cert = d2i_X509(NULL, &cert_at, (long)challenge->cert_der.len);
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &key_at, (long)challenge->key_der.len);
	bool used =
		cert != NULL && key != NULL && SSL_use_cert_and_key(ssl, cert, key, NULL, 1) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	return used;
}

/* A CA that validates one of our names. Never resumed, and no ticket that could be. */
static bool take_challenge(SSL *ssl, struct conn *conn)
{
	static const unsigned char context[] = ACME_PROTOCOL;
	const struct challenge *challenge =
		match_tls_challenge(conn->worker->snapshot, tls_server_name(conn->tls));

	if (challenge == NULL || !use_challenge(ssl, challenge) ||
	    SSL_set_session_id_context(ssl, context, sizeof(context)) != 1)
		return false;
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(ssl, 0);
	conn->tls->acme = true;
	conn->tls->clients = 0;
	metric_add(&conn->worker->metrics.challenges, 1);
	worker_challenge_fetched(conn->worker, challenge->token);
	return true;
}

/* Runs before resumption and before anything is chosen; twice after a HelloRetryRequest. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct conn *conn = ssl_conn(ssl);
	const struct snap_port *port = conn_port(conn);
	const unsigned char *data;
	struct str_view name = SV("");
	size_t len;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) &&
	    !read_server_name(data, len, &name))
		return refuse(alert, SSL_AD_DECODE_ERROR);
	if (!keep_server_name(conn->tls, name))
		return refuse(alert, SSL_AD_UNRECOGNIZED_NAME);
	conn->tls->acme = false;
	if (wants_acme(ssl) && take_challenge(ssl, conn))
		return SSL_CLIENT_HELLO_SUCCESS;
	pin_cert(conn->tls, choose_cert(conn, port));
	if (conn->tls->cert == NULL)
		return refuse(alert, conn->tls->name_len > 0 ? SSL_AD_UNRECOGNIZED_NAME
							     : SSL_AD_HANDSHAKE_FAILURE);
	if (!ask_client(ssl, conn, port) || !bind_tickets(ssl, conn, port))
		return refuse(alert, SSL_AD_INTERNAL_ERROR);
	if (!conn->worker->snapshot->ticket_keys[0].set) {
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(ssl, 0);
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Only in full handshakes. */
static int on_certificate(SSL *ssl, void *arg)
{
	struct conn *conn = ssl_conn(ssl);
	const struct parsed_cert *parsed;

	(void)arg;
	if (conn->tls->acme)
		return 1;
	if (conn->tls->cert == NULL)
		return 0;
	parsed = cert_cache_get(conn->worker->tls->certs, conn->tls->cert);
	return parsed != NULL &&
	       SSL_use_cert_and_key(ssl, parsed->leaf, parsed->key, parsed->chain, 1) == 1;
}

static bool carries_stream(const struct conn *conn)
{
	const struct snap_listener *listener = match_listener(conn_port(conn), conn_sni(conn));

	return listener != NULL && listener->serves == SERVES_STREAM;
}

/* RFC 7301: ours in our order; a client that offers only others is refused. */
/* NOLINTNEXTLINE(readability-function-size): OpenSSL's parameters */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	static const struct str_view ours[] = {SV_INIT("h2"), SV_INIT("http/1.1")};

	(void)arg;
	if (ssl_conn(ssl)->tls->acme) { /* it is all that was offered */
		*out = in + 1;
		*out_len = in[0];
		return SSL_TLSEXT_ERR_OK;
	}
	if (carries_stream(ssl_conn(ssl))) /* what runs inside is not ours to agree on */
		return SSL_TLSEXT_ERR_NOACK;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += in[at] + 1u) {
			if (!sv_eq(ours[i], sv_new((const char *)in + at + 1, in[at])))
				continue;
			*out = in + at + 1;
			*out_len = in[at];
			ssl_conn(ssl)->tls->h2 = i == 0;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- tickets: sealed with the snapshot's keys, nothing is kept here (RFC 5077) ---- */

static bool ticket_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac,
						  sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static const struct ticket_key *find_key(const struct ticket_key *keys, const unsigned char *name)
{
	for (size_t i = 0; i < TICKET_KEYS; i++) {
		if (keys[i].set && memcmp(keys[i].name, name, sizeof(keys[i].name)) == 0)
			return &keys[i];
	}
	return NULL;
}

/* NOLINTNEXTLINE(readability-function-size): OpenSSL's parameters */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const struct worker *worker = ssl_conn(ssl)->worker;
	const struct ticket_key *keys = worker->snapshot->ticket_keys;
	const struct ticket_key *key = seal ? &keys[0] : find_key(keys, name);

	if (key == NULL || !key->set)
		return 0;
	if (seal) {
		memcpy(name, key->name, sizeof(key->name));
		if (RAND_bytes(iv, 16) != 1)
			return -1;
	}
	if (EVP_CipherInit_ex2(cipher, worker->tls->ticket_cipher, key->aes, iv, seal, NULL) != 1 ||
	    !ticket_mac(mac, key))
		return -1;
	/* 2: resume and send a new one, when the key gets old or tickets serve once (TLS 1.3) */
	return !seal && (key != &keys[0] || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}

/* ---- the server ---- */

static bool ctx_setup(SSL_CTX *ctx)
{
	static const unsigned char no_context[] = "sallyport";

	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_ANTI_REPLAY);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TICKET_SECONDS);
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
	       SSL_CTX_set_num_tickets(ctx, TICKETS_SENT) == 1 &&
	       SSL_CTX_set_session_id_context(ctx, no_context, sizeof(no_context)) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

struct tls_server *tls_server_new(struct err *err)
{
	struct tls_server *server = xcalloc(1, sizeof(*server));

	server->ctx = SSL_CTX_new(TLS_server_method());
	server->bio = tls_bio_method_new("connection", bio_read, bio_write);
	server->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	server->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	server->certs = cert_cache_new(CERTS_MAX);
	server->policies = tls_policies_new(ctx_setup);
	if (server->ctx != NULL && server->bio != NULL && server->ticket_cipher != NULL &&
	    server->digest != NULL && ctx_setup(server->ctx))
		return server;
	err_set(err, ERR_IO, "OpenSSL cannot be set up for TLS 1.2 and 1.3: %s",
		ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	tls_server_free(server);
	return NULL;
}

void tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	SSL_CTX_free(server->ctx);
	BIO_meth_free(server->bio);
	EVP_CIPHER_free(server->ticket_cipher);
	EVP_MD_free(server->digest);
	cert_cache_free(server->certs);
	tls_policies_free(server->policies);
	free(server);
}

struct cert_cache *tls_server_certs(const struct tls_server *server)
{
	return server->certs;
}

/* ---- one connection ---- */

struct tls_conn *tls_conn_new(struct conn *conn)
{
	const struct tls_server *server = conn->worker->tls;
	struct tls_conn *tls = xcalloc(1, sizeof(*tls));
	BIO *bio = BIO_new(server->bio);

	tls->ssl = SSL_new(server->ctx);
	if (tls->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		tls_conn_free(tls);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void tls_conn_shrink(struct tls_conn *tls)
{
	pin_cert(tls, NULL);
	SSL_free(tls->ssl);
	tls->ssl = NULL;
	tls->dead = true;
}

void tls_conn_free(struct tls_conn *tls)
{
	if (tls == NULL)
		return;
	tls_conn_shrink(tls);
	free(tls->name);
	free(tls);
}

bool tls_resumed(const struct tls_conn *tls)
{
	return tls->resumed;
}

bool tls_dead(const struct tls_conn *tls)
{
	return tls->dead;
}

uint64_t tls_clients(const struct tls_conn *tls)
{
	return tls->clients;
}

bool tls_acme(const struct tls_conn *tls)
{
	return tls->acme;
}

bool tls_h2(const struct tls_conn *tls)
{
	return tls->h2;
}

struct str_view tls_server_name(const struct tls_conn *tls)
{
	return sv_new(tls->name, tls->name_len);
}

/* What OpenSSL says is in the way; its error queue is empty afterwards. */
static int ssl_trouble(struct tls_conn *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	if (error != SSL_ERROR_WANT_READ) {
		const char *reason = ERR_reason_error_string(ERR_peek_error());

		if (error != SSL_ERROR_ZERO_RETURN)
			log_debug("tls", "%s", reason == NULL ? "connection lost" : reason);
		tls->dead = tls->dead || error != SSL_ERROR_ZERO_RETURN;
		ERR_clear_error();
	}
	return error;
}

enum tls_step tls_handshake(struct conn *conn)
{
	struct tls_conn *tls = conn->tls;

	for (;;) {
		int result = SSL_do_handshake(tls->ssl);

		if (result == 1) {
			tls->resumed = SSL_session_reused(tls->ssl);
			pin_cert(tls, NULL);
			return TLS_DONE;
		}
		if (ssl_trouble(tls, result) != SSL_ERROR_WANT_READ)
			return TLS_FAILED;
		if (!conn->buffers->readable)
			return conn->peer_closed ? TLS_FAILED : TLS_MORE;
		if (!conn_may_read(conn))
			return TLS_MORE;
		switch (conn_read(conn, &conn->buffers->cipher)) {
		case IO_OK:
			break;
		case IO_AGAIN:
			return TLS_MORE;
		case IO_EOF:
		case IO_ERROR:
			return TLS_FAILED;
		}
	}
}

/* True: nothing more comes out of OpenSSL without more bytes. */
static bool drained(struct conn *conn)
{
	return window_len(&conn->buffers->cipher) == 0 && SSL_pending(conn->tls->ssl) == 0;
}

static enum conn_io open_trouble(struct conn *conn, int result)
{
	switch (ssl_trouble(conn->tls, result)) {
	case SSL_ERROR_WANT_READ:
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		conn->peer_closed = true;
		conn->buffers->readable = false;
		return IO_EOF;
	default: /* an alert may have been queued */
		conn->buffers->readable = false;
		conn->peer_closed = true;
		return IO_ERROR;
	}
}

enum conn_io tls_open(struct conn *conn)
{
	struct conn_buffers *buffers = conn->buffers;
	size_t queued = buffers->queued;
	bool any = false;
	enum conn_io io = IO_OK;

	if (conn->tls->dead)
		return IO_ERROR;
	while (io == IO_OK && !drained(conn)) {
		size_t room, got;
		char *at = window_room(&buffers->in, conn->worker, &room);
		int result;

		if (room == 0)
			return any ? IO_OK : IO_ERROR;
		result = SSL_read_ex(conn->tls->ssl, at, room, &got);
		if (result == 1) {
			buffers->in.end += (uint32_t)got;
			any = true;
		} else {
			io = open_trouble(conn, result);
		}
	}
	if (buffers->queued != queued) /* an answer of TLS itself */
		conn_touch(conn);
	if (any)
		return IO_OK;
	return io == IO_OK ? IO_AGAIN : io;
}

static void seal(struct conn *conn, const char *data, size_t len)
{
	struct tls_conn *tls = conn->tls;
	size_t sent;
	int result;

	if (tls->dead)
		return;
	result = SSL_write_ex(tls->ssl, data, len, &sent);
	if (result == 1)
		return;
	ssl_trouble(tls, result);
	tls->dead = true;
	conn->buffers->failed = true;
	conn_touch(conn);
}

void tls_seal(struct conn *conn)
{
	struct window *staged = &conn->buffers->staged;

	if (window_len(staged) == 0)
		return;
	seal(conn, staged->data, staged->end);
	window_free(staged, conn->worker);
}

void tls_write(struct conn *conn, struct str_view bytes)
{
	struct window *staged = &conn->buffers->staged;

	while (bytes.len > 0) {
		size_t room, part;
		char *at;

		if (window_len(staged) == 0 && bytes.len >= RECORD_MAX) {
			seal(conn, bytes.data, RECORD_MAX);
			bytes = sv_skip(bytes, RECORD_MAX);
			continue;
		}
		at = window_room(staged, conn->worker, &room);
		part = RECORD_MAX - staged->end;
		part = bytes.len < part ? bytes.len : part;
		memcpy(at, bytes.data, part);
		staged->end += (uint32_t)part;
		bytes = sv_skip(bytes, part);
		if (staged->end == RECORD_MAX)
			tls_seal(conn);
	}
}

void tls_goodbye(struct conn *conn)
{
	tls_seal(conn);
	if (conn->tls->dead || !SSL_is_init_finished(conn->tls->ssl))
		return;
	if (SSL_shutdown(conn->tls->ssl) < 0)
		ERR_clear_error();
}
