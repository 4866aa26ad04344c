/* tests/unit/dataplane/test_client_hello.c - dataplane/client_hello.c */
#include "base/buf.h"
#include "base/own.h"
#include "dataplane/client_hello.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a ClientHello in parts; hex in, spaces are not read ---- */

struct hello_text {
	const char *name;
	const char *version, *session, *suites, *compressions; /* as vectors; NULL: usual ones */
	const char *extensions; /* without the length of the block; NULL: no block */
	enum hello_step step;
	const char *sni, *alpn;
};

static void add_hex(struct buf *out, const char *hex)
{
	unsigned byte;

	for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		(void)buf_add(out, sv_new((const char[]){(char)byte}, 1));
	}
}

static void add_number(struct buf *out, size_t number, unsigned size)
{
	while (size-- > 0)
		(void)buf_add(out, sv_new((const char[]){(char)(number >> size * 8)}, 1));
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text == NULL ? otherwise : text;
}

/* The handshake message. */
static void message_of(struct buf *out, const struct hello_text *text)
{
	struct buf body, block;

	buf_init(&body, 1 << 20);
	buf_init(&block, 1 << 20);
	add_hex(&body, text_or(text->version, "0303"));
	for (int i = 0; i < 32; i++)
		add_hex(&body, "5a");
	add_hex(&body, text_or(text->session, "00"));
	add_hex(&body, text_or(text->suites, "0002 1301"));
	add_hex(&body, text_or(text->compressions, "0100"));
	if (text->extensions != NULL) {
		add_hex(&block, text->extensions);
		add_number(&body, buf_len(&block), 2);
		(void)buf_add(&body, buf_view(&block));
	}
	add_hex(out, "01");
	add_number(out, buf_len(&body), 3);
	(void)buf_add(out, buf_view(&body));
	buf_deinit(&block);
	buf_deinit(&body);
}

/* In records of at most that many bytes. */
static void records_of(struct buf *out, struct str_view message, size_t most)
{
	while (message.len > 0) {
		struct str_view part = sv_head(message, most);

		add_hex(out, "16 0301");
		add_number(out, part.len, 2);
		(void)buf_add(out, part);
		message = sv_skip(message, part.len);
	}
}

static enum hello_step read_slowly(struct client_hello *hello, struct str_view stream, size_t step)
{
	enum hello_step result = HELLO_MORE;

	*hello = (struct client_hello){0};
	for (size_t len = 0; result == HELLO_MORE && len < stream.len;) {
		len = len + step < stream.len ? len + step : stream.len;
		result = client_hello_read(hello, sv_head(stream, len));
	}
	return result;
}

static void expect(const struct hello_text *text, struct str_view stream, size_t step)
{
	struct client_hello hello;
	enum hello_step result = read_slowly(&hello, stream, step);

	if (result != text->step)
		fail_msg("%s: %d, not %d", text->name, (int)result, (int)text->step);
	if (result == HELLO_DONE &&
	    (!sv_eq(client_hello_name(&hello), sv_from(text_or(text->sni, ""))) ||
	     !sv_eq(client_hello_alpn(&hello), sv_from(text_or(text->alpn, "")))))
		fail_msg("%s: %.*s, %.*s", text->name, SV_ARG(client_hello_name(&hello)),
			 SV_ARG(client_hello_alpn(&hello)));
}

#define SNI  "0000 0008 0006 00 0003 612e42"              /* a.B */
#define ALPN "0010 000e 000c 02 6832 08 687474702f312e31" /* h2, http/1.1 */

static const struct hello_text texts[] = {
	{"no extensions at all", .step = HELLO_DONE},
	{"an empty block", .extensions = "", .step = HELLO_DONE},
	{"a name", .extensions = SNI, .step = HELLO_DONE, .sni = "a.b"},
	{"both", .extensions = SNI ALPN, .step = HELLO_DONE, .sni = "a.b", .alpn = "h2"},
	{"behind others", .extensions = "ff01 0001 00" ALPN SNI, .step = HELLO_DONE, .sni = "a.b",
	 .alpn = "h2"},
	{"a session", .session = "02 aabb", .extensions = SNI, .step = HELLO_DONE, .sni = "a.b"},
	{"TLS 1.0", .version = "0301", .extensions = SNI, .step = HELLO_DONE, .sni = "a.b"},
	{"SSL 3", .version = "0300", .extensions = SNI, .step = HELLO_BAD},
	{"another protocol", .version = "0403", .step = HELLO_BAD},
	{"a session too long",
	 .session = "21"
		    "00112233445566778899aabbccddeeff"
		    "00112233445566778899aabbccddeeff"
		    "00",
	 .step = HELLO_BAD},
	{"no suite", .suites = "0000", .step = HELLO_BAD},
	{"half a suite", .suites = "0003 130113", .step = HELLO_BAD},
	{"no compression", .compressions = "00", .step = HELLO_BAD},
	{"a suite list past the end", .suites = "ffff 1301", .step = HELLO_BAD},
	{"the name twice", .extensions = SNI SNI, .step = HELLO_BAD},
	{"any extension twice", .extensions = "ff01 0000 ff01 0000", .step = HELLO_BAD},
	{"two names in the list", .extensions = "0000 000e 000c 00 0003 612e42 00 0003 612e43",
	 .step = HELLO_BAD},
	{"a name of another type", .extensions = "0000 0008 0006 01 0003 612e42",
	 .step = HELLO_BAD},
	{"an empty name", .extensions = "0000 0005 0003 00 0000", .step = HELLO_BAD},
	{"an empty list", .extensions = "0000 0002 0000", .step = HELLO_BAD},
	{"no list", .extensions = "0000 0000", .step = HELLO_BAD},
	{"a name with NUL", .extensions = "0000 0008 0006 00 0003 610042", .step = HELLO_BAD},
	{"a name with a space", .extensions = "0000 0008 0006 00 0003 612042", .step = HELLO_BAD},
	{"bytes behind the name", .extensions = "0000 0009 0006 00 0003 612e42 00",
	 .step = HELLO_BAD},
	{"a name past the list", .extensions = "0000 0008 0006 00 0004 612e42", .step = HELLO_BAD},
	{"an empty protocol", .extensions = "0010 0003 0001 00", .step = HELLO_BAD},
	{"no protocol", .extensions = "0010 0002 0000", .step = HELLO_BAD},
	{"a protocol past the list", .extensions = "0010 0005 0003 05 6832", .step = HELLO_BAD},
	{"an extension past the block", .extensions = "ff01 0002 00", .step = HELLO_BAD},
	{"a torn extension", .extensions = "ff01 00", .step = HELLO_BAD},
};

