/* DNS messages and their signatures: what is written, what is read, and what is refused. */
#include "base/enc.h"
#include "base/own.h"
#include "dns01/message.h"
#include "dns01/tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIGNED_AT INT64_C(1700000000)

static void from_hex(const char *hex, struct buf *out)
{
	buf_init(out, DNS_MESSAGE_MAX);
	for (; hex[0] != '\0'; hex += 2)
		buf_addc(out, (char)(hex_digit(hex[0]) << 4 | hex_digit(hex[1])));
}

/* ---- names ---- */

static void test_names(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} cases[] = {
		{"Example.COM.", "example.com"},
		{"_acme-challenge.example.com", "_acme-challenge.example.com"},
		{"*.example.com", "*.example.com"},
		{"", ""},
		{".", ""},
		{"a..b", NULL},
		{".a", NULL},
		{"a..", NULL},
		{"a b", "a\\032b"},
		{"a\\046b.c", "a\\046b.c"},
		{"a\\04", NULL},
		{"a\\256", NULL},
		{"a\\xyz", NULL},
		{"123456789012345678901234567890123456789012345678901234567890123",
		 "123456789012345678901234567890123456789012345678901234567890123"},
		{"1234567890123456789012345678901234567890123456789012345678901234", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[DNS_NAME_TEXT];
		bool fine = dns_name_text(sv_from(cases[i].text), name);

		if (fine != (cases[i].want != NULL) || (fine && strcmp(name, cases[i].want) != 0))
			fail_msg("\"%s\": %s", cases[i].text, fine ? name : "refused");
	}
}

static void test_long_names(void **state)
{
	char text[600] = "", name[DNS_NAME_TEXT];

	(void)state;
	for (size_t i = 0; i < 2 * 127 - 1; i++) /* 127 labels, 255 bytes on the wire */
		text[i] = i % 2 == 0 ? 'a' : '.';
	assert_true(dns_name_text(sv_from(text), name));
	assert_string_equal(name, text);
	memcpy(text + strlen(text), ".a", 3);
	assert_false(dns_name_text(sv_from(text), name));
}

static void test_within(void **state)
{
	(void)state;
	assert_true(dns_name_within("a.example.com", "example.com"));
	assert_true(dns_name_within("example.com", "example.com"));
	assert_true(dns_name_within("example.com", ""));
	assert_false(dns_name_within("aexample.com", "example.com"));
	assert_false(dns_name_within("com", "example.com"));
}

/* ---- messages ---- */

#define HEAD "123481800001000100000000"
#define QUESTION                 \
	"0161076578616d706c6500" \
	"00100001" /* a.example TXT IN */

