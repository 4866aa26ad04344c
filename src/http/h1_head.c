/* http/h1_head.c - heads of HTTP/1, line by line */
#include "http/h1_head.h"

#include "http/chars.h"
#include "http/facts.h"
#include "http/h1_line.h"

void h1_head_init(struct h1_head *head, const struct h1_limits *limits, struct arena *arena)
{
	*head = (struct h1_head){.limits = *limits, .arena = arena};
}

/* No line yet, but surely no HTTP: a TLS handshake need not wait for a line feed or a time-out. */
static bool is_alien(const struct h1_head *head, struct str_view run)
{
	return !head->first && run.len > head->start && run.data[head->start] != '\r' &&
	       !char_is(run.data[head->start], CHAR_TOKEN);
}

static enum h1_result too_long(struct h1_head *head, struct str_view run)
{
	if (head->first)
		http_refuse(&head->bad, 431, "field line too long");
	else if (is_alien(head, run))
		http_refuse(&head->bad, 400, "illegal method");
	else
		http_refuse(&head->bad, 414, "start line too long");
	return H1_BAD;
}

/* The next complete line without its CRLF. */
static enum h1_result next_line(struct h1_head *head, struct str_view run, struct str_view *line)
{
	struct str_view fresh = sv_skip(run, head->scanned);
	size_t found = sv_find(fresh, '\n');
	size_t end = found == SV_NOT_FOUND ? run.len : head->scanned + found + 1;

	head->scanned = end;
	if (end - head->line > head->limits.line)
		return too_long(head, run);
	if (end - head->start > head->limits.head) {
		http_refuse(&head->bad, 431, "head too large");
		return H1_BAD;
	}
	if (found == SV_NOT_FOUND)
		return H1_MORE;
	if (end - head->line < 2 || run.data[end - 2] != '\r') {
		http_refuse(&head->bad, 400, "line feed without carriage return");
		return H1_BAD;
	}
	*line = sv_new(run.data + head->line, end - 2 - head->line);
	head->line = end;
	return H1_DONE;
}

/* "HTTP/1.0" or "HTTP/1.1" (RFC 9112, section 2.3); a higher minor version is read as the highest
 * that is known (RFC 9110, section 2.5). */
static bool parse_version(struct str_view text, uint8_t *minor)
{
	if (text.len != 8 || !sv_starts(text, SV("HTTP/1.")) || !ascii_is_digit(text.data[7]))
		return false;
	*minor = text.data[7] != '0';
	return true;
}

static bool looks_like_version(struct str_view text)
{
	return text.len == 8 && sv_starts(text, SV("HTTP/")) && ascii_is_digit(text.data[5]) &&
	       text.data[6] == '.' && ascii_is_digit(text.data[7]);
}

static bool set_method(struct http_request *request, struct str_view method, struct arena *arena,
		       struct http_bad *bad)
{
	if (!field_name_ok(method))
		return http_refuse(bad, 400, "illegal method");
	request->method_id = http_method_parse(method);
	request->method = request->method_id == METHOD_OTHER ? arena_dup(arena, method)
							     : http_method_text(request->method_id);
	return request->method.data != NULL || http_refuse(bad, 431, "request too large");
}

/* method SP request-target SP HTTP-version, with exactly these two blanks */
static bool request_line(struct h1_head *head, struct str_view line, struct http_request *request)
{
	size_t first = sv_find(line, ' '), last = sv_rfind(line, ' ');
	struct str_view target, version = sv_skip(line, last + 1);

	if (first == SV_NOT_FOUND || first == last)
		return http_refuse(&head->bad, 400, "illegal request line");
	target = sv_skip(sv_head(line, last), first + 1);
	if (!set_method(request, sv_head(line, first), head->arena, &head->bad))
		return false;
	if (!parse_version(version, &request->minor))
		return looks_like_version(version)
			       ? http_refuse(&head->bad, 505, "HTTP version not supported")
			       : http_refuse(&head->bad, 400, "illegal HTTP version");
	request->major = 1;
	return http_target_parse(target, request->method_id, head->arena, &request->target,
				 &head->bad);
}

static bool decide_host(const struct facts *facts, struct http_request *request,
			struct arena *arena, struct http_bad *bad)
{
	const struct http_target *target = &request->target;

