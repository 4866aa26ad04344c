#include "daemon/wire.h"

#include "config.h"

#include "acme/fetch.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/own.h"
#include "controller/controller.h"
#include "daemon/manifests.h"
#include "daemon/notify.h"
#include "daemon/process_metrics.h"
#include "dataplane/plane.h"
#include "loop/dns.h"
#include "loop/jobs.h"
#include "loop/loop.h"
#include "loop/signal.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process { /* everything there is, in order of birth */
	const struct options *options;
	int64_t started; /* seconds since the epoch */
	struct loop *loop;
	struct signals *signals;
	struct store *store;
	struct dns *dns;
	struct jobs *jobs;
	struct fetcher *fetcher;
	struct address_rules *rules;
	int access_fd;
	struct plane *plane;
	struct controllers *controllers;
	struct manifests *manifests; /* NULL without --manifests */
	struct api *api;
	bool opening, serving, stopping;
	struct err failure; /* why it ends, when it ends by itself */
};

static const char *value_of(const struct process *process, enum setting setting)
{
	return process->options->values[setting];
}

static void end_with(struct process *process, const struct err *err)
{
	process->failure = *err;
	loop_stop(process->loop);
}

/* ---- between the rooms ---- */

static void acknowledged(void *arg, uint64_t generation)
{
	struct process *process = arg;

	if (process->controllers != NULL)
		controllers_acknowledged(process->controllers, generation);
}

static void challenge_fetched(void *arg, struct str_view token)
{
	struct process *process = arg;

	if (process->controllers != NULL)
		controllers_challenge_fetched(process->controllers, token);
}

static void settle(void *arg, uint64_t revision, void (*done)(void *done_arg), void *done_arg)
{
	controllers_settle(((struct process *)arg)->controllers, revision, done, done_arg);
}

static void settle_cancel(void *arg, void *done_arg)
{
	controllers_settle_cancel(((struct process *)arg)->controllers, done_arg);
}

static void metrics_text(void *arg, struct buf *out)
{
	struct process *process = arg;
	struct err why;

	process_metrics(out, process->started);
	plane_metrics(process->plane, out);
	controllers_metrics(process->controllers, out);
	metric_head(out, "sallyport_store_healthy", "gauge",
		    "1 while changes can be written to the state directory.");
	metric_sample(out, "sallyport_store_healthy", "",
		      store_healthy(process->store, &why) ? 1 : 0);
	metric_head(out, "sallyport_store_revision", "gauge", "Revision of the last change.");
	metric_sample(out, "sallyport_store_revision", "", (double)store_revision(process->store));
}

static bool ready(void *arg, struct err *why)
{
	struct process *process = arg;

	if (process->stopping) {
		err_set(why, ERR_DENIED, "stopping");
		return false;
	}
	if (!controllers_ready(process->controllers)) {
		err_set(why, ERR_DENIED, "the first configuration is not served yet");
		return false;
	}
	return store_healthy(process->store, why);
}

/* ---- serving: what exists, then the folder, then the door ---- */

static void open_api(void *arg)
{
	struct process *process = arg;
	struct api_config config = {
		.loop = process->loop,
		.store = process->store,
		.socket_path = value_of(process, SET_SOCKET),
		.socket_group = value_of(process, SET_SOCKET_GROUP),
		.metrics = process->options->metrics.len > 0 ? &process->options->metrics : NULL,
		.settle = settle,
		.settle_cancel = settle_cancel,
		.metrics_text = metrics_text,
		.ready = ready,
		.arg = process};
	struct err err = {.code = ERR_NONE};

	process->api = api_start(&config, &err);
	if (process->api == NULL) {
		end_with(process, &err);
		return;
	}
	process->serving = true;
	log_info("daemon", "ready: control socket %s", config.socket_path);
	notify_ready();
	notify_status("serving");
}

/* Once: a SIGHUP before the door is open has the folder applied a second time. */
static void open_door(struct process *process)
{
	if (process->opening)
		return;
	process->opening = true;
	controllers_settle(process->controllers, store_revision(process->store), open_api, process);
}

static void folder_applied(void *arg, unsigned refused)
{
	struct process *process = arg;

	if (process->serving) {
		notify_ready(); /* ends the reload */
		notify_status(refused > 0 ? "serving; %u files of manifests refused, see the log"
					  : "serving",
			      refused);
		return;
	}
	open_door(process);
}

static void premade(void *arg)
{
	struct process *process = arg;

	if (process->manifests != NULL)
		manifests_apply(process->manifests, folder_applied, process);
	else
		open_api(process);
}

/* ---- signals ---- */

static int open_access_log(const struct process *process, struct err *err)
{
	const char *where = value_of(process, SET_ACCESS_LOG);
	int fd = -1;

	if (strcmp(where, "off") == 0)
		return -1;
	if (strcmp(where, "journal") == 0)
		fd = notify_journal();
	else
		fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd < 0)
		err_set(err, ERR_IO,
			"access-log %s: cannot write it as uid %u: %s; make its directory for that "
			"user (the systemd unit has /var/log/sallyport), or name another file",
			where, (unsigned)geteuid(), strerror(errno));
	return fd;
}

static void reopen_access_log(struct process *process)
{
	struct err err = {.code = ERR_NONE};
	int fd = open_access_log(process, &err), old = process->access_fd;

	if (fd < 0) {
		if (err.code != ERR_NONE)
			log_error("daemon", "%s (the old one stays open)", err.msg);
		return;
	}
	plane_reopen_access(process->plane, fd); /* the workers write to copies of their own */
	if (old >= 0)
		close(old);
	process->access_fd = fd;
}

