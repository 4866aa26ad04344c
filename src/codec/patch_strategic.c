/* codec/patch_strategic.c - Kubernetes' strategic merge patch
 *
 * Objects merge, null deletes, lists merge by the key that the caller knows for their path or are
 * replaced, and directives in the patch say what else is to happen.
 */
#include "base/own.h"
#include "codec/patch.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_MAX_LEN 4096
#define SET_ORDER    SV("$setElementOrder/")
#define DELETE_FROM  SV("$deleteFromPrimitiveList/")

struct strategic {
	patch_key_fn *key_of;
	void *arg;
	struct err *err;
};

/* Where we are, without list indices; lives on the stack of the recursion. */
struct step {
	const struct step *up; /* NULL: the root, whose name is not part of the path */
	const char *name;
};

static json_t *merge_object(struct strategic *st, const struct step *at, json_t *object,
			    const json_t *patch);

/* ---- paths and errors ---- */

static void path_add(struct buf *path, const struct step *at)
{
	if (at->up == NULL)
		return;
	path_add(path, at->up);
	if (buf_len(path) > 0)
		buf_addc(path, '.');
	buf_add(path, sv_from(at->name));
}

/* Always NULL. */
static json_t *fail(struct strategic *st, const struct step *at, const char *problem)
{
	AUTO(buf_deinit) struct buf path = {0};

	buf_init(&path, PATH_MAX_LEN);
	path_add(&path, at);
	err_set(st->err, ERR_INVALID, "strategic merge patch, %.300s: %s",
		buf_len(&path) == 0 ? "at the top" : buf_cstr(&path), problem);
	return NULL;
}

static const char *merge_key(struct strategic *st, const struct step *at)
{
	AUTO(buf_deinit) struct buf path = {0};

	buf_init(&path, PATH_MAX_LEN);
	path_add(&path, at);
	return path.spent ? NULL : st->key_of(st->arg, buf_cstr(&path));
}

/* ---- items of lists that merge ---- */

/* Two items are one when their keys are the same; those of a set ("") when they are themselves. */
static bool item_same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *left = *key == '\0' ? a : json_object_get(a, key);
	const json_t *right = *key == '\0' ? b : json_object_get(b, key);

	return left != NULL && json_same(left, right);
}

/* Index of the item of list that is the same, or SIZE_MAX. list may be NULL. */
static size_t item_find(const json_t *list, const json_t *item, const char *key)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (item_same(json_array_get(list, i), item, key))
			return i;
	return SIZE_MAX;
}

static void items_remove(json_t *list, const json_t *item, const char *key)
{
	size_t i;

	while ((i = item_find(list, item, key)) != SIZE_MAX)
		json_array_remove(list, i);
}

/* "merge", "replace", "delete", or NULL. */
static const char *directive(const json_t *value)
{
	return json_string_value(json_object_get(value, "$patch"));
}

static bool is_directive(const json_t *value, const char *name)
{
	const char *word = directive(value);

	return word != NULL && strcmp(word, name) == 0;
}

/* One object of the patch goes into list, which changes. */
static int merge_item(struct strategic *st, const struct step *at, json_t *list, const char *key,
		      const json_t *item)
{
	json_t *merged;
	size_t i;

	if (!json_is_object(item) || json_object_get(item, key) == NULL) {
		fail(st, at, "an item lacks the key by which this list merges");
		return -1;
	}
	if (is_directive(item, "delete")) {
		items_remove(list, item, key);
		return 0;
	}
	i = item_find(list, item, key);
	merged = merge_object(st, at, i == SIZE_MAX ? NULL : json_incref(json_array_get(list, i)),
			      item);
	if (merged == NULL)
		return -1;
	return i == SIZE_MAX ? json_array_append_new(list, merged)
			     : json_array_set_new(list, i, merged);
}

static bool replaces_list(const json_t *patch)
{
	for (size_t i = 0; i < json_array_size(patch); i++)
		if (is_directive(json_array_get(patch, i), "replace"))
			return true;
	return false;
}

