/* http/h2_head.c - field sections of HTTP/2 */
#include "http/h2_head.h"

#include "http/chars.h"
#include "http/facts.h"

#define FIELD_OVERHEAD 32 /* RFC 9113, section 6.5.2 */

void h2_head_init(struct h2_head *head, enum h2_section section, struct arena *arena,
		  const struct h2_limits *limits)
{
	*head = (struct h2_head){.section = section, .arena = arena, .limits = *limits};
	fields_init(&head->fields, arena, limits->fields);
}

bool h2_name_ok(struct str_view name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!char_is(name.data[i], CHAR_TOKEN) || char_is(name.data[i], CHAR_UPPER))
			return false;
	}
	return name.len > 0;
}

bool h2_value_ok(struct str_view value)
{
	return field_value_ok(value) && sv_trim(value).len == value.len;
}

bool h2_connection_specific(enum field_id id)
{
	return field_is_hop_by_hop(id) && id != FIELD_TE && id != FIELD_HTTP2_SETTINGS;
}

static bool too_big(struct h2_head *head)
{
	return http_refuse(&head->bad, 431, "too many fields");
}

static bool add_pseudo(struct h2_head *head, struct str_view name, struct str_view value)
{
	const struct {
		struct str_view name;
		struct str_view *place;
		enum h2_section section;
	} places[] = {
		{SV(":method"), &head->method, H2_REQUEST},
		{SV(":scheme"), &head->scheme, H2_REQUEST},
		{SV(":authority"), &head->authority, H2_REQUEST},
		{SV(":path"), &head->path, H2_REQUEST},
		{SV(":protocol"), &head->protocol, H2_REQUEST},
		{SV(":status"), &head->status, H2_RESPONSE},
	};

	if (head->regular || head->section == H2_TRAILER)
		return http_refuse(&head->bad, 400, "pseudo-field behind a field");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i].section != head->section || !sv_eq(name, places[i].name))
			continue;
		if (places[i].place->data != NULL)
			return http_refuse(&head->bad, 400, "pseudo-field twice");
		*places[i].place = arena_dup(head->arena, value);
		return places[i].place->data != NULL || too_big(head);
	}
	return http_refuse(&head->bad, 400, "unknown pseudo-field");
}

static bool add_copy(struct h2_head *head, struct str_view name, struct str_view value)
{
	value = arena_dup(head->arena, value);
	if (field_id_parse(name) == FIELD_OTHER)
		name = arena_dup(head->arena, name);
	return (value.data != NULL && name.data != NULL &&
		fields_add(&head->fields, name, value)) ||
	       too_big(head);
}

static bool add_regular(struct h2_head *head, struct str_view name, struct str_view value)
{
	enum field_id id = field_id_parse(name);

	head->regular = true;
	if (!h2_name_ok(name) || !h2_value_ok(value))
		return http_refuse(&head->bad, 400, "illegal field");
	if (h2_connection_specific(id))
		return http_refuse(&head->bad, 400, "connection-specific field");
	if (id == FIELD_TE && head->section == H2_RESPONSE)
		return http_refuse(&head->bad, 400, "TE in a response");
	if (id == FIELD_TE && !sv_eq_nocase(value, SV("trailers")))
		return http_refuse(&head->bad, 400, "TE other than trailers");
	if (head->section == H2_TRAILER && !field_trailer_ok(id))
		return true;
	return add_copy(head, name, value);
}

bool h2_head_add(struct h2_head *head, struct str_view name, struct str_view value)
{
	head->bytes += name.len + value.len + FIELD_OVERHEAD;
	if (head->bad.status != 0)
		return false;
	if (head->bytes > head->limits.bytes)
		return too_big(head);
	if (name.len > 0 && name.data[0] == ':')
		return add_pseudo(head, name, value);
	return add_regular(head, name, value);
}

