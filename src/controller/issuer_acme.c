/* controller/issuer_acme.c - an ACME issuer: its key, its account, what the CA said about it
 *
 * The key is stored before it is used; what the CA said is stored before the next step. So a kill
 * anywhere ends in one account.
 */
#include "acme/account.h"
#include "controller/issuer_look.h"

#include "base/enc.h"
#include "base/own.h"
#include "controller/renewal.h"
#include "pki/jws.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_AGAIN_MS    60000 /* the wall clock may be set meanwhile */
#define FIRST_DELAY_S    30
#define DELAY_MAX_S      3600
#define WORD_MAX         300 /* bytes of a text of the directory that is shown */
#define PROFILES_MAX     32
#define PROFILE_NAME_MAX 64
#define BROKEN_MAX_S     600
#define REGISTER_GAP_S                                                            \
	INT64_C(60) /* between two registrations of an account that the CA forgot \
		     */

/* ---- what is said ---- */

void issuer_not_ready(const struct issuer_look *look, const char *reason, const char *fmt, ...)
{
	char words[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	issuer_put_ready(
		look->ctl, look->issuer, status_copy(look->issuer->object),
		&(struct condition){
			.type = "Ready", .status = COND_FALSE, .reason = reason, .message = words});
}

/* ---- external account binding ---- */

/* The MAC key, which people store as the base64url text that the CA gave them. */
static bool load_mac(const struct issuer_look *look, const json_t *binding, struct buf *mac)
{
	AUTO(secret_deinit) struct buf text;
	const char *name = json_str_at(binding, "keySecretRef.name");
	const char *member = json_str_at(binding, "keySecretRef.key");
	const char *ns = issuer_namespace(look->issuer);
	struct str_view value;

	buf_init(mac, 4096);
	if (!secret_value(name == NULL ? NULL : ctl_get(look->ctl, kind_of_secret(), ns, name),
			  member == NULL || member[0] == '\0' ? "secret" : member, &text)) {
		issuer_not_ready(
			look, "MissingSecret",
			"spec.acme.externalAccountBinding: Secret %s/%s has no value \"%s\"", ns,
			name == NULL ? "" : name, member == NULL ? "secret" : member);
		return false;
	}
	value = buf_view(&text);
	while (value.len > 0 &&
	       (value.data[value.len - 1] == '\n' || value.data[value.len - 1] == '\r' ||
		value.data[value.len - 1] == '='))
		value.len--;
	(void)buf_room(mac, 2048);
	if (value.len > 0 && value.len <= 2048 && dec_base64url(mac, value))
		return true;
	issuer_not_ready(
		look, "InvalidSecret",
		"spec.acme.externalAccountBinding: the key in Secret %s/%s is not the base64url "
		"text that the CA gave",
		ns, name);
	return false;
}

/* ---- what an attempt was made with: only a change of it makes up for a refusal ---- */

static char *inputs_of(const struct issuer_look *look)
{
	const json_t *binding = json_member(look->spec, "externalAccountBinding");
	const char *name = json_str_at(binding, "keySecretRef.name");
	const struct object *secret = name == NULL ? NULL
						   : ctl_get(look->ctl, kind_of_secret(),
							     issuer_namespace(look->issuer), name);
	AUTO(auto_free) char *text = NULL, *binding_text = NULL;

	binding_text = binding == NULL ? xstrdup("") : json_text_sorted(binding);
	text = xasprintf(
		"%s\n%s\n%s\n%llu", look->account->print,
		json_str_at(look->spec, "email") == NULL ? "" : json_str_at(look->spec, "email"),
		binding_text, (unsigned long long)(secret == NULL ? 0 : secret->revision));
	return xasprintf("%016llx", (unsigned long long)sv_hash(sv_from(text)));
}

static bool tried_with(const struct issuer_look *look, const char *inputs)
{
	return sv_eq(json_sv_at(look->issuer->object->json, "status.acme.triedWith"),
		     sv_from(inputs));
}

bool issuer_knows_key(const struct issuer_look *look, const char *thumbprint)
{
	const json_t *acme = json_at(look->issuer->object->json, "status.acme");

	return json_sv_at(acme, "uri").len > 0 &&
	       sv_eq(json_sv_at(acme, "lastPrivateKeyHash"), sv_from(thumbprint)) &&
	       sv_eq(json_sv_at(acme, "server"), json_sv_at(look->spec, "server"));
}

/* ---- what the CA answered ---- */

/* The issuer of an account whose call has ended; false: it is gone. */
bool issuer_look_at(struct account *account, struct issuer *issuer, struct issuer_look *look)
{
	struct str_view key = sv_from(account->key);

	issuer->object = store_get(account->ctl->config.store, key);
	if (issuer->object == NULL)
		return false;
	issuer->kind = kind_by_plural(
		SV("cert-manager.io"),
		sv_starts(key, SV("cert-manager.io/clu")) ? SV("clusterissuers") : SV("issuers"));
	*look = (struct issuer_look){.ctl = account->ctl,
				     .issuer = issuer,
				     .spec = json_at(issuer->object->json, "spec.acme"),
				     .account = account};
	return look->spec != NULL;
}

/* Written down by the next reconcile, and again until it stands there. */
void issuer_keep_result(struct account *account, json_t *status)
{
	json_decref(account->result);
	account->result = status;
	ctl_queue(account->ctl, CTL_ISSUER, sv_from(account->key));
}

static void set_ready(json_t *status, const struct object *object)
{
	status_condition(status, object, "Ready", COND_TRUE, "ACMEAccountRegistered",
			 "The ACME account was registered with the ACME server");
}

/* What the directory offers, for people and for other controllers. */
static json_t *directory_words(const json_t *directory)
{
	static const char *const texts[] = {"termsOfService", "website"};
	json_t *meta = json_at(directory, "meta"), *words = json_object(), *profiles, *text;
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct str_view value = json_sv_at(meta, texts[i]);

		if (value.len > 0)
			json_object_set_new(words, texts[i], json_sv(sv_head(value, WORD_MAX)));
	}
	json_object_set_new(words, "externalAccountRequired",
			    json_boolean(json_bool_at(meta, "externalAccountRequired", false)));
	json_object_set_new(words, "renewalInfo",
			    json_boolean(json_sv_at(directory, "renewalInfo").len > 0));
	if (!json_is_object(json_member(meta, "profiles")))
		return words;
	profiles = json_object();
	json_object_set_new(words, "profiles", profiles);
	json_object_foreach(json_object_get(meta, "profiles"), name, text)
	{
		struct str_view value = sv_new(json_string_value(text), json_string_length(text));

		if (json_object_size(profiles) < PROFILES_MAX && strlen(name) <= PROFILE_NAME_MAX)
			json_object_set_new(profiles, name, json_sv(sv_head(value, WORD_MAX)));
	}
	return words;
}

