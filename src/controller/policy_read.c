/* controller/policy_read.c - what one BackendTLSPolicy comes to, with the CAs that it names */
#include "controller/policy_read.h"

#include "base/own.h"
#include "controller/cabundle.h"

#include <stdlib.h>

#define SANS_MAX 5

struct reading { /* one policy being read */
	struct policy_reader *reader;
	const struct object *object;
	struct policy_outcome *outcome;
};

void policy_outcome_deinit(struct policy_outcome *outcome, struct graveyard *graveyard)
{
	if (outcome->tls != NULL)
		part_unref(&outcome->tls->part, graveyard);
	free(outcome->refs_message);
	free(outcome->refused_message);
	*outcome = (struct policy_outcome){0};
}

void policy_reader_deinit(struct policy_reader *reader)
{
	if (reader->system != NULL)
		part_unref(&reader->system->part, reader->graveyard);
	reader->system = NULL;
}

/* ---- what is wrong with it: the first is told ---- */

static void refs_fail(struct policy_outcome *outcome, const char *reason, char *message)
{
	if (outcome->refs_reason != NULL) {
		free(message);
		return;
	}
	outcome->refs_reason = reason;
	outcome->refs_message = message;
}

static void refuse(struct policy_outcome *outcome, const char *reason, char *message)
{
	if (outcome->refused != NULL) {
		free(message);
		return;
	}
	outcome->refused = reason;
	outcome->refused_message = message;
}

/* ---- its CAs ---- */

static const char *ca_plural(const json_t *ref)
{
	struct str_view group = json_sv_at(ref, "group"), kind = json_sv_at(ref, "kind");

	if (group.len == 0 && sv_eq(kind, SV("ConfigMap")))
		return "configmaps";
	return group.len == 0 && sv_eq(kind, SV("Secret")) ? "secrets" : NULL;
}

static bool read_ca(const struct reading *reading, const json_t *ref, struct ca_bundle *bundle)
{
	const char *plural = ca_plural(ref), *name = json_str_at(ref, "name");
	struct str_view kind = json_sv_at(ref, "kind"), group = json_sv_at(ref, "group");
	AUTO(auto_free) char *key = NULL;
	const struct object *object;
	struct err err = {.code = ERR_NONE};

	if (plural == NULL) {
		refs_fail(reading->outcome, "InvalidKind",
			  xasprintf("caCertificateRefs can name ConfigMaps and Secrets of the core "
				    "group, not kind %.*s%s%.*s",
				    SV_ARG(kind), group.len > 0 ? "." : "", SV_ARG(group)));
		return false;
	}
	key = object_key("core", plural, object_namespace(reading->object), name);
	object = key == NULL ? NULL : store_get(reading->reader->store, sv_from(key));
	if (object == NULL)
		refs_fail(reading->outcome, "InvalidCACertificateRef",
			  xasprintf("%.*s %s/%s does not exist", SV_ARG(kind),
				    object_namespace(reading->object), name));
	else if (ca_bundle_object(bundle, object, &err) < 0)
		refs_fail(reading->outcome, "InvalidCACertificateRef",
			  xasprintf("%.*s %s/%s: %s", SV_ARG(kind),
				    object_namespace(reading->object), name, err.msg));
	else
		return true;
	return false;
}

/* Moves what one holds, or throws it away. */
static void take_all(struct ca_bundle *bundle, struct ca_bundle *one, bool valid)
{
	if (!valid || one->count == 0) {
		ca_bundle_deinit(one);
		return;
	}
	bundle->certs =
		xrealloc(bundle->certs, (bundle->count + one->count) * sizeof(bundle->certs[0]));
	memcpy(&bundle->certs[bundle->count], one->certs, one->count * sizeof(one->certs[0]));
	bundle->count += one->count;
	free(one->certs);
}

/* One owner, the caller; NULL: none, and the conditions are told. */
static struct ca_set *read_refs(const struct reading *reading, const json_t *refs)
{
	struct ca_bundle bundle = {0};
	struct ca_set *cas = NULL;
	json_t *ref;
	size_t i;

