/* resource/core.c - Namespace and ConfigMap */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

/* ---- Namespace ---- */

static const struct schema_node namespace_spec[] = {LIST("finalizers", text_item), END};

const struct schema_node namespace_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", namespace_spec),
	KIND_STATUS,
	END,
};

/* Every Namespace can be selected by its name, as in Kubernetes. */
void namespace_defaults(json_t *object, const json_t *old)
{
	const json_t *name = json_at(object, "metadata.name");
	json_t *meta = json_object_get(object, "metadata");
	json_t *labels = json_object_get(meta, "labels");

	(void)old;
	if (!json_is_string(name) || (labels != NULL && !json_is_object(labels)))
		return;
	if (labels == NULL) {
		labels = json_object();
		json_object_set_new(meta, "labels", labels);
	}
	json_object_set_new(labels, "kubernetes.io/metadata.name", json_sv(text_of(name)));
}

json_t *namespace_status(const json_t *object, int64_t now)
{
	json_t *status = json_object();

	(void)object;
	(void)now;
	json_object_set_new(status, "phase", json_string("Active"));
	return status;
}

CELL_VALUE(namespace_phase, "status.phase")

const struct column namespace_columns[1] = {
	{.name = "Status", .type = "string", .cell = namespace_phase},
};

/* ---- ConfigMap ---- */

static const struct schema_node base64_item[] = {TEXT("[]", .format = &format_base64)};

const struct schema_node configmap_schema[] = {
	KIND_MEMBERS,
	MAP("data", text_item, .format = &format_data_key),
	MAP("binaryData", base64_item, .format = &format_data_key),
	BOOL("immutable"),
	END,
};

void configmap_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	json_t *data = json_object_get(object, "data");
	const char *name;
	json_t *value;

	data_validate(object, old, causes);
	json_object_foreach(json_object_get(object, "binaryData"), name, value)
	{
		struct where where = {0};

		where_to(&where, "binaryData[%s]", name);
		if (json_object_get(data, name) != NULL)
			cause_invalid(causes, where.text, NULL, "is in data, too");
	}
}

static json_t *configmap_count(const json_t *object, int64_t now)
{
	size_t count = json_object_size(json_member(object, "data")) +
		       json_object_size(json_member(object, "binaryData"));

	(void)now;
	return json_integer((json_int_t)count);
}

const struct column configmap_columns[1] = {
	{.name = "Data", .type = "integer", .cell = configmap_count},
};
