/* tests/unit/pki/test_pair.c - pki/pair.c: the glance says what the thorough reading says */
#include "pki/pair.h"

#include "pki_fixture.h"

#include <openssl/pem.h>

#define SPACE (64u << 10)

struct signer {
	EVP_PKEY *key;
	X509 *cert;
};

struct pems {
	struct buf chain, key;
};

static struct signer root, middle;

static void add_cert(struct buf *out, X509 *cert)
{
	struct cert_chain one = {.count = 1, .certs = {cert}};
	struct err err = {0};

	assert_int_equal(chain_to_pem(&one, out, &err), 0);
}

static X509 *leaf(EVP_PKEY *key)
{
	static const struct str_view dns[] = {SV_INIT("A.example"), SV_INIT("*.b.example")};
	static const struct str_view ips[] = {SV_INIT("192.0.2.7"), SV_INIT("2001:db8::7")};
	struct cert_names names = {.dns = dns, .dns_count = 2, .ips = ips, .ip_count = 2};

	return fixture_cert(
		key, &names,
		(struct x509_sign_how){.issuer = middle.cert, .issuer_key = middle.key});
}

static void pems_init(struct pems *pems)
{
	buf_init(&pems->chain, SPACE);
	buf_init(&pems->key, SPACE);
}

static void pems_deinit(struct pems *pems)
{
	buf_deinit(&pems->chain);
	secret_deinit(&pems->key);
}

static void make(struct pems *pems, enum key_type type, enum key_encoding encoding)
{
	struct err err = {0};
	AUTO(auto_key) EVP_PKEY *key = key_make(type, &err);
	X509 *cert = leaf(key);

	pems_init(pems);
	add_cert(&pems->chain, cert);
	X509_free(cert);
	assert_int_equal(key_to_pem(key, encoding, &pems->key, &err), 0);
}

static bool glance(const struct pems *pems, struct pair *pair)
{
	bool fine = pair_glance(buf_view(&pems->chain), buf_view(&pems->key), pair);

	assert_int_equal(ERR_peek_error(), 0);
	return fine;
}

/* ---- what the glance takes ---- */

static void same_chain(const struct cert_chain *chain, const struct pair *pair)
{
	assert_int_equal(chain->count, pair->chain_count);
	for (size_t i = 0; i < chain->count; i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(chain->certs[i], &der);

		assert_int_equal(len, pair->chain[i].len);
		assert_memory_equal(der, pair->chain[i].data, pair->chain[i].len);
		OPENSSL_free(der);
	}
}

static void same_info(const struct cert_info *info, const struct pair *pair)
{
	assert_int_equal(info->not_after, pair->not_after);
	assert_int_equal(info->name_count, pair->name_count);
	for (size_t i = 0; i < info->name_count; i++)
		assert_string_equal(info->names[i], pair->names[i]);
}

static void same_key(EVP_PKEY *key, const struct pair *pair)
{
	const unsigned char *at = (const unsigned char *)pair->key.data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)pair->key.len);
	AUTO(auto_key) EVP_PKEY *other = info == NULL ? NULL : EVP_PKCS82PKEY(info);

	assert_true(key_same_public(key, other));
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void agrees(const struct pems *pems)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct err err = {0};
	AUTO(auto_key) EVP_PKEY *key = key_from_pem(buf_view(&pems->key), &err);
	struct cert_info info;
	struct pair pair;

	assert_true(glance(pems, &pair));
	assert_int_equal(chain_from_pem(buf_view(&pems->chain), &chain, &err), 0);
	assert_int_equal(cert_info_read(chain.certs[0], &info, &err), 0);
	same_chain(&chain, &pair);
	same_info(&info, &pair);
	same_key(key, &pair);
	cert_info_deinit(&info);
	pair_deinit(&pair);
}

