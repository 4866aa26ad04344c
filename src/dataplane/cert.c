/* dataplane/cert.c - what a TLS end shows, and whom it trusts: made and destroyed */
#include "dataplane/cert.h"

#include "base/own.h"
#include "dataplane/pack.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static void cert_destroy(struct part *part, struct graveyard *graveyard)
{
	struct cert *cert = CONTAINER_OF(part, struct cert, part);

	(void)graveyard;
	OPENSSL_cleanse((char *)cert->key.data, cert->key.len);
	free(cert);
}

static void cert_deep(void *copy, struct pack *pack)
{
	struct cert *cert = copy;

	cert->chain = pack_views(pack, cert->chain, cert->chain_count);
	cert->names = pack_views(pack, cert->names, cert->name_count);
	cert->name = pack_sv(pack, cert->name);
	cert->key = pack_sv(pack, cert->key);
}

struct cert *cert_new(const struct cert *like)
{
	struct cert *cert = pack_new(like, sizeof(*like), cert_deep);

	part_init(&cert->part, cert_destroy);
	cert->id = part_id();
	return cert;
}

static void ca_set_destroy(struct part *part, struct graveyard *graveyard)
{
	(void)graveyard;
	free(CONTAINER_OF(part, struct ca_set, part));
}

static void ca_set_deep(void *copy, struct pack *pack)
{
	struct ca_set *cas = copy;

	cas->certs = pack_views(pack, cas->certs, cas->count);
}

struct ca_set *ca_set_new(const struct ca_set *like)
{
	struct ca_set *cas = pack_new(like, sizeof(*like), ca_set_deep);

	part_init(&cas->part, ca_set_destroy);
	cas->id = part_id();
	return cas;
}
