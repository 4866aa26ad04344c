/* dataplane/up_tls.c - OpenSSL as a client, between a lent window and a buffer of records */
#include "dataplane/up_tls.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/own.h"
#include "dataplane/pool.h"
#include "dataplane/tls.h"
#include "dataplane/tls_bio.h"
#include "dataplane/tls_cert.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_MAX 16384      /* plaintext of one record (RFC 8446, section 5.1) */
#define SEALED_MAX 65536      /* plaintext that is sealed before the socket is asked */
#define OUT_MAX    (1u << 18) /* bound on records that wait; a handshake is far below it */

struct up_context { /* for all endpoints of one policy and one client certificate */
	struct list link;
	unsigned peers;
	uint64_t policy, cert, cas; /* identities */
	SSL_CTX *ctx;
};

struct up_contexts {
	struct worker *worker;
	BIO_METHOD *bio;
	struct list all;
};

struct up_peer {
	struct up_context *context;
	SSL_SESSION *session; /* the newest ticket, not used yet; or NULL */
};

struct up_tls {
	SSL *ssl;
	struct worker *worker;
	struct up_peer *peer;
	const struct backend_tls *policy; /* until the handshake is over: the exchange pins it */
	struct window cipher;             /* read, not yet opened */
	struct buf out;                   /* sealed, not yet sent */
	const char *failure;
	bool full_read; /* the last read filled all the room: there may be more */
	bool eof, dead, h2;
};

/* ---- the BIO: no system call ---- */

static int bio_read(BIO *bio, char *out, int len)
{
	struct up_tls *tls = BIO_get_data(bio);

	return tls_bio_take(bio, &tls->cipher, out, len);
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct up_tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	return buf_add(&tls->out, sv_new(data, (size_t)len)) ? len : -1;
}

/* ---- contexts ---- */

/* Tickets of TLS 1.3 come any time after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct up_tls *tls = BIO_get_data(SSL_get_rbio(ssl));

	SSL_SESSION_free(tls->peer->session);
	tls->peer->session = session;
	return 1; /* taken */
}

static X509_STORE *store_new(const struct ca_set *cas)
{
	X509_STORE *store = X509_STORE_new();

	for (size_t i = 0; store != NULL && i < cas->count; i++) {
		const unsigned char *der = (const unsigned char *)cas->certs[i].data;
		X509 *cert = d2i_X509(NULL, &der, (long)cas->certs[i].len);

		if (cert != NULL)
			(void)X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	ERR_clear_error();
	return store;
}

/* The CAs, parsed once for all policies with the same. */
static bool set_store(const struct up_contexts *contexts, SSL_CTX *ctx, const struct ca_set *cas)
{
	X509_STORE *store;

	LIST_EACH(&contexts->all, node)
	{
		const struct up_context *other = LIST_ENTRY(node, struct up_context, link);

		if (other->cas != cas->id)
			continue;
		SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(other->ctx));
		return true;
	}
	store = store_new(cas);
	if (store != NULL)
		SSL_CTX_set_cert_store(ctx, store); /* given away */
	return store != NULL;
}

static bool set_client_cert(const struct up_contexts *contexts, SSL_CTX *ctx,
			    const struct cert *cert)
{
	const struct parsed_cert *parsed;

	if (cert == NULL)
		return true;
	parsed = cert_cache_get(tls_server_certs(contexts->worker->tls), cert);
	return parsed != NULL &&
	       SSL_CTX_use_cert_and_key(ctx, parsed->leaf, parsed->key, parsed->chain, 1) == 1;
}

