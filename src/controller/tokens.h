/* controller/tokens.h - HTTP-01 tokens that listeners answer: of Challenges, and of self-checks
 *
 * Control thread only.
 */
#ifndef CONTROLLER_TOKENS_H
#define CONTROLLER_TOKENS_H

#include "base/map.h"
#include "codec/json.h"
#include "dataplane/snapshot.h"
#include "store/store.h"

struct token; /* one that is to be answered */

struct tokens {
	struct map by_id; /* "token host" -> struct token */
	uint64_t pass;
	bool changed; /* since tokens_published */
};

/* Takes what the Challenges of the store say. */
void tokens_pass(struct tokens *tokens, const struct store *store);
bool tokens_probe_add(struct tokens *tokens, const struct challenge *probe, size_t max);
void tokens_probe_remove(struct tokens *tokens, const struct challenge *probe);
/* As a snapshot takes them; new array, views are borrowed. */
struct challenge *tokens_snapshot(const struct tokens *tokens, size_t *count);
/* All that is there now is in this generation. */
void tokens_published(struct tokens *tokens, uint64_t generation);
bool tokens_served(const struct tokens *tokens, struct str_view token, uint64_t acknowledged);
/* Shows the owning Orders (keys) of tokens that are answered since the last call. */
void tokens_woken(struct tokens *tokens, uint64_t acknowledged,
		  void (*wake)(void *arg, struct str_view order_key), void *arg);
void tokens_deinit(struct tokens *tokens);

/* Pure: is the token of this Challenge to be answered? */
bool challenge_presented(const json_t *challenge);

#endif
