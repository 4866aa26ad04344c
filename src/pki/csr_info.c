/* pki/csr_info.c - what a signing request asks for (RFC 2986, RFC 5280 section 4.2.1.6) */
#include "pki/csr_read.h"
#include "pki/ossl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdlib.h>

#define COMMON_NAME_MAX 256 /* bytes: 64 characters of UTF-8 */

static bool plain_text(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.len > 0;
}

static struct str_view string_view(const ASN1_STRING *text)
{
	return sv_new((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static char *ip_text(const ASN1_OCTET_STRING *ip)
{
	int len = ASN1_STRING_length(ip);
	char text[INET6_ADDRSTRLEN];

	if ((len != 4 && len != 16) ||
	    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text,
		      sizeof(text)) == NULL)
		return NULL;
	return xstrdup(text);
}

static int name_read(const GENERAL_NAME *name, struct csr_info *info, struct err *err)
{
	struct str_view dns;
	char *ip;

	if (info->dns_count == CSR_NAMES_MAX || info->ip_count == CSR_NAMES_MAX)
		return err_set(err, ERR_LIMIT, "the signing request has more than %d names",
			       CSR_NAMES_MAX);
	if (name->type == GEN_DNS) {
		dns = string_view(name->d.dNSName);
		if (!plain_text(dns))
			return err_set(err, ERR_INVALID,
				       "the signing request has a host name that is none");
		info->dns[info->dns_count++] = sv_dup(dns);
	} else if (name->type == GEN_IPADD) {
		ip = ip_text(name->d.iPAddress);
		if (ip == NULL)
			return err_set(err, ERR_INVALID,
				       "the signing request has an address that is none");
		info->ips[info->ip_count++] = ip;
	} else if (name->type == GEN_URI || name->type == GEN_EMAIL) {
		if (!plain_text(string_view(name->d.ia5)))
			return err_set(
				err, ERR_INVALID,
				"the signing request has a URI or mail address that is none");
		info->text_count++;
	} else {
		return err_set(err, ERR_INVALID,
			       "the signing request has a name that is no host name, address, URI "
			       "or mail address");
	}
	return 0;
}

/* ---- what it would like to be ---- */

static int broken(struct err *err, const char *what)
{
	return ossl_fail(err, ERR_INVALID, "the signing request has a broken extension: %s", what);
}

static int ca_read(const STACK_OF(X509_EXTENSION) * wanted, struct csr_info *info, struct err *err)
{
	int critical = 0;
	BASIC_CONSTRAINTS *basic = X509V3_get_d2i(wanted, NID_basic_constraints, &critical, NULL);

	if (basic == NULL)
		return critical == -1 ? 0 : broken(err, "basicConstraints");
	info->wants_ca = basic->ca != 0;
	BASIC_CONSTRAINTS_free(basic);
	return 0;
}

static int key_usage_read(const STACK_OF(X509_EXTENSION) * wanted, struct csr_info *info,
			  struct err *err)
{
	int critical = 0;
	ASN1_BIT_STRING *bits = X509V3_get_d2i(wanted, NID_key_usage, &critical, NULL);

	if (bits == NULL)
		return critical == -1 ? 0 : broken(err, "keyUsage");
	info->wants_usages = true;
	for (int i = 0; i < 9; i++) {
		if (ASN1_BIT_STRING_get_bit(bits, i))
			info->usages.key |= i < 8 ? 0x80u >> i : X509v3_KU_DECIPHER_ONLY;
	}
	ASN1_BIT_STRING_free(bits);
	return 0;
}

static int purposes_read(const STACK_OF(X509_EXTENSION) * wanted, struct csr_info *info,
			 struct err *err)
{
	int critical = 0;
	EXTENDED_KEY_USAGE *all = X509V3_get_d2i(wanted, NID_ext_key_usage, &critical, NULL);

	if (all == NULL)
		return critical == -1 ? 0 : broken(err, "extendedKeyUsage");
	info->wants_usages = true;
	for (int i = 0; i < sk_ASN1_OBJECT_num(all); i++) {
		unsigned bit = key_purpose_bit(OBJ_obj2nid(sk_ASN1_OBJECT_value(all, i)));

		info->usages.purposes |= bit;
		info->other_usages = info->other_usages || bit == 0;
	}
	sk_ASN1_OBJECT_pop_free(all, ASN1_OBJECT_free);
	return 0;
}

static int wishes_read(X509_REQ *req, struct csr_info *info, struct err *err)
{
	STACK_OF(X509_EXTENSION) *wanted = X509_REQ_get_extensions(req);
	int rc = 0;

	if (ca_read(wanted, info, err) != 0 || key_usage_read(wanted, info, err) != 0 ||
	    purposes_read(wanted, info, err) != 0)
		rc = -1;
	sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
	return rc;
}

static int names_read(X509_REQ *req, struct csr_info *info, struct err *err)
{
	STACK_OF(X509_EXTENSION) *wanted = X509_REQ_get_extensions(req);
	AUTO(auto_general_names)
	GENERAL_NAMES *names = X509V3_get_d2i(wanted, NID_subject_alt_name, NULL, NULL);

	sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		if (name_read(sk_GENERAL_NAME_value(names, i), info, err) != 0)
			return -1;
	}
	return 0;
}

static int common_name_read(X509_REQ *req, struct csr_info *info, struct err *err)
{
	X509_NAME *subject = X509_REQ_get_subject_name(req);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;
	int len;

	if (at < 0)
		return 0;
	len = ASN1_STRING_to_UTF8(&text,
				  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len >= 0 && len <= COMMON_NAME_MAX && memchr(text, '\0', (size_t)len) == NULL)
		info->common_name = sv_dup(sv_new((const char *)text, (size_t)len));
	OPENSSL_free(text);
	return info->common_name != NULL
		       ? 0
		       : ossl_fail(err, ERR_INVALID, "the request's common name cannot be used");
}

int csr_info_read(struct str_view der, struct csr_info *info, struct err *err)
{
	AUTO(auto_x509_req) X509_REQ *req = csr_read(der, err);

	*info = (struct csr_info){0};
	if (req == NULL)
		return -1;
	info->key = X509_REQ_get_pubkey(req);
	if (common_name_read(req, info, err) != 0 || names_read(req, info, err) != 0 ||
	    wishes_read(req, info, err) != 0) {
		csr_info_deinit(info);
		return -1;
	}
	ERR_clear_error();
	return 0;
}

void csr_info_deinit(struct csr_info *info)
{
	for (size_t i = 0; i < info->dns_count; i++)
		free(info->dns[i]);
	for (size_t i = 0; i < info->ip_count; i++)
		free(info->ips[i]);
	free(info->common_name);
	EVP_PKEY_free(info->key);
	*info = (struct csr_info){0};
}
