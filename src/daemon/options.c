#include "daemon/options.h"

#include "base/clock.h"
#include "base/nearest.h"
#include "base/own.h"
#include "codec/yaml.h"
#include "controller/rules.h"
#include "daemon/files.h"
#include "loop/dns.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#define WORKERS_MAX 64

static const struct row {
	const char *flag; /* --flag; SALLYPORT_FLAG in the environment */
	const char *key;  /* in sallyportd.yaml */
	const char *preset;
	const char *argument, *help;
} rows[SET_COUNT] = {
	[SET_STATE_DIR] = {"state-dir", "stateDir", "/var/lib/sallyport", "DIR",
			   "where objects, keys and certificates are kept"},
	[SET_MANIFESTS] = {"manifests", "manifests", NULL, "DIR",
			   "apply every *.yaml in it at start and on SIGHUP"},
	[SET_SOCKET] = {"socket", "socket", "/run/sallyport/sallyport.sock", "PATH", "control API"},
	[SET_SOCKET_GROUP] = {"socket-group", "socketGroup", "sallyport", "GROUP",
			      "whose members may use the control API (as good as root)"},
	[SET_LISTEN_METRICS] = {"listen-metrics", "listenMetrics", NULL, "ADDR:PORT",
				"serve /metrics, /readyz and /livez there"},
	[SET_WORKERS] = {"workers", "workers", NULL, "N", "threads that serve (processors)"},
	[SET_DNS_SERVERS] = {"dns-servers", "dnsServers", NULL, "ADDR[:PORT],…",
			     "instead of the system's"},
	[SET_HOOKS_DIR] = {"hooks-dir", "hooksDir", HOOKS_DIR, "DIR",
			   "scripts of root's that solvers may run"},
	[SET_ALERT_HOOK] = {"alert-hook", "alertHook", NULL, "NAME",
			    "script there, run when certificates are not renewed"},
	[SET_ALERT_WEBHOOK] = {"alert-webhook", "alertWebhook", NULL, "URL",
			       "is told when certificates are not renewed"},
	[SET_ACCESS_LOG] = {"access-log", "accessLog", "off", "PATH|journal|off",
			    "a line for each request"},
	[SET_ACCESS_LOG_FORMAT] = {"access-log-format", "accessLogFormat", "text", "text|json",
				   "form of those lines"},
	[SET_DRAIN_TIMEOUT] = {"drain-timeout", "drainTimeout", "20", "SECONDS",
			       "for requests in flight when it stops"},
	[SET_LOG_LEVEL] = {"log-level", "logLevel", "info", "L", "error, warn, info or debug"},
	[SET_LOG_FORMAT] = {"log-format", "logFormat", "text", "text|json", "form of the log"},
};

/* limits: of sallyportd.yaml; sizes and counts are numbers, times are durations ("30s"). */
static const struct limit_row {
	const char *key;
	size_t offset;
	bool is_time;
	int64_t least, most;
} limit_rows[] = {
#define COUNT(key, member, least, most)                                        \
	{                                                                      \
		key, offsetof(struct plane_limits, member), false, least, most \
	}
#define TIME(key, member)                                                             \
	{                                                                             \
		key, offsetof(struct plane_limits, member), true, 100, 7 * 86400000LL \
	}
	COUNT("connections", connections, 1, 10000000),
	COUNT("requestLine", request_line, 256, 32767),
	COUNT("head", head, 1024, 32768),
	COUNT("fields", fields, 8, 1000),
	COUNT("h2Streams", h2_streams, 1, 10000),
	COUNT("buffer", buffer, 16384, 16777216),
	COUNT("upstreamIdle", upstream_idle, 0, 100000),
	COUNT("requestsPerConnection", requests_per_conn, 0, UINT32_MAX),
	COUNT("udpSessions", udp_sessions, 1, 1000000),
	TIME("tlsHandshake", tls_handshake_ms),
	TIME("requestHead", request_head_ms),
	TIME("keepaliveIdle", keepalive_idle_ms),
	TIME("bodyIdle", body_idle_ms),
	TIME("upstreamConnect", upstream_connect_ms),
	TIME("upstreamResponse", upstream_response_ms),
	TIME("upstreamIdleTime", upstream_idle_ms),
	TIME("tunnelIdle", tunnel_idle_ms),
	TIME("udpIdle", udp_idle_ms),
#undef COUNT
#undef TIME
};

