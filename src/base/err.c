/* base/err.c - code and sentence of a failure */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that was cut must not end in half a UTF-8 character: it goes into JSON. */
static void drop_partial_char(char *msg, size_t len)
{
	size_t tail = 0; /* continuation bytes at the end */
	unsigned char lead;
	size_t want;

	while (tail < 3 && tail + 1 < len && ((unsigned char)msg[len - 1 - tail] & 0xC0) == 0x80)
		tail++;
	lead = (unsigned char)msg[len - 1 - tail];
	want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
	if (tail < want)
		msg[len - 1 - tail] = '\0';
}

static void store_msg(struct err *err, const char *text, int len)
{
	size_t kept = strnlen(text, ERR_MSG_MAX - 1);

	memcpy(err->msg, text, kept);
	err->msg[kept] = '\0';
	if (len >= ERR_MSG_MAX)
		drop_partial_char(err->msg, kept);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX]; /* not err->msg: the old sentence may be among the arguments */
	va_list args;
	int len;

	if (err == NULL)
		return -1;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	err->code = code;
	store_msg(err, len < 0 ? "" : text, len);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char text[2 * ERR_MSG_MAX];
	va_list args;
	int len;
	size_t at;

	if (err == NULL)
		return -1;
	va_start(args, fmt);
	len = vsnprintf(text, ERR_MSG_MAX, fmt, args);
	va_end(args);
	if (len < 0)
		return -1;
	at = strnlen(text, ERR_MSG_MAX - 1);
	memcpy(text + at, err->msg, strnlen(err->msg, ERR_MSG_MAX - 1) + 1);
	store_msg(err, text, (int)strlen(text));
	return -1;
}
