/* The client and Pebble: certificates, nonces refused, accounts lost and bound, chains chosen. */
#include "acme/account.h"
#include "drive.h"
#include "pebble.h"

#include "base/own.h"
#include "codec/json.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct lab {
	struct pebble pebble;
	struct drive drive;
};

static void open_lab(struct lab *lab)
{
	pebble_start(&lab->pebble);
	drive_init(&lab->drive);
	drive_connect(&lab->drive, lab->pebble.directory, lab->pebble.ca);
}

static void close_lab(struct lab *lab)
{
	drive_deinit(&lab->drive);
	pebble_stop(&lab->pebble);
}

static void test_certificates(void **state)
{
	static const char *const names[] = {"a.example.com", "b.example.com", "127.0.0.1"};
	struct lab lab = {0};
	unsigned before;

	(void)state;
	open_lab(&lab);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		before = pebble_requests(&lab.pebble);
		if (!drive_certificate(&lab.drive, names[i], 1))
			fail_msg("%s: %s", names[i], lab.drive.why);
		/* newOrder, authorization, challenge, finalize, certificate; the polls of the test
		 * come on top: authorization, order, order. The first has directory, nonce,
		 * account. */
		assert_true(pebble_requests(&lab.pebble) - before <= (i == 0 ? 11 : 8));
	}
	close_lab(&lab);
}

static void test_account_is_found_by_its_key(void **state)
{
	struct lab lab = {0};
	char *kid;

	(void)state;
	open_lab(&lab);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	kid = xstrdup(lab.drive.location);
	drive_connect(&lab.drive, lab.pebble.directory, lab.pebble.ca);
	assert_null(acme_client_kid(lab.drive.client));
	assert_int_equal(drive_order(&lab.drive, "a.example.com"), ACME_OK); /* looks it up */
	assert_string_equal(acme_client_kid(lab.drive.client), kid);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	assert_string_equal(lab.drive.location, kid);
	free(kid);
	close_lab(&lab);
}

static void test_half_of_the_nonces_refused(void **state)
{
	struct lab lab = {.pebble.nonce_reject = "50"};

	(void)state;
	open_lab(&lab);
	for (int i = 0; i < 8; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.example.com", i);
		/* Ten refusals in a row are one in a thousand: a second attempt is allowed. */
		if (!drive_certificate(&lab.drive, name, 3))
			fail_msg("%s: %s", name, lab.drive.why);
	}
	close_lab(&lab);
}

static void test_the_ca_forgets_everything(void **state)
{
	struct lab lab = {0};
	char *old_order;

	(void)state;
	open_lab(&lab);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	assert_int_equal(drive_order(&lab.drive, "a.example.com"), ACME_OK);
	old_order = xstrdup(lab.drive.location);
	pebble_restart(&lab.pebble);
	assert_int_equal(drive_order(&lab.drive, "a.example.com"), ACME_GONE);
	assert_string_equal(lab.drive.problem.type, "accountDoesNotExist");
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	assert_int_equal(drive_get(&lab.drive, old_order), ACME_GONE);
	assert_string_not_equal(lab.drive.problem.type, "accountDoesNotExist");
	if (!drive_certificate(&lab.drive, "a.example.com", 1))
		fail_msg("%s", lab.drive.why);
	free(old_order);
	close_lab(&lab);
}

static void test_external_account_binding(void **state)
{
	struct acme_eab eab = {
		.kid = SV(PEBBLE_EAB_KID), .mac_key = SV(PEBBLE_EAB_MAC), .alg = SV("HS256")};
	struct lab lab = {.pebble.needs_eab = true};

	(void)state;
	open_lab(&lab);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_REFUSED);
	assert_string_equal(lab.drive.problem.type, "externalAccountRequired");
	eab.mac_key = SV("another mac key of some other size");
	assert_int_equal(drive_account(&lab.drive, &eab), ACME_REFUSED);
	assert_null(strstr(lab.drive.problem.text, "another mac key"));
	eab.mac_key = SV(PEBBLE_EAB_MAC);
	assert_int_equal(drive_account(&lab.drive, &eab), ACME_OK);
	if (!drive_certificate(&lab.drive, "a.example.com", 1))
		fail_msg("%s", lab.drive.why);
	/* The account is there: found without a binding, too. */
	drive_connect(&lab.drive, lab.pebble.directory, lab.pebble.ca);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	close_lab(&lab);
}

static void test_untrusted_ca(void **state)
{
	struct lab lab = {0};
	struct pebble other = {0};

	(void)state;
	open_lab(&lab);
	pebble_start(&other);
	drive_connect(&lab.drive, lab.pebble.directory, other.ca);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_BROKEN);
	assert_int_equal(lab.drive.failure, FETCH_TLS);
	assert_non_null(strstr(lab.drive.problem.text, "issued by"));
	assert_true(lab.drive.retry_after_ms >= 60000);
	assert_int_equal(pebble_requests(&lab.pebble), 0);
	drive_connect(&lab.drive, lab.pebble.directory, NULL); /* nor by the system */
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_BROKEN);
	assert_int_equal(lab.drive.failure, FETCH_TLS);
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_BROKEN); /* read at the start */
	unsetenv("SSL_CERT_FILE");
	pebble_stop(&other);
	close_lab(&lab);
}

