/* base/buf.h - a growing run of bytes that is born with a ceiling */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Owned bytes [start, end) of data. What was read is taken from the front without moving.
 * Overflow sticks: append ten times, ask buf->spent once. */
struct buf {
	char *data;
	size_t start, end, size;
	size_t max; /* never holds more than this many bytes */
	bool spent; /* an append did not fit: nothing of it or of later ones is stored until
		       buf_reset */
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf);
void buf_reset(struct buf *buf);   /* empties, keeps the memory, clears spent */
void buf_release(struct buf *buf); /* empties and gives the memory back */

static inline size_t buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

static inline struct str_view buf_view(const struct buf *buf)
{
	return sv_new(buf->data == NULL ? NULL : buf->data + buf->start, buf->end - buf->start);
}

bool buf_add(struct buf *buf, struct str_view bytes); /* false: did not fit (spent) */
bool buf_addc(struct buf *buf, char byte);
bool buf_addf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_vaddf(struct buf *buf, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Room for at least want contiguous bytes behind the end, or NULL when the ceiling forbids it;
 * after writing call buf_wrote with the count. */
char *buf_room(struct buf *buf, size_t want);
void buf_wrote(struct buf *buf, size_t count);
void buf_take(struct buf *buf, size_t count); /* drop count bytes from the front */

/* NUL-terminated text of the buffer, valid until the next change; "" when empty. Needs one byte. */
const char *buf_cstr(struct buf *buf);
char *buf_detach(struct buf *buf); /* NUL-terminated heap copy of the content; buf is released */

#endif
