/* base/log.h - one line per event on stderr or in the journal; the only mutable file-scope state of
 * the product
 *
 * Secrets (private keys, tokens, key authorizations) never come here. Text that came from outside
 * is escaped by the sink (control characters, quotes), so a peer cannot forge lines.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Before threads start. When fd is the stream to systemd's journal (JOURNAL_STREAM), lines begin
 * with their level as sd-daemon(3) has it, and text ones have no time. */
void log_setup(enum log_level level, enum log_format format, int fd);
bool log_level_parse(const char *text, enum log_level *level); /* "error" "warn" "info" "debug" */
bool log_format_parse(const char *text, enum log_format *format); /* "text" "json" */

/* room: "acme", "gateway", … the part of the program that speaks. */
void log_line(enum log_level level, const char *room, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool log_enabled(enum log_level level);

#define log_error(room, ...) log_line(LOG_LEVEL_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_line(LOG_LEVEL_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_line(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_debug(room, ...)                                          \
	do {                                                          \
		if (log_enabled(LOG_LEVEL_DEBUG))                     \
			log_line(LOG_LEVEL_DEBUG, room, __VA_ARGS__); \
	} while (0)

#endif
