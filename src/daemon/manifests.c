#include "daemon/manifests.h"

#include "base/log.h"
#include "base/map.h"
#include "base/own.h"
#include "daemon/manifest_file.h"
#include "resource/apply.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 5 /* a write that lost a race is judged anew this many times */

struct manifests {
	struct loop *loop;
	struct store *store;
	char *folder;
	struct task round; /* reads the folder and writes what differs */
	bool running, again, raced;
	unsigned rounds, refused;
	size_t pending, written, deleted;
	void (*done)(void *arg, unsigned refused);
	void *arg;
};

/* ---- one round ---- */

static void round_ended(struct manifests *manifests)
{
	if (manifests->pending > 0)
		return;
	if ((manifests->raced && manifests->rounds < ROUNDS_MAX) || manifests->again) {
		task_defer(manifests->loop, &manifests->round);
		return;
	}
	manifests->running = false;
	log_info("manifests", "%s applied: %zu objects written, %zu deleted, %u files refused",
		 manifests->folder, manifests->written, manifests->deleted, manifests->refused);
	if (manifests->done != NULL)
		manifests->done(manifests->arg, manifests->refused);
}

static void wrote(void *arg, const struct object *object, const struct err *err)
{
	struct manifests *manifests = arg;

	(void)object;
	manifests->pending--;
	if (err->code == ERR_CONFLICT || err->code == ERR_EXISTS || err->code == ERR_NOT_FOUND)
		manifests->raced = true;
	else if (err->code != ERR_NONE)
		log_error("manifests", "not stored: %s", err->msg);
	round_ended(manifests);
}

static void write_file(struct manifests *manifests, const struct manifest_file *file,
		       bool namespaces)
{
	for (size_t i = 0; i < file->count; i++) {
		const struct manifest_doc *doc = &file->docs[i];
		bool is_namespace = strcmp(doc->kind->kind, "Namespace") == 0;

		if (doc->unchanged || is_namespace != namespaces)
			continue;
		manifests->pending++;
		manifests->written++;
		store_put(manifests->store, sv_from(doc->key), doc->object, doc->expect, wrote,
			  manifests);
	}
}

/* ---- what left the files ---- */

struct sweep {
	struct manifests *manifests;
	struct map *keys;    /* of the objects of every file, as far as it can be read -> file */
	struct map *refused; /* paths of files that were refused: theirs stay */
	struct map *homes;   /* keys of the Namespaces of all that stays */
};

static struct str_view source_of(const struct object *object)
{
	return sv_from(json_string_value(
		json_member(json_at(object->json, "metadata.annotations"), SOURCE_ANNOTATION)));
}

static bool in_folder(struct str_view path, struct str_view folder)
{
	return sv_starts(path, folder) && path.len > folder.len && path.data[folder.len] == '/';
}

/* Is it of a file of the folder, and in none any more? */
static bool has_left(const struct sweep *sweep, const struct object *object)
{
	struct str_view source = source_of(object);

	return source.len > 0 && in_folder(source, sv_from(sweep->manifests->folder)) &&
	       map_get(sweep->keys, sv_from(object->key)) == NULL &&
	       map_get(sweep->refused, source) == NULL;
}

static void sweep_object(const struct sweep *sweep, const struct object *object)
{
	sweep->manifests->pending++;
	sweep->manifests->deleted++;
	store_delete(sweep->manifests->store, sv_from(object->key), object->revision, wrote,
		     sweep->manifests);
}

/* What has left a file of its own is swept on its own. */
static bool sweep_inmate(void *arg, const struct object *object)
{
	if (!has_left(arg, object))
		sweep_object(arg, object);
	return true;
}

static void sweep_namespace(struct sweep *sweep, const struct object *object)
{
	for (size_t i = 0; i < kind_count; i++) {
		AUTO(auto_free) char *prefix = NULL;

		if (kinds[i].namespaced)
			prefix = kind_prefix(&kinds[i], object_name(object));
		if (prefix != NULL)
			store_each(sweep->manifests->store, sv_from(prefix), sweep_inmate, sweep);
	}
}

static char *namespace_key(const char *name)
{
	return kind_key(kind_by_plural(SV(""), SV("namespaces")), "", name);
}

static bool sweep_one(void *arg, const struct object *object)
{
	struct sweep *sweep = arg;
	bool is_namespace = sv_starts(sv_from(object->key), SV("core/namespaces/"));

	if (!has_left(sweep, object))
		return true;
	if (is_namespace && map_get(sweep->homes, sv_from(object->key)) != NULL) {
		log_warn("manifests",
			 "Namespace %s left the files and stays: files hold objects "
			 "in it",
			 object_name(object));
		return true;
	}
	if (is_namespace)
		sweep_namespace(sweep, object);
	sweep_object(sweep, object);
	return true;
}