/* What old, a list of the document or not, becomes: itself, changed, or a new list. */
static json_t *merge_list(struct strategic *st, const struct step *at, json_t *old,
			  const json_t *patch)
{
	const char *key = merge_key(st, at);
	bool replace = replaces_list(patch);
	AUTO(auto_json) json_t *list = NULL;
	json_t *item;
	size_t i;

	if (key == NULL && !replace)
		return json_deep_copy(patch);
	if (json_array_size(old) + json_array_size(patch) > PATCH_LIST_MAX)
		return fail(st, at, "the list is too long to merge by key");
	list = json_is_array(old) && !replace ? json_incref(old) : json_array();
	json_array_foreach((json_t *)patch, i, item)
	{
		if (is_directive(item, "replace"))
			continue;
		if (key == NULL || *key == '\0') {
			if (key == NULL || item_find(list, item, key) == SIZE_MAX)
				json_array_append_new(list, json_deep_copy(item));
		} else if (merge_item(st, at, list, key, item) != 0) {
			return NULL;
		}
	}
	return TAKE(list);
}

/* ---- $setElementOrder ---- */

struct ranked {
	size_t rank, place; /* in the order asked for; in the list as it is */
	json_t *item;       /* borrowed */
};

static int rank_cmp(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

/* A new list: items that order names stand in its order; the others stay before those items that
 * they stood before in the document (live, may be NULL). */
static json_t *order_list(const json_t *list, const json_t *order, const json_t *live,
			  const char *key)
{
	size_t count = json_array_size(list), named = 0, next = 0;
	AUTO(auto_free) struct ranked *ranked = xcalloc(count + 1, sizeof(*ranked));
	json_t *ordered = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *item = json_array_get(list, i);

		ranked[i] = (struct ranked){item_find(order, item, key), i, item};
		named += ranked[i].rank != SIZE_MAX;
	}
	qsort(ranked, count, sizeof(*ranked), rank_cmp);
	for (size_t i = named; i < count; i++) {
		size_t other = item_find(live, ranked[i].item, key);

		while (next < named) {
			size_t at = item_find(live, ranked[next].item, key);

			if (at != SIZE_MAX && other != SIZE_MAX && other < at)
				break;
			json_array_append(ordered, ranked[next++].item);
		}
		json_array_append(ordered, ranked[i].item);
	}
	while (next < named)
		json_array_append(ordered, ranked[next++].item);
	return ordered;
}

/* ---- directives of an object ---- */

static bool has_prefix(const char *text, struct str_view prefix)
{
	return sv_starts(sv_from(text), prefix);
}

static bool is_instruction(const char *key)
{
	return strcmp(key, "$patch") == 0 || strcmp(key, "$retainKeys") == 0 ||
	       has_prefix(key, SET_ORDER) || has_prefix(key, DELETE_FROM);
}

static int retain_keys(struct strategic *st, const struct step *at, json_t *object,
		       const json_t *patch)
{
	const json_t *retain = json_object_get(patch, "$retainKeys");
	const char *key;
	json_t *value;
	void *next;

	if (retain == NULL)
		return 0;
	if (!json_is_array(retain) || json_array_size(retain) > PATCH_LIST_MAX) {
		fail(st, at, "$retainKeys must be a list of names");
		return -1;
	}
	json_object_foreach_safe(object, next, key, value)
	{
		AUTO(auto_json) json_t *name = json_string(key);

		if (item_find(retain, name, "") == SIZE_MAX)
			json_object_del(object, key);
	}
	return 0;
}

static int delete_from(struct strategic *st, const struct step *at, json_t *object,
		       const json_t *patch)
{
	const char *key;
	const json_t *gone;

	json_object_foreach((json_t *)patch, key, gone)
	{
		json_t *list;

		if (!has_prefix(key, DELETE_FROM))
			continue;
		list = json_object_get(object, key + DELETE_FROM.len);
		if (!json_is_array(gone) ||
		    json_array_size(gone) + json_array_size(list) > PATCH_LIST_MAX) {
			fail(st, at, "$deleteFromPrimitiveList must be a (short) list");
			return -1;
		}
		for (size_t i = 0; i < json_array_size(gone); i++)
			items_remove(list, json_array_get(gone, i), "");
	}
	return 0;
}

