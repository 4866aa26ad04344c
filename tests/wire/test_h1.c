/* Bytes of HTTP/1 against a real worker: what is refused, what is forwarded, and as what (RFC
 * 9112). */
#include "wire.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n"

struct row {
	const char *name;
	struct str_view send;
	const char *status; /* start of what comes back */
	const char *seen;   /* start of what the origin got; NULL: nothing at all */
	const char *holds;  /* somewhere in that; NULL: whatever */
	const char *lacks;  /* nowhere in that */
};

static const struct row rows[] = {
	/* what is right */
	{"a plain request", SV_INIT(GET("/a?b=c") "\r\n"), "HTTP/1.1 200 OK\r\n",
	 "GET /a?b=c HTTP/1.1\r\nhost: a.test\r\n", "x-forwarded-for: 127.0.0.1\r\n", NULL},
	{"one empty line before it", SV_INIT("\r\n" GET("/") "\r\n"), "HTTP/1.1 200", "GET / ",
	 NULL, NULL},
	{"absolute-form decides the host",
	 SV_INIT("GET http://b.test/x HTTP/1.1\r\nHost: b.test\r\n\r\n"), "HTTP/1.1 200",
	 "GET /x HTTP/1.1\r\nhost: b.test\r\n", NULL, NULL},
	{"HTTP/1.0 ends the connection", SV_INIT("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 200", "GET / HTTP/1.1\r\n", NULL, NULL},
	{"content with a length",
	 SV_INIT("POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"),
	 "HTTP/1.1 200", "POST /p HTTP/1.1\r\n", "content-length: 5\r\n", "transfer-encoding"},
	{"content in chunks, with an extension",
	 SV_INIT("POST /p HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "3;a=b\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 200", "POST /p HTTP/1.1\r\n", "3\r\nabc\r\n0\r\n\r\n", ";a=b"},
	{"two requests sent together", SV_INIT(GET("/1") "\r\n" GET("/2") "\r\n"), "HTTP/1.1 200",
	 "GET /1 ", "GET /2 ", NULL},
	{"a redirect needs no origin", SV_INIT(GET("/denied/x?q") "\r\n"),
	 "HTTP/1.1 301 Moved Permanently\r\nlocation: https://a.test/denied/x?q\r\n", NULL, NULL,
	 NULL},
	{"a backend without endpoints", SV_INIT(GET("/dead") "\r\n"), "HTTP/1.1 503", NULL, NULL,
	 NULL},
	{"fields are set", SV_INIT(GET("/headers") "X-Set: theirs\r\n\r\n"), "HTTP/1.1 200",
	 "GET /headers ", "x-set: ours\r\n", "theirs"},
	{"and removed", SV_INIT(GET("/headers") "X-Remove: 1\r\n\r\n"), "HTTP/1.1 200",
	 "GET /headers ", NULL, "x-remove"},
	{"dots are resolved before it is matched and sent", SV_INIT(GET("/a/../b/./c") "\r\n"),
	 "HTTP/1.1 200", "GET /b/c HTTP/1.1\r\n", NULL, NULL},
	{"dots cannot lead round a rule", SV_INIT(GET("/x/..//denied/y") "\r\n"), "HTTP/1.1 301",
	 NULL, NULL, NULL},
	{"what the client says of its address is dropped",
	 SV_INIT(GET("/") "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: "
			  "6.6.6.6\r\n\r\n"),
	 "HTTP/1.1 200", "GET / ", "x-forwarded-for: 127.0.0.1\r\n", "6.6.6.6"},
	{"hop-by-hop fields stay here",
	 SV_INIT(GET("/") "Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\r\n"), "HTTP/1.1 200",
	 "GET / ", NULL, "x-hop"},
	{"an upgrade other than websocket is not passed on",
	 SV_INIT(GET("/") "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
			  "AAMAAABkAAQ\r\n\r\n"),
	 "HTTP/1.1 200", "GET / ", NULL, "upgrade"},
	{"a chain of gateways",
	 SV_INIT(GET("/") "Via: 1.1 sallyport, 1.1 other, 1.1 sallyport\r\n\r\n"), "HTTP/1.1 200",
	 "GET / ", "via: 1.1 sallyport, 1.1 other, 1.1 sallyport, 1.1 sallyport\r\n", NULL},
	{"a request that goes round",
	 SV_INIT(GET("/") "Via: 1.1 sallyport, 1.1 sallyport, 2.0 sallyport, 1.1 sallyport\r\n"
			  "Via: 1.1 sallyport, 1.1 sallyport, 1.1 sallyport, 1.1 "
			  "sallyport\r\n\r\n"),
	 "HTTP/1.1 508", NULL, NULL, NULL},
	{"OPTIONS * asks about us", SV_INIT("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 204", NULL, NULL, NULL},
	{"OPTIONS that goes no further, with more zeros than one",
	 SV_INIT("OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 00\r\n\r\n"), "HTTP/1.1 204",
	 NULL, NULL, NULL},
	{"OPTIONS that may go on",
	 SV_INIT("OPTIONS / HTTP/1.1\r\nHost: a.test\r\nMax-Forwards: 10\r\n\r\n"), "HTTP/1.1 200",
	 "OPTIONS / ", "max-forwards: 9\r\n", NULL},
	{"HTTP/1.2 is read as HTTP/1.1", SV_INIT("GET / HTTP/1.2\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 200", "GET / HTTP/1.1\r\n", "via: 1.1 sallyport\r\n", NULL},
	{"https in the clear", SV_INIT("GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 421", NULL, NULL, NULL},
	{"405 says what is allowed", SV_INIT("TRACE / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 405 Method Not Allowed\r\nallow: DELETE, GET, ", NULL, NULL, NULL},
	/* smuggling */
	{"length and chunked",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"two lengths",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nContent-Length: "
		 "5\r\n\r\nabcde"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a list of lengths",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4, 5\r\n\r\nabcde"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a length with a sign",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +4\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"chunked twice",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, "
		 "chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"another coding",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip, "
		 "chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 501", NULL, NULL, NULL},
	{"chunked in HTTP/1.0",
	 SV_INIT("POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a blank before the colon", SV_INIT(GET("/") "X-A : b\r\n\r\n"), "HTTP/1.1 400", NULL,
	 NULL, NULL},
	{"a folded line", SV_INIT(GET("/") "X-A: b\r\n c\r\n\r\n"), "HTTP/1.1 400", NULL, NULL,
	 NULL},
	{"a bare LF", SV_INIT("GET / HTTP/1.1\nHost: a.test\n\n"), "HTTP/1.1 400", NULL, NULL,
	 NULL},
	{"a bare CR", SV_INIT(GET("/") "X-A: b\rc\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"a NUL", SV_INIT(GET("/") "X-A: b\0c\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"a chunk size with 0x",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a chunk that is longer than it says",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"LF for CRLF behind a chunk",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\nabc\n0\n\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"chunked that is not the last coding",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, "
		 "gzip\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"chunked in disguise",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 501", NULL, NULL, NULL},
	{"chunked behind a vertical tab",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "\vchunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"chunked in quotes",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "\"chunked\"\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"Transfer-Encoding on two lines",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"Transfer-Encoding with nothing in it",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\r\nContent-Length: "
		 "4\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a folded Transfer-Encoding",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\r\n "
		 "chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a blank before the colon of Transfer-Encoding",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : "
		 "chunked\r\n\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"Content-Length that Connection nominates",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nConnection: Content-Length\r\nContent-Length: "
		 "4\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"the same length twice",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nContent-Length: "
		 "4\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a length below nothing",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: -1\r\n\r\n"), "HTTP/1.1 400",
	 NULL, NULL, NULL},
	{"a length with nothing in it",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length:\r\n\r\n"), "HTTP/1.1 400",
	 NULL, NULL, NULL},
	{"a length in hexadecimal",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0x4\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a length that overflows",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
		 "18446744073709551620\r\n\r\nabcd"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a chunk size that overflows",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a chunk size with a sign",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a chunk size with a blank before",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"no chunk size",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a bare LF in a chunk extension",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a bare CR behind the last chunk",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabc\r\n0\r\rX\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"framing in the trailers is dropped",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: "
		 "gzip\r\nHost: b.test\r\n\r\n"),
	 "HTTP/1.1 200", "POST / ", "0\r\n", "b.test"},
	{"a trailer that Connection names stays here",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nConnection: X-Hop\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Hop: 2\r\n\r\n"),
	 "HTTP/1.1 200", "POST / ", "x-sum: 1\r\n", "x-hop"},
	{"a folded trailer",
	 SV_INIT("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\nX-T: a\r\n b\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a line of white space before the fields",
	 SV_INIT("GET / HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"a field without a colon", SV_INIT(GET("/") "X-A\r\n\r\n"), "HTTP/1.1 400", NULL, NULL,
	 NULL},
	{"a field without a name", SV_INIT(GET("/") ": a\r\n\r\n"), "HTTP/1.1 400", NULL, NULL,
	 NULL},
	{"a NUL in a name", SV_INIT(GET("/") "X\0A: b\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"a bare CR in the request line", SV_INIT("GET / HTTP/1.1\rX: y\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a tab in the request line", SV_INIT("GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"two blanks in the request line", SV_INIT("GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"a blank behind the version", SV_INIT("GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"two empty lines before it", SV_INIT("\r\n\r\n" GET("/") "\r\n"), "HTTP/1.1 400", NULL,
	 NULL, NULL},
	{"the preface of HTTP/2 behind a request",
	 SV_INIT(GET("/") "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/1.1 200", "GET / ", NULL,
	 "PRI"},
	/* hosts, targets, methods */
	{"a Host with nothing in it", SV_INIT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "HTTP/1.1 400",
	 NULL, NULL, NULL},
	{"a Host with a path", SV_INIT("GET / HTTP/1.1\r\nHost: a.test/b\r\n\r\n"), "HTTP/1.1 400",
	 NULL, NULL, NULL},
	{"absolute-form without Host", SV_INIT("GET http://b.test/ HTTP/1.1\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"absolute-form of another scheme",
	 SV_INIT("GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"), "HTTP/1.1 400", NULL, NULL,
	 NULL},
	{"* in a GET", SV_INIT("GET * HTTP/1.1\r\nHost: a.test\r\n\r\n"), "HTTP/1.1 400", NULL,
	 NULL, NULL},
	{"authority-form in a GET", SV_INIT("GET a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"no Host", SV_INIT("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"two Hosts", SV_INIT(GET("/") "Host: b.test\r\n\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"a Host with user information", SV_INIT("GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"Host and target differ", SV_INIT("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
	 "HTTP/1.1 400", NULL, NULL, NULL},
	{"CONNECT", SV_INIT("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"),
	 "HTTP/1.1 405", NULL, NULL, NULL},
	{"a fragment", SV_INIT(GET("/a#b") "\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"an encoded NUL", SV_INIT(GET("/a%00b") "\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
	{"HTTP/2.0 in words", SV_INIT("GET / HTTP/2.0\r\nHost: a.test\r\n\r\n"), "HTTP/1.1 505",
	 NULL, NULL, NULL},
	{"HTTP/0.9", SV_INIT("GET /\r\n"), "HTTP/1.1 400", NULL, NULL, NULL},
};

static void fail_row(const struct row *row, const char *what, const char *got)
{
	fail_msg("%s: %s; got:\n%.800s", row->name, what, got);
}

static void test_rows(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		AUTO(auto_free) char *seen = NULL;

		print_message("  %s\n", row->name);
		(void)wire_talk(wire, row->send, got);
		seen = wire_seen(wire);
		if (strncmp(got, row->status, strlen(row->status)) != 0)
			fail_row(row, row->status, got);
		if (row->seen == NULL ? seen[0] != '\0'
				      : strncmp(seen, row->seen, strlen(row->seen)) != 0)
			fail_row(row, "the origin saw something else", seen);
		if (row->holds != NULL && strstr(seen, row->holds) == NULL)
			fail_row(row, row->holds, seen);
		if (row->lacks != NULL && strstr(seen, row->lacks) != NULL)
			fail_row(row, row->lacks, seen);
	}
}

struct answer {
	const char *name;
	struct str_view answer;
	int close;
	const char *status; /* start of what comes back */
	const char *ends;   /* its end; NULL: whatever */
};

static const struct answer answers[] = {
	{"a length", SV_INIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0, "HTTP/1.1 200",
	 "ok"},
	{"chunks, written anew",
	 SV_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\n\r\n"), 0,
	 "HTTP/1.1 200", "2\r\nok\r\n0\r\n\r\n"},
	{"small chunks become one",
	 SV_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"),
	 0, "HTTP/1.1 200", "2\r\nok\r\n0\r\n\r\n"},
	{"HTTP/1.9", SV_INIT("HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0, "HTTP/1.1 200",
	 "ok"},
	{"until the end of the connection", SV_INIT("HTTP/1.1 200 OK\r\n\r\nok"), 1, "HTTP/1.1 200",
	 "2\r\nok\r\n0\r\n\r\n"},
	{"early hints come first",
	 SV_INIT("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
		 "2\r\n\r\nok"),
	 0, "HTTP/1.1 103 ", "ok"},
	{"a length that is too long is a cut",
	 SV_INIT("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), 1, "HTTP/1.1 200", "ok"},
	{"chunks without an end are a cut",
	 SV_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"), 1,
	 "HTTP/1.1 200", "2\r\nok\r\n"},
	{"no answer at all", SV_INIT(""), 1, "HTTP/1.1 502", NULL},
	{"length and chunked",
	 SV_INIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
	 1, "HTTP/1.1 502", NULL},
	{"two lengths",
	 SV_INIT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a bare LF that hides a field",
	 SV_INIT("HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"101 that nobody asked for",
	 SV_INIT("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "
		 "websocket\r\n\r\n"),
	 1, "HTTP/1.1 502", NULL},
	{"chunked in HTTP/1.0",
	 SV_INIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 1,
	 "HTTP/1.1 502", NULL},
	{"another coding", SV_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a length with a sign", SV_INIT("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a folded line", SV_INIT("HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
	 1, "HTTP/1.1 502", NULL},
	{"a blank before the colon",
	 SV_INIT("HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 2\r\n\r\nok"), 1, "HTTP/1.1 502",
	 NULL},
	{"a NUL", SV_INIT("HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a bare CR", SV_INIT("HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a status of four digits", SV_INIT("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a status below 100", SV_INIT("HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"HTTP/2.0 in words", SV_INIT("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), 1,
	 "HTTP/1.1 502", NULL},
	{"a chunk size that is none",
	 SV_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"), 1,
	 "HTTP/1.1 ", NULL},
	{"nothing but blanks", SV_INIT("  \r\n\r\n"), 1, "HTTP/1.1 502", NULL},
	{"garbage", SV_INIT("SSH-2.0-OpenSSH_9.2\r\n"), 1, "HTTP/1.1 502", NULL},
};

static void test_answers(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct answer *row = &answers[i];
		size_t len, end = row->ends == NULL ? 0 : strlen(row->ends);
		AUTO(auto_free) char *seen = NULL;

		wire_answer(wire, row->answer, row->close);
		len = wire_talk(wire, SV(GET("/") "\r\n"), got);
		seen = wire_seen(wire);
		if (strncmp(got, row->status, strlen(row->status)) != 0)
			fail_msg("%s: %s; got:\n%.800s", row->name, row->status, got);
		if (end > 0 && (len < end || memcmp(got + len - end, row->ends, end) != 0))
			fail_msg("%s: does not end so; got:\n%.800s", row->name, got);
	}
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
}

/* Trailers go to who asked for them, but for those that the origin's Connection names. */
static void test_answer_trailers(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);

	wire_answer(wire,
		    SV("HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Hop: 2\r\n\r\n"),
		    0);
	(void)wire_talk(wire, SV(GET("/") "Connection: TE\r\nTE: trailers\r\n\r\n"), got);
	assert_non_null(strstr(got, "2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"));
	assert_null(strstr(got, "x-hop"));
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
}

/* What follows an answer on a kept connection is nobody's answer. */
static void test_no_poison(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);
	AUTO(auto_free) char *seen = NULL;

	wire_answer(wire,
		    SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
		       "Content-Length: 6\r\n\r\npoison"),
		    0);
	(void)wire_talk(wire, SV(GET("/1") "\r\n"), got);
	assert_null(strstr(got, "poison"));
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
	(void)wire_talk(wire, SV(GET("/2") "\r\n"), got);
	assert_null(strstr(got, "poison"));
	seen = wire_seen(wire);
	assert_non_null(strstr(seen, "GET /2 "));
}

/* Answers that are failures send an endpoint to rest, though not when there is no other. */
static void test_ejection(void **state)
{
	struct wire *wire = wire_start();
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);

	(void)state;
	wire_answer(wire, SV("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno"), 0);
	for (int i = 0; i < 5; i++)
		(void)wire_talk(wire, SV(GET("/") "\r\n"), got);
	assert_int_equal(wire_metric(wire, "sallyport_upstream_ejections_total"), 1);
	wire_answer(wire, SV("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0);
	(void)wire_talk(wire, SV(GET("/") "\r\n"), got);
	assert_memory_equal(got, "HTTP/1.1 200", 12);
	wire_stop(wire);
}

/* A head that grows without end is refused at its limit, not kept. */
static void test_endless_head(void **state)
{
	struct wire *wire = *state;
	AUTO(auto_free) char *got = xmalloc(WIRE_TEXT_MAX);
	size_t size = 200000, at;
	AUTO(auto_free) char *send = xmalloc(size);

	at = (size_t)snprintf(send, size, GET("/"));
	while (at + 20 < size)
		at += (size_t)snprintf(send + at, size - at, "X-%zu: v\r\n", at);
	(void)wire_talk(wire, sv_new(send, at), got);
	assert_memory_equal(got, "HTTP/1.1 431", 12);
}

static int start(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	*state = wire_start();
	return 0;
}

static int stop(void **state)
{
	wire_stop(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answer_trailers),
		cmocka_unit_test(test_no_poison),
		cmocka_unit_test(test_ejection),
		cmocka_unit_test(test_endless_head),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
