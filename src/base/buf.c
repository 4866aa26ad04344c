/* base/buf.c - a growing run of bytes that is born with a ceiling */
#include "base/buf.h"

#include "base/own.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_SIZE 256u

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
	buf->start = buf->end = 0;
	buf->spent = false;
}

void buf_release(struct buf *buf)
{
	buf_deinit(buf);
}

static void move_to_front(struct buf *buf)
{
	if (buf->start == 0)
		return;
	memmove(buf->data, buf->data + buf->start, buf_len(buf));
	buf->end -= buf->start;
	buf->start = 0;
}

/* Memory for need bytes and the NUL of buf_cstr; false: the system has none. */
static bool grow(struct buf *buf, size_t need)
{
	size_t size = buf->size == 0 ? BUF_FIRST_SIZE : buf->size;
	char *moved;

	while (size <= need)
		size = size > SIZE_MAX / 2 ? SIZE_MAX : size * 2;
	if (buf->max < SIZE_MAX && size > buf->max + 1)
		size = buf->max + 1;
	moved = realloc(buf->data, size);
	if (moved == NULL)
		return false;
	buf->data = moved;
	buf->size = size;
	return true;
}

/* Always leaves one byte more than wanted: the NUL of buf_cstr. */
char *buf_room(struct buf *buf, size_t want)
{
	size_t len = buf_len(buf);

	if (want > buf->max || len > buf->max - want)
		return NULL;
	if (buf->size - buf->end > want)
		return buf->data + buf->end;
	/* Moving pays when no more is moved than was taken; at the ceiling nothing else is left. */
	if (buf->size - len > want && (buf->start >= len || buf->size > buf->max)) {
		move_to_front(buf);
		return buf->data + buf->end;
	}
	move_to_front(buf);
	return buf->size - buf->end > want || grow(buf, len + want) ? buf->data + buf->end : NULL;
}

void buf_wrote(struct buf *buf, size_t count)
{
	assert(count <= buf->size - buf->end);
	buf->end += count;
}

void buf_take(struct buf *buf, size_t count)
{
	assert(count <= buf_len(buf));
	buf->start += count;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
}

/* Room for an append; a failure sticks, so that no later, shorter piece closes the gap. */
static char *room_to_add(struct buf *buf, size_t want)
{
	char *room = buf->spent ? NULL : buf_room(buf, want);

	if (room == NULL)
		buf->spent = true;
	return room;
}

bool buf_add(struct buf *buf, struct str_view bytes)
{
	char *room = room_to_add(buf, bytes.len);

	if (room == NULL)
		return false;
	if (bytes.len > 0)
		memcpy(room, bytes.data, bytes.len);
	buf->end += bytes.len;
	return true;
}

bool buf_addc(struct buf *buf, char byte)
{
	return buf_add(buf, sv_new(&byte, 1));
}

bool buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	bool fits;

	va_start(args, fmt);
	fits = buf_vaddf(buf, fmt, args);
	va_end(args);
	return fits;
}

bool buf_vaddf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	char *room;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	room = len < 0 ? NULL : room_to_add(buf, (size_t)len);
	if (room == NULL) {
		buf->spent = true;
		return false;
	}
	vsnprintf(room, (size_t)len + 1, fmt, args); /* the NUL has its byte, see grow() */
	buf->end += (size_t)len;
	return true;
}

const char *buf_cstr(struct buf *buf)
{
	if (buf_len(buf) == 0)
		return "";
	buf->data[buf->end] = '\0'; /* buf_room always leaves this byte */
	return buf->data + buf->start;
}

char *buf_detach(struct buf *buf)
{
	char *text;

	if (buf_len(buf) == 0) {
		buf_release(buf);
		return xstrdup("");
	}
	move_to_front(buf);
	buf->data[buf->end] = '\0';
	text = TAKE(buf->data);
	buf_release(buf);
	return text;
}
