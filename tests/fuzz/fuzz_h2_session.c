/* HTTP/2 frames and everything else that can happen, into a live session (see session.h). */
#include "fuzz.h"

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str_view preface =
		SV_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");

	session_run(&h2_transport, preface, sv_new((const char *)data, size));
	return 0;
}