/* A CA of the policy is trusted as it is, whether it is a root or not. */
static bool ctx_setup(SSL_CTX *ctx)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	       SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static struct up_context *context_new(struct up_contexts *contexts,
				      const struct backend_tls *policy, const struct cert *cert)
{
	struct up_context *context = xcalloc(1, sizeof(*context));

	context->ctx = SSL_CTX_new(TLS_client_method());
	if (context->ctx == NULL || !ctx_setup(context->ctx) ||
	    !set_store(contexts, context->ctx, policy->cas) ||
	    !set_client_cert(contexts, context->ctx, cert)) {
		ERR_clear_error();
		SSL_CTX_free(context->ctx);
		free(context);
		return NULL;
	}
	context->policy = policy->id;
	context->cas = policy->cas->id;
	context->cert = cert == NULL ? 0 : cert->id;
	list_append(&contexts->all, &context->link);
	return context;
}

static struct up_context *context_get(struct up_contexts *contexts,
				      const struct backend_tls *policy, const struct cert *cert)
{
	uint64_t cert_id = cert == NULL ? 0 : cert->id;

	LIST_EACH(&contexts->all, node)
	{
		struct up_context *context = LIST_ENTRY(node, struct up_context, link);

		if (context->policy == policy->id && context->cert == cert_id)
			return context;
	}
	return context_new(contexts, policy, cert);
}

struct up_contexts *up_contexts_new(struct worker *worker)
{
	struct up_contexts *contexts = xcalloc(1, sizeof(*contexts));

	contexts->worker = worker;
	contexts->bio = tls_bio_method_new("backend", bio_read, bio_write);
	list_init(&contexts->all);
	return contexts;
}

void up_contexts_free(struct up_contexts *contexts)
{
	BIO_meth_free(contexts->bio);
	free(contexts);
}

static struct up_peer *peer_new(struct up_contexts *contexts, const struct backend_tls *policy,
				const struct cert *cert)
{
	struct up_context *context = context_get(contexts, policy, cert);
	struct up_peer *peer;

	if (context == NULL)
		return NULL;
	context->peers++;
	peer = xcalloc(1, sizeof(*peer));
	peer->context = context;
	return peer;
}

void up_peer_free(struct up_peer *peer)
{
	struct up_context *context;

	if (peer == NULL)
		return;
	context = peer->context;
	SSL_SESSION_free(peer->session);
	free(peer);
	if (--context->peers > 0)
		return;
	list_remove(&context->link);
	SSL_CTX_free(context->ctx);
	free(context);
}

/* ---- one connection ---- */

/* RFC 7301: what this way of speaking allows, in our order. */
static bool set_alpn(SSL *ssl, enum way way)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	static const struct {
		const unsigned char *list;
		unsigned len;
	} lists[] = {[WAY_TLS] = {both, sizeof(both) - 1},
		     [WAY_TLS_H1] = {both + 3, sizeof(both) - 4},
		     [WAY_TLS_H2] = {both, 3},
		     [WAY_TLS_STREAM] = {NULL, 0}};

	return SSL_set_alpn_protos(ssl, lists[way].list, lists[way].len) == 0;
}

static bool set_name(SSL *ssl, const struct backend_tls *policy)
{
	AUTO(auto_free) char *name = sv_dup(policy->server_name);

	return SSL_set_tlsext_host_name(ssl, name) == 1 &&
	       (policy->san_count > 0 || SSL_set1_host(ssl, name) == 1);
}

/* A ticket of TLS 1.3 serves once (RFC 8446, appendix C.4). */
static bool set_session(SSL *ssl, struct up_peer *peer)
{
	bool ok = peer->session == NULL || SSL_set_session(ssl, peer->session) == 1;

	if (peer->session != NULL &&
	    SSL_SESSION_get_protocol_version(peer->session) >= TLS1_3_VERSION) {
		SSL_SESSION_free(peer->session);
		peer->session = NULL;
	}
	return ok;
}

