/* base/arena.c - chunks of memory for one exchange */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_CHUNK_MIN ((size_t)4096)
#define ARENA_CHUNK_MAX ((size_t)65536)

struct arena_chunk {
	struct arena_chunk *older;
	size_t size; /* of data */
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, size_t max)
{
	*arena = (struct arena){.max = max};
}

/* Frees all chunks but keep, which may be NULL. */
static void free_chunks(struct arena *arena, struct arena_chunk *keep)
{
	struct arena_chunk *chunk = arena->chunks;

	while (chunk != NULL) {
		struct arena_chunk *older = chunk->older;

		if (chunk != keep)
			free(chunk);
		chunk = older;
	}
}

void arena_deinit(struct arena *arena)
{
	free_chunks(arena, NULL);
	arena_init(arena, arena->max);
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *oldest = arena->chunks;
	size_t max = arena->max;

	while (oldest != NULL && oldest->older != NULL)
		oldest = oldest->older;
	if (oldest != NULL && oldest->size > ARENA_CHUNK_MIN) /* an idle connection keeps little */
		oldest = NULL;
	free_chunks(arena, oldest);
	arena_init(arena, max);
	arena->chunks = oldest;
	if (oldest != NULL) {
		arena->next = oldest->data;
		arena->limit = oldest->data + oldest->size;
	}
}

/* A new chunk with at least size bytes; the rest of the newest one is given up. */
static bool add_chunk(struct arena *arena, size_t size)
{
	size_t want = arena->chunks == NULL ? ARENA_CHUNK_MIN : arena->chunks->size * 2;
	struct arena_chunk *chunk;

	want = want > ARENA_CHUNK_MAX ? ARENA_CHUNK_MAX : want;
	want = want < size ? size : want;
	chunk = malloc(sizeof(*chunk) + want);
	if (chunk == NULL)
		return false;
	chunk->older = arena->chunks;
	chunk->size = want;
	arena->chunks = chunk;
	arena->next = chunk->data;
	arena->limit = chunk->data + want;
	return true;
}

static void *take(struct arena *arena, size_t size, size_t align)
{
	size_t pad = (size_t)(-(uintptr_t)arena->next & (align - 1));
	char *at;

	if (size > arena->max || arena->used > arena->max - size) {
		arena->spent = true;
		return NULL;
	}
	if (arena->next == NULL || (size_t)(arena->limit - arena->next) < pad ||
	    (size_t)(arena->limit - arena->next) - pad < size) {
		if (!add_chunk(arena, size)) {
			arena->spent = true;
			return NULL;
		}
		pad = 0;
	}
	at = arena->next + pad;
	arena->next = at + size;
	arena->used += size;
	return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return take(arena, size, _Alignof(max_align_t));
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *at = arena_alloc(arena, size);

	return at == NULL ? NULL : memset(at, 0, size);
}

struct str_view arena_dup(struct arena *arena, struct str_view view)
{
	char *copy = take(arena, view.len, 1);

	if (copy == NULL)
		return SV_NONE;
	if (view.len > 0)
		memcpy(copy, view.data, view.len);
	return sv_new(copy, view.len);
}

struct str_view arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	text = len < 0 ? NULL : take(arena, (size_t)len + 1, 1);
	if (text == NULL) {
		arena->spent = true;
		return SV_NONE;
	}
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return sv_new(text, (size_t)len);
}