static void add_home(struct map *homes, const json_t *object)
{
	const char *name = json_str_at(object, "metadata.namespace");
	AUTO(auto_free) char *key = name == NULL ? NULL : namespace_key(name);

	if (key != NULL)
		(void)map_put(homes, sv_from(key), homes);
}

static bool add_kept_home(void *arg, const struct object *object)
{
	struct sweep *sweep = arg;
	struct str_view source = source_of(object);

	if (source.len > 0 && map_get(sweep->refused, source) != NULL)
		add_home(sweep->homes, object->json);
	return true;
}

static void find_homes(struct sweep *sweep, const struct manifest_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < files[i].count; j++)
			add_home(sweep->homes, files[i].docs[j].object);
	}
	store_each(sweep->manifests->store, SV(""), add_kept_home, sweep);
}

/* ---- judging ---- */

static void report(const struct manifest_file *file)
{
	struct str_view rest = buf_view(&file->problems);

	while (rest.len > 0) {
		struct str_view line = sv_split(&rest, '\n');

		log_error("manifests", "%s: %.*s (its objects stay as they were)", file->path,
			  SV_ARG(line));
	}
}

static void report_remarks(const struct manifest_file *file)
{
	struct str_view rest = buf_view(&file->remarks);

	while (rest.len > 0) {
		struct str_view line = sv_split(&rest, '\n');

		log_warn("manifests", "%s: %.*s", file->path, SV_ARG(line));
	}
}

/* The same object in two files: the first in order of names has it. */
static void claim(struct manifest_file *file, struct map *keys)
{
	for (size_t i = 0; i < file->count; i++) {
		const char *other = map_get(keys, sv_from(file->docs[i].key));

		if (other != NULL)
			(void)buf_addf(&file->problems, "%s %s stands in %s too\n",
				       file->docs[i].kind->kind,
				       json_str_at(file->docs[i].object, "metadata.name"), other);
	}
	if (buf_len(&file->problems) > 0)
		return;
	for (size_t i = 0; i < file->count; i++)
		(void)map_put(keys, sv_from(file->docs[i].key), file->path);
}

static bool namespace_there(const struct manifests *manifests, const struct map *keys,
			    const char *name)
{
	AUTO(auto_free) char *key = namespace_key(name);

	return store_get(manifests->store, sv_from(key)) != NULL ||
	       map_get(keys, sv_from(key)) != NULL;
}

static void need_namespaces(const struct manifests *manifests, struct manifest_file *file,
			    const struct map *keys)
{
	for (size_t i = 0; i < file->count; i++) {
		const struct manifest_doc *doc = &file->docs[i];
		const char *ns = json_str_at(doc->object, "metadata.namespace");

		if (doc->kind->namespaced && !namespace_there(manifests, keys, ns))
			(void)buf_addf(&file->problems,
				       "%s %s: namespaces \"%s\" not found: add a Namespace\n",
				       doc->kind->kind, json_str_at(doc->object, "metadata.name"),
				       ns);
	}
}

/* A refused file's Namespaces are not made, which may cost another file its own: until all of the
 * rest find theirs. */
static bool refuse_homeless(const struct manifests *manifests, struct manifest_file *file,
			    struct map *keys)
{
	if (buf_len(&file->problems) > 0)
		return false;
	need_namespaces(manifests, file, keys);
	if (buf_len(&file->problems) == 0)
		return false;
	for (size_t i = 0; i < file->count; i++)
		(void)map_remove(keys, sv_from(file->docs[i].key));
	return true;
}

static void judge(struct manifests *manifests, struct manifest_file *files, size_t count,
		  struct map *keys, struct map *refused)
{
	for (size_t i = 0; i < count; i++)
		claim(&files[i], keys);
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < count; i++)
			more = refuse_homeless(manifests, &files[i], keys) || more;
	}
	for (size_t i = 0; i < count; i++) {
		report_remarks(&files[i]);
		if (buf_len(&files[i].problems) == 0)
			continue;
		for (size_t j = 0; j < files[i].count; j++)
			(void)map_put(keys, sv_from(files[i].docs[j].key), files[i].path);
		manifests->refused++;
		(void)map_put(refused, sv_from(files[i].path), files[i].path);
		report(&files[i]);
	}
}

