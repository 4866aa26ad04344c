/* cli/follow.h - one object, from how it is now through its changes */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/refs.h"

struct follow {
	const struct ref *ref;
	int64_t deadline; /* monotonic milliseconds; negative: none */
	/* The object as it is, NULL while it is absent; then again whenever it changed. False:
	 * enough. */
	bool (*see)(void *arg, const json_t *object);
	/* Adds what is to be watched meanwhile; may be NULL. Called again when a stream was cut. */
	void (*beside)(void *arg, struct watches *watches);
	void *arg;
};

/* WATCH_STOPPED: see has seen enough. WATCH_FAILED: fault says why. */
enum watch_end follow_run(struct cli *cli, const struct follow *follow, struct fault *fault);
/* The object is gone: says so in the server's words, or in gone's when there is another by now.
 * Returns an exit code. */
int follow_gone(struct cli *cli, const struct ref *ref, const char *gone);

#endif
