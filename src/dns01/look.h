/* dns01/look.h - where a record belongs, and whether the world sees it
 *
 *     place_find()         follows CNAMEs, finds the zone (by SOA)
 *     propagation_start()  asks every server of the zone for the record
 * One pass each, bounded in time; the caller repeats.
 */
#ifndef DNS01_LOOK_H
#define DNS01_LOOK_H

#include "base/err.h"
#include "dns01/env.h"
#include "dns01/message.h"

#define LOOK_WORDS_MAX 900

struct place {
	char name[DNS_NAME_TEXT]; /* of the record, at the end of the CNAMEs */
	char zone[DNS_NAME_TEXT]; /* "": no server said which one */
};

struct place_finder;
/* err->code ERR_NONE: place is found. Borrowed; the finder is gone when it runs, in a later turn.
 */
typedef void place_done_fn(void *arg, const struct place *place, const struct err *err);

struct place_config {
	const struct dns01_env *env; /* outlives the finder */
	const char *name;            /* text */
	bool follow;
	place_done_fn *done;
	void *arg;
};

struct place_finder *place_find(const struct place_config *config);
void place_cancel(struct place_finder *finder); /* done is not called; NULL is fine */

struct propagation;

struct propagation_result {
	bool seen;                  /* by every server that answered, and at least one did */
	char words[LOOK_WORDS_MAX]; /* which ones do not show it, or cannot be asked; may be "" */
};
typedef void propagation_done_fn(void *arg, const struct propagation_result *result);

struct propagation_config {
	const struct dns01_env *env;
	const struct place *place;       /* copied; without a zone the recursors are asked */
	struct str_view value;           /* copied */
	const struct sock_addr *servers; /* asked in place of the zone's; copied */
	size_t server_count;             /* at most ASK_SERVERS_MAX */
	propagation_done_fn *done;       /* in a later turn, once */
	void *arg;
};

struct propagation *propagation_start(const struct propagation_config *config);
void propagation_cancel(struct propagation *propagation); /* NULL is fine */

#endif
