/* acme/fetcher.c - curl_multi on the loop */
#include "acme/fetcher.h"

#include "base/log.h"
#include "base/own.h"

#include <stdlib.h>

#define HOST_CONNECTIONS 4L  /* at once; one is enough while requests follow each other */
#define ALL_CONNECTIONS  64L /* at once */
#define KEPT_CONNECTIONS 16L /* idle */

struct watched { /* a socket of curl's */
	struct loop_fd watch;
	struct fetcher *fetcher;
};

static void collect(struct fetcher *fetcher)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		struct fetch *fetch = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;

		CURLcode code = msg->data.result;

		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		fetch_completed(fetch, code);
	}
}

static void act(struct fetcher *fetcher, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(fetcher->multi, fd, events, &running);
	collect(fetcher);
}

static void on_ready(struct loop_fd *self, unsigned events)
{
	struct watched *watched = CONTAINER_OF(self, struct watched, watch);
	int flags = 0;

	if (events & LOOP_READ)
		flags |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		flags |= CURL_CSELECT_OUT;
	if (events & LOOP_GONE)
		flags |= CURL_CSELECT_ERR;
	act(watched->fetcher, self->fd, flags);
}

static void on_curl_timer(struct timer *timer)
{
	act(CONTAINER_OF(timer, struct fetcher, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *arg)
{
	struct fetcher *fetcher = arg;

	(void)multi;
	if (delay_ms < 0)
		timer_stop(fetcher->loop, &fetcher->timer);
	else
		timer_in(fetcher->loop, &fetcher->timer, delay_ms);
	return 0;
}

static int watch_socket(struct fetcher *fetcher, curl_socket_t fd, unsigned events)
{
	struct watched *watched = xcalloc(1, sizeof(*watched));
	struct err err;

	watched->watch = (struct loop_fd){.fd = fd, .ready = on_ready};
	watched->fetcher = fetcher;
	if (loop_add(fetcher->loop, &watched->watch, events, &err) != 0) {
		log_error("acme", "cannot watch a connection: %s", err.msg);
		free(watched);
		return -1;
	}
	curl_multi_assign(fetcher->multi, fd, watched);
	return 0;
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetcher *fetcher = arg;
	struct watched *watched = known;
	unsigned events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watched != NULL) {
			loop_remove(fetcher->loop, &watched->watch);
			curl_multi_assign(fetcher->multi, fd, NULL);
			free(watched);
		}
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= LOOP_WRITE;
	if (watched == NULL)
		return watch_socket(fetcher, fd, events);
	return loop_change(fetcher->loop, &watched->watch, events);
}

/* ---- birth and death ---- */

static char *env_dup(const char *name)
{
	const char *value = getenv(name);

	return value == NULL || value[0] == '\0' ? NULL : xstrdup(value);
}

struct fetcher *fetcher_new(struct loop *loop, struct dns *dns, struct err *err)
{
	struct fetcher *fetcher = xcalloc(1, sizeof(*fetcher));

	fetcher->loop = loop;
	fetcher->dns = dns;
	list_init(&fetcher->running);
	list_init(&fetcher->finished);
	task_init(&fetcher->report, fetches_report);
	timer_init(&fetcher->timer, on_curl_timer);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (fetcher->multi = curl_multi_init()) == NULL) {
		free(fetcher);
		err_set(err, ERR_IO, "libcurl could not be set up");
		return NULL;
	}
	fetcher->ca_file = env_dup("SSL_CERT_FILE");
	/* Not beside a file: only a trust store that is one file is kept by curl, and reading one
	 * takes 20 ms for each connection. */
	if (fetcher->ca_file == NULL)
		fetcher->ca_path = env_dup("SSL_CERT_DIR");
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HOST_CONNECTIONS);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, ALL_CONNECTIONS);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
	return fetcher;
}

void fetcher_free(struct fetcher *fetcher)
{
	if (fetcher == NULL)
		return;
	fetches_free(&fetcher->running);
	fetches_free(&fetcher->finished);
	curl_multi_cleanup(fetcher->multi);
	task_cancel(&fetcher->report);
	timer_stop(fetcher->loop, &fetcher->timer);
	free(fetcher->ca_file);
	free(fetcher->ca_path);
	free(fetcher);
	curl_global_cleanup();
}

unsigned fetcher_waits(const struct fetcher *fetcher)
{
	unsigned count = 0;

	LIST_EACH(&fetcher->running, node)
	count++;
	LIST_EACH(&fetcher->finished, node)
	count++;
	return count;
}

void fetcher_rules(struct fetcher *fetcher,
		   bool (*may_dial)(const void *rules, const struct sock_addr *addr),
		   const void *rules)
{
	fetcher->may_dial = may_dial;
	fetcher->rules = rules;
}