/* ---- where values come from ---- */

static void set_value(struct options *options, enum setting setting, const char *value,
		      const char *origin)
{
	free(options->values[setting]);
	options->values[setting] = xstrdup(value);
	options->origins[setting] = origin;
}

static void read_presets(struct options *options)
{
	for (unsigned i = 0; i < SET_COUNT; i++) {
		options->origins[i] = "default";
		if (rows[i].preset != NULL)
			set_value(options, i, rows[i].preset, "default");
	}
}

static void read_environment(struct options *options)
{
	for (unsigned i = 0; i < SET_COUNT; i++) {
		AUTO(auto_free) char *name = xasprintf("SALLYPORT_%s", rows[i].flag);
		const char *value;

		for (char *c = name; *c != '\0'; c++)
			*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
		value = getenv(name);
		if (value != NULL && value[0] != '\0')
			set_value(options, i, value, "environment");
	}
}

enum { FLAG_CONFIG = SET_COUNT, FLAG_CHECK, FLAG_VERSION, FLAG_HELP, FLAG_COUNT };

static int read_flags(struct options *options, int argc, char **argv, struct err *err)
{
	struct option flags[FLAG_COUNT + 1] = {
		[FLAG_CONFIG] = {"config", required_argument, NULL, FLAG_CONFIG},
		[FLAG_CHECK] = {"check", no_argument, NULL, FLAG_CHECK},
		[FLAG_VERSION] = {"version", no_argument, NULL, FLAG_VERSION},
		[FLAG_HELP] = {"help", no_argument, NULL, FLAG_HELP},
	};
	int found;

	for (int i = 0; i < SET_COUNT; i++)
		flags[i] = (struct option){rows[i].flag, required_argument, NULL, i};
	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
		if (found >= 0 && found < SET_COUNT)
			set_value(options, (enum setting)found, optarg, "flag");
		else if (found == FLAG_CONFIG)
			options->config = optarg;
		else if (found == FLAG_CHECK)
			options->mode = MODE_CHECK;
		else if (found == FLAG_VERSION)
			options->mode = MODE_VERSION;
		else if (found == FLAG_HELP)
			options->mode = MODE_HELP;
		else
			return err_set(
				err, ERR_INVALID, "%s: %s; sallyportd --help lists the flags",
				argv[optind - 1], found == ':' ? "needs a value" : "no such flag");
	}
	options->files = argv + optind;
	options->file_count = (size_t)(argc - optind);
	if (options->file_count > 0 && options->mode == MODE_RUN)
		return err_set(
			err, ERR_INVALID,
			"'%s': files are named with --check only; --manifests names a folder",
			argv[optind]);
	return 0;
}

/* ---- the settings file ---- */

static int limit_value(const struct limit_row *row, const json_t *value,
		       struct plane_limits *limits, struct err *err)
{
	int64_t number = json_integer_value(value);
	bool fine = json_is_integer(value);

	if (row->is_time)
		fine = json_is_string(value) &&
		       clock_parse_duration(sv_from(json_string_value(value)), &number);
	if (!fine)
		return err_set(err, ERR_INVALID, "limits.%s: %s is due", row->key,
			       row->is_time ? "a duration such as \"30s\"" : "a whole number");
	if (number < row->least || number > row->most)
		return err_set(err, ERR_INVALID, "limits.%s: must be between %lld and %lld%s",
			       row->key, (long long)row->least, (long long)row->most,
			       row->is_time ? " ms" : "");
	if (row->is_time)
		memcpy((char *)limits + row->offset, &number, sizeof(number));
	else
		memcpy((char *)limits + row->offset, &(uint32_t){(uint32_t)number},
		       sizeof(uint32_t));
	return 0;
}

