/* acme/fetch.c - one request: where it may go, what curl is given, what comes of it */
#include "acme/fetch.h"

#include "acme/fetch_failure.h"
#include "acme/fetch_tls.h"
#include "acme/fetcher.h"
#include "acme/url.h"
#include "acme/words.h"
#include "base/buf.h"
#include "base/own.h"
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CONNECT_MS        10000
#define TOTAL_MS          60000
#define LOW_SPEED_BYTES   10 /* a second, over LOW_SPEED_SECONDS */
#define LOW_SPEED_SECONDS 30
#define REDIRECTS_MAX     5
#define HEADERS_MAX       (128u << 10)
#define FIELD_MAX         (16u << 10)
/* longer than any request, so that curl never resolves by itself */
#define DNS_CACHE_SECONDS 120L

enum field {
	FIELD_NONCE,
	FIELD_LOCATION,
	FIELD_RETRY,
	FIELD_TYPE,
	FIELD_DATE,
	FIELD_LINK,
	FIELD_SERVER,
	FIELD_COUNT
};

static const struct str_view field_names[FIELD_COUNT] = {
	[FIELD_NONCE] = SV_INIT("replay-nonce"), [FIELD_LOCATION] = SV_INIT("location"),
	[FIELD_RETRY] = SV_INIT("retry-after"),  [FIELD_TYPE] = SV_INIT("content-type"),
	[FIELD_DATE] = SV_INIT("date"),          [FIELD_LINK] = SV_INIT("link"),
	[FIELD_SERVER] = SV_INIT("server"),
};

struct fetch { /* owned by its fetcher until the callback has run */
	struct list link;
	struct fetcher *fetcher;
	fetch_done_fn *done;
	void *arg;

	char *method, *url, *content_type, *ca_bundle, *body;
	size_t body_len, body_max;
	struct fetch_request flags; /* the pointers in it are not used */
	struct sock_addr pin;       /* len 0: none */
	char pin_host[URL_HOST_MAX + 1];
	uint16_t pin_port; /* of the first URL: there the pin's own port is used */

	struct url target;
	unsigned hops;
	int64_t deadline;
	struct timer timer;
	struct dns_query *query;

	CURL *easy;
	struct curl_slist *headers, *resolve, *connect_to;
	struct curl_slist *asked_headers; /* of the request */
	struct fetch_tls tls;
	char curl_error[CURL_ERROR_SIZE];
	unsigned sends; /* of this hop; curl repeats by itself when a kept connection has died */

	struct buf received;
	size_t header_bytes;
	bool too_big, again_refused;
	char *fields[FIELD_COUNT];
	struct fetch_answer answer;
};

static void fetch_begin_hop(struct fetch *fetch);

/* ---- one request: its end ---- */

static void release_easy(struct fetch *fetch)
{
	if (fetch->easy != NULL) {
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
		curl_easy_cleanup(fetch->easy);
		fetch->easy = NULL;
	}
	curl_slist_free_all(TAKE(fetch->headers));
	curl_slist_free_all(TAKE(fetch->resolve));
	curl_slist_free_all(TAKE(fetch->connect_to));
}

static void release_work(struct fetch *fetch)
{
	if (fetch->query != NULL)
		dns_cancel(TAKE(fetch->query));
	timer_stop(fetch->fetcher->loop, &fetch->timer);
	release_easy(fetch);
}

static void fetch_free(struct fetch *fetch)
{
	release_work(fetch);
	list_remove(&fetch->link);
	curl_slist_free_all(fetch->asked_headers);
	for (int i = 0; i < FIELD_COUNT; i++)
		free(fetch->fields[i]);
	buf_deinit(&fetch->received);
	free(fetch->method);
	free(fetch->url);
	free(fetch->content_type);
	free(fetch->ca_bundle);
	free(fetch->body);
	free(fetch);
}

