/* tests/fuzz/fuzz_client_hello.c - the beginning of a TLS stream; in whatever pieces it comes, it
 * says the same, and nothing that was said fits the limits only by chance */
#include "fuzz.h"

#include "dataplane/client_hello.h"

#include <stdlib.h>

static enum hello_step read_in_steps(struct client_hello *hello, struct str_view stream,
				     size_t step)
{
	enum hello_step result = HELLO_MORE;
	size_t len = 0;

	*hello = (struct client_hello){0};
	do {
		len = len + step < stream.len ? len + step : stream.len;
		result = client_hello_read(hello, sv_head(stream, len));
	} while (result == HELLO_MORE && len < stream.len);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view stream = sv_new((const char *)data, size);
	struct client_hello whole = {0}, parts;
	enum hello_step result = client_hello_read(&whole, stream), slow;

	slow = read_in_steps(&parts, stream, 1 + size / 64);
	/* What follows the message in the same bytes is not looked at. */
	if (result != slow)
		abort();
	if (result == HELLO_DONE && (!sv_eq(client_hello_name(&whole), client_hello_name(&parts)) ||
				     !sv_eq(client_hello_alpn(&whole), client_hello_alpn(&parts)) ||
				     whole.needed > CLIENT_HELLO_MAX || whole.at > size))
		abort();
	if (result == HELLO_MORE && size >= CLIENT_HELLO_WIRE_MAX)
		abort();
	return 0;
}
