/* cli/client.c - HTTP requests over the control socket */
#include "cli/client.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/own.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Writes are answered within 200 ms: after so long the daemon hangs. */
#define CALL_TIMEOUT_MS    60000L
#define CONNECT_TIMEOUT_MS 5000L
#define WATCH_POLL_MS      1000
#define FAILURE_TEXT_MAX   (64u << 10) /* of a watch that is refused */

struct client {
	CURL *curl; /* of calls; keeps its connection */
	char *socket_path;
	client_warn_fn *warn;
	void *warn_arg;
};

struct client *client_new(const char *socket_path, client_warn_fn *warn, void *arg)
{
	struct client *client = xcalloc(1, sizeof(*client));

	(void)curl_global_init(CURL_GLOBAL_NOTHING); /* no TLS here */
	client->socket_path = xstrdup(socket_path);
	client->warn = warn;
	client->warn_arg = arg;
	return client;
}

void client_free(struct client *client)
{
	if (client == NULL)
		return;
	curl_easy_cleanup(client->curl);
	free(client->socket_path);
	free(client);
}

/* ---- what went wrong ---- */

/* libcurl does not always keep the reason: asked again, in the same words. */
static int connect_errno(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(auto_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

static int fail_connect(const struct client *client, struct err *err)
{
	int why = connect_errno(client->socket_path);

	if (why == EACCES || why == EPERM)
		return err_set(err, ERR_DENIED,
			       "cannot connect to %s: %s; add yourself to group sallyport "
			       "(sudo usermod -aG sallyport USER, then log in again)",
			       client->socket_path, strerror(why));
	return err_set(err, ERR_IO,
		       "cannot connect to %s: %s; is sallyportd running? "
		       "(systemctl status sallyportd)",
		       client->socket_path, why == 0 ? "it went away" : strerror(why));
}

static int fail_curl(const struct client *client, CURLcode code, struct err *err)
{
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return fail_connect(client, err);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, ERR_TIMEOUT,
			       "sallyportd at %s does not answer (journalctl -u sallyportd)",
			       client->socket_path);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return err_set(err, ERR_IO,
			       "the connection to %s ended before the answer; did sallyportd stop? "
			       "(systemctl status sallyportd)",
			       client->socket_path);
	default:
		return err_set(err, ERR_PROTOCOL, "%s: %s", client->socket_path,
			       curl_easy_strerror(code));
	}
}

static int check_path(const char *path, struct err *err)
{
	if (path[0] == '\0')
		return err_set(err, ERR_INVALID,
			       "the path of the control socket is empty "
			       "(--socket, SALLYPORT_SOCKET)");
	if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return 0;
	return err_set(err, ERR_INVALID, "%s: the path of a socket has at most %zu bytes", path,
		       sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
}

/* ---- headers ---- */

/* Warning: 299 - "text", with \" and \\ in it (RFC 7234, section 5.5). */
static void read_warning(const struct client *client, struct str_view value)
{
	size_t open = sv_find(value, '"'), close = sv_rfind(value, '"');
	struct buf text;

	if (open == SV_NOT_FOUND || close <= open || client->warn == NULL)
		return;
	buf_init(&text, value.len);
	for (size_t i = open + 1; i < close; i++) {
		if (value.data[i] == '\\' && i + 1 < close)
			i++;
		buf_addc(&text, value.data[i]);
	}
	client->warn(client->warn_arg, buf_view(&text));
	buf_deinit(&text);
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct str_view line = sv_new(data, size * count);
	struct str_view value = line, name = sv_split(&value, ':');

	if (value.data != NULL && sv_eq_nocase(name, SV("Warning")))
		read_warning(arg, value);
	return size * count;
}

/* ---- one request ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct client_answer *answer = arg;

	return buf_add(&answer->body, sv_new(data, size * count)) ? size * count : 0;
}

/* No proxy, no redirect, no signal: one socket, and that path. */
static void set_common(CURL *curl, const struct client *client, const char *path)
{
	AUTO(auto_free) char *url = xasprintf("http://sallyport%s", path);

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
	AUTO(auto_free) char *line = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		abort(); /* out of memory in a small allocation */
	*list = longer;
}

static struct curl_slist *headers_of(const struct client_request *request)
{
	struct curl_slist *list = NULL;

	add_header(&list, "Accept", request->accept == NULL ? "application/json" : request->accept);
	add_header(&list, "Expect", ""); /* large bodies go at once */
	if (request->body.data != NULL)
		add_header(&list, "Content-Type",
			   request->type == NULL ? "application/json" : request->type);
	return list;
}

static void set_request(CURL *curl, const struct client_request *request)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (request->body.data == NULL)
		return;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
}

static CURL *curl_of(struct client *client)
{
	if (client->curl == NULL)
		client->curl = curl_easy_init();
	if (client->curl == NULL)
		abort();               /* out of memory in a small allocation */
	curl_easy_reset(client->curl); /* the connection stays */
	return client->curl;
}

int client_call(struct client *client, const struct client_request *request,
		struct client_answer *answer, struct err *err)
{
	struct curl_slist *headers;
	CURLcode code;
	CURL *curl;

	answer->http = 0;
	buf_init(&answer->body, CLIENT_ANSWER_MAX);
	if (check_path(client->socket_path, err) < 0)
		return -1;
	curl = curl_of(client);
	headers = headers_of(request);
	set_common(curl, client, request->path);
	set_request(curl, request);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->http);
	curl_slist_free_all(headers);
	if (answer->body.spent)
		return err_set(err, ERR_LIMIT, "the answer is over %u bytes", CLIENT_ANSWER_MAX);
	return code == CURLE_OK ? 0 : fail_curl(client, code, err);
}

/* ---- watches ---- */

