#include "controller/issuer_look.h"

#include "base/enc.h"
#include "base/metric.h"
#include "base/own.h"
#include "pki/jws.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 32

struct ca {
	struct accounts *accounts;
	char *server;
	unsigned in_flight;
	struct list waiting; /* struct account_use, by rank */
};

static const char *const outcome_words[] = {
	[ACME_OK] = "ok",     [ACME_RETRY_LATER] = "retry_later", [ACME_REFUSED] = "refused",
	[ACME_GONE] = "gone", [ACME_BROKEN] = "broken",
};

struct accounts {             /* ctl->state[CTL_ISSUER] */
	struct map by_issuer; /* struct account */
	struct map cas;       /* struct ca, by URL of the directory */
	struct {
		const char *step; /* static */
		uint64_t counts[ARRAY_LEN(outcome_words)];
	} steps[STEPS_MAX];
};

static struct accounts *accounts_of(struct controllers *ctl)
{
	return ctl->state[CTL_ISSUER];
}

/* ---- uses ---- */

static void tell(struct account *account, bool lost)
{
	LIST_EACH(&account->uses, node)
	{
		struct account_use *use = LIST_ENTRY(node, struct account_use, link);

		use->changed(use, lost);
	}
}

void account_set_usable(struct account *account, bool usable)
{
	if (account->usable == usable)
		return;
	account->usable = usable;
	if (usable)
		tell(account, false);
}

static void use_account(struct account_use *use, struct account *account)
{
	if (use->account == account)
		return;
	list_remove(&use->link);
	use->account = account;
	if (account != NULL)
		list_append(&account->uses, &use->link);
}

/* The CA has told another URL for the account than the one that is written down. */
static bool has_moved(const struct account *account, const struct issuer *issuer)
{
	const char *kid = acme_client_kid(account->client);

	return kid != NULL &&
	       !sv_eq(json_sv_at(issuer->object->json, "status.acme.uri"), sv_from(kid));
}

struct acme_client *account_client(struct controllers *ctl, const struct issuer *issuer,
				   struct account_use *use)
{
	struct account *account = account_get(ctl, sv_from(issuer->object->key));

	use_account(use, account);
	/* What the directory says, and where the account is, is shown in the issuer's status. */
	if (account->usable && (acme_client_directory(account->client) != account->directory ||
				has_moved(account, issuer)))
		ctl_queue(ctl, CTL_ISSUER, sv_from(account->key));
	return account->usable ? account->client : NULL;
}

struct acme_client *account_client_for_keys(struct controllers *ctl, const struct issuer *issuer)
{
	return account_get(ctl, sv_from(issuer->object->key))->client;
}

void account_release(struct account_use *use)
{
	account_leave_place(use);
	use_account(use, NULL);
}

void account_gone(struct controllers *ctl, const struct issuer *issuer)
{
	struct account *account = account_get(ctl, sv_from(issuer->object->key));

	account->gone = true;
	account->usable = false;
	ctl_queue(ctl, CTL_ISSUER, sv_from(account->key));
}

void account_suspect(struct controllers *ctl, const struct issuer *issuer)
{
	struct account *account = account_get(ctl, sv_from(issuer->object->key));

	account->suspected = true;
	ctl_queue(ctl, CTL_ISSUER, sv_from(account->key));
}

/* ---- places ---- */

static struct ca *ca_get(struct accounts *accounts, struct str_view server)
{
	struct ca *ca = map_get(&accounts->cas, server);

	if (ca != NULL)
		return ca;
	ca = xcalloc(1, sizeof(*ca));
	ca->accounts = accounts;
	ca->server = sv_dup(server);
	list_init(&ca->waiting);
	(void)map_put(&accounts->cas, server, ca);
	return ca;
}

static void ca_free(void *value)
{
	struct ca *ca = value;

	free(ca->server);
	free(ca);
}

static void ca_forget(struct ca *ca)
{
	if (ca->in_flight > 0 || !list_empty(&ca->waiting))
		return;
	(void)map_remove(&ca->accounts->cas, sv_from(ca->server));
	ca_free(ca);
}

static void wait_at(struct ca *ca, struct account_use *use)
{
	use->ca = ca;
	LIST_EACH(&ca->waiting, node)
	{
		if (LIST_ENTRY(node, struct account_use, place)->rank > use->rank) {
			list_append(node, &use->place); /* before it */
			return;
		}
	}
	list_append(&ca->waiting, &use->place);
}