static bool tls_setup(struct up_tls *tls, const struct up_contexts *contexts, enum way way)
{
	BIO *bio = BIO_new(contexts->bio);

	tls->ssl = SSL_new(tls->peer->context->ctx);
	if (tls->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_connect_state(tls->ssl);
	return set_alpn(tls->ssl, way) && set_name(tls->ssl, tls->policy) &&
	       set_session(tls->ssl, tls->peer);
}

struct up_tls *up_tls_new(struct up_contexts *contexts, struct endpoint *endpoint,
			  const struct backend_tls *policy, const struct cert *client_cert,
			  const char **failure)
{
	struct up_tls *tls;

	*failure = "upstream_tls_setup";
	if (endpoint->peer == NULL)
		endpoint->peer = peer_new(contexts, policy, client_cert);
	if (endpoint->peer == NULL)
		return NULL;
	tls = xcalloc(1, sizeof(*tls));
	tls->worker = contexts->worker;
	tls->peer = endpoint->peer;
	tls->policy = policy;
	buf_init(&tls->out, OUT_MAX);
	if (tls_setup(tls, contexts, endpoint->way))
		return tls;
	ERR_clear_error();
	up_tls_free(tls, -1);
	return NULL;
}

void up_tls_free(struct up_tls *tls, int fd)
{
	if (tls == NULL)
		return;
	if (fd >= 0)
		up_tls_goodbye(tls, fd);
	SSL_free(tls->ssl);
	window_free(&tls->cipher, tls->worker);
	buf_deinit(&tls->out);
	free(tls);
}

const char *up_tls_failure(const struct up_tls *tls)
{
	return tls->failure == NULL ? "upstream_tls" : tls->failure;
}

bool up_tls_h2(const struct up_tls *tls)
{
	return tls->h2;
}

/* ---- the socket ---- */

static bool would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool up_tls_flush(struct up_tls *tls, int fd)
{
	while (buf_len(&tls->out) > 0 && !tls->dead) {
		struct str_view rest = buf_view(&tls->out);
		ssize_t count = send(fd, rest.data, rest.len, MSG_NOSIGNAL);

		if (count < 0 && would_block(errno))
			return false;
		if (count < 0)
			tls->dead = true;
		else
			buf_take(&tls->out, (size_t)count);
	}
	buf_release(&tls->out);
	return true;
}

/* Reads once into the window: as read(2). */
static ssize_t fill(struct up_tls *tls, int fd)
{
	size_t room;
	char *at = window_room(&tls->cipher, tls->worker, &room);
	ssize_t count = room == 0 ? -1 : read(fd, at, room);

	tls->full_read = room > 0 && count == (ssize_t)room;
	if (room == 0)
		errno = EPROTO;
	if (count > 0)
		tls->cipher.end += (uint32_t)count;
	return count;
}

/* ---- handshake ---- */

static bool has_uri(X509 *cert, struct str_view uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;

		found = name->type == GEN_URI &&
			sv_eq(uri, sv_new((const char *)ASN1_STRING_get0_data(text),
					  (size_t)ASN1_STRING_length(text)));
	}
	GENERAL_NAMES_free(names);
	return found;
}

static bool has_san(X509 *cert, const struct backend_tls *policy)
{
	const unsigned flags =
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

	for (size_t i = 0; i < policy->san_count; i++) {
		const struct san *san = &policy->sans[i];

		if (san->uri ? has_uri(cert, san->name)
			     : X509_check_host(cert, san->name.data, san->name.len, flags, NULL) ==
				       1)
			return true;
	}
	return policy->san_count == 0;
}

static const char *verify_word(long result)
{
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
		return "upstream_tls_name";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "upstream_tls_expired";
	default:
		return "upstream_tls_untrusted";
	}
}

static enum up_tls_step fail(struct up_tls *tls, const char *word)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	tls->failure = word;
	tls->dead = true;
	log_debug("tls", "backend of %.*s: %s: %s", SV_ARG(tls->policy->name), word,
		  reason == NULL ? "connection lost" : reason);
	ERR_clear_error();
	return UP_TLS_FAILED;
}

/* What OpenSSL does not look at by itself. */
static enum up_tls_step accept_peer(struct up_tls *tls)
{
	const unsigned char *protocol;
	unsigned len;

	SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
	tls->h2 = sv_eq(sv_new((const char *)protocol, len), SV("h2"));
	if (!has_san(SSL_get0_peer_certificate(tls->ssl), tls->policy))
		return fail(tls, "upstream_tls_name");
	tls->policy = NULL;
	return UP_TLS_DONE;
}

