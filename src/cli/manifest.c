/* cli/manifest.c - the documents that -f names */
#include "cli/manifest.h"

#include "base/buf.h"
#include "base/own.h"
#include "codec/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BLOCK 65536

void manifest_init(struct manifest *manifest)
{
	*manifest = (struct manifest){.count = 0};
}

void manifest_deinit(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++) {
		free(manifest->docs[i].source);
		json_decref(manifest->docs[i].json);
	}
	free(manifest->docs);
	manifest_init(manifest);
}

/* ---- documents ---- */

static void add_doc(struct manifest *manifest, const char *source, json_t *json)
{
	manifest->docs = xrealloc(manifest->docs, (manifest->count + 1) * sizeof(*manifest->docs));
	manifest->docs[manifest->count++] =
		(struct manifest_doc){.source = xstrdup(source), .json = json_incref(json)};
}

/* Items of a typed list ("GatewayList") may leave out what the list says already. */
static void fill_type(json_t *item, const json_t *list)
{
	struct str_view kind = json_sv_at(list, "kind");

	if (kind.len <= 4 || json_str_at(item, "kind") != NULL)
		return;
	json_object_set_new(item, "kind", json_sv(sv_head(kind, kind.len - 4)));
	if (json_str_at(item, "apiVersion") == NULL)
		json_object_set(item, "apiVersion", json_object_get(list, "apiVersion"));
}

static int add_value(struct manifest *manifest, const char *source, json_t *value, struct err *err)
{
	json_t *items = json_object_get(value, "items"), *item;
	size_t i;

	if (!json_is_object(value))
		return err_set(err, ERR_INVALID,
			       "%s: a document is %s; an object with apiVersion and kind is due",
			       source, json_kind_words(value));
	if (!sv_ends(json_sv_at(value, "kind"), SV("List")) || !json_is_array(items)) {
		add_doc(manifest, source, value);
		return 0;
	}
	json_array_foreach(items, i, item)
	{
		if (!json_is_object(item))
			return err_set(err, ERR_INVALID, "%s: items[%zu] is %s, not an object",
				       source, i, json_kind_words(item));
		fill_type(item, value);
		add_doc(manifest, source, item);
	}
	return 0;
}

int manifest_parse(struct manifest *manifest, const char *source, struct str_view text,
		   struct err *err)
{
	AUTO(auto_json) json_t *values = yaml_parse(text, err);
	json_t *value;
	size_t i;

	if (values == NULL)
		return err_prefix(err, "%s: ", source);
	json_array_foreach(values, i, value)
	{
		if (!json_is_null(value) && add_value(manifest, source, value, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- files ---- */

static int read_all(int fd, const char *name, struct buf *out, struct err *err)
{
	for (;;) {
		char block[READ_BLOCK];
		ssize_t len = read(fd, block, sizeof(block));

		if (len == 0)
			return 0;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return err_set(err, ERR_IO, "%s: %s", name, strerror(errno));
		if (!buf_add(out, sv_new(block, (size_t)len)))
			return err_set(err, ERR_LIMIT,
				       "%s: larger than %zu bytes; cut it into several files", name,
				       out->max);
	}
}

int manifest_slurp(const char *name, struct buf *out, struct err *err)
{
	AUTO(auto_close) int fd = -1;

	if (strcmp(name, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", out, err);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_IO, "%s: %s", name, strerror(errno));
	return read_all(fd, name, out, err);
}

static int read_file(struct manifest *manifest, const char *name, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, YAML_TEXT_MAX);
	rc = manifest_slurp(name, &text, err);
	if (rc == 0)
		rc = manifest_parse(manifest, strcmp(name, "-") == 0 ? "STDIN" : name,
				    buf_view(&text), err);
	buf_deinit(&text);
	return rc;
}

/* ---- folders ---- */

struct folder {
	struct manifest *manifest;
	bool recursive;
	unsigned depth;
	size_t files;
	struct err *err;
};

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_manifest(const char *name)
{
	struct str_view view = sv_from(name);

	return sv_ends(view, SV(".yaml")) || sv_ends(view, SV(".yml")) ||
	       sv_ends(view, SV(".json"));
}

static int read_folder(struct folder *folder, const char *path);

static int read_entry(struct folder *folder, const char *path)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return err_set(folder->err, ERR_IO, "%s: %s", path, strerror(errno));
	if (S_ISDIR(info.st_mode))
		return folder->recursive ? read_folder(folder, path) : 0;
	if (!is_manifest(path))
		return 0;
	if (++folder->files > MANIFEST_FILES_MAX)
		return err_set(folder->err, ERR_LIMIT, "%s: more than %d files", path,
			       MANIFEST_FILES_MAX);
	return read_file(folder->manifest, path, folder->err);
}

static int read_folder(struct folder *folder, const char *path)
{
	struct dirent **entries;
	int count, rc = 0;

	if (++folder->depth > MANIFEST_DEPTH_MAX)
		return err_set(folder->err, ERR_LIMIT, "%s: folders more than %d deep", path,
			       MANIFEST_DEPTH_MAX);
	count = scandir(path, &entries, is_visible, alphasort);
	if (count < 0)
		return err_set(folder->err, ERR_IO, "%s: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		AUTO(auto_free) char *below = xasprintf("%s/%s", path, entries[i]->d_name);

		if (rc == 0)
			rc = read_entry(folder, below);
		free(entries[i]);
	}
	free(entries);
	folder->depth--;
	return rc;
}

static int read_named(struct manifest *manifest, const char *name, bool recursive, struct err *err)
{
	struct folder folder = {.manifest = manifest, .recursive = recursive, .err = err};
	struct stat info;

	if (strstr(name, "://") != NULL)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: nothing is fetched; download it (curl -fsSLO URL), read it, "
			       "and name the file",
			       name);
	if (strcmp(name, "-") == 0 || stat(name, &info) < 0 || !S_ISDIR(info.st_mode))
		return read_file(manifest, name, err);
	if (read_folder(&folder, name) < 0)
		return -1;
	if (folder.files == 0)
		return err_set(err, ERR_NOT_FOUND, "%s: no .yaml, .yml or .json file is in it%s",
			       name, recursive ? "" : " (-R looks into its folders)");
	return 0;
}

int manifest_read(struct manifest *manifest, const char *name, bool recursive, struct err *err)
{
	size_t before = manifest->count;

	if (read_named(manifest, name, recursive, err) == 0)
		return 0;
	while (manifest->count > before) {
		struct manifest_doc *doc = &manifest->docs[--manifest->count];

		free(doc->source);
		json_decref(doc->json);
	}
	return -1;
}