/* The lists of object that the patch will order, as they are now: {name: list}. */
static json_t *lists_to_order(const json_t *object, const json_t *patch)
{
	json_t *lists = json_object();
	const char *key;
	const json_t *order;

	json_object_foreach((json_t *)patch, key, order)
	{
		json_t *list;

		if (!has_prefix(key, SET_ORDER))
			continue;
		list = json_object_get(object, key + SET_ORDER.len);
		if (json_is_array(list))
			json_object_set_new(lists, key + SET_ORDER.len, json_copy(list));
	}
	return lists;
}

static int set_orders(struct strategic *st, const struct step *at, json_t *object,
		      const json_t *lists, const json_t *patch)
{
	const char *directive_key;
	const json_t *order;

	json_object_foreach((json_t *)patch, directive_key, order)
	{
		const char *name = directive_key + SET_ORDER.len;
		struct step below = {at, name};
		const json_t *list;
		const char *key;

		if (!has_prefix(directive_key, SET_ORDER))
			continue;
		list = json_object_get(object, name);
		key = merge_key(st, &below);
		if (key == NULL || list == NULL)
			continue; /* replaced as a whole, or gone */
		if (!json_is_array(order) || json_array_size(order) > PATCH_LIST_MAX ||
		    json_array_size(list) > PATCH_LIST_MAX) {
			fail(st, &below, "$setElementOrder must be a (short) list");
			return -1;
		}
		json_object_set_new(object, name,
				    order_list(list, order, json_object_get(lists, name), key));
	}
	return 0;
}

/* ---- objects ---- */

static int merge_member(struct strategic *st, const struct step *at, json_t *object,
			const char *key, const json_t *value)
{
	struct step below = {at, key};
	json_t *old = json_object_get(object, key);
	json_t *merged;

	if (json_is_null(value)) {
		json_object_del(object, key);
		return 0;
	}
	if (json_is_object(value))
		merged = merge_object(st, &below, json_incref(old), value);
	else if (json_is_array(value))
		merged = merge_list(st, &below, old, value);
	else
		merged = json_deep_copy(value);
	return merged == NULL ? -1 : json_object_set_new(object, key, merged);
}

static int merge_members(struct strategic *st, const struct step *at, json_t *object,
			 const json_t *patch)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)patch, key,
			    value) if (!is_instruction(key) &&
				       merge_member(st, at, object, key, value) != 0) return -1;
	return 0;
}

/* Takes object (NULL or of another type: an empty one instead), returns what it became. */
static json_t *merge_object(struct strategic *st, const struct step *at, json_t *object,
			    const json_t *patch)
{
	AUTO(auto_json) json_t *target = object;
	AUTO(auto_json) json_t *lists = NULL;
	bool replace = is_directive(patch, "replace");

	if (is_directive(patch, "delete"))
		return json_object();
	if (json_object_get(patch, "$patch") != NULL && !replace && !is_directive(patch, "merge"))
		return fail(st, at, "$patch is not merge, replace or delete");
	if (replace || !json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	lists = lists_to_order(target, patch);
	if (retain_keys(st, at, target, patch) != 0 || delete_from(st, at, target, patch) != 0 ||
	    merge_members(st, at, target, patch) != 0 ||
	    set_orders(st, at, target, lists, patch) != 0)
		return NULL;
	return TAKE(target);
}

json_t *patch_strategic(const json_t *doc, const json_t *patch, patch_key_fn *key_of, void *arg,
			struct err *err)
{
	struct strategic st = {.key_of = key_of, .arg = arg, .err = err};
	struct step root = {NULL, ""};
	json_t *result;

	if (!json_is_object(patch)) {
		err_set(err, ERR_INVALID, "a strategic merge patch is an object, not %s",
			json_kind_words(patch));
		return NULL;
	}
	result = merge_object(&st, &root, json_deep_copy(doc), patch);
	if (result != NULL && json_check(result, err) != 0) {
		err_prefix(err, "the patched object: ");
		json_decref(result);
		return NULL;
	}
	return result;
}
