/* http/message.c - the model */
#include "http/message.h"

void http_response_reframe(struct http_response *response, uint8_t client_minor)
{
	if (response->framing == BODY_UNTIL_CLOSE && client_minor > 0)
		response->framing = BODY_CHUNKED;
	else if (response->framing == BODY_CHUNKED && client_minor == 0)
		response->framing = BODY_UNTIL_CLOSE;
}
