/* resource/backendtls.c - BackendTLSPolicy (gateway.networking.k8s.io) */
#include "resource/names.h"
#include "resource/rows.h"

#include "base/own.h"

#define TARGETS_MAX 16
#define CAS_MAX     8
#define SANS_MAX    5

static const struct schema_node target_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("sectionName", .min = 1, .max = 253, .format = &format_subdomain),
	END,
};
static const struct schema_node target_item[] = {OBJECT("[]", target_members)};

static const struct schema_node ca_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	END,
};
static const struct schema_node ca_item[] = {OBJECT("[]", ca_members)};

/* A scheme and an authority (RFC 3986, section 3). */
static bool is_uri(struct str_view text)
{
	size_t colon = sv_find(text, ':');

	if (colon == SV_NOT_FOUND || colon == 0 || !sv_starts(sv_skip(text, colon), SV("://")))
		return false;
	return memchr(text.data, '/', colon) == NULL && memchr(text.data, '?', colon) == NULL &&
	       memchr(text.data, '#', colon) == NULL;
}

static const struct text_format format_uri = {is_uri,
					      "must be an absolute URI: spiffe://example.com/shop"};

static const struct schema_node san_members[] = {
	TEXT("type", REQUIRED, WORDS("Hostname", "URI")),
	TEXT("hostname", .min = 1, .max = 253, .format = &format_hostname),
	TEXT("uri", .min = 1, .max = 253, .format = &format_uri),
	END,
};
static const struct schema_node san_item[] = {OBJECT("[]", san_members)};

static bool is_well_known(struct str_view text)
{
	return sv_eq(text, SV("System")) ||
	       (sv_find(text, '/') != SV_NOT_FOUND && name_is_qualified(text));
}

static const struct text_format format_well_known = {
	is_well_known, "must be System, or a domain and a name: example.com/name"};

static const struct schema_node validation_members[] = {
	LIST("caCertificateRefs", ca_item, .max = CAS_MAX),
	TEXT("wellKnownCACertificates", .min = 1, .max = 253, .format = &format_well_known),
	TEXT("hostname", REQUIRED, .min = 1, .max = 253, .format = &format_exact_hostname),
	LIST("subjectAltNames", san_item, .max = SANS_MAX),
	END,
};

static const struct schema_node option_item[] = {TEXT("[]", .max = 4096)};

static const struct schema_node policy_spec[] = {
	LIST("targetRefs", target_item, REQUIRED, .min = 1, .max = TARGETS_MAX),
	OBJECT("validation", validation_members, REQUIRED),
	MAP("options", option_item, .format = &format_annotation_key, .max = 16),
	END,
};

const struct schema_node backendtlspolicy_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", policy_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* ---- rules between members ---- */

static bool same_target(const json_t *a, const json_t *b)
{
	return json_is_object(a) && json_is_object(b) &&
	       json_same(json_member(a, "group"), json_member(b, "group")) &&
	       json_same(json_member(a, "kind"), json_member(b, "kind")) &&
	       json_same(json_member(a, "name"), json_member(b, "name"));
}

/* Two references to one object must both say which part of it they mean, and differ in that. */
static void validate_target(const json_t *targets, size_t index, struct causes *causes)
{
	const json_t *target = json_array_get(targets, index);
	const json_t *section = json_member(target, "sectionName");
	struct where where = {0};

	where_to(&where, "spec.targetRefs[%zu]", index);
	for (size_t i = 0; i < index; i++) {
		const json_t *other = json_array_get(targets, i);

		if (!same_target(target, other))
			continue;
		if (section == NULL || json_member(other, "sectionName") == NULL)
			cause_invalid(causes, where.text, target,
				      "sectionName must be specified when targetRefs includes 2 or "
				      "more references to the same target");
		else if (json_same(section, json_member(other, "sectionName")))
			cause_duplicate(causes, where.text, target);
	}
}

static void validate_san(const json_t *san, size_t index, struct causes *causes)
{
	bool uri = sv_eq(json_sv_at(san, "type"), SV("URI"));
	const char *need = uri ? "uri" : "hostname", *other = uri ? "hostname" : "uri";
	struct where where = {0};
	size_t mark;

	where_to(&where, "spec.validation.subjectAltNames[%zu]", index);
	mark = where_to(&where, ".%s", need);
	if (json_sv_at(san, need).len == 0)
		cause_required(causes, where.text, "its type needs it");
	where_back(&where, mark);
	where_to(&where, ".%s", other);
	if (json_sv_at(san, other).len > 0)
		cause_forbidden(causes, where.text, "type %s has none", uri ? "URI" : "Hostname");
}

void backendtlspolicy_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *targets = json_at(object, "spec.targetRefs");
	const json_t *validation = json_at(object, "spec.validation");
	const json_t *sans = json_member(validation, "subjectAltNames");
	bool refs = json_array_size(json_member(validation, "caCertificateRefs")) > 0;
	bool known = json_sv_at(validation, "wellKnownCACertificates").len > 0;

	(void)old;
	for (size_t i = 0; i < json_array_size(targets) && i < TARGETS_MAX; i++)
		validate_target(targets, i, causes);
	for (size_t i = 0; i < json_array_size(sans) && i < SANS_MAX; i++)
		validate_san(json_array_get(sans, i), i, causes);
	if (refs && known)
		cause_invalid(causes, "spec.validation", validation,
			      "must not contain both caCertificateRefs and "
			      "wellKnownCACertificates");
	else if (!refs && !known && json_is_object(validation))
		cause_required(causes, "spec.validation",
			       "one of caCertificateRefs and wellKnownCACertificates");
}

static json_t *policy_targets(const json_t *object, int64_t now)
{
	const json_t *first = json_array_get(json_at(object, "spec.targetRefs"), 0);

	(void)now;
	return first == NULL ? json_null() : json_incref(json_object_get(first, "name"));
}

const struct column backendtlspolicy_columns[1] = {
	{.name = "Target", .type = "string", .cell = policy_targets},
};