static void test_usual(void **state)
{
	static const struct {
		enum key_type type;
		enum key_encoding encoding;
		size_t issuers;
	} cases[] = {
		{KEY_ECDSA_P256, KEY_PKCS8, 0}, {KEY_ECDSA_P256, KEY_PKCS1, 1},
		{KEY_ECDSA_P384, KEY_PKCS8, 2}, {KEY_RSA_2048, KEY_PKCS8, 2},
		{KEY_RSA_2048, KEY_PKCS1, 1},   {KEY_ED25519, KEY_PKCS8, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pems pems;

		make(&pems, cases[i].type, cases[i].encoding);
		if (cases[i].issuers > 0)
			add_cert(&pems.chain, middle.cert);
		if (cases[i].issuers > 1)
			add_cert(&pems.chain, root.cert);
		agrees(&pems);
		pems_deinit(&pems);
	}
}

/* ---- what it leaves to the thorough reading ---- */

typedef void spoil_fn(struct pems *pems);

static void no_chain(struct pems *pems)
{
	buf_reset(&pems->chain);
}

static void no_key(struct pems *pems)
{
	buf_reset(&pems->key);
}

static void other_key(struct pems *pems)
{
	struct pems other;

	make(&other, KEY_ECDSA_P256, KEY_PKCS8);
	buf_reset(&pems->key);
	buf_add(&pems->key, buf_view(&other.key));
	pems_deinit(&other);
}

static void public_key(struct pems *pems)
{
	struct err err = {0};
	AUTO(auto_key) EVP_PKEY *key = key_from_pem(buf_view(&pems->key), &err);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	len = BIO_get_mem_data(bio, &data);
	buf_reset(&pems->key);
	buf_add(&pems->key, sv_new(data, (size_t)len));
	BIO_free(bio);
}

static void key_in_chain(struct pems *pems)
{
	buf_add(&pems->chain, buf_view(&pems->key));
}

static void broken_block(struct pems *pems)
{
	buf_add(&pems->chain, SV("-----BEGIN CERTIFICATE-----\nAAAA\n"));
}

static void no_certificate(struct pems *pems)
{
	buf_add(&pems->chain, SV("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"));
}

static void twice(struct pems *pems)
{
	struct str_view whole = buf_view(&pems->chain);
	char *copy = sv_dup(whole);

	buf_add(&pems->chain, sv_from(copy));
	free(copy);
}

static void wrong_order(struct pems *pems)
{
	add_cert(&pems->chain, root.cert);
	add_cert(&pems->chain, middle.cert);
}

static void issuer_first(struct pems *pems)
{
	char *copy = sv_dup(buf_view(&pems->chain));

	buf_reset(&pems->chain);
	add_cert(&pems->chain, middle.cert);
	buf_add(&pems->chain, sv_from(copy));
	free(copy);
}

static void test_left(void **state)
{
	static const struct {
		const char *name;
		spoil_fn *spoil;
	} cases[] = {
		{"no chain", no_chain},
		{"no key", no_key},
		{"other key", other_key},
		{"public key", public_key},
		{"key in chain", key_in_chain},
		{"broken block", broken_block},
		{"no certificate", no_certificate},
		{"twice", twice},
		{"wrong order", wrong_order},
		{"issuer first", issuer_first},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pems pems;
		struct pair pair;

		make(&pems, KEY_ECDSA_P256, KEY_PKCS8);
		cases[i].spoil(&pems);
		if (glance(&pems, &pair))
			fail_msg("%s", cases[i].name);
		pems_deinit(&pems);
	}
}

/* Any byte of the certificate changed: what the glance takes, the thorough reading takes. */
static void test_flipped(void **state)
{
	struct pems pems;
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct err err = {0};
	unsigned char *der = NULL;
	int len;

	(void)state;
	make(&pems, KEY_ECDSA_P256, KEY_PKCS8);
	assert_int_equal(chain_from_pem(buf_view(&pems.chain), &chain, &err), 0);
	len = i2d_X509(chain.certs[0], &der);
	for (int i = 0; i < len; i++) {
		BIO *bio = BIO_new(BIO_s_mem());
		char *data = NULL;
		struct pair pair;
		long size;

		der[i] ^= 0x21;
		PEM_write_bio(bio, PEM_STRING_X509, "", der, len);
		size = BIO_get_mem_data(bio, &data);
		buf_reset(&pems.chain);
		buf_add(&pems.chain, sv_new(data, (size_t)size));
		if (glance(&pems, &pair)) {
			pair_deinit(&pair);
			agrees(&pems);
		}
		der[i] ^= 0x21;
		BIO_free(bio);
	}
	OPENSSL_free(der);
	pems_deinit(&pems);
}

static int group_setup(void **state)
{
	(void)state;
	root.key = fixture_key();
	middle.key = fixture_key();
	root.cert = fixture_ca(root.key, "root", NULL, NULL);
	middle.cert = fixture_ca(middle.key, "middle", root.cert, root.key);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	X509_free(root.cert);
	X509_free(middle.cert);
	EVP_PKEY_free(root.key);
	EVP_PKEY_free(middle.key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_flipped),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
