#include "certlab.h"

#include "../port.h"
#include "base/list.h"
#include "codec/yaml.h"
#include "loop/jobs.h"

#include <unistd.h>

#define WAIT_MS 60000

static void acknowledged(void *arg, uint64_t generation)
{
	struct certlab *lab = arg;

	if (lab->ctl != NULL)
		controllers_acknowledged(lab->ctl, generation);
}

static void challenge_fetched(void *arg, struct str_view token)
{
	struct certlab *lab = arg;

	if (lab->ctl != NULL)
		controllers_challenge_fetched(lab->ctl, token);
}

void certlab_open(struct certlab *lab, const char *where, const char *dns_servers)
{
	struct address_rules_config rules = {.control_socket = "/run/sallyport/test.sock"};
	struct err err = {0};

	*lab = (struct certlab){.port = port_claim()};
	lab->loop = loop_new(&err);
	lab->store =
		store_open(lab->loop, where == NULL ? &engine_mem : &engine_sqlite, where, &err);
	if (lab->store == NULL)
		fail_msg("%s", err.msg);
	lab->dns = dns_new(lab->loop, dns_servers, &err);
	lab->jobs = jobs_new(lab->loop, &err);
	lab->fetcher = fetcher_new(lab->loop, lab->dns, &err);
	lab->rules = rules_new(&rules, &err);
	if (lab->dns == NULL || lab->jobs == NULL || lab->fetcher == NULL || lab->rules == NULL)
		fail_msg("%s", err.msg);
}

void certlab_start(struct certlab *lab)
{
	struct plane_config plane = {.loop = lab->loop,
				     .workers = 1,
				     .limits = plane_limits_default,
				     .access_fd = -1,
				     .acknowledged = acknowledged,
				     .challenge_fetched = challenge_fetched,
				     .arg = lab};
	struct controllers_config config = {.loop = lab->loop,
					    .store = lab->store,
					    .jobs = lab->jobs,
					    .dns = lab->dns,
					    .fetcher = lab->fetcher,
					    .hooks = lab->hooks,
					    .own_hooks = true,
					    .alert_hook = lab->alert_hook,
					    .alert_webhook = lab->alert_webhook,
					    .events_max = lab->events_max,
					    .rules = lab->rules};
	struct err err = {0};

	lab->plane = plane_start(&plane, &err);
	if (lab->plane == NULL)
		fail_msg("%s", err.msg);
	config.plane = lab->plane;
	lab->ctl = controllers_start(&config, &err);
	if (lab->ctl == NULL)
		fail_msg("%s", err.msg);
}

void certlab_kill(struct certlab *lab)
{
	controllers_free(lab->ctl);
	lab->ctl = NULL;
	plane_free(lab->plane);
	lab->plane = NULL;
}

static bool stored(struct certlab *lab, const void *arg)
{
	(void)arg;
	return store_pending(lab->store) == 0;
}

void certlab_close(struct certlab *lab)
{
	if (lab->ctl != NULL)
		certlab_kill(lab);
	fetcher_free(lab->fetcher);
	jobs_free(lab->jobs);
	dns_free(lab->dns);
	(void)certlab_wait(lab, stored, NULL, WAIT_MS);
	store_close(lab->store);
	rules_free(lab->rules);
	loop_free(lab->loop);
}

/* ---- running ---- */

struct limit {
	struct timer timer;
	struct loop *loop;
};

static void limit_fire(struct timer *timer)
{
	loop_stop(CONTAINER_OF(timer, struct limit, timer)->loop);
}

void certlab_run(struct certlab *lab, int64_t ms)
{
	struct limit limit = {.loop = lab->loop};

	timer_init(&limit.timer, limit_fire);
	timer_in(lab->loop, &limit.timer, ms);
	(void)loop_run(lab->loop);
	timer_stop(lab->loop, &limit.timer);
}

struct watch { /* looks at the end of each turn */
	struct loop_hook hook;
	struct timer limit;
	struct task start; /* a turn to begin with */
	struct certlab *lab;
	certlab_fn *holds;
	const void *arg;
	bool held, late;
};

static void turn_end(struct loop_hook *hook)
{
	struct watch *watch = CONTAINER_OF(hook, struct watch, hook);

	watch->held = watch->held || watch->holds(watch->lab, watch->arg);
	if (watch->held)
		loop_stop(watch->lab->loop);
}

static void watch_late(struct timer *timer)
{
	struct watch *watch = CONTAINER_OF(timer, struct watch, limit);

	watch->late = true;
	loop_stop(watch->lab->loop);
}

static void no_work(struct task *task)
{
	(void)task;
}

bool certlab_wait(struct certlab *lab, certlab_fn *holds, const void *arg, int64_t ms)
{
	struct watch watch = {.lab = lab, .holds = holds, .arg = arg};

	watch.hook.turn_end = turn_end;
	loop_hook_add(lab->loop, &watch.hook);
	timer_init(&watch.limit, watch_late);
	timer_in(lab->loop, &watch.limit, ms);
	task_init(&watch.start, no_work);
	task_defer(lab->loop, &watch.start);
	do /* somebody else may stop the loop: the CA in memory does */
		(void)loop_run(lab->loop);
	while (!watch.held && !watch.late);
	timer_stop(lab->loop, &watch.limit);
	task_cancel(&watch.start);
	loop_hook_remove(&watch.hook);
	return watch.held;
}

void certlab_until(struct certlab *lab, certlab_fn *holds, const void *arg, const char *what)
{
	if (!certlab_wait(lab, holds, arg, WAIT_MS))
		fail_msg("waited in vain for %s", what);
}

