/* pki/key.c - private keys: make, load, store, name */
#include "pki/key.h"

#include "pki/decode.h"
#include "pki/ossl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static const struct {
	struct str_view algorithm; /* cert-manager's word */
	int64_t size;              /* cert-manager's number; 0: has none */
	const char *name;          /* OpenSSL's */
	const char *group;         /* as EVP_PKEY_get_group_name says it */
	int bits;                  /* of RSA */
	bool is_default;           /* of its algorithm */
} types[KEY_TYPE_COUNT] = {
	[KEY_ECDSA_P256] = {SV_INIT("ECDSA"), 256, "EC", "prime256v1", 0, true},
	[KEY_ECDSA_P384] = {SV_INIT("ECDSA"), 384, "EC", "secp384r1", 0, false},
	[KEY_RSA_2048] = {SV_INIT("RSA"), 2048, "RSA", NULL, 2048, true},
	[KEY_RSA_3072] = {SV_INIT("RSA"), 3072, "RSA", NULL, 3072, false},
	[KEY_RSA_4096] = {SV_INIT("RSA"), 4096, "RSA", NULL, 4096, false},
	[KEY_ED25519] = {SV_INIT("Ed25519"), 0, "ED25519", NULL, 0, true},
};

void auto_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

void secret_deinit(struct buf *buf)
{
	if (buf->data != NULL)
		OPENSSL_cleanse(buf->data, buf->size);
	buf_deinit(buf);
}

EVP_PKEY *key_make(enum key_type type, struct err *err)
{
	EVP_PKEY *key;

	ERR_clear_error();
	if (types[type].group != NULL)
		key = EVP_PKEY_Q_keygen(NULL, NULL, types[type].name, types[type].group);
	else if (types[type].bits != 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, types[type].name, (size_t)types[type].bits);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, types[type].name);
	if (key == NULL)
		ossl_fail(err, ERR_IO, "cannot make a key of type %.*s",
			  SV_ARG(types[type].algorithm));
	return key;
}

bool key_type_parse(struct str_view algorithm, int64_t size, enum key_type *type)
{
	if (algorithm.len == 0)
		algorithm = SV("RSA");
	for (size_t i = 0; i < KEY_TYPE_COUNT; i++) {
		if (!sv_eq(types[i].algorithm, algorithm))
			continue;
		if (types[i].size == 0 || types[i].size == size ||
		    (size == 0 && types[i].is_default)) {
			*type = (enum key_type)i;
			return true;
		}
	}
	return false;
}

bool key_is_slow(enum key_type type)
{
	return types[type].bits != 0;
}

bool key_is(EVP_PKEY *key, enum key_type type)
{
	char group[64];
	size_t len;

	if (key == NULL || !EVP_PKEY_is_a(key, types[type].name))
		return false;
	if (types[type].group != NULL)
		return EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
		       strcmp(group, types[type].group) == 0;
	return types[type].bits == 0 || EVP_PKEY_get_bits(key) == types[type].bits;
}

bool key_same_public(EVP_PKEY *a, EVP_PKEY *b)
{
	bool same = a != NULL && b != NULL && EVP_PKEY_eq(a, b) == 1;

	ERR_clear_error();
	return same;
}

const EVP_MD *key_digest(EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) > 256)
		return EVP_PKEY_get_bits(key) > 384 ? EVP_sha512() : EVP_sha384();
	return EVP_sha256();
}

/* ---- PEM ---- */

/* There is nobody to ask; the flag tells why reading failed. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

int key_check(EVP_PKEY *key, struct err *err)
{
	int bits = EVP_PKEY_get_bits(key);

	if (!EVP_PKEY_is_a(key, "RSA"))
		return 0;
	if (bits < KEY_RSA_BITS_MIN)
		return err_set(err, ERR_INVALID, "an RSA key of %d bits is too short: %d at least",
			       bits, KEY_RSA_BITS_MIN);
	if (bits > KEY_RSA_BITS_MAX)
		return err_set(err, ERR_LIMIT, "an RSA key of %d bits is too long: %d at most",
			       bits, KEY_RSA_BITS_MAX);
	return 0;
}

/* The usual: the first block is a key in clear. NULL for all else, good or bad. */
static EVP_PKEY *first_block(struct str_view pem)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	char *label = NULL, *header = NULL;
	unsigned char *der = NULL;
	EVP_PKEY *key = NULL;
	long len = 0;

	if (bio != NULL && PEM_read_bio(bio, &label, &header, &der, &len) == 1 && header[0] == '\0')
		key = decode_private(sv_from(label), sv_new((const char *)der, (size_t)len));
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_clear_free(der, (size_t)len);
	ERR_clear_error();
	return key;
}

EVP_PKEY *key_from_pem(struct str_view pem, struct err *err)
{
	AUTO(auto_bio) BIO *bio = bio_over(pem, PKI_PEM_MAX);
	AUTO(auto_key) EVP_PKEY *key = NULL;
	bool asked = false;

	if (bio == NULL) {
		err_set(err, ERR_LIMIT, "a private key of %zu bytes is too long", pem.len);
		return NULL;
	}
	ERR_clear_error();
	key = first_block(pem);
	if (key == NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	if (key == NULL && asked)
		ossl_fail(err, ERR_INVALID,
			  "the private key is encrypted: store it without a passphrase");
	else if (key == NULL)
		ossl_fail(err, ERR_INVALID, "no readable PEM private key");
	ERR_clear_error();
	if (key == NULL || key_check(key, err) != 0)
		return NULL;
	return TAKE(key);
}

int key_to_pem(EVP_PKEY *key, enum key_encoding encoding, struct buf *out, struct err *err)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem()); /* overwrites its memory when freed */
	bool pkcs1 =
		encoding == KEY_PKCS1 && (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "EC"));
	int ok;

	ERR_clear_error();
	ok = pkcs1 ? PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL)
		   : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	if (ok != 1)
		return ossl_fail(err, ERR_INVALID, "cannot write the private key as PEM");
	return bio_drain(bio, out, err);
}