	request->authority = (struct http_authority){.host = SV("")};
	if (facts->hosts > 1)
		return http_refuse(bad, 400, "more than one Host");
	if (facts->hosts == 1 && !http_authority_parse(facts->host, arena, &request->authority))
		return http_refuse(bad, 400, "illegal Host");
	if (facts->hosts == 0 && request->minor > 0)
		return http_refuse(bad, 400, "no Host");
	if (target->authority.host.len == 0)
		return true;
	if (facts->hosts == 1 &&
	    !http_authority_same(&request->authority, &target->authority, target->scheme))
		return http_refuse(bad, 400, "Host and request target disagree");
	request->authority = target->authority;
	return true;
}

/* A Transfer-Encoding that is not exactly "chunked": 501 when it may be meant well. */
static bool refuse_coding(struct str_view coding, struct http_bad *bad)
{
	struct str_view rest = coding, element, last = SV_NONE;
	bool tokens = true;

	while (list_next(&rest, &element)) {
		tokens = tokens && field_name_ok(element) &&
			 !sv_eq_nocase(last, SV("chunked")); /* chunked is last, or not there */
		last = element;
	}
	if (last.data == NULL || !tokens)
		return http_refuse(bad, 400, "illegal Transfer-Encoding");
	return http_refuse(bad, 501, "transfer coding not implemented");
}

static bool decide_coding(const struct facts *facts, uint8_t minor, struct http_bad *bad)
{
	if (minor == 0)
		return http_refuse(bad, 400, "Transfer-Encoding in HTTP/1.0");
	if (facts->lengths > 0)
		return http_refuse(bad, 400, "Content-Length beside Transfer-Encoding");
	if (facts->codings > 1)
		return http_refuse(bad, 400, "more than one Transfer-Encoding");
	return sv_eq_nocase(facts->coding, SV("chunked")) || refuse_coding(facts->coding, bad);
}

static bool decide_request_body(const struct facts *facts, struct http_request *request,
				struct http_bad *bad)
{
	request->framing = BODY_NONE;
	request->length = 0;
	if (facts->codings > 0) {
		request->framing = BODY_CHUNKED;
		return decide_coding(facts, request->minor, bad);
	}
	if (facts->lengths == 0)
		return true;
	request->framing = BODY_LENGTH;
	return facts_length(facts, &request->length, bad);
}

static bool decide_connection(const struct facts *facts, struct http_request *request,
			      struct http_bad *bad)
{
	if (facts->not_token)
		return http_refuse(bad, 400, "illegal connection option");
	if (facts->nominates_protected)
		return http_refuse(bad, 400, "Connection names a field that is for all");
	request->keep_alive = !facts->close && (request->minor > 0 || facts->keep_alive);
	request->te_trailers = facts->te_trailers;
	request->upgrade = facts->upgrade_option && facts->upgrades > 0 && request->minor > 0;
	request->websocket = request->upgrade && request->method_id == METHOD_GET &&
			     request->framing == BODY_NONE && facts->upgrades == 1 &&
			     facts->keys == 1 && sv_eq_nocase(facts->upgrade, SV("websocket"));
	return true;
}

static bool finish_request(struct h1_head *head, struct http_request *request)
{
	struct facts facts;

	facts_collect(&request->fields, &facts);
	return decide_host(&facts, request, head->arena, &head->bad) &&
	       decide_request_body(&facts, request, &head->bad) &&
	       facts_content_allowed(request, &head->bad) &&
	       decide_connection(&facts, request, &head->bad) &&
	       facts_expect(&facts, request, &head->bad) &&
	       facts_strip(&request->fields, &head->bad);
}

/* One empty line before the request is forgiven (RFC 9112, section 2.2). */
static bool skip_empty(struct h1_head *head)
{
	if (head->skipped)
		return http_refuse(&head->bad, 400, "empty lines before the request");
	head->skipped = true;
	head->start = head->line;
	return true;
}

/* Handles one line; sets head->consumed when it was the last one. */
static bool request_next(struct h1_head *head, struct str_view line, struct http_request *request)
{
	if (!head->first && line.len == 0)
		return skip_empty(head);
	if (!head->first) {
		*request = (struct http_request){.framing = BODY_NONE};
		fields_init(&request->fields, head->arena, head->limits.fields);
		head->first = true;
		return request_line(head, line, request);
	}
	if (line.len > 0)
		return h1_line_add(line, &request->fields, &head->bad);
	head->consumed = head->line;
	return finish_request(head, request);
}