static bool rests(struct certlab *lab, const void *arg)
{
	(void)arg;
	return store_pending(lab->store) == 0 && queue_idle(lab->ctl->queue) &&
	       lab->ctl->changes_pending == 0;
}

void certlab_settle(struct certlab *lab)
{
	certlab_run(lab, 1);
	certlab_until(lab, rests, NULL, "the controllers to settle");
}

/* ---- objects ---- */

static void wrote(void *arg, const struct object *object, const struct err *err)
{
	(void)arg;
	(void)object;
	if (err->code != ERR_NONE)
		fail_msg("not stored: %s", err->msg);
}

static void apply_one(struct certlab *lab, const json_t *doc)
{
	const struct kind *kind =
		kind_by_gvk(json_sv_at(doc, "apiVersion"), json_sv_at(doc, "kind"));
	const char *ns = json_str_at(doc, "metadata.namespace");
	AUTO(auto_json) json_t *warnings = json_array(), *made = NULL;
	AUTO(auto_free) char *key = NULL;
	struct admission how = {.kind = kind, .now = clock_wall()};
	const struct object *old;
	struct causes causes;
	struct err err = {0};

	assert_non_null(kind);
	key = kind_key(kind, kind->namespaced ? (ns != NULL ? ns : "default") : "",
		       json_str_at(doc, "metadata.name"));
	old = store_get(lab->store, sv_from(key));
	how.old = old == NULL ? NULL : old->json;
	causes_init(&causes);
	made = kind_admit(&how, doc, warnings, &causes, &err);
	causes_deinit(&causes);
	if (made == NULL)
		fail_msg("%s: %s", key, err.msg);
	store_put(lab->store, sv_from(key), made, old == NULL ? 0 : old->revision, wrote, NULL);
}

static char *filled_in(const struct certlab *lab, const char *yaml)
{
	struct buf out;

	buf_init(&out, 1 << 24);
	for (const char *at = yaml; *at != '\0'; at++) {
		if (strncmp(at, "%P%", 3) == 0) {
			buf_addf(&out, "%u", lab->port);
			at += 2;
		} else {
			buf_addc(&out, *at);
		}
	}
	return buf_detach(&out);
}

void certlab_apply(struct certlab *lab, const char *yaml)
{
	AUTO(auto_free) char *text = filled_in(lab, yaml);
	struct err err = {0};
	AUTO(auto_json) json_t *docs = yaml_parse(sv_from(text), &err);
	json_t *doc;
	size_t i;

	if (docs == NULL)
		fail_msg("%s", err.msg);
	json_array_foreach(docs, i, doc)
	{
		apply_one(lab, doc);
	}
	certlab_until(lab, stored, NULL, "the documents to be stored");
}

void certlab_delete(struct certlab *lab, const char *key)
{
	store_delete(lab->store, sv_from(key), 0, wrote, NULL);
	certlab_until(lab, stored, NULL, "the deletion to be stored");
}

void certlab_set_status(struct certlab *lab, const char *key, const char *path, json_t *value)
{
	const struct object *object = store_get(lab->store, sv_from(key));
	AUTO(auto_json) json_t *copy = NULL;
	AUTO(auto_free) char *full = xasprintf("status.%s", path);

	assert_non_null(object);
	copy = json_deep_copy(object->json);
	json_set_at(copy, full, value);
	store_put(lab->store, sv_from(key), copy, object->revision, wrote, NULL);
	certlab_until(lab, stored, NULL, "the status to be stored");
}

const json_t *certlab_get(struct certlab *lab, const char *key)
{
	const struct object *object = store_get(lab->store, sv_from(key));

	return object == NULL ? NULL : object->json;
}

/* ---- conditions ---- */

const char *certlab_condition(struct certlab *lab, const char *key, const char *type)
{
	static char text[256];
	const json_t *condition =
		condition_find(json_at(certlab_get(lab, key), "status.conditions"), type);

	if (condition == NULL)
		return "none";
	snprintf(text, sizeof(text), "%s/%s", json_str_at(condition, "status"),
		 json_str_at(condition, "reason"));
	return text;
}

struct expected {
	const char *key, *type, *want;
};

static bool has_condition(struct certlab *lab, const void *arg)
{
	const struct expected *expected = arg;

	return strcmp(certlab_condition(lab, expected->key, expected->type), expected->want) == 0;
}

void certlab_expect(struct certlab *lab, const char *key, const char *type, const char *want)
{
	struct expected expected = {key, type, want};

	if (!certlab_wait(lab, has_condition, &expected, WAIT_MS)) {
		AUTO(auto_free) char *text = json_text(json_at(certlab_get(lab, key), "status"));

		fail_msg("%s: %s is %s, not %s: %s", key, type, certlab_condition(lab, key, type),
			 want, text);
	}
}

/* ---- certificates ---- */

void certlab_check_pair(struct certlab *lab, const char *secret_name, const char *name,
			char serial[65])
{
	const struct object *secret = store_get(lab->store, sv_from(secret_name));
	struct str_view dns = sv_from(name);
	struct cert_names names = {.dns = &dns, .dns_count = 1};
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	AUTO(buf_deinit) struct buf pem;
	struct cert_info info;
	struct err err = {0};

	assert_non_null(secret);
	assert_true(secret_value(secret, "tls.crt", &pem));
	key = secret_key(secret, "tls.key", &err);
	if (key == NULL || chain_from_pem(buf_view(&pem), &chain, &err) < 0 ||
	    chain_check(&chain, key, &names, clock_wall(), 300, &err) < 0)
		fail_msg("%s: %s", secret_name, err.msg);
	assert_int_equal(cert_info_read(chain.certs[0], &info, &err), 0);
	memcpy(serial, info.serial, 65);
	cert_info_deinit(&info);
}
