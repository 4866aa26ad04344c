/* daemon/options.h - settings: flag beats environment beats file beats default, each with its
 * origin
 *
 * One row per setting in options.c; sallyportd.yaml(5) documents each.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "base/err.h"
#include "base/log.h"
#include "codec/json.h"
#include "dataplane/plane.h"
#include "loop/sock.h"

#include <stdbool.h>
#include <stdio.h>

#define ALLOWED_BACKENDS_MAX 256
#define HOOKS_DIR            "/etc/sallyport/hooks" /* another one may hold files of the daemon's user */

enum setting {
	SET_STATE_DIR,
	SET_MANIFESTS,
	SET_SOCKET,
	SET_SOCKET_GROUP,
	SET_LISTEN_METRICS,
	SET_WORKERS,
	SET_DNS_SERVERS,
	SET_HOOKS_DIR,
	SET_ALERT_HOOK,
	SET_ALERT_WEBHOOK,
	SET_ACCESS_LOG,
	SET_ACCESS_LOG_FORMAT,
	SET_DRAIN_TIMEOUT,
	SET_LOG_LEVEL,
	SET_LOG_FORMAT,
	SET_COUNT
};

enum options_mode { MODE_RUN, MODE_CHECK, MODE_VERSION, MODE_HELP };

struct options {
	enum options_mode mode;
	const char *config;             /* --config FILE, or NULL */
	char *values[SET_COUNT];        /* owned; NULL: not set */
	const char *origins[SET_COUNT]; /* "default" "file" "environment" "flag" */
	char **files;                   /* --check FILE…; borrowed from argv */
	size_t file_count;
	/* what the values mean */
	unsigned workers;
	struct sock_addr metrics; /* len 0: none */
	struct plane_limits limits;
	enum log_level log_level;
	enum log_format log_format;
	json_t *file; /* the settings file as read, or NULL */
	size_t allowed_count;
	const char *allowed[ALLOWED_BACKENDS_MAX]; /* borrowed from file */
};

/* 0, or -1: err says which setting, where it comes from, and what is allowed. */
int options_read(struct options *options, int argc, char **argv, struct err *err);
void options_deinit(struct options *options);
void options_print(const struct options *options, FILE *out); /* each value with its origin */
void options_help(FILE *out);

#endif
