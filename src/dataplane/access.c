/* dataplane/access.c - lines into a buffer, the buffer into a descriptor when the turn ends */
#include "dataplane/access.h"

#include "base/clock.h"
#include "base/own.h"
#include "dataplane/conn.h"
#include "dataplane/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE 65536
#define VALUE_MAX   2048 /* bytes of one value that are logged */
#define RETRY_MS    100  /* after the descriptor was full */

struct access_log {
	struct loop *loop;
	int fd;
	bool json;
	bool blocked; /* the descriptor was full: tried again by the timer */
	metric_counter *dropped;
	struct loop_hook hook;
	struct timer retry;
	char *data; /* BUFFER_SIZE */
	size_t start, end;
	unsigned lines; /* that began in the buffer */
	int64_t second; /* of time_text */
	char time_text[CLOCK_TEXT_SIZE];
};

/* ---- out ---- */

static ssize_t put_bytes(const struct access_log *log)
{
	const char *data = log->data + log->start;
	size_t len = log->end - log->start;
	ssize_t sent = send(log->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 && errno == ENOTSOCK ? write(log->fd, data, len) : sent;
}

static void empty(struct access_log *log)
{
	log->start = log->end = 0;
	log->lines = 0;
}

static void flush(struct access_log *log)
{
	ssize_t sent;

	if (log->start == log->end || log->blocked)
		return;
	sent = put_bytes(log);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) { /* full disk, closed pipe */
		metric_add(log->dropped, log->lines);
		empty(log);
		return;
	}
	if (sent > 0)
		log->start += (size_t)sent;
	if (log->start == log->end) {
		empty(log);
		return;
	}
	log->blocked = true;
	timer_in(log->loop, &log->retry, RETRY_MS);
}

static void retry(struct timer *self)
{
	struct access_log *log = CONTAINER_OF(self, struct access_log, retry);

	log->blocked = false;
	flush(log);
}

static void turn_end(struct loop_hook *self)
{
	flush(CONTAINER_OF(self, struct access_log, hook));
}

/* ---- one line ---- */

struct line {
	char *at, *limit;
	bool spent;
	bool json;
};

static void put_raw(struct line *line, struct str_view text)
{
	if ((size_t)(line->limit - line->at) < text.len) {
		line->spent = true;
		return;
	}
	if (text.len > 0)
		memcpy(line->at, text.data, text.len);
	line->at += text.len;
}

static void put_escape(struct line *line, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2] = {digits[byte >> 4], digits[byte & 15]};

	put_raw(line, line->json ? SV("\\u00") : SV("\\x"));
	put_raw(line, sv_new(hex, sizeof(hex)));
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void put_text(struct line *line, struct str_view text)
{
	size_t done = 0;

	text = sv_head(text, VALUE_MAX);
	for (size_t i = 0; i < text.len; i++) {
		if (is_plain((unsigned char)text.data[i]))
			continue;
		put_raw(line, sv_new(text.data + done, i - done));
		put_escape(line, (unsigned char)text.data[i]);
		done = i + 1;
	}
	if (text.len > 0)
		put_raw(line, sv_new(text.data + done, text.len - done));
}

static void put_number(struct line *line, uint64_t number)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

	put_raw(line, sv_new(text, (size_t)len));
}

/* Text: "-" for what is missing. */
static void put_or_dash(struct line *line, struct str_view text)
{
	put_text(line, text.len > 0 ? text : SV("-"));
}

static void put_quoted(struct line *line, struct str_view text)
{
	put_raw(line, SV(" \""));
	put_or_dash(line, text);
	put_raw(line, SV("\""));
}

/* What both forms say, in one place. */
struct facts {
	struct str_view client, time, method, host, path, protocol, rule, backend, failure;
	uint64_t status, bytes, bytes_in, ms;
};

static void put_request(struct line *line, const struct facts *facts)
{
	if (facts->method.len == 0) {
		put_raw(line, SV("-"));
		return;
	}
	put_text(line, facts->method);
	put_raw(line, SV(" "));
	put_or_dash(line, facts->path);
	put_raw(line, SV(" "));
	put_text(line, facts->protocol);
}

static void put_seconds(struct line *line, uint64_t ms)
{
	char text[32];
	int len = snprintf(text, sizeof(text), " %llu.%03u", (unsigned long long)(ms / 1000),
			   (unsigned)(ms % 1000));

	put_raw(line, sv_new(text, (size_t)len));
}

static void line_text(struct line *line, const struct facts *facts)
{
	put_or_dash(line, facts->client);
	put_raw(line, SV(" - - ["));
	put_raw(line, facts->time);
	put_raw(line, SV("] \""));
	put_request(line, facts);
	put_raw(line, SV("\" "));
	put_number(line, facts->status);
	put_raw(line, SV(" "));
	put_number(line, facts->bytes);
	put_quoted(line, facts->host);
	put_seconds(line, facts->ms);
	put_quoted(line, facts->rule);
	put_quoted(line, facts->backend);
	put_raw(line, SV(" "));
	put_or_dash(line, facts->failure);
	put_raw(line, SV("\n"));
}

static void json_text(struct line *line, struct str_view before, struct str_view value)
{
	put_raw(line, before);
	put_text(line, value);
	put_raw(line, SV("\""));
}

static void json_number(struct line *line, struct str_view before, uint64_t value)
{
	put_raw(line, before);
	put_number(line, value);
}

