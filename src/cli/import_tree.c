/* cli/import_tree.c - files below one folder, and no others */
#include "cli/import_tree.h"

#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int tree_open(struct tree *tree, const char *name, struct err *err)
{
	struct stat info;

	*tree = (struct tree){.name = name, .root = realpath(name, NULL)};
	if (tree->root == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s: %s", name, strerror(errno));
	if (stat(tree->root, &info) < 0 || !S_ISDIR(info.st_mode)) {
		err_set(err, ERR_INVALID, "%s is no folder", name);
		tree_close(tree);
		return -1;
	}
	if (strcmp(tree->root, "/") == 0)
		tree->root[0] = '\0';
	return 0;
}

void tree_close(struct tree *tree)
{
	free(tree->root);
	free(tree->beside);
	*tree = (struct tree){.name = NULL};
}

void tree_allow(struct tree *tree, const char *path)
{
	AUTO(auto_free) char *whole = xasprintf("%s/%s", tree->root, path);

	free(tree->beside);
	tree->beside = realpath(whole, NULL);
}

/* ---- opening ---- */

static bool is_below(const char *path, const char *root)
{
	size_t len = root == NULL ? 0 : strlen(root);

	return root != NULL && strncmp(path, root, len) == 0 && path[len] == '/';
}

/* Where an open descriptor leads to, whatever links were on the way. */
static bool is_inside(const struct tree *tree, int fd)
{
	AUTO(auto_free) char *link = xasprintf("/proc/self/fd/%d", fd);
	char target[PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	return is_below(target, tree->root) || is_below(target, tree->beside) ||
	       strcmp(target, tree->root) == 0;
}

/* Looked at before it is opened for reading: to open a device or a pipe may have effects. */
static int open_inside(const struct tree *tree, const char *path, mode_t type, struct err *err)
{
	AUTO(auto_free) char *whole = xasprintf("%s/%s", tree->root, path);
	AUTO(auto_free) char *link = NULL;
	AUTO(auto_close) int place = open(whole, O_PATH | O_CLOEXEC);
	struct stat info;
	int fd;

	if (place < 0 || fstat(place, &info) < 0)
		return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
			       "%s/%s: %s", tree->name, path, strerror(errno));
	if (!is_inside(tree, place))
		return err_set(err, ERR_DENIED, "%s/%s is a link that leads out of the folder",
			       tree->name, path);
	if ((info.st_mode & S_IFMT) != type)
		return err_set(err, ERR_INVALID, "%s/%s is no %s", tree->name, path,
			       type == S_IFDIR ? "folder" : "regular file");
	link = xasprintf("/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC | (type == S_IFDIR ? O_DIRECTORY : 0));
	return fd >= 0 ? fd : err_set(err, ERR_IO, "%s/%s: %s", tree->name, path, strerror(errno));
}

int tree_read(const struct tree *tree, const char *path, struct buf *out, struct err *err)
{
	AUTO(auto_close) int fd = open_inside(tree, path, S_IFREG, err);
	char *room = buf_room(out, TREE_FILE_MAX + 1);
	size_t got = 0;

	if (fd < 0)
		return -1;
	while (room != NULL && got <= TREE_FILE_MAX) {
		ssize_t len = read(fd, room + got, TREE_FILE_MAX + 1 - got);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return err_set(err, ERR_IO, "%s/%s: %s", tree->name, path, strerror(errno));
		if (len == 0)
			break;
		got += (size_t)len;
	}
	if (room == NULL || got > TREE_FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s/%s is over %u bytes", tree->name, path,
			       TREE_FILE_MAX);
	buf_wrote(out, got);
	return 0;
}

bool tree_has(const struct tree *tree, const char *path)
{
	AUTO(auto_free) char *whole = xasprintf("%s/%s", tree->root, path);

	return access(whole, F_OK) == 0;
}

/* ---- listing ---- */

void tree_names_deinit(struct tree_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct tree_names){.count = 0};
}

static int by_name(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool is_wanted(int fd, const struct dirent *entry, bool folders)
{
	struct stat info;

	return entry->d_name[0] != '.' && fstatat(fd, entry->d_name, &info, 0) == 0 &&
	       (folders ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode));
}

int tree_list(const struct tree *tree, const char *path, bool folders, struct tree_names *names,
	      struct err *err)
{
	int fd = open_inside(tree, path, S_IFDIR, err);
	const struct dirent *entry;
	DIR *dir;

	*names = (struct tree_names){.count = 0};
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		(void)close(fd);
		return err_set(err, ERR_IO, "%s/%s: %s", tree->name, path, strerror(errno));
	}
	while ((entry = readdir(dir)) != NULL && names->count < TREE_ENTRIES_MAX) {
		if (!is_wanted(fd, entry, folders))
			continue;
		names->list = xrealloc(names->list, (names->count + 1) * sizeof(*names->list));
		names->list[names->count++] = xstrdup(entry->d_name);
	}
	(void)closedir(dir);
	if (names->count == TREE_ENTRIES_MAX) {
		tree_names_deinit(names);
		return err_set(err, ERR_LIMIT, "%s/%s has more than %d entries", tree->name, path,
			       TREE_ENTRIES_MAX);
	}
	if (names->count > 0)
		qsort(names->list, names->count, sizeof(*names->list), by_name);
	return 0;
}
