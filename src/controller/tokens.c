#include "controller/tokens.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "loop/sock.h"
#include "pki/tls_alpn.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define TLS_DER_MAX 8192

struct token {
	char *host, *token, *answer;
	char *order;         /* key of the Order that waits for it; NULL: none */
	uint64_t pass;       /* seen last; 0: a probe */
	uint64_t generation; /* published first in; 0: not yet */
	bool woken;
	/* of TLS-ALPN-01; NULL: HTTP-01 */
	char *cert_der, *key_der;
	size_t cert_len, key_len;
};

/* ---- entries ---- */

static char *token_id(const struct challenge *like)
{
	return xasprintf("%.*s %.*s", SV_ARG(like->token), SV_ARG(like->host));
}

static char *lower(struct str_view text)
{
	char *copy = sv_dup(text);

	for (char *at = copy; *at != '\0'; at++)
		*at = ascii_lower(*at);
	return copy;
}

static void token_free(void *value)
{
	struct token *token = value;

	OPENSSL_cleanse(token->answer, strlen(token->answer));
	free(token->host);
	free(token->token);
	free(token->answer);
	free(token->order);
	OPENSSL_cleanse(token->key_der, token->key_len);
	free(token->cert_der);
	free(token->key_der);
	free(token);
}

/* The token as it should be, made or found; another answer counts as another token. */
static struct token *token_put(struct tokens *tokens, const struct challenge *like)
{
	AUTO(auto_free) char *id = token_id(like);
	struct token *token = map_get(&tokens->by_id, sv_from(id));

	if (token != NULL && sv_eq(sv_from(token->answer), like->key_authorization))
		return token;
	if (token != NULL)
		token_free(map_remove(&tokens->by_id, sv_from(id)));
	token = xcalloc(1, sizeof(*token));
	token->host = lower(like->host);
	token->token = sv_dup(like->token);
	token->answer = sv_dup(like->key_authorization);
	(void)map_put(&tokens->by_id, sv_from(id), token);
	tokens->changed = true;
	return token;
}

static void token_drop(struct tokens *tokens, struct str_view id)
{
	struct token *token = map_remove(&tokens->by_id, id);

	if (token == NULL)
		return;
	token_free(token);
	tokens->changed = true;
}

/* ---- Challenges ---- */

static bool is_tls(const json_t *challenge)
{
	return sv_eq(json_sv_at(challenge, "spec.type"), SV("TLS-ALPN-01"));
}

/* The name that the CA asks for an address by (RFC 8738, section 6): nibbles or octets reversed. */
static char *reverse_name(const struct sock_addr *addr)
{
	const unsigned char *bytes = (const unsigned char *)&addr->u.v6.sin6_addr;
	struct buf out;

	buf_init(&out, 128);
	if (addr->u.any.sa_family == AF_INET6) {
		for (int i = 15; i >= 0; i--)
			buf_addf(&out, "%x.%x.", bytes[i] & 15u, bytes[i] >> 4);
		buf_add(&out, SV("ip6.arpa"));
	} else {
		bytes = (const unsigned char *)&addr->u.v4.sin_addr;
		buf_addf(&out, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2], bytes[1], bytes[0]);
	}
	return buf_detach(&out);
}

/* What the TLS listeners show instead of a certificate of the host. false: it cannot be made. */
static bool certify(struct token *token, const struct tls_alpn_question *what)
{
	struct buf cert, key;
	struct err err = {0};
	bool made;

	buf_init(&cert, TLS_DER_MAX);
	buf_init(&key, TLS_DER_MAX);
	made = tls_alpn_cert_make(what, &cert, &key, &err) == 0;
	if (made) {
		token->cert_len = buf_len(&cert);
		token->key_len = buf_len(&key);
		token->cert_der = buf_detach(&cert);
		token->key_der = buf_detach(&key);
	} else {
		log_error("controller", "%s", err.msg);
	}
	buf_deinit(&cert);
	buf_deinit(&key);
	return made;
}

static struct token *take_tls(struct tokens *tokens, const struct challenge *http)
{
	struct tls_alpn_question what = {.identifier = http->host,
					 .key_authorization = http->key_authorization,
					 .now = clock_wall()};
	struct challenge like = *http;
	AUTO(auto_free) char *name = NULL;
	struct sock_addr addr;
	struct token *token;

	what.is_address = sock_addr_ip(&addr, http->host, 0);
	if (what.is_address)
		like.host = sv_from(name = reverse_name(&addr));
	token = token_put(tokens, &like);
	if (token->cert_der == NULL && !certify(token, &what))
		return NULL;
	return token;
}

