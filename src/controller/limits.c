#include "controller/limits.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS_MAX 20000 /* that are counted; the CA knows of more */
#define KEY_MAX  300
#define DUMP_MAX (900u << 10)         /* bytes: a ConfigMap holds 1 MiB */
#define WEEK     (INT64_C(7) * 86400) /* the longest window */

/* ---- rules ---- */

static const struct limits_rules lets_encrypt = {.orders = {300, 3 * 3600},
						 .domain = {50, WEEK},
						 .duplicates = {5, WEEK},
						 .failures = {5, 3600}};

static int take_rule(struct str_view text, struct limits_rules *rules, struct err *err)
{
	const struct {
		struct str_view name;
		struct limit *limit;
	} known[] = {{SV("orders"), &rules->orders},
		     {SV("domain"), &rules->domain},
		     {SV("duplicates"), &rules->duplicates},
		     {SV("failures"), &rules->failures}};
	struct str_view rest = text;
	struct str_view name = sv_trim(sv_split(&rest, '='));
	struct str_view count = sv_trim(sv_split(&rest, '/'));
	uint64_t number;
	int64_t window;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!sv_eq(known[i].name, name) || !sv_to_u64(count, &number) ||
		    !clock_parse_duration(sv_trim(rest), &window) || window < 1000 ||
		    window / 1000 > WEEK || number > LIMIT_COUNT_MAX)
			continue;
		*known[i].limit = (struct limit){(unsigned)number, window / 1000};
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "\"%.*s\" is no limit: orders, domain, duplicates or failures, as "
		       "\"domain=50/168h\", at most %d in at most 168h",
		       SV_ARG(sv_head(text, 80)), LIMIT_COUNT_MAX);
}

int limits_rules_for(struct str_view directory, const char *note, struct limits_rules *rules,
		     struct err *err)
{
	struct str_view rest = sv_from(note);

	*rules = (struct limits_rules){0};
	if (sv_starts(directory, SV("https://acme-v02.api.letsencrypt.org/")))
		*rules = lets_encrypt;
	if (note == NULL)
		return 0;
	*rules = (struct limits_rules){0};
	if (sv_eq(rest, SV("off")))
		return 0;
	while (rest.data != NULL) {
		if (take_rule(sv_trim(sv_split(&rest, ',')), rules, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what was counted: times by key, the newest last ---- */

struct times {
	size_t count, size;
	int64_t *list;
};

struct limits {
	struct map by_key; /* struct times */
};

static void times_free(void *value)
{
	struct times *times = value;

	free(times->list);
	free(times);
}

struct limits *limits_new(void)
{
	struct limits *limits = xcalloc(1, sizeof(*limits));

	map_init(&limits->by_key);
	return limits;
}

void limits_free(struct limits *limits)
{
	if (limits == NULL)
		return;
	map_deinit(&limits->by_key, times_free);
	free(limits);
}

/* Drops what no window holds any more, and what a wrong clock has written. */
static void forget_old(struct times *times, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < times->count; i++) {
		if (times->list[i] > now - WEEK && times->list[i] <= now + 300)
			times->list[kept++] = times->list[i];
	}
	times->count = kept;
}

static void add_time(struct limits *limits, const char *key, int64_t when)
{
	struct times *times = map_get(&limits->by_key, sv_from(key));

	if (times == NULL) {
		if (limits->by_key.count >= KEYS_MAX)
			return;
		times = xcalloc(1, sizeof(*times));
		(void)map_put(&limits->by_key, sv_from(key), times);
	}
	if (times->count == LIMIT_COUNT_MAX) /* only the newest ever matter */
		memmove(times->list, times->list + 1, --times->count * sizeof(*times->list));
	if (times->count == times->size) {
		times->size = times->size == 0 ? 4 : times->size * 2;
		times->list = xrealloc(times->list, times->size * sizeof(*times->list));
	}
	times->list[times->count++] = when;
}

json_t *limits_dump(struct limits *limits, int64_t now)
{
	json_t *dump = json_object();
	struct str_view key;
	size_t size = 0;
	void *value;

	for (size_t it = 0; map_next(&limits->by_key, &it, &key, &value);) {
		struct times *times = value;
		json_t *list;

		forget_old(times, now);
		if (times->count == 0) {
			times_free(map_remove(&limits->by_key, key));
			continue;
		}
		size += key.len + 8 + times->count * 12;
		if (size > DUMP_MAX) /* what is left out the CA knows */
			break;
		list = json_array();
		for (size_t i = 0; i < times->count; i++)
			json_array_append_new(list, json_integer(times->list[i]));
		json_object_setn_new(dump, key.data, key.len, list);
	}
	return dump;
}

void limits_load(struct limits *limits, const json_t *dump)
{
	const char *key;
	json_t *list, *when;
	size_t i;

	json_object_foreach((json_t *)dump, key, list)
	{
		json_array_foreach(list, i, when)
		{
			if (json_is_integer(when) && strlen(key) < KEY_MAX)
				add_time(limits, key, json_integer_value(when));
		}
	}
}

/* ---- keys ---- */

/* Second levels under which country codes register. */
static bool is_second_level(struct str_view label)
{
	static const char *const labels[] = {"ac", "co", "com", "edu", "gob", "gov",
					     "id", "ne", "net", "nom", "or",  "org"};

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (sv_eq_nocase(label, sv_from(labels[i])))
			return true;
	}
	return false;
}

static struct str_view last_labels(struct str_view name, unsigned count)
{
	size_t at = name.len;

	while (at > 0) {
		if (name.data[at - 1] == '.' && --count == 0)
			break;
		at--;
	}
	return sv_skip(name, at);
}

static struct str_view registered_domain(struct str_view name)
{
	struct str_view two = last_labels(name, 2), rest = two;
	struct str_view second = sv_split(&rest, '.');

	return rest.len == 2 && is_second_level(second) ? last_labels(name, 3) : two;
}

static const char *domain_key(char key[KEY_MAX], struct str_view name)
{
	snprintf(key, KEY_MAX, "domain %.*s", SV_ARG(sv_head(registered_domain(name), 253)));
	return key;
}

static const char *failure_key(char key[KEY_MAX], struct str_view name)
{
	snprintf(key, KEY_MAX, "failures %.*s", SV_ARG(sv_head(name, 253)));
	return key;
}

/* In any order: the sum of the hashes. */
static const char *set_key(char key[KEY_MAX], const struct limits_names *names)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < names->count; i++)
		sum += sv_hash(names->dns[i]) * 2 + 1;
	snprintf(key, KEY_MAX, "names %016llx", (unsigned long long)sum);
	return key;
}

