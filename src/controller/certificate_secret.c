/* controller/certificate_secret.c - the next private key, made and stored before it is used, and
 * the Secret that a certificate is served from
 */
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "loop/jobs.h"

#include <stdlib.h>

enum key_type certificate_key_type(const struct cert_look *look)
{
	const json_t *key = json_member(look->spec, "privateKey");
	enum key_type type;

	if (!key_type_parse(json_sv_at(key, "algorithm"), json_int_at(key, "size", 0), &type))
		type = KEY_RSA_2048; /* admission has refused what cannot be parsed */
	return type;
}

/* ---- making a key ---- */

struct key_job {
	struct job job;
	struct cert_run *run; /* NULL: nobody waits any more */
	char *secret_name;
	enum key_type type;
	EVP_PKEY *key;
	struct err err;
};

static void key_work(struct job *self)
{
	struct key_job *job = CONTAINER_OF(self, struct key_job, job);

	job->key = key_make(job->type, &job->err);
}

/* Owned by the Certificate, so it goes with it. */
static bool store_key(struct controllers *ctl, const struct object *cert, const char *name,
		      EVP_PKEY *key)
{
	json_t *body = body_new(kind_of_secret(), object_namespace(cert), name,
				kind_of_certificate(), cert);
	struct err err = {0};
	json_t *data = key_data("tls.key", key, KEY_PKCS8, &err);

	if (data == NULL) {
		json_decref(body);
		ctl_event(ctl, kind_of_certificate(), cert, "Warning", "KeyFailed", "%s", err.msg);
		ctl_retry(ctl, CTL_CERTIFICATE, sv_from(cert->key));
		return false;
	}
	json_set_at(body, "metadata.labels",
		    json_pack("{s:s}", "cert-manager.io/next-private-key", "true"));
	json_object_set_new(body, "type", json_string("Opaque"));
	json_object_set_new(body, "data", data);
	put_object(&(struct wake){ctl, CTL_CERTIFICATE, cert->key}, kind_of_secret(), NULL, body);
	ctl_event(ctl, kind_of_certificate(), cert, "Normal", "Generated",
		  "Stored new private key in temporary Secret resource \"%s\"", name);
	return true;
}

static void key_done(struct job *self)
{
	struct key_job *job = CONTAINER_OF(self, struct key_job, job);
	struct cert_run *run = job->run;
	const struct object *cert = NULL;

	if (run != NULL) {
		run->job = NULL;
		cert = store_get(run->ctl->config.store, sv_from(run->key));
	}
	if (cert != NULL && job->key != NULL) {
		(void)store_key(run->ctl, cert, job->secret_name, job->key);
	} else if (cert != NULL) {
		ctl_event(run->ctl, kind_of_certificate(), cert, "Warning", "KeyFailed", "%s",
			  job->err.msg);
		ctl_retry(run->ctl, CTL_CERTIFICATE, sv_from(run->key));
	}
	EVP_PKEY_free(job->key);
	free(job->secret_name);
	free(job);
}

void certificate_forget_attempt(struct cert_run *run)
{
	if (run->job != NULL)
		run->job->run = NULL; /* nobody waits for it any more */
	run->job = NULL;
	EVP_PKEY_free(TAKE(run->next_key));
	run->next_key_revision = 0;
	free(TAKE(run->request_uid));
}

static void begin_job(struct cert_look *look, const char *name, enum key_type type)
{
	struct key_job *job = xcalloc(1, sizeof(*job));

	job->job.work = key_work;
	job->job.done = key_done;
	job->run = look->run;
	job->secret_name = xstrdup(name);
	job->type = type;
	look->run->job = job;
	jobs_submit(look->ctl->config.jobs, &job->job);
}

/* rotationPolicy Never keeps the key that is there. The default is Always, as in cert-manager
 * since 1.18. */