static void set_directory(const struct issuer_look *look, json_t *status)
{
	const json_t *directory = acme_client_directory(look->account->client);
	json_t *acme = json_object_get(status, "acme");

	look->account->directory = directory;
	if (directory != NULL && json_is_object(acme))
		json_object_set_new(acme, "directory", directory_words(directory));
}

/* Wishes of the user that were granted stay granted; those of a time before the first account are
 * none. */
static json_t *kept_wishes(const struct issuer_look *look)
{
	static const char *const kept[] = {"lastRollover", "lastRolloverTime"};
	const json_t *acme = json_at(look->issuer->object->json, "status.acme");
	const char *note = note_of(look->issuer->object, NOTE_ACCOUNT_ROLLOVER);
	json_t *fresh = json_object();

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct str_view value = json_sv_at(acme, kept[i]);

		if (value.len > 0)
			json_object_set_new(fresh, kept[i], json_sv(value));
	}
	if (note != NULL && json_sv_at(acme, "uri").len == 0)
		json_object_set_new(fresh, "lastRollover", json_string(note));
	return fresh;
}

static void account_stands(const struct issuer_look *look)
{
	struct account *account = look->account;
	json_t *status = status_copy(look->issuer->object);
	const char *email = json_str_at(look->spec, "email");
	json_t *acme = kept_wishes(look);
	AUTO(auto_json)
	json_t *facts =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "uri", acme_client_kid(account->client),
			  "lastRegisteredEmail", email == NULL ? "" : email, "lastPrivateKeyHash",
			  account->thumbprint, "server", json_str_at(look->spec, "server"),
			  "keyAlgorithm", account_key_word(account->pkey));

	json_object_update(acme, facts);
	json_object_set_new(status, "acme", acme);
	set_directory(look, status);
	set_ready(status, look->issuer->object);
	if (account->gone)
		account->regained_at = loop_now(look->ctl->config.loop);
	account->gone = false;
	issuer_keep_result(account, status);
	ctl_event(look->ctl, look->issuer->kind, look->issuer->object, "Normal",
		  "ACMEAccountRegistered", "account %s at %s", acme_client_kid(account->client),
		  json_str_at(look->spec, "server"));
}

/* An account that was never there cannot be deactivated: it is the binding that the CA refuses. */
static bool is_about_binding(const struct issuer_look *look, const struct acme_result *result)
{
	return json_member(look->spec, "externalAccountBinding") != NULL &&
	       strcmp(result->step, "newAccount") == 0 && result->http_status >= 400 &&
	       (strcmp(result->problem.type, "unauthorized") == 0 ||
		strcmp(result->problem.type, "malformed") == 0) &&
	       !issuer_knows_key(look, look->account->thumbprint);
}