bool account_place(struct controllers *ctl, const struct issuer *issuer, struct account_use *use)
{
	struct str_view server = json_sv_at(issuer->object->json, "spec.acme.server");

	if (use->ca != NULL && !sv_eq(sv_from(use->ca->server), server))
		account_leave_place(use);
	if (use->has_place || list_linked(&use->place))
		return use->has_place;
	use->ca = ca_get(accounts_of(ctl), server);
	if (use->ca->in_flight >= ORDERS_IN_FLIGHT) {
		wait_at(use->ca, use);
		return false;
	}
	use->ca->in_flight++;
	use->has_place = true;
	return true;
}

void account_leave_place(struct account_use *use)
{
	struct ca *ca = use->ca;
	struct account_use *next;

	if (ca == NULL)
		return;
	list_remove(&use->place);
	use->ca = NULL;
	if (use->has_place) {
		use->has_place = false;
		ca->in_flight--;
	}
	if (list_empty(&ca->waiting) || ca->in_flight >= ORDERS_IN_FLIGHT) {
		ca_forget(ca);
		return;
	}
	next = LIST_ENTRY(ca->waiting.next, struct account_use, place);
	list_remove(&next->place);
	next->has_place = true;
	ca->in_flight++;
	next->changed(next, false);
}

/* ---- accounts ---- */

struct account *account_get(struct controllers *ctl, struct str_view issuer_key)
{
	struct accounts *accounts = accounts_of(ctl);
	struct account *account = map_get(&accounts->by_issuer, issuer_key);

	if (account != NULL)
		return account;
	account = xcalloc(1, sizeof(*account));
	account->ctl = ctl;
	account->key = sv_dup(issuer_key);
	list_init(&account->uses);
	(void)map_put(&accounts->by_issuer, issuer_key, account);
	return account;
}

void account_drop_client(struct account *account)
{
	bool had = account->client != NULL;

	account->usable = account->gone = account->suspected = false;
	account->held = account->agrees = account->unproven = false;
	account->wish_not_before = 0;
	account->directory = NULL;
	account->call = NULL; /* ends with the client */
	account->regained_at = account->agreed_at = 0;
	account->proof = NULL;
	acme_client_free(TAKE(account->next_client));
	acme_client_free(TAKE(account->client));
	EVP_PKEY_free(TAKE(account->pkey));
	free(TAKE(account->print));
	free(TAKE(account->thumbprint));
	if (had)
		tell(account, true);
}

static void account_free(void *value)
{
	struct account *account = value;

	account_drop_client(account);
	LIST_EACH(&account->uses, node)
	{
		account_release(LIST_ENTRY(node, struct account_use, link));
	}
	account_key_forget_job(account);
	json_decref(account->result);
	free(account->terms);
	free(account->key);
	free(account);
}

void account_forget(struct controllers *ctl, struct str_view issuer_key)
{
	struct account *account = map_remove(&accounts_of(ctl)->by_issuer, issuer_key);

	if (account != NULL)
		account_free(account);
}

static char *pem_of_bundle(const json_t *spec)
{
	struct buf pem;
	char *text = NULL;

	buf_init(&pem, (size_t)ISSUANCE_TEXT_MAX * 2);
	if (base64_at(spec, "caBundle", &pem))
		text = sv_dup(buf_view(&pem));
	buf_deinit(&pem);
	return text;
}

/* The account's URL when this key was registered at this server in an earlier run. */
static const char *known_kid(const json_t *issuer, const char *server, const char *thumbprint)
{
	const json_t *acme = json_at(issuer, "status.acme");

	if (!sv_eq(json_sv_at(acme, "lastPrivateKeyHash"), sv_from(thumbprint)) ||
	    !sv_eq(json_sv_at(acme, "server"), sv_from(server)) || json_sv_at(acme, "uri").len == 0)
		return NULL;
	return json_str_at(acme, "uri");
}

static struct acme_client *new_client(const struct account *account, const json_t *spec,
				      const struct acme_config *secrets, struct err *err)
{
	AUTO(auto_free) char *bundle = pem_of_bundle(spec);
	struct acme_config config = {.directory = json_str_at(spec, "server"),
				     .ca_bundle = bundle,
				     .skip_tls_verify = json_bool_at(spec, "skipTLSVerify", false),
				     .key = secrets->key,
				     .kid = secrets->kid};

	return acme_client_new(account->ctl->config.loop, account->ctl->config.fetcher, &config,
			       err);
}