static void fetch_end(struct fetch *fetch, enum fetch_failure failure, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fetch_end(struct fetch *fetch, enum fetch_failure failure, const char *fmt, ...)
{
	struct fetcher *fetcher = fetch->fetcher;
	char why[sizeof(fetch->answer.why)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	fetch->answer.why[0] = '\0';
	words_add(fetch->answer.why, sizeof(fetch->answer.why), sv_from(why));
	fetch->answer.failure = failure;
	release_work(fetch);
	list_remove(&fetch->link);
	list_append(&fetcher->finished, &fetch->link);
	task_defer(fetcher->loop, &fetcher->report);
}

void fetches_report(struct task *task)
{
	struct fetcher *fetcher = CONTAINER_OF(task, struct fetcher, report);

	while (!list_empty(&fetcher->finished)) {
		struct fetch *fetch = LIST_ENTRY(fetcher->finished.next, struct fetch, link);
		struct fetch_answer *answer = &fetch->answer;

		list_remove(&fetch->link);
		answer->body = buf_view(&fetch->received);
		answer->replay_nonce = sv_from(fetch->fields[FIELD_NONCE]);
		answer->location = sv_from(fetch->fields[FIELD_LOCATION]);
		answer->retry_after = sv_from(fetch->fields[FIELD_RETRY]);
		answer->content_type = sv_from(fetch->fields[FIELD_TYPE]);
		answer->date = sv_from(fetch->fields[FIELD_DATE]);
		answer->links = sv_from(fetch->fields[FIELD_LINK]);
		answer->server = sv_from(fetch->fields[FIELD_SERVER]);
		answer->final_url = fetch->url;
		fetch->done(fetch->arg, answer);
		fetch_free(fetch);
	}
}

void fetches_free(struct list *list)
{
	while (!list_empty(list))
		fetch_free(LIST_ENTRY(list->next, struct fetch, link));
}

void fetch_cancel(struct fetch *fetch)
{
	fetch_free(fetch);
}

static void on_fetch_timer(struct timer *timer)
{
	struct fetch *fetch = CONTAINER_OF(timer, struct fetch, timer);

	if (fetch->query != NULL)
		fetch_end(fetch, FETCH_DNS, "%s: the name servers did not answer in time",
			  fetch->target.host);
	else
		fetch_end(fetch, FETCH_TIMEOUT, "%s: no whole answer within %lld s",
			  fetch->target.host, (long long)(fetch->flags.timeout_ms / 1000));
}

static bool address_allowed(const struct fetch *fetch, const struct sock_addr *addr)
{
	const struct fetcher *fetcher = fetch->fetcher;

	if (sock_addr_link_local(addr) || (fetch->flags.no_loopback && sock_addr_loopback(addr)))
		return false;
	return fetcher->may_dial == NULL || fetcher->may_dial(fetcher->rules, addr);
}

/* ---- one request: what curl hands in ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;

	if (buf_add(&fetch->received, sv_new(bytes, size * count)))
		return size * count;
	fetch->too_big = true;
	return 0;
}

static void keep_field(struct fetch *fetch, enum field field, struct str_view value)
{
	char *old = fetch->fields[field];

	if (value.len > FIELD_MAX)
		return;
	if (field == FIELD_LINK && old != NULL) {
		if (strlen(old) + value.len > FIELD_MAX)
			return;
		fetch->fields[field] = xasprintf("%s, %.*s", old, SV_ARG(value));
	} else {
		fetch->fields[field] = sv_dup(value);
	}
	free(old);
}

static void forget_fields(struct fetch *fetch)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		free(TAKE(fetch->fields[i]));
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
	struct fetch *fetch = arg;
	struct str_view line = sv_new(bytes, size * count);
	size_t colon = sv_find(line, ':');

	fetch->header_bytes += line.len;
	if (fetch->header_bytes > HEADERS_MAX) {
		fetch->too_big = true;
		return 0;
	}
	if (sv_starts(line, SV("HTTP/")))
		forget_fields(fetch); /* those of a 1xx answer do not count */
	while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	for (int i = 0; i < FIELD_COUNT && colon != SV_NOT_FOUND; i++) {
		if (sv_eq_nocase(sv_head(line, colon), field_names[i]))
			keep_field(fetch, (enum field)i, sv_trim(sv_skip(line, colon + 1)));
	}
	return size * count;
}

/* Before each sending. A signed request goes out once: the CA may have seen its nonce. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
static int on_send(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct fetch *fetch = arg;

	(void)peer, (void)local, (void)peer_port, (void)local_port;
	fetch->again_refused = fetch->sends > 0 && fetch->body != NULL;
	fetch->answer.sent = true;
	fetch->sends++;
	return fetch->again_refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Looks at each address once more, and makes no connection for a second sending. */
static curl_socket_t on_connect(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct fetch *fetch = arg;
	struct sock_addr addr = {.len = to->addrlen};

	(void)purpose;
	if (to->addrlen > sizeof(addr.u))
		return CURL_SOCKET_BAD;
	memcpy(&addr.u, &to->addr, to->addrlen);
	fetch->again_refused = fetch->sends > 0 && fetch->body != NULL;
	if (fetch->again_refused || !address_allowed(fetch, &addr))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- one request: into curl's hands ---- */

static void set_callbacks(struct fetch *fetch)
{
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->curl_error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, fetch);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_connect);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
}

static void set_limits(struct fetch *fetch)
{
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* its name would be resolved by curl */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_SECONDS);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, fetch->flags.close_connection ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fetch->flags.fresh ? 1L : 0L);
}

static void add_header(struct fetch *fetch, const char *line)
{
	struct curl_slist *list = curl_slist_append(fetch->headers, line);

	if (list != NULL)
		fetch->headers = list;
}

