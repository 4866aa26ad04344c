#include "controller/selector.h"

#include "base/own.h"

static bool value_in(const json_t *values, const json_t *label)
{
	json_t *value;
	size_t i;

	json_array_foreach(values, i, value)
	{
		if (json_same(value, label))
			return true;
	}
	return false;
}

static bool expression_matches(const json_t *expression, const json_t *labels)
{
	struct str_view how = json_sv_at(expression, "operator");
	const json_t *values = json_member(expression, "values");
	const char *key = json_str_at(expression, "key");
	const json_t *label = key == NULL ? NULL : json_member(labels, key);

	if (key == NULL)
		return false;
	if (sv_eq(how, SV("In")))
		return label != NULL && value_in(values, label);
	if (sv_eq(how, SV("NotIn")))
		return label == NULL || !value_in(values, label);
	if (sv_eq(how, SV("Exists")))
		return label != NULL;
	return sv_eq(how, SV("DoesNotExist")) && label == NULL;
}

bool label_selector_matches(const json_t *selector, const json_t *labels)
{
	json_t *value, *expression;
	const char *name;
	size_t i;

	if (!json_is_object(selector))
		return false;
	json_object_foreach((json_t *)(uintptr_t)json_member(selector, "matchLabels"), name, value)
	{
		const json_t *label = json_member(labels, name);

		if (label == NULL || !json_same(label, value))
			return false;
	}
	json_array_foreach(json_member(selector, "matchExpressions"), i, expression)
	{
		if (!expression_matches(expression, labels))
			return false;
	}
	return true;
}
