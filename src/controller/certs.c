#include "controller/certs.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/map.h"
#include "base/own.h"
#include "pki/pair.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define TLS_TYPE SV("kubernetes.io/tls")
#define PEM_MAX  (1u << 20) /* as admission takes it */

struct known { /* what a Secret came to */
	uint64_t revision;
	struct cert *cert;
	char *problem; /* when cert is NULL */
	bool asked;    /* since the last sweep */
};

struct certs {
	struct map known; /* key of the Secret -> struct known */
	uint64_t reads;
};

/* ---- reading ---- */

/* The decoded bytes of a value; the caller cleanses what is secret. */
static int data_bytes(const json_t *secret, const char *name, struct buf *out, struct err *err)
{
	const json_t *value = json_member(json_member(secret, "data"), name);
	struct str_view text = sv_new(json_string_value(value), json_string_length(value));

	if (value == NULL || text.len == 0)
		return err_set(err, ERR_INVALID, "%s is missing", name);
	if (!dec_base64(out, text))
		return err_set(err, ERR_INVALID, "%s is not base64", name);
	return 0;
}

static void buf_cleanse(struct buf *buf)
{
	if (buf->data != NULL)
		OPENSSL_cleanse(buf->data, buf->size);
	buf_deinit(buf);
}

static EVP_PKEY *read_key(const json_t *secret, struct err *err)
{
	EVP_PKEY *key = NULL;
	struct buf pem;

	buf_init(&pem, PEM_MAX);
	if (data_bytes(secret, "tls.key", &pem, err) == 0) {
		key = key_from_pem(buf_view(&pem), err);
		if (key == NULL)
			err_prefix(err, "tls.key: ");
	}
	buf_cleanse(&pem);
	return key;
}

static int read_chain(const json_t *secret, struct cert_chain *chain, struct err *err)
{
	struct buf pem;
	int result;

	buf_init(&pem, PEM_MAX);
	result = data_bytes(secret, "tls.crt", &pem, err);
	if (result == 0 && chain_from_pem(buf_view(&pem), chain, err) < 0)
		result = err_prefix(err, "tls.crt: ");
	else if (result == 0 && chain->count == 0)
		result = err_set(err, ERR_INVALID, "tls.crt holds no PEM certificate");
	buf_deinit(&pem);
	return result;
}

static void lower(char *name)
{
	for (char *at = name; *at != '\0'; at++)
		*at = ascii_lower(*at);
}

/* ---- DER, as the workers take it ---- */

struct der { /* everything that a struct cert points to while it is made */
	size_t chain_count;
	struct str_view chain[X509_CHAIN_MAX];
	struct str_view key;
	struct cert_info info;
	struct str_view names[X509_NAMES_MAX];
};

static struct str_view chain_der(X509 *cert)
{
	unsigned char *bytes = NULL;
	int len = i2d_X509(cert, &bytes);

	return len <= 0 ? SV_NONE : sv_new((const char *)bytes, (size_t)len);
}

static struct str_view key_der(EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *bytes = NULL;
	int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);

	PKCS8_PRIV_KEY_INFO_free(info);
	return len <= 0 ? SV_NONE : sv_new((const char *)bytes, (size_t)len);
}

static void der_deinit(struct der *der)
{
	for (size_t i = 0; i < der->chain_count; i++)
		OPENSSL_free((char *)der->chain[i].data);
	OPENSSL_clear_free((char *)der->key.data, der->key.len);
	cert_info_deinit(&der->info);
}

static int der_init(struct der *der, const struct cert_chain *chain, EVP_PKEY *key, struct err *err)
{
	*der = (struct der){0};
	if (cert_info_read(chain->certs[0], &der->info, err) < 0)
		return err_prefix(err, "tls.crt: ");
	for (size_t i = 0; i < der->info.name_count; i++) {
		lower(der->info.names[i]);
		der->names[i] = sv_from(der->info.names[i]);
	}
	for (; der->chain_count < chain->count; der->chain_count++) {
		der->chain[der->chain_count] = chain_der(chain->certs[der->chain_count]);
		if (der->chain[der->chain_count].data == NULL)
			break;
	}
	der->key = key_der(key);
	if (der->chain_count == chain->count && der->key.data != NULL)
		return 0;
	der_deinit(der);
	return err_set(err, ERR_INVALID, "the certificate or its key cannot be encoded");
}

/* The usual pair; NULL for all else, good or bad. */
static struct cert *cert_at_a_glance(const json_t *secret, struct str_view name)
{
	struct str_view names[X509_NAMES_MAX];
	struct err ignored = {.code = ERR_NONE};
	struct cert *cert = NULL;
	struct buf chain, key;
	struct pair pair;