struct acme_client *account_other_client(const struct account *account, const struct issuer *issuer,
					 EVP_PKEY *key)
{
	return new_client(account, json_at(issuer->object->json, "spec.acme"),
			  &(struct acme_config){.key = key}, NULL);
}

/* What a client is made from: another text needs another client. */
static char *print_of(const json_t *spec, const char *thumbprint)
{
	return xasprintf("%s %s %d %016llx", json_str_at(spec, "server"), thumbprint,
			 json_bool_at(spec, "skipTLSVerify", false),
			 (unsigned long long)sv_hash(json_sv_at(spec, "caBundle")));
}

int account_set_client(struct account *account, const struct issuer *issuer, EVP_PKEY *key,
		       struct err *err)
{
	const json_t *spec = json_at(issuer->object->json, "spec.acme");
	AUTO(auto_free) char *thumbprint = account_key_thumbprint(key, err);
	AUTO(auto_free) char *print = NULL;
	const char *server = json_str_at(spec, "server");

	if (thumbprint == NULL || server == NULL)
		return -1;
	print = print_of(spec, thumbprint);
	if (account->print != NULL && strcmp(account->print, print) == 0)
		return 0;
	account_drop_client(account);
	account->client = new_client(
		account, spec,
		&(struct acme_config){.key = key,
				      .kid = known_kid(issuer->object->json, server, thumbprint)},
		err);
	if (account->client == NULL)
		return -1;
	EVP_PKEY_up_ref(key);
	account->pkey = key;
	account->print = TAKE(print);
	account->thumbprint = TAKE(thumbprint);
	return 0;
}

int accounts_start(struct controllers *ctl, struct err *err)
{
	(void)err;
	ctl->state[CTL_ISSUER] = xcalloc(1, sizeof(struct accounts));
	return 0;
}

void accounts_stop(struct controllers *ctl)
{
	struct accounts *accounts = accounts_of(ctl);

	map_deinit(&accounts->by_issuer, account_free);
	map_deinit(&accounts->cas, ca_free);
	free(accounts);
	ctl->state[CTL_ISSUER] = NULL;
}

/* ---- words and counts ---- */

void account_words(const struct acme_result *result, char *out, size_t size)
{
	const char *type = result->problem.type;
	int len = snprintf(out, size, "%s: %s", result->step,
			   result->problem.text[0] == '\0' ? "no answer" : result->problem.text);

	if (len < 0 || (size_t)len >= size)
		return;
	if (result->http_status > 0)
		snprintf(out + len, size - (size_t)len, " (HTTP %ld%s%s)", result->http_status,
			 type[0] == '\0' ? "" : ", ", type);
	else if (type[0] != '\0')
		snprintf(out + len, size - (size_t)len, " (%s)", type);
}

void account_count(struct controllers *ctl, const struct acme_result *result)
{
	struct accounts *accounts = accounts_of(ctl);

	for (size_t i = 0; i < STEPS_MAX; i++) {
		if (accounts->steps[i].step == NULL)
			accounts->steps[i].step = result->step;
		if (strcmp(accounts->steps[i].step, result->step) == 0) {
			accounts->steps[i].counts[result->outcome]++;
			return;
		}
	}
}

void accounts_metrics(struct controllers *ctl, struct buf *out)
{
	static const char name[] = "sallyport_acme_requests_total";
	const struct accounts *accounts = accounts_of(ctl);

	metric_head(
		out, "sallyport_http_client_requests_waiting", "gauge",
		"Requests to ACME servers, webhooks and probed addresses without an answer yet.");
	metric_sample(out, "sallyport_http_client_requests_waiting", "",
		      fetcher_waits(ctl->config.fetcher));
	metric_head(out, name, "counter", "Requests to ACME servers, by step and outcome.");
	for (size_t i = 0; i < STEPS_MAX && accounts->steps[i].step != NULL; i++) {
		for (size_t j = 0; j < ARRAY_LEN(outcome_words); j++) {
			struct buf labels;

			if (accounts->steps[i].counts[j] == 0)
				continue;
			buf_init(&labels, 256);
			metric_label(&labels, "step", sv_from(accounts->steps[i].step));
			metric_label(&labels, "outcome", sv_from(outcome_words[j]));
			metric_sample(out, name, buf_cstr(&labels),
				      (double)accounts->steps[i].counts[j]);
			buf_deinit(&labels);
		}
	}
}