	json_array_foreach(refs, i, ref)
	{
		struct ca_bundle one = {0};
		bool valid = read_ca(reading, ref, &one);

		take_all(&bundle, &one, valid);
	}
	if (bundle.count > 0)
		cas = ca_set_new(&(struct ca_set){.count = bundle.count, .certs = bundle.certs});
	else
		refuse(reading->outcome, "NoValidCACertificate",
		       xasprintf("no caCertificateRef can be used: %s",
				 reading->outcome->refs_message == NULL
					 ? ""
					 : reading->outcome->refs_message));
	ca_bundle_deinit(&bundle);
	return cas;
}

/* Those of the system are read once. */
static struct ca_set *read_system(const struct reading *reading)
{
	struct ca_bundle bundle = {0};
	struct err err = {.code = ERR_NONE};

	if (reading->reader->system == NULL && ca_bundle_system(&bundle, &err) == 0)
		reading->reader->system =
			ca_set_new(&(struct ca_set){.count = bundle.count, .certs = bundle.certs});
	ca_bundle_deinit(&bundle);
	if (reading->reader->system == NULL) {
		refuse(reading->outcome, "NoValidCACertificate", xstrdup(err.msg));
		return NULL;
	}
	part_ref(&reading->reader->system->part);
	return reading->reader->system;
}

static struct ca_set *read_cas(const struct reading *reading, const json_t *validation)
{
	struct str_view known = json_sv_at(validation, "wellKnownCACertificates");

	if (known.len == 0)
		return read_refs(reading, json_member(validation, "caCertificateRefs"));
	if (sv_eq(known, SV("System")))
		return read_system(reading);
	refuse(reading->outcome, "Invalid",
	       xasprintf("wellKnownCACertificates: only System is supported, not %.*s",
			 SV_ARG(known)));
	return NULL;
}

static size_t read_sans(const json_t *validation, struct san sans[SANS_MAX])
{
	size_t count = 0, i;
	json_t *san;

	json_array_foreach(json_member(validation, "subjectAltNames"), i, san)
	{
		bool uri = sv_eq(json_sv_at(san, "type"), SV("URI"));

		if (count < SANS_MAX)
			sans[count++] = (struct san){
				.uri = uri, .name = json_sv_at(san, uri ? "uri" : "hostname")};
	}
	return count;
}

void policy_read(struct policy_reader *reader, const struct object *object, const char *id,
		 struct policy_outcome *outcome)
{
	const json_t *validation = json_at(object->json, "spec.validation");
	struct reading reading = {.reader = reader, .object = object, .outcome = outcome};
	struct san sans[SANS_MAX];
	struct backend_tls like = {.name = sv_from(id),
				   .server_name = json_sv_at(validation, "hostname"),
				   .san_count = read_sans(validation, sans),
				   .sans = sans};

	policy_outcome_deinit(outcome, reader->graveyard);
	if (json_object_size(json_at(object->json, "spec.options")) > 0)
		refuse(outcome, "Invalid", xstrdup("spec.options: no option is supported"));
	like.cas = read_cas(&reading, validation);
	if (like.cas == NULL)
		return;
	if (outcome->refused == NULL)
		outcome->tls = backend_tls_new(&like);
	part_unref(&like.cas->part, reader->graveyard);
}

bool policy_names_ca(const struct object *policy, const char *plural, const struct object *object)
{
	json_t *ref;
	size_t i;

	if (strcmp(object_namespace(policy), object_namespace(object)) != 0)
		return false;
	json_array_foreach(json_at(policy->json, "spec.validation.caCertificateRefs"), i, ref)
	{
		const char *own = ca_plural(ref);

		if (own != NULL && strcmp(own, plural) == 0 &&
		    sv_eq(json_sv_at(ref, "name"), sv_from(object_name(object))))
			return true;
	}
	return false;
}