static void set_request(struct fetch *fetch)
{
	CURL *easy = fetch->easy;

	curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	/* None is asked for; what is packed all the same is unpacked, within body_max. */
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
	add_header(fetch, "Accept-Language: en");
	add_header(fetch, "Expect:");
	if (fetch->content_type != NULL) {
		AUTO(auto_free) char *line = xasprintf("Content-Type: %s", fetch->content_type);

		add_header(fetch, line);
	}
	for (struct curl_slist *more = fetch->asked_headers; more != NULL && fetch->hops == 0;
	     more = more->next)
		add_header(fetch, more->data);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
	if (strcmp(fetch->method, "DELETE") == 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method);
	if (strcmp(fetch->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (fetch->body != NULL) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)fetch->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->body);
	}
}

static void fetch_connect(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;
	struct fetch_trust trust = {.bundle = fetch->ca_bundle,
				    .file = fetcher->ca_file,
				    .path = fetcher->ca_path,
				    .skip = fetch->flags.skip_tls_verify};

	fetch->easy = curl_easy_init();
	if (fetch->easy == NULL) {
		fetch_end(fetch, FETCH_BROKEN, "out of memory");
		return;
	}
	set_callbacks(fetch);
	set_limits(fetch);
	fetch_tls_set(fetch->easy, &trust, &fetch->tls);
	set_request(fetch);
	curl_easy_setopt(fetch->easy, CURLOPT_RESOLVE, fetch->resolve);
	curl_easy_setopt(fetch->easy, CURLOPT_CONNECT_TO, fetch->connect_to);
	timer_set(fetcher->loop, &fetch->timer, fetch->deadline);
	if (curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK)
		fetch_end(fetch, FETCH_BROKEN, "%s: the request could not be started",
			  fetch->target.host);
}

/* ---- one request: where it may go ---- */

static void end_denied(struct fetch *fetch)
{
	fetch_end(fetch, FETCH_DENIED, "%s leads to an address that must not be asked",
		  fetch->target.host);
}

/* "[::1]" or "127.0.0.1", as curl writes addresses. */
static void curl_address(const struct sock_addr *addr, char out[SOCK_ADDR_TEXT + 2])
{
	char text[SOCK_ADDR_TEXT];

	sock_addr_ip_text(addr, text);
	snprintf(out, SOCK_ADDR_TEXT + 2, addr->u.any.sa_family == AF_INET6 ? "[%s]" : "%s", text);
}

static void connect_to_addresses(struct fetch *fetch, const struct dns_answer *answer)
{
	struct buf entry;
	size_t allowed = 0;

	buf_init(&entry, 8192);
	/* "+": forgotten after DNS_CACHE_SECONDS, so that the cache does not grow. */
	buf_addf(&entry, "+%s:%u:", fetch->target.host, fetch->target.port);
	for (size_t i = 0; i < answer->count; i++) {
		char text[SOCK_ADDR_TEXT + 2];

		if (!address_allowed(fetch, &answer->addrs[i]))
			continue;
		curl_address(&answer->addrs[i], text);
		buf_addf(&entry, allowed == 0 ? "%s" : ",%s", text);
		allowed++;
	}
	fetch->resolve = curl_slist_append(NULL, buf_cstr(&entry));
	buf_deinit(&entry);
	if (allowed == 0)
		end_denied(fetch);
	else
		fetch_connect(fetch);
}

static void on_resolved(void *arg, const struct dns_answer *answer)
{
	struct fetch *fetch = arg;

	fetch->query = NULL;
	if (answer->status != DNS_OK || answer->count == 0)
		fetch_end(fetch, FETCH_DNS, "%s does not resolve: %s", fetch->target.host,
			  dns_status_text(answer->status));
	else
		connect_to_addresses(fetch, answer);
}

static bool use_pin(struct fetch *fetch, struct sock_addr *addr)
{
	char text[SOCK_ADDR_TEXT + 2], entry[SOCK_ADDR_TEXT + 16];
	uint16_t port = fetch->target.port;

	if (fetch->pin.len == 0 || strcmp(fetch->pin_host, fetch->target.host) != 0)
		return false;
	if (port == fetch->pin_port)
		port = sock_addr_port(&fetch->pin);
	*addr = fetch->pin;
	curl_address(&fetch->pin, text);
	snprintf(entry, sizeof(entry), "::%s:%u", text, port);
	fetch->connect_to = curl_slist_append(NULL, entry);
	return true;
}

