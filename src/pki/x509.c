/* pki/x509.c - what a certificate says; chains as PEM */
#include "pki/x509.h"

#include "base/enc.h"
#include "pki/ossl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- chains as PEM ---- */

void chain_deinit(struct cert_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		X509_free(chain->certs[i]);
	*chain = (struct cert_chain){0};
}

void auto_chain(struct cert_chain *chain)
{
	chain_deinit(chain);
}

static bool chain_holds(const struct cert_chain *chain, const X509 *cert)
{
	for (size_t i = 0; i < chain->count; i++)
		if (X509_cmp(chain->certs[i], cert) == 0)
			return true;
	return false;
}

static int chain_add(struct cert_chain *chain, const unsigned char *der, long len, struct err *err)
{
	const unsigned char *at = der;
	AUTO(auto_x509) X509 *cert = d2i_X509(NULL, &at, len);

	if (cert == NULL || at != der + len)
		return ossl_fail(err, ERR_INVALID, "certificate %zu is unreadable",
				 chain->count + 1);
	if (chain_holds(chain, cert))
		return 0;
	if (chain->count == X509_CHAIN_MAX)
		return err_set(err, ERR_LIMIT, "more than %d certificates in a chain",
			       X509_CHAIN_MAX);
	chain->certs[chain->count++] = TAKE(cert);
	return 0;
}

static int block_add(struct cert_chain *chain, const char *label, const unsigned char *der,
		     long len, struct err *err)
{
	if (strstr(label, "PRIVATE KEY") != NULL)
		return err_set(err, ERR_INVALID,
			       "a private key stands among the certificates: keep it apart");
	if (strcmp(label, PEM_STRING_X509) != 0 && strcmp(label, PEM_STRING_X509_OLD) != 0)
		return err_set(err, ERR_INVALID, "a \"%.40s\" stands among the certificates",
			       label);
	return chain_add(chain, der, len, err);
}

/* 1: a block was read, 0: there are no more, -1: error */
static int block_next(struct cert_chain *chain, BIO *bio, struct err *err)
{
	char *label = NULL, *header = NULL;
	unsigned char *der = NULL;
	long len = 0;
	int rc;

	if (PEM_read_bio(bio, &label, &header, &der, &len) == 1) {
		rc = block_add(chain, label, der, len, err) == 0 ? 1 : -1;
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
		return rc;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return 0;
	}
	return ossl_fail(err, ERR_INVALID, "PEM block %zu is broken", chain->count + 1);
}

static bool issued(X509 *issuer, X509 *subject)
{
	return issuer != subject && X509_check_issued(issuer, subject) == X509_V_OK;
}

static bool issued_any(const struct cert_chain *chain, X509 *cert)
{
	for (size_t i = 0; i < chain->count; i++)
		if (issued(cert, chain->certs[i]))
			return true;
	return false;
}

static void swap(X509 **a, X509 **b)
{
	X509 *kept = *a;

	*a = *b;
	*b = kept;
}

/* The leaf is the first that issued no other; behind each certificate comes its issuer. */
static void chain_sort(struct cert_chain *chain)
{
	size_t leaf = 0;

	while (leaf < chain->count && issued_any(chain, chain->certs[leaf]))
		leaf++;
	if (leaf < chain->count)
		swap(&chain->certs[0], &chain->certs[leaf]);
	for (size_t i = 1; i < chain->count; i++)
		for (size_t j = i; j < chain->count; j++)
			if (issued(chain->certs[j], chain->certs[i - 1])) {
				swap(&chain->certs[i], &chain->certs[j]);
				break;
			}
}

int chain_from_pem(struct str_view pem, struct cert_chain *chain, struct err *err)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	int rc;

	*chain = (struct cert_chain){0};
	ERR_clear_error();
	if (bio == NULL)
		return err_set(err, ERR_LIMIT, "certificates of %zu bytes are too long (%u)",
			       pem.len, PKI_PEM_MAX);
	while ((rc = block_next(chain, bio, err)) == 1)
		;
	if (rc == 0 && chain->count == 0)
		rc = err_set(err, ERR_INVALID, "no PEM certificate");
	if (rc != 0)
		chain_deinit(chain);
	chain_sort(chain);
	ERR_clear_error();
	return rc;
}

int chain_to_pem(const struct cert_chain *chain, struct buf *out, struct err *err)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	ERR_clear_error();
	for (size_t i = 0; i < chain->count; i++)
		if (PEM_write_bio_X509(bio, chain->certs[i]) != 1)
			return ossl_fail(err, ERR_IO, "cannot write certificate %zu as PEM", i + 1);
	return bio_drain(bio, out, err);
}

/* ---- what a certificate says ---- */

int x509_time(const ASN1_TIME *text, int64_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(text, &tm) != 1)
		return -1;
	*out = timegm(&tm);
	if (*out > PKI_TIME_MAX)
		*out = PKI_TIME_MAX;
	return 0;
}

static int serial_read(X509 *cert, struct cert_info *info)
{
	AUTO(auto_bignum) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = number == NULL ? NULL : BN_bn2hex(number);
	size_t len = hex == NULL ? 0 : strlen(hex);
	bool fits = hex != NULL && len < sizeof(info->serial);

	for (size_t i = 0; fits && i <= len; i++)
		info->serial[i] = ascii_lower(hex[i]);
	OPENSSL_free(hex);
	return fits ? 0 : -1;
}

