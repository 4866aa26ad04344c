/* controller/certificate_issuer.c - which issuer an attempt is made with: the one that the spec
 * names, another one when it cannot (sallyport.dev/fallback-issuers), or a CA's staging endpoint
 * first for names that have failed (sallyport.dev/staging-server)
 *
 * status.attemptIssuer is the issuer of the attempt when it is not the spec's own. Which one issued
 * stands in status.issuedBy.
 */
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/certificate_issuer.h"
#include "controller/issuer.h"

#include <stdio.h>
#include <stdlib.h>

#define FALLBACKS_MAX 8
#define PATIENCE_S    120 /* for an issuer that is not ready, or whose CA is down */

struct choice { /* an issuer by name */
	struct str_view kind, name;
};

struct choices {
	size_t count;
	struct choice all[1 + FALLBACKS_MAX]; /* the spec's own first */
};

/* ---- the issuers in order ---- */

static struct choice choice_of(const json_t *ref)
{
	struct str_view kind = json_sv_at(ref, "kind");

	return (struct choice){kind.len > 0 ? kind : SV("Issuer"), json_sv_at(ref, "name")};
}

static bool same_choice(const struct choice *a, const struct choice *b)
{
	return sv_eq(a->kind, b->kind) && sv_eq(a->name, b->name);
}

static const struct object *choice_find(const struct cert_look *look, const struct choice *choice)
{
	AUTO(auto_json) json_t *ref = json_object();
	struct issuer issuer;

	json_object_set_new(ref, "kind", json_sv(choice->kind));
	json_object_set_new(ref, "name", json_sv(choice->name));
	return issuer_find(look->ctl, object_namespace(look->cert), ref, &issuer) ? issuer.object
										  : NULL;
}

/* "backup, ClusterIssuer/other": of the kind of the spec's own unless it says otherwise. */
static void add_choices(struct choices *choices, const char *note)
{
	struct str_view rest = sv_from(note);

	while (rest.data != NULL && choices->count < ARRAY_LEN(choices->all)) {
		struct str_view name = sv_trim(sv_split(&rest, ','));
		size_t slash = sv_find(name, '/');
		struct choice choice = {choices->all[0].kind, name};

		if (slash != SV_NOT_FOUND)
			choice = (struct choice){sv_head(name, slash), sv_skip(name, slash + 1)};
		if (choice.name.len > 0 && !same_choice(&choice, &choices->all[0]))
			choices->all[choices->count++] = choice;
	}
}

static void choices_of(const struct cert_look *look, struct choices *choices)
{
	const char *note = note_of(look->cert, NOTE_FALLBACKS);
	const struct object *first;

	*choices = (struct choices){.count = 1,
				    .all = {choice_of(json_member(look->spec, "issuerRef"))}};
	first = choice_find(look, &choices->all[0]);
	if (note == NULL && first != NULL)
		note = note_of(first, NOTE_FALLBACKS);
	if (note != NULL)
		add_choices(choices, note);
}

char *certificate_issuers_print(const struct cert_look *look)
{
	struct choices choices;
	uint64_t print = 0;

	choices_of(look, &choices);
	for (size_t i = 0; i < choices.count; i++) {
		const struct object *issuer = choice_find(look, &choices.all[i]);
		AUTO(auto_free)
		char *text =
			xasprintf("%016llx %s %lld", (unsigned long long)print,
				  issuer == NULL ? "" : json_str_at(issuer->json, "metadata.uid"),
				  (long long)(issuer == NULL ? 0 : object_generation(issuer)));

		print = sv_hash(sv_from(text));
	}
	return xasprintf("%016llx", (unsigned long long)print);
}

const json_t *certificate_issuer_ref(const struct cert_look *look)
{
	const json_t *attempt = json_member(look->status, "attemptIssuer");

	return attempt != NULL ? attempt : json_member(look->spec, "issuerRef");
}

bool certificate_may_be_of(const struct cert_look *look, const char *kind, const char *name)
{
	struct choice issued = {sv_from(kind == NULL || kind[0] == '\0' ? "Issuer" : kind),
				sv_from(name)};
	struct choices choices;

	choices_of(look, &choices);
	for (size_t i = 0; i < choices.count; i++) {
		if (same_choice(&choices.all[i], &issued))
			return true;
	}
	return false;
}

static void set_attempt(struct cert_look *look, const struct choice *choice)
{
	json_t *ref = json_object();

	json_object_set_new(ref, "group", json_string("cert-manager.io"));
	json_object_set_new(ref, "kind", json_sv(choice->kind));
	json_object_set_new(ref, "name", json_sv(choice->name));
	json_object_set_new(look->status, "attemptIssuer", ref);
}

/* ---- after a failure ---- */