static void test_messages(void **state)
{
	static const struct {
		const char *name, *hex;
		int records; /* questions too; -1: refused */
	} cases[] = {
		{"a question", "123401000001000000000000" QUESTION, 1},
		{"an answer that points back",
		 HEAD QUESTION "c00c00100001000000050006"
			       "0568656c6c6f",
		 2},
		{"no header", "12340100000100000000", -1},
		{"a question is missing", "123401000001000000000000", -1},
		{"more than the counts say", "123401000001000000000000" QUESTION "00", -1},
		{"a label beyond the end",
		 "123401000001000000000000"
		 "0561",
		 -1},
		{"no end of the name",
		 "123401000001000000000000"
		 "0161",
		 -1},
		{"a label type of the future",
		 "123401000001000000000000"
		 "4161000010"
		 "0001",
		 -1},
		{"a pointer to itself", HEAD QUESTION "c01b00100001000000050000", -1},
		{"a pointer forward", HEAD QUESTION "c01d00100001000000050000", -1},
		{"half a pointer", HEAD QUESTION "c0", -1},
		{"a pointer into the header is a name", HEAD QUESTION "c00400100001000000050000",
		 2},
		{"data beyond the end", HEAD QUESTION "c00c001000010000000500ff00", -1},
		{"no room for the length", HEAD QUESTION "c00c0010000100000005", -1},
		{"counts without records",
		 "1234818000010001ffffffff" QUESTION "c00c001000010000000500060568656c6c6f", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(buf_deinit) struct buf bytes;
		struct dns_message message;
		struct dns_record record;
		int count = 0, more = -1;

		from_hex(cases[i].hex, &bytes);
		if (dns_message_open(&message, buf_view(&bytes)) == 0) {
			while ((more = dns_message_next(&message, &record)) == 1)
				count++;
			assert_int_equal(dns_message_check(&message), more);
		}
		if ((more < 0 ? -1 : count) != cases[i].records)
			fail_msg("%s: %d records, then %d", cases[i].name, count, more);
	}
}

static void test_txt(void **state)
{
	AUTO(buf_deinit) struct buf data;
	char text[700];

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&data, 4096);
	assert_true(dns_write_txt(&data, sv_new(text, sizeof(text))));
	assert_int_equal(buf_len(&data), sizeof(text) + 3);
	assert_true(dns_txt_is(buf_view(&data), sv_new(text, sizeof(text))));
	assert_false(dns_txt_is(buf_view(&data), sv_new(text, sizeof(text) - 1)));
	assert_false(dns_txt_is(sv_head(buf_view(&data), 300), sv_new(text, 300)));
	assert_true(dns_txt_is(SV("\5hello"), SV("hello")));
	assert_true(dns_txt_is(SV("\2he\3llo"), SV("hello")));
	assert_true(dns_txt_is(SV("\0"), SV("")));
	assert_false(dns_txt_is(SV("\6hello"), SV("hello")));
}

/* ---- signatures (RFC 8945): computed by another implementation ---- */

static const char secret[] = "an update key of 32 bytes and so";

static void write_update(struct buf *message)
{
	buf_init(message, DNS_MESSAGE_MAX);
	dns_write_head(message, &(struct dns_head){.id = 0x1234, .opcode = DNS_OPCODE_UPDATE});
	assert_true(dns_write_record(message, DNS_QUESTION,
				     &(struct dns_record_spec){.name = SV("example.com"),
							       .type = DNS_TYPE_SOA,
							       .class = DNS_CLASS_IN}));
	assert_true(dns_write_record(
		message, DNS_AUTHORITY,
		&(struct dns_record_spec){.name = SV("_acme-challenge.example.com"),
					  .type = DNS_TYPE_TXT,
					  .class = DNS_CLASS_IN,
					  .ttl = 60,
					  .data = SV("\5hello")}));
}

static const struct {
	const char *algorithm, *mac, *answer;
} vectors[] = {
	{"hmac-md5.sig-alg.reg.int", "6ea301185a9c7c3af0720a1182808d60",
	 "1234a8000001000000000001076578616d706c6503636f6d0000060001046163"
	 "6d65036b65790000fa00ff00000000003a08686d61632d6d6435077369672d61"
	 "6c670372656703696e740000006553f105012c001005e8a28d70975bb61f8a3f"
	 "ffb414cd35123400000000"},
	{"hmac-sha1", "02531aa46c70028e5c5d752ae181504463518108",
	 "1234a8000001000000000001076578616d706c6503636f6d0000060001046163"
	 "6d65036b65790000fa00ff00000000002f09686d61632d736861310000006553"
	 "f105012c001422701fad49119578e0f57c887c53cca2a20dbf56123400000000"},
	{"hmac-sha256", "99d3eba527d7a51dc9af4773c7d1d04654bdc92cf62b5119d8c99541aea552a7",
	 "1234a8000001000000000001076578616d706c6503636f6d0000060001046163"
	 "6d65036b65790000fa00ff00000000003d0b686d61632d736861323536000000"
	 "6553f105012c0020913df4e1b9fd84e14e9c06b6a2b04d41d7c5304bc650e04e"
	 "ed806d28a03ab039123400000000"},
	{"hmac-sha512",
	 "1816d0283f6c721f66ddad65eb99d1e3dcfcff0df547c4c0deac838f39ed3210"
	 "e026daee9b24a571ba179cfa12e9156907b55f7faca37fcf8ebb6283bda0a606",
	 "1234a8000001000000000001076578616d706c6503636f6d0000060001046163"
	 "6d65036b65790000fa00ff00000000005d0b686d61632d736861353132000000"
	 "6553f105012c00401b3a3756557ef9487088ca00bbcbe279f18c7617c6f17198"
	 "e87d9294315658f6fadbf674ee827a58a67dde21d6c3670c868ddc8b86bc5246"
	 "35a46c218f7e4ee6123400000000"},
};

