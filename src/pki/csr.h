/* pki/csr.h - certificate signing requests (PKCS#10, RFC 2986) */
#ifndef PKI_CSR_H
#define PKI_CSR_H

#include "pki/key.h"
#include "pki/usage.h"

struct subject_part {
	const char *field; /* OpenSSL's short name: "O", "OU", "C" */
	struct str_view value;
};

struct cert_names { /* what a certificate is for; borrowed views */
	const struct str_view *dns;
	size_t dns_count;
	const struct str_view *ips; /* text form */
	size_t ip_count;
	struct str_view common_name; /* may be empty; at most 64 characters (RFC 5280) */
	const struct str_view *uris; /* absolute (RFC 3986) */
	size_t uri_count;
	const struct str_view *emails; /* addr-spec (RFC 5322), ASCII */
	size_t email_count;
	const struct subject_part *subject; /* beside the common name, in this order */
	size_t subject_count;
};

/* DER to out. names must hold at least one name (the common name counts). */
int csr_make(EVP_PKEY *key, const struct cert_names *names, struct buf *out, struct err *err);
/* Is it the request that csr_make would make for this key and these names? Its own signature is
 * checked too. */
bool csr_is_for(struct str_view der, EVP_PKEY *key, const struct cert_names *names);
int csr_from_pem(struct str_view pem, struct buf *der, struct err *err); /* checks its signature */
int csr_to_pem(struct str_view der, struct buf *pem, struct err *err);

#define CSR_NAMES_MAX 256

struct csr_info {          /* what a request asks for; owned texts */
	char *common_name; /* NULL: none */
	size_t dns_count, ip_count;
	char *dns[CSR_NAMES_MAX]; /* as they stand there */
	char *ips[CSR_NAMES_MAX];
	size_t text_count; /* URIs and mail addresses */
	EVP_PKEY *key;     /* the public half */
	bool wants_ca;     /* basic constraint CA:TRUE */
	bool wants_usages; /* it names usages: */
	bool other_usages; /* and some that have no word */
	struct key_usages usages;
};

/* Checks the request's signature. info needs no deinit after an error. */
int csr_info_read(struct str_view der, struct csr_info *info, struct err *err);
void csr_info_deinit(struct csr_info *info);

#endif