enum h1_result h1_head_request(struct h1_head *head, struct str_view run,
			       struct http_request *request)
{
	struct str_view line;
	enum h1_result result;

	if (head->bad.status != 0)
		return H1_BAD;
	while ((result = next_line(head, run, &line)) == H1_DONE) {
		if (!request_next(head, line, request))
			return H1_BAD;
		if (head->consumed > 0)
			return H1_DONE;
	}
	if (result == H1_MORE && is_alien(head, run)) {
		http_refuse(&head->bad, 400, "illegal method");
		return H1_BAD;
	}
	return result;
}

/* HTTP-version SP status-code [SP reason] (RFC 9112, section 4) */
static bool status_line(struct h1_head *head, struct str_view line, struct http_response *response)
{
	struct str_view code = sv_head(sv_skip(line, 9), 3), behind = sv_skip(line, 12);
	uint64_t status;

	if (!parse_version(sv_head(line, 8), &response->minor) || line.len < 12 ||
	    line.data[8] != ' ')
		return http_refuse(&head->bad, 502, "illegal status line");
	if (!sv_to_u64(code, &status) || status < 100 || status > 599)
		return http_refuse(&head->bad, 502, "illegal status code");
	if ((behind.len > 0 && behind.data[0] != ' ') || !field_value_ok(behind))
		return http_refuse(&head->bad, 502, "illegal reason phrase");
	response->status = (int)status;
	return true;
}

static bool decide_response_body(const struct facts *facts, enum http_method asked,
				 struct http_response *response, struct http_bad *bad)
{
	if (facts->codings > 0 && !decide_coding(facts, response->minor, bad))
		return false;
	if (facts->lengths > 0 && !facts_length(facts, &response->length, bad))
		return false;
	response->has_length = facts->lengths > 0;
	if (asked == METHOD_HEAD || http_status_no_body(response->status))
		response->framing = BODY_NONE;
	else if (facts->codings > 0)
		response->framing = BODY_CHUNKED;
	else
		response->framing = response->has_length ? BODY_LENGTH : BODY_UNTIL_CLOSE;
	return true;
}

static void decide_reuse(const struct facts *facts, struct http_response *response)
{
	/* 1xx and 204 have no framing fields: an origin that sends some will send content too */
	bool liar = (response->status < 200 || response->status == 204) &&
		    (facts->codings > 0 || response->length > 0);

	response->keep_alive = !facts->close && !facts->not_token && !liar &&
			       (response->minor > 0 || facts->keep_alive) &&
			       response->framing != BODY_UNTIL_CLOSE && response->status != 101;
	response->websocket = response->status == 101 && facts->upgrade_option && !liar &&
			      facts->upgrades == 1 && sv_eq_nocase(facts->upgrade, SV("websocket"));
}

static bool finish_response(struct h1_head *head, enum http_method asked,
			    struct http_response *response)
{
	struct facts facts;

	facts_collect(&response->fields, &facts);
	if (!decide_response_body(&facts, asked, response, &head->bad))
		return false;
	decide_reuse(&facts, response);
	return facts_strip(&response->fields, &head->bad);
}

static bool response_next(struct h1_head *head, struct str_view line, enum http_method asked,
			  struct http_response *response)
{
	if (!head->first) {
		*response = (struct http_response){.framing = BODY_NONE};
		fields_init(&response->fields, head->arena, head->limits.fields);
		head->first = true;
		return status_line(head, line, response);
	}
	if (line.len > 0)
		return h1_line_add(line, &response->fields, &head->bad);
	head->consumed = head->line;
	return finish_response(head, asked, response);
}

enum h1_result h1_head_response(struct h1_head *head, struct str_view run, enum http_method asked,
				struct http_response *response)
{
	struct str_view line;
	enum h1_result result;

	if (head->bad.status != 0)
		return H1_BAD;
	while ((result = next_line(head, run, &line)) == H1_DONE) {
		if (!response_next(head, line, asked, response)) {
			result = H1_BAD;
			break;
		}
		if (head->consumed > 0)
			return H1_DONE;
	}
	if (result == H1_BAD)
		head->bad.status = 502;
	return result;
}