static struct tsig_key key_of(const char *algorithm)
{
	return (struct tsig_key){.name = "acme.key",
				 .algorithm = tsig_algorithm_by_name(sv_from(algorithm)),
				 .secret = SV(secret)};
}

static void test_signed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct tsig_key key = key_of(vectors[i].algorithm);
		AUTO(buf_deinit) struct buf message, want, answer;
		struct tsig_mac mac;
		struct err err = {0};

		write_update(&message);
		from_hex(vectors[i].mac, &want);
		from_hex(vectors[i].answer, &answer);
		assert_int_equal(tsig_sign(&message, &key, SIGNED_AT, &mac, &err), 0);
		assert_int_equal(mac.len, buf_len(&want));
		assert_memory_equal(mac.bytes, want.data, mac.len);
		if (tsig_verify(buf_view(&answer), &key, &mac, SIGNED_AT, &err) != 0)
			fail_msg("%s: %s", vectors[i].algorithm, err.msg);
	}
}

/* Every bit of an answer counts. */
static void test_forged(void **state)
{
	struct tsig_key key = key_of(vectors[2].algorithm);
	AUTO(buf_deinit) struct buf message, answer;
	struct tsig_mac mac;
	struct err err;

	(void)state;
	write_update(&message);
	from_hex(vectors[2].answer, &answer);
	assert_int_equal(tsig_sign(&message, &key, SIGNED_AT, &mac, &err), 0);
	for (size_t bit = 16; bit < answer.end * 8; bit++) {
		answer.data[bit / 8] ^= (char)(1 << bit % 8);
		/* The case of names is not signed. */
		if (tsig_verify(buf_view(&answer), &key, &mac, SIGNED_AT, &err) == 0 &&
		    bit % 8 != 5)
			fail_msg("bit %zu may be anything", bit);
		answer.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t len = 0; len < answer.end; len++)
		assert_int_equal(
			tsig_verify(sv_head(buf_view(&answer), len), &key, &mac, SIGNED_AT, &err),
			-1);
}

static void test_clocks(void **state)
{
	struct tsig_key key = key_of(vectors[2].algorithm);
	AUTO(buf_deinit) struct buf message, answer;
	struct tsig_mac mac;
	struct err err;

	(void)state;
	write_update(&message);
	from_hex(vectors[2].answer, &answer); /* 5 s later */
	assert_int_equal(tsig_sign(&message, &key, SIGNED_AT, &mac, &err), 0);
	assert_int_equal(
		tsig_verify(buf_view(&answer), &key, &mac, SIGNED_AT + 5 + TSIG_FUDGE, &err), 0);
	assert_int_equal(
		tsig_verify(buf_view(&answer), &key, &mac, SIGNED_AT + 6 + TSIG_FUDGE, &err), -1);
	assert_non_null(strstr(err.msg, "clock"));
	assert_int_equal(
		tsig_verify(buf_view(&answer), &key, &mac, SIGNED_AT + 4 - TSIG_FUDGE, &err), -1);
}

static void test_algorithms(void **state)
{
	(void)state;
	assert_ptr_equal(tsig_algorithm_by_name(SV("")), tsig_algorithm_by_name(SV("HMACMD5")));
	assert_ptr_equal(tsig_algorithm_by_name(SV("hmac-sha512")),
			 tsig_algorithm_by_name(SV("HMACSHA512")));
	assert_null(tsig_algorithm_by_name(SV("HMACSHA3")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),      cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_within),     cmocka_unit_test(test_messages),
		cmocka_unit_test(test_txt),        cmocka_unit_test(test_signed),
		cmocka_unit_test(test_forged),     cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_algorithms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
