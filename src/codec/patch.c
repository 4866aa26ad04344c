/* codec/patch.c - JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) */
#include "codec/patch.h"

#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- JSON Pointer (RFC 6901) ---- */

/* One patch under way. The document stands in a list of one, so that its root has a parent too. */
struct work {
	json_t *holder; /* owned */
	size_t copied;  /* bytes, of PATCH_COPY_MAX */
};

/* Where a pointer leads: a member or item of parent, which need not exist yet. */
struct place {
	json_t *parent; /* borrowed */
	char *token;    /* owned, without escapes */
	size_t depth;   /* number of tokens */
};

static void place_deinit(struct place *place)
{
	free(place->token);
}

/* ~1 is a slash, ~0 a tilde, and nothing else follows a tilde. NULL: broken. */
static char *token_decode(struct str_view raw)
{
	AUTO(auto_free) char *token = xmalloc(raw.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.data[i];

		if (c == '~') {
			if (++i == raw.len || (raw.data[i] != '0' && raw.data[i] != '1'))
				return NULL;
			c = raw.data[i] == '0' ? '~' : '/';
		}
		token[len++] = c;
	}
	token[len] = '\0';
	return TAKE(token);
}

/* Digits without a leading zero (RFC 6901, section 4). */
static bool index_read(const char *token, size_t *index)
{
	struct str_view text = sv_from(token);
	uint64_t value;

	if ((text.len > 1 && text.data[0] == '0') || !sv_to_u64(text, &value))
		return false;
	*index = (size_t)value;
	return true;
}

static json_t *child_get(const json_t *parent, const char *token)
{
	size_t index;

	if (json_is_object(parent))
		return json_object_get(parent, token);
	if (json_is_array(parent) && index_read(token, &index))
		return json_array_get(parent, index);
	return NULL;
}

static int place_find(const struct work *work, struct str_view pointer, struct place *place,
		      struct err *err)
{
	*place = (struct place){.parent = work->holder, .token = xstrdup("0")};
	if (pointer.len > 0 && pointer.data[0] != '/')
		return err_set(err, ERR_INVALID, "a pointer begins with /");
	if (pointer.len == 0)
		return 0;
	for (pointer = sv_skip(pointer, 1); pointer.data != NULL;) {
		json_t *next = child_get(place->parent, place->token);
		char *token = token_decode(sv_split(&pointer, '/'));

		free(place->token);
		place->token = token;
		if (token == NULL)
			return err_set(err, ERR_INVALID, "only ~0 and ~1 may follow a tilde");
		if (!json_is_object(next) && !json_is_array(next))
			return err_set(err, ERR_INVALID, "nothing there that could hold \"%.100s\"",
				       token);
		place->parent = next;
		place->depth++;
	}
	return 0;
}

/* ---- the three things that happen to a place ---- */

static json_t *place_get(const struct place *place, struct err *err)
{
	json_t *value = child_get(place->parent, place->token);

	if (value == NULL)
		err_set(err, ERR_INVALID, "no such path in the object");
	return value;
}