static void name_print(const X509_NAME *name, char *out, size_t size)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;

	out[0] = '\0';
	if (X509_NAME_print_ex(bio, name, 0,
			       XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0)
		return;
	len = BIO_get_mem_data(bio, &data);
	if (len >= (long)size) {
		len = (long)size - 1;
		while (len > 0 && ((unsigned char)data[len] & 0xC0) == 0x80)
			len--; /* not in the middle of a character */
	}
	if (len > 0)
		memcpy(out, data, (size_t)len);
	out[len > 0 ? len : 0] = '\0';
}

char *x509_name_text(const GENERAL_NAME *name)
{
	const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
	struct str_view bytes;
	char text[INET6_ADDRSTRLEN];

	if (name->type != GEN_DNS && name->type != GEN_IPADD)
		return NULL;
	bytes = sv_new((const char *)ASN1_STRING_get0_data(value),
		       (size_t)ASN1_STRING_length(value));
	if (name->type == GEN_DNS) /* a NUL would show another name than the one it means */
		return sv_find(bytes, '\0') == SV_NOT_FOUND ? sv_dup(bytes) : NULL;
	if (bytes.len != 4 && bytes.len != 16)
		return NULL;
	inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.data, text, sizeof(text));
	return xstrdup(text);
}

static int names_read(X509 *cert, struct cert_info *info, struct err *err)
{
	int critical = 0;
	AUTO(auto_general_names)
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);

	if (names == NULL && critical != -1)
		return ossl_fail(err, ERR_INVALID, "the certificate's names are unreadable");
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		char *text = x509_name_text(sk_GENERAL_NAME_value(names, i));

		if (text == NULL)
			continue;
		if (info->name_count == X509_NAMES_MAX) {
			free(text);
			return err_set(err, ERR_LIMIT, "the certificate has more than %d names",
				       X509_NAMES_MAX);
		}
		info->names[info->name_count++] = text;
	}
	return 0;
}

int cert_info_read(X509 *cert, struct cert_info *info, struct err *err)
{
	int rc = 0;

	*info = (struct cert_info){0};
	ERR_clear_error();
	if (x509_time(X509_get0_notBefore(cert), &info->not_before) != 0 ||
	    x509_time(X509_get0_notAfter(cert), &info->not_after) != 0)
		return ossl_fail(err, ERR_INVALID, "the certificate's dates are unreadable");
	if (serial_read(cert, info) != 0)
		return ossl_fail(err, ERR_INVALID, "the certificate's serial number is too long");
	name_print(X509_get_issuer_name(cert), info->issuer, sizeof(info->issuer));
	name_print(X509_get_subject_name(cert), info->subject, sizeof(info->subject));
	info->is_ca = X509_check_ca(cert) == 1;
	rc = names_read(cert, info, err);
	if (rc != 0)
		cert_info_deinit(info);
	ERR_clear_error();
	return rc;
}

void cert_info_deinit(struct cert_info *info)
{
	for (size_t i = 0; i < info->name_count; i++)
		free(info->names[i]);
	*info = (struct cert_info){0};
}

/* Does a dNSName stand there as it is written, but for case? */
static bool has_dns_name(X509 *cert, struct str_view name)
{
	AUTO(auto_general_names)
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *general = sk_GENERAL_NAME_value(names, i);

		if (general->type == GEN_DNS &&
		    sv_eq_nocase(sv_new((const char *)ASN1_STRING_get0_data(general->d.dNSName),
					(size_t)ASN1_STRING_length(general->d.dNSName)),
				 name))
			return true;
	}
	return false;
}

bool cert_covers(X509 *cert, struct str_view host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];
	bool covered;

	if (host.len > 1 && host.data[host.len - 1] == '.')
		host.len--;
	if (host.len == 0) /* OpenSSL would take the length from the text */
		return false;
	if (host.len < sizeof(text)) {
		memcpy(text, host.data, host.len);
		text[host.len] = '\0';
		if (inet_pton(AF_INET, text, address) == 1)
			return X509_check_ip(cert, address, 4, 0) == 1;
		if (inet_pton(AF_INET6, text, address) == 1)
			return X509_check_ip(cert, address, 16, 0) == 1;
	}
	if (sv_starts(host, SV("*.")))
		covered = has_dns_name(cert, host);
	else
		covered = X509_check_host(cert, host.data, host.len,
					  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
					  NULL) == 1;
	ERR_clear_error();
	return covered;
}

/* ---- RFC 9773, section 4.1 ---- */

int cert_ari_id(X509 *cert, struct buf *out, struct err *err)
{
	const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(cert);
	unsigned char *der = NULL;
	struct str_view serial;
	int len;

	if (authority == NULL)
		return err_set(err, ERR_UNSUPPORTED,
			       "the certificate does not name its issuer's key (RFC 9773)");
	len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &der);
	if (len < 3 || len > 127 + 2) {
		OPENSSL_free(der);
		return ossl_fail(err, ERR_INVALID, "the certificate's serial number is too long");
	}
	serial = sv_new((const char *)der + 2, (size_t)len - 2); /* behind tag and length */
	enc_base64url(out, sv_new((const char *)ASN1_STRING_get0_data(authority),
				  (size_t)ASN1_STRING_length(authority)));
	buf_addc(out, '.');
	enc_base64url(out, serial);
	OPENSSL_free(der);
	return out->spent ? err_set(err, ERR_LIMIT, "no room for a certificate identifier") : 0;
}