/* "limits.requestHed: no such limit; is requestHead meant?" */
static int no_such(const char *prefix, const struct nearest *nearest, const char *what,
		   struct err *err)
{
	AUTO(auto_free)
	char *hint = nearest->best == NULL ? NULL : xasprintf("is %s meant?", nearest->best);

	return err_set(err, ERR_INVALID, "%s%.*s: no such %s; %s", prefix, SV_ARG(nearest->word),
		       what, hint != NULL ? hint : "sallyportd.yaml(5) lists them");
}

static int no_such_limit(const char *key, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, sv_from(key));
	for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++)
		nearest_offer(&nearest, limit_rows[i].key);
	return no_such("limits.", &nearest, "limit", err);
}

static int no_such_setting(const char *key, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, sv_from(key));
	nearest_offer(&nearest, "limits");
	nearest_offer(&nearest, "allowedBackends");
	for (unsigned i = 0; i < SET_COUNT; i++)
		nearest_offer(&nearest, rows[i].key);
	return no_such("", &nearest, "setting", err);
}

static int read_limits(struct options *options, json_t *map, struct err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(map))
		return err_set(err, ERR_INVALID, "limits: a map is due");
	json_object_foreach(map, key, value)
	{
		const struct limit_row *row = NULL;

		for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++) {
			if (strcmp(limit_rows[i].key, key) == 0)
				row = &limit_rows[i];
		}
		if (row == NULL)
			return no_such_limit(key, err);
		if (limit_value(row, value, &options->limits, err) < 0)
			return -1;
	}
	return 0;
}

static int read_allowed(struct options *options, const json_t *list, struct err *err)
{
	json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > ALLOWED_BACKENDS_MAX)
		return err_set(err, ERR_INVALID, "allowedBackends: a list of at most %d is due",
			       ALLOWED_BACKENDS_MAX);
	json_array_foreach(list, i, entry)
	{
		if (!json_is_string(entry))
			return err_set(err, ERR_INVALID, "allowedBackends[%zu]: text is due", i);
		options->allowed[options->allowed_count++] = json_string_value(entry);
	}
	return 0;
}

static int read_member(struct options *options, const char *key, json_t *value, struct err *err)
{
	AUTO(auto_free) char *number = NULL;

	if (strcmp(key, "limits") == 0)
		return read_limits(options, value, err);
	if (strcmp(key, "allowedBackends") == 0)
		return read_allowed(options, value, err);
	for (unsigned i = 0; i < SET_COUNT; i++) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		if (json_is_integer(value))
			number = xasprintf("%lld", (long long)json_integer_value(value));
		else if (json_is_false(value)) /* "off" unquoted is a boolean in YAML */
			number = xstrdup("off");
		else if (!json_is_string(value))
			return err_set(err, ERR_INVALID, "%s: text is due (quote it)", key);
		set_value(options, i, number != NULL ? number : json_string_value(value), "file");
		return 0;
	}
	return no_such_setting(key, err);
}

static int read_file(struct options *options, struct err *err)
{
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_json) json_t *docs = NULL;
	size_t len;
	const char *key;
	json_t *value;

	if (options->config == NULL)
		return 0;
	text = file_read(options->config, YAML_TEXT_MAX, &len, err);
	docs = text == NULL ? NULL : yaml_parse(sv_new(text, len), err);
	if (docs == NULL)
		return err_prefix(err, "%s: ", options->config);
	if (json_array_size(docs) == 0)
		return 0;
	options->file = json_incref(json_array_get(docs, 0));
	if (json_array_size(docs) > 1 || !json_is_object(options->file))
		return err_set(err, ERR_INVALID, "%s: one map of settings is due", options->config);
	json_object_foreach(options->file, key, value)
	{
		if (read_member(options, key, value, err) < 0)
			return err_prefix(err, "%s: ", options->config);
	}
	return 0;
}

