/* resource/refs.c - references that routes, listeners and policies share (Gateway API) */
#include "resource/names.h"
#include "resource/rows.h"

static const struct schema_node parent_ref_members[] = {
	TEXT("group", .max = 253, .format = &format_group, .text = "gateway.networking.k8s.io"),
	TEXT("kind", .min = 1, .max = 63, .format = &format_kind, .text = "Gateway"),
	TEXT("namespace", .min = 1, .max = 63, .format = &format_label),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("sectionName", .min = 1, .max = 253, .format = &format_subdomain),
	PORT("port"),
	END,
};
const struct schema_node parent_ref_item[] = {OBJECT("[]", parent_ref_members)};

const struct schema_node secret_ref_members[] = {
	TEXT("group", .max = 253, .format = &format_group, .text = ""),
	TEXT("kind", .min = 1, .max = 63, .format = &format_kind, .text = "Secret"),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("namespace", .min = 1, .max = 63, .format = &format_label),
	END,
};
const struct schema_node secret_ref_item[] = {OBJECT("[]", secret_ref_members)};

static const struct schema_node object_ref_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("namespace", .min = 1, .max = 63, .format = &format_label),
	END,
};
const struct schema_node object_ref_item[] = {OBJECT("[]", object_ref_members)};

const struct schema_node backend_ref_members[] = {BACKEND_REF_MEMBERS, END};

static bool same_parent(const json_t *a, const json_t *b)
{
	static const char *const members[] = {"group", "kind", "namespace", "name"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (!json_same(json_member(a, members[i]), json_member(b, members[i])))
			return false;
	}
	return true;
}

static bool has_same(const json_t *a, const json_t *b, const char *member)
{
	return (json_member(a, member) == NULL) == (json_member(b, member) == NULL);
}

/* Two references to one parent must both say which part of it they mean, and differ in that. */
static void compare_parents(const json_t *a, const json_t *b, size_t index, struct causes *causes)
{
	struct where where = {0};

	if (!same_parent(a, b))
		return;
	where_to(&where, "spec.parentRefs[%zu]", index);
	if (!has_same(a, b, "sectionName") || !has_same(a, b, "port"))
		cause_invalid(causes, where.text, b,
			      "sectionName or port must be specified in both when two "
			      "parentRefs name the same parent");
	else if (json_same(json_member(a, "sectionName"), json_member(b, "sectionName")) &&
		 json_same(json_member(a, "port"), json_member(b, "port")))
		cause_duplicate(causes, where.text, b);
}

#define PARENT_REFS_MAX 32

void parent_refs_validate(const json_t *refs, struct causes *causes)
{
	size_t count = json_array_size(refs);

	if (count > PARENT_REFS_MAX)
		return; /* the schema has said so */
	for (size_t i = 1; i < count; i++) {
		for (size_t j = 0; j < i; j++)
			compare_parents(json_array_get(refs, j), json_array_get(refs, i), i,
					causes);
	}
}

void backend_ref_validate(const json_t *ref, struct where *where, struct causes *causes)
{
	size_t mark;

	if (json_member(ref, "port") != NULL || !sv_eq(json_sv_at(ref, "kind"), SV("Service")) ||
	    json_sv_at(ref, "group").len > 0)
		return;
	mark = where_to(where, ".port");
	cause_required(causes, where->text, "a Service is named with its port");
	where_back(where, mark);
}
