/* pki/sign.c - a certificate from a signing request (RFC 5280, section 4.1) */
#include "pki/csr_read.h"
#include "pki/ossl.h"
#include "pki/x509.h"

#include <openssl/err.h>

#define SERIAL_BITS 159 /* at most 20 octets, positive (RFC 5280, section 4.1.2.2) */

struct signing {
	X509 *cert;
	X509_REQ *req;
	const struct x509_sign_how *how;
	struct err *err;
};

static int fail(const struct signing *signing, const char *what)
{
	return ossl_fail(signing->err, ERR_IO, "cannot make the certificate: %s", what);
}

/* A signature by a key that is not the issuer's would be found out only by the clients. */
static int check_issuer_key(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;
	EVP_PKEY *expected = how->issuer != NULL ? X509_get0_pubkey(how->issuer)
						 : X509_REQ_get0_pubkey(signing->req);

	if (key_same_public(expected, how->issuer_key))
		return 0;
	return err_set(signing->err, ERR_INVALID, "the issuer's key and certificate do not match");
}

static int set_serial(const struct signing *signing)
{
	AUTO(auto_bignum) BIGNUM *number = BN_new();

	if (number == NULL ||
	    BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
	    BN_set_bit(number, SERIAL_BITS - 1) != 1 ||
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(signing->cert)) == NULL)
		return fail(signing, "no serial number");
	return 0;
}

static int64_t clamp_time(int64_t when)
{
	return when < 0 ? 0 : when > PKI_TIME_MAX ? PKI_TIME_MAX : when;
}

static int set_dates(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;

	if (how->not_after < how->not_before)
		return err_set(signing->err, ERR_INVALID,
			       "a certificate cannot end before it begins");
	if (ASN1_TIME_set(X509_getm_notBefore(signing->cert), clamp_time(how->not_before)) ==
		    NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(signing->cert), clamp_time(how->not_after)) == NULL)
		return fail(signing, "its dates");
	return 0;
}

static int set_subject(const struct signing *signing)
{
	X509_NAME *subject = X509_REQ_get_subject_name(signing->req);
	const X509 *issuer = signing->how->issuer;

	if (X509_set_version(signing->cert, X509_VERSION_3) != 1 ||
	    X509_set_subject_name(signing->cert, subject) != 1 ||
	    X509_set_issuer_name(signing->cert,
				 issuer == NULL ? subject : X509_get_subject_name(issuer)) != 1 ||
	    X509_set_pubkey(signing->cert, X509_REQ_get0_pubkey(signing->req)) != 1)
		return fail(signing, "its names and key");
	return 0;
}

/* The names of the request, and nothing else of what it would like to be. */
static int copy_names(const struct signing *signing)
{
	STACK_OF(X509_EXTENSION) *wanted = X509_REQ_get_extensions(signing->req);
	X509_NAME *subject = X509_REQ_get_subject_name(signing->req);
	AUTO(auto_general_names)
	GENERAL_NAMES *names = X509V3_get_d2i(wanted, NID_subject_alt_name, NULL, NULL);
	int critical = X509_NAME_entry_count(subject) == 0;

	sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
	if (names == NULL && critical)
		return err_set(signing->err, ERR_INVALID, "the signing request names nobody");
	if (names != NULL && X509_add1_ext_i2d(signing->cert, NID_subject_alt_name, names, critical,
					       X509V3_ADD_DEFAULT) != 1)
		return fail(signing, "its alternative names");
	return 0;
}

/* value is a text of ours in OpenSSL's configuration language, never one from outside. */
static int add_extension(const struct signing *signing, int nid, const char *value)
{
	X509 *issuer = signing->how->issuer != NULL ? signing->how->issuer : signing->cert;
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, signing->cert, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	ok = extension != NULL && X509_add_ext(signing->cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok ? 0 : fail(signing, OBJ_nid2sn(nid));
}

static int add_extensions(const struct signing *signing)
{
	static const char *const usages[] = {
		[X509_USAGE_SERVER] = "serverAuth",
		[X509_USAGE_CLIENT] = "clientAuth",
		[X509_USAGE_SERVER | X509_USAGE_CLIENT] = "serverAuth,clientAuth",
	};
	const struct x509_sign_how *how = signing->how;
	bool is_rsa = EVP_PKEY_is_a(X509_get0_pubkey(signing->cert), "RSA");
	unsigned usage = how->usages & (X509_USAGE_SERVER | X509_USAGE_CLIENT);
	const char *key_usage = how->is_ca ? "critical,digitalSignature,keyCertSign,cRLSign"
				: is_rsa   ? "critical,digitalSignature,keyEncipherment"
					   : "critical,digitalSignature";

	if (add_extension(signing, NID_basic_constraints,
			  how->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") != 0 ||
	    add_extension(signing, NID_key_usage, key_usage) != 0 ||
	    add_extension(signing, NID_subject_key_identifier, "hash") != 0)
		return -1;
	if (how->issuer != NULL && X509_get0_subject_key_id(how->issuer) != NULL &&
	    add_extension(signing, NID_authority_key_identifier, "keyid:always") != 0)
		return -1;
	return usage == 0 ? 0 : add_extension(signing, NID_ext_key_usage, usages[usage]);
}

X509 *cert_sign(struct str_view csr_der, const struct x509_sign_how *how, struct err *err)
{
	AUTO(auto_x509_req) X509_REQ *req = csr_read(csr_der, err);
	AUTO(auto_x509) X509 *cert = X509_new();
	struct signing signing = {.cert = cert, .req = req, .how = how, .err = err};

	if (req == NULL || check_issuer_key(&signing) != 0)
		return NULL;
	if (set_subject(&signing) != 0 || set_serial(&signing) != 0 || set_dates(&signing) != 0 ||
	    copy_names(&signing) != 0 || add_extensions(&signing) != 0)
		return NULL;
	if (X509_sign(cert, how->issuer_key, key_digest(how->issuer_key)) <= 0) {
		fail(&signing, "its signature");
		return NULL;
	}
	ERR_clear_error();
	return TAKE(cert);
}
