#include "drive.h"
#include "acme/account.h"

#include "acme/order.h"
#include "base/clock.h"
#include "base/own.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP_MS    200000 /* no step takes longer, whatever the CA does */
#define POLLS_MAX  100
#define POLL_MS    50
#define ATTEMPT_MS 1000

static char *text_dup(const char *text)
{
	return text == NULL ? NULL : xstrdup(text);
}

static void forget(struct drive *drive)
{
	json_decref(TAKE(drive->body));
	free(TAKE(drive->location));
	free(TAKE(drive->text));
	drive->answered = false;
}

static void on_done(void *arg, const struct acme_result *result)
{
	struct drive *drive = arg;

	drive->answered = true;
	drive->outcome = result->outcome;
	drive->failure = result->failure;
	drive->http_status = result->http_status;
	drive->retry_after_ms = result->retry_after_ms;
	drive->problem = result->problem;
	snprintf(drive->step, sizeof(drive->step), "%s", result->step);
	drive->body = json_deep_copy(result->body);
	drive->location = text_dup(result->location);
	drive->text = result->text.len > 0 ? sv_dup(result->text) : NULL;
	loop_stop(drive->loop);
}

static void on_timer(struct timer *timer)
{
	struct drive *drive = CONTAINER_OF(timer, struct drive, timer);

	drive->timed_out = true;
	loop_stop(drive->loop);
}

static enum acme_outcome wait_for(struct drive *drive)
{
	timer_in(drive->loop, &drive->timer, STEP_MS);
	loop_run(drive->loop);
	timer_stop(drive->loop, &drive->timer);
	if (!drive->answered) {
		fprintf(stderr, "no answer within %d s\n", STEP_MS / 1000);
		abort();
	}
	return drive->outcome;
}

void drive_sleep(struct drive *drive, int64_t ms)
{
	timer_in(drive->loop, &drive->timer, ms);
	loop_run(drive->loop);
}

void drive_init(struct drive *drive)
{
	struct err err = {0};

	*drive = (struct drive){0};
	drive->loop = loop_new(&err);
	drive->dns = dns_new(drive->loop, NULL, &err);
	drive->fetcher = fetcher_new(drive->loop, drive->dns, &err);
	drive->account_key = key_make(KEY_ECDSA_P256, &err);
	drive->key = key_make(KEY_ECDSA_P256, &err);
	timer_init(&drive->timer, on_timer);
	if (drive->fetcher == NULL || drive->account_key == NULL || drive->key == NULL) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
}

void drive_deinit(struct drive *drive)
{
	forget(drive);
	acme_client_free(drive->client);
	fetcher_free(drive->fetcher);
	dns_free(drive->dns);
	loop_free(drive->loop);
	EVP_PKEY_free(drive->account_key);
	EVP_PKEY_free(drive->key);
}

void drive_connect(struct drive *drive, const char *directory, const char *ca_bundle)
{
	struct acme_config config = {
		.directory = directory, .ca_bundle = ca_bundle, .key = drive->account_key};

	acme_client_free(drive->client);
	drive->client = acme_client_new(drive->loop, drive->fetcher, &config, NULL);
	if (drive->client == NULL)
		abort();
}

/* ---- steps ---- */

enum acme_outcome drive_account(struct drive *drive, const struct acme_eab *eab)
{
	forget(drive);
	acme_account(drive->client, SV("admin@example.org"), eab, on_done, drive);
	return wait_for(drive);
}

enum acme_outcome drive_order(struct drive *drive, const char *name)
{
	struct str_view view = sv_from(name);
	bool ip = name[0] >= '0' && name[0] <= '9';
	struct acme_new_order order = {
		.dns = &view, .dns_count = !ip, .ips = &view, .ip_count = ip};

	forget(drive);
	drive->orders++;
	acme_order_new(drive->client, &order, on_done, drive);
	return wait_for(drive);
}

enum acme_outcome drive_find(struct drive *drive, const char *name)
{
	struct str_view view = sv_from(name);
	struct acme_new_order order = {.dns = &view, .dns_count = 1};

	forget(drive);
	acme_order_find(drive->client, &order, on_done, drive);
	return wait_for(drive);
}

enum acme_outcome drive_get(struct drive *drive, const char *url)
{
	forget(drive);
	acme_get(drive->client, url, on_done, drive);
	return wait_for(drive);
}

static enum acme_outcome answer_challenge(struct drive *drive, const char *url)
{
	forget(drive);
	acme_challenge_answer(drive->client, url, on_done, drive);
	return wait_for(drive);
}

static enum acme_outcome finalize(struct drive *drive, const char *order_url, const char *url,
				  const char *name)
{
	struct str_view view = sv_from(name);
	bool ip = name[0] >= '0' && name[0] <= '9';
	struct cert_names names = {.dns = &view, .dns_count = !ip, .ips = &view, .ip_count = ip};
	struct acme_finalization what = {.order_url = order_url, .url = url};
	struct buf csr;

	forget(drive);
	buf_init(&csr, 65536);
	if (csr_make(drive->key, &names, &csr, NULL) != 0)
		abort();
	what.csr_der = buf_view(&csr);
	acme_finalize(drive->client, &what, on_done, drive);
	buf_deinit(&csr);
	return wait_for(drive);
}

