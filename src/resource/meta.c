/* resource/meta.c - metadata of every kind */
#include "resource/meta.h"

#include "base/clock.h"
#include "base/own.h"
#include "resource/names.h"

#include <stdlib.h>
#include <sys/random.h>

#define ANNOTATIONS_MAX (256u << 10) /* bytes of all keys and values, as in Kubernetes */
#define SUFFIX_LENGTH   5

/* ---- rows ---- */

const struct schema_node text_item[] = {TEXT("[]")};
const struct schema_node any_item[] = {ANY("[]")};
const struct schema_node hostname_item[] = {
	TEXT("[]", .min = 1, .max = 253, .format = &format_hostname)};

static const struct schema_node label_value_item[] = {TEXT("[]", .format = &format_label_value)};

static const struct schema_node match_expression_members[] = {
	TEXT("key", REQUIRED, .format = &format_qualified),
	TEXT("operator", REQUIRED, WORDS("In", "NotIn", "Exists", "DoesNotExist")),
	LIST("values", label_value_item),
	END,
};
static const struct schema_node match_expression_item[] = {OBJECT("[]", match_expression_members)};

const struct schema_node label_selector_members[] = {
	MAP("matchLabels", label_value_item, .format = &format_qualified),
	LIST("matchExpressions", match_expression_item),
	END,
};

static const struct schema_node owner_members[] = {
	TEXT("apiVersion", REQUIRED, .min = 1),
	TEXT("kind", REQUIRED, .min = 1),
	TEXT("name", REQUIRED, .min = 1),
	TEXT("uid", REQUIRED, .min = 1),
	BOOL("controller"),
	BOOL("blockOwnerDeletion"),
	END,
};
static const struct schema_node owner_item[] = {OBJECT("[]", owner_members)};

const struct schema_node metadata_members[] = {
	TEXT("name"),
	TEXT("generateName"),
	TEXT("namespace"),
	TEXT("uid", .max = 128),
	TEXT("resourceVersion", .max = 128),
	ANY("generation"),
	ANY("creationTimestamp"),
	ANY("deletionTimestamp"),
	ANY("deletionGracePeriodSeconds"),
	MAP("labels", label_value_item, .format = &format_qualified),
	MAP("annotations", text_item, .format = &format_annotation_key),
	LIST("ownerReferences", owner_item, .max = 64),
	LIST("finalizers", text_item, .max = 64, .flags = SCHEMA_SET),
	ANY("managedFields"),
	ANY("selfLink"),
	END,
};

static const struct schema_node condition_members[] = {
	TEXT("type", REQUIRED, .min = 1, .max = 316),
	TEXT("status", REQUIRED, WORDS("True", "False", "Unknown")),
	TEXT("reason", .max = 1024),
	TEXT("message", .max = 32768),
	TEXT("lastTransitionTime", .format = &format_time),
	INTEGER("observedGeneration"),
	END,
};
static const struct schema_node condition_item[] = {
	OBJECT("[]", condition_members, .flags = SCHEMA_OPEN)};

const struct schema_node status_members[] = {
	LIST("conditions", condition_item, .key = "type", .max = 32),
	END,
};

/* ---- filling in ---- */

static void random_bytes(void *out, size_t length)
{
	if (getrandom(out, length, 0) != (ssize_t)length)
		abort(); /* up to 256 bytes never fail once the system has booted (getrandom(2)) */
}

static char *new_uid(void)
{
	unsigned char b[16];

	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* version 4 (RFC 9562, section 5.4) */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	return xasprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
			 b[12], b[13], b[14], b[15]);
}

static void fill_name(json_t *meta)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789"; /* no words by accident */
	const char *prefix = json_str_at(meta, "generateName");
	unsigned char bytes[SUFFIX_LENGTH];
	char suffix[SUFFIX_LENGTH + 1] = "";

	if (prefix == NULL || prefix[0] == '\0' || json_sv_at(meta, "name").len > 0)
		return;
	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < SUFFIX_LENGTH; i++)
		suffix[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	json_object_set_new(meta, "name", json_fmt("%.220s%s", prefix, suffix));
}

/* The value of old, whatever the body said; absent when old has none. */
static void keep_member(json_t *meta, const json_t *old, const char *member)
{
	json_t *value = json_object_get(json_member(old, "metadata"), member);

	if (value == NULL)
		json_object_del(meta, member);
	else
		json_object_set(meta, member, value);
}

