/* What Route 53 is told: signatures (the vectors that AWS publishes) and record sets. */
#include "base/own.h"
#include "dns01/rrset.h"
#include "dns01/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW INT64_C(1440938160) /* 20150830T123600Z */

static void test_signatures(void **state)
{
	static const struct {
		const char *method, *query, *signature;
	} cases[] = {
		{"GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "Param1=value1&Param2=value2",
		 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sigv4_request request = {
			.method = cases[i].method,
			.host = SV("example.amazonaws.com"),
			.path = SV("/"),
			.query = sv_from(cases[i].query),
			.region = "us-east-1",
			.service = "service",
			.access_key = "AKIDEXAMPLE",
			.secret_key = SV("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
			.now = NOW};
		AUTO(auto_free)
		char *want = xasprintf("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/"
				       "service/aws4_request, SignedHeaders=host;x-amz-date, "
				       "Signature=%s",
				       cases[i].signature);
		AUTO(buf_deinit) struct buf out;
		struct err err;

		buf_init(&out, 4096);
		assert_int_equal(sigv4_authorization(&request, &out, &err), 0);
		assert_string_equal(buf_cstr(&out), want);
	}
}

#define SET(name, type, rest)                                                     \
	"<ResourceRecordSet><Name>" name "</Name><Type>" type "</Type>" rest "</" \
	"ResourceRecordSet>"
#define VALUE(text) "<ResourceRecord><Value>" text "</Value></ResourceRecord>"

static void test_sets(void **state)
{
	static const struct {
		const char *name, *xml;
		int count; /* -1: refused */
	} cases[] = {
		{"nothing", "", 0},
		{"of another name", SET("b.example.com.", "TXT", "<TTL>60</TTL>" VALUE("x")), 0},
		{"of another type", SET("a.example.com.", "A", "<TTL>60</TTL>" VALUE("x")), 0},
		{"one", SET("a.example.com.", "TXT", "<TTL>60</TTL>" VALUE("&quot;x&quot;")), 1},
		{"case of names", SET("A.Example.COM.", "TXT", "<TTL>60</TTL>" VALUE("\"x\"")), 1},
		{"two",
		 SET("a.example.com.", "TXT", "<TTL>60</TTL>" VALUE("\"x\"") VALUE("\"a&amp;b\"")),
		 2},
		{"an alias has no TTL", SET("a.example.com.", "TXT", "<AliasTarget/>"), -1},
		{"weighted",
		 SET("a.example.com.", "TXT",
		     "<SetIdentifier>b</SetIdentifier><TTL>60</TTL>" VALUE("\"x\"")),
		 -1},
		{"a TTL of words", SET("a.example.com.", "TXT", "<TTL>soon</TTL>" VALUE("x")), -1},
		{"an unknown reference", SET("a.example.com.", "TXT", "<TTL>60</TTL>" VALUE("&x;")),
		 -1},
		{"cut off", "<ResourceRecordSet><Name>a.example.com.</Name><Type>TXT</Type>", 0},
	};
	struct rrset *set = xcalloc(1, sizeof(*set));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool fine = rrset_read(sv_from(cases[i].xml), "a.example.com", set);

		if ((fine ? (int)set->count : -1) != cases[i].count)
			fail_msg("%s: %d, %zu values", cases[i].name, fine, set->count);
	}
	free(set);
}

static void test_change(void **state)
{
	struct rrset *before = xcalloc(1, sizeof(*before)), *after = xcalloc(1, sizeof(*after));
	AUTO(buf_deinit) struct buf out;

	(void)state;
	buf_init(&out, 1u << 16);
	assert_true(
		rrset_read(SV(SET("a.example.com.", "TXT", "<TTL>300</TTL>" VALUE("\"it&lt;s\""))),
			   "a.example.com", before));
	rrset_with(before, "ours", 60, after);
	assert_true(rrset_has(after, "ours") && rrset_has(after, "it<s"));
	assert_int_equal(after->ttl, 300);
	assert_true(rrset_change(&out, "a.example.com", before, after));
	assert_non_null(strstr(buf_cstr(&out), "<Action>DELETE</Action>"));
	assert_non_null(strstr(buf_cstr(&out), "<Value>\"it&lt;s\"</Value>"));
	assert_non_null(strstr(buf_cstr(&out), "<Action>CREATE</Action>"));
	rrset_without(after, "ours", before);
	assert_true(before->count == 1 && !rrset_has(before, "ours"));
	rrset_without(before, "it<s", after);
	buf_reset(&out);
	assert_true(rrset_change(&out, "a.example.com", before, after));
	assert_null(strstr(buf_cstr(&out), "CREATE"));
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_signatures),
					   cmocka_unit_test(test_sets),
					   cmocka_unit_test(test_change)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
