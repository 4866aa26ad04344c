/* controller/certificate_check.c - does the Secret hold what the Certificate asks for?
 *
 * The questions in order; the first that is answered no is the reason (cert-manager's words).
 */
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "controller/renewal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

static bool no(struct cert_look *look, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool no(struct cert_look *look, const char *reason, const char *fmt, ...)
{
	va_list args;

	look->reason = reason;
	va_start(args, fmt);
	vsnprintf(look->words, sizeof(look->words), fmt, args);
	va_end(args);
	return false;
}

/* ---- what the Secret holds ---- */

static void no_pair(struct pair_facts *facts, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void no_pair(struct pair_facts *facts, const char *reason, const char *fmt, ...)
{
	char words[CERT_WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	facts->reason = reason;
	facts->words = xstrdup(words);
}

static void read_certificate(struct pair_facts *facts, X509 *leaf, EVP_PKEY *key)
{
	struct cert_info info;
	struct err err = {0};
	struct buf id;

	if (!key_same_public(X509_get0_pubkey(leaf), key)) {
		no_pair(facts, "InvalidKeyPair",
			"Issuing certificate as Secret contains a private key that does not match "
			"the certificate");
		return;
	}
	if (cert_info_read(leaf, &info, &err) < 0) {
		no_pair(facts, "InvalidCertificate",
			"Issuing certificate as Secret contains an invalid certificate: %s",
			err.msg);
		return;
	}
	for (unsigned type = 0; type < KEY_TYPE_COUNT; type++)
		facts->key_types |= key_is(key, (enum key_type)type) ? 1u << type : 0;
	facts->not_before = info.not_before;
	facts->not_after = info.not_after;
	facts->serial_hash = sv_hash(sv_from(info.serial));
	buf_init(&id, 256);
	if (cert_ari_id(leaf, &id, NULL) == 0)
		facts->ari_id = sv_dup(buf_view(&id));
	buf_deinit(&id);
	cert_info_deinit(&info);
}

static void read_pair(struct pair_facts *facts, const struct object *secret)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(secret_deinit) struct buf crt = {0}, pem = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err err = {0};

	if (json_object_size(json_member(secret->json, "data")) == 0)
		no_pair(facts, "MissingData",
			"Issuing certificate as Secret does not contain any data");
	else if (!secret_value(secret, "tls.key", &pem))
		no_pair(facts, "MissingData",
			"Issuing certificate as Secret does not contain a private key");
	else if (!secret_value(secret, "tls.crt", &crt))
		no_pair(facts, "MissingData",
			"Issuing certificate as Secret does not contain a certificate");
	else if ((key = key_from_pem(buf_view(&pem), &err)) == NULL)
		no_pair(facts, "InvalidKeyPair",
			"Issuing certificate as Secret contains invalid private key data: %s",
			err.msg);
	else if (chain_from_pem(buf_view(&crt), &chain, &err) < 0 || chain.count == 0)
		no_pair(facts, "InvalidCertificate",
			"Issuing certificate as Secret contains an invalid certificate: %s",
			err.msg);
	else
		read_certificate(facts, chain.certs[0], key);
}

/* After a restart: what the status says of this very Secret and spec is believed, so that 100,000
 * certificates are not parsed before the first request is answered. */
static bool take_noted(struct cert_look *look, struct pair_facts *facts)
{
	const json_t *status = json_member(look->cert->json, "status");
	const json_t *ready = condition_find(json_member(status, "conditions"), "Ready");
	int64_t generation = object_generation(look->cert);
	uint64_t revision;

	return sv_to_u64(json_sv_at(status, "secretResourceVersion"), &revision) &&
	       revision == look->secret->revision &&
	       sv_eq(json_sv_at(ready, "status"), SV("True")) &&
	       json_int_at(ready, "observedGeneration", 0) == generation &&
	       json_time_at(status, "notBefore", &facts->not_before) &&
	       json_time_at(status, "notAfter", &facts->not_after) &&
	       json_time_at(status, "renewalTime", &facts->noted_renewal) &&
	       (facts->noted_generation = generation) > 0;
}

static void look_into_secret(struct cert_look *look)
{
	struct pair_facts *facts = &look->run->facts;
	bool first = facts->secret_revision == 0;

	auto_free(&facts->words);
	auto_free(&facts->ari_id);
	*facts = (struct pair_facts){.secret_revision = look->secret->revision};
	if (first && take_noted(look, facts)) {
		facts->key_types = UINT_MAX;
		return;
	}
	*facts = (struct pair_facts){.secret_revision = look->secret->revision, .parsed = true};
	read_pair(facts, look->secret);
}

static bool holds_pair(struct cert_look *look)
{
	struct pair_facts *facts = &look->run->facts;
	int64_t generation = object_generation(look->cert);

	if (look->secret == NULL)
		return no(look, "DoesNotExist", "Issuing certificate as Secret does not exist");
	if (facts->secret_revision != look->secret->revision ||
	    (facts->noted_generation != 0 && facts->noted_generation != generation))
		look_into_secret(look);
	return facts->reason == NULL || no(look, facts->reason, "%s", facts->words);
}

static struct renewal_wish wish_of(const json_t *spec)
{
	struct renewal_wish wish = {.percentage = json_int_at(spec, "renewBeforePercentage", 0)};
	int64_t before;

	if (clock_parse_duration(json_sv_at(spec, "renewBefore"), &before))
		wish.before_s = before / 1000;
	return wish;
}

static void take_dates(struct cert_look *look)
{
	struct pair_facts *facts = &look->run->facts;
	uint64_t bits = facts->serial_hash ^ sv_hash(sv_from(look->cert->key));

	look->dated = true;
	look->not_before = facts->not_before;
	look->not_after = facts->not_after;
	if (facts->noted_generation == 0) {
		facts->noted_renewal =
			certificate_plan(look,
					 renewal_time(facts->not_before, facts->not_after,
						      wish_of(look->spec), bits),
					 bits);
		facts->noted_generation = object_generation(look->cert);
	}
	look->renewal = facts->noted_renewal;
	certificate_planned(look);
}

/* ---- is it what was asked for? ---- */

/* Two Certificates that want one Secret would replace each other's for ever: the one that has it
 * keeps it. */
static bool is_ours(struct cert_look *look)
{
	const char *name = note_of(look->secret, NOTE_CERTIFICATE);
	const struct object *other;

	if (name == NULL || strcmp(name, object_name(look->cert)) == 0)
		return true;
	other = ctl_get(look->ctl, kind_of_certificate(), object_namespace(look->cert), name);
	if (other == NULL || !sv_eq(json_sv_at(other->json, "spec.secretName"),
				    json_sv_at(look->spec, "secretName")))
		return no(look, "IncorrectCertificate",
			  "Issuing certificate as Secret was issued for Certificate \"%s\"", name);
	look->duplicate = true;
	return no(look, "IncorrectCertificate",
		  "Secret %s belongs to Certificate \"%s\": give one of the two another "
		  "spec.secretName",
		  object_name(look->secret), name);
}

static bool has_key_type(struct cert_look *look)
{
	if ((look->run->facts.key_types & 1u << certificate_key_type(look)) != 0)
		return true;
	return no(look, "SecretMismatch",
		  "Issuing certificate as Existing private key is not up to date for spec: "
		  "[spec.privateKey]");
}

static bool has_issuer(struct cert_look *look)
{
	const char *name = note_of(look->secret, NOTE_ISSUER_NAME);
	const char *kind = note_of(look->secret, NOTE_ISSUER_KIND);

	if (name != NULL && certificate_may_be_of(look, kind, name))
		return true;
	return no(look, "IncorrectIssuer",
		  "Issuing certificate as Secret was previously issued by \"%s %s\"",
		  kind == NULL ? "" : kind, name == NULL ? "" : name);
}

static void add_list(json_t *spec, const char *member, const char *text)
{
	struct str_view rest = text == NULL ? SV_NONE : sv_from(text);
	json_t *list = json_array();

	while (rest.data != NULL) {
		struct str_view part = sv_split(&rest, ',');

		if (part.len > 0)
			json_array_append_new(list, json_sv(part));
	}
	json_object_set_new(spec, member, list);
}

/* The names it was asked for with, as they were noted in the Secret: what a CA adds by itself does
 * not count, or it would be issued anew for ever. */
static bool has_names(struct cert_look *look)
{
	const char *common_name = note_of(look->secret, "cert-manager.io/common-name");
	AUTO(auto_json) json_t *noted = json_object();
	struct name_list wanted, had;
	bool same;

	add_list(noted, "dnsNames", note_of(look->secret, "cert-manager.io/alt-names"));
	add_list(noted, "ipAddresses", note_of(look->secret, "cert-manager.io/ip-sans"));
	if (common_name != NULL)
		json_object_set_new(noted, "commonName", json_string(common_name));
	name_list_from_spec(&wanted, look->spec);
	name_list_from_spec(&had, noted);
	same = name_list_same(&wanted, &had);
	name_list_deinit(&wanted);
	name_list_deinit(&had);
	return same || no(look, "RequestChanged",
			  "Issuing certificate as the names asked for are not those of the "
			  "certificate: [spec.dnsNames, spec.ipAddresses, spec.commonName]");
}

static bool is_noted(const struct cert_look *look, const char *note, const json_t *value)
{
	const char *noted = note_of(look->secret, note);
	AUTO(auto_free) char *wanted = joined_texts(value);

	return strcmp(wanted, noted == NULL ? "" : noted) == 0;
}

static bool has_subject(struct cert_look *look)
{
	const json_t *subject = json_member(look->spec, "subject");
	bool same = is_noted(look, "cert-manager.io/uri-sans", json_member(look->spec, "uris")) &&
		    is_noted(look, "cert-manager.io/email-sans",
			     json_member(look->spec, "emailAddresses"));

	for (size_t i = 0; same && i < SUBJECT_MEMBER_COUNT; i++)
		same = is_noted(look, subject_members[i].note,
				json_member(subject, subject_members[i].name));
	return same || no(look, "RequestChanged",
			  "Issuing certificate as what was asked for is not what the certificate "
			  "says: [spec.subject, spec.emailAddresses, spec.uris]");
}

/* What the Secret does not tell: as it was asked for by the current CertificateRequest. */
static bool has_usages(struct cert_look *look)
{
	static const char *const members[] = {"duration", "isCA", "usages"};
	AUTO(auto_free)
	char *name = derived_name(object_name(look->cert), "-%lld",
				  (long long)json_int_at(look->status, "revision", 0));
	const struct object *request =
		ctl_get(look->ctl, kind_of_request(), object_namespace(look->cert), name);

	for (size_t i = 0; request != NULL && i < ARRAY_LEN(members); i++) {
		const json_t *asked = json_member(json_member(request->json, "spec"), members[i]);

		if (!json_same(asked, json_member(look->spec, members[i])))
			return no(look, "RequestChanged",
				  "Issuing certificate as fields on existing CertificateRequest "
				  "resource not up to date: [spec.%s]",
				  members[i]);
	}
	return true;
}

static bool is_not_revoked(struct cert_look *look)
{
	const char *reason, *serial;

	if (!certificate_was_revoked(look, &reason, &serial))
		return true;
	return no(look, "Revoked",
		  "Issuing certificate as the one with serial number %s was revoked (%s)", serial,
		  reason);
}

static bool has_not_expired(struct cert_look *look)
{
	char when[CLOCK_TEXT_SIZE];

	if (look->not_after > look->now)
		return true;
	clock_rfc3339(look->not_after, when);
	return no(look, "Expired", "Certificate has expired on %s", when);
}

void certificate_check(struct cert_look *look)
{
	const char *name = json_str_at(look->spec, "secretName");

	look->reason = NULL;
	look->words[0] = '\0';
	look->secret = name == NULL ? NULL
				    : ctl_get(look->ctl, kind_of_secret(),
					      object_namespace(look->cert), name);
	if (!holds_pair(look))
		return;
	take_dates(look);
	if (is_ours(look) && has_key_type(look) && has_issuer(look) && has_names(look) &&
	    has_subject(look) && has_usages(look) && is_not_revoked(look))
		(void)has_not_expired(look);
}