bool challenge_presented(const json_t *challenge)
{
	static const char *const final[] = {"valid", "invalid", "expired", "errored"};
	const char *state = json_str_at(challenge, "status.state");

	if (!sv_eq(json_sv_at(challenge, "spec.type"), SV("HTTP-01")) && !is_tls(challenge))
		return false;
	for (size_t i = 0; state != NULL && i < ARRAY_LEN(final); i++) {
		if (strcmp(state, final[i]) == 0)
			return json_bool_at(challenge, "status.presented", false);
	}
	return true;
}

static char *owner_order(const struct object *challenge)
{
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(challenge->json, "metadata.ownerReferences"), i, ref)
	{
		const char *name = json_str_at(ref, "name");

		if (name != NULL && sv_eq(json_sv_at(ref, "kind"), SV("Order")))
			return object_key("acme.cert-manager.io", "orders",
					  object_namespace(challenge), name);
	}
	return NULL;
}

static bool take_challenge(void *arg, const struct object *object)
{
	struct tokens *tokens = arg;
	struct challenge like = {.host = json_sv_at(object->json, "spec.dnsName"),
				 .token = json_sv_at(object->json, "spec.token"),
				 .key_authorization = json_sv_at(object->json, "spec.key")};
	struct token *token;

	if (!challenge_presented(object->json) || like.token.len == 0)
		return true;
	token = is_tls(object->json) ? take_tls(tokens, &like) : token_put(tokens, &like);
	if (token == NULL)
		return true;
	token->pass = tokens->pass;
	if (token->order == NULL)
		token->order = owner_order(object);
	return true;
}

void tokens_pass(struct tokens *tokens, const struct store *store)
{
	struct str_view id;
	void *value;

	tokens->pass++;
	store_each(store, SV("acme.cert-manager.io/challenges/"), take_challenge, tokens);
	for (size_t it = 0; map_next(&tokens->by_id, &it, &id, &value);) {
		const struct token *token = value;

		if (token->pass != 0 && token->pass != tokens->pass)
			token_drop(tokens, id);
	}
}

/* ---- probes ---- */

bool tokens_probe_add(struct tokens *tokens, const struct challenge *probe, size_t max)
{
	AUTO(auto_free) char *id = token_id(probe);
	size_t probes = 0;
	void *value;

	for (size_t it = 0; map_next(&tokens->by_id, &it, NULL, &value);)
		probes += ((const struct token *)value)->pass == 0;
	if (probes >= max && map_get(&tokens->by_id, sv_from(id)) == NULL)
		return false;
	(void)token_put(tokens, probe);
	return true;
}

void tokens_probe_remove(struct tokens *tokens, const struct challenge *probe)
{
	AUTO(auto_free) char *id = token_id(probe);
	const struct token *token = map_get(&tokens->by_id, sv_from(id));

	if (token != NULL && token->pass == 0)
		token_drop(tokens, sv_from(id));
}

/* ---- in snapshots ---- */

struct challenge *tokens_snapshot(const struct tokens *tokens, size_t *count)
{
	struct challenge *out = xcalloc(tokens->by_id.count + 1, sizeof(*out));
	void *value;

	*count = 0;
	for (size_t it = 0; map_next(&tokens->by_id, &it, NULL, &value);) {
		const struct token *token = value;

		out[(*count)++] =
			(struct challenge){.host = sv_from(token->host),
					   .token = sv_from(token->token),
					   .key_authorization = sv_from(token->answer),
					   .cert_der = sv_new(token->cert_der, token->cert_len),
					   .key_der = sv_new(token->key_der, token->key_len)};
	}
	return out;
}

void tokens_published(struct tokens *tokens, uint64_t generation)
{
	void *value;

	for (size_t it = 0; map_next(&tokens->by_id, &it, NULL, &value);) {
		struct token *token = value;

		if (token->generation == 0)
			token->generation = generation;
	}
	tokens->changed = false;
}

bool tokens_served(const struct tokens *tokens, struct str_view text, uint64_t acknowledged)
{
	void *value;

	for (size_t it = 0; map_next(&tokens->by_id, &it, NULL, &value);) {
		const struct token *token = value;

		if (sv_eq(sv_from(token->token), text))
			return token->generation != 0 && token->generation <= acknowledged;
	}
	return false;
}

void tokens_woken(struct tokens *tokens, uint64_t acknowledged,
		  void (*wake)(void *arg, struct str_view order_key), void *arg)
{
	void *value;

	for (size_t it = 0; map_next(&tokens->by_id, &it, NULL, &value);) {
		struct token *token = value;

		if (token->woken || token->order == NULL || token->generation == 0 ||
		    token->generation > acknowledged)
			continue;
		token->woken = true;
		wake(arg, sv_from(token->order));
	}
}

void tokens_deinit(struct tokens *tokens)
{
	map_deinit(&tokens->by_id, token_free);
}