static EVP_PKEY *kept_key(const struct cert_look *look, enum key_type type)
{
	EVP_PKEY *key;

	if (!sv_eq(json_sv_at(look->spec, "privateKey.rotationPolicy"), SV("Never")) ||
	    look->secret == NULL || certificate_key_is_compromised(look))
		return NULL;
	key = secret_key(look->secret, "tls.key", NULL);
	if (key == NULL || key_is(key, type))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* The key as certificate_next_key gives it: what is written about it in this turn is stored with
 * it. Its Secret is read back when it is stored. */
static EVP_PKEY *make_key(struct cert_look *look, const char *name)
{
	enum key_type type = certificate_key_type(look);
	AUTO(auto_key) EVP_PKEY *key = kept_key(look, type);
	struct err err = {0};

	if (look->run->job != NULL)
		return NULL;
	if (key == NULL && key_is_slow(type)) {
		begin_job(look, name, type);
		return NULL;
	}
	if (key == NULL)
		key = key_make(type, &err);
	if (key != NULL) {
		if (!store_key(look->ctl, look->cert, name, key))
			return NULL;
		EVP_PKEY_free(look->run->next_key);
		look->run->next_key = TAKE(key);
		look->run->next_key_revision = 0;
		return look->run->next_key;
	}
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Warning", "KeyFailed", "%s",
		  err.msg);
	ctl_retry(look->ctl, CTL_CERTIFICATE, sv_from(look->cert->key));
	return NULL;
}

EVP_PKEY *certificate_next_key(struct cert_look *look, const char *secret_name)
{
	const struct object *secret =
		ctl_get(look->ctl, kind_of_secret(), object_namespace(look->cert), secret_name);
	struct cert_run *run = look->run;

	if (secret == NULL)
		return make_key(look, secret_name);
	if (run->next_key_revision != secret->revision) {
		EVP_PKEY_free(TAKE(run->next_key));
		run->next_key = secret_key(secret, "tls.key", NULL);
		run->next_key_revision = secret->revision;
	}
	if (run->next_key != NULL && key_is(run->next_key, certificate_key_type(look)))
		return run->next_key;
	ctl_delete_object(look->ctl, secret); /* the spec asks for another type now */
	return NULL;
}

/* ---- the Secret ---- */

static void set_notes(json_t *meta, const char *member, const json_t *notes)
{
	json_t *there = json_object_get(meta, member);
	const char *name;
	json_t *value;

	if (!json_is_object(there)) {
		there = json_object();
		json_object_set_new(meta, member, there);
	}
	json_object_foreach((json_t *)notes, name, value)
	{
		json_object_set(there, name, value);
	}
}

static void set_template(json_t *body, const json_t *spec)
{
	json_t *meta = json_object_get(body, "metadata");
	json_t *label = json_pack("{s:s}", "controller.cert-manager.io/fao", "true");

	set_notes(meta, "labels", json_at(spec, "secretTemplate.labels"));
	set_notes(meta, "labels", label);
	set_notes(meta, "annotations", json_at(spec, "secretTemplate.annotations"));
	json_decref(label);
}

static json_t *joined(const json_t *list)
{
	AUTO(auto_free) char *text = joined_texts(list);

	return json_string(text);
}

/* Those that are seldom used stand there only when they say something. */
static void set_seldom(json_t *body, const char *note, const json_t *value)
{
	json_t *notes = json_object_get(json_object_get(body, "metadata"), "annotations");
	AUTO(auto_free) char *text = joined_texts(value);

	if (text[0] != '\0')
		json_object_set_new(notes, note, json_string(text));
	else
		json_object_del(notes, note);
}

