/* http/h1_body.c - the chunk machine */
#include "http/h1_body.h"

#include "base/enc.h"
#include "http/chars.h"
#include "http/h1_line.h"

/* States; those from EXT_FIRST to EXT_LAST read extensions and have a row in ext_next. */
enum {
	SIZE_FIRST,    /* first digit of a chunk size */
	SIZE,          /* more digits */
	EXT_BLANK,     /* blanks behind the size: a ';' must follow */
	EXT_NAME,      /* in the name of an extension */
	EXT_NAME_DUE,  /* behind ';' */
	EXT_NAME_END,  /* blanks behind a name: ';' or '=' must follow */
	EXT_VALUE_DUE, /* behind '=' */
	EXT_TOKEN,     /* in a value */
	EXT_QUOTED,    /* in a quoted value */
	EXT_PAIR,      /* behind a backslash in it */
	EXT_CLOSED,    /* behind the closing quote */
	LINE_LF,       /* CR was read: LF ends the chunk line */
	DATA,
	DATA_CR,
	DATA_LF,
	LAST_LF, /* LF of the empty line when there are no trailers */
	TRAILER,
	DONE,
	BAD
};

#define EXT_FIRST EXT_BLANK
#define EXT_LAST  EXT_CLOSED

enum ext_char {
	C_OTHER,
	C_TEXT,
	C_TOKEN,
	C_BLANK,
	C_SEMI,
	C_EQUAL,
	C_QUOTE,
	C_SLASH,
	C_CR,
	C_COUNT
};

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112, section
 * 7.1.1). What is not named here is 0, and stands for BAD. */
static const uint8_t ext_next[EXT_LAST - EXT_FIRST + 1][C_COUNT] = {
#define ROW(state) [(state)-EXT_FIRST]
	ROW(EXT_BLANK) = {[C_BLANK] = EXT_BLANK, [C_SEMI] = EXT_NAME_DUE},
	ROW(EXT_NAME) = {[C_TOKEN] = EXT_NAME,
			 [C_BLANK] = EXT_NAME_END,
			 [C_SEMI] = EXT_NAME_DUE,
			 [C_EQUAL] = EXT_VALUE_DUE,
			 [C_CR] = LINE_LF},
	ROW(EXT_NAME_DUE) = {[C_BLANK] = EXT_NAME_DUE, [C_TOKEN] = EXT_NAME},
	ROW(EXT_NAME_END) =
		{[C_BLANK] = EXT_NAME_END, [C_SEMI] = EXT_NAME_DUE, [C_EQUAL] = EXT_VALUE_DUE},
	ROW(EXT_VALUE_DUE) =
		{[C_BLANK] = EXT_VALUE_DUE, [C_TOKEN] = EXT_TOKEN, [C_QUOTE] = EXT_QUOTED},
	ROW(EXT_TOKEN) = {[C_TOKEN] = EXT_TOKEN,
			  [C_BLANK] = EXT_BLANK,
			  [C_SEMI] = EXT_NAME_DUE,
			  [C_CR] = LINE_LF},
	ROW(EXT_QUOTED) = {[C_TEXT] = EXT_QUOTED,
			   [C_TOKEN] = EXT_QUOTED,
			   [C_BLANK] = EXT_QUOTED,
			   [C_SEMI] = EXT_QUOTED,
			   [C_EQUAL] = EXT_QUOTED,
			   [C_SLASH] = EXT_PAIR,
			   [C_QUOTE] = EXT_CLOSED},
	ROW(EXT_PAIR) = {[C_TEXT] = EXT_QUOTED,
			 [C_TOKEN] = EXT_QUOTED,
			 [C_BLANK] = EXT_QUOTED,
			 [C_SEMI] = EXT_QUOTED,
			 [C_EQUAL] = EXT_QUOTED,
			 [C_SLASH] = EXT_QUOTED,
			 [C_QUOTE] = EXT_QUOTED},
	ROW(EXT_CLOSED) = {[C_BLANK] = EXT_BLANK, [C_SEMI] = EXT_NAME_DUE, [C_CR] = LINE_LF},
#undef ROW
};

static enum ext_char ext_char(char c)
{
	switch (c) {
	case ' ':
	case '\t':
		return C_BLANK;
	case ';':
		return C_SEMI;
	case '=':
		return C_EQUAL;
	case '"':
		return C_QUOTE;
	case '\\':
		return C_SLASH;
	case '\r':
		return C_CR;
	default:
		if (char_is(c, CHAR_TOKEN))
			return C_TOKEN;
		return char_is(c, CHAR_VALUE) ? C_TEXT : C_OTHER;
	}
}

void h1_body_init(struct h1_body *body, enum body_framing framing, uint64_t length,
		  struct arena *arena)
{
	*body = (struct h1_body){
		.framing = framing,
		.state = framing == BODY_CHUNKED ? SIZE_FIRST : DATA,
		.left = framing == BODY_LENGTH ? length : 0,
		.arena = arena,
	};
	if (framing == BODY_NONE || (framing == BODY_LENGTH && length == 0))
		body->state = DONE;
}

static void refuse(struct h1_body *body, int status, const char *reason)
{
	http_refuse(&body->bad, status, reason);
	body->state = BAD;
}

