/* cli/follow.c - one object, from how it is now through its changes */
#include "cli/follow.h"

#include "base/clock.h"
#include "base/own.h"

#include <poll.h>
#include <stdlib.h>

#define AGAIN_MS 200 /* between two streams: a server that ends each at once is not hammered */

struct round {
	const struct follow *follow;
	bool enough;
};

static bool on_event(void *arg, struct str_view type, const json_t *object)
{
	struct round *round = arg;
	const struct follow *follow = round->follow;

	if (sv_eq(type, SV("BOOKMARK")))
		return true;
	if (sv_eq(type, SV("ERROR")))
		return false; /* too old a version: looked at anew */
	round->enough = !follow->see(follow->arg, sv_eq(type, SV("DELETED")) ? NULL : object);
	return !round->enough;
}

static char *list_path(const struct ref *ref)
{
	AUTO(auto_free) char *field = xasprintf("metadata.name=%s", ref->name);
	char *path = kind_path(ref->kind, ref->ns, NULL, NULL);

	path_add(&path, "fieldSelector", field);
	return path;
}

static enum watch_end watch_from(struct cli *cli, struct round *round, const char *version,
				 struct fault *fault)
{
	const struct follow *follow = round->follow;
	AUTO(auto_free) char *path = list_path(follow->ref);
	struct watches *watches = watches_new(cli->client);
	enum watch_end end;

	path_add(&path, "watch", "true");
	path_add(&path, "resourceVersion", version);
	watches_add(watches, path, NULL, on_event, round);
	if (follow->beside != NULL)
		follow->beside(follow->arg, watches);
	end = watches_run(watches, follow->deadline, &fault->err);
	watches_free(watches);
	return end;
}

/* A pause, unless the time is up before. */
static bool pause_until(int64_t deadline)
{
	int64_t left = deadline < 0 ? AGAIN_MS : deadline - clock_mono_ms();

	if (left <= 0)
		return false;
	(void)poll(NULL, 0, left < AGAIN_MS ? (int)left : AGAIN_MS);
	return true;
}

enum watch_end follow_run(struct cli *cli, const struct follow *follow, struct fault *fault)
{
	struct round round = {.follow = follow};
	AUTO(auto_free) char *path = list_path(follow->ref);

	for (;;) {
		AUTO(auto_json) json_t *list = cli_get(cli, path, fault);
		enum watch_end end;

		if (list == NULL)
			return WATCH_FAILED;
		if (!follow->see(follow->arg, json_at(list, "items.0")))
			return WATCH_STOPPED;
		end = watch_from(cli, &round, json_str_at(list, "metadata.resourceVersion"), fault);
		if (round.enough)
			return WATCH_STOPPED;
		if (end == WATCH_TIMED_OUT || end == WATCH_FAILED)
			return end;
		if (!pause_until(follow->deadline))
			return WATCH_TIMED_OUT;
	}
}

int follow_gone(struct cli *cli, const struct ref *ref, const char *gone)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *object = NULL;
	struct fault fault;

	fault_init(&fault);
	object = cli_get(cli, path, &fault);
	if (object == NULL)
		return cli_fault(cli, &fault, NULL);
	return cli_error(cli, "%s", gone);
}