	buf_init(&chain, PEM_MAX);
	buf_init(&key, PEM_MAX);
	if (data_bytes(secret, "tls.crt", &chain, &ignored) == 0 &&
	    data_bytes(secret, "tls.key", &key, &ignored) == 0 &&
	    pair_glance(buf_view(&chain), buf_view(&key), &pair)) {
		for (size_t i = 0; i < pair.name_count; i++) {
			lower(pair.names[i]);
			names[i] = sv_from(pair.names[i]);
		}
		cert = cert_new(&(struct cert){.name = name,
					       .chain_count = pair.chain_count,
					       .chain = pair.chain,
					       .key = pair.key,
					       .name_count = pair.name_count,
					       .names = names,
					       .not_after = pair.not_after});
		pair_deinit(&pair);
	}
	buf_deinit(&chain);
	buf_cleanse(&key);
	return cert;
}

static struct cert *cert_by_x509(const json_t *secret, struct str_view name, struct err *err)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = read_key(secret, err);
	struct der der;
	struct cert *cert;

	if (key == NULL || read_chain(secret, &chain, err) < 0)
		return NULL;
	if (!key_same_public(key, X509_get0_pubkey(chain.certs[0]))) {
		err_set(err, ERR_INVALID, "tls.key is not the key of the certificate in tls.crt");
		return NULL;
	}
	if (der_init(&der, &chain, key, err) < 0)
		return NULL;
	cert = cert_new(&(struct cert){.name = name,
				       .chain_count = der.chain_count,
				       .chain = der.chain,
				       .key = der.key,
				       .name_count = der.info.name_count,
				       .names = der.names,
				       .not_after = der.info.not_after});
	der_deinit(&der);
	return cert;
}

/* One owner, the caller. name: "namespace/name", for the log. */
static struct cert *cert_from_secret(const json_t *secret, struct str_view name, struct err *err)
{
	struct cert *cert;

	if (!sv_eq(json_sv_at(secret, "type"), TLS_TYPE)) {
		err_set(err, ERR_INVALID, "its type is %.*s; it must be kubernetes.io/tls",
			SV_ARG(json_sv_at(secret, "type")));
		return NULL;
	}
	cert = cert_at_a_glance(secret, name);
	return cert != NULL ? cert : cert_by_x509(secret, name, err);
}

/* ---- what is known ---- */

struct certs *certs_new(void)
{
	return xcalloc(1, sizeof(struct certs));
}

static void known_forget(struct known *known, struct graveyard *graveyard)
{
	if (known->cert != NULL)
		part_unref(&known->cert->part, graveyard);
	free(known->problem);
	known->cert = NULL;
	known->problem = NULL;
}

static void known_read(struct known *known, const struct object *secret)
{
	AUTO(auto_free)
	char *name = xasprintf("%s/%s", object_namespace(secret), object_name(secret));
	struct err err = {.code = ERR_NONE};

	known->revision = secret->revision;
	known->cert = cert_from_secret(secret->json, sv_from(name), &err);
	if (known->cert == NULL)
		known->problem = xasprintf("Secret %s: %s", name, err.msg);
}

struct cert *certs_get(struct certs *certs, const struct object *secret,
		       struct graveyard *graveyard, const char **problem)
{
	struct known *known = map_get(&certs->known, sv_from(secret->key));

	if (known == NULL) {
		known = xcalloc(1, sizeof(*known));
		(void)map_put(&certs->known, sv_from(secret->key), known);
	}
	if (known->revision != secret->revision) {
		known_forget(known, graveyard);
		known_read(known, secret);
		certs->reads++;
	}
	known->asked = true;
	*problem = known->problem;
	return known->cert;
}

void certs_sweep(struct certs *certs, struct graveyard *graveyard)
{
	struct str_view key;
	void *value;

	for (size_t it = 0; map_next(&certs->known, &it, &key, &value);) {
		struct known *known = value;

		if (known->asked) {
			known->asked = false;
			continue;
		}
		(void)map_remove(&certs->known, key);
		known_forget(known, graveyard);
		free(known);
	}
}

uint64_t certs_reads(const struct certs *certs)
{
	return certs->reads;
}

void certs_free(struct certs *certs, struct graveyard *graveyard)
{
	if (certs == NULL)
		return;
	certs_sweep(certs, graveyard); /* those asked for lately stay once more */
	certs_sweep(certs, graveyard);
	map_deinit(&certs->known, NULL);
	free(certs);
}
