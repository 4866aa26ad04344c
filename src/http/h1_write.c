/* http/h1_write.c - heads as text: measured first, then written in one go */
#include "http/h1_write.h"

#define NUMBER_MAX 20 /* digits of a 64-bit number */

/* Where the text goes. The first pass has no memory and only counts. */
struct pen {
	char *at;
	size_t len;
};

static void put(struct pen *pen, struct str_view text)
{
	if (pen->at != NULL && text.len > 0)
		memcpy(pen->at + pen->len, text.data, text.len);
	pen->len += text.len;
}

static void put_number(struct pen *pen, uint64_t number)
{
	char digits[NUMBER_MAX];
	size_t first = NUMBER_MAX;

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(pen, sv_new(digits + first, NUMBER_MAX - first));
}

static void put_field(struct pen *pen, struct str_view name, struct str_view value)
{
	put(pen, name);
	put(pen, SV(": "));
	put(pen, value);
	put(pen, SV("\r\n"));
}

static void put_length(struct pen *pen, uint64_t length)
{
	put(pen, SV("content-length: "));
	put_number(pen, length);
	put(pen, SV("\r\n"));
}

/* Those that this file says by itself are never copied. */
static bool is_ours(enum field_id id)
{
	return field_is_hop_by_hop(id) || id == FIELD_HOST || id == FIELD_CONTENT_LENGTH;
}

static void put_fields(struct pen *pen, const struct fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (!is_ours(field->id))
			put_field(pen, field->name, field->value);
	}
}

static void put_authority(struct pen *pen, const struct http_authority *authority)
{
	put(pen, SV("host: "));
	put(pen, authority->host);
	if (authority->port != 0) {
		put(pen, SV(":"));
		put_number(pen, authority->port);
	}
	put(pen, SV("\r\n"));
}

static void put_request_line(struct pen *pen, const struct http_request *request)
{
	put(pen, request->method);
	put(pen, SV(" "));
	put(pen, request->target.path);
	if (request->target.has_query) {
		put(pen, SV("?"));
		put(pen, request->target.query);
	}
	put(pen, SV(" HTTP/1.1\r\n"));
}

static void put_request(struct pen *pen, const struct http_request *request)
{
	put_request_line(pen, request);
	put_authority(pen, &request->authority);
	put_fields(pen, &request->fields);
	if (request->framing == BODY_LENGTH)
		put_length(pen, request->length);
	else if (request->framing == BODY_CHUNKED)
		put(pen, SV("transfer-encoding: chunked\r\n"));
	if (request->websocket)
		put(pen, SV("connection: upgrade\r\nupgrade: websocket\r\n"));
	put(pen, SV("\r\n"));
}

bool h1_write_request(struct buf *out, const struct http_request *request)
{
	struct pen pen = {.at = NULL};

	put_request(&pen, request);
	pen.at = buf_room(out, pen.len);
	if (pen.at == NULL)
		return false;
	pen.len = 0;
	put_request(&pen, request);
	buf_wrote(out, pen.len);
	return true;
}

static void put_status_line(struct pen *pen, int status)
{
	put(pen, SV("HTTP/1.1 "));
	put_number(pen, (uint64_t)status);
	put(pen, SV(" "));
	put(pen, http_reason(status));
	put(pen, SV("\r\n"));
}

static void put_framing(struct pen *pen, const struct http_response *response)
{
	bool never = response->status < 200 || response->status == 204;

	if (response->framing == BODY_CHUNKED)
		put(pen, SV("transfer-encoding: chunked\r\n"));
	else if (response->framing == BODY_LENGTH || (response->has_length && !never))
		put_length(pen, response->length);
}

static void put_connection(struct pen *pen, const struct http_response *response,
			   const struct h1_reply *reply)
{
	if (response->status == 101)
		put(pen, SV("connection: upgrade\r\nupgrade: websocket\r\n"));
	else if (http_is_interim(response->status))
		return;
	else if (!reply->keep_alive || response->framing == BODY_UNTIL_CLOSE)
		put(pen, SV("connection: close\r\n"));
	else if (reply->client_minor == 0)
		put(pen, SV("connection: keep-alive\r\n"));
}

static void put_response(struct pen *pen, const struct http_response *response,
			 const struct h1_reply *reply)
{
	put_status_line(pen, response->status);
	put_fields(pen, &response->fields);
	if (reply->date.len > 0 && response->status >= 200 &&
	    fields_find_id(&response->fields, FIELD_DATE) == NULL)
		put_field(pen, SV("date"), reply->date);
	put_framing(pen, response);
	put_connection(pen, response, reply);
	put(pen, SV("\r\n"));
}

bool h1_write_response(struct buf *out, const struct http_response *response,
		       const struct h1_reply *reply)
{
	struct pen pen = {.at = NULL};

	put_response(&pen, response, reply);
	pen.at = buf_room(out, pen.len);
	if (pen.at == NULL)
		return false;
	pen.len = 0;
	put_response(&pen, response, reply);
	buf_wrote(out, pen.len);
	return true;
}

static void put_last_chunk(struct pen *pen, const struct fields *trailers)
{
	put(pen, SV("0\r\n"));
	for (size_t i = 0; i < trailers->count; i++) {
		const struct field *field = &trailers->items[i];

		if (field_trailer_ok(field->id))
			put_field(pen, field->name, field->value);
	}
	put(pen, SV("\r\n"));
}

bool h1_write_last_chunk(struct buf *out, const struct fields *trailers)
{
	struct pen pen = {.at = NULL};

	put_last_chunk(&pen, trailers);
	pen.at = buf_room(out, pen.len);
	if (pen.at == NULL)
		return false;
	pen.len = 0;
	put_last_chunk(&pen, trailers);
	buf_wrote(out, pen.len);
	return true;
}
