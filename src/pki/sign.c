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

/* Other kinds of names would get a meaning that nobody here has looked at. */
static int check_names(const struct signing *signing, const GENERAL_NAMES *names)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type = sk_GENERAL_NAME_value(names, i)->type;

		if (type != GEN_DNS && type != GEN_IPADD && type != GEN_URI && type != GEN_EMAIL)
			return err_set(signing->err, ERR_INVALID,
				       "the signing request has a name that is no host name, "
				       "address, URI or mail address");
	}
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
	if (check_names(signing, names) != 0)
		return -1;
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

/* ---- where to ask about it ---- */

static GENERAL_NAME *url_name(struct str_view url)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	if (name == NULL || text == NULL || ASN1_STRING_set(text, url.data, (int)url.len) != 1) {
		GENERAL_NAME_free(name);
		ASN1_IA5STRING_free(text);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	return name;
}

static DIST_POINT *crl_point(struct str_view url)
{
	DIST_POINT *point = DIST_POINT_new();
	GENERAL_NAME *name = url_name(url);

	if (point != NULL && name != NULL) {
		point->distpoint = DIST_POINT_NAME_new();
		point->distpoint->type = 0;
		point->distpoint->name.fullname = GENERAL_NAMES_new();
		if (sk_GENERAL_NAME_push(point->distpoint->name.fullname, name) > 0)
			return point;
	}
	GENERAL_NAME_free(name);
	DIST_POINT_free(point);
	return NULL;
}

static int add_crls(const struct signing *signing)
{
	const struct x509_urls *crls = &signing->how->crls;
	CRL_DIST_POINTS *points;
	bool ok = true;

	if (crls->count == 0)
		return 0;
	points = CRL_DIST_POINTS_new();
	for (size_t i = 0; ok && i < crls->count; i++) {
		DIST_POINT *point = crl_point(crls->urls[i]);

		ok = point != NULL && sk_DIST_POINT_push(points, point) > 0;
	}
	ok = ok && X509_add1_ext_i2d(signing->cert, NID_crl_distribution_points, points, 0,
				     X509V3_ADD_DEFAULT) == 1;
	CRL_DIST_POINTS_free(points);
	return ok ? 0 : fail(signing, "where its revocations are listed");
}

static bool add_access(AUTHORITY_INFO_ACCESS *all, int nid, const struct x509_urls *urls)
{
	for (size_t i = 0; i < urls->count; i++) {
		ACCESS_DESCRIPTION *access = ACCESS_DESCRIPTION_new();
		GENERAL_NAME *name = url_name(urls->urls[i]);

		if (access == NULL || name == NULL ||
		    sk_ACCESS_DESCRIPTION_push(all, access) <= 0) {
			ACCESS_DESCRIPTION_free(access);
			GENERAL_NAME_free(name);
			return false;
		}
		access->method = OBJ_nid2obj(nid);
		GENERAL_NAME_free(access->location);
		access->location = name;
	}
	return true;
}

static int add_authority_info(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;
	AUTHORITY_INFO_ACCESS *all;
	bool ok;

	if (how->ocsp.count + how->issuer_urls.count == 0)
		return 0;
	all = AUTHORITY_INFO_ACCESS_new();
	ok = all != NULL && add_access(all, NID_ad_OCSP, &how->ocsp) &&
	     add_access(all, NID_ad_ca_issuers, &how->issuer_urls) &&
	     X509_add1_ext_i2d(signing->cert, NID_info_access, all, 0, X509V3_ADD_DEFAULT) == 1;
	AUTHORITY_INFO_ACCESS_free(all);
	return ok ? 0 : fail(signing, "where its issuer is asked");
}

/* ---- what it may be used for ---- */

/* Bits of X509v3_KU: those asked for, or what a key of its type is good for; a CA signs besides. */
static unsigned key_usage_of(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;
	unsigned key = how->usages.key;

	if (key == 0)
		key = X509v3_KU_DIGITAL_SIGNATURE;
	if (how->usages.key == 0 && !how->is_ca &&
	    EVP_PKEY_is_a(X509_get0_pubkey(signing->cert), "RSA"))
		key |= X509v3_KU_KEY_ENCIPHERMENT;
	if (how->is_ca)
		key |= X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN;
	return key;
}

/* A request for what a certificate may not be is an error, not repaired: who asked would take it
 * for what it is not. */
static int add_key_usage(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;
	unsigned key = key_usage_of(signing);
	ASN1_BIT_STRING *bits;
	int ok = 1;

	if ((how->usages.key & X509v3_KU_KEY_CERT_SIGN) != 0 && !how->is_ca)
		return err_set(signing->err, ERR_INVALID,
			       "the usage \"cert sign\" is for CAs: isCA has to be true (RFC 5280, "
			       "section 4.2.1.9)");
	bits = ASN1_BIT_STRING_new();
	for (int i = 0; ok == 1 && bits != NULL && i < 9; i++) {
		if ((key & (i < 8 ? 0x80u >> i : X509v3_KU_DECIPHER_ONLY)) != 0)
			ok = ASN1_BIT_STRING_set_bit(bits, i, 1);
	}
	ok = bits != NULL && ok == 1 &&
	     X509_add1_ext_i2d(signing->cert, NID_key_usage, bits, 1, X509V3_ADD_DEFAULT) == 1;
	ASN1_BIT_STRING_free(bits);
	return ok ? 0 : fail(signing, "its key usage");
}

static int add_purposes(const struct signing *signing)
{
	EXTENDED_KEY_USAGE *all;
	bool ok;

	if (signing->how->usages.purposes == 0)
		return 0;
	all = sk_ASN1_OBJECT_new_null();
	ok = all != NULL;
	for (unsigned i = 0; ok && i < X509_PURPOSES_MAX; i++) {
		int nid = key_purpose_nid(signing->how->usages.purposes & 1u << i);

		ok = nid == 0 || sk_ASN1_OBJECT_push(all, OBJ_nid2obj(nid)) > 0;
	}
	ok = ok &&
	     X509_add1_ext_i2d(signing->cert, NID_ext_key_usage, all, 0, X509V3_ADD_DEFAULT) == 1;
	sk_ASN1_OBJECT_pop_free(all, ASN1_OBJECT_free);
	return ok ? 0 : fail(signing, "its extended key usage");
}

static int add_extensions(const struct signing *signing)
{
	const struct x509_sign_how *how = signing->how;

	if (add_extension(signing, NID_basic_constraints,
			  how->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") != 0 ||
	    add_key_usage(signing) != 0 ||
	    add_extension(signing, NID_subject_key_identifier, "hash") != 0)
		return -1;
	if (how->issuer != NULL && X509_get0_subject_key_id(how->issuer) != NULL &&
	    add_extension(signing, NID_authority_key_identifier, "keyid:always") != 0)
		return -1;
	if (add_crls(signing) != 0 || add_authority_info(signing) != 0)
		return -1;
	return add_purposes(signing);
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
