/* dataplane/tls_cert.c - a small cache keyed by cert->id, the least recently used goes first */
#include "dataplane/tls_cert.h"

#include "base/list.h"
#include "base/log.h"
#include "base/own.h"
#include "pki/decode.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>

#define BUCKETS 256 /* power of two */

struct entry {
	struct list bucket; /* in cache->buckets[id % BUCKETS] */
	struct list lru;    /* in cache->lru, most recent first */
	uint64_t id;
	struct parsed_cert parsed;
	bool good;
};

struct cert_cache {
	size_t limit, count;
	struct list lru;
	struct list buckets[BUCKETS];
};

struct cert_cache *cert_cache_new(size_t limit)
{
	struct cert_cache *cache = xcalloc(1, sizeof(*cache));

	cache->limit = limit;
	list_init(&cache->lru);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&cache->buckets[i]);
	return cache;
}

static void parsed_deinit(struct parsed_cert *parsed)
{
	X509_free(parsed->leaf);
	sk_X509_pop_free(parsed->chain, X509_free);
	EVP_PKEY_free(parsed->key);
	*parsed = (struct parsed_cert){0};
}

static void entry_free(struct cert_cache *cache, struct entry *entry)
{
	list_remove(&entry->bucket);
	list_remove(&entry->lru);
	parsed_deinit(&entry->parsed);
	free(entry);
	cache->count--;
}

void cert_cache_free(struct cert_cache *cache)
{
	if (cache == NULL)
		return;
	LIST_EACH(&cache->lru, node)
	entry_free(cache, LIST_ENTRY(node, struct entry, lru));
	free(cache);
}

static X509 *parse_x509(struct str_view der)
{
	const unsigned char *at = (const unsigned char *)der.data;

	return der.len > LONG_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
}

static EVP_PKEY *parse_key(struct str_view der)
{
	const unsigned char *at = (const unsigned char *)der.data;
	EVP_PKEY *key = decode_private(SV("PRIVATE KEY"), der);

	if (key != NULL || der.len > LONG_MAX)
		return key;
	return d2i_AutoPrivateKey(NULL, &at, (long)der.len);
}

static bool parse(struct parsed_cert *parsed, const struct cert *cert)
{
	parsed->chain = sk_X509_new_null();
	if (parsed->chain == NULL || cert->chain_count == 0)
		return false;
	parsed->leaf = parse_x509(cert->chain[0]);
	parsed->key = parse_key(cert->key);
	for (size_t i = 1; i < cert->chain_count; i++) {
		X509 *issuer = parse_x509(cert->chain[i]);

		if (issuer == NULL || sk_X509_push(parsed->chain, issuer) <= 0) {
			X509_free(issuer);
			return false;
		}
	}
	return parsed->leaf != NULL && parsed->key != NULL &&
	       X509_check_private_key(parsed->leaf, parsed->key) == 1;
}

static struct entry *entry_new(struct cert_cache *cache, const struct cert *cert)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));

	if (cache->count >= cache->limit)
		entry_free(cache, LIST_ENTRY(cache->lru.prev, struct entry, lru));
	entry->id = cert->id;
	entry->good = parse(&entry->parsed, cert);
	if (!entry->good) {
		log_error("tls", "certificate %.*s cannot be used: its chain or key does not parse",
			  SV_ARG(cert->name));
		ERR_clear_error();
		parsed_deinit(&entry->parsed);
	}
	list_append(&cache->buckets[cert->id % BUCKETS], &entry->bucket);
	list_prepend(&cache->lru, &entry->lru);
	cache->count++;
	return entry;
}

static struct entry *entry_find(struct cert_cache *cache, uint64_t id)
{
	LIST_EACH(&cache->buckets[id % BUCKETS], node)
	{
		struct entry *entry = LIST_ENTRY(node, struct entry, bucket);

		if (entry->id == id)
			return entry;
	}
	return NULL;
}

const struct parsed_cert *cert_cache_get(struct cert_cache *cache, const struct cert *cert)
{
	struct entry *entry = entry_find(cache, cert->id);

	if (entry == NULL) {
		entry = entry_new(cache, cert);
	} else {
		list_remove(&entry->lru);
		list_prepend(&cache->lru, &entry->lru);
	}
	return entry->good ? &entry->parsed : NULL;
}
