#include "dataplane/mirror.h"

#include "base/own.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"

#include <stdlib.h>

struct mirror_copy {
	struct exchange *ex; /* owned */
	struct list sibling; /* in of->copies; unlinked when that has gone */
	struct list link;    /* in the worker's list */
};

/* ---- the end of a copy ---- */

static void copy_release(void *object)
{
	struct mirror_copy *copy = object;

	exchange_close(copy->ex);
	free(copy);
}

/* From inside calls of the copy's own leg: it goes at the end of the turn. */
static void copy_over(struct exchange *ex)
{
	struct mirror_copy *copy = ex->stream;
	struct worker *worker = ex->worker;

	if (!list_linked(&copy->link))
		return;
	list_remove(&copy->sibling);
	list_remove(&copy->link);
	worker->exchanges.copy_count--;
	worker_free_later(worker, copy_release, copy);
}

static void copy_drop(struct mirror_copy *copy)
{
	metric_add(&copy->ex->worker->metrics.mirrors_dropped, 1);
	exchange_abandon(copy->ex);
	copy_over(copy->ex);
}

/* ---- what a copy does with its response: nothing ---- */

static void ignore_head(struct exchange *ex)
{
	(void)ex;
}

static void ignore_interim(struct exchange *ex, const struct http_response *interim)
{
	(void)ex;
	(void)interim;
}

static bool ignore_body(struct exchange *ex, struct str_view bytes)
{
	(void)ex;
	(void)bytes;
	return true;
}

static void ignore_end(struct exchange *ex, const struct fields *trailers)
{
	(void)trailers;
	copy_over(ex);
}

static const struct transport mirror_transport = {
	.name = "mirror",
	.respond = ignore_head,
	.inform = ignore_interim,
	.body = ignore_body,
	.finish = ignore_end,
	.abort = copy_over,
	.request_resume = ignore_head, /* it never waits: see mirror_body */
	.tunnel = copy_over,
};

/* ---- beginning ---- */

static bool copy_fields(struct exchange *to, const struct fields *from)
{
	fields_init(&to->request.fields, &to->arena, from->count);
	for (size_t i = 0; i < from->count; i++) {
		const struct field *field = &from->items[i];

		if (!fields_add(&to->request.fields, arena_dup(&to->arena, field->name),
				arena_dup(&to->arena, field->value)))
			return false;
	}
	return true;
}

static bool copy_request(struct exchange *to, const struct exchange *from)
{
	struct http_request *request = &to->request;
	struct arena *arena = &to->arena;

	*request = from->request;
	request->websocket = false; /* a tunnel has two ends */
	request->method = arena_dup(arena, request->method);
	request->authority.host = arena_dup(arena, request->authority.host);
	request->target.path = arena_dup(arena, request->target.path);
	request->target.query = arena_dup(arena, request->target.query);
	to->request_ended = from->request_ended;
	return copy_fields(to, &from->request.fields) && !arena->spent;
}

static void copy_begin(struct exchange *ex, struct backend *backend)
{
	struct exchange_pool *pool = &ex->worker->exchanges;
	struct mirror_copy *copy = xcalloc(1, sizeof(*copy));

	copy->ex = exchange_copy_new(ex->worker, &mirror_transport, copy);
	list_append(&ex->copies, &copy->sibling);
	if (pool->copies.next == NULL)
		list_init(&pool->copies);
	list_append(&pool->copies, &copy->link);
	pool->copy_count++;
	metric_add(&ex->worker->metrics.mirrored, 1);
	if (copy_request(copy->ex, ex))
		exchange_copy_start(copy->ex, ex, backend);
	else
		copy_drop(copy);
}

static bool in_share(struct exchange *ex, const struct mirror *mirror)
{
	return mirror->denominator == 0 ||
	       exchange_random(ex->worker) % mirror->denominator < mirror->numerator;
}

void mirror_begin(struct exchange *ex, const struct mirror *mirrors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct backend *backend = mirrors[i].backend;

		if (!in_share(ex, &mirrors[i]))
			continue;
		if (backend->fail_status != 0 || backend->endpoint_count == 0 ||
		    ex->worker->exchanges.copy_count >= MIRRORS_MAX)
			metric_add(&ex->worker->metrics.mirrors_dropped, 1);
		else
			copy_begin(ex, backend);
	}
}

/* ---- content ---- */

void mirror_body(struct exchange *ex, struct str_view bytes)
{
	LIST_EACH(&ex->copies, node)
	{
		struct mirror_copy *copy = LIST_ENTRY(node, struct mirror_copy, sibling);

		if (copy->ex->upstream != NULL && !upstream_body(copy->ex, bytes))
			copy_drop(copy);
	}
}

void mirror_end(struct exchange *ex, const struct fields *trailers)
{
	LIST_EACH(&ex->copies, node)
	{
		struct mirror_copy *copy = LIST_ENTRY(node, struct mirror_copy, sibling);

		copy->ex->request_ended = true;
		if (copy->ex->upstream != NULL)
			upstream_end(copy->ex, trailers);
	}
}

void mirror_part(struct exchange *ex)
{
	LIST_EACH(&ex->copies, node)
	{
		struct mirror_copy *copy = LIST_ENTRY(node, struct mirror_copy, sibling);

		if (!ex->request_ended)
			copy_drop(copy);
		list_remove(node);
	}
}

void mirrors_stop(struct worker *worker)
{
	struct list *copies = &worker->exchanges.copies;

	while (copies->next != NULL && !list_empty(copies))
		copy_drop(LIST_ENTRY(copies->next, struct mirror_copy, link));
}
