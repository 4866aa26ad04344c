/* Any bytes as Link, Retry-After, Date, Replay-Nonce, Location and as a sentence of the server. */
#include "acme/link.h"
#include "acme/nonce.h"
#include "acme/retry.h"
#include "acme/url.h"
#include "acme/words.h"
#include "base/own.h"
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

static void as_link(struct str_view text)
{
	struct str_view rest = text, target;
	size_t found = 0;

	while (link_next(&rest, SV("next"), &target)) {
		assert(target.data >= text.data &&
		       target.data + target.len <= text.data + text.len);
		assert(++found <= text.len);
	}
}

static void as_url(struct str_view text)
{
	AUTO(auto_free) char *resolved = url_resolve("https://ca.example/dir", text);
	struct url url, again;

	if (resolved != NULL && url_read(sv_from(resolved), &url, NULL) == 0) {
		assert(url.port != 0 && url.host[0] != '\0');
		assert(url_read(sv_from(resolved), &again, NULL) == 0);
		assert(url_same_origin(&url, &again));
	}
}

static void as_nonce(struct str_view text)
{
	AUTO(auto_free) struct nonce_pool *pool = xcalloc(1, sizeof(*pool));
	char nonce[NONCE_LEN_MAX + 1];

	if (nonce_put(pool, text)) {
		assert(nonce_take(pool, nonce));
		assert(sv_eq(sv_from(nonce), text));
	}
}

static void as_words(struct str_view text)
{
	char out[64] = "";

	words_add(out, sizeof(out), text);
	assert(strlen(out) < sizeof(out));
	for (const char *c = out; *c != '\0'; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size), rest = text;
	struct str_view value = sv_split(&rest, '\n');
	int64_t ms = retry_after_ms(value, rest, 784111740);

	assert(ms >= -1 && ms <= RETRY_AFTER_MAX_MS);
	as_link(text);
	as_url(text);
	as_nonce(text);
	as_words(text);
	return 0;
}