static void test_trust_from_the_environment(void **state)
{
	struct lab lab = {0};
	struct pebble other = {0};
	char path[128];

	(void)state;
	pebble_start(&lab.pebble);
	pebble_start(&other);
	snprintf(path, sizeof(path), "%s/tls.pem", lab.pebble.dir);
	setenv("SSL_CERT_FILE", path, 1);
	drive_init(&lab.drive);
	unsetenv("SSL_CERT_FILE");
	drive_connect(&lab.drive, lab.pebble.directory, NULL);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	drive_connect(&lab.drive, lab.pebble.directory, other.ca); /* instead of it, not beside */
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_BROKEN);
	assert_int_equal(lab.drive.failure, FETCH_TLS);
	pebble_stop(&other);
	close_lab(&lab);
}

static void test_order_is_found(void **state)
{
	struct lab lab = {0};
	char *order;

	(void)state;
	open_lab(&lab);
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	assert_int_equal(drive_find(&lab.drive, "a.example.com"), ACME_GONE);
	assert_int_equal(drive_order(&lab.drive, "b.example.com"), ACME_OK);
	assert_int_equal(drive_order(&lab.drive, "a.example.com"), ACME_OK);
	order = xstrdup(lab.drive.location);
	for (int i = 0; i < 4; i++) /* Pebble's list has three to a page */
		assert_int_equal(drive_order(&lab.drive, "c.example.com"), ACME_OK);
	assert_int_equal(drive_find(&lab.drive, "a.example.com"), ACME_OK);
	assert_string_equal(lab.drive.location, order);
	free(order);
	close_lab(&lab);
}

#define MANY 24

struct many {
	struct loop *loop;
	int good, done;
};

static void count_order(void *arg, const struct acme_result *result)
{
	struct many *many = arg;

	many->good += result->outcome == ACME_OK && result->location != NULL;
	if (++many->done == MANY)
		loop_stop(many->loop);
}

static void test_many_at_once(void **state)
{
	struct lab lab = {0};
	struct many many = {0};
	unsigned before;

	(void)state;
	open_lab(&lab);
	many.loop = lab.drive.loop;
	assert_int_equal(drive_account(&lab.drive, NULL), ACME_OK);
	for (int round = 0; round < 2; round++) {
		before = pebble_requests(&lab.pebble);
		many.good = many.done = 0;
		for (int i = 0; i < MANY; i++) {
			struct str_view name = SV("a.example.com");
			struct acme_new_order order = {.dns = &name, .dns_count = 1};

			acme_order_new(lab.drive.client, &order, count_order, &many);
		}
		loop_run(many.loop);
		assert_int_equal(many.good, MANY);
	}
	/* The second time, a nonce is there for each. */
	assert_int_equal(pebble_requests(&lab.pebble) - before, MANY);
	close_lab(&lab);
}

static void save_body(void *arg, const struct fetch_answer *answer)
{
	struct lab *lab = arg;

	assert_int_equal(answer->status, 200);
	lab->drive.text = sv_dup(answer->body);
	loop_stop(lab->drive.loop);
}

/* The common name of one of Pebble's roots. */
static char *root_name(struct lab *lab, int number)
{
	char *url = xasprintf("%s/roots/%d", lab->pebble.management, number);
	struct fetch_request request = {.method = "GET", .url = url, .ca_bundle = lab->pebble.ca};
	char name[128] = "";
	BIO *bio;
	X509 *root;

	free(TAKE(lab->drive.text));
	fetch_start(lab->drive.fetcher, &request, save_body, lab);
	loop_run(lab->drive.loop);
	bio = BIO_new_mem_buf(lab->drive.text, -1);
	root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	assert_non_null(root);
	X509_NAME_get_text_by_NID(X509_get_subject_name(root), NID_commonName, name, sizeof(name));
	X509_free(root);
	BIO_free(bio);
	free(TAKE(lab->drive.text));
	free(url);
	return xstrdup(name);
}

static void assert_root(const struct lab *lab, const char *name)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	char issuer[128] = "";

	assert_int_equal(chain_from_pem(sv_from(lab->drive.text), &chain, NULL), 0);
	X509_NAME_get_text_by_NID(X509_get_issuer_name(chain.certs[chain.count - 1]),
				  NID_commonName, issuer, sizeof(issuer));
	assert_string_equal(issuer, name);
}

static void test_preferred_chain(void **state)
{
	struct lab lab = {.pebble = {.alternate_roots = "2", .chain_length = "2"}};

	(void)state;
	open_lab(&lab);
	for (int i = 2; i >= 0; i--) {
		AUTO(auto_free) char *name = root_name(&lab, i);

		if (!drive_certificate_of(&lab.drive, "a.example.com", name, 1))
			fail_msg("%s", lab.drive.why);
		assert_root(&lab, name);
	}
	assert_true(drive_certificate_of(&lab.drive, "a.example.com", "No Such Root", 1));
	close_lab(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_account_is_found_by_its_key),
		cmocka_unit_test(test_half_of_the_nonces_refused),
		cmocka_unit_test(test_the_ca_forgets_everything),
		cmocka_unit_test(test_external_account_binding),
		cmocka_unit_test(test_untrusted_ca),
		cmocka_unit_test(test_trust_from_the_environment),
		cmocka_unit_test(test_order_is_found),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_preferred_chain),
	};

	if (!pebble_installed()) {
		fprintf(stderr, "pebble is not installed (Debian package pebble): skipped\n");
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
