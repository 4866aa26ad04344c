/* pki/csr.c - certificate signing requests (PKCS#10, RFC 2986) */
#include "pki/csr.h"

#include "pki/csr_read.h"
#include "pki/ossl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define DNS_NAME_MAX    253
#define TEXT_NAME_MAX   2048       /* bytes of a URI or mail address */
#define COMMON_NAME_MAX (size_t)64 /* characters (RFC 5280, appendix A.1, ub-common-name) */

/* ---- names ---- */

/* Takes value. */
static int general_name_add(GENERAL_NAMES *names, int type, void *value)
{
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (name == NULL)
		return -1;
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return 0;
	GENERAL_NAME_free(name);
	return -1;
}

/* Host names as they stand in certificates: ASCII, a wildcard only as the first label. */
static bool dns_ok(struct str_view name)
{
	struct str_view rest = sv_starts(name, SV("*.")) ? sv_skip(name, 2) : name;

	if (name.len > DNS_NAME_MAX || rest.len == 0)
		return false;
	for (size_t i = 0; i < rest.len; i++)
		if (!ascii_is_alnum(rest.data[i]) &&
		    sv_find(SV("-._"), rest.data[i]) == SV_NOT_FOUND)
			return false;
	return true;
}

static int dns_add(GENERAL_NAMES *out, struct str_view name, struct err *err)
{
	ASN1_IA5STRING *text;

	if (!dns_ok(name))
		return err_set(err, ERR_INVALID, "\"%.*s\" is no host name for a certificate",
			       SV_ARG(sv_head(name, DNS_NAME_MAX)));
	text = ASN1_IA5STRING_new();
	if (text == NULL || ASN1_STRING_set(text, name.data, (int)name.len) != 1 ||
	    general_name_add(out, GEN_DNS, text) != 0)
		return ossl_fail(err, ERR_IO, "cannot put a host name into the request");
	return 0;
}

static int ip_add(GENERAL_NAMES *out, struct str_view ip, struct err *err)
{
	char text[INET6_ADDRSTRLEN];
	ASN1_OCTET_STRING *address = NULL;

	if (ip.len < sizeof(text)) {
		memcpy(text, ip.data, ip.len);
		text[ip.len] = '\0';
		address = a2i_IPADDRESS(text);
	}
	if (address == NULL)
		return ossl_fail(err, ERR_INVALID, "\"%.*s\" is no IP address",
				 SV_ARG(sv_head(ip, INET6_ADDRSTRLEN)));
	if (general_name_add(out, GEN_IPADD, address) != 0)
		return ossl_fail(err, ERR_IO, "cannot put an address into the request");
	return 0;
}

/* URIs and mail addresses: printable ASCII with a mark inside that both must have. */
static int text_add(GENERAL_NAMES *out, int type, struct str_view text, struct err *err)
{
	char mark = type == GEN_URI ? ':' : '@';
	size_t at = sv_find(text, mark);
	bool ok = at != SV_NOT_FOUND && at > 0 && at + 1 < text.len && text.len <= TEXT_NAME_MAX;
	ASN1_IA5STRING *value;

	for (size_t i = 0; ok && i < text.len; i++)
		ok = text.data[i] > ' ' && text.data[i] <= '~';
	if (!ok)
		return err_set(err, ERR_INVALID, "\"%.*s\" is no %s for a certificate",
			       SV_ARG(sv_head(text, DNS_NAME_MAX)),
			       type == GEN_URI ? "absolute URI" : "mail address");
	value = ASN1_IA5STRING_new();
	if (value == NULL || ASN1_STRING_set(value, text.data, (int)text.len) != 1 ||
	    general_name_add(out, type, value) != 0)
		return ossl_fail(err, ERR_IO, "cannot put a name into the request");
	return 0;
}

static int names_add(X509_REQ *req, const struct cert_names *names, struct err *err)
{
	AUTO(auto_general_names) GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < names->dns_count; i++)
		rc = dns_add(all, names->dns[i], err);
	for (size_t i = 0; rc == 0 && i < names->ip_count; i++)
		rc = ip_add(all, names->ips[i], err);
	for (size_t i = 0; rc == 0 && i < names->email_count; i++)
		rc = text_add(all, GEN_EMAIL, names->emails[i], err);
	for (size_t i = 0; rc == 0 && i < names->uri_count; i++)
		rc = text_add(all, GEN_URI, names->uris[i], err);
	if (rc != 0 || sk_GENERAL_NAME_num(all) == 0)
		return rc;
	/* with an empty subject the names are all there is (RFC 5280, section 4.2.1.6) */
	if (X509V3_add1_i2d(&extensions, NID_subject_alt_name, all,
			    names->common_name.len + names->subject_count == 0,
			    X509V3_ADD_DEFAULT) != 1 ||
	    X509_REQ_add_extensions(req, extensions) != 1)
		rc = ossl_fail(err, ERR_IO, "cannot put the names into the request");
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return rc;
}

static int common_name_add(X509_REQ *req, struct str_view name, struct err *err)
{
	X509_NAME *subject = X509_REQ_get_subject_name(req);

	if (name.len == 0)
		return 0;
	if (name.len > COMMON_NAME_MAX * 4 || /* bytes of UTF-8 */
	    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
				       (const unsigned char *)name.data, (int)name.len, -1, 0) != 1)
		return ossl_fail(err, ERR_INVALID,
				 "the common name \"%.*s\" is not UTF-8 or over 64 characters",
				 SV_ARG(sv_head(name, 80)));
	return 0;
}