/* What another CA may do better. A name that this one could not validate it could not either. */
static bool is_for_next(const char *type)
{
	static const char *const types[] = {"Retrying",
					    "ServerInternal",
					    "TLSVerificationFailed",
					    "InvalidDirectory",
					    "FinalizeTimeout",
					    "ProcessingTimeout",
					    "RateLimited",
					    "RejectedIdentifier",
					    "UnsupportedIdentifier",
					    "Caa",
					    "InvalidProfile",
					    "UserActionRequired",
					    "ExternalAccountRequired",
					    "AccountDoesNotExist",
					    "OrderLost",
					    "NoChallenge",
					    "NoSolver",
					    "UntrustedURL",
					    "WrongIdentifier",
					    "BadToken",
					    "TooManyNames",
					    "CertificateRefused",
					    "IssuerNotReady"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

bool certificate_next_issuer(struct cert_look *look, const char *type, const char *words)
{
	struct choice now = choice_of(certificate_issuer_ref(look)), next;
	struct choices choices;
	size_t at = 0;

	choices_of(look, &choices);
	while (at < choices.count && !same_choice(&choices.all[at], &now))
		at++;
	if (!is_for_next(type) || certificate_is_rehearsal(look) || at + 1 >= choices.count)
		return false;
	next = choices.all[at + 1];
	status_condition(look->status, look->cert, "Issuing", COND_TRUE, "NextIssuer",
			 "%.*s %.*s cannot issue it (%s): %s; trying %.*s %.*s", SV_ARG(now.kind),
			 SV_ARG(now.name), type, words, SV_ARG(next.kind), SV_ARG(next.name));
	ctl_event(look->ctl, kind_of_certificate(), look->cert, "Warning", "NextIssuer",
		  "%.*s %.*s cannot issue it: %s; trying %.*s %.*s", SV_ARG(now.kind),
		  SV_ARG(now.name), words, SV_ARG(next.kind), SV_ARG(next.name));
	set_attempt(look, &next);
	return true;
}

/* Is there another issuer, or a rehearsal to be left out? Then nobody waits for long. */
bool certificate_lost_patience(struct cert_look *look, const struct object *request,
			       const char *type)
{
	int64_t since = look->now;
	struct choices choices;

	choices_of(look, &choices);
	if ((choices.count == 1 && !certificate_is_rehearsal(look)) || !is_for_next(type))
		return false;
	if (strcmp(type, "RateLimited") == 0)
		return true;
	(void)json_time_at(request->json, "metadata.creationTimestamp", &since);
	if (look->now >= since + PATIENCE_S || since > look->now)
		return true;
	certificate_look_at(look, since + PATIENCE_S);
	return false;
}

/* ---- the staging endpoint first ---- */

bool certificate_is_rehearsal(const struct cert_look *look)
{
	return json_bool_at(look->status, "rehearsal", false);
}

void certificate_want_rehearsal(struct cert_look *look, const char *type)
{
	if (!is_for_next(type))
		json_object_set_new(look->status, "rehearse", json_true());
}

void certificate_choose_issuer(struct cert_look *look)
{
	struct choice own = choice_of(json_member(look->spec, "issuerRef"));
	const struct object *issuer = choice_find(look, &own), *staging;
	AUTO(auto_free) char *name = NULL;
	struct choice choice = own;

	certificate_end_rehearsal(look);
	if (issuer == NULL || !json_bool_at(look->status, "rehearse", false))
		return;
	name = staging_issuer_name(issuer);
	choice.name = sv_from(name);
	staging = choice_find(look, &choice);
	if (staging == NULL || !ctl_is_owned_by(staging, issuer))
		return;
	set_attempt(look, &choice);
	json_object_set_new(look->status, "rehearsal", json_true());
}

void certificate_end_rehearsal(struct cert_look *look)
{
	json_object_del(look->status, "attemptIssuer");
	json_object_del(look->status, "rehearsal");
}

void certificate_keep_issuer(struct cert_look *look)
{
	const json_t *attempt = json_member(look->status, "attemptIssuer");
	struct choice own = choice_of(json_member(look->spec, "issuerRef"));
	const struct object *issuer;
	AUTO(auto_free) char *staging = NULL;

	if (attempt == NULL)
		return;
	if (certificate_is_rehearsal(look)) {
		issuer = choice_find(look, &own);
		staging = issuer == NULL ? NULL : staging_issuer_name(issuer);
		if (staging != NULL && sv_eq(json_sv_at(attempt, "name"), sv_from(staging)))
			return;
	} else if (certificate_may_be_of(look, json_str_at(attempt, "kind"),
					 json_str_at(attempt, "name"))) {
		return;
	}
	certificate_end_rehearsal(look);
}

/* ---- afterwards ---- */

static void set_or_drop(struct cert_look *look, const char *type, bool holds, const char *reason,
			const char *words)
{
	if (holds)
		status_condition(look->status, look->cert, type, COND_TRUE, reason, "%s", words);
	else
		(void)condition_remove(json_object_get(look->status, "conditions"), type);
}

void certificate_issued_by(struct cert_look *look)
{
	struct choice own = choice_of(json_member(look->spec, "issuerRef"));
	struct choice by = choice_of(certificate_issuer_ref(look));
	const struct object *issuer = choice_find(look, &by);
	bool staging = issuer != NULL && issuer_is_staging(issuer);
	char words[CERT_WORDS_MAX];
	json_t *issued = json_object();

	json_object_set_new(issued, "kind", json_sv(by.kind));
	json_object_set_new(issued, "name", json_sv(by.name));
	json_object_set_new(look->status, "issuedBy", issued);
	snprintf(words, sizeof(words),
		 "Issued by %.*s %.*s, since the issuer of the spec and those before it could not",
		 SV_ARG(by.kind), SV_ARG(by.name));
	set_or_drop(look, "Fallback", !same_choice(&own, &by), "IssuedByFallback", words);
	snprintf(words, sizeof(words),
		 "The CA of %.*s %.*s is a staging service for trials: no client trusts this "
		 "certificate",
		 SV_ARG(by.kind), SV_ARG(by.name));
	set_or_drop(look, "Staging", staging, "StagingCA", words);
	certificate_end_rehearsal(look);
	json_object_del(look->status, "rehearse");
}
