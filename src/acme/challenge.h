/* acme/challenge.h - what answers a challenge (RFC 8555, section 8; RFC 8737); pure
 *
 * The key authorization itself is pki/jws.h, jws_key_authorization.
 */
#ifndef ACME_CHALLENGE_H
#define ACME_CHALLENGE_H

#include "base/str.h"

#include <stdbool.h>

#define ACME_TOKEN_LEN_MIN 22 /* 128 bits (RFC 8555, section 8.3) */
#define ACME_TOKEN_LEN_MAX 256

/* base64url only, so that it can be a part of a path and no file name leaves its folder. */
bool acme_token_fit(struct str_view token);

#endif
