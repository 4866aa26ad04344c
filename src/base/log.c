/* base/log.c - the log sink: one escaped line, one write (one of the three files that lock) */
#include "base/log.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 4096 /* PIPE_BUF: a pipe takes such a line whole */
#define LOG_TEXT_MAX 2048 /* of the message before escaping */

static struct {
	_Atomic int level;
	enum log_format format;
	int fd;
	bool journal;         /* fd leads to systemd's journal, which knows time and level itself */
	pthread_mutex_t lock; /* a line that takes two writes stays one line */
} sink = {
	.level = LOG_LEVEL_INFO,
	.format = LOG_FORMAT_TEXT,
	.fd = STDERR_FILENO,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const char *const format_names[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
};

/* The level of syslog(3), as sd-daemon(3) has it at the start of a line. */
static const char *const journal_prefixes[] = {
	[LOG_LEVEL_ERROR] = "<3>",
	[LOG_LEVEL_WARN] = "<4>",
	[LOG_LEVEL_INFO] = "<6>",
	[LOG_LEVEL_DEBUG] = "<7>",
};

/* Whether it is the stream that systemd gave this process: systemd.exec(5), JOURNAL_STREAM. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat info;

	if (stream == NULL || fstat(fd, &info) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
	return strcmp(stream, own) == 0;
}

void log_setup(enum log_level level, enum log_format format, int fd)
{
	atomic_store(&sink.level, (int)level);
	sink.format = format;
	sink.fd = fd;
	sink.journal = is_journal(fd);
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_format_parse(const char *text, enum log_format *format)
{
	for (size_t i = 0; i < ARRAY_LEN(format_names); i++) {
		if (strcmp(text, format_names[i]) == 0) {
			*format = (enum log_format)i;
			return true;
		}
	}
	return false;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

/* ---- one line ---- */
struct line {
	char data[LOG_LINE_MAX];
	size_t len;
};

/* The piece is stored whole or not at all: an escape is never cut. The line's end keeps its room.
 */
static bool line_add(struct line *line, const char *piece, size_t len)
{
	if (len > sizeof(line->data) - 4 - line->len)
		return false;
	memcpy(line->data + line->len, piece, len);
	line->len += len;
	return true;
}

/* Length of the printable character at text; 0: escape this byte (controls, C1, broken UTF-8). */
static size_t char_len(const char *text, size_t len)
{
	uint32_t code;
	size_t size = utf8_first(sv_new(text, len), &code);

	return code < 0x20 || (code >= 0x7F && code < 0xA0) ? 0 : size;
}

/* JSON has no \x: a byte that is no UTF-8 becomes U+00XX, which a reader can tell apart no better.
 */
static bool line_add_escaped(struct line *line, const char *text, size_t len)
{
	bool json = sink.format == LOG_FORMAT_JSON;
	size_t i = 0;

	while (i < len) {
		size_t size = char_len(text + i, len - i);
		char escape[8];
		int count;
		bool fits;

		if (size > 0 && !(json && (text[i] == '"' || text[i] == '\\'))) {
			fits = line_add(line, text + i, size);
			i += size;
		} else {
			if (size > 0 || text[i] == '\n')
				count = snprintf(escape, sizeof(escape), "\\%c",
						 text[i] == '\n' ? 'n' : text[i]);
			else
				count = snprintf(escape, sizeof(escape),
						 json ? "\\u%04x" : "\\x%02x",
						 (unsigned)(unsigned char)text[i]);
			fits = line_add(line, escape, (size_t)count);
			i++;
		}
		if (!fits)
			return false;
	}
	return true;
}

static void line_add_text(struct line *line, const char *text)
{
	line_add(line, text, strlen(text));
}

static void line_add_time(struct line *line)
{
	int64_t now = clock_wall_us();
	char text[CLOCK_TEXT_SIZE], fraction[8];

	clock_rfc3339(now / 1000000, text);
	text[strlen(text) - 1] = '\0'; /* the Z goes behind the fraction */
	snprintf(fraction, sizeof(fraction), ".%03dZ", (int)(now / 1000 % 1000));
	line_add_text(line, text);
	line_add_text(line, fraction);
}

static void line_build(struct line *line, enum log_level level, const char *room,
		       const char *message)
{
	bool json = sink.format == LOG_FORMAT_JSON;

	if (sink.journal)
		line_add_text(line, journal_prefixes[level]);
	line_add_text(line, json ? "{\"time\":\"" : "");
	if (json || !sink.journal)
		line_add_time(line);
	line_add_text(line, json ? "\",\"level\":\"" : sink.journal ? "" : " ");
	line_add_text(line, level_names[level]);
	line_add_text(line, json ? "\",\"room\":\"" : " ");
	line_add_escaped(line, room, strlen(room));
	line_add_text(line, json ? "\",\"message\":\"" : ": ");
	line_add_escaped(line, message, strlen(message));
	memcpy(line->data + line->len, json ? "\"}\n" : "\n", json ? 3 : 1);
	line->len += json ? 3 : 1;
}

/* A full disk or a closed pipe loses lines, never the program. */
static void line_write(const struct line *line)
{
	size_t done = 0;

	pthread_mutex_lock(&sink.lock);
	while (done < line->len) {
		ssize_t count = write(sink.fd, line->data + done, line->len - done);

		if (count < 0 && errno != EINTR)
			break;
		done += count > 0 ? (size_t)count : 0;
	}
	pthread_mutex_unlock(&sink.lock);
}

void log_line(enum log_level level, const char *room, const char *fmt, ...)
{
	int saved = errno;
	char message[LOG_TEXT_MAX];
	struct line line;
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	if (vsnprintf(message, sizeof(message), fmt, args) < 0)
		message[0] = '\0';
	va_end(args);
	line.len = 0;
	line_build(&line, level, room, message);
	line_write(&line);
	errno = saved;
}
