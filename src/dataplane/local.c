#include "dataplane/local.h"

#include "http/method.h"

#define LOCAL_FIELDS_MAX 16
/* Above the arena's ceiling: room for an answer even when the request's head has used up all of it.
 */
#define LOCAL_ARENA 8192

void local_answer(struct exchange *ex, uint16_t status, struct str_view location,
		  struct str_view body)
{
	struct http_response *response = &ex->response;
	bool content = ex->request.method_id != METHOD_HEAD && !http_status_no_body(status);

	*response = (struct http_response){.status = status,
					   .minor = 1,
					   .framing = content ? BODY_LENGTH : BODY_NONE,
					   .has_length = !http_status_no_body(status),
					   .length = body.len,
					   .keep_alive = true};
	fields_init(&response->fields, &ex->arena, LOCAL_FIELDS_MAX);
	if (location.len > 0)
		(void)fields_add_id(&response->fields, FIELD_LOCATION, location);
	if (body.len > 0)
		(void)fields_add_id(&response->fields, FIELD_CONTENT_TYPE,
				    SV("text/plain; charset=utf-8"));
	if (status == 421 || status >= 500)
		(void)fields_add_id(&response->fields, FIELD_CACHE_CONTROL, SV("no-store"));
	ex->response_started = true;
	ex->status = status;
	ex->proto->respond(ex);
	if (content && body.len > 0) {
		ex->bytes_out += body.len;
		(void)ex->proto->body(ex, body);
	}
	ex->response_ended = true;
	ex->proto->finish(ex, NULL);
}

void local_error(struct exchange *ex, uint16_t status)
{
	if (ex->arena.spent) { /* what the access log will say of the request stays */
		ex->arena.max = ex->arena.used + LOCAL_ARENA;
		ex->arena.spent = false;
	}
	local_answer(ex, status, SV(""),
		     arena_printf(&ex->arena, "%u %.*s\n", status, SV_ARG(http_reason(status))));
}
