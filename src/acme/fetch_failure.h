/* acme/fetch_failure.h - what curl calls it, in the words of fetch.h; pure */
#ifndef ACME_FETCH_FAILURE_H
#define ACME_FETCH_FAILURE_H

#include "acme/fetch.h"

#include <curl/curl.h>

/* words: of CURLOPT_ERRORBUFFER. too_big: the answer was over a limit of ours. */
enum fetch_failure fetch_failure_of(CURLcode code, const char *words, bool too_big);

#endif
