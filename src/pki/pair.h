/* pki/pair.h - a certificate chain and its key, read at one glance
 *
 * To serve ten thousand pairs at the start, all must be known to be good, but few are spoken with
 * soon. Making OpenSSL's X509 of a certificate costs twenty times as much as reading its ASN.1, for
 * the public key that it sets up at once. Here the same templates are read without that.
 */
#ifndef PKI_PAIR_H
#define PKI_PAIR_H

#include "pki/x509.h"

struct pair { /* owned */
	size_t chain_count;
	struct str_view chain[X509_CHAIN_MAX]; /* DER, leaf first */
	struct str_view key;                   /* DER of PKCS #8 */
	int64_t not_after;                     /* of the leaf, as in struct cert_info */
	size_t name_count;                     /* of the leaf, as in struct cert_info */
	char *names[X509_NAMES_MAX];
};

/* True: chain_from_pem, key_from_pem and cert_info_read take these texts, the key is the leaf's,
 * and this is what they say. False: something is not as it usually is (the order of the chain, a
 * block of another kind, a key that is none of EC, RSA and Ed25519, …) or is wrong: those three
 * tell. pair needs no deinit then. */
bool pair_glance(struct str_view chain_pem, struct str_view key_pem, struct pair *pair);
void pair_deinit(struct pair *pair);

#endif