static int subject_add(X509_REQ *req, const struct cert_names *names, struct err *err)
{
	X509_NAME *subject = X509_REQ_get_subject_name(req);

	for (size_t i = 0; i < names->subject_count; i++) {
		const struct subject_part *part = &names->subject[i];

		if (part->value.len > TEXT_NAME_MAX ||
		    X509_NAME_add_entry_by_txt(subject, part->field, MBSTRING_UTF8,
					       (const unsigned char *)part->value.data,
					       (int)part->value.len, -1, 0) != 1)
			return ossl_fail(err, ERR_INVALID,
					 "\"%.*s\" cannot stand in a certificate's subject as %s",
					 SV_ARG(sv_head(part->value, 80)), part->field);
	}
	return common_name_add(req, names->common_name, err);
}

/* ---- requests ---- */

static int req_to_der(X509_REQ *req, struct buf *out, struct err *err)
{
	unsigned char *der = NULL;
	int len = i2d_X509_REQ(req, &der);
	bool fits = len > 0 && buf_add(out, sv_new((const char *)der, (size_t)len));

	OPENSSL_free(der);
	if (len <= 0)
		return ossl_fail(err, ERR_IO, "cannot encode the signing request");
	return fits ? 0 : err_set(err, ERR_LIMIT, "no room for a request of %d bytes", len);
}

/* All but the signature. */
static int req_fill(X509_REQ *req, EVP_PKEY *key, const struct cert_names *names, struct err *err)
{
	if (names->dns_count + names->ip_count + names->uri_count + names->email_count == 0 &&
	    names->common_name.len == 0)
		return err_set(err, ERR_INVALID, "a certificate needs at least one name");
	if (req == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1)
		return ossl_fail(err, ERR_IO, "cannot begin a signing request");
	return subject_add(req, names, err) != 0 || names_add(req, names, err) != 0 ? -1 : 0;
}

int csr_make(EVP_PKEY *key, const struct cert_names *names, struct buf *out, struct err *err)
{
	AUTO(auto_x509_req) X509_REQ *req = X509_REQ_new();

	ERR_clear_error();
	if (req_fill(req, key, names, err) != 0)
		return -1;
	if (X509_REQ_sign(req, key, key_digest(key)) <= 0)
		return ossl_fail(err, ERR_IO, "cannot sign the request");
	return req_to_der(req, out, err);
}

static int req_check(X509_REQ *req, struct err *err)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);

	if (key == NULL)
		return ossl_fail(err, ERR_INVALID, "the signing request has no readable key");
	if (X509_REQ_verify(req, key) != 1)
		return ossl_fail(err, ERR_INVALID,
				 "the signing request is not signed by its own key");
	return 0;
}

X509_REQ *csr_read(struct str_view der, struct err *err)
{
	const unsigned char *at = (const unsigned char *)der.data;
	AUTO(auto_x509_req) X509_REQ *req = NULL;

	ERR_clear_error();
	if (der.len > PKI_PEM_MAX) {
		err_set(err, ERR_LIMIT, "a signing request of %zu bytes is too long", der.len);
		return NULL;
	}
	if (der.len > 0)
		req = d2i_X509_REQ(NULL, &at, (long)der.len);
	if (req == NULL || (size_t)(at - (const unsigned char *)der.data) != der.len) {
		ossl_fail(err, ERR_INVALID, "not a certificate signing request");
		return NULL;
	}
	return req_check(req, err) == 0 ? TAKE(req) : NULL;
}

/* The part that is signed, but for the encoding that a reader may have kept. */
static bool same_extensions(X509_REQ *a, X509_REQ *b)
{
	STACK_OF(X509_EXTENSION) *of_a = X509_REQ_get_extensions(a);
	STACK_OF(X509_EXTENSION) *of_b = X509_REQ_get_extensions(b);
	unsigned char *der_a = NULL, *der_b = NULL;
	int len_a = i2d_X509_EXTENSIONS(of_a, &der_a), len_b = i2d_X509_EXTENSIONS(of_b, &der_b);
	bool same = len_a == len_b && (len_a <= 0 || memcmp(der_a, der_b, (size_t)len_a) == 0);

	OPENSSL_free(der_a);
	OPENSSL_free(der_b);
	sk_X509_EXTENSION_pop_free(of_a, X509_EXTENSION_free);
	sk_X509_EXTENSION_pop_free(of_b, X509_EXTENSION_free);
	return same;
}

bool csr_is_for(struct str_view der, EVP_PKEY *key, const struct cert_names *names)
{
	AUTO(auto_x509_req) X509_REQ *req = csr_read(der, NULL);
	AUTO(auto_x509_req) X509_REQ *wanted = X509_REQ_new();
	bool same = req != NULL && req_fill(wanted, key, names, NULL) == 0 &&
		    key_same_public(X509_REQ_get0_pubkey(req), key) &&
		    X509_NAME_cmp(X509_REQ_get_subject_name(req),
				  X509_REQ_get_subject_name(wanted)) == 0 &&
		    same_extensions(req, wanted);

	ERR_clear_error();
	return same;
}

int csr_from_pem(struct str_view pem, struct buf *der, struct err *err)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	AUTO(auto_x509_req) X509_REQ *req = NULL;

	ERR_clear_error();
	if (bio == NULL)
		return err_set(err, ERR_LIMIT, "a signing request of %zu bytes is too long",
			       pem.len);
	req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	if (req == NULL)
		return ossl_fail(err, ERR_INVALID, "no readable PEM certificate request");
	if (req_check(req, err) != 0)
		return -1;
	return req_to_der(req, der, err);
}

int csr_to_pem(struct str_view der, struct buf *pem, struct err *err)
{
	AUTO(auto_x509_req) X509_REQ *req = csr_read(der, err);
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	if (req == NULL)
		return -1;
	if (PEM_write_bio_X509_REQ(bio, req) != 1)
		return ossl_fail(err, ERR_IO, "cannot write the request as PEM");
	return bio_drain(bio, pem, err);
}
