/* resource/event.c - Event: what happened to an object */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

static const struct schema_node reference_members[] = {
	TEXT("kind"),       TEXT("namespace"),       TEXT("name"),      TEXT("uid"),
	TEXT("apiVersion"), TEXT("resourceVersion"), TEXT("fieldPath"), END,
};

static const struct schema_node source_members[] = {TEXT("component"), TEXT("host"), END};

static const struct schema_node series_members[] = {
	COUNT("count"),
	TEXT("lastObservedTime", .format = &format_time),
	END,
};

const struct schema_node event_schema[] = {
	KIND_MEMBERS,
	OBJECT("involvedObject", reference_members, REQUIRED),
	TEXT("reason", .max = 128),
	TEXT("message", .max = 1024),
	OBJECT("source", source_members),
	TEXT("firstTimestamp", .format = &format_time),
	TEXT("lastTimestamp", .format = &format_time),
	COUNT("count"),
	TEXT("type", WORDS("Normal", "Warning", "")),
	TEXT("eventTime", .format = &format_time),
	OBJECT("series", series_members),
	TEXT("action", .max = 128),
	OBJECT("related", reference_members),
	TEXT("reportingComponent"),
	TEXT("reportingInstance"),
	END,
};

static json_t *last_seen(const json_t *object, int64_t now)
{
	static const char *const paths[] = {"series.lastObservedTime", "lastTimestamp",
					    "firstTimestamp", "eventTime"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (json_at(object, paths[i]) != NULL)
			return cell_since(object, paths[i], now);
	}
	return cell_since(object, "metadata.creationTimestamp", now);
}

static json_t *first_seen(const json_t *object, int64_t now)
{
	return cell_since(
		object, json_at(object, "firstTimestamp") != NULL ? "firstTimestamp" : "eventTime",
		now);
}

/* "gateway/shop" */
static json_t *about(const json_t *object, int64_t now)
{
	struct str_view kind = json_sv_at(object, "involvedObject.kind");
	char lower[64];

	(void)now;
	kind = sv_head(kind, sizeof(lower));
	for (size_t i = 0; i < kind.len; i++)
		lower[i] = ascii_lower(kind.data[i]);
	return json_fmt("%.*s/%.*s", (int)kind.len, lower,
			SV_ARG(json_sv_at(object, "involvedObject.name")));
}

static json_t *source(const json_t *object, int64_t now)
{
	struct str_view host = json_sv_at(object, "source.host");

	(void)now;
	return json_fmt("%.*s%s%.*s", SV_ARG(json_sv_at(object, "source.component")),
			host.len == 0 ? "" : ", ", SV_ARG(host));
}

CELL_VALUE(event_type, "type")
CELL_VALUE(event_reason, "reason")
CELL_VALUE(event_part, "involvedObject.fieldPath")
CELL_VALUE(event_message, "message")
CELL_VALUE(event_count, "count")
CELL_VALUE(event_name, "metadata.name")

const struct column event_columns[10] = {
	{.name = "Last Seen", .type = "string", .cell = last_seen},
	{.name = "Type", .type = "string", .cell = event_type},
	{.name = "Reason", .type = "string", .cell = event_reason},
	{.name = "Object", .type = "string", .cell = about},
	{.name = "Subobject", .type = "string", .priority = 1, .cell = event_part},
	{.name = "Source", .type = "string", .priority = 1, .cell = source},
	{.name = "Message", .type = "string", .cell = event_message},
	{.name = "First Seen", .type = "string", .priority = 1, .cell = first_seen},
	{.name = "Count", .type = "string", .priority = 1, .cell = event_count},
	{.name = "Name", .type = "string", .priority = 1, .cell = event_name},
};