static enum acme_outcome download(struct drive *drive, const char *url, const char *preferred)
{
	forget(drive);
	acme_certificate(drive->client, url, sv_from(preferred), on_done, drive);
	return wait_for(drive);
}

/* ---- a certificate ---- */

static bool failed(struct drive *drive)
{
	snprintf(drive->why, sizeof(drive->why), "%s: outcome %d, HTTP %ld %s: %s", drive->step,
		 (int)drive->outcome, drive->http_status, drive->problem.type, drive->problem.text);
	return false;
}

static void pause_before_poll(struct drive *drive)
{
	int64_t ms = drive->retry_after_ms > POLL_MS ? drive->retry_after_ms : POLL_MS;

	drive_sleep(drive, ms);
}

static bool authorize(struct drive *drive, const char *url)
{
	AUTO(auto_free) char *challenge = NULL;
	struct acme_authz authz;
	struct err err = {0};

	for (int i = 0; i < POLLS_MAX; i++) {
		const struct acme_challenge_offer *offer;

		if (drive_get(drive, url) != ACME_OK)
			return failed(drive);
		if (acme_authz_read(drive->body, &authz, &err) != 0) {
			snprintf(drive->why, sizeof(drive->why), "%s", err.msg);
			return false;
		}
		if (authz.status == AUTHZ_VALID)
			return true;
		offer = acme_authz_offer(&authz, SV("http-01"));
		if (authz.status != AUTHZ_PENDING || offer == NULL) {
			snprintf(drive->why, sizeof(drive->why), "authorization is %.*s",
				 SV_ARG(authz.status_text));
			return false;
		}
		if (challenge != NULL) {
			pause_before_poll(drive);
			continue;
		}
		challenge = sv_dup(offer->url);
		if (answer_challenge(drive, challenge) != ACME_OK)
			return failed(drive);
		pause_before_poll(drive);
	}
	snprintf(drive->why, sizeof(drive->why), "authorization stays pending");
	return false;
}

static bool check_chain(struct drive *drive, const char *name)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct str_view view = sv_from(name);
	bool ip = name[0] >= '0' && name[0] <= '9';
	struct cert_names names = {.dns = &view, .dns_count = !ip, .ips = &view, .ip_count = ip};
	struct err err = {.msg = "not a chain"};

	if (chain_from_pem(sv_from(drive->text), &chain, &err) == 0 &&
	    chain_check(&chain, drive->key, &names, clock_wall(), 300, &err) == 0)
		return true;
	snprintf(drive->why, sizeof(drive->why), "chain: %s", err.msg);
	return false;
}

/* One order to its end. */
static bool follow(struct drive *drive, const char *order_url, const char *name,
		   const char *preferred)
{
	for (int i = 0; i < POLLS_MAX; i++) {
		AUTO(auto_json) json_t *body = json_incref(drive->body);
		AUTO(auto_free) char *url = NULL;
		struct acme_order order;

		if (acme_order_read(body, &order, NULL) != 0)
			return failed(drive);
		switch (order_next(order.status)) {
		case STEP_AUTHORIZE:
			for (size_t a = 0; a < order.authz_count; a++) {
				AUTO(auto_free) char *authz = sv_dup(order.authz[a]);

				if (!authorize(drive, authz))
					return false;
			}
			break;
		case STEP_FINALIZE:
			url = sv_dup(order.finalize);
			if (finalize(drive, order_url, url, name) != ACME_OK)
				return failed(drive);
			continue;
		case STEP_POLL:
			pause_before_poll(drive);
			break;
		case STEP_DOWNLOAD:
			url = sv_dup(order.certificate);
			if (download(drive, url, preferred) != ACME_OK)
				return failed(drive);
			return check_chain(drive, name);
		case STEP_ABANDON:
			acme_problem_parse(order.error, 0, &drive->problem);
			return failed(drive);
		}
		if (drive_get(drive, order_url) != ACME_OK)
			return failed(drive);
	}
	snprintf(drive->why, sizeof(drive->why), "order does not end");
	return false;
}

static bool attempt(struct drive *drive, const char *name, const char *preferred)
{
	AUTO(auto_free) char *order_url = NULL;

	if (acme_client_kid(drive->client) == NULL && drive_account(drive, NULL) != ACME_OK)
		return failed(drive);
	if (drive_order(drive, name) != ACME_OK)
		return failed(drive);
	order_url = xstrdup(drive->location);
	return follow(drive, order_url, name, preferred);
}

bool drive_certificate_of(struct drive *drive, const char *name, const char *preferred,
			  unsigned attempts)
{
	drive->orders = 0;
	for (drive->attempts = 1; drive->attempts <= attempts; drive->attempts++) {
		drive->why[0] = '\0';
		if (attempt(drive, name, preferred))
			return true;
		if (drive->attempts < attempts)
			drive_sleep(drive, drive->retry_after_ms > ATTEMPT_MS
						   ? drive->retry_after_ms
						   : ATTEMPT_MS);
	}
	return false;
}

bool drive_certificate(struct drive *drive, const char *name, unsigned attempts)
{
	return drive_certificate_of(drive, name, "", attempts);
}
