/* resource/names.c - forms of text that several kinds share */
#include "resource/names.h"

#include "base/clock.h"
#include "base/enc.h"

#include <arpa/inet.h>

#define DNS_LABEL_MAX     63
#define DNS_SUBDOMAIN_MAX 253
#define QUALIFIED_MAX     63
#define DATA_KEY_MAX      253
#define KIND_NAME_MAX     63

static bool is_lower_alnum(char c)
{
	return ascii_is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Only characters that is() admits, and those of others. */
static bool consists_of(struct str_view text, bool (*is)(char c), const char *others)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!is(text.data[i]) && !is_one_of(text.data[i], others))
			return false;
	}
	return true;
}

/* Of any length. */
static bool is_label(struct str_view text)
{
	return text.len > 0 && text.data[0] != '-' && text.data[text.len - 1] != '-' &&
	       consists_of(text, is_lower_alnum, "-");
}

bool name_is_dns_label(struct str_view text)
{
	return text.len <= DNS_LABEL_MAX && is_label(text);
}

bool name_is_dns_1035_label(struct str_view text)
{
	return name_is_dns_label(text) && !ascii_is_digit(text.data[0]);
}

/* Labels of a subdomain may be longer than 63 here, as Kubernetes has it for names of objects. */
bool name_is_dns_subdomain(struct str_view text)
{
	struct str_view rest = text;

	if (text.len == 0 || text.len > DNS_SUBDOMAIN_MAX)
		return false;
	while (rest.data != NULL) {
		if (!is_label(sv_split(&rest, '.')))
			return false;
	}
	return true;
}

static bool parses_as(int family, struct str_view text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[sizeof(struct in6_addr)];

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, bytes) == 1;
}

bool name_is_ipv4(struct str_view text)
{
	return parses_as(AF_INET, text);
}

bool name_is_ipv6(struct str_view text)
{
	return parses_as(AF_INET6, text);
}

bool name_is_ip(struct str_view text)
{
	return name_is_ipv4(text) || name_is_ipv6(text);
}

bool name_is_hostname(struct str_view text, bool wildcard)
{
	struct str_view rest = text;

	if (text.len == 0 || text.len > DNS_SUBDOMAIN_MAX || name_is_ipv4(text))
		return false;
	if (wildcard && sv_starts(text, SV("*.")))
		rest = sv_skip(text, 2);
	if (rest.len == 0)
		return false;
	while (rest.data != NULL) {
		if (!name_is_dns_label(sv_split(&rest, '.')))
			return false;
	}
	return true;
}

static bool is_hostname(struct str_view text)
{
	return name_is_hostname(text, true);
}

static bool is_exact_hostname(struct str_view text)
{
	return name_is_hostname(text, false);
}

/* Alphanumerics at both ends, '-', '_' and '.' between. */
static bool is_qualified_part(struct str_view text)
{
	return text.len > 0 && text.len <= QUALIFIED_MAX && ascii_is_alnum(text.data[0]) &&
	       ascii_is_alnum(text.data[text.len - 1]) && consists_of(text, ascii_is_alnum, "-_.");
}

bool name_is_qualified(struct str_view text)
{
	size_t slash = sv_find(text, '/');

	if (slash == SV_NOT_FOUND)
		return is_qualified_part(text);
	return name_is_dns_subdomain(sv_head(text, slash)) &&
	       is_qualified_part(sv_skip(text, slash + 1));
}

/* Keys of annotations may have capitals in their prefix. */
static bool is_annotation_key(struct str_view text)
{
	char lower[DNS_SUBDOMAIN_MAX + 1 + QUALIFIED_MAX];

	if (text.len > sizeof(lower))
		return false;
	for (size_t i = 0; i < text.len; i++)
		lower[i] = ascii_lower(text.data[i]);
	return name_is_qualified(sv_new(lower, text.len));
}

bool name_is_label_value(struct str_view text)
{
	return text.len == 0 || is_qualified_part(text);
}

static bool is_subdomain_or_empty(struct str_view text)
{
	return text.len == 0 || name_is_dns_subdomain(text);
}

static bool is_kind_name(struct str_view text)
{
	return text.len > 0 && text.len <= KIND_NAME_MAX && ascii_is_alnum(text.data[0]) &&
	       !ascii_is_digit(text.data[0]) && text.data[text.len - 1] != '-' &&
	       consists_of(text, ascii_is_alnum, "-");
}

/* pchar of RFC 3986 and '/'; percent-escapes whole. */
bool name_is_path(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '%') {
			if (text.len - i < 3 || hex_digit(text.data[i + 1]) < 0 ||
			    hex_digit(text.data[i + 2]) < 0)
				return false;
			i += 2;
		} else if (!ascii_is_alnum(c) && !is_one_of(c, "-/._~!$&'()*+,;=:@")) {
			return false;
		}
	}
	return true;
}