static enum up_tls_step trouble(struct up_tls *tls, int result)
{
	long verdict = SSL_get_verify_result(tls->ssl);

	if (SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ && !tls->eof)
		return UP_TLS_MORE;
	return fail(tls, verdict == X509_V_OK ? "upstream_tls" : verify_word(verdict));
}

enum up_tls_step up_tls_handshake(struct up_tls *tls, int fd)
{
	for (;;) {
		int result = SSL_do_handshake(tls->ssl);
		enum up_tls_step step = result == 1 ? accept_peer(tls) : trouble(tls, result);
		ssize_t count;

		if (step == UP_TLS_FAILED) { /* an alert may wait */
			tls->dead = false;
			(void)up_tls_flush(tls, fd);
			tls->dead = true;
			return step;
		}
		(void)up_tls_flush(tls, fd);
		if (tls->dead)
			return fail(tls, "upstream_tls");
		if (step == UP_TLS_DONE)
			return step;
		count = fill(tls, fd);
		if (count < 0 && would_block(errno)) {
			window_settle(&tls->cipher, tls->worker);
			return UP_TLS_MORE;
		}
		tls->eof = count <= 0;
	}
}

/* ---- records ---- */

/* 1: bytes are there; 0: the end; -1: errno. */
static int open_trouble(struct up_tls *tls, int fd, int result)
{
	int error = SSL_get_error(tls->ssl, result);
	ssize_t count;

	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error != SSL_ERROR_WANT_READ || tls->eof) {
		ERR_clear_error();
		tls->dead = true;
		errno = error == SSL_ERROR_WANT_READ ? ECONNRESET : EPROTO;
		return -1;
	}
	count = fill(tls, fd);
	tls->eof = count == 0;
	return count < 0 ? -1 : 1;
}

ssize_t up_tls_read(struct up_tls *tls, int fd, char *out, size_t room)
{
	for (;;) {
		size_t got;
		int result = SSL_read_ex(tls->ssl, out, room, &got), next;

		if (result == 1) {
			window_settle(&tls->cipher, tls->worker);
			return (ssize_t)got;
		}
		next = open_trouble(tls, fd, result);
		if (next == 1)
			continue;
		if (next < 0 && would_block(errno)) {
			int error = errno;

			window_settle(&tls->cipher, tls->worker);
			errno = error;
		}
		return next;
	}
}

bool up_tls_more(const struct up_tls *tls)
{
	return tls->full_read || window_len(&tls->cipher) > 0 || SSL_pending(tls->ssl) > 0;
}

static bool seal(struct up_tls *tls, struct str_view bytes)
{
	while (bytes.len > 0 && !tls->dead) {
		size_t part = bytes.len < RECORD_MAX ? bytes.len : RECORD_MAX, sent;

		if (SSL_write_ex(tls->ssl, bytes.data, part, &sent) != 1) {
			ERR_clear_error();
			tls->dead = true;
			break;
		}
		bytes = sv_skip(bytes, sent);
	}
	return !tls->dead;
}

ssize_t up_tls_write(struct up_tls *tls, int fd, struct str_view bytes)
{
	size_t taken = 0;

	while (taken < bytes.len && up_tls_flush(tls, fd) && !tls->dead) {
		size_t part = bytes.len - taken < SEALED_MAX ? bytes.len - taken : SEALED_MAX;

		if (seal(tls, sv_new(bytes.data + taken, part)))
			taken += part;
	}
	(void)up_tls_flush(tls, fd);
	if (!tls->dead)
		return (ssize_t)taken;
	errno = EPIPE;
	return -1;
}

void up_tls_goodbye(struct up_tls *tls, int fd)
{
	if (tls->dead || !SSL_is_init_finished(tls->ssl))
		return;
	if (SSL_shutdown(tls->ssl) < 0)
		ERR_clear_error();
	(void)up_tls_flush(tls, fd);
}
