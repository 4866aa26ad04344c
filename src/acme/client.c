#include "acme/client.h"

#include "acme/call.h"
#include "acme/words.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "codec/json.h"

#include <stdlib.h>
#include <sys/random.h>

#define DIRECTORY_BODY_MAX (256u << 10)
#define DIRECTORY_AGE_MS   86400000 /* read again after a day */
#define DIRECTORY_AGAIN_MS                                                    \
	3600000 /* could not be read again: the old one does for another hour \
		 */

uint32_t client_random(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
		value = (uint32_t)clock_wall_us();
	return value;
}

void client_set_kid(struct acme_client *client, const char *kid)
{
	char *copy = kid == NULL ? NULL : xstrdup(kid);

	free(client->kid);
	client->kid = copy;
}

const char *acme_client_kid(const struct acme_client *client)
{
	return client->kid;
}

const json_t *acme_client_directory(const struct acme_client *client)
{
	return client->directory.json;
}

bool acme_client_busy(const struct acme_client *client)
{
	return !list_empty(&client->calls);
}

void acme_client_reset_limits(struct acme_client *client)
{
	for (int i = 0; i < ACME_RESOURCE_COUNT; i++)
		client->gates[i].not_before = 0;
}

void client_fill_request(const struct acme_client *client, const char *url,
			 struct fetch_request *request)
{
	const struct directory *directory = &client->directory;
	struct url target;

	request->url = url;
	request->ca_bundle = client->ca_bundle;
	request->skip_tls_verify = client->skip_tls_verify;
	/* What the directory lists elsewhere may not lead into this network by its name either. */
	request->no_loopback = directory->json != NULL &&
			       url_read(sv_from(url), &target, NULL) == 0 &&
			       strcmp(target.host, directory->origin.host) != 0 &&
			       !url_is_loopback(&directory->origin);
}

/* ---- the directory ---- */

bool client_has_directory(struct acme_client *client)
{
	return client->directory.json != NULL && !client->load.stale &&
	       loop_now(client->loop) - client->load.read_at < DIRECTORY_AGE_MS;
}

void client_outage(struct acme_client *client)
{
	client->load.outage = true;
	client->load.stale = true;
}

static void load_ended(struct acme_client *client)
{
	client->load.retry = (struct retry){0};
	client->load.stale = false;
}

static void load_failed(struct acme_client *client, enum acme_outcome outcome)
{
	struct acme_result *failure = &client->load.failure;

	load_ended(client);
	failure->outcome = outcome;
	failure->step = "directory";
	if (client->load.outage && failure->failure != FETCH_FINE) { /* as before */
		client_outage(client);
		call_directory_known(client, false);
		return;
	}
	client->load.outage = false;
	if (client->directory.json != NULL)
		client->load.read_at =
			loop_now(client->loop) - DIRECTORY_AGE_MS + DIRECTORY_AGAIN_MS;
	call_directory_known(client, client->directory.json != NULL);
}

static void load_again(struct acme_client *client)
{
	struct directory_load *load = &client->load;
	int64_t delay = retry_next(&load->retry, loop_now(client->loop),
				   load->failure.retry_after_ms, client_random());

	if (delay < 0)
		load_failed(client, ACME_RETRY_LATER);
	else
		timer_in(client->loop, &load->timer, delay);
}

static void load_words(struct acme_client *client, struct str_view words)
{
	struct acme_problem *problem = &client->load.failure.problem;

	words_add(problem->text, sizeof(problem->text), words);
}

static void load_refused(struct acme_client *client, const struct fetch_answer *answer)
{
	AUTO(auto_json) json_t *body = json_parse(answer->body, NULL);
	struct acme_problem *problem = &client->load.failure.problem;
	long status = answer->status;

	acme_problem_parse(body, status, problem);
	if (status >= 500 || status == 408 || status == 425 || status == 429) {
		load_again(client);
		return;
	}
	words_addf(problem->text, sizeof(problem->text),
		   "; is %.200s the URL of an ACME directory?", client->directory_url);
	load_failed(client, ACME_BROKEN);
}

/* An account's URL is good for the directory that it was told under (RFC 8555, section 7.3). Where
 * the CA has moved, or an earlier run learned a URL elsewhere, the key finds the account again
 * before the next request. before: the URL of newAccount up to now, NULL at first. */
