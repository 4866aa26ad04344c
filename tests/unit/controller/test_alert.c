/* A certificate that is not renewed: the condition, the script and the webhook. */
#include "certlab.h"

#include "controller/alert.h"
#include "controller/renewal.h"

#include <sys/stat.h>
#include <unistd.h>

#define DAY INT64_C(86400)

static void test_alarm(void **state)
{
	static const struct {
		int64_t now; /* of 30 days between renewal and end */
		enum renewal_alarm want;
		int64_t next;
	} cases[] = {
		{-DAY, ALARM_NONE, 15 * DAY},        {14 * DAY, ALARM_NONE, 15 * DAY},
		{15 * DAY, ALARM_LATE, 25 * DAY},    {25 * DAY, ALARM_SOON, 30 * DAY},
		{30 * DAY, ALARM_EXPIRED, 30 * DAY},
	};
	int64_t next;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(renewal_alarm(0, 30 * DAY, cases[i].now, &next), cases[i].want);
		assert_int_equal(next, cases[i].next);
	}
	assert_int_equal(renewal_alarm(10, 5, 7, &next), ALARM_EXPIRED);
}

/* A pair that ends in left seconds and is of an issuer that is not there. */
static void apply_pair(struct certlab *lab, int64_t left)
{
	const struct str_view dns = SV("a.example");
	const struct cert_names names = {.dns = &dns, .dns_count = 1};
	AUTO(auto_key) EVP_PKEY *key = key_make(KEY_ECDSA_P256, NULL);
	struct x509_sign_how how = {.issuer_key = key,
				    .not_before = clock_wall() + left - 90 * DAY,
				    .not_after = clock_wall() + left};
	struct cert_chain chain = {.count = 1};
	AUTO(buf_deinit) struct buf csr, pem;
	AUTO(auto_json) json_t *data = key_data("tls.key", key, KEY_PKCS8, NULL);
	AUTO(auto_json) json_t *crt = NULL;
	AUTO(auto_free) char *yaml = NULL;

	buf_init(&csr, ISSUANCE_TEXT_MAX);
	buf_init(&pem, ISSUANCE_TEXT_MAX);
	assert_int_equal(csr_make(key, &names, &csr, NULL), 0);
	chain.certs[0] = cert_sign(buf_view(&csr), &how, NULL);
	assert_non_null(chain.certs[0]);
	assert_int_equal(chain_to_pem(&chain, &pem, NULL), 0);
	chain_deinit(&chain);
	crt = json_base64(buf_view(&pem));
	yaml = xasprintf(
		"apiVersion: v1\n"
		"kind: Secret\n"
		"metadata:\n"
		"  name: site\n"
		"  annotations:\n"
		"    cert-manager.io/certificate-name: site\n"
		"    cert-manager.io/issuer-name: gone\n"
		"    cert-manager.io/alt-names: a.example\n"
		"type: kubernetes.io/tls\n"
		"data: {tls.key: %s, tls.crt: %s}\n"
		"---\n"
		"apiVersion: cert-manager.io/v1\n"
		"kind: Certificate\n"
		"metadata: {name: site}\n"
		"spec: {secretName: site, dnsNames: [a.example], issuerRef: {name: gone},\n"
		"  privateKey: {algorithm: ECDSA}}\n",
		json_string_value(json_object_get(data, "tls.key")), json_string_value(crt));
	certlab_apply(lab, yaml);
}

static void test_condition(void **state)
{
	static const struct {
		int64_t left;
		const char *want;
	} cases[] = {
		{60 * DAY, "none"},     {20 * DAY, "none"},     {14 * DAY, "True/Late"},
		{4 * DAY, "True/Soon"}, {-DAY, "True/Expired"}, {60 * DAY, "none"},
	};
	struct certlab lab;

	(void)state;
	certlab_open(&lab, NULL, "127.0.0.1:9");
	certlab_start(&lab);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		apply_pair(&lab, cases[i].left);
		certlab_settle(&lab);
		certlab_expect(&lab, CERT_KEY("site"), "Expiring", cases[i].want);
	}
	certlab_close(&lab);
}

/* ---- the script ---- */

struct told {
	char folder[64], out[96];
};

