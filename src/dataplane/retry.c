#include "dataplane/retry.h"

#include "base/own.h"
#include "dataplane/upstream.h"
#include "dataplane/worker.h"

#define BACKOFF_DOUBLED_MAX 4      /* the wait grows to sixteen times the first one */
#define UNDER_WAY           196608 /* what a codec may still bring after it was told to wait */

/* ---- content ---- */

static size_t limit_of(const struct exchange *ex)
{
	return ex->worker->config->limits.buffer;
}

bool retry_waits(const struct exchange *ex)
{
	return timer_armed(&ex->again);
}

bool retry_has_room(const struct exchange *ex)
{
	return buf_len(&ex->replay) < limit_of(ex);
}

static bool may_repeat(const struct exchange *ex)
{
	return ex->rule != NULL && ex->rule->retry.present && ex->conn != NULL &&
	       !ex->replay_lost && ex->retries < ex->rule->retry.attempts &&
	       ex->retries < RETRY_ATTEMPTS_MAX;
}

void retry_keep(struct exchange *ex, struct str_view bytes)
{
	if (ex->request.framing == BODY_NONE || !may_repeat(ex) || ex->response_started)
		return;
	if (ex->replay.max == 0)
		buf_init(&ex->replay, limit_of(ex) + UNDER_WAY);
	if (!retry_waits(ex) && buf_len(&ex->replay) + bytes.len > limit_of(ex))
		ex->replay_lost = true;
	else if (!buf_add(&ex->replay, bytes))
		ex->replay_lost = true;
	if (ex->replay_lost)
		buf_deinit(&ex->replay);
}

/* ---- the next attempt ---- */

/* A retry without growth and jitter would come back in step with all others. */
static int64_t wait_of(struct exchange *ex)
{
	const struct rule_retry *retry = &ex->rule->retry;
	int64_t base = retry->backoff_ms > 0 ? retry->backoff_ms : RETRY_BACKOFF_MS;
	unsigned doubled = ex->retries < BACKOFF_DOUBLED_MAX ? ex->retries : BACKOFF_DOUBLED_MAX;
	int64_t wait = base << doubled;

	return wait + (int64_t)(exchange_random(ex->worker) % (uint64_t)(base / 2 + 1));
}

static void again(struct timer *timer)
{
	struct exchange *ex = CONTAINER_OF(timer, struct exchange, again);
	bool room = true;

	ex->tries = 1;
	exchange_arm(ex);
	upstream_begin(ex);
	if (buf_len(&ex->replay) > 0)
		room = upstream_body(ex, buf_view(&ex->replay));
	if (ex->request_ended)
		upstream_end(ex, ex->request_trailers);
	else if (room)
		ex->proto->request_resume(ex);
}

static bool repeat(struct exchange *ex)
{
	struct worker *worker = ex->worker;
	int64_t wait;

	if (!may_repeat(ex))
		return false;
	upstream_detach(ex);
	buf_deinit(&ex->unsent); /* the next attempt begins at the beginning */
	ex->unsent_raw = false;
	wait = wait_of(ex);
	ex->retries++;
	ex->arena.max += (size_t)worker->config->limits.head * 2; /* for another response head */
	ex->backend_deadline_ms = 0;
	if (ex->request_deadline_ms != 0)
		timer_set(worker->loop, &ex->timer, ex->request_deadline_ms);
	else
		timer_stop(worker->loop, &ex->timer);
	if (ex->again.fire == NULL)
		timer_init(&ex->again, again);
	timer_in(worker->loop, &ex->again, wait);
	metric_add(&worker->metrics.retries, 1);
	return true;
}

bool retry_after_status(struct exchange *ex, int status)
{
	const struct rule_retry *retry = &ex->rule->retry;

	for (size_t i = 0; i < retry->code_count; i++) {
		if (retry->codes[i] == status)
			return repeat(ex);
	}
	return false;
}

bool retry_after_failure(struct exchange *ex)
{
	return !ex->response_started && repeat(ex);
}
