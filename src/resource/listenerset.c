/* resource/listenerset.c - ListenerSet (gateway.networking.k8s.io) */
#include "base/own.h"
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

static const struct schema_node parent_members[] = {
	TEXT("group", .max = 253, .format = &format_group, .text = "gateway.networking.k8s.io"),
	TEXT("kind", .min = 1, .max = 63, .format = &format_kind, .text = "Gateway"),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	TEXT("namespace", .min = 1, .max = 63, .format = &format_label),
	END,
};

static const struct schema_node set_spec[] = {
	OBJECT("parentRef", parent_members, REQUIRED),
	LIST("listeners", listener_item, REQUIRED, .key = "name", .min = 1, .max = LISTENERS_MAX),
	END,
};

const struct schema_node listenerset_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", set_spec, REQUIRED),
	KIND_STATUS,
	END,
};

void listenerset_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	(void)old;
	listeners_validate(json_at(object, "spec.listeners"), causes);
}

CELL_CONDITION(set_accepted, "Accepted", "status")
CELL_CONDITION(set_programmed, "Programmed", "status")

const struct column listenerset_columns[2] = {
	{.name = "Accepted", .type = "string", .cell = set_accepted},
	{.name = "Programmed", .type = "string", .cell = set_programmed},
};
