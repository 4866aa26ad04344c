/* pki/usage.c - cert-manager's words for what a key may be used for */
#include "pki/usage.h"

#include "base/own.h"

#include <openssl/obj_mac.h>
#include <openssl/x509v3.h>

static const struct {
	struct str_view word;
	unsigned key;
} key_words[] = {
	{SV_INIT("signing"), X509v3_KU_DIGITAL_SIGNATURE},
	{SV_INIT("digital signature"), X509v3_KU_DIGITAL_SIGNATURE},
	{SV_INIT("content commitment"), X509v3_KU_NON_REPUDIATION},
	{SV_INIT("key encipherment"), X509v3_KU_KEY_ENCIPHERMENT},
	{SV_INIT("data encipherment"), X509v3_KU_DATA_ENCIPHERMENT},
	{SV_INIT("key agreement"), X509v3_KU_KEY_AGREEMENT},
	{SV_INIT("cert sign"), X509v3_KU_KEY_CERT_SIGN},
	{SV_INIT("crl sign"), X509v3_KU_CRL_SIGN},
	{SV_INIT("encipher only"), X509v3_KU_ENCIPHER_ONLY},
	{SV_INIT("decipher only"), X509v3_KU_DECIPHER_ONLY},
};

static const struct {
	struct str_view word;
	unsigned bit;
	int nid;
} purpose_words[] = {
	{SV_INIT("server auth"), X509_USAGE_SERVER, NID_server_auth},
	{SV_INIT("client auth"), X509_USAGE_CLIENT, NID_client_auth},
	{SV_INIT("code signing"), 1u << 2, NID_code_sign},
	{SV_INIT("email protection"), 1u << 3, NID_email_protect},
	{SV_INIT("s/mime"), 1u << 3, NID_email_protect},
	{SV_INIT("ipsec end system"), 1u << 4, NID_ipsecEndSystem},
	{SV_INIT("ipsec tunnel"), 1u << 5, NID_ipsecTunnel},
	{SV_INIT("ipsec user"), 1u << 6, NID_ipsecUser},
	{SV_INIT("timestamping"), 1u << 7, NID_time_stamp},
	{SV_INIT("ocsp signing"), 1u << 8, NID_OCSP_sign},
	{SV_INIT("microsoft sgc"), 1u << 9, NID_ms_sgc},
	{SV_INIT("netscape sgc"), 1u << 10, NID_ns_sgc},
	{SV_INIT("any"), 1u << 11, NID_anyExtendedKeyUsage},
};

bool key_usages_add(struct key_usages *usages, struct str_view word)
{
	for (size_t i = 0; i < ARRAY_LEN(key_words); i++) {
		if (sv_eq(key_words[i].word, word)) {
			usages->key |= key_words[i].key;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(purpose_words); i++) {
		if (sv_eq(purpose_words[i].word, word)) {
			usages->purposes |= purpose_words[i].bit;
			return true;
		}
	}
	return false;
}

int key_purpose_nid(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(purpose_words); i++) {
		if (purpose_words[i].bit == bit)
			return purpose_words[i].nid;
	}
	return 0;
}

unsigned key_purpose_bit(int nid)
{
	for (size_t i = 0; i < ARRAY_LEN(purpose_words); i++) {
		if (purpose_words[i].nid == nid)
			return purpose_words[i].bit;
	}
	return 0;
}