static bool is_domain_path(struct str_view text)
{
	size_t slash = sv_find(text, '/');

	return slash != SV_NOT_FOUND && slash + 1 < text.len &&
	       name_is_dns_subdomain(sv_head(text, slash)) && name_is_path(sv_skip(text, slash)) &&
	       sv_find(text, '@') == SV_NOT_FOUND;
}

/* token of RFC 9110, section 5.6.2 */
static bool is_field_name(struct str_view text)
{
	return text.len > 0 && consists_of(text, ascii_is_alnum, "!#$%&'*+-.^_`|~");
}

/* Visible characters with single blanks between, as the Gateway API has it. */
static bool is_field_value(struct str_view text)
{
	bool blank = true;

	for (size_t i = 0; i < text.len; i++) {
		bool now = text.data[i] == ' ' || text.data[i] == '\t';

		if ((now && blank) || (!now && (text.data[i] < '!' || text.data[i] > '~')))
			return false;
		blank = now;
	}
	return !blank;
}

static bool is_duration(struct str_view text)
{
	int64_t ms;

	return clock_parse_duration(text, &ms);
}

static bool is_base64(struct str_view text)
{
	struct buf bytes;
	bool good;

	buf_init(&bytes, text.len + 1);
	good = dec_base64(&bytes, text);
	buf_deinit(&bytes);
	return good;
}

static bool is_time(struct str_view text)
{
	int64_t wall;

	return clock_parse_rfc3339(text, &wall);
}

static bool is_data_key(struct str_view text)
{
	return text.len > 0 && text.len <= DATA_KEY_MAX && !sv_eq(text, SV(".")) &&
	       !sv_starts(text, SV("..")) && consists_of(text, ascii_is_alnum, "-_.");
}

/* Only the outer form: a scheme of the web, a host, no blanks and no controls. */
static bool is_url(struct str_view text)
{
	struct str_view rest;

	if (sv_starts(text, SV("https://")))
		rest = sv_skip(text, 8);
	else if (sv_starts(text, SV("http://")))
		rest = sv_skip(text, 7);
	else
		return false;
	if (rest.len == 0 || is_one_of(rest.data[0], "/?#:@"))
		return false;
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.data[i] <= ' ' || rest.data[i] > '~')
			return false;
	}
	return true;
}

#define SUBDOMAIN_MUST                                                          \
	"must be lower-case letters, digits, '-' and '.', each part beginning " \
	"and ending with a letter or digit (RFC 1123), 253 characters at most"
const struct text_format format_subdomain = {name_is_dns_subdomain, SUBDOMAIN_MUST};
const struct text_format format_group = {is_subdomain_or_empty, "must be empty (the core group) or "
								"an API group such as "
								"gateway.networking.k8s.io"};
const struct text_format format_label = {
	name_is_dns_label,
	"must be lower-case letters, digits and '-', beginning and ending with a letter or digit "
	"(RFC 1123), 63 characters at most"};
const struct text_format format_hostname = {
	is_hostname, "must be a host name in lower case, or \"*.\" and a host name; no address, no "
		     "port"};
const struct text_format format_exact_hostname = {
	is_exact_hostname, "must be a host name in lower case; no wildcard, no address, no port"};
const struct text_format format_kind = {
	is_kind_name, "must be the name of a kind: letters, digits and '-', first a letter"};
const struct text_format format_domain_path = {
	is_domain_path, "must be a domain, '/', and a path: example.com/name"};
const struct text_format format_field_name = {
	is_field_name, "must be the name of a header field (a token of RFC 9110)"};
const struct text_format format_field_value = {
	is_field_value, "must be visible ASCII characters with single blanks between them"};
const struct text_format format_duration = {is_duration,
					    "must be a duration such as 2160h, 90m or 10s"};
const struct text_format format_route_duration = {
	clock_duration_is_gep2257,
	"must be a duration such as 10s, 1m30s or 500ms (units h, m, s, ms; no fractions)"};
const struct text_format format_base64 = {is_base64, "must be base64"};
const struct text_format format_time = {is_time, "must be a time such as 2026-01-02T03:04:05Z"};
const struct text_format format_ip = {name_is_ip, "must be an IPv4 or IPv6 address"};
const struct text_format format_qualified = {
	name_is_qualified, "must be a name of letters, digits, '-', '_', '.' (63 at most), with an "
			   "optional prefix: example.com/name"};
const struct text_format format_annotation_key = {
	is_annotation_key, "must be a name of letters, digits, '-', '_', '.' (63 at most), with an "
			   "optional prefix: example.com/name"};
const struct text_format format_label_value = {
	name_is_label_value, "must be empty or letters, digits, '-', '_', '.', beginning and "
			     "ending with a letter or digit, 63 at most"};
const struct text_format format_data_key = {
	is_data_key, "must be letters, digits, '-', '_' and '.', 253 at most, not beginning with "
		     "\"..\""};
const struct text_format format_path = {
	name_is_path, "must hold only characters that a URL path may hold (RFC 3986): no '?', '#', "
		      "blanks or broken %-escapes"};
const struct text_format format_url = {is_url, "must be an http or https URL"};
