/* resource/apps.c - apps/v1 Deployment: stored for manifests that bring one, never run */
#include "resource/columns.h"
#include "resource/rows.h"

#include <inttypes.h>

/* Pods are nothing to this program: what they hold is taken as it is. */
static const struct schema_node template_members[] = {END};

static const struct schema_node deployment_spec[] = {
	COUNT("replicas", .integer = 1),
	OBJECT("selector", label_selector_members, REQUIRED),
	OBJECT("template", template_members, .flags = SCHEMA_REQUIRED | SCHEMA_OPEN),
	ANY("strategy"),
	COUNT("minReadySeconds"),
	COUNT("revisionHistoryLimit"),
	BOOL("paused"),
	COUNT("progressDeadlineSeconds"),
	END,
};

const struct schema_node deployment_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", deployment_spec, REQUIRED),
	KIND_STATUS,
	END,
};

/* A selector that misses its own pods is always a slip. */
void deployment_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *labels = json_at(object, "spec.template.metadata.labels");
	json_t *wanted = json_at(object, "spec.selector.matchLabels");
	const char *name;
	json_t *value;

	cause_immutable(causes, object, old, "spec.selector");
	json_object_foreach(wanted, name, value)
	{
		if (json_same(json_member(labels, name), value))
			continue;
		cause_invalid(causes, "spec.template.metadata.labels", labels,
			      "must have the labels that spec.selector asks for");
		return;
	}
}

static int64_t count_of(const json_t *object, const char *path)
{
	return json_int_at(object, path, 0);
}

static json_t *ready(const json_t *object, int64_t now)
{
	(void)now;
	return json_fmt("%" PRId64 "/%" PRId64, count_of(object, "status.readyReplicas"),
			count_of(object, "spec.replicas"));
}

static json_t *updated(const json_t *object, int64_t now)
{
	(void)now;
	return json_integer(count_of(object, "status.updatedReplicas"));
}

static json_t *available(const json_t *object, int64_t now)
{
	(void)now;
	return json_integer(count_of(object, "status.availableReplicas"));
}

const struct column deployment_columns[3] = {
	{.name = "Ready", .type = "string", .cell = ready},
	{.name = "Up-to-date", .type = "string", .cell = updated},
	{.name = "Available", .type = "string", .cell = available},
};
