/* controller/account_key.c - the key of an ACME account: made and stored before it is used
 *
 * While the account changes its key both stand in the Secret, the new one under the old one's name
 * with ".next" after it, until the CA has shown which of the two it knows.
 */
#include "controller/issuer_look.h"

#include "base/own.h"
#include "loop/jobs.h"
#include "pki/jws.h"

#include <stdlib.h>

#define NEXT ".next"

static const struct {
	const char *word; /* of the annotation */
	enum key_type type;
} key_words[] = {
	{"ECDSA-P256", KEY_ECDSA_P256}, {"ECDSA-P384", KEY_ECDSA_P384}, {"RSA-2048", KEY_RSA_2048},
	{"RSA-3072", KEY_RSA_3072},     {"RSA-4096", KEY_RSA_4096},
};

const char *account_key_word(EVP_PKEY *key)
{
	for (size_t i = 0; i < ARRAY_LEN(key_words); i++) {
		if (key_is(key, key_words[i].type))
			return key_words[i].word;
	}
	return "";
}

static bool wanted_type(const struct issuer_look *look, enum key_type *type)
{
	const char *word = note_of(look->issuer->object, NOTE_ACCOUNT_KEY);

	*type = KEY_ECDSA_P256;
	for (size_t i = 0; word != NULL && i < ARRAY_LEN(key_words); i++) {
		*type = key_words[i].type;
		if (strcmp(word, key_words[i].word) == 0)
			return true;
	}
	return word == NULL;
}

char *account_key_thumbprint(EVP_PKEY *key, struct err *err)
{
	struct buf text;
	char *copy = NULL;

	buf_init(&text, 256);
	if (jwk_thumbprint(key, &text, err) == 0)
		copy = sv_dup(buf_view(&text));
	buf_deinit(&text);
	return copy;
}

/* ---- the Secret ---- */

static const char *key_member(const struct issuer_look *look)
{
	const char *member = json_str_at(look->spec, "privateKeySecretRef.key");

	return member == NULL || member[0] == '\0' ? "tls.key" : member;
}

static const struct object *key_secret(const struct issuer_look *look)
{
	const char *name = json_str_at(look->spec, "privateKeySecretRef.name");

	return name == NULL
		       ? NULL
		       : ctl_get(look->ctl, kind_of_secret(), issuer_namespace(look->issuer), name);
}

static void put_secret(const struct issuer_look *look, const struct object *old, json_t *body)
{
	put_object(&(struct wake){look->ctl, CTL_ISSUER, look->account->key}, kind_of_secret(), old,
		   body);
}

/* Adds the key to the Secret, which is made when there is none. */
static void store_key(const struct issuer_look *look, const char *member, EVP_PKEY *key)
{
	const struct object *old = key_secret(look);
	struct err err = {0};
	json_t *data = key_data(member, key, KEY_PKCS1, &err);
	json_t *body;

	if (data == NULL) {
		issuer_not_ready(look, "ErrGetACMEAccountKey", "cannot make an account key: %s",
				 err.msg);
		return;
	}
	if (old != NULL) {
		body = json_deep_copy(old->json);
		json_object_update(json_object_get(body, "data"), data);
		json_decref(data);
	} else {
		body = body_new(kind_of_secret(), issuer_namespace(look->issuer),
				json_str_at(look->spec, "privateKeySecretRef.name"), NULL, NULL);
		json_object_set_new(body, "type", json_string("Opaque"));
		json_object_set_new(body, "data", data);
	}
	put_secret(look, old, body);
}

void account_key_settle(const struct issuer_look *look, bool next)
{
	const struct object *secret = key_secret(look);
	AUTO(auto_free) char *other = xasprintf("%s" NEXT, key_member(look));
	json_t *body, *data, *key;

	if (secret == NULL)
		return;
	body = json_deep_copy(secret->json);
	data = json_object_get(body, "data");
	key = json_object_get(data, other);
	if (next && key != NULL)
		json_object_set(data, key_member(look), key);
	json_object_del(data, other);
	put_secret(look, secret, body);
}