static void fetch_begin_hop(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;
	struct sock_addr addr;
	struct err err;

	fetch->sends = 0;
	fetch->again_refused = false;
	fetch->answer.sent = false;
	fetch->header_bytes = 0;
	buf_reset(&fetch->received);
	forget_fields(fetch);
	if (url_read(sv_from(fetch->url), &fetch->target, &err) != 0) {
		fetch_end(fetch, FETCH_DENIED, "%s", err.msg);
		return;
	}
	if (fetch->hops == 0) {
		memcpy(fetch->pin_host, fetch->target.host, sizeof(fetch->pin_host));
		fetch->pin_port = fetch->target.port;
	}
	if (use_pin(fetch, &addr) || url_address(&fetch->target, &addr)) {
		if (address_allowed(fetch, &addr))
			fetch_connect(fetch);
		else
			end_denied(fetch);
		return;
	}
	int64_t limit = loop_now(fetcher->loop) + CONNECT_MS;

	timer_set(fetcher->loop, &fetch->timer, limit < fetch->deadline ? limit : fetch->deadline);
	fetch->query = dns_lookup(fetcher->dns, sv_from(fetch->target.host), fetch->target.port,
				  false, on_resolved, fetch);
}

/* ---- one request: what curl says at its end ---- */

static bool is_redirect(const struct fetch *fetch)
{
	long status = fetch->answer.status;

	return fetch->flags.follow_redirects && fetch->body == NULL &&
	       fetch->fields[FIELD_LOCATION] != NULL &&
	       (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static void follow(struct fetch *fetch)
{
	AUTO(auto_free)
	char *next = url_resolve(fetch->url, sv_from(fetch->fields[FIELD_LOCATION]));
	struct url target;

	if (next == NULL || url_read(sv_from(next), &target, NULL) != 0) {
		fetch_end(fetch, FETCH_DENIED, "%s redirects to something that is no URL",
			  fetch->target.host);
		return;
	}
	if (fetch->target.https && !target.https) {
		fetch_end(fetch, FETCH_DENIED,
			  "redirected from https to %.150s, which is not followed", next);
		return;
	}
	if (fetch->hops++ >= REDIRECTS_MAX) {
		fetch_end(fetch, FETCH_DENIED, "more than %d redirects, the last to %.150s",
			  REDIRECTS_MAX, next);
		return;
	}
	free(fetch->url);
	fetch->url = TAKE(next);
	release_easy(fetch);
	fetch_begin_hop(fetch);
}

static void end_failed(struct fetch *fetch, CURLcode code)
{
	enum fetch_failure failure = fetch_failure_of(code, fetch->curl_error, fetch->too_big);
	const char *host = fetch->target.host;
	const char *why =
		fetch->curl_error[0] != '\0' ? fetch->curl_error : curl_easy_strerror(code);

	if (fetch->again_refused) {
		fetch->answer.reused = true;
		fetch_end(fetch, FETCH_BROKEN, "%s closed the kept connection under the request",
			  host);
	} else if (failure == FETCH_TOO_BIG) {
		fetch_end(fetch, failure, "%s: the answer is over the limit of %zu KiB", host,
			  fetch->body_max >> 10);
	} else if (failure == FETCH_TLS && fetch->tls.certificate[0] != '\0') {
		fetch_end(fetch, failure, "%s: %s; %s", host, why, fetch->tls.certificate);
	} else {
		fetch_end(fetch, failure, "%s: %s", host, why);
	}
}

void fetch_completed(struct fetch *fetch, CURLcode code)
{
	long connects = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &fetch->answer.status);
	curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &connects);
	fetch->answer.reused = connects == 0;
	if (code != CURLE_OK) {
		fetch->answer.status = 0;
		end_failed(fetch, code);
	} else if (is_redirect(fetch)) {
		follow(fetch);
	} else {
		fetch_end(fetch, FETCH_FINE, "%s", "");
	}
}

/* ---- one request: its begin ---- */

static char *dup_or_null(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
			  fetch_done_fn *done, void *arg)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));

	fetch->fetcher = fetcher;
	fetch->done = done;
	fetch->arg = arg;
	fetch->flags = *request;
	if (fetch->flags.timeout_ms <= 0)
		fetch->flags.timeout_ms = TOTAL_MS;
	fetch->method = xstrdup(request->method);
	fetch->url = xstrdup(request->url);
	fetch->content_type = dup_or_null(request->content_type);
	fetch->ca_bundle = dup_or_null(request->ca_bundle);
	fetch->body = strcmp(request->method, "POST") == 0 ? sv_dup(request->body) : NULL;
	fetch->body_len = request->body.len;
	fetch->body_max = request->body_max == 0 ? FETCH_BODY_MAX : request->body_max;
	if (request->pin != NULL)
		fetch->pin = *request->pin;
	buf_init(&fetch->received, fetch->body_max);
	timer_init(&fetch->timer, on_fetch_timer);
	for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
		fetch->asked_headers = curl_slist_append(fetch->asked_headers, request->headers[i]);
	fetch->deadline = loop_now(fetcher->loop) + fetch->flags.timeout_ms;
	list_append(&fetcher->running, &fetch->link);
	fetch_begin_hop(fetch);
	return fetch;
}
