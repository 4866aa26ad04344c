/* dns01/tsig.h - DNS messages under a shared key (TSIG, RFC 8945); pure but for OpenSSL's HMAC */
#ifndef DNS01_TSIG_H
#define DNS01_TSIG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define TSIG_MAC_MAX 64
#define TSIG_FUDGE   300 /* seconds that the clocks may differ */

struct tsig_algorithm;

struct tsig_key {
	const char *name; /* text, lower case, without final dot */
	const struct tsig_algorithm *algorithm;
	struct str_view secret; /* bytes */
};

struct tsig_mac {
	size_t len;
	unsigned char bytes[TSIG_MAC_MAX];
};

/* "HMACSHA256" as cert-manager writes it, "hmac-sha256", without regard to case; empty:
 * hmac-md5, as there. NULL: none that is known. */
const struct tsig_algorithm *tsig_algorithm_by_name(struct str_view name);
const char *tsig_algorithm_names(void); /* for sentences */

/* Appends the TSIG record to a whole message; mac: for the answer. -1: it does not fit. */
int tsig_sign(struct buf *message, const struct tsig_key *key, int64_t now, struct tsig_mac *mac,
	      struct err *err);
/* The answer to a message that was signed with mac: 0, or -1 with a sentence (no TSIG, another key,
 * a wrong MAC, clocks apart, an error of the server's). */
int tsig_verify(struct str_view answer, const struct tsig_key *key, const struct tsig_mac *mac,
		int64_t now, struct err *err);

#endif
