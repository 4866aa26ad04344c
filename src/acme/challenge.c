#include "acme/challenge.h"

bool acme_token_fit(struct str_view token)
{
	if (token.len < ACME_TOKEN_LEN_MIN || token.len > ACME_TOKEN_LEN_MAX)
		return false;
	for (size_t i = 0; i < token.len; i++) {
		char c = token.data[i];

		if (!ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}