/* Levels of a value, counted no further than one past the limit. */
static size_t levels(const json_t *value, size_t limit)
{
	size_t deepest = 0, i;
	const char *key;
	json_t *child;

	if ((!json_is_object(value) && !json_is_array(value)) || limit == 0)
		return limit == 0 ? 1 : 0;
	json_array_foreach((json_t *)value, i, child)
	{
		size_t depth = levels(child, limit - 1);

		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach((json_t *)value, key, child)
	{
		size_t depth = levels(child, limit - 1);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

/* RFC 6902, section 4.1; takes value, also when it fails. */
static int place_add(const struct place *place, json_t *value, struct err *err)
{
	size_t size = json_array_size(place->parent), index = size;

	if (place->depth + levels(value, JSON_DEPTH_MAX) > JSON_DEPTH_MAX) {
		json_decref(value);
		return err_set(err, ERR_LIMIT, "nested more than %d levels deep", JSON_DEPTH_MAX);
	}
	if (json_is_object(place->parent))
		return json_object_set_new(place->parent, place->token, value);
	if (place->depth == 0) /* the whole document */
		return json_array_set_new(place->parent, 0, value);
	if (strcmp(place->token, "-") != 0 && !index_read(place->token, &index)) {
		json_decref(value);
		return err_set(err, ERR_INVALID, "\"%.100s\" is no place in a list", place->token);
	}
	if (index > size) {
		json_decref(value);
		return err_set(err, ERR_INVALID, "the list ends at %zu", size);
	}
	return json_array_insert_new(place->parent, index, value);
}

/* The value that stood there, now the caller's. */
static json_t *place_remove(const struct place *place, struct err *err)
{
	json_t *value = place_get(place, err);
	size_t index;

	if (value == NULL)
		return NULL;
	if (place->depth == 0) {
		err_set(err, ERR_INVALID, "the whole object cannot be removed");
		return NULL;
	}
	json_incref(value);
	if (json_is_object(place->parent))
		json_object_del(place->parent, place->token);
	else if (index_read(place->token, &index))
		json_array_remove(place->parent, index);
	return value;
}

/* ---- operations (RFC 6902, section 4) ---- */

struct op {
	struct place path;
	struct str_view pointer, from; /* texts of "path" and "from" */
	const json_t *value;           /* borrowed; NULL where the operation has none */
};

typedef int op_fn(struct work *work, const struct op *op, struct err *err);

static int op_add(struct work *work, const struct op *op, struct err *err)
{
	(void)work;
	return place_add(&op->path, json_deep_copy(op->value), err);
}

static int op_remove(struct work *work, const struct op *op, struct err *err)
{
	AUTO(auto_json) json_t *old = place_remove(&op->path, err);

	(void)work;
	return old == NULL ? -1 : 0;
}

static int op_replace(struct work *work, const struct op *op, struct err *err)
{
	if (place_get(&op->path, err) == NULL)
		return -1;
	if (op->path.depth > 0 && json_is_array(op->path.parent) && op_remove(work, op, err) != 0)
		return -1;
	return op_add(work, op, err);
}

static int op_test(struct work *work, const struct op *op, struct err *err)
{
	const json_t *value = place_get(&op->path, err);

	(void)work;
	if (value == NULL)
		return -1;
	if (!json_same(value, op->value))
		return err_set(err, ERR_INVALID, "the value there is another one");
	return 0;
}

/* Copies double a document at each step: what they handle is counted. */
static int work_charge(struct work *work, const json_t *value, struct err *err)
{
	work->copied += json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	if (work->copied > PATCH_COPY_MAX)
		return err_set(err, ERR_LIMIT, "copies and moves handle more than %u bytes",
			       PATCH_COPY_MAX);
	return 0;
}

static int op_copy(struct work *work, const struct op *op, struct err *err)
{
	AUTO(place_deinit) struct place from = {0};
	json_t *value;

	if (place_find(work, op->from, &from, err) != 0 ||
	    (value = place_get(&from, err)) == NULL || work_charge(work, value, err) != 0)
		return -1;
	return place_add(&op->path, json_deep_copy(value), err);
}

static int op_move(struct work *work, const struct op *op, struct err *err)
{
	AUTO(place_deinit) struct place from = {0};
	AUTO(place_deinit) struct place path = {0};
	json_t *value;

	if (sv_starts(op->pointer, op->from) && op->pointer.len > op->from.len &&
	    op->pointer.data[op->from.len] == '/')
		return err_set(err, ERR_INVALID, "a value cannot move into itself");
	if (place_find(work, op->from, &from, err) != 0 ||
	    (value = place_get(&from, err)) == NULL || work_charge(work, value, err) != 0)
		return -1;
	if (sv_eq(op->pointer, op->from))
		return 0;
	value = place_remove(&from, err);
	if (value == NULL)
		return -1;
	if (place_find(work, op->pointer, &path, err) != 0) { /* the removal may have shifted it */
		json_decref(value);
		return -1;
	}
	return place_add(&path, value, err);
}

static const struct {
	struct str_view name;
	op_fn *run;
	bool needs_value, needs_from;
} operations[] = {
	{.name = SV_INIT("add"), .run = op_add, .needs_value = true},
	{.name = SV_INIT("remove"), .run = op_remove},
	{.name = SV_INIT("replace"), .run = op_replace, .needs_value = true},
	{.name = SV_INIT("move"), .run = op_move, .needs_from = true},
	{.name = SV_INIT("copy"), .run = op_copy, .needs_from = true},
	{.name = SV_INIT("test"), .run = op_test, .needs_value = true},
};

static int op_apply(struct work *work, const json_t *json, struct err *err)
{
	struct op op = {.value = json_object_get(json, "value"),
			.pointer = json_sv_at(json, "path"),
			.from = json_sv_at(json, "from")};
	struct str_view name = json_sv_at(json, "op");
	size_t i = 0;
	int rc;

	while (i < ARRAY_LEN(operations) && !sv_eq(operations[i].name, name))
		i++;
	if (i == ARRAY_LEN(operations))
		return err_set(err, ERR_INVALID,
			       "op is not add, remove, replace, move, copy or test");
	if (json_str_at(json, "path") == NULL)
		return err_set(err, ERR_INVALID, "path is missing or not a string");
	if (operations[i].needs_value && op.value == NULL)
		return err_set(err, ERR_INVALID, "value is missing");
	if (operations[i].needs_from && json_str_at(json, "from") == NULL)
		return err_set(err, ERR_INVALID, "from is missing or not a string");
	rc = place_find(work, op.pointer, &op.path, err);
	if (rc == 0)
		rc = operations[i].run(work, &op, err);
	place_deinit(&op.path);
	return rc;
}

static int ops_apply(struct work *work, const json_t *ops, struct err *err)
{
	const json_t *op;
	size_t i;

	json_array_foreach((json_t *)ops, i,
			   op) if (op_apply(work, op, err) !=
				   0) return err_prefix(err, "patch operation %zu (%.20s %.200s): ",
							i + 1, json_sv_at(op, "op").data,
							json_sv_at(op, "path").data);
	return 0;
}

json_t *patch_json(const json_t *doc, const json_t *ops, struct err *err)
{
	AUTO(auto_json) json_t *holder = json_array();
	struct work work = {.holder = holder};
	json_t *result;

	if (!json_is_array(ops)) {
		err_set(err, ERR_INVALID, "a JSON patch is a list of operations, not %s",
			json_kind_words(ops));
		return NULL;
	}
	if (json_array_size(ops) > PATCH_OPS_MAX) {
		err_set(err, ERR_LIMIT, "a JSON patch may hold %d operations, not %zu",
			PATCH_OPS_MAX, json_array_size(ops));
		return NULL;
	}
	json_array_append_new(holder, json_deep_copy(doc));
	if (ops_apply(&work, ops, err) != 0)
		return NULL;
	result = json_array_get(holder, 0);
	if (json_check(result, err) != 0) {
		err_prefix(err, "the patched object: ");
		return NULL;
	}
	return json_incref(result);
}

/* ---- JSON Merge Patch (RFC 7396, section 2) ---- */

/* Takes target (NULL: nothing was there), returns what it became. */
static json_t *merge_into(json_t *target, const json_t *patch)
{
	const char *key;
	const json_t *value;

	if (!json_is_object(patch)) {
		json_decref(target);
		return json_deep_copy(patch);
	}
	if (!json_is_object(target)) {
		json_decref(target);
		target = json_object();
	}
	json_object_foreach((json_t *)patch, key, value)
	{
		json_t *child = json_object_get(target, key);

		if (json_is_null(value))
			json_object_del(target, key);
		else
			json_object_set_new(target, key, merge_into(json_incref(child), value));
	}
	return target;
}

json_t *patch_merge(const json_t *doc, const json_t *patch)
{
	return merge_into(json_deep_copy(doc), patch);
}