static bool decide_method(struct h2_head *head, struct http_request *request)
{
	if (head->method.data == NULL || !field_name_ok(head->method))
		return http_refuse(&head->bad, 400, "no method, or an illegal one");
	request->method = head->method;
	request->method_id = http_method_parse(head->method);
	return true;
}

/* CONNECT with :protocol (RFC 8441, section 4) is otherwise like any other request; here it gets
 * the words of HTTP/1.1. Its stream must stay open to become a tunnel. */
static bool decide_protocol(struct h2_head *head, bool end_stream, struct http_request *request)
{
	if (head->protocol.data == NULL)
		return true;
	if (request->method_id != METHOD_CONNECT || end_stream)
		return http_refuse(&head->bad, 400,
				   ":protocol without CONNECT or without a stream");
	if (!sv_eq_nocase(head->protocol, SV("websocket")))
		return http_refuse(&head->bad, 501, "unknown :protocol");
	if (fields_count_id(&head->fields, FIELD_SEC_WEBSOCKET_VERSION) != 1 ||
	    fields_count_id(&head->fields, FIELD_CONTENT_LENGTH) != 0)
		return http_refuse(&head->bad, 400, "no Sec-WebSocket-Version, or a length");
	fields_remove_id(&head->fields, FIELD_SEC_WEBSOCKET_KEY);
	request->method_id = METHOD_GET;
	request->method = SV("GET");
	request->websocket = request->connect = true;
	return true;
}

/* CONNECT has no :scheme and no :path, all else has both (RFC 9113, sections 8.3.1 and 8.5). */
static bool decide_target(struct h2_head *head, struct http_request *request)
{
	static const struct str_view schemes[] = {SV_INIT("http"), SV_INIT("https")};
	struct http_target *target = &request->target;

	if (request->method_id == METHOD_CONNECT) {
		if (head->scheme.data != NULL || head->path.data != NULL)
			return http_refuse(&head->bad, 400, "CONNECT with :scheme or :path");
		return http_target_parse(head->authority, METHOD_CONNECT, head->arena, target,
					 &head->bad);
	}
	if (head->scheme.data == NULL || head->path.data == NULL)
		return http_refuse(&head->bad, 400, "no :scheme or no :path");
	if (!http_path_parse(head->path, request->method_id, head->arena, target, &head->bad))
		return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (sv_eq_nocase(head->scheme, schemes[i]))
			target->scheme = schemes[i];
	}
	return target->scheme.len > 0 || http_refuse(&head->bad, 400, "unknown scheme");
}

/* :authority, or Host; when both are there they agree (RFC 9113, section 8.3.1). */
static bool decide_authority(struct h2_head *head, const struct facts *facts,
			     struct http_request *request)
{
	struct http_authority host;

	if (facts->hosts > 1)
		return http_refuse(&head->bad, 400, "more than one Host");
	if (facts->hosts == 1 && !http_authority_parse(facts->host, head->arena, &host))
		return http_refuse(&head->bad, 400, "illegal Host");
	if (head->authority.data == NULL) {
		if (facts->hosts == 0)
			return http_refuse(&head->bad, 400, "no :authority");
		request->authority = host;
		return true;
	}
	if (!http_authority_parse(head->authority, head->arena, &request->authority))
		return http_refuse(&head->bad, 400, "illegal :authority");
	if (facts->hosts == 1 &&
	    !http_authority_same(&request->authority, &host, request->target.scheme))
		return http_refuse(&head->bad, 400, "Host and :authority disagree");
	return true;
}

static bool decide_body(struct h2_head *head, const struct facts *facts, bool end_stream,
			struct http_request *request)
{
	request->framing = end_stream || request->connect ? BODY_NONE : BODY_CHUNKED;
	if (facts->lengths == 0)
		return true;
	request->framing = BODY_LENGTH;
	if (!facts_length(facts, &request->length, &head->bad))
		return false;
	if (end_stream && request->length > 0)
		return http_refuse(&head->bad, 400, "Content-Length without content");
	return true;
}

