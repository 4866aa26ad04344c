#include "dataplane/tls_clients.h"

#include "base/list.h"
#include "base/own.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define DEPTH_MAX 9     /* CAs between the client's certificate and one that is trusted */
#define NAMES_MAX 16384 /* bytes of CAs' names that a client is told; above it, it is told none */

struct policy {
	struct list link; /* most recent first */
	uint64_t id;      /* of its CAs */
	SSL_CTX *ctx;
};

struct tls_policies {
	struct list all;
	size_t count;
	bool (*setup)(SSL_CTX *ctx);
};

struct tls_policies *tls_policies_new(bool (*setup)(SSL_CTX *ctx))
{
	struct tls_policies *policies = xcalloc(1, sizeof(*policies));

	list_init(&policies->all);
	policies->setup = setup;
	return policies;
}

/* Handshakes under way hold the context themselves. */
static void policy_free(struct tls_policies *policies, struct policy *policy)
{
	list_remove(&policy->link);
	SSL_CTX_free(policy->ctx);
	free(policy);
	policies->count--;
}

void tls_policies_free(struct tls_policies *policies)
{
	if (policies == NULL)
		return;
	LIST_EACH(&policies->all, node)
	{
		policy_free(policies, LIST_ENTRY(node, struct policy, link));
	}
	free(policies);
}

/* The list helps a client to choose (RFC 8446, section 4.2.4), and has to fit into a message. */
static bool tell_name(SSL_CTX *ctx, X509 *cert, size_t *told)
{
	int len = i2d_X509_NAME(X509_get_subject_name(cert), NULL);

	if (*told <= NAMES_MAX)
		*told += len < 0 ? 0 : (size_t)len;
	if (*told > NAMES_MAX) {
		SSL_CTX_set_client_CA_list(ctx, NULL);
		return true;
	}
	return SSL_CTX_add_client_CA(ctx, cert) == 1;
}

/* A CA that the Gateway names is trusted as it is, root or not. */
static bool trust(SSL_CTX *ctx, const struct ca_set *cas)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool fine = true;
	size_t told = 0;

	for (size_t i = 0; fine && i < cas->count; i++) {
		const unsigned char *der = (const unsigned char *)cas->certs[i].data;
		X509 *cert = d2i_X509(NULL, &der, (long)cas->certs[i].len);

		fine = cert != NULL && X509_STORE_add_cert(store, cert) == 1 &&
		       tell_name(ctx, cert, &told);
		X509_free(cert);
	}
	return fine;
}

static struct policy *policy_new(struct tls_policies *policies, const struct ca_set *cas)
{
	struct policy *policy = xcalloc(1, sizeof(*policy));

	policy->id = cas->id;
	policy->ctx = SSL_CTX_new(TLS_server_method());
	if (policy->ctx == NULL || !policies->setup(policy->ctx) || !trust(policy->ctx, cas)) {
		ERR_clear_error();
		SSL_CTX_free(policy->ctx);
		free(policy);
		return NULL;
	}
	if (policies->count >= POLICIES_MAX)
		policy_free(policies, LIST_ENTRY(policies->all.prev, struct policy, link));
	list_prepend(&policies->all, &policy->link);
	policies->count++;
	return policy;
}

static struct policy *policy_get(struct tls_policies *policies, const struct ca_set *cas)
{
	LIST_EACH(&policies->all, node)
	{
		struct policy *policy = LIST_ENTRY(node, struct policy, link);

		if (policy->id != cas->id)
			continue;
		list_remove(node);
		list_prepend(&policies->all, node);
		return policy;
	}
	return policy_new(policies, cas);
}

static int accept_all(int fine, X509_STORE_CTX *ctx)
{
	(void)fine;
	(void)ctx;
	return 1;
}

bool tls_policies_apply(struct tls_policies *policies, SSL *ssl,
			const struct snap_listener *listener)
{
	struct policy *policy = policy_get(policies, listener->clients);

	if (policy == NULL || SSL_set_SSL_CTX(ssl, policy->ctx) == NULL ||
	    X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return false;
	/* The context does not bring these along. */
	SSL_set_verify_depth(ssl, DEPTH_MAX);
	if (listener->clients_optional)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, accept_all);
	else
		SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return true;
}

const struct snap_listener *tls_clients_common(const struct snap_port *port)
{
	const struct snap_listener *first = port->listener_count == 0 ? NULL : port->listeners[0];

	for (size_t i = 0; i < port->listener_count; i++) {
		if (tls_clients_id(port->listeners[i]) != tls_clients_id(first))
			return NULL;
	}
	return first;
}
