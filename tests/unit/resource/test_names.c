/* tests/unit/resource/test_names.c - resource/names.c */
#include "base/own.h"
#include "resource/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static bool hostname(struct str_view text)
{
	return name_is_hostname(text, true);
}

static bool exact_hostname(struct str_view text)
{
	return name_is_hostname(text, false);
}

static void test_names(void **state)
{
	static const struct {
		bool (*is)(struct str_view text);
		const char *text;
		bool want;
	} cases[] = {
		{name_is_dns_label, "a", true},
		{name_is_dns_label, "0-a", true},
		{name_is_dns_label, L63, true},
		{name_is_dns_label, L63 "a", false},
		{name_is_dns_label, "", false},
		{name_is_dns_label, "-a", false},
		{name_is_dns_label, "a-", false},
		{name_is_dns_label, "A", false},
		{name_is_dns_label, "a.b", false},
		{name_is_dns_label, "a/b", false},
		{name_is_dns_label, "a_b", false},
		{name_is_dns_1035_label, "a0", true},
		{name_is_dns_1035_label, "0a", false},
		{name_is_dns_1035_label, "", false},
		{name_is_dns_subdomain, "a", true},
		{name_is_dns_subdomain, "a.b-c.0", true},
		{name_is_dns_subdomain, L63 "aaa.b", true},
		{name_is_dns_subdomain, L63 "." L63 "." L63 "." L63, false},
		{name_is_dns_subdomain, "a..b", false},
		{name_is_dns_subdomain, ".a", false},
		{name_is_dns_subdomain, "a.", false},
		{name_is_dns_subdomain, "a.-b", false},
		{name_is_dns_subdomain, "..", false},
		{name_is_dns_subdomain, "a/../b", false},
		{hostname, "*.example.com", true},
		{hostname, "example.com", true},
		{hostname, "*", false},
		{hostname, "*.", false},
		{hostname, "a.*.com", false},
		{hostname, "example.com.", false},
		{hostname, "example.com:80", false},
		{hostname, "Example.com", false},
		{hostname, "192.0.2.1", false},
		{hostname, "[::1]", false},
		{exact_hostname, "*.example.com", false},
		{exact_hostname, "a", true},
		{name_is_qualified, "app", true},
		{name_is_qualified, "example.com/App_1.x", true},
		{name_is_qualified, "/a", false},
		{name_is_qualified, "a/", false},
		{name_is_qualified, "a/b/c", false},
		{name_is_qualified, "-a", false},
		{name_is_label_value, "", true},
		{name_is_label_value, "v1.2_x", true},
		{name_is_label_value, "a b", false},
		{name_is_label_value, L63 "a", false},
		{name_is_ip, "192.0.2.1", true},
		{name_is_ip, "2001:db8::1", true},
		{name_is_ip, "fe80::1%eth0", false},
		{name_is_ip, "192.0.2", false},
		{name_is_ip, "", false},
		{name_is_path, "/a/b%20c;d", true},
		{name_is_path, "/a b", false},
		{name_is_path, "/a%2", false},
		{name_is_path, "/a?b", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].is(sv_from(cases[i].text)) != cases[i].want)
			fail_msg("case %zu: \"%s\" should be %s", i, cases[i].text,
				 cases[i].want ? "taken" : "refused");
	}
}

static void test_formats(void **state)
{
	static const struct {
		const struct text_format *format;
		const char *text;
		bool want;
	} cases[] = {
		{&format_group, "", true},
		{&format_group, "apps", true},
		{&format_group, "Apps", false},
		{&format_kind, "HTTPRoute", true},
		{&format_kind, "", false},
		{&format_kind, "0Route", false},
		{&format_domain_path, "sallyport.dev/gateway-controller", true},
		{&format_domain_path, "sallyport.dev", false},
		{&format_domain_path, "sallyport.dev/", false},
		{&format_field_name, "X-Shop_1", true},
		{&format_field_name, "", false},
		{&format_field_name, ":path", false},
		{&format_field_name, "a b", false},
		{&format_field_value, "one two", true},
		{&format_field_value, "one  two", false},
		{&format_field_value, " one", false},
		{&format_field_value, "one ", false},
		{&format_field_value, "a\r\nb", false},
		{&format_field_value, "caf\303\251", false},
		{&format_route_duration, "0s", true},
		{&format_route_duration, "1h30m10s500ms", true},
		{&format_route_duration, "1h1h1h1h1h", false},
		{&format_route_duration, "100000s", false},
		{&format_route_duration, "1.5s", false},
		{&format_route_duration, "10", false},
		{&format_route_duration, "", false},
		{&format_route_duration, "-1s", false},
		{&format_duration, "2160h", true},
		{&format_duration, "90 days", false},
		{&format_base64, "YQ==", true},
		{&format_base64, "YQ=", false},
		{&format_data_key, "tls.crt", true},
		{&format_data_key, "..", false},
		{&format_data_key, "a/b", false},
		{&format_annotation_key, "Example.com/Key", true},
		{&format_url, "https://ca.example/dir", true},
		{&format_url, "ftp://ca.example", false},
		{&format_url, "https://", false},
		{&format_url, "https://user@", true},
		{&format_url, "https://a b/", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].format->is(sv_from(cases[i].text)) != cases[i].want)
			fail_msg("case %zu: \"%s\" should be %s", i, cases[i].text,
				 cases[i].want ? "taken" : "refused");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