static void fill_birth(json_t *meta, int64_t now)
{
	char text[CLOCK_TEXT_SIZE];
	AUTO(auto_free) char *uid = new_uid();

	clock_rfc3339(now, text);
	json_object_set_new(meta, "uid", json_string(uid));
	json_object_set_new(meta, "creationTimestamp", json_string(text));
}

void meta_fill(const struct admission *how, json_t *object)
{
	static const char *const kept[] = {"resourceVersion", "generation", "creationTimestamp",
					   "deletionTimestamp", "deletionGracePeriodSeconds"};
	json_t *meta = json_object_get(object, "metadata");

	json_object_del(meta, "managedFields");
	json_object_del(meta, "selfLink");
	fill_name(meta);
	if (!how->kind->namespaced)
		json_object_del(meta, "namespace");
	else if (json_sv_at(meta, "namespace").len == 0)
		json_object_set_new(meta, "namespace", json_string("default"));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		keep_member(meta, how->old, kept[i]);
	if (how->old == NULL)
		fill_birth(meta, how->now);
	else if (json_member(meta, "uid") == NULL)
		keep_member(meta, how->old, "uid");
}

static bool same_but(const char *name)
{
	return strcmp(name, "metadata") == 0 || strcmp(name, "status") == 0;
}

/* Do both hold the same, metadata and status apart? */
static bool content_same(const json_t *a, const json_t *b)
{
	const char *name;
	json_t *value;
	size_t counted = 0, other = 0;

	json_object_foreach((json_t *)a, name, value)
	{
		if (same_but(name))
			continue;
		counted++;
		if (!json_same(value, json_member(b, name)))
			return false;
	}
	json_object_foreach((json_t *)b, name, value) other += !same_but(name);
	return counted == other;
}

void meta_generation(const struct admission *how, json_t *object)
{
	json_t *meta = json_object_get(object, "metadata");
	int64_t before = json_int_at(how->old, "metadata.generation", 0);

	if (!how->kind->has_spec_generation)
		return;
	if (how->old == NULL || !content_same(object, how->old))
		json_object_set_new(meta, "generation", json_integer(before + 1));
}

/* ---- what is wrong ---- */

static const struct text_format format_1035 = {
	name_is_dns_1035_label,
	"must be lower-case letters, digits and '-', first a letter, last a letter or digit "
	"(RFC 1035), 63 characters at most"};

static const struct text_format *const name_formats[] = {
	[NAME_SUBDOMAIN] = &format_subdomain,
	[NAME_LABEL] = &format_label,
	[NAME_LABEL_1035] = &format_1035,
};

static bool among(const char *const *names, const char *name)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static void validate_name(const struct kind *kind, const json_t *meta, struct causes *causes)
{
	const struct text_format *format = name_formats[kind->name_rule];
	const json_t *name = json_member(meta, "name");

	if (name == NULL)
		cause_required(causes, "metadata.name", "name or generateName is required");
	else if (!json_is_string(name))
		return;
	else if (!format->is(text_of(name)))
		cause_invalid(causes, "metadata.name", name, "%s", format->must);
	else if (kind->only_names != NULL && !among(kind->only_names, json_string_value(name)))
		cause_invalid(causes, "metadata.name", name, "must be \"%s\"", kind->only_names[0]);
}

static void validate_annotations(const json_t *meta, struct causes *causes)
{
	json_t *annotations = json_object_get(meta, "annotations");
	const char *name;
	json_t *value;
	size_t total = 0;

	json_object_foreach(annotations, name, value) total +=
		strlen(name) + json_string_length(value);
	if (total > ANNOTATIONS_MAX)
		causes_add(causes, CAUSE_TOO_LONG, "metadata.annotations",
			   "Too long: may not be more than %u bytes", ANNOTATIONS_MAX);
}

void meta_validate(const struct admission *how, const json_t *object, struct causes *causes)
{
	const json_t *meta = json_member(object, "metadata");
	const json_t *ns = json_member(meta, "namespace");

	validate_name(how->kind, meta, causes);
	validate_annotations(meta, causes);
	if (json_is_string(ns) && !name_is_dns_label(text_of(ns)))
		cause_invalid(causes, "metadata.namespace", ns, "%s", format_label.must);
	cause_immutable(causes, object, how->old, "metadata.uid");
	cause_immutable(causes, object, how->old, "metadata.name");
}
