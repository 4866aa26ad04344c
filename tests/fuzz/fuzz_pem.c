/* tests/fuzz/fuzz_pem.c - pki/key.c, pki/pair.c and pki/x509.c: keys and chains that come as PEM */
#include "fuzz.h"

#include "pki/pair.h"

#include "base/own.h"

#include <openssl/err.h>
#include <stdlib.h>

static void check_chain(const struct cert_chain *chain)
{
	AUTO(buf_deinit) struct buf pem = {0}, id = {0};
	AUTO(auto_chain) struct cert_chain again = {0};
	const struct str_view host = SV("www.example.com");
	const struct cert_names names = {.dns = &host, .dns_count = 1};
	struct cert_info info;
	struct err err = {0};

	buf_init(&pem, 1u << 20);
	buf_init(&id, 1024);
	if (chain_to_pem(chain, &pem, &err) != 0)
		abort();
	if (buf_len(&pem) <= (256u << 10) &&
	    (chain_from_pem(buf_view(&pem), &again, &err) != 0 || again.count != chain->count))
		abort();
	for (size_t i = 0; i < chain->count; i++) {
		if (cert_info_read(chain->certs[i], &info, &err) == 0)
			cert_info_deinit(&info);
		cert_ari_id(chain->certs[i], &id, &err);
		cert_covers(chain->certs[i], host);
		cert_covers(chain->certs[i], SV("192.0.2.1"));
		cert_covers(chain->certs[i], SV("*.example.com"));
	}
	chain_check(chain, X509_get0_pubkey(chain->certs[0]), NULL, 1767322800, 60, &err);
	chain_check(chain, X509_get0_pubkey(chain->certs[0]), &names, 1767322800, 60, &err);
}

static void check_key(EVP_PKEY *key)
{
	AUTO(secret_deinit) struct buf pem = {0};
	AUTO(auto_key) EVP_PKEY *again = NULL;
	struct err err = {0};

	buf_init(&pem, 1u << 20);
	if (key_to_pem(key, KEY_PKCS8, &pem, &err) != 0)
		return; /* a public part that does not belong to the private one, or none */
	again = key_from_pem(buf_view(&pem), &err);
	if (again == NULL)
		abort();
	for (int type = 0; type < KEY_TYPE_COUNT; type++)
		if (key_is(key, (enum key_type)type) != key_is(again, (enum key_type)type))
			abort();
}

/* A chain, a zero byte, a key. What the glance takes, the thorough reading takes. */
static void check_pair(struct str_view text)
{
	struct str_view key_text = text, chain_text = sv_split(&key_text, '\0');
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct cert_info info;
	struct err err = {0};
	struct pair pair;

	if (!pair_glance(chain_text, key_text, &pair))
		return;
	key = key_from_pem(key_text, &err);
	if (chain_from_pem(chain_text, &chain, &err) != 0 || chain.count != pair.chain_count ||
	    !key_same_public(key, X509_get0_pubkey(chain.certs[0])) ||
	    cert_info_read(chain.certs[0], &info, &err) != 0 ||
	    info.name_count != pair.name_count || info.not_after != pair.not_after)
		abort();
	cert_info_deinit(&info);
	pair_deinit(&pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err err = {0};

	if (chain_from_pem(text, &chain, &err) == 0)
		check_chain(&chain);
	else if (chain.count != 0 || err.msg[0] == '\0')
		abort();
	key = key_from_pem(text, &err);
	if (key != NULL)
		check_key(key);
	check_pair(text);
	if (ERR_peek_error() != 0)
		abort();
	return 0;
}
