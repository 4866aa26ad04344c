/* tests/api/api_daemon.c - the control API over a store in memory, with a controller that is none
 *
 * usage: [API_DAEMON_GROUP=GROUP] [API_DAEMON_UNSETTLED=1] api_daemon SOCKET [METRICS-ADDRESS:PORT]
 * The namespaces default and sallyport-system are there, and the Service from-file as if it came
 * from a file. The status of a Gateway follows its generation, as a controller's would, and a write
 * is answered when nothing is left to be written. SIGTERM ends it as a daemon should: drained
 * first. SIGUSR1: not ready, SIGUSR2: ready again.
 */
#include "api/api.h"
#include "base/log.h"
#include "base/own.h"
#include "loop/signal.h"
#include "resource/kind.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct waiting {
	struct list link;
	void (*done)(void *arg);
	void *arg;
};

struct fake {
	struct loop *loop;
	struct store *store;
	struct api *api;
	struct store_watch *watch;
	struct timer settle;
	struct list waiting;
	bool unready;
};

/* ---- the controller ---- */

static void on_gateway(void *arg, enum store_change change, const struct object *object,
		       const struct object *before)
{
	struct fake *fake = arg;
	AUTO(auto_json) json_t *copy = NULL;

	(void)before;
	if (change == STORE_DELETED ||
	    json_int_at(object->json, "status.seen", 0) == object_generation(object))
		return;
	copy = json_deep_copy(object->json);
	json_set_at(copy, "status.seen", json_integer(object_generation(object)));
	store_put(fake->store, sv_from(object->key), copy, object->revision, NULL, NULL);
}

static void on_settle(struct timer *timer)
{
	struct fake *fake = CONTAINER_OF(timer, struct fake, settle);

	if (store_pending(fake->store) > 0) {
		timer_in(fake->loop, timer, 1);
		return;
	}
	while (!list_empty(&fake->waiting)) {
		struct waiting *waiting = LIST_ENTRY(fake->waiting.next, struct waiting, link);

		list_remove(&waiting->link);
		waiting->done(waiting->arg);
		free(waiting);
	}
}

static void settle(void *arg, uint64_t revision, void (*done)(void *done_arg), void *done_arg)
{
	struct fake *fake = arg;
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));

	(void)revision;
	waiting->done = done;
	waiting->arg = done_arg;
	list_append(&fake->waiting, &waiting->link);
	timer_in(fake->loop, &fake->settle, 2);
}

static void settle_cancel(void *arg, void *done_arg)
{
	struct fake *fake = arg;

	LIST_EACH(&fake->waiting, node)
	{
		struct waiting *waiting = LIST_ENTRY(node, struct waiting, link);

		if (waiting->arg != done_arg)
			continue;
		list_remove(&waiting->link);
		free(waiting);
	}
}

static void metrics_text(void *arg, struct buf *out)
{
	(void)arg;
	buf_addf(out, "fake_metric 1\n");
}

static bool ready(void *arg, struct err *why)
{
	struct fake *fake = arg;

	if (fake->unready)
		err_set(why, ERR_IO, "told so by a signal");
	return !fake->unready;
}

/* ---- start and end ---- */

static void on_premade(void *arg, const struct object *object, const struct err *err)
{
	struct fake *fake = arg;

	(void)object;
	(void)err;
	if (store_pending(fake->store) == 0)
		loop_stop(fake->loop);
}

static void premake(struct fake *fake, const char *kind, const char *ns, json_t *body)
{
	const struct kind *row = kind_by_gvk(SV("v1"), sv_from(kind));
	struct admission how = {.kind = row, .now = 1};
	AUTO(auto_json) json_t *given = body;
	AUTO(auto_json) json_t *object = NULL;
	AUTO(auto_free) char *key = kind_key(row, ns, json_str_at(body, "metadata.name"));
	struct err err = {.code = ERR_NONE};
	struct causes causes;

	causes_init(&causes);
	object = kind_admit(&how, given, NULL, &causes, &err);
	causes_deinit(&causes);
	if (object == NULL) {
		fprintf(stderr, "api_daemon: %s\n", err.msg);
		exit(1);
	}
	store_put(fake->store, sv_from(key), object, 0, on_premade, fake);
}

static void premake_all(struct fake *fake)
{
	premake(fake, "Namespace", "", json_pack("{s:{s:s}}", "metadata", "name", "default"));
	premake(fake, "Namespace", "",
		json_pack("{s:{s:s}}", "metadata", "name", "sallyport-system"));
	premake(fake, "Service", "default",
		json_pack("{s:{s:s,s:s,s:{s:s}},s:{s:[{s:i}]}}", "metadata", "name", "from-file",
			  "namespace", "default", "annotations", "sallyport.dev/source",
			  "/etc/sallyport/manifests/shop.yaml", "spec", "ports", "port", 80));
	loop_run(fake->loop);
}

static void on_signal(void *arg, int number)
{
	struct fake *fake = arg;

	if (number == SIGUSR1 || number == SIGUSR2) {
		fake->unready = number == SIGUSR1;
		return;
	}
	api_drain(fake->api);
	loop_stop(fake->loop);
}

static int run(struct fake *fake, struct api_config *config)
{
	static const int numbers[] = {SIGTERM, SIGUSR1, SIGUSR2};
	struct err err = {.code = ERR_NONE};
	struct signals *signals =
		signals_new(fake->loop, numbers, ARRAY_LEN(numbers), on_signal, fake, &err);

	if (signals != NULL)
		fake->api = api_start(config, &err);
	if (fake->api == NULL) {
		fprintf(stderr, "api_daemon: %s\n", err.msg);
		signals_free(signals);
		return 1;
	}
	loop_run(fake->loop);
	api_free(fake->api);
	signals_free(signals);
	return 0;
}

static void use(struct fake *fake, int argc, char **argv, struct api_config *config)
{
	static struct sock_addr metrics;

	if (argc > 2 && sock_addr_parse(&metrics, sv_from(argv[2]), 0))
		config->metrics = &metrics;
	config->loop = fake->loop;
	config->store = fake->store;
	config->socket_path = argv[1];
	config->socket_group = getenv("API_DAEMON_GROUP");
	if (getenv("API_DAEMON_UNSETTLED") == NULL) {
		config->settle = settle;
		config->settle_cancel = settle_cancel;
	}
	config->metrics_text = metrics_text;
	config->ready = ready;
	config->arg = fake;
}

int main(int argc, char **argv)
{
	struct err err = {.code = ERR_NONE};
	struct fake fake = {.unready = false};
	struct api_config config = {0};
	int result = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: api_daemon SOCKET [METRICS-ADDRESS:PORT]\n");
		return 2;
	}
	log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, STDERR_FILENO);
	list_init(&fake.waiting);
	timer_init(&fake.settle, on_settle);
	fake.loop = loop_new(&err);
	if (fake.loop != NULL)
		fake.store = store_open(fake.loop, &engine_mem, "", &err);
	if (fake.store == NULL) {
		fprintf(stderr, "api_daemon: %s\n", err.msg);
		loop_free(fake.loop);
		return 1;
	}
	fake.watch = store_watch(fake.store, SV("gateway.networking.k8s.io/gateways/"), on_gateway,
				 &fake);
	premake_all(&fake);
	use(&fake, argc, argv, &config);
	result = run(&fake, &config);
	store_unwatch(fake.watch);
	timer_stop(fake.loop, &fake.settle);
	store_close(fake.store);
	loop_free(fake.loop);
	return result;
}