/* ---- asking ---- */

/* When there is room again; 0: now. */
static int64_t room_at(const struct limits *limits, const char *key, const struct limit *limit,
		       int64_t now)
{
	const struct times *times = map_get(&limits->by_key, sv_from(key));
	size_t within = 0;

	if (times == NULL || limit->count == 0 || limit->count > LIMIT_COUNT_MAX)
		return 0;
	for (size_t i = times->count; i > 0; i--) {
		int64_t when = times->list[i - 1];

		if (when > now || when <= now - limit->window_s)
			continue;
		if (++within == limit->count)
			return when + limit->window_s;
	}
	return 0;
}

struct asking {
	struct limits *limits;
	int64_t now, wait;
	struct err *err;
};

static void ask(struct asking *asking, const char *key, const struct limit *limit, const char *what,
		struct str_view name)
{
	int64_t at = room_at(asking->limits, key, limit, asking->now);

	if (at <= asking->wait)
		return;
	asking->wait = at;
	err_set(asking->err, ERR_LIMIT,
		"the CA allows %u %s%.*s in %lld hours, and so many were counted here: it is not "
		"asked before there is room",
		limit->count, what, SV_ARG(sv_head(name, 120)),
		(long long)(limit->window_s + 3599) / 3600);
}

/* A registered domain is asked about once, however many of its names there are. */
static bool is_first(const struct limits_names *names, size_t index)
{
	struct str_view domain = registered_domain(names->dns[index]);

	for (size_t i = 0; i < index; i++) {
		if (sv_eq_nocase(registered_domain(names->dns[i]), domain))
			return false;
	}
	return true;
}

int64_t limits_wait(struct limits *limits, const struct limits_rules *rules,
		    const struct limits_names *names, int64_t now, struct err *err)
{
	struct asking asking = {.limits = limits, .now = now, .err = err};
	char key[KEY_MAX];

	for (size_t i = 0; i < names->count; i++)
		ask(&asking, failure_key(key, names->dns[i]), &rules->failures,
		    "failed validations of ", names->dns[i]);
	if (names->replaces)
		return asking.wait;
	ask(&asking, "orders", &rules->orders, "orders of an account", SV(""));
	ask(&asking, set_key(key, names), &rules->duplicates,
	    "certificates for exactly these names", SV(""));
	for (size_t i = 0; i < names->count; i++)
		ask(&asking, domain_key(key, names->dns[i]), &rules->domain, "certificates below ",
		    registered_domain(names->dns[i]));
	return asking.wait;
}

/* ---- counting ---- */

void limits_ordered(struct limits *limits, const struct limits_names *names, int64_t now)
{
	if (!names->replaces)
		add_time(limits, "orders", now);
}

void limits_issued(struct limits *limits, const struct limits_names *names, int64_t now)
{
	char key[KEY_MAX];

	if (names->replaces)
		return;
	add_time(limits, set_key(key, names), now);
	for (size_t i = 0; i < names->count; i++) {
		if (is_first(names, i))
			add_time(limits, domain_key(key, names->dns[i]), now);
	}
}

void limits_failed(struct limits *limits, struct str_view name, int64_t now)
{
	char key[KEY_MAX];

	add_time(limits, failure_key(key, name), now);
}