/* ---- making one ---- */

struct account_key_job {
	struct job job;
	struct account *account; /* NULL: nobody waits any more */
	char *member;
	enum key_type type;
	EVP_PKEY *key;
	struct err err;
};

static void key_work(struct job *self)
{
	struct account_key_job *job = CONTAINER_OF(self, struct account_key_job, job);

	job->key = key_make(job->type, &job->err);
}

static void key_done(struct job *self)
{
	struct account_key_job *job = CONTAINER_OF(self, struct account_key_job, job);
	struct issuer_look look = {0};
	struct issuer issuer;

	if (job->account != NULL) {
		job->account->key_job = NULL;
		if (issuer_look_at(job->account, &issuer, &look) && job->key != NULL)
			store_key(&look, job->member, job->key);
		else if (look.spec != NULL)
			issuer_not_ready(&look, "ErrGetACMEAccountKey",
					 "cannot make an account key: %s", job->err.msg);
	}
	EVP_PKEY_free(job->key);
	free(job->member);
	free(job);
}

void account_key_forget_job(struct account *account)
{
	if (account->key_job != NULL)
		account->key_job->account = NULL;
	account->key_job = NULL;
}

static void make_key(const struct issuer_look *look, const char *member)
{
	struct account_key_job *job;
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err err = {0};
	enum key_type type;

	if (look->account->key_job != NULL)
		return;
	if (!wanted_type(look, &type)) {
		issuer_not_ready(look, "InvalidConfig",
				 "annotation " NOTE_ACCOUNT_KEY " must be one of ECDSA-P256, "
				 "ECDSA-P384, RSA-2048, RSA-3072, RSA-4096");
		return;
	}
	if (key_is_slow(type)) {
		job = xcalloc(1, sizeof(*job));
		job->job.work = key_work;
		job->job.done = key_done;
		job->account = look->account;
		job->member = xstrdup(member);
		job->type = type;
		look->account->key_job = job;
		jobs_submit(look->ctl->config.jobs, &job->job);
		return;
	}
	key = key_make(type, &err);
	if (key == NULL)
		issuer_not_ready(look, "ErrGetACMEAccountKey", "cannot make an account key: %s",
				 err.msg);
	else
		store_key(look, member, key);
}

void account_key_make_next(const struct issuer_look *look)
{
	AUTO(auto_free) char *member = xasprintf("%s" NEXT, key_member(look));

	make_key(look, member);
}

/* ---- reading ---- */

EVP_PKEY *account_key_next(const struct issuer_look *look)
{
	AUTO(auto_free) char *member = xasprintf("%s" NEXT, key_member(look));
	const struct object *secret = key_secret(look);
	EVP_PKEY *key = secret == NULL ? NULL : secret_key(secret, member, NULL);

	if (key == NULL || jws_alg(key) != NULL)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

EVP_PKEY *account_key_load(const struct issuer_look *look)
{
	const char *name = json_str_at(look->spec, "privateKeySecretRef.name");
	const char *ns = issuer_namespace(look->issuer);
	const struct object *secret = key_secret(look);
	struct err err = {0};
	EVP_PKEY *key;

	if (name == NULL)
		return NULL;
	if (secret == NULL && json_bool_at(look->spec, "disableAccountKeyGeneration", false)) {
		issuer_not_ready(look, "ErrGetACMEAccountKey",
				 "Secret %s/%s with the account key does not exist, and "
				 "disableAccountKeyGeneration is set: store the key there",
				 ns, name);
		return NULL;
	}
	if (secret == NULL) {
		make_key(look, key_member(look));
		return NULL;
	}
	key = secret_key(secret, key_member(look), &err);
	if (key != NULL && jws_alg(key) == NULL) {
		err_set(&err, ERR_UNSUPPORTED, "ACME cannot use a key of this type");
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (key == NULL)
		issuer_not_ready(look, "ErrGetACMEAccountKey",
				 "the account key in Secret %s/%s: %s", ns, name, err.msg);
	return key;
}