static const char *why(const struct issuer_look *look, const struct acme_result *result,
		       char *reason, size_t size)
{
	if (result->failure == FETCH_TLS)
		return "TLSVerificationFailed";
	if (is_about_binding(look, result))
		return "ExternalAccountBindingRefused";
	if (strcmp(result->problem.type, "unauthorized") == 0)
		return "AccountDeactivated";
	if (result->outcome == ACME_BROKEN && strcmp(result->step, "directory") == 0)
		return "InvalidDirectory";
	reason_from(result->problem.type, "ErrRegisterACMEAccount", reason, size);
	return reason;
}

static int64_t next_delay(const struct acme_result *result, int64_t failures)
{
	int64_t most = result->outcome == ACME_BROKEN ? BROKEN_MAX_S : DELAY_MAX_S;
	int64_t delay = FIRST_DELAY_S << (failures < 10 ? failures : 10);
	int64_t asked = result->retry_after_ms > 0 ? (result->retry_after_ms + 999) / 1000 : 0;

	delay = delay < most ? delay : most;
	return (delay > asked ? delay : asked) + (int64_t)(random_u32() % 6);
}

static void account_fails(const struct issuer_look *look, const struct acme_result *result)
{
	const struct object *object = look->issuer->object;
	AUTO(auto_free) char *inputs = inputs_of(look);
	bool refused = result->outcome == ACME_REFUSED;
	bool again = tried_with(look, inputs);
	int64_t failures = again ? json_int_at(object->json, "status.acme.failures", 0) + 1 : 1;
	int64_t next = ctl_now() + next_delay(result, failures);
	json_t *status = status_copy(object);
	char words[ACME_WORDS_MAX], reason[80], when[CLOCK_TEXT_SIZE];

	account_words(result, words, sizeof(words));
	clock_rfc3339(next, when);
	json_set_at(status, "acme.triedWith", json_string(inputs));
	json_set_at(status, "acme.failures", json_integer(failures));
	json_set_at(status, "acme.refused", refused ? json_true() : NULL);
	json_set_at(status, "acme.nextTryTime", refused ? NULL : json_string(when));
	status_condition(status, object, "Ready", COND_FALSE,
			 why(look, result, reason, sizeof(reason)),
			 "Failed to register ACME account: %s; %s%s", words,
			 refused ? "not tried again before the issuer or its Secrets change"
				 : "next try at ",
			 refused ? "" : when);
	issuer_keep_result(look->account, status);
	ctl_event(look->ctl, look->issuer->kind, object, "Warning",
		  why(look, result, reason, sizeof(reason)), "%s", words);
}

static void registered(void *arg, const struct acme_result *result)
{
	struct account *account = arg;
	struct issuer issuer;
	struct issuer_look look;

	account->call = NULL;
	account_count(account->ctl, result);
	if (!issuer_look_at(account, &issuer, &look))
		return;
	if (result->outcome == ACME_GONE)
		account->gone = true;
	if (result->outcome == ACME_OK && acme_client_kid(account->client) != NULL)
		account_stands(&look);
	else
		account_fails(&look, result);
}

/* An account that was refused something: does it stand still? */
static void verified(void *arg, const struct acme_result *result)
{
	struct account *account = arg;
	struct acme_result refusal = *result;
	struct issuer issuer;
	struct issuer_look look;

	account->call = NULL;
	account->suspected = false;
	account_count(account->ctl, result);
	if (!issuer_look_at(account, &issuer, &look))
		return;
	if (result->outcome == ACME_GONE)
		account->gone = true;
	if (result->outcome == ACME_OK && !sv_eq(json_sv_at(result->body, "status"), SV("valid"))) {
		refusal.outcome = ACME_REFUSED;
		refusal.problem = (struct acme_problem){.type = "unauthorized"};
		snprintf(refusal.problem.text, sizeof(refusal.problem.text),
			 "the account is %.40s at the CA",
			 json_str_at(result->body, "status") == NULL
				 ? "in no state"
				 : json_str_at(result->body, "status"));
	}
	if (refusal.outcome == ACME_REFUSED)
		account_fails(&look, &refusal);
	else
		ctl_queue(account->ctl, CTL_ISSUER, sv_from(account->key));
}

/* ---- the steps ---- */