static void test_messages(void **state)
{
	static const size_t sizes[] = {16384, 100, 7, 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf message;

		buf_init(&message, 1 << 20);
		message_of(&message, &texts[i]);
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			struct buf stream;

			buf_init(&stream, 1 << 20);
			records_of(&stream, buf_view(&message), sizes[j]);
			expect(&texts[i], buf_view(&stream), buf_len(&stream));
			expect(&texts[i], buf_view(&stream), 1);
			expect(&texts[i], buf_view(&stream), 11);
			buf_deinit(&stream);
		}
		buf_deinit(&message);
	}
}

static void test_streams(void **state)
{
	static const struct {
		const char *name, *hex;
		enum hello_step step;
	} cases[] = {
		{"HTTP", "474554202f", HELLO_BAD},
		{"the first byte is enough", "47", HELLO_BAD},
		{"an alert", "15 0301 0002 0100", HELLO_BAD},
		{"application data", "17 0303 0001 00", HELLO_BAD},
		{"another version of records", "16 02", HELLO_BAD},
		{"an empty record", "16 0301 0000", HELLO_BAD},
		{"a record too large", "16 0301 4001", HELLO_BAD},
		{"a ServerHello", "16 0301 0004 02 000000", HELLO_BAD},
		{"larger than the limit", "16 0301 0004 01 003ffd", HELLO_BAD},
		{"just not larger", "16 0301 0004 01 003ffc", HELLO_MORE},
		{"another message behind it in the record",
		 "16 0301 0030 01 000029 0303 "
		 "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a 00 0002 1301 "
		 "0100 010000",
		 HELLO_BAD},
		{"half a header", "16 0301", HELLO_MORE},
		{"nothing", "", HELLO_MORE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client_hello hello = {0};
		struct buf stream;
		enum hello_step step;

		buf_init(&stream, 1 << 20);
		add_hex(&stream, cases[i].hex);
		step = client_hello_read(&hello, buf_view(&stream));
		if (step != cases[i].step)
			fail_msg("%s: %d", cases[i].name, (int)step);
		buf_deinit(&stream);
	}
}

/* One byte in each record: the whole is bounded, whatever the message's length says. */
static void test_crumbs(void **state)
{
	struct buf message, stream;
	struct client_hello hello = {0};

	(void)state;
	buf_init(&message, 1 << 20);
	buf_init(&stream, 1 << 20);
	add_hex(&message, "01 003000");
	for (size_t i = 0; i < 8000; i++)
		add_hex(&message, "00");
	records_of(&stream, buf_view(&message), 1);
	assert_int_equal(
		client_hello_read(&hello, sv_head(buf_view(&stream), CLIENT_HELLO_WIRE_MAX - 1)),
		HELLO_MORE);
	assert_int_equal(client_hello_read(&hello, buf_view(&stream)), HELLO_BAD);
	buf_deinit(&stream);
	buf_deinit(&message);
}

/* What OpenSSL sends is understood. */
static void test_openssl(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct hello_text want = {"OpenSSL", .step = HELLO_DONE, .sni = "db.example.com",
				  .alpn = "postgresql"};
	char *bytes;
	long len;

	(void)state;
	SSL_set_bio(ssl, in, out);
	SSL_set_tlsext_host_name(ssl, "db.Example.com");
	SSL_set_alpn_protos(ssl, (const unsigned char *)"\012postgresql\002h2", 14);
	SSL_set_connect_state(ssl);
	assert_int_equal(SSL_do_handshake(ssl), -1);
	len = BIO_get_mem_data(out, &bytes);
	assert_true(len > 0);
	expect(&want, sv_new(bytes, (size_t)len), 1);
	expect(&want, sv_new(bytes, (size_t)len), (size_t)len);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_crumbs),
		cmocka_unit_test(test_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
