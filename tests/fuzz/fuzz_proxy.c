/* tests/fuzz/fuzz_proxy.c - PROXY protocol headers: bounded, and the same however they are cut */
#include "dataplane/proxyproto.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view input = sv_new((const char *)data, size);
	struct proxy_header header, again;
	enum proxy_result result = proxy_parse(input, &header);

	if (result == PROXY_MORE && size >= PROXY_V2_MAX)
		abort();
	if (result != PROXY_DONE) /* what is decided of a part holds for the whole */
		return 0;
	if (header.len == 0 || header.len > size || header.len > PROXY_V2_MAX)
		abort();
	for (size_t len = 0; len < header.len; len++) {
		if (proxy_parse(sv_head(input, len), &again) != PROXY_MORE)
			abort();
	}
	if (proxy_parse(sv_head(input, header.len), &again) != PROXY_DONE ||
	    again.len != header.len || again.source.len != header.source.len ||
	    memcmp(&again.source.u, &header.source.u, header.source.len) != 0)
		abort();
	return 0;
}
