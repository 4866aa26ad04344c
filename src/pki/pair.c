/* pki/pair.c - a certificate chain and its key, read at one glance */
#include "pki/pair.h"

#include "pki/decode.h"
#include "pki/key.h"
#include "pki/ossl.h"

#include <openssl/asn1t.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#define SERIAL_MAX 32  /* bytes: what cert_info_read takes */
#define POINT_MAX  160 /* bytes: two coordinates of a curve of 521 bits take 133 */

/* ---- Certificate of RFC 5280, section 4.1, as OpenSSL's own templates have it but for the public
 * key, which stays bits ---- */

typedef struct {
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *bits;
} GLANCE_SPKI;

typedef struct {
	ASN1_INTEGER *version;
	ASN1_INTEGER *serial;
	X509_ALGOR *algorithm;
	X509_NAME *issuer;
	X509_VAL *validity;
	X509_NAME *subject;
	GLANCE_SPKI *spki;
	ASN1_BIT_STRING *issuer_id;
	ASN1_BIT_STRING *subject_id;
	STACK_OF(X509_EXTENSION) * extensions;
} GLANCE_TBS;

typedef struct {
	GLANCE_TBS *tbs;
	X509_ALGOR *algorithm;
	ASN1_BIT_STRING *signature;
} GLANCE_CERT;