/* ---- what the values mean ---- */

static int bad_value(const struct options *options, enum setting setting, const char *want,
		     struct err *err)
{
	const char *origin = options->origins[setting];
	bool in_file = strcmp(origin, "file") == 0;

	return err_set(err, ERR_INVALID, "%s '%s' (%s%s%s): %s",
		       in_file ? rows[setting].key : rows[setting].flag, options->values[setting],
		       origin, in_file ? " " : "", in_file ? options->config : "", want);
}

static int interpret_numbers(struct options *options, struct err *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t number = processors < 1             ? 1
			  : processors > WORKERS_MAX ? WORKERS_MAX
						     : (uint64_t)processors;

	if (options->values[SET_WORKERS] != NULL &&
	    (!sv_to_u64(sv_from(options->values[SET_WORKERS]), &number) || number < 1 ||
	     number > WORKERS_MAX))
		return bad_value(options, SET_WORKERS, "a number between 1 and 64 is due", err);
	options->workers = (unsigned)number;
	if (!sv_to_u64(sv_from(options->values[SET_DRAIN_TIMEOUT]), &number) || number > 86400)
		return bad_value(options, SET_DRAIN_TIMEOUT, "seconds, at most 86400, are due",
				 err);
	options->limits.drain_ms = (int64_t)number * 1000;
	return 0;
}

static int interpret_metrics(struct options *options, struct err *err)
{
	const char *text = options->values[SET_LISTEN_METRICS];

	if (text == NULL || (sock_addr_parse(&options->metrics, sv_from(text), 0) &&
			     sock_addr_port(&options->metrics) != 0))
		return 0;
	return bad_value(options, SET_LISTEN_METRICS,
			 "ADDRESS:PORT is due, for example 127.0.0.1:9090", err);
}

static int interpret_paths(struct options *options, struct err *err)
{
	static const enum setting paths[] = {SET_STATE_DIR, SET_SOCKET, SET_ACCESS_LOG,
					     SET_MANIFESTS};
	struct sock_addr addr;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *path = options->values[paths[i]];

		if (path != NULL && path[0] == '\0')
			return bad_value(options, paths[i], "a path is due", err);
	}
	if (sock_addr_unix(&addr, sv_from(options->values[SET_SOCKET])))
		return 0;
	return bad_value(options, SET_SOCKET, "a path of at most 107 bytes is due", err);
}

/* Backends are judged by the rules themselves, so that --check and a start say the same. */
static int interpret_allowed(const struct options *options, struct err *err)
{
	struct address_rules_config config = {.allowed_backends = options->allowed,
					      .allowed_count = options->allowed_count};
	struct address_rules *rules = rules_new(&config, err);

	if (rules == NULL)
		return err_prefix(err, "%s: ", options->config);
	rules_free(rules);
	return 0;
}

static int interpret(struct options *options, struct err *err)
{
	enum log_format access;
	struct err why = {.code = ERR_NONE};

	if (interpret_paths(options, err) < 0 || interpret_metrics(options, err) < 0 ||
	    interpret_allowed(options, err) < 0)
		return -1;
	if (options->values[SET_DNS_SERVERS] != NULL &&
	    dns_servers_check(options->values[SET_DNS_SERVERS], &why) < 0)
		return bad_value(options, SET_DNS_SERVERS, why.msg, err);
	if (options->values[SET_ALERT_WEBHOOK] != NULL &&
	    !sv_starts(sv_from(options->values[SET_ALERT_WEBHOOK]), SV("https://")) &&
	    !sv_starts(sv_from(options->values[SET_ALERT_WEBHOOK]), SV("http://")))
		return bad_value(options, SET_ALERT_WEBHOOK, "an http or https URL is due", err);
	if (interpret_numbers(options, err) < 0)
		return -1;
	if (!log_level_parse(options->values[SET_LOG_LEVEL], &options->log_level))
		return bad_value(options, SET_LOG_LEVEL, "error, warn, info or debug is due", err);
	if (!log_format_parse(options->values[SET_LOG_FORMAT], &options->log_format))
		return bad_value(options, SET_LOG_FORMAT, "text or json is due", err);
	if (!log_format_parse(options->values[SET_ACCESS_LOG_FORMAT], &access))
		return bad_value(options, SET_ACCESS_LOG_FORMAT, "text or json is due", err);
	return 0;
}

