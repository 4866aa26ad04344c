/* pki/chain.c - may this chain be served? One check a function, one sentence a failure */
#include "pki/ossl.h"
#include "pki/x509.h"

#include "base/clock.h"

#include <inttypes.h>
#include <openssl/err.h>

#define SECURITY_BITS_MIN 112 /* RSA 2048; SHA-1 gives 63 and MD5 less */

struct check {
	const struct cert_chain *chain;
	EVP_PKEY *key;
	const struct cert_names *names;
	int64_t now, skew;
	struct cert_info infos[X509_CHAIN_MAX];
	struct err *err;
};

static int check_readable(struct check *check)
{
	for (size_t i = 0; i < check->chain->count; i++) {
		X509 *cert = check->chain->certs[i];

		if (cert_info_read(cert, &check->infos[i], check->err) != 0)
			return err_prefix(check->err, "certificate %zu: ", i + 1);
		if ((X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0)
			return ossl_fail(check->err, ERR_INVALID,
					 "certificate %zu (%.100s) has broken extensions", i + 1,
					 check->infos[i].subject);
	}
	return 0;
}

static int check_key(struct check *check)
{
	if (key_same_public(X509_get0_pubkey(check->chain->certs[0]), check->key))
		return 0;
	return err_set(check->err, ERR_INVALID,
		       "the certificate (%.100s) belongs to another private key",
		       check->infos[0].subject);
}

static int check_covers(struct check *check, struct str_view name)
{
	if (cert_covers(check->chain->certs[0], name))
		return 0;
	return err_set(check->err, ERR_INVALID, "the certificate (%.100s) does not cover %.*s",
		       check->infos[0].subject, SV_ARG(sv_head(name, 253)));
}

static int check_names(struct check *check)
{
	const struct cert_names *names = check->names;

	if (names == NULL)
		return 0;
	for (size_t i = 0; i < names->dns_count; i++)
		if (check_covers(check, names->dns[i]) != 0)
			return -1;
	for (size_t i = 0; i < names->ip_count; i++)
		if (check_covers(check, names->ips[i]) != 0)
			return -1;
	return 0;
}

static int check_dates(struct check *check)
{
	for (size_t i = 0; i < check->chain->count; i++) {
		const struct cert_info *info = &check->infos[i];
		char when[CLOCK_TEXT_SIZE];

		if (info->not_after < check->now) {
			clock_rfc3339(info->not_after, when);
			return err_set(check->err, ERR_INVALID,
				       "certificate %zu (%.100s) expired at %s", i + 1,
				       info->subject, when);
		}
		if (info->not_before > check->now + check->skew) {
			clock_rfc3339(info->not_before, when);
			return err_set(check->err, ERR_INVALID,
				       "certificate %zu (%.100s) is not valid before %s: is this "
				       "host's clock right?",
				       i + 1, info->subject, when);
		}
	}
	return 0;
}

/* Is the leaf one that a CA may sign for (RFC 5280, section 4.2.1.10)? */
static int check_constraints(struct check *check, size_t i)
{
	X509 *cert = check->chain->certs[i];
	int critical = 0, code;
	NAME_CONSTRAINTS *allowed = X509_get_ext_d2i(cert, NID_name_constraints, &critical, NULL);

	if (allowed == NULL && critical == -1)
		return 0;
	code = allowed == NULL ? X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX
			       : NAME_CONSTRAINTS_check(check->chain->certs[0], allowed);
	NAME_CONSTRAINTS_free(allowed);
	if (code == X509_V_OK)
		return 0;
	return err_set(check->err, ERR_INVALID,
		       "certificate %zu (%.100s) does not allow the names of certificate 1: %s",
		       i + 1, check->infos[i].subject, X509_verify_cert_error_string(code));
}

/* Certificate i is the issuer of the one before it, and may be one. */
static int check_issuer(struct check *check, size_t i)
{
	X509 *cert = check->chain->certs[i];
	const char *subject = check->infos[i].subject;
	long path_len = X509_get_pathlen(cert);

	if (X509_NAME_cmp(X509_get_subject_name(cert),
			  X509_get_issuer_name(check->chain->certs[i - 1])) != 0)
		return err_set(check->err, ERR_INVALID,
			       "certificate %zu (%.100s) is not the issuer of certificate %zu, "
			       "which is %.100s",
			       i + 1, subject, i, check->infos[i - 1].issuer);
	if (!check->infos[i].is_ca || (X509_get_key_usage(cert) & X509v3_KU_KEY_CERT_SIGN) == 0)
		return err_set(check->err, ERR_INVALID,
			       "certificate %zu (%.100s) is not that of a CA", i + 1, subject);
	if (path_len >= 0 && (size_t)path_len < i - 1)
		return err_set(check->err, ERR_INVALID,
			       "certificate %zu (%.100s) allows only %ld CAs below it", i + 1,
			       subject, path_len);
	return check_constraints(check, i);
}

static int check_signature(struct check *check, size_t i)
{
	EVP_PKEY *issuer = X509_get0_pubkey(check->chain->certs[i]);

	if (issuer != NULL && X509_verify(check->chain->certs[i - 1], issuer) == 1)
		return 0;
	return ossl_fail(check->err, ERR_INVALID,
			 "the signature of certificate %zu (%.100s) is not by the key of "
			 "certificate %zu",
			 i, check->infos[i - 1].subject, i + 1);
}

/* What a self-signed root says of itself is never looked at by anybody. */
static bool is_root(const struct check *check, size_t i)
{
	X509 *cert = check->chain->certs[i];

	return i > 0 && X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

static int check_strength(struct check *check, size_t i)
{
	X509 *cert = check->chain->certs[i];
	EVP_PKEY *key = X509_get0_pubkey(cert);
	int bits = 0;
	uint32_t flags = 0;

	if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
		return ossl_fail(check->err, ERR_INVALID,
				 "the key of certificate %zu (%.100s) is too weak", i + 1,
				 check->infos[i].subject);
	if (is_root(check, i))
		return 0;
	if (X509_get_signature_info(cert, NULL, NULL, &bits, &flags) != 1 ||
	    bits < SECURITY_BITS_MIN)
		return ossl_fail(check->err, ERR_INVALID,
				 "the signature of certificate %zu (%.100s) is too weak", i + 1,
				 check->infos[i].subject);
	return 0;
}

static int check_links(struct check *check)
{
	for (size_t i = 1; i < check->chain->count; i++)
		if (check_issuer(check, i) != 0 || check_signature(check, i) != 0)
			return -1;
	for (size_t i = 0; i < check->chain->count; i++)
		if (check_strength(check, i) != 0)
			return -1;
	return 0;
}

int chain_check(const struct cert_chain *chain, EVP_PKEY *key, const struct cert_names *names,
		int64_t now, int64_t skew, struct err *err)
{
	static int (*const steps[])(struct check *) = {check_readable, check_key, check_names,
						       check_dates, check_links};
	struct check *check;
	int rc = 0;

	if (chain->count == 0)
		return err_set(err, ERR_INVALID, "the chain holds no certificate");
	ERR_clear_error();
	check = xcalloc(1, sizeof(*check));
	*check = (struct check){
		.chain = chain, .key = key, .names = names, .now = now, .skew = skew, .err = err};
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(steps); i++)
		rc = steps[i](check);
	for (size_t i = 0; i < chain->count; i++)
		cert_info_deinit(&check->infos[i]);
	auto_free(&check);
	ERR_clear_error();
	return rc;
}
