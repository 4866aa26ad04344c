#include "dns01/rrset.h"

#include "dns01/message.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMESPACE "https://route53.amazonaws.com/doc/2013-04-01/"

/* ---- reading ---- */

/* Cuts *rest behind the first <element>…</element>; its inside, or SV_NONE. */
static struct str_view next_element(struct str_view *rest, const char *element)
{
	char open[64], close[64];
	struct str_view inside = SV_NONE;
	size_t begin, end;

	snprintf(open, sizeof(open), "<%s>", element);
	snprintf(close, sizeof(close), "</%s>", element);
	begin = sv_find_sv(*rest, sv_from(open));
	if (begin == SV_NOT_FOUND)
		return inside;
	*rest = sv_skip(*rest, begin + strlen(open));
	end = sv_find_sv(*rest, sv_from(close));
	if (end == SV_NOT_FOUND)
		return inside;
	inside = sv_head(*rest, end);
	*rest = sv_skip(*rest, end + strlen(close));
	return inside;
}

/* The character that a reference stands for, and its length; 0: none that is known. */
static char reference(struct str_view text, size_t *len)
{
	static const struct {
		struct str_view name;
		char value;
	} names[] = {{SV_INIT("&quot;"), '"'}, {SV_INIT("&apos;"), '\''}, {SV_INIT("&amp;"), '&'},
		     {SV_INIT("&lt;"), '<'},   {SV_INIT("&gt;"), '>'},    {SV_INIT("&#34;"), '"'}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (sv_starts(text, names[i].name)) {
			*len = names[i].name.len;
			return names[i].value;
		}
	}
	return 0;
}

/* false: it does not fit, or has a reference that is not known. */
static bool plain_text(struct str_view text, char *out, size_t size)
{
	size_t len = 0, used = 0;

	while (text.len > 0) {
		char next = text.data[0];

		used = 1;
		if (next == '&')
			next = reference(text, &used);
		if (next == '\0' || len + 1 >= size)
			return false;
		out[len++] = next;
		text = sv_skip(text, used);
	}
	out[len] = '\0';
	return true;
}

void xml_text(struct str_view xml, const char *element, char *out, size_t size)
{
	struct str_view inside = next_element(&xml, element);

	if (inside.data == NULL || !plain_text(inside, out, size))
		out[0] = '\0';
}

/* Names come as "\052.example.com." */
static bool is_name(struct str_view text, const char *name)
{
	char ours[DNS_NAME_TEXT], theirs[DNS_NAME_TEXT];
	char octal[DNS_NAME_TEXT];

	if (!plain_text(text, octal, sizeof(octal)))
		return false;
	/* Only '*' is written in octal where a challenge could have it. */
	if (sv_starts(sv_from(octal), SV("\\052"))) {
		memmove(octal, octal + 3, strlen(octal + 3) + 1);
		octal[0] = '*';
	}
	return dns_name_text(sv_from(name), ours) && dns_name_text(sv_from(octal), theirs) &&
	       strcmp(ours, theirs) == 0;
}

static bool read_set(struct str_view one, struct rrset *set)
{
	struct str_view rest = one, ttl = next_element(&rest, "TTL"), value;
	uint64_t seconds;

	if (!sv_to_u64(ttl, &seconds) || seconds > INT32_MAX ||
	    sv_find_sv(one, SV("<SetIdentifier>")) != SV_NOT_FOUND)
		return false;
	set->ttl = (int64_t)seconds;
	for (rest = one; (value = next_element(&rest, "Value")).data != NULL; set->count++) {
		if (set->count == RRSET_VALUES_MAX ||
		    !plain_text(value, set->values[set->count], RRSET_VALUE_MAX))
			return false;
	}
	return set->count > 0;
}

bool rrset_read(struct str_view xml, const char *name, struct rrset *set)
{
	struct str_view one;

	set->count = 0;
	set->ttl = 0;
	while ((one = next_element(&xml, "ResourceRecordSet")).data != NULL) {
		struct str_view rest = one, type_rest = one;

		if (is_name(next_element(&rest, "Name"), name) &&
		    sv_eq(next_element(&type_rest, "Type"), SV("TXT")))
			return read_set(one, set);
	}
	return true;
}

static bool is_value(const char *quoted, const char *value)
{
	struct str_view text = sv_from(quoted);

	return text.len == strlen(value) + 2 && text.data[0] == '"' && sv_ends(text, SV("\"")) &&
	       strncmp(text.data + 1, value, text.len - 2) == 0;
}

bool rrset_has(const struct rrset *set, const char *value)
{
	for (size_t i = 0; i < set->count; i++) {
		if (is_value(set->values[i], value))
			return true;
	}
	return false;
}

void rrset_with(const struct rrset *before, const char *value, int64_t ttl, struct rrset *after)
{
	*after = *before;
	if (after->count == 0)
		after->ttl = ttl;
	snprintf(after->values[after->count++], RRSET_VALUE_MAX, "\"%s\"", value);
}

void rrset_without(const struct rrset *before, const char *value, struct rrset *after)
{
	after->ttl = before->ttl;
	after->count = 0;
	for (size_t i = 0; i < before->count; i++) {
		if (!is_value(before->values[i], value))
			memcpy(after->values[after->count++], before->values[i], RRSET_VALUE_MAX);
	}
}

/* ---- writing ---- */

static void add_text(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buf_addf(out, "&amp;");
			break;
		case '<':
			buf_addf(out, "&lt;");
			break;
		case '>':
			buf_addf(out, "&gt;");
			break;
		default:
			buf_addc(out, *text);
		}
	}
}

static void add_change(struct buf *out, const char *action, const char *name,
		       const struct rrset *set)
{
	if (set->count == 0)
		return;
	buf_addf(out, "<Change><Action>%s</Action><ResourceRecordSet><Name>", action);
	add_text(out, name);
	buf_addf(out, ".</Name><Type>TXT</Type><TTL>%lld</TTL><ResourceRecords>",
		 (long long)set->ttl);
	for (size_t i = 0; i < set->count; i++) {
		buf_addf(out, "<ResourceRecord><Value>");
		add_text(out, set->values[i]);
		buf_addf(out, "</Value></ResourceRecord>");
	}
	buf_addf(out, "</ResourceRecords></ResourceRecordSet></Change>");
}

bool rrset_change(struct buf *out, const char *name, const struct rrset *before,
		  const struct rrset *after)
{
	buf_addf(out,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
		 "<ChangeResourceRecordSetsRequest xmlns=\"%s\"><ChangeBatch><Changes>",
		 NAMESPACE);
	add_change(out, "DELETE", name, before);
	add_change(out, "CREATE", name, after);
	buf_addf(out, "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>");
	return !out->spent;
}