/* One byte of the size. left is the size so far: INT64_MAX is the most that is taken. */
static void size_byte(struct h1_body *body, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (body->left > (uint64_t)INT64_MAX >> 4 || body->line_len > 16)
			refuse(body, 400, "chunk size too large");
		else
			body->left = body->left << 4 | (uint64_t)digit;
		body->state = body->state == BAD ? BAD : SIZE;
	} else if (body->state == SIZE_FIRST) {
		refuse(body, 400, "illegal chunk size");
	} else if (c == '\r') {
		body->state = LINE_LF;
	} else {
		body->state = ext_next[EXT_BLANK - EXT_FIRST][ext_char(c)];
		if (body->state == 0)
			refuse(body, 400, "illegal chunk size");
	}
}

static void ext_byte(struct h1_body *body, char c)
{
	body->state = ext_next[body->state - EXT_FIRST][ext_char(c)];
	if (body->state == 0)
		refuse(body, 400, "illegal chunk extension");
	else if (++body->extra > H1_BODY_CHUNK_EXTRA + body->received / 8)
		refuse(body, 400, "too many chunk extensions");
}

static void line_byte(struct h1_body *body, char c)
{
	if (++body->line_len > H1_BODY_CHUNK_LINE)
		refuse(body, 400, "chunk line too long");
	else if (body->state == SIZE_FIRST || body->state == SIZE)
		size_byte(body, c);
	else if (body->state != LINE_LF)
		ext_byte(body, c);
	else if (c != '\n')
		refuse(body, 400, "carriage return in a chunk line");
	else
		body->state = body->left > 0 ? DATA : TRAILER;
}

/* CR LF behind the data of a chunk; LF of the last line */
static void end_byte(struct h1_body *body, char c)
{
	if (c != (body->state == DATA_CR ? '\r' : '\n')) {
		refuse(body, 400, "illegal end of a chunk");
		return;
	}
	if (body->state == LAST_LF)
		body->state = DONE;
	else
		body->state = body->state == DATA_CR ? DATA_LF : SIZE_FIRST;
	body->line_len = 0;
}

static bool trailer_room(struct h1_body *body, size_t count)
{
	if (body->trailer == NULL) {
		body->trailer = arena_alloc(body->arena, H1_BODY_TRAILER);
		fields_init(&body->trailers, body->arena, H1_BODY_TRAILERS);
	}
	return body->trailer != NULL && count <= H1_BODY_TRAILER - body->trailer_len;
}

/* A complete line stands at the end of the gathered trailer section. */
static void trailer_line(struct h1_body *body)
{
	struct str_view line =
		sv_new(body->trailer + body->trailer_line, body->trailer_len - body->trailer_line);

	if (!sv_ends(line, SV("\r\n"))) {
		refuse(body, 400, "line feed without carriage return");
		return;
	}
	line.len -= 2;
	body->trailer_line = body->trailer_len;
	if (line.len == 0)
		body->state = DONE;
	else if (!h1_line_add_trailer(line, &body->trailers, &body->bad))
		body->state = BAD;
}

/* Gathers up to the next line end; returns how many bytes it took. */
static size_t trailer_bytes(struct h1_body *body, struct str_view in)
{
	size_t found = sv_find(in, '\n');
	size_t count = found == SV_NOT_FOUND ? in.len : found + 1;

	if (body->trailer == NULL && in.data[0] == '\r') { /* the usual case: none */
		body->state = LAST_LF;
		return 1;
	}
	if (!trailer_room(body, count)) {
		refuse(body, 431, "trailer section too large");
		return 0;
	}
	memcpy(body->trailer + body->trailer_len, in.data, count);
	body->trailer_len += count;
	if (found != SV_NOT_FOUND)
		trailer_line(body);
	return count;
}

/* Content at the front of in; the state moves on when it was the last. */
static struct str_view take_content(struct h1_body *body, struct str_view in)
{
	struct str_view content = in;

	if (body->framing != BODY_UNTIL_CLOSE) {
		content = sv_head(in, body->left < in.len ? (size_t)body->left : in.len);
		body->left -= content.len;
		if (body->left == 0)
			body->state = body->framing == BODY_CHUNKED ? DATA_CR : DONE;
	}
	body->received += content.len;
	return content;
}

static enum h1_result outcome(const struct h1_body *body)
{
	if (body->state == BAD)
		return H1_BAD;
	return body->state == DONE ? H1_DONE : H1_MORE;
}

enum h1_result h1_body_step(struct h1_body *body, struct str_view in, size_t *used,
			    struct str_view *content)
{
	size_t at = 0;

	*content = SV("");
	while (at < in.len && content->len == 0 && body->state < DONE) {
		if (body->state == DATA) {
			*content = take_content(body, sv_skip(in, at));
			at += content->len;
		} else if (body->state == TRAILER) {
			at += trailer_bytes(body, sv_skip(in, at));
		} else if (body->state < DATA) {
			line_byte(body, in.data[at++]);
		} else {
			end_byte(body, in.data[at++]);
		}
	}
	*used = at;
	return outcome(body);
}

bool h1_body_done(const struct h1_body *body)
{
	return body->state == DONE;
}

bool h1_body_eof(struct h1_body *body)
{
	if (body->framing == BODY_UNTIL_CLOSE && body->state == DATA)
		body->state = DONE;
	return body->state == DONE;
}

size_t h1_chunk_head(uint64_t size, char out[H1_CHUNK_HEAD_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t count = 1;

	while (count < 16 && size >> (count * 4) != 0)
		count++;
	for (size_t i = 0; i < count; i++)
		out[i] = digits[size >> ((count - 1 - i) * 4) & 15];
	out[count] = '\r';
	out[count + 1] = '\n';
	return count + 2;
}
