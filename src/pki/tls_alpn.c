/* pki/tls_alpn.c - the certificate that answers TLS-ALPN-01 (RFC 8737, section 3) */
#include "pki/tls_alpn.h"

#include "pki/ossl.h"
#include "pki/x509.h"

#include <openssl/sha.h>

#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31" /* id-pe-acmeIdentifier */
#define SECONDS         INT64_C(604800)      /* nobody looks at the dates */

/* Critical, and holds an OCTET STRING with the digest of the key authorization. */
static int add_identifier(X509 *cert, struct str_view key_authorization)
{
	unsigned char value[2 + SHA256_DIGEST_LENGTH] = {V_ASN1_OCTET_STRING, SHA256_DIGEST_LENGTH};
	ASN1_OBJECT *object = OBJ_txt2obj(ACME_IDENTIFIER, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = NULL;
	int ok = 0;

	SHA256((const unsigned char *)key_authorization.data, key_authorization.len, value + 2);
	if (object != NULL && octets != NULL &&
	    ASN1_OCTET_STRING_set(octets, value, sizeof(value)) == 1)
		extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, octets);
	if (extension != NULL)
		ok = X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(object);
	return ok;
}

static X509 *make(EVP_PKEY *key, const struct cert_names *names, int64_t now, struct err *err)
{
	struct x509_sign_how how = {
		.issuer_key = key, .not_before = now - SECONDS, .not_after = now + SECONDS};
	struct buf csr;
	X509 *cert = NULL;

	buf_init(&csr, 65536);
	if (csr_make(key, names, &csr, err) == 0)
		cert = cert_sign(buf_view(&csr), &how, err);
	buf_deinit(&csr);
	return cert;
}

static bool add_der(struct buf *out, unsigned char *der, int len)
{
	bool ok = len > 0 && buf_add(out, sv_new((const char *)der, (size_t)len));

	OPENSSL_free(der);
	return ok;
}

int tls_alpn_cert_make(const struct tls_alpn_question *what, struct buf *cert_der,
		       struct buf *key_der, struct err *err)
{
	struct cert_names names = {.dns = &what->identifier, .ips = &what->identifier};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, err);
	AUTO(auto_x509) X509 *cert = NULL;
	unsigned char *der = NULL;
	int len;

	names.dns_count = what->is_address ? 0 : 1;
	names.ip_count = what->is_address ? 1 : 0;
	cert = key == NULL ? NULL : make(key, &names, what->now, err);
	if (cert == NULL)
		return -1;
	if (add_identifier(cert, what->key_authorization) != 1 ||
	    X509_sign(cert, key, EVP_sha256()) <= 0)
		return ossl_fail(err, ERR_IO, "cannot make the certificate for TLS-ALPN-01");
	len = i2d_X509(cert, &der);
	if (!add_der(cert_der, der, len))
		return err_set(err, ERR_IO, "cannot encode the certificate for TLS-ALPN-01");
	der = NULL;
	len = i2d_PrivateKey(key, &der);
	if (!add_der(key_der, der, len))
		return err_set(err, ERR_IO, "cannot encode the key for TLS-ALPN-01");
	return 0;
}
