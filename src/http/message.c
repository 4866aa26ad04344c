/* http/message.c - the model */
#include "http/message.h"

void http_response_reframe(struct http_response *response, uint8_t client_minor)
{
	if (response->framing == BODY_UNTIL_CLOSE && client_minor > 0)
		response->framing = BODY_CHUNKED;
	else if (response->framing == BODY_CHUNKED && client_minor == 0)
		response->framing = BODY_UNTIL_CLOSE;
}

bool http_is_grpc(const struct http_request *request)
{
	struct str_view grpc = SV("application/grpc");
	struct str_view type = fields_value(&request->fields, FIELD_CONTENT_TYPE);
	char next;

	if (request->method_id != METHOD_POST || type.len < grpc.len ||
	    !sv_eq_nocase(sv_head(type, grpc.len), grpc))
		return false;
	next = type.len == grpc.len ? ';' : type.data[grpc.len];
	return next == ';' || next == '+' || next == ' ' || next == '\t';
}
