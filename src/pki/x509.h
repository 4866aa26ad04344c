/* pki/x509.h - what a certificate says, and whether a chain holds (RFC 5280) */
#ifndef PKI_X509_H
#define PKI_X509_H

#include "pki/csr.h"
#include "pki/usage.h"

#include <openssl/x509.h>

#define X509_CHAIN_MAX 10
#define X509_NAMES_MAX 256

struct cert_chain { /* owned certificates, leaf first */
	size_t count;
	X509 *certs[X509_CHAIN_MAX];
};

void chain_deinit(struct cert_chain *chain); /* leaves it empty */
void auto_chain(struct cert_chain *chain);
/* Reads the PEM blocks in any text around them; sorts them leaf first by issuer; a private key or
 * an unreadable block is an error. A certificate that stands there twice is taken once; one that
 * issued none of the others goes to the end. chain is empty after an error. */
int chain_from_pem(struct str_view pem, struct cert_chain *chain, struct err *err);
int chain_to_pem(const struct cert_chain *chain, struct buf *out, struct err *err);

struct cert_info {
	int64_t not_before, not_after;  /* seconds since the epoch; years beyond 9999 are clamped */
	char serial[65];                /* lower-case hex */
	char issuer[256], subject[256]; /* "CN=a,O=b" (RFC 2253), cut to fit */
	size_t name_count;              /* subjectAltName: dNSName as is, iPAddress as text */
	char *names[X509_NAMES_MAX];    /* owned */
	bool is_ca;
};

/* info needs no deinit after an error. */
int cert_info_read(X509 *cert, struct cert_info *info, struct err *err);
void cert_info_deinit(struct cert_info *info);
/* RFC 6125 as X509_check_host, IP included; the subject's common name is no host name. A wildcard
 * ("*.example.com") is covered by the same wildcard only. */
bool cert_covers(X509 *cert, struct str_view host);

/* Everything that must hold before a chain is served: public key matches, every name is covered,
 * dates (not expired; not_before at most skew seconds ahead), order and signatures link by link,
 * issuers are CAs, no weak signature. The sentence names the first thing that does not hold. */
int chain_check(const struct cert_chain *chain, EVP_PKEY *key, const struct cert_names *names,
		int64_t now, int64_t skew, struct err *err);

struct x509_urls { /* borrowed */
	const struct str_view *urls;
	size_t count;
};

/* Signs csr_der: self-signed when issuer is NULL. Dates in seconds since the epoch. */
struct x509_sign_how {
	X509 *issuer;         /* NULL: self-signed with key */
	EVP_PKEY *issuer_key; /* of the issuer, or the subject's own */
	int64_t not_before, not_after;
	bool is_ca;
	/* usages.key 0: what goes with the key; purposes 0: no extended key usage. */
	struct key_usages usages;
	/* Where clients find the lists of revoked certificates, ask for the state of this one, and
	 * find the issuer's certificate (RFC 5280, sections 4.2.1.13 and 4.2.2.1). */
	struct x509_urls crls, ocsp, issuer_urls;
};
/* Subject, key and names come from the request (host names, addresses, URIs, mail addresses; other
 * kinds of names are an error); no other extension of it is taken over. */
X509 *cert_sign(struct str_view csr_der, const struct x509_sign_how *how, struct err *err);

/* ARI certificate identifier (RFC 9773, section 4.1) to out. */
int cert_ari_id(X509 *cert, struct buf *out, struct err *err);

#endif