static void write_all(struct manifests *manifests, struct manifest_file *files, size_t count)
{
	struct map keys, refused, homes;
	struct sweep sweep = {
		.manifests = manifests, .keys = &keys, .refused = &refused, .homes = &homes};

	map_init(&keys);
	map_init(&refused);
	map_init(&homes);
	judge(manifests, files, count, &keys, &refused);
	for (int namespaces = 1; namespaces >= 0; namespaces--) {
		for (size_t i = 0; i < count; i++) {
			if (buf_len(&files[i].problems) == 0)
				write_file(manifests, &files[i], namespaces == 1);
		}
	}
	find_homes(&sweep, files, count);
	store_each(manifests->store, SV(""), sweep_one, &sweep);
	map_deinit(&homes, NULL);
	map_deinit(&keys, NULL);
	map_deinit(&refused, NULL);
}

static void run_round(struct task *task)
{
	struct manifests *manifests = CONTAINER_OF(task, struct manifests, round);
	struct err err = {.code = ERR_NONE};
	char **paths = manifest_paths(manifests->folder, &err);
	struct manifest_file *files;
	size_t count = 0;

	manifests->again = manifests->raced = false;
	manifests->rounds++;
	manifests->refused = 0;
	if (paths == NULL) {
		log_error("manifests", "%s (what was applied from it stays)", err.msg);
		manifests->refused = 1;
		round_ended(manifests);
		return;
	}
	while (paths[count] != NULL)
		count++;
	files = xcalloc(count + 1, sizeof(*files));
	for (size_t i = 0; i < count; i++)
		manifest_file_read(&files[i], paths[i], manifests->store);
	manifests->pending++; /* so that the round cannot end while it is being written */
	write_all(manifests, files, count);
	manifests->pending--;
	for (size_t i = 0; i < count; i++)
		manifest_file_deinit(&files[i]);
	free(files);
	manifest_paths_free(paths);
	round_ended(manifests);
}

/* ---- outside ---- */

/* Objects remember their file by its path: the same folder must have one name. Links are left as
 * they are, so that they may be switched. */
static char *one_name(const char *folder)
{
	AUTO(auto_free) char *here = folder[0] == '/' ? NULL : getcwd(NULL, 0);
	char *name = here == NULL ? xstrdup(folder) : xasprintf("%s/%s", here, folder);

	for (size_t len = strlen(name); len > 1 && name[len - 1] == '/'; len--)
		name[len - 1] = '\0';
	return name;
}

struct manifests *manifests_new(struct loop *loop, struct store *store, const char *folder)
{
	struct manifests *manifests = xcalloc(1, sizeof(*manifests));

	manifests->loop = loop;
	manifests->store = store;
	manifests->folder = one_name(folder);
	task_init(&manifests->round, run_round);
	return manifests;
}

void manifests_free(struct manifests *manifests)
{
	if (manifests == NULL)
		return;
	task_cancel(&manifests->round);
	free(manifests->folder);
	free(manifests);
}

void manifests_apply(struct manifests *manifests, void (*done)(void *arg, unsigned refused),
		     void *arg)
{
	manifests->done = done;
	manifests->arg = arg;
	if (manifests->running) {
		manifests->again = true;
		return;
	}
	manifests->running = true;
	manifests->rounds = 0;
	manifests->written = manifests->deleted = 0;
	task_defer(manifests->loop, &manifests->round);
}

static void print_lines(const char *path, const char *word, struct str_view rest, FILE *out)
{
	while (rest.len > 0) {
		struct str_view line = sv_split(&rest, '\n');

		fprintf(out, "%s: %s%.*s\n", path, word, SV_ARG(line));
	}
}

static unsigned check_file(const char *path, FILE *out)
{
	struct manifest_file file;
	unsigned refused;

	manifest_file_read(&file, path, NULL);
	refused = buf_len(&file.problems) > 0;
	if (refused == 0)
		fprintf(out, "%s: %zu object%s, fine\n", path, file.count,
			file.count == 1 ? "" : "s");
	print_lines(path, "warning: ", buf_view(&file.remarks), out);
	print_lines(path, "", buf_view(&file.problems), out);
	manifest_file_deinit(&file);
	return refused;
}

unsigned manifests_check(char **files, size_t count, FILE *out)
{
	unsigned refused = 0;

	for (size_t i = 0; i < count; i++) {
		struct err err = {.code = ERR_NONE};
		char **paths = manifest_paths(files[i], &err);

		if (paths == NULL) {
			fprintf(out, "%s\n", err.msg);
			refused++;
			continue;
		}
		for (char **path = paths; *path != NULL; path++)
			refused += check_file(*path, out);
		manifest_paths_free(paths);
	}
	return refused;
}