void issuer_register(const struct issuer_look *look)
{
	struct account *account = look->account;
	const json_t *binding = json_member(look->spec, "externalAccountBinding");
	const char *algorithm = json_str_at(binding, "keyAlgorithm");
	struct str_view email = json_sv_at(look->spec, "email");
	AUTO(secret_deinit) struct buf mac = {0};
	struct acme_eab eab;

	if (binding != NULL && !load_mac(look, binding, &mac))
		return;
	eab = (struct acme_eab){.kid = json_sv_at(binding, "keyID"),
				.mac_key = buf_view(&mac),
				.alg = algorithm == NULL ? SV("HS256") : sv_from(algorithm)};
	account->call = acme_account(account->client, email, binding == NULL ? NULL : &eab,
				     registered, account);
	/* A server that does not answer is tried for minutes before there is more to say. */
	if (condition_find(json_at(look->issuer->object->json, "status.conditions"), "Ready") ==
	    NULL)
		issuer_not_ready(look, "Pending", "asking %s for the account",
				 json_str_at(look->spec, "server"));
}

/* Everything but the contact is as it was registered. */
static bool is_known(const struct issuer_look *look)
{
	return !look->account->gone && issuer_knows_key(look, look->account->thumbprint);
}

static bool is_registered(const struct issuer_look *look)
{
	return is_known(look) &&
	       sv_eq(json_sv_at(look->issuer->object->json, "status.acme.lastRegisteredEmail"),
		     json_sv_at(look->spec, "email"));
}

/* Not sooner than the last failure allows, and never again what was refused. */
static bool may_try(const struct issuer_look *look)
{
	const json_t *acme = json_at(look->issuer->object->json, "status.acme");
	AUTO(auto_free) char *inputs = inputs_of(look);
	int64_t now = ctl_now(), next = 0, gap;

	gap = look->account->regained_at + REGISTER_GAP_S * 1000 - loop_now(look->ctl->config.loop);
	if (look->account->gone && look->account->regained_at != 0 && gap > 0) {
		ctl_queue_in(look->ctl, CTL_ISSUER, sv_from(look->account->key), gap);
		return false;
	}
	if (!tried_with(look, inputs))
		return true;
	if (json_bool_at(acme, "refused", false))
		return false;
	if (!json_time_at(acme, "nextTryTime", &next) || !attempt_waits(next, now))
		return true;
	ctl_queue_in(look->ctl, CTL_ISSUER, sv_from(look->account->key),
		     wall_wait_ms(next, now, LOOK_AGAIN_MS));
	return false;
}

static bool is_refused(const struct issuer_look *look)
{
	AUTO(auto_free) char *inputs = inputs_of(look);

	return tried_with(look, inputs) &&
	       json_bool_at(look->issuer->object->json, "status.acme.refused", false);
}

static void put_standing(const struct issuer_look *look)
{
	json_t *status = status_copy(look->issuer->object);
	const char *kid = acme_client_kid(look->account->client);

	json_object_del(json_object_get(status, "acme"), "termsAskedUntil");
	if (kid != NULL) /* the CA may have moved */
		json_set_at(status, "acme.uri", json_string(kid));
	set_directory(look, status);
	set_ready(status, look->issuer->object);
	ctl_put_status(look->ctl, CTL_ISSUER, look->issuer->object, status);
}

static void bring_up(const struct issuer_look *look)
{
	struct account *account = look->account;
	struct acme_client *client = account->client;
	bool stands = is_registered(look) && !is_refused(look);

	if (account->call == NULL)
		account->held = account_wishes(look);
	account_set_usable(account, stands && !account->held && issuer_ready(look->issuer->object));
	if (account->call != NULL || account->held)
		return;
	if (account->suspected && acme_client_kid(client) != NULL) {
		account->call = acme_get(client, acme_client_kid(client), verified, account);
	} else if (stands) {
		put_standing(look);
	} else if (may_try(look)) {
		if (is_known(look) && acme_client_kid(client) != NULL)
			account->call = acme_account_contact(
				client, json_sv_at(look->spec, "email"), registered, account);
		else
			issuer_register(look);
	}
}

static void acme_reconcile(struct controllers *ctl, const struct issuer *issuer)
{
	struct issuer_look look = {.ctl = ctl,
				   .issuer = issuer,
				   .spec = json_at(issuer->object->json, "spec.acme"),
				   .account = account_get(ctl, sv_from(issuer->object->key))};
	struct account *account = look.account;
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err err = {0};

	if (account->result != NULL) {
		if (!json_same(json_member(issuer->object->json, "status"), account->result)) {
			ctl_put_status(ctl, CTL_ISSUER, issuer->object,
				       json_incref(account->result));
			return;
		}
		json_decref(TAKE(account->result));
	}
	key = account_key_load(&look);
	if (key != NULL && account_finish_rollover(&look))
		return;
	if (key == NULL)
		account_drop_client(account);
	else if (account_set_client(account, issuer, key, &err) < 0)
		issuer_not_ready(&look, "InvalidConfig", "%s", err.msg);
	else
		bring_up(&look);
}

const struct issuer_type issuer_acme = {
	.member = "acme", .reconcile = acme_reconcile, .sign = request_by_order};