static void drained(void *arg)
{
	loop_stop(((struct process *)arg)->loop);
}

static void stop(struct process *process, int number)
{
	if (process->stopping) {
		log_warn("daemon", "signal %d again: stopping at once", number);
		loop_stop(process->loop);
		return;
	}
	process->stopping = true;
	log_info("daemon", "signal %d: stopping", number);
	notify_stopping();
	if (process->api != NULL)
		api_drain(process->api);
	plane_drain(process->plane, drained, process);
}

static void reload(struct process *process)
{
	if (process->manifests == NULL) {
		log_info("daemon", "SIGHUP: there is no folder of manifests to apply again");
		return;
	}
	notify_reloading();
	manifests_apply(process->manifests, folder_applied, process);
}

static void caught(void *arg, int number)
{
	struct process *process = arg;

	if (number == SIGHUP)
		reload(process);
	if (number == SIGHUP || number == SIGUSR1)
		reopen_access_log(process);
	else
		stop(process, number);
}

/* ---- birth ---- */

static int open_basics(struct process *process, struct err *err)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	signal(SIGPIPE, SIG_IGN);
	process->loop = loop_new(err);
	if (process->loop == NULL)
		return -1;
	process->signals =
		signals_new(process->loop, numbers, ARRAY_LEN(numbers), caught, process, err);
	if (process->signals == NULL)
		return -1;
	process->store =
		store_open(process->loop, &engine_sqlite, value_of(process, SET_STATE_DIR), err);
	if (process->store == NULL)
		return -1;
	process->dns = dns_new(process->loop, value_of(process, SET_DNS_SERVERS), err);
	if (process->dns == NULL)
		return -1;
	process->jobs = jobs_new(process->loop, err);
	if (process->jobs == NULL)
		return -1;
	process->fetcher = fetcher_new(process->loop, process->dns, err);
	return process->fetcher == NULL ? -1 : 0;
}

static int open_rules(struct process *process, struct err *err)
{
	const struct options *options = process->options;
	struct address_rules_config config = {.control_socket = value_of(process, SET_SOCKET),
					      .own_listeners = &options->metrics,
					      .own_listener_count = options->metrics.len > 0,
					      .allowed_backends = options->allowed,
					      .allowed_count = options->allowed_count};

	process->rules = rules_new(&config, err);
	if (process->rules == NULL)
		return -1;
	fetcher_rules(process->fetcher, rules_may_dial, process->rules);
	return 0;
}

static int open_plane(struct process *process, struct err *err)
{
	const struct options *options = process->options;
	struct plane_config config = {
		.loop = process->loop,
		.workers = options->workers,
		.limits = options->limits,
		.access_json = strcmp(value_of(process, SET_ACCESS_LOG_FORMAT), "json") == 0,
		.acknowledged = acknowledged,
		.challenge_fetched = challenge_fetched,
		.may_dial = rules_may_dial,
		.may_dial_arg = process->rules,
		.arg = process};

	err->code = ERR_NONE;
	process->access_fd = open_access_log(process, err);
	if (err->code != ERR_NONE)
		return -1;
	config.access_fd = process->access_fd;
	process->plane = plane_start(&config, err);
	return process->plane == NULL ? -1 : 0;
}

static int open_controllers(struct process *process, struct err *err)
{
	const char *hooks = value_of(process, SET_HOOKS_DIR);
	struct controllers_config config = {.loop = process->loop,
					    .store = process->store,
					    .plane = process->plane,
					    .jobs = process->jobs,
					    .dns = process->dns,
					    .fetcher = process->fetcher,
					    .rules = process->rules,
					    .hooks = hooks,
					    .alert_hook = value_of(process, SET_ALERT_HOOK),
					    .alert_webhook = value_of(process, SET_ALERT_WEBHOOK),
					    .own_hooks = strcmp(hooks, HOOKS_DIR) != 0};

	process->controllers = controllers_start(&config, err);
	if (process->controllers == NULL)
		return -1;
	if (value_of(process, SET_MANIFESTS) != NULL)
		process->manifests = manifests_new(process->loop, process->store,
						   value_of(process, SET_MANIFESTS));
	controllers_settle(process->controllers, store_revision(process->store), premade, process);
	return 0;
}

/* ---- death: the other way round ---- */

static void close_all(struct process *process)
{
	api_free(process->api);
	manifests_free(process->manifests);
	controllers_free(process->controllers);
	plane_free(process->plane);
	rules_free(process->rules);
	fetcher_free(process->fetcher);
	jobs_free(process->jobs);
	dns_free(process->dns);
	store_close(process->store);
	signals_free(process->signals);
	loop_free(process->loop);
	if (process->access_fd >= 0)
		close(process->access_fd);
}

int daemon_run(const struct options *options, struct err *err)
{
	struct process process = {.options = options, .started = clock_wall(), .access_fd = -1};
	int result = -1;

	if (open_basics(&process, err) == 0 && open_rules(&process, err) == 0 &&
	    open_plane(&process, err) == 0 && open_controllers(&process, err) == 0) {
		log_info("daemon", "sallyportd " PACKAGE_VERSION ": %u workers, state in %s",
			 options->workers, options->values[SET_STATE_DIR]);
		result = loop_run(process.loop);
		if (process.failure.code != ERR_NONE) {
			*err = process.failure;
			result = -1;
		}
	}
	close_all(&process);
	return result;
}
