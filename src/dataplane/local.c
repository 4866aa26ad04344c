#include "dataplane/local.h"

#include "dataplane/cors.h"
#include "dataplane/filter.h"
#include "http/method.h"

#define LOCAL_FIELDS_MAX 16
/* Above the arena's ceiling: room for an answer even when the request's head has used up all of it.
 */
#define LOCAL_ARENA 8192

static bool has_content(const struct exchange *ex)
{
	return ex->request.method_id != METHOD_HEAD && !http_status_no_body(ex->response.status);
}

static void begin(struct exchange *ex, uint16_t status, size_t length)
{
	struct http_response *response = &ex->response;

	*response = (struct http_response){.status = status,
					   .minor = 1,
					   .has_length = !http_status_no_body(status),
					   .length = length,
					   .keep_alive = true};
	response->framing = has_content(ex) ? BODY_LENGTH : BODY_NONE;
	fields_init(&response->fields, &ex->arena, LOCAL_FIELDS_MAX);
}

static void finish(struct exchange *ex, struct str_view body)
{
	ex->response_started = true;
	ex->status = (uint16_t)ex->response.status;
	ex->proto->respond(ex);
	if (body.len > 0 && has_content(ex)) {
		ex->bytes_out += body.len;
		(void)ex->proto->body(ex, body);
	}
	ex->response_ended = true;
	ex->proto->finish(ex, NULL);
}

/* What the rule says of its responses holds for those that are made here in its name too: a script
 * may see the error of an origin that allows it, and a redirect may carry the site's own fields. */
static void add_fields_of_rule(struct exchange *ex)
{
	const struct cors *cors = cors_of(ex);
	const struct header_mods *mods;

	if (ex->rule == NULL)
		return;
	mods = &ex->rule->response_headers;
	ex->response.fields.max += mods->set_count + mods->add_count;
	(void)filter_headers(&ex->response.fields, mods);
	if (cors != NULL)
		(void)cors_response(ex, cors);
}

void local_answer(struct exchange *ex, uint16_t status, struct str_view location,
		  struct str_view body)
{
	struct fields *fields = &ex->response.fields;

	begin(ex, status, body.len);
	if (location.len > 0)
		(void)fields_add_id(fields, FIELD_LOCATION, location);
	if (status == 405) /* RFC 9110, section 15.5.6; what a backend thinks of them is its own */
		(void)fields_add(fields, SV("allow"),
				 SV("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
	if (body.len > 0)
		(void)fields_add_id(fields, FIELD_CONTENT_TYPE, SV("text/plain; charset=utf-8"));
	if (status == 421 || status >= 500)
		(void)fields_add_id(fields, FIELD_CACHE_CONTROL, SV("no-store"));
	add_fields_of_rule(ex);
	finish(ex, body);
}

void local_preflight(struct exchange *ex, const struct cors *cors)
{
	begin(ex, 204, 0);
	if (cors_preflight(ex, cors))
		finish(ex, SV(""));
	else
		exchange_fail(ex, 431, "head_too_large");
}

/* What a status says in gRPC's words (statuscodes.md; unresolved backends: Gateway API); 0: a gRPC
 * client must see the status itself. */
static unsigned grpc_status(uint16_t status)
{
	static const struct {
		uint16_t status;
		unsigned code;
	} rows[] = {
		{400, 13}, /* INTERNAL */
		{404, 12}, /* UNIMPLEMENTED */
		{421, 0},  /* asks for another connection */
		{431, 8},  /* RESOURCE_EXHAUSTED */
		{504, 4},  /* DEADLINE_EXCEEDED */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].status == status)
			return rows[i].code;
	}
	return status >= 500 ? 14 : 2; /* UNAVAILABLE, UNKNOWN */
}

/* A response without messages: its head is the trailer section, too ("Trailers-Only"). */
static void local_grpc(struct exchange *ex, uint16_t status, unsigned code)
{
	struct fields *fields = &ex->response.fields;

	begin(ex, 200, 0);
	(void)fields_add_id(fields, FIELD_CONTENT_TYPE, SV("application/grpc"));
	(void)fields_add(fields, SV("grpc-status"), arena_printf(&ex->arena, "%u", code));
	(void)fields_add(fields, SV("grpc-message"), http_reason(status));
	add_fields_of_rule(ex);
	finish(ex, SV(""));
}

void local_error(struct exchange *ex, uint16_t status)
{
	unsigned code = http_is_grpc(&ex->request) ? grpc_status(status) : 0;

	if (ex->arena.spent) { /* what the access log will say of the request stays */
		ex->arena.max = ex->arena.used + LOCAL_ARENA;
		ex->arena.spent = false;
	}
	if (code != 0)
		local_grpc(ex, status, code);
	else
		local_answer(
			ex, status, SV(""),
			arena_printf(&ex->arena, "%u %.*s\n", status, SV_ARG(http_reason(status))));
}