static void keep_kid(struct acme_client *client, const char *before)
{
	const struct directory *directory = &client->directory;
	struct url kid;
	bool same;

	if (client->kid == NULL)
		return;
	if (before != NULL)
		same = strcmp(before, directory->urls[ACME_NEW_ACCOUNT]) == 0;
	else
		same = url_read(sv_from(client->kid), &kid, NULL) == 0 &&
		       url_same_origin(&kid, &directory->origins[ACME_NEW_ACCOUNT]);
	if (!same)
		client_set_kid(client, NULL);
}

static void load_answered(struct acme_client *client, const struct fetch_answer *answer)
{
	struct err err = {0};
	AUTO(auto_json) json_t *body = json_parse(answer->body, &err);
	const char *told = client->directory.urls[ACME_NEW_ACCOUNT];
	AUTO(auto_free) char *before = told == NULL ? NULL : xstrdup(told);

	if (body == NULL) {
		load_words(client, SV("the directory is not JSON that can be used: "));
		load_words(client, sv_from(err.msg));
		load_again(client);
	} else if (directory_read(&client->directory, body, answer->final_url, &err) == 0) {
		client->load.read_at = loop_now(client->loop);
		client->load.outage = false;
		load_ended(client);
		keep_kid(client, before);
		call_directory_known(client, true);
	} else {
		load_words(client, sv_from(err.msg));
		if (err.code == ERR_PROTOCOL)
			load_again(client);
		else
			load_failed(client, ACME_BROKEN);
	}
}

static void on_directory(void *arg, const struct fetch_answer *answer)
{
	struct acme_client *client = arg;

	client->load.fetch = NULL;
	client->load.failure = (struct acme_result){
		.http_status = answer->status,
		.failure = answer->failure,
		.retry_after_ms = retry_after_ms(answer->retry_after, answer->date, clock_wall()),
	};
	nonce_put(&client->nonces, answer->replay_nonce);
	if (answer->failure != FETCH_FINE)
		load_words(client, sv_from(answer->why));
	if (answer->failure == FETCH_TLS || answer->failure == FETCH_DENIED) {
		client->load.failure.retry_after_ms = 60000;
		load_failed(client, ACME_BROKEN);
	} else if (answer->failure != FETCH_FINE) {
		load_again(client);
	} else if (answer->status == 200) {
		load_answered(client, answer);
	} else {
		load_refused(client, answer);
	}
}

static void load_start(struct acme_client *client)
{
	struct fetch_request request = {
		.method = "GET", .follow_redirects = true, .body_max = DIRECTORY_BODY_MAX};

	client_fill_request(client, client->directory_url, &request);
	client->load.fetch = fetch_start(client->fetcher, &request, on_directory, client);
}

static void on_load_timer(struct timer *timer)
{
	load_start(CONTAINER_OF(timer, struct acme_client, load.timer));
}

void client_read_directory(struct acme_client *client)
{
	if (client->load.fetch == NULL && !timer_armed(&client->load.timer))
		load_start(client);
}

/* ---- the client ---- */

struct acme_client *acme_client_new(struct loop *loop, struct fetcher *fetcher,
				    const struct acme_config *config, struct err *err)
{
	struct acme_client *client;
	struct url url;

	if (url_read(sv_from(config->directory), &url, err) != 0)
		return NULL;
	if (!url.https) {
		err_set(err, ERR_INVALID, "the ACME server %s must be an https URL",
			config->directory);
		return NULL;
	}
	client = xcalloc(1, sizeof(*client));
	client->loop = loop;
	client->fetcher = fetcher;
	client->directory_url = xstrdup(config->directory);
	client->ca_bundle = config->ca_bundle == NULL ? NULL : xstrdup(config->ca_bundle);
	client->skip_tls_verify = config->skip_tls_verify;
	client->key = config->key;
	EVP_PKEY_up_ref(client->key);
	client_set_kid(client, config->kid);
	list_init(&client->calls);
	timer_init(&client->load.timer, on_load_timer);
	return client;
}

void acme_client_free(struct acme_client *client)
{
	if (client == NULL)
		return;
	LIST_EACH(&client->calls, node)
	call_free(LIST_ENTRY(node, struct acme_call, link));
	if (client->load.fetch != NULL)
		fetch_cancel(client->load.fetch);
	timer_stop(client->loop, &client->load.timer);
	directory_deinit(&client->directory);
	EVP_PKEY_free(client->key);
	free(client->directory_url);
	free(client->ca_bundle);
	free(client->kid);
	free(client);
}
