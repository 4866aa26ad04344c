#include "daemon/manifest_file.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/own.h"
#include "codec/yaml.h"
#include "daemon/files.h"
#include "resource/apply.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PROBLEMS_MAX (64u << 10)

/* ---- paths ---- */

static int wanted(const struct dirent *entry)
{
	struct str_view name = sv_from(entry->d_name);

	return name.data[0] != '.' && (sv_ends(name, SV(".yaml")) || sv_ends(name, SV(".yml")) ||
				       sv_ends(name, SV(".json")));
}

static char **folder_paths(const char *folder, struct err *err)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, wanted, alphasort);
	char **paths;

	if (count < 0) {
		err_set(err, ERR_IO, "%s: %s", folder, strerror(errno));
		return NULL;
	}
	paths = xcalloc((size_t)count + 1, sizeof(*paths));
	for (int i = 0; i < count; i++) {
		paths[i] = xasprintf("%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (count <= MANIFEST_FILES_MAX)
		return paths;
	manifest_paths_free(paths);
	err_set(err, ERR_LIMIT, "%s: %d files of manifests, at most %d are read", folder, count,
		MANIFEST_FILES_MAX);
	return NULL;
}

char **manifest_paths(const char *path, struct err *err)
{
	struct stat info;
	char **paths;

	if (strcmp(path, "-") != 0 && stat(path, &info) < 0) {
		err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (strcmp(path, "-") != 0 && S_ISDIR(info.st_mode))
		return folder_paths(path, err);
	paths = xcalloc(2, sizeof(*paths));
	paths[0] = xstrdup(path);
	return paths;
}

void manifest_paths_free(char **paths)
{
	for (char **path = paths; path != NULL && *path != NULL; path++)
		free(*path);
	free(paths);
}

/* ---- documents ---- */

static void add_line(struct buf *lines, size_t number, const json_t *doc, const char *text)
{
	const char *kind = json_str_at(doc, "kind"), *name = json_str_at(doc, "metadata.name");

	(void)buf_addf(lines, "document %zu (%s %s): %s\n", number, kind != NULL ? kind : "no kind",
		       name != NULL ? name : "without name", text);
}

static void problem(struct manifest_file *file, size_t number, const json_t *doc, const char *text)
{
	add_line(&file->problems, number, doc, text);
}

static void add_remarks(struct manifest_file *file, size_t number, const json_t *doc,
			const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(warnings, i, warning)
	{
		add_line(&file->remarks, number, doc, json_string_value(warning));
	}
}

static json_t *with_source(const json_t *doc, const char *path)
{
	json_t *copy = json_deep_copy(doc);
	json_t *metadata = json_object_get(copy, "metadata");
	json_t *notes;

	if (!json_is_object(metadata))
		return copy; /* admission says what is missing */
	notes = json_object_get(metadata, "annotations");
	if (!json_is_object(notes)) {
		notes = json_object();
		json_object_set_new(metadata, "annotations", notes);
	}
	json_object_set_new(notes, SOURCE_ANNOTATION, json_sv(sv_from(path)));
	return copy;
}

/* The whole list of what is wrong with one object, a line each. */
static void add_causes(struct manifest_file *file, size_t number, const json_t *doc,
		       const struct causes *causes, const struct err *err)
{
	if (causes->count == 0)
		problem(file, number, doc, err->msg);
	for (size_t i = 0; i < causes->count; i++) {
		AUTO(auto_free)
		char *line = xasprintf("%s: %s", causes->list[i].field, causes->list[i].message);

		problem(file, number, doc, line);
	}
}

static const struct object *stored(const struct store *store, const struct kind *kind,
				   const json_t *doc)
{
	const char *name = json_str_at(doc, "metadata.name");
	const char *ns = json_str_at(doc, "metadata.namespace");
	AUTO(auto_free) char *key = NULL;

	if (store == NULL || name == NULL)
		return NULL;
	key = kind_key(kind, !kind->namespaced ? "" : ns != NULL ? ns : "default", name);
	return key == NULL ? NULL : store_get(store, sv_from(key));
}

static void read_doc(struct manifest_file *file, size_t number, const json_t *doc,
		     const struct store *store)
{
	struct admission how = {
		.kind = kind_by_gvk(json_sv_at(doc, "apiVersion"), json_sv_at(doc, "kind")),
		.fields = FIELDS_STRICT,
		.now = clock_wall()};
	struct manifest_doc *slot = &file->docs[file->count];
	AUTO(auto_json) json_t *sourced = NULL;
	AUTO(auto_json) json_t *merged = NULL;
	AUTO(auto_json) json_t *warnings = json_array();
	const struct object *old;
	struct causes causes;
	struct err err = {.code = ERR_NONE};

	if (how.kind == NULL || how.kind->read_only) {
		problem(file, number, doc,
			how.kind == NULL ? "this apiVersion and kind are not served here"
					 : "this kind is written by the daemon alone");
		return;
	}
	old = stored(store, how.kind, doc);
	how.old = old == NULL ? NULL : old->json;
	sourced = with_source(doc, file->path);
	merged = kind_apply(how.old, sourced);
	causes_init(&causes);
	slot->object = kind_admit(&how, merged, warnings, &causes, &err);
	if (slot->object == NULL)
		add_causes(file, number, doc, &causes, &err);
	causes_deinit(&causes);
	if (slot->object == NULL)
		return;
	add_remarks(file, number, doc, warnings);
	slot->kind = how.kind;
	slot->key = kind_key(how.kind,
			     how.kind->namespaced ? json_str_at(slot->object, "metadata.namespace")
						  : "",
			     json_str_at(slot->object, "metadata.name"));
	slot->expect = old == NULL ? 0 : old->revision;
	slot->unchanged = old != NULL && json_same(old->json, slot->object);
	file->count++;
}

/* "kind: List" stands for its items. */
static json_t *flatten(json_t *docs)
{
	json_t *flat = json_array();
	json_t *doc, *item;
	size_t i, j;

	json_array_foreach(docs, i, doc)
	{
		if (!sv_eq(json_sv_at(doc, "kind"), SV("List"))) {
			json_array_append(flat, doc);
			continue;
		}
		json_array_foreach(json_object_get(doc, "items"), j, item)
		{
			json_array_append(flat, item);
		}
	}
	return flat;
}

static void refuse_twins(struct manifest_file *file)
{
	struct map seen;

	map_init(&seen);
	for (size_t i = 0; i < file->count; i++) {
		if (map_put(&seen, sv_from(file->docs[i].key), file) != NULL)
			problem(file, i + 1, file->docs[i].object, "stands twice in this file");
	}
	map_deinit(&seen, NULL);
}

void manifest_file_read(struct manifest_file *file, const char *path, const struct store *store)
{
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_json) json_t *docs = NULL;
	AUTO(auto_json) json_t *flat = NULL;
	struct err err = {.code = ERR_NONE};
	json_t *doc;
	size_t i, len = 0;

	*file = (struct manifest_file){.path = xstrdup(path)};
	buf_init(&file->problems, PROBLEMS_MAX);
	buf_init(&file->remarks, PROBLEMS_MAX);
	text = file_read(path, MANIFEST_TEXT_MAX, &len, &err);
	docs = text == NULL ? NULL : yaml_parse(sv_new(text, len), &err);
	flat = docs == NULL ? NULL : flatten(docs);
	if (flat == NULL || json_array_size(flat) > MANIFEST_DOCS_MAX) {
		(void)buf_addf(&file->problems, "%s\n",
			       flat == NULL ? err.msg : "too many documents for one file");
		return;
	}
	file->docs = xcalloc(json_array_size(flat) + 1, sizeof(file->docs[0]));
	json_array_foreach(flat, i, doc)
	{
		read_doc(file, i + 1, doc, store);
	}
	refuse_twins(file);
}

void manifest_file_deinit(struct manifest_file *file)
{
	for (size_t i = 0; i < file->count; i++) {
		free(file->docs[i].key);
		json_decref(file->docs[i].object);
	}
	free(file->docs);
	free(file->path);
	buf_deinit(&file->problems);
	buf_deinit(&file->remarks);
}
