/* http/method.c - methods and reason phrases */
#include "http/method.h"

#include "base/own.h"

static const struct {
	struct str_view text;
	bool idempotent;
} methods[METHOD_COUNT] = {
	[METHOD_OTHER] = {.text = SV_INIT("")},
	[METHOD_GET] = {.text = SV_INIT("GET"), .idempotent = true},
	[METHOD_HEAD] = {.text = SV_INIT("HEAD"), .idempotent = true},
	[METHOD_POST] = {.text = SV_INIT("POST")},
	[METHOD_PUT] = {.text = SV_INIT("PUT"), .idempotent = true},
	[METHOD_DELETE] = {.text = SV_INIT("DELETE"), .idempotent = true},
	[METHOD_CONNECT] = {.text = SV_INIT("CONNECT")},
	[METHOD_OPTIONS] = {.text = SV_INIT("OPTIONS"), .idempotent = true},
	[METHOD_TRACE] = {.text = SV_INIT("TRACE"), .idempotent = true},
	[METHOD_PATCH] = {.text = SV_INIT("PATCH")},
};

enum http_method http_method_parse(struct str_view text)
{
	for (int i = METHOD_OTHER + 1; i < METHOD_COUNT; i++) {
		if (sv_eq(text, methods[i].text))
			return (enum http_method)i;
	}
	return METHOD_OTHER;
}

struct str_view http_method_text(enum http_method method)
{
	return methods[method].text;
}

bool http_method_idempotent(enum http_method method)
{
	return methods[method].idempotent;
}

static const struct str_view reasons[] = {
	[100] = SV_INIT("Continue"),
	[101] = SV_INIT("Switching Protocols"),
	[102] = SV_INIT("Processing"),
	[103] = SV_INIT("Early Hints"),
	[200] = SV_INIT("OK"),
	[201] = SV_INIT("Created"),
	[202] = SV_INIT("Accepted"),
	[203] = SV_INIT("Non-Authoritative Information"),
	[204] = SV_INIT("No Content"),
	[205] = SV_INIT("Reset Content"),
	[206] = SV_INIT("Partial Content"),
	[207] = SV_INIT("Multi-Status"),
	[208] = SV_INIT("Already Reported"),
	[226] = SV_INIT("IM Used"),
	[300] = SV_INIT("Multiple Choices"),
	[301] = SV_INIT("Moved Permanently"),
	[302] = SV_INIT("Found"),
	[303] = SV_INIT("See Other"),
	[304] = SV_INIT("Not Modified"),
	[305] = SV_INIT("Use Proxy"),
	[307] = SV_INIT("Temporary Redirect"),
	[308] = SV_INIT("Permanent Redirect"),
	[400] = SV_INIT("Bad Request"),
	[401] = SV_INIT("Unauthorized"),
	[402] = SV_INIT("Payment Required"),
	[403] = SV_INIT("Forbidden"),
	[404] = SV_INIT("Not Found"),
	[405] = SV_INIT("Method Not Allowed"),
	[406] = SV_INIT("Not Acceptable"),
	[407] = SV_INIT("Proxy Authentication Required"),
	[408] = SV_INIT("Request Timeout"),
	[409] = SV_INIT("Conflict"),
	[410] = SV_INIT("Gone"),
	[411] = SV_INIT("Length Required"),
	[412] = SV_INIT("Precondition Failed"),
	[413] = SV_INIT("Content Too Large"),
	[414] = SV_INIT("URI Too Long"),
	[415] = SV_INIT("Unsupported Media Type"),
	[416] = SV_INIT("Range Not Satisfiable"),
	[417] = SV_INIT("Expectation Failed"),
	[421] = SV_INIT("Misdirected Request"),
	[422] = SV_INIT("Unprocessable Content"),
	[423] = SV_INIT("Locked"),
	[424] = SV_INIT("Failed Dependency"),
	[425] = SV_INIT("Too Early"),
	[426] = SV_INIT("Upgrade Required"),
	[428] = SV_INIT("Precondition Required"),
	[429] = SV_INIT("Too Many Requests"),
	[431] = SV_INIT("Request Header Fields Too Large"),
	[451] = SV_INIT("Unavailable For Legal Reasons"),
	[500] = SV_INIT("Internal Server Error"),
	[501] = SV_INIT("Not Implemented"),
	[502] = SV_INIT("Bad Gateway"),
	[503] = SV_INIT("Service Unavailable"),
	[504] = SV_INIT("Gateway Timeout"),
	[505] = SV_INIT("HTTP Version Not Supported"),
	[506] = SV_INIT("Variant Also Negotiates"),
	[507] = SV_INIT("Insufficient Storage"),
	[508] = SV_INIT("Loop Detected"),
	[511] = SV_INIT("Network Authentication Required"),
};

struct str_view http_reason(int status)
{
	if (status < 0 || (size_t)status >= ARRAY_LEN(reasons) || reasons[status].data == NULL)
		return SV("");
	return reasons[status];
}
