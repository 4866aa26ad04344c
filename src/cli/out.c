/* cli/out.c - words for people: what may reach a terminal, and how */
#include "cli/out.h"

#include "base/own.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 80
#define WIDTH_MAX 240
#define ESCAPED   6 /* bytes that one byte may become */

static int width_of(FILE *file)
{
	struct winsize size;

	if (ioctl(fileno(file), TIOCGWINSZ, &size) < 0 || size.ws_col < WIDTH_MIN)
		return WIDTH_MIN;
	return size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col;
}

void out_init(struct out *out, FILE *file)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	bool dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;

	out->file = file;
	(void)setvbuf(file, NULL, _IOLBF, 0); /* errors and what went well, in their order */
	out->terminal = isatty(fileno(file)) == 1;
	out->moves = out->terminal && !dumb;
	out->colour = out->moves && (no_color == NULL || no_color[0] == '\0');
	out->width = out->terminal ? width_of(file) : WIDTH_MIN;
}

/* ---- escaping ---- */

struct rune {
	uint32_t code; /* or the byte that is no UTF-8 */
	size_t len;    /* 0: no UTF-8 */
};

static struct rune rune_at(struct str_view text)
{
	struct rune rune;

	rune.len = utf8_first(text, &rune.code);
	return rune;
}

/* Characters that change the order of others or cannot be seen. */
static bool is_deceptive(uint32_t code)
{
	return code == 0x061C || (code >= 0x200B && code <= 0x200F) ||
	       (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
	       code == 0xFEFF;
}

void text_escape(struct buf *to, struct str_view text, enum escape how)
{
	while (text.len > 0) {
		struct rune rune = rune_at(text);
		size_t len = rune.len == 0 ? 1 : rune.len;

		if (how == ESCAPE_LINES && (rune.code == '\n' || rune.code == '\t'))
			buf_addc(to, (char)rune.code);
		else if (rune.len == 0 || rune.code < 0x20 || rune.code == 0x7F)
			buf_addf(to, "\\x%02x", (unsigned)rune.code);
		else if ((rune.code >= 0x80 && rune.code < 0xA0) || is_deceptive(rune.code))
			buf_addf(to, "\\u%04x", (unsigned)rune.code);
		else
			buf_add(to, sv_head(text, len));
		text = sv_skip(text, len);
	}
}

size_t text_width(struct str_view text)
{
	size_t width = 0;

	for (; text.len > 0; width++) {
		struct rune rune = rune_at(text);

		text = sv_skip(text, rune.len == 0 ? 1 : rune.len);
	}
	return width;
}

struct str_view text_head(struct str_view text, size_t width)
{
	struct str_view rest = text;

	for (; rest.len > 0 && width > 0; width--) {
		struct rune rune = rune_at(rest);

		rest = sv_skip(rest, rune.len == 0 ? 1 : rune.len);
	}
	return sv_head(text, text.len - rest.len);
}

struct str_view text_line(struct str_view *rest, size_t width)
{
	struct str_view line = text_head(*rest, width);

	if (line.len < rest->len) {
		size_t space = sv_rfind(line, ' ');

		if (space != SV_NOT_FOUND && space > 0)
			line = sv_head(line, space);
	}
	*rest = sv_trim(sv_skip(*rest, line.len));
	return line;
}

/* ---- writing ---- */

void out_text(struct out *out, struct str_view text)
{
	struct buf clean;

	if (text.len == 0)
		return;
	if (!out->terminal) {
		(void)fwrite(text.data, 1, text.len, out->file);
		return;
	}
	buf_init(&clean, text.len * ESCAPED);
	text_escape(&clean, text, ESCAPE_LINES);
	(void)fwrite(clean.data + clean.start, 1, buf_len(&clean), out->file);
	buf_deinit(&clean);
}

void out_fmt(struct out *out, const char *fmt, ...)
{
	AUTO(auto_free) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	out_text(out, sv_from(text));
}

void out_styled(struct out *out, enum style style, struct str_view text)
{
	static const char *const codes[STYLE_COUNT] = {
		[STYLE_BOLD] = "1",  [STYLE_DIM] = "2",  [STYLE_GOOD] = "32",
		[STYLE_WARN] = "33", [STYLE_BAD] = "31",
	};

	if (!out->colour || style == STYLE_PLAIN) {
		out_text(out, text);
		return;
	}
	(void)fprintf(out->file, "\033[%sm", codes[style]);
	out_text(out, text);
	(void)fputs("\033[0m", out->file);
}

void out_clear_line(struct out *out)
{
	if (out->moves)
		(void)fputs("\r\033[K", out->file);
}
