/* http/facts.c - one pass over the fields */
#include "http/facts.h"

#include "http/chars.h"

static void collect_option(struct facts *facts, struct str_view option)
{
	enum field_id id = field_id_parse(option);

	facts->options++;
	if (sv_eq_nocase(option, SV("close")))
		facts->close = true;
	else if (sv_eq_nocase(option, SV("keep-alive")))
		facts->keep_alive = true;
	else if (id == FIELD_UPGRADE)
		facts->upgrade_option = true;
	if (!field_name_ok(option))
		facts->not_token = true;
	if (field_is_protected(id))
		facts->nominates_protected = true;
}

static void collect_options(struct facts *facts, struct str_view value)
{
	struct str_view rest = value, option;

	while (list_next(&rest, &option))
		collect_option(facts, option);
}

static void collect_te(struct facts *facts, struct str_view value)
{
	struct str_view rest = value, coding;

	while (list_next(&rest, &coding)) {
		if (sv_eq_nocase(coding, SV("trailers")))
			facts->te_trailers = true;
	}
}

static void note(unsigned *count, struct str_view *last, struct str_view value)
{
	(*count)++;
	*last = value;
}

static void collect_field(struct facts *facts, const struct field *field)
{
	switch (field->id) {
	case FIELD_HOST:
		note(&facts->hosts, &facts->host, field->value);
		break;
	case FIELD_CONTENT_LENGTH:
		note(&facts->lengths, &facts->length, field->value);
		break;
	case FIELD_TRANSFER_ENCODING:
		note(&facts->codings, &facts->coding, field->value);
		break;
	case FIELD_EXPECT:
		note(&facts->expects, &facts->expect, field->value);
		break;
	case FIELD_UPGRADE:
		note(&facts->upgrades, &facts->upgrade, field->value);
		break;
	case FIELD_SEC_WEBSOCKET_KEY:
		facts->keys++;
		break;
	case FIELD_CONNECTION:
		collect_options(facts, field->value);
		break;
	case FIELD_TE:
		collect_te(facts, field->value);
		break;
	default:
		break;
	}
}

void facts_collect(const struct fields *fields, struct facts *facts)
{
	*facts = (struct facts){.options = 0};
	for (size_t i = 0; i < fields->count; i++)
		collect_field(facts, &fields->items[i]);
}

bool facts_length(const struct facts *facts, uint64_t *length, struct http_bad *bad)
{
	if (facts->lengths > 1)
		return http_refuse(bad, 400, "more than one Content-Length");
	if (!content_length_parse(facts->length, length))
		return http_refuse(bad, 400, "illegal Content-Length");
	return true;
}

bool facts_expect(const struct facts *facts, struct http_request *request, struct http_bad *bad)
{
	bool content = request->framing == BODY_CHUNKED ||
		       (request->framing == BODY_LENGTH && request->length > 0);

	request->expect_continue = false;
	if (facts->expects == 0 || (request->major == 1 && request->minor == 0))
		return true;
	if (facts->expects > 1 || !sv_eq_nocase(facts->expect, SV("100-continue")))
		return http_refuse(bad, 417, "unknown expectation");
	request->expect_continue = content;
	return true;
}

bool facts_content_allowed(const struct http_request *request, struct http_bad *bad)
{
	bool content = request->framing == BODY_CHUNKED ||
		       (request->framing == BODY_LENGTH && request->length > 0);

	if (content && request->method_id == METHOD_TRACE)
		return http_refuse(bad, 400, "TRACE with content");
	return true;
}

bool facts_strip(struct fields *fields, struct http_bad *bad)
{
	if (!fields_strip_hop_by_hop(fields))
		return http_refuse(bad, 400, "too many connection options");
	fields_remove_id(fields, FIELD_HOST);
	fields_remove_id(fields, FIELD_CONTENT_LENGTH);
	return true;
}
