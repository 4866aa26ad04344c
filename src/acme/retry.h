/* acme/retry.h - when to try one request again: back-off, jitter, Retry-After; pure
 *
 * "Retry in place" is the same request within one attempt of a certificate; what comes after it has
 * given up (minutes to days) is the caller's.
 */
#ifndef ACME_RETRY_H
#define ACME_RETRY_H

#include "base/str.h"

#include <stdint.h>

#define RETRY_TRIES_MAX 5
#define RETRY_TOTAL_MS  180000
#define RETRY_FIRST_MS  500
#define RETRY_DELAY_MAX_MS \
	30000 /* of the back-off; a longer Retry-After is not waited for in place */
#define RETRY_AFTER_MAX_MS 86400000 /* 24 h */

struct retry {
	unsigned tries;  /* that failed */
	int64_t started; /* monotonic ms of the first failure */
};

/* Notes a failure at now; gives the ms to wait before the next try, or -1: give up. retry_after_ms:
 * what the server asked for, -1 when it did not. random: any 32 bits. */
int64_t retry_next(struct retry *retry, int64_t now, int64_t retry_after_ms, uint32_t random);

/* Retry-After (RFC 9110, section 10.2.3) in ms, at most 24 h; -1: absent, negative, no number or
 * date. A date counts from the Date of the same answer, since clocks differ; without one from wall
 * (seconds). */
int64_t retry_after_ms(struct str_view value, struct str_view date, int64_t wall);

/* A wait of at least ms, with jitter on top: up to a tenth, at least up to a quarter of a second.
 */
int64_t retry_spread(int64_t ms, uint32_t random);

#endif