static void line_json(struct line *line, const struct facts *facts)
{
	json_text(line, SV("{\"time\":\""), facts->time);
	json_text(line, SV(",\"client\":\""), facts->client);
	json_text(line, SV(",\"method\":\""), facts->method);
	json_text(line, SV(",\"host\":\""), facts->host);
	json_text(line, SV(",\"path\":\""), facts->path);
	json_text(line, SV(",\"protocol\":\""), facts->protocol);
	json_number(line, SV(",\"status\":"), facts->status);
	json_number(line, SV(",\"bytes\":"), facts->bytes);
	json_number(line, SV(",\"bytes_in\":"), facts->bytes_in);
	json_number(line, SV(",\"duration_ms\":"), facts->ms);
	json_text(line, SV(",\"rule\":\""), facts->rule);
	json_text(line, SV(",\"backend\":\""), facts->backend);
	json_text(line, SV(",\"failure\":\""), facts->failure);
	put_raw(line, SV("}\n"));
}

/* "06/Nov/1994:08:49:37 +0000"; the names of the months are not the locale's. */
static void common_log_time(int64_t wall, char out[CLOCK_TEXT_SIZE])
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)wall;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(out, CLOCK_TEXT_SIZE, "%02d/%s/%04d:%02d:%02d:%02d +0000", tm.tm_mday,
		 months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
}

static struct str_view time_text(struct access_log *log)
{
	int64_t now = clock_wall();

	if (now != log->second) {
		log->second = now;
		if (log->json)
			clock_rfc3339(now, log->time_text);
		else
			common_log_time(now, log->time_text);
	}
	return sv_from(log->time_text);
}

static bool line_write(struct access_log *log, const struct facts *facts)
{
	struct line line = {
		.at = log->data + log->end, .limit = log->data + BUFFER_SIZE, .json = log->json};

	if (log->json)
		line_json(&line, facts);
	else
		line_text(&line, facts);
	if (line.spent)
		return false;
	log->end = (size_t)(line.at - log->data);
	log->lines++;
	return true;
}

/* What was written is not moved before the buffer is full. */
static void make_room(struct access_log *log)
{
	flush(log);
	if (log->start == 0)
		return;
	memmove(log->data, log->data + log->start, log->end - log->start);
	log->end -= log->start;
	log->start = 0;
}

static void put(struct access_log *log, struct facts *facts)
{
	facts->time = time_text(log);
	if (line_write(log, facts))
		return;
	make_room(log);
	if (!line_write(log, facts))
		metric_add(log->dropped, 1);
}

void access_write(struct access_log *log, const struct exchange *ex)
{
	int64_t ms = loop_now(log->loop) - ex->started_ms;
	char client[SOCK_ADDR_TEXT];
	struct facts facts = {
		.method = ex->request.method,
		.host = ex->request.authority.host,
		.path = ex->request.target.path,
		.protocol = sv_from(ex->proto->name),
		.rule = ex->rule == NULL ? SV("") : ex->rule->name,
		.backend = ex->backend == NULL ? SV("") : ex->backend->name,
		.failure = sv_from(ex->failure),
		.status = ex->status,
		.bytes = ex->bytes_out,
		.bytes_in = ex->bytes_in,
		.ms = ms > 0 ? (uint64_t)ms : 0,
	};

	if (log->fd < 0)
		return;
	if (ex->client.len == 0)
		sock_addr_ip_text(&ex->conn->peer, client);
	facts.client = ex->client.len == 0 ? sv_from(client) : ex->client;
	put(log, &facts);
}

void access_write_flow(struct access_log *log, const struct access_flow *flow)
{
	int64_t ms = loop_now(log->loop) - flow->started_ms;
	char client[SOCK_ADDR_TEXT];
	struct facts facts = {
		.method = SV("STREAM"),
		.host = flow->host,
		.path = flow->inner,
		.protocol = sv_from(flow->protocol),
		.rule = flow->rule,
		.backend = flow->backend,
		.failure = sv_from(flow->failure),
		.status = flow->status,
		.bytes = flow->bytes,
		.bytes_in = flow->bytes_in,
		.ms = ms > 0 ? (uint64_t)ms : 0,
	};

	if (log->fd < 0 || flow->unlogged)
		return;
	sock_addr_ip_text(flow->peer, client);
	facts.client = sv_from(client);
	put(log, &facts);
}

/* ---- birth and death ---- */

struct access_log *access_new(struct loop *loop, int fd, bool json, metric_counter *dropped)
{
	struct access_log *log = xcalloc(1, sizeof(*log));

	log->loop = loop;
	log->fd = fd;
	log->json = json;
	log->dropped = dropped;
	log->second = -1;
	log->data = xmalloc(BUFFER_SIZE);
	timer_init(&log->retry, retry);
	log->hook.turn_end = turn_end;
	loop_hook_add(loop, &log->hook);
	return log;
}

/* The last chance of what is buffered. */
static void let_go(struct access_log *log)
{
	if (log->fd < 0)
		return;
	timer_stop(log->loop, &log->retry);
	log->blocked = false;
	flush(log);
	timer_stop(log->loop, &log->retry);
	log->blocked = false;
	close(log->fd);
}

void access_free(struct access_log *log)
{
	if (log == NULL)
		return;
	let_go(log);
	loop_hook_remove(&log->hook);
	free(log->data);
	free(log);
}

void access_reopen(struct access_log *log, int fd)
{
	let_go(log);
	log->fd = fd;
}