/* What holds for one crumb of a cookie holds for the whole: the first one carries it on. */
static void share_secrecy(struct fields *fields)
{
	struct field *first = NULL;

	for (size_t i = 0; i < fields->count; i++) {
		struct field *field = &fields->items[i];

		if (field->id != FIELD_COOKIE)
			continue;
		first = first == NULL ? field : first;
		first->never_indexed = first->never_indexed || field->never_indexed;
	}
}

/* Crumbs of a cookie become one field (RFC 9113, section 8.2.3). */
static bool join_cookies(struct h2_head *head)
{
	struct str_view cookie;

	if (fields_count_id(&head->fields, FIELD_COOKIE) < 2)
		return true;
	share_secrecy(&head->fields);
	cookie = fields_joined_with(&head->fields, SV("cookie"), SV("; "));
	return (cookie.data != NULL && fields_set_id(&head->fields, FIELD_COOKIE, cookie)) ||
	       too_big(head);
}

bool h2_head_request(struct h2_head *head, bool end_stream, struct http_request *request)
{
	struct facts facts;

	*request = (struct http_request){.major = 2, .keep_alive = true};
	if (head->bad.status != 0)
		return false;
	facts_collect(&head->fields, &facts);
	request->te_trailers = facts.te_trailers;
	if (!decide_method(head, request) || !decide_protocol(head, end_stream, request) ||
	    !decide_target(head, request) || !decide_authority(head, &facts, request) ||
	    !decide_body(head, &facts, end_stream, request) ||
	    !facts_content_allowed(request, &head->bad) ||
	    !facts_expect(&facts, request, &head->bad) || !facts_strip(&head->fields, &head->bad) ||
	    !join_cookies(head))
		return false;
	request->fields = head->fields;
	return true;
}

/* ---- responses ---- */

/* Three digits (RFC 9113, section 8.3.2). */
static bool decide_status(struct h2_head *head, struct http_response *response)
{
	struct str_view text = head->status;

	if (text.data == NULL || text.len != 3)
		return http_refuse(&head->bad, 400, "no :status, or an illegal one");
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_digit(text.data[i]))
			return http_refuse(&head->bad, 400, "illegal :status");
		response->status = response->status * 10 + (text.data[i] - '0');
	}
	if (response->status < 100 || response->status > 599 || response->status == 101)
		return http_refuse(&head->bad, 400, "impossible :status");
	return true;
}

static bool decide_content(struct h2_head *head, const struct facts *facts, bool end_stream,
			   struct http_response *response)
{
	bool none = response->framing == BODY_NONE;

	response->has_length = facts->lengths > 0;
	if (response->has_length && !facts_length(facts, &response->length, &head->bad))
		return false;
	if (!none && end_stream && response->has_length && response->length > 0)
		return http_refuse(&head->bad, 400, "Content-Length without content");
	if (none)
		return true;
	/* Over HTTP/1 an end that nobody counts is the end of the connection: it is counted. */
	response->framing = response->has_length || end_stream ? BODY_LENGTH : BODY_CHUNKED;
	return true;
}

bool h2_head_response(struct h2_head *head, bool end_stream, enum http_method method,
		      struct http_response *response)
{
	struct facts facts;

	*response = (struct http_response){.minor = 1, .keep_alive = true};
	if (head->bad.status != 0)
		return false;
	facts_collect(&head->fields, &facts);
	if (!decide_status(head, response))
		return false;
	if (http_is_interim(response->status) && end_stream)
		return http_refuse(&head->bad, 400, "an interim response is not the last");
	response->framing = method == METHOD_HEAD || http_status_no_body(response->status)
				    ? BODY_NONE
				    : BODY_CHUNKED;
	if (!decide_content(head, &facts, end_stream, response) ||
	    !facts_strip(&head->fields, &head->bad))
		return false;
	response->fields = head->fields;
	return true;
}
