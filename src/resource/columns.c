/* resource/columns.c - cells that the tables of several kinds share */
#include "resource/columns.h"

#include "base/clock.h"
#include "base/own.h"
#include "resource/condition.h"
#include "resource/schema.h"

#define CELL_MAX 4096 /* bytes of a joined cell */

json_t *cell_value(const json_t *object, const char *path)
{
	json_t *value = json_at(object, path);

	return json_is_string(value) || json_is_number(value) || json_is_boolean(value)
		       ? json_incref(value)
		       : json_null();
}

json_t *cell_or_none(const json_t *object, const char *path)
{
	json_t *value = json_at(object, path);

	if (!json_is_string(value) || json_string_length(value) == 0)
		return json_string("<none>");
	return json_incref(value);
}

json_t *cell_condition(const json_t *object, const char *type, const char *member)
{
	return cell_value(condition_find(json_at(object, "status.conditions"), type), member);
}

json_t *cell_since(const json_t *object, const char *path, int64_t now)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t then;

	if (!clock_parse_rfc3339(text_of(json_at(object, path)), &then))
		return json_string("<unknown>");
	clock_age(now > then ? now - then : 0, text);
	return json_string(text);
}

json_t *cell_condition_since(const json_t *object, const char *type, int64_t now)
{
	return cell_since(condition_find(json_at(object, "status.conditions"), type),
			  "lastTransitionTime", now);
}

json_t *cell_labels(const json_t *object, const char *path)
{
	json_t *labels = json_at(object, path);
	const char *name;
	json_t *value;
	struct buf text;
	json_t *cell;

	buf_init(&text, CELL_MAX);
	json_object_foreach(labels, name, value)
	{
		buf_addf(&text, "%s%s=%s", buf_len(&text) == 0 ? "" : ",", name,
			 json_is_string(value) ? json_string_value(value) : "");
	}
	cell = buf_len(&text) == 0 ? json_string("<none>") : json_sv(buf_view(&text));
	buf_deinit(&text);
	return cell;
}

json_t *cell_hostnames(const json_t *object, int64_t now)
{
	const json_t *list = json_at(object, "spec.hostnames");
	AUTO(auto_free) char *text = NULL;

	(void)now;
	if (json_array_size(list) == 0)
		return json_null();
	text = json_text(list);
	return json_string(text);
}

json_t *cell_count(const json_t *object, const char *path)
{
	return json_integer((json_int_t)json_object_size(json_at(object, path)));
}

static json_t *age(const json_t *object, int64_t now)
{
	return cell_since(object, "metadata.creationTimestamp", now);
}

const struct column column_age = {.name = "Age", .type = "string", .cell = age};