struct watch {
	struct list link;
	struct watches *watches;
	CURL *curl;
	struct curl_slist *headers;
	struct buf line;
	watch_event_fn *event;
	void *arg;
};

struct watches {
	struct client *client;
	CURLM *multi;
	struct list list;
	bool stopped;
	bool failed;
	struct err err;
};

struct watches *watches_new(struct client *client)
{
	struct watches *watches = xcalloc(1, sizeof(*watches));

	watches->client = client;
	watches->multi = curl_multi_init();
	if (watches->multi == NULL)
		abort(); /* out of memory in a small allocation */
	list_init(&watches->list);
	return watches;
}

void watches_free(struct watches *watches)
{
	if (watches == NULL)
		return;
	while (!list_empty(&watches->list)) {
		struct watch *watch = LIST_ENTRY(watches->list.next, struct watch, link);

		list_remove(&watch->link);
		curl_multi_remove_handle(watches->multi, watch->curl);
		curl_easy_cleanup(watch->curl);
		curl_slist_free_all(watch->headers);
		buf_deinit(&watch->line);
		free(watch);
	}
	curl_multi_cleanup(watches->multi);
	free(watches);
}

static void take_line(struct watch *watch, struct str_view line)
{
	struct watches *watches = watch->watches;
	AUTO(auto_json) json_t *event = NULL;

	if (sv_trim(line).len == 0 || watches->stopped || watches->failed)
		return;
	event = json_parse(line, &watches->err);
	if (event == NULL) {
		err_prefix(&watches->err, "an event of a watch: ");
		watches->failed = true;
		return;
	}
	if (!watch->event(watch->arg, json_sv_at(event, "type"), json_member(event, "object")))
		watches->stopped = true;
}

static size_t on_events(char *data, size_t size, size_t count, void *arg)
{
	struct watch *watch = arg;
	struct watches *watches = watch->watches;
	long http = 0;

	curl_easy_getinfo(watch->curl, CURLINFO_RESPONSE_CODE, &http);
	if (!buf_add(&watch->line, sv_new(data, size * count))) {
		err_set(&watches->err, ERR_LIMIT, "an event of a watch is over %u bytes",
			WATCH_LINE_MAX);
		watches->failed = true;
	}
	while (http == 200 && !watches->failed && !watches->stopped) {
		struct str_view text = buf_view(&watch->line);
		size_t end = sv_find(text, '\n');

		if (end == SV_NOT_FOUND)
			break;
		take_line(watch, sv_head(text, end));
		buf_take(&watch->line, end + 1);
	}
	return watches->failed || watches->stopped ? 0 : size * count;
}

void watches_add(struct watches *watches, const char *path, const char *accept,
		 watch_event_fn *event, void *arg)
{
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->watches = watches;
	watch->event = event;
	watch->arg = arg;
	watch->curl = curl_easy_init();
	if (watch->curl == NULL)
		abort(); /* out of memory in a small allocation */
	buf_init(&watch->line, WATCH_LINE_MAX);
	watch->headers = headers_of(&(struct client_request){.accept = accept});
	set_common(watch->curl, watches->client, path);
	curl_easy_setopt(watch->curl, CURLOPT_HTTPHEADER, watch->headers);
	curl_easy_setopt(watch->curl, CURLOPT_WRITEFUNCTION, on_events);
	curl_easy_setopt(watch->curl, CURLOPT_WRITEDATA, watch);
	curl_easy_setopt(watch->curl, CURLOPT_PRIVATE, (char *)watch);
	list_append(&watches->list, &watch->link);
	curl_multi_add_handle(watches->multi, watch->curl);
}

/* A watch that is refused answers with a Status. */
static enum watch_end end_of(const struct watches *watches, CURL *curl, CURLcode code,
			     struct err *err)
{
	AUTO(auto_json) json_t *status = NULL;
	struct watch *watch = NULL;
	long http = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
	curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&watch);
	if (code == CURLE_OK && http == 200)
		return WATCH_CLOSED;
	if (code == CURLE_OK) {
		status = json_parse(sv_head(buf_view(&watch->line), FAILURE_TEXT_MAX), NULL);
		err_set(err, http == 404 ? ERR_NOT_FOUND : ERR_PROTOCOL, "%s",
			json_str_at(status, "message") != NULL ? json_str_at(status, "message")
							       : "the server refuses to watch");
		return WATCH_FAILED;
	}
	if (http == 200 && code != CURLE_OPERATION_TIMEDOUT)
		return WATCH_CLOSED; /* cut off */
	fail_curl(watches->client, code, err);
	return WATCH_FAILED;
}

static bool find_end(struct watches *watches, enum watch_end *end, struct err *err)
{
	CURLMsg *message;
	int left;

	if (watches->failed) {
		*err = watches->err;
		*end = WATCH_FAILED;
		return true;
	}
	*end = WATCH_STOPPED;
	if (watches->stopped)
		return true;
	message = curl_multi_info_read(watches->multi, &left);
	if (message == NULL)
		return false;
	*end = end_of(watches, message->easy_handle, message->data.result, err);
	return true;
}

enum watch_end watches_run(struct watches *watches, int64_t deadline, struct err *err)
{
	enum watch_end end;
	int running;

	if (check_path(watches->client->socket_path, err) < 0)
		return WATCH_FAILED;
	for (;;) {
		int64_t left = deadline < 0 ? WATCH_POLL_MS : deadline - clock_mono_ms();

		(void)curl_multi_perform(watches->multi, &running);
		if (find_end(watches, &end, err))
			return end;
		if (left <= 0)
			return WATCH_TIMED_OUT;
		(void)curl_multi_poll(watches->multi, NULL, 0,
				      (int)(left < WATCH_POLL_MS ? left : WATCH_POLL_MS), NULL);
	}
}
