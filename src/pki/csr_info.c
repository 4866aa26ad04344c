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
	}
	return 0;
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
	if (common_name_read(req, info, err) != 0 || names_read(req, info, err) != 0) {
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