int options_read(struct options *options, int argc, char **argv, struct err *err)
{
	struct options flags = {.mode = MODE_RUN};
	int result;

	memset(options, 0, sizeof(*options));
	options->limits = plane_limits_default;
	read_presets(options);
	result = read_flags(&flags, argc, argv, err);
	options->mode = flags.mode;
	options->config = flags.config;
	options->files = flags.files;
	options->file_count = flags.file_count;
	if (result == 0 && options->mode != MODE_HELP && options->mode != MODE_VERSION)
		result = read_file(options, err);
	if (result == 0)
		read_environment(options);
	for (unsigned i = 0; i < SET_COUNT; i++) { /* flags were read first, and win */
		if (flags.values[i] != NULL)
			set_value(options, i, flags.values[i], "flag");
		free(flags.values[i]);
	}
	return result < 0 ? -1 : interpret(options, err);
}

void options_deinit(struct options *options)
{
	for (unsigned i = 0; i < SET_COUNT; i++)
		free(options->values[i]);
	json_decref(options->file);
}

/* ---- words ---- */

static void print_limits(const struct options *options, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++) {
		const struct limit_row *row = &limit_rows[i];
		const char *at = (const char *)&options->limits + row->offset;
		bool given =
			json_object_get(json_object_get(options->file, "limits"), row->key) != NULL;
		int64_t time;
		uint32_t count;

		memcpy(&time, at, row->is_time ? sizeof(time) : 0);
		memcpy(&count, at, sizeof(count));
		if (row->is_time)
			fprintf(out, "limits.%-22s %-34lld %s\n", row->key, (long long)time,
				given ? "file (ms)" : "default (ms)");
		else
			fprintf(out, "limits.%-22s %-34u %s\n", row->key, count,
				given ? "file" : "default");
	}
}

void options_print(const struct options *options, FILE *out)
{
	for (unsigned i = 0; i < SET_COUNT; i++) {
		AUTO(auto_free) char *workers = xasprintf("%u", options->workers);
		const char *value = options->values[i];

		if (i == SET_WORKERS)
			value = workers;
		fprintf(out, "%-29s %-34s %s\n", rows[i].key, value != NULL ? value : "-",
			options->origins[i]);
	}
	print_limits(options, out);
	for (size_t i = 0; i < options->allowed_count; i++)
		fprintf(out, "%-29s %-34s file\n", "allowedBackends", options->allowed[i]);
}

void options_help(FILE *out)
{
	fprintf(out, "usage: sallyportd [FLAG…]\n"
		     "       sallyportd --check [FLAG…] [FILE…]\n\n"
		     "Gateway and certificates of one host; see sallyportd(8).\n\n");
	for (unsigned i = 0; i < SET_COUNT; i++) {
		fprintf(out, "  --%s %s\n        %s", rows[i].flag, rows[i].argument, rows[i].help);
		if (rows[i].preset != NULL)
			fprintf(out, " (default %s)", rows[i].preset);
		fputc('\n', out);
	}
	fprintf(out, "  --config FILE\n        settings, see sallyportd.yaml(5); "
		     "without it no file is read\n"
		     "  --check [FILE…]\n        print the settings with their origin, or check "
		     "manifests, and end\n"
		     "  --version\n  --help\n");
}
