/* resource/grant.c - ReferenceGrant: who of other namespaces may refer to what here */
#include "resource/names.h"
#include "resource/rows.h"

static const struct schema_node from_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("namespace", REQUIRED, .min = 1, .max = 63, .format = &format_label),
	END,
};
static const struct schema_node from_item[] = {OBJECT("[]", from_members)};

static const struct schema_node to_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", .min = 1, .max = 253),
	END,
};
static const struct schema_node to_item[] = {OBJECT("[]", to_members)};

static const struct schema_node grant_spec[] = {
	LIST("from", from_item, REQUIRED, .min = 1, .max = 16),
	LIST("to", to_item, REQUIRED, .min = 1, .max = 16),
	END,
};

const struct schema_node referencegrant_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", grant_spec, REQUIRED),
	END,
};
