/* Many certificates due at once, of a CA of one's own: the loop stays responsive. MANY=2000 shows
 * time, memory and latency. */
#include "certlab.h"

#include <sys/resource.h>

#define TICK_MS 5

static const char issuer[] = "apiVersion: cert-manager.io/v1\n"
			     "kind: Issuer\n"
			     "metadata: {name: self}\n"
			     "spec: {selfSigned: {}}\n"
			     "---\n"
			     "apiVersion: cert-manager.io/v1\n"
			     "kind: Certificate\n"
			     "metadata: {name: root}\n"
			     "spec:\n"
			     "  secretName: root\n"
			     "  isCA: true\n"
			     "  commonName: Test root\n"
			     "  privateKey: {algorithm: ECDSA}\n"
			     "  issuerRef: {name: self}\n"
			     "---\n"
			     "apiVersion: cert-manager.io/v1\n"
			     "kind: Issuer\n"
			     "metadata: {name: ca}\n"
			     "spec: {ca: {secretName: root}}\n";

static size_t wanted_count(void)
{
	const char *text = getenv("MANY");
	uint64_t count = 60;

	(void)sv_to_u64(sv_from(text), &count);
	return (size_t)count;
}

struct ticker { /* how late the loop comes to a timer */
	struct timer timer;
	struct loop *loop;
	int64_t due, worst;
};

static void tick(struct timer *timer)
{
	struct ticker *ticker = CONTAINER_OF(timer, struct ticker, timer);
	int64_t late = clock_mono_ms() - ticker->due;

	ticker->worst = late > ticker->worst ? late : ticker->worst;
	ticker->due = clock_mono_ms() + TICK_MS;
	timer_in(ticker->loop, timer, TICK_MS);
}

static void apply_all(struct certlab *lab, size_t count)
{
	for (size_t first = 0; first < count; first += 100) {
		struct buf text;

		buf_init(&text, 16 << 20);
		for (size_t i = first; i < first + 100 && i < count; i++)
			buf_addf(
				&text,
				"---\napiVersion: cert-manager.io/v1\nkind: Certificate\n"
				"metadata: {name: c%zu}\nspec: {secretName: c%zu, dnsNames: "
				"[c%zu.example], privateKey: {algorithm: ECDSA}, issuerRef: {name: "
				"ca}}\n",
				i, i, i);
		certlab_apply(lab, buf_cstr(&text));
		buf_deinit(&text);
	}
}

struct all {
	size_t count, ready;
	int64_t revision;
};

static bool count_ready(void *arg, const struct object *cert)
{
	struct all *all = arg;

	all->ready += condition_is_true(cert->json, "Ready") &&
		      !condition_is_true(cert->json, "Issuing") &&
		      json_int_at(cert->json, "status.revision", 0) >= all->revision;
	return true;
}

static bool all_ready(struct certlab *lab, const void *arg)
{
	struct all all = *(const struct all *)arg;

	if (store_pending(lab->store) > 0 || !queue_idle(lab->ctl->queue))
		return false;
	all.ready = 0;
	store_each(lab->store, SV("cert-manager.io/certificates/default/c"), count_ready, &all);
	return all.ready == all.count;
}

static void measure(struct certlab *lab, const char *what, const struct all *all)
{
	struct ticker ticker = {.loop = lab->loop, .due = clock_mono_ms() + TICK_MS};
	int64_t begun = clock_mono_ms();
	struct rusage usage;

	timer_init(&ticker.timer, tick);
	timer_in(lab->loop, &ticker.timer, TICK_MS);
	if (!certlab_wait(lab, all_ready, all, 300000))
		fail_msg("%s: not all of them came", what);
	timer_stop(lab->loop, &ticker.timer);
	getrusage(RUSAGE_SELF, &usage);
	print_message("%s: %zu certificates in %lld ms, the loop at most %lld ms late, %ld MiB\n",
		      what, all->count, (long long)(clock_mono_ms() - begun),
		      (long long)ticker.worst, usage.ru_maxrss / 1024);
}

static bool trigger(void *arg, const struct object *cert)
{
	struct certlab *lab = arg;
	AUTO(auto_json) json_t *copy = json_deep_copy(cert->json);

	json_set_at(copy, "status.conditions.1",
		    json_pack("{s:s, s:s, s:s, s:s}", "type", "Issuing", "status", "True", "reason",
			      "ManuallyTriggered", "message", "by hand"));
	store_put(lab->store, sv_from(cert->key), copy, cert->revision, NULL, NULL);
	return true;
}

static void test_many(void **state)
{
	struct all all = {.count = wanted_count(), .revision = 1};
	struct certlab lab;
	size_t requests;

	(void)state;
	certlab_open(&lab, NULL, "127.0.0.1:9");
	certlab_start(&lab);
	certlab_apply(&lab, issuer);
	certlab_expect(&lab, CERT_KEY("root"), "Ready", "True/Ready");
	apply_all(&lab, all.count);
	measure(&lab, "new", &all);
	all.revision = 2;
	store_each(lab.store, SV("cert-manager.io/certificates/default/c"), trigger, &lab);
	measure(&lab, "renewed", &all);
	certlab_settle(&lab);
	requests = store_count(lab.store, SV("cert-manager.io/certificaterequests/default/c"));
	assert_int_equal(requests, all.count); /* those of the last time have gone */
	assert_int_equal(store_count(lab.store, SV("core/secrets/default/c")), all.count);
	certlab_kill(&lab);
	certlab_start(&lab);
	measure(&lab, "started", &all);
	certlab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
