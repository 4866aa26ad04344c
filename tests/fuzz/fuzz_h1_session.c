/* Requests of HTTP/1.1 and everything else that can happen, into a live session (see session.h). */
#include "fuzz.h"

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	session_run(&h1_transport, SV(""), sv_new((const char *)data, size));
	return 0;
}