static json_t *read_told(const struct told *told)
{
	char text[4096] = "";
	FILE *file = fopen(told->out, "r");

	if (file != NULL) {
		size_t len = fread(text, 1, sizeof(text) - 1, file);

		text[len] = '\0';
		fclose(file);
	}
	return json_loads(text, 0, NULL);
}

static bool has_told(struct certlab *lab, const void *arg)
{
	AUTO(auto_json) json_t *all = read_told(arg);

	(void)lab;
	return all != NULL;
}

static void write_script(struct told *told, const char *more)
{
	AUTO(auto_free) char *path = NULL;
	FILE *file;

	snprintf(told->folder, sizeof(told->folder), "/tmp/sallyport-alert-XXXXXX");
	assert_non_null(mkdtemp(told->folder));
	snprintf(told->out, sizeof(told->out), "%s/out", told->folder);
	path = xasprintf("%s/tell", told->folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\nprintf '%%s' \"$SALLYPORT_ALERT\" >%s.new\nmv %s.new %s\n%s\n",
		told->out, told->out, told->out, more);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

static void drop_script(const struct told *told)
{
	AUTO(auto_free) char *path = xasprintf("%s/tell", told->folder);

	(void)unlink(path);
	(void)unlink(told->out);
	(void)rmdir(told->folder);
}

/* What the batch would do later is done now. */
static void tell_now(struct certlab *lab)
{
	ctl_alert.reconcile(lab->ctl, SV(""));
}

static void test_script(void **state)
{
	struct told told;
	struct certlab lab;
	AUTO(auto_json) json_t *all = NULL;

	(void)state;
	write_script(&told, "");
	certlab_open(&lab, NULL, "127.0.0.1:9");
	lab.hooks = told.folder;
	lab.alert_hook = "tell";
	certlab_start(&lab);
	apply_pair(&lab, 4 * DAY);
	certlab_expect(&lab, CERT_KEY("site"), "Expiring", "True/Soon");
	tell_now(&lab);
	certlab_until(&lab, has_told, &told, "the script to write what it was told");
	all = read_told(&told);
	assert_string_equal(json_str_at(all, "level"), "soon");
	assert_string_equal(json_str_at(all, "certificates.0.name"), "site");
	assert_string_equal(json_str_at(all, "certificates.0.namespace"), "default");
	assert_string_equal(json_str_at(all, "certificates.0.names.0"), "a.example");
	assert_non_null(strstr(json_str_at(all, "certificates.0.message"), "to be renewed at"));
	assert_non_null(json_str_at(all, "certificates.0.notAfter"));
	/* once */
	assert_int_equal(unlink(told.out), 0);
	tell_now(&lab);
	certlab_settle(&lab);
	assert_false(has_told(&lab, &told));
	certlab_close(&lab);
	drop_script(&told);
}

static bool has_failed(struct certlab *lab, const void *arg)
{
	struct buf text;
	bool failed;

	buf_init(&text, 1 << 20);
	ctl_alert.metrics(lab->ctl, &text);
	failed = strstr(buf_cstr(&text), arg) != NULL;
	buf_deinit(&text);
	return failed;
}

static void test_not_delivered(void **state)
{
	static const struct {
		const char *hook, *webhook, *counted;
	} cases[] = {
		{"missing", NULL, "way=\"hook\",result=\"failed\"} 1"},
		{"../tell", NULL, "way=\"hook\",result=\"failed\"} 1"},
		{"tell", NULL, "way=\"hook\",result=\"failed\"} 1"},
		{NULL, "http://127.0.0.1:9/", "way=\"webhook\",result=\"failed\"} 1"},
		{NULL, "nonsense://", "way=\"webhook\",result=\"failed\"} 1"},
	};
	struct told told;

	(void)state;
	write_script(&told, "exit 3");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct certlab lab;

		print_message("%zu\n", i);
		certlab_open(&lab, NULL, "127.0.0.1:9");
		lab.hooks = told.folder;
		lab.alert_hook = cases[i].hook;
		lab.alert_webhook = cases[i].webhook;
		certlab_start(&lab);
		apply_pair(&lab, -DAY);
		certlab_expect(&lab, CERT_KEY("site"), "Expiring", "True/Expired");
		tell_now(&lab);
		certlab_until(&lab, has_failed, cases[i].counted, "the failure to be counted");
		certlab_close(&lab);
	}
	drop_script(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarm),
		cmocka_unit_test(test_condition),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_not_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
