/* dataplane/buffers.c - lent memory for what a connection has read and will write */
#include "dataplane/buffers.h"

#include "base/own.h"

#include <assert.h>
#include <stdlib.h>

#define REST_MAX 8192 /* a rest of at most this many bytes leaves the lent memory */

struct out_chunk {
	struct out_chunk *next;
	uint32_t start, end;
	char data[];
};

#define CHUNK_ROOM (WORKER_BUFFER_SIZE - sizeof(struct out_chunk))

static void window_give(struct window *window, struct worker *worker)
{
	if (window->size == WORKER_BUFFER_SIZE)
		worker_buffer_give(worker, window->data);
	else
		free(window->data);
	*window = (struct window){0};
}

static void window_move(struct window *window, char *data, uint32_t size, struct worker *worker)
{
	struct window moved = {.data = data, .end = window_len(window), .size = size};

	if (moved.end > 0)
		memcpy(data, window->data + window->start, moved.end);
	if (window->data != NULL)
		window_give(window, worker);
	*window = moved;
}

char *window_room(struct window *window, struct worker *worker, size_t *room)
{
	if (window->size < WORKER_BUFFER_SIZE) {
		window_move(window, worker_buffer_take(worker), WORKER_BUFFER_SIZE, worker);
	} else if (window->start > 0 && window->end > window->size / 2) {
		memmove(window->data, window->data + window->start, window_len(window));
		window->end -= window->start;
		window->start = 0;
	}
	*room = window->size - window->end;
	return window->data + window->end;
}

size_t window_take(struct window *window, char *out, size_t len)
{
	size_t have = window_len(window);

	if (len > have)
		len = have;
	if (len > 0)
		memcpy(out, window->data + window->start, len);
	window->start += (uint32_t)len;
	if (window->start == window->end)
		window->start = window->end = 0;
	return len;
}

void window_settle(struct window *window, struct worker *worker)
{
	uint32_t len = window_len(window);

	if (window->data == NULL)
		return;
	if (len == 0)
		window_give(window, worker);
	else if (len <= REST_MAX && window->size == WORKER_BUFFER_SIZE)
		window_move(window, xmalloc(len), len, worker);
}

void window_free(struct window *window, struct worker *worker)
{
	if (window->data != NULL)
		window_give(window, worker);
}

static struct out_chunk *chunk_add(struct conn_buffers *buffers, struct worker *worker)
{
	struct out_chunk *chunk = (struct out_chunk *)(void *)worker_buffer_take(worker);

	*chunk = (struct out_chunk){.next = NULL};
	if (buffers->last == NULL)
		buffers->first = chunk;
	else
		buffers->last->next = chunk;
	buffers->last = chunk;
	return chunk;
}

void buffers_queue(struct conn_buffers *buffers, struct worker *worker, const char *data,
		   size_t len)
{
	buffers->queued += len;
	while (len > 0) {
		struct out_chunk *chunk = buffers->last;
		size_t part;

		if (chunk == NULL || chunk->end == CHUNK_ROOM)
			chunk = chunk_add(buffers, worker);
		part = CHUNK_ROOM - chunk->end < len ? CHUNK_ROOM - chunk->end : len;
		memcpy(chunk->data + chunk->end, data, part);
		chunk->end += (uint32_t)part;
		data += part;
		len -= part;
	}
}

int buffers_pieces(const struct conn_buffers *buffers, struct iovec *pieces, int max)
{
	int count = 0;

	for (struct out_chunk *chunk = buffers->first; chunk != NULL && count < max;
	     chunk = chunk->next)
		pieces[count++] = (struct iovec){.iov_base = chunk->data + chunk->start,
						 .iov_len = chunk->end - chunk->start};
	return count;
}

void buffers_sent(struct conn_buffers *buffers, struct worker *worker, size_t count)
{
	assert(count <= buffers->queued);
	buffers->queued -= count;
	while (buffers->first != NULL) {
		struct out_chunk *chunk = buffers->first;
		size_t part = chunk->end - chunk->start;

		if (count < part) {
			chunk->start += (uint32_t)count;
			return;
		}
		count -= part;
		buffers->first = chunk->next;
		worker_buffer_give(worker, (char *)chunk);
	}
	buffers->last = NULL;
}

void buffers_free(struct conn_buffers *buffers, struct worker *worker)
{
	window_free(&buffers->in, worker);
	window_free(&buffers->cipher, worker);
	window_free(&buffers->staged, worker);
	buffers_sent(buffers, worker, buffers->queued);
}