/* clang-format off */
ASN1_SEQUENCE(GLANCE_SPKI) = {
	ASN1_SIMPLE(GLANCE_SPKI, algorithm, X509_ALGOR),
	ASN1_SIMPLE(GLANCE_SPKI, bits, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(GLANCE_SPKI)

ASN1_SEQUENCE(GLANCE_TBS) = {
	ASN1_EXP_OPT(GLANCE_TBS, version, ASN1_INTEGER, 0),
	ASN1_SIMPLE(GLANCE_TBS, serial, ASN1_INTEGER),
	ASN1_SIMPLE(GLANCE_TBS, algorithm, X509_ALGOR),
	ASN1_SIMPLE(GLANCE_TBS, issuer, X509_NAME),
	ASN1_SIMPLE(GLANCE_TBS, validity, X509_VAL),
	ASN1_SIMPLE(GLANCE_TBS, subject, X509_NAME),
	ASN1_SIMPLE(GLANCE_TBS, spki, GLANCE_SPKI),
	ASN1_IMP_OPT(GLANCE_TBS, issuer_id, ASN1_BIT_STRING, 1),
	ASN1_IMP_OPT(GLANCE_TBS, subject_id, ASN1_BIT_STRING, 2),
	ASN1_EXP_SEQUENCE_OF_OPT(GLANCE_TBS, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(GLANCE_TBS)

ASN1_SEQUENCE(GLANCE_CERT) = {
	ASN1_SIMPLE(GLANCE_CERT, tbs, GLANCE_TBS),
	ASN1_SIMPLE(GLANCE_CERT, algorithm, X509_ALGOR),
	ASN1_SIMPLE(GLANCE_CERT, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(GLANCE_CERT)
	/* clang-format on */

	static void glance_free(GLANCE_CERT * cert)
{
	ASN1_item_free((ASN1_VALUE *)cert, ASN1_ITEM_rptr(GLANCE_CERT));
}

static GLANCE_CERT *glance_read(struct str_view der)
{
	const unsigned char *at = (const unsigned char *)der.data, *end = at + der.len;
	GLANCE_CERT *cert;

	if (der.len < 2 || at[1] == 0x80) /* a length that is not said: BER */
		return NULL;
	cert = (GLANCE_CERT *)ASN1_item_d2i(NULL, &at, (long)der.len, ASN1_ITEM_rptr(GLANCE_CERT));
	if (cert != NULL && at == end)
		return cert;
	glance_free(cert);
	return NULL;
}

/* ---- PEM ---- */

struct block {
	char *label, *header;
	unsigned char *der;
	long len;
};

static void block_deinit(struct block *block)
{
	OPENSSL_free(block->label);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->der, (size_t)block->len);
}

static bool block_read(struct block *block, BIO *bio)
{
	*block = (struct block){0};
	return PEM_read_bio(bio, &block->label, &block->header, &block->der, &block->len) == 1;
}

static struct str_view block_take(struct block *block)
{
	return sv_new((const char *)TAKE(block->der), (size_t)block->len);
}

static bool ended(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

/* ---- the chain ---- */

struct glance {
	struct pair *pair;
	GLANCE_CERT *certs[X509_CHAIN_MAX];
};

static bool take_block(struct glance *glance, struct block *block)
{
	struct pair *pair = glance->pair;
	size_t at = pair->chain_count;

	if (at == X509_CHAIN_MAX || strcmp(block->label, PEM_STRING_X509) != 0)
		return false;
	pair->chain[at] = block_take(block);
	pair->chain_count++;
	glance->certs[at] = glance_read(pair->chain[at]);
	return glance->certs[at] != NULL;
}

static bool take_chain(struct glance *glance, struct str_view pem)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	struct block block;
	bool fine = bio != NULL;

	while (fine && block_read(&block, bio)) {
		fine = take_block(glance, &block);
		block_deinit(&block);
	}
	return fine && ended() && glance->pair->chain_count > 0;
}

static bool same_name(const X509_NAME *a, const X509_NAME *b)
{
	return X509_NAME_cmp(a, b) == 0;
}

/* Each behind the one that it issued and no other, no name twice: there is nothing to sort. */
static bool in_order(const struct glance *glance)
{
	size_t count = glance->pair->chain_count;

	for (size_t i = 0; i < count; i++) {
		const X509_NAME *subject = glance->certs[i]->tbs->subject;

		for (size_t j = 0; j < count; j++) {
			const GLANCE_TBS *other = glance->certs[j]->tbs;

			if (i != j && (same_name(subject, other->subject) ||
				       same_name(subject, other->issuer) != (j + 1 == i)))
				return false;
		}
	}
	return true;
}

/* ---- the leaf ---- */

static bool take_dates(struct pair *pair, const X509_VAL *validity)
{
	int64_t not_before;

	return x509_time(validity->notBefore, &not_before) == 0 &&
	       x509_time(validity->notAfter, &pair->not_after) == 0;
}

static bool take_names(struct pair *pair, const GLANCE_TBS *tbs)
{
	int critical = 0;
	AUTO(auto_general_names)
	GENERAL_NAMES *names =
		X509V3_get_d2i(tbs->extensions, NID_subject_alt_name, &critical, NULL);

	if (names == NULL && critical != -1)
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		char *text = x509_name_text(sk_GENERAL_NAME_value(names, i));

		if (text == NULL)
			continue;
		if (pair->name_count == X509_NAMES_MAX) {
			free(text);
			return false;
		}
		pair->names[pair->name_count++] = text;
	}
	return true;
}

static bool take_leaf(struct pair *pair, const GLANCE_TBS *tbs)
{
	return tbs->serial->type == V_ASN1_INTEGER && tbs->serial->length <= SERIAL_MAX &&
	       take_dates(pair, tbs->validity) && take_names(pair, tbs);
}

/* ---- the key ---- */

/* NID of a named curve (RFC 5480, section 2.1.1); 0: it is another kind of key. */
static int curve_of(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *oid;
	const void *parameter;
	int type;

	X509_ALGOR_get0(&oid, &type, &parameter, algorithm);
	return OBJ_obj2nid(oid) == NID_X9_62_id_ecPublicKey && type == V_ASN1_OBJECT
		       ? OBJ_obj2nid(parameter)
		       : 0;
}

/* The same curve and the same bytes of the point: no need to make a key of them. */
static bool same_point(EVP_PKEY *key, const GLANCE_SPKI *spki)
{
	unsigned char point[POINT_MAX];
	char group[64];
	size_t len;

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	       OBJ_sn2nid(group) == curve_of(spki->algorithm) &&
	       EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					       &len) == 1 &&
	       sv_eq(sv_new((const char *)point, len),
		     sv_new((const char *)spki->bits->data, (size_t)spki->bits->length));
}

static bool is_of(EVP_PKEY *key, GLANCE_SPKI *spki)
{
	unsigned char *der = NULL;
	int len = ASN1_item_i2d((ASN1_VALUE *)spki, &der, ASN1_ITEM_rptr(GLANCE_SPKI));
	AUTO(auto_key)
	EVP_PKEY *public = len <= 0 ? NULL : decode_public(sv_new((const char *)der, (size_t)len));

	OPENSSL_free(der);
	return key_same_public(key, public);
}

static bool take_pkcs8(struct pair *pair, EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *bytes = NULL;
	int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);

	PKCS8_PRIV_KEY_INFO_free(info);
	if (len <= 0)
		return false;
	pair->key = sv_new((const char *)bytes, (size_t)len);
	return true;
}

static bool take_key(struct pair *pair, struct str_view pem, GLANCE_SPKI *spki)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err ignored = {.code = ERR_NONE};
	struct block block;
	bool fine = false;

	if (bio == NULL || !block_read(&block, bio))
		return false;
	if (block.header[0] == '\0')
		key = decode_private(sv_from(block.label),
				     sv_new((const char *)block.der, (size_t)block.len));
	if (key != NULL && key_check(key, &ignored) == 0 &&
	    (same_point(key, spki) || is_of(key, spki))) {
		fine = true;
		if (strcmp(block.label, PEM_STRING_PKCS8INF) == 0)
			pair->key = block_take(&block);
		else
			fine = take_pkcs8(pair, key);
	}
	block_deinit(&block);
	return fine;
}

/* ---- both ---- */

void pair_deinit(struct pair *pair)
{
	for (size_t i = 0; i < pair->chain_count; i++)
		OPENSSL_free((char *)pair->chain[i].data);
	OPENSSL_clear_free((char *)pair->key.data, pair->key.len);
	for (size_t i = 0; i < pair->name_count; i++)
		free(pair->names[i]);
	*pair = (struct pair){0};
}

bool pair_glance(struct str_view chain_pem, struct str_view key_pem, struct pair *pair)
{
	struct glance glance = {.pair = pair};
	bool fine;

	*pair = (struct pair){0};
	ERR_clear_error();
	fine = take_chain(&glance, chain_pem) && in_order(&glance) &&
	       take_leaf(pair, glance.certs[0]->tbs) &&
	       take_key(pair, key_pem, glance.certs[0]->tbs->spki);
	for (size_t i = 0; i < ARRAY_LEN(glance.certs); i++)
		glance_free(glance.certs[i]);
	if (!fine)
		pair_deinit(pair);
	ERR_clear_error();
	return fine;
}
