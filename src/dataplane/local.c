#include "dataplane/local.h"

#include "http/method.h"

/* Room for the few fields of our own even when the request's head has used up the arena. */
#define LOCAL_FIELDS_MAX 8

void local_answer(struct exchange *ex, uint16_t status, struct str_view location,
		  struct str_view body)
{
	struct http_response *response = &ex->response;
	bool headless = ex->request.method_id == METHOD_HEAD;

	*response = (struct http_response){.status = status,
					   .minor = 1,
					   .framing = BODY_LENGTH,
					   .has_length = true,
					   .length = body.len,
					   .keep_alive = true};
	if (ex->arena.spent)
		arena_reset(&ex->arena); /* nothing of the request is looked at any more */
	fields_init(&response->fields, &ex->arena, LOCAL_FIELDS_MAX);
	if (location.len > 0)
		(void)fields_add_id(&response->fields, FIELD_LOCATION, location);
	if (body.len > 0)
		(void)fields_add_id(&response->fields, FIELD_CONTENT_TYPE,
				    SV("text/plain; charset=utf-8"));
	if (status == 421 || status >= 500)
		(void)fields_add_id(&response->fields, FIELD_CACHE_CONTROL, SV("no-store"));
	if (headless)
		response->framing = BODY_NONE;
	ex->response_started = true;
	ex->status = status;
	ex->proto->respond(ex);
	if (!headless && body.len > 0) {
		ex->bytes_out += body.len;
		(void)ex->proto->body(ex, body);
	}
	ex->response_ended = true;
	ex->proto->finish(ex, NULL);
}

void local_error(struct exchange *ex, uint16_t status)
{
	local_answer(ex, status, SV(""),
		     arena_printf(&ex->arena, "%u %.*s\n", status, SV_ARG(http_reason(status))));
}