static void set_annotations(json_t *body, const struct cert_look *look)
{
	const json_t *ref = certificate_issuer_ref(look);
	const char *kind = json_str_at(ref, "kind"), *group = json_str_at(ref, "group");
	const char *common_name = json_str_at(look->spec, "commonName");
	json_t *notes =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", NOTE_CERTIFICATE,
			  object_name(look->cert), NOTE_ISSUER_NAME, json_str_at(ref, "name"),
			  NOTE_ISSUER_KIND, kind == NULL ? "Issuer" : kind,
			  "cert-manager.io/issuer-group", group == NULL ? "cert-manager.io" : group,
			  "cert-manager.io/common-name", common_name == NULL ? "" : common_name,
			  "cert-manager.io/alt-names", joined(json_member(look->spec, "dnsNames")),
			  "cert-manager.io/ip-sans", joined(json_member(look->spec, "ipAddresses")),
			  "cert-manager.io/uri-sans", joined(json_member(look->spec, "uris")));
	const json_t *subject = json_member(look->spec, "subject");

	set_notes(json_object_get(body, "metadata"), "annotations", notes);
	json_decref(notes);
	set_seldom(body, "cert-manager.io/email-sans", json_member(look->spec, "emailAddresses"));
	for (size_t i = 0; i < SUBJECT_MEMBER_COUNT; i++)
		set_seldom(body, subject_members[i].note,
			   json_member(subject, subject_members[i].name));
}

static void set_value(json_t *body, const char *name, json_t *value)
{
	json_t *data = json_object_get(body, "data");

	if (!json_is_object(data)) {
		data = json_object();
		json_object_set_new(body, "data", data);
	}
	if (value != NULL)
		json_object_set_new(data, name, value);
	else
		json_object_del(data, name);
}

static json_t *secret_body(const struct cert_look *look)
{
	json_t *body;

	if (look->secret != NULL)
		return json_deep_copy(look->secret->json);
	body = body_new(kind_of_secret(), object_namespace(look->cert),
			json_str_at(look->spec, "secretName"), NULL, NULL);
	json_object_set_new(body, "type", json_string("kubernetes.io/tls"));
	return body;
}

/* All but the private key. */
static json_t *public_body(const struct cert_look *look, struct str_view chain, struct str_view ca)
{
	json_t *body = secret_body(look);

	set_template(body, look->spec);
	set_annotations(body, look);
	set_value(body, "tls.crt", json_base64(chain));
	set_value(body, "ca.crt", ca.len > 0 ? json_base64(ca) : NULL);
	return body;
}

bool certificate_is_installed(struct cert_look *look, struct str_view chain, struct str_view ca)
{
	AUTO(auto_json) json_t *body = NULL;

	if (!look->dated) /* no Secret, or its key is not the certificate's */
		return false;
	body = public_body(look, chain, ca);
	return json_same(body, look->secret->json);
}

void certificate_install(struct cert_look *look, EVP_PKEY *key, struct str_view chain,
			 struct str_view ca)
{
	bool pkcs8 = sv_eq(json_sv_at(look->spec, "privateKey.encoding"), SV("PKCS8"));
	struct err err = {0};
	AUTO(auto_json)
	json_t *data = key_data("tls.key", key, pkcs8 ? KEY_PKCS8 : KEY_PKCS1, &err);
	json_t *body;

	if (data == NULL) {
		ctl_event(look->ctl, kind_of_certificate(), look->cert, "Warning", "KeyFailed",
			  "%s", err.msg);
		return;
	}
	body = public_body(look, chain, ca);
	set_value(body, "tls.key", json_incref(json_object_get(data, "tls.key")));
	put_object(&(struct wake){look->ctl, CTL_CERTIFICATE, look->cert->key}, kind_of_secret(),
		   look->secret, body);
}

void certificate_sync_template(struct cert_look *look)
{
	json_t *body;

	if (look->secret == NULL || look->reason != NULL)
		return;
	body = secret_body(look);
	set_template(body, look->spec);
	if (json_same(body, look->secret->json))
		json_decref(body);
	else
		put_object(&(struct wake){look->ctl, CTL_CERTIFICATE, look->cert->key},
			   kind_of_secret(), look->secret, body);
}
