/* cli/files.c - a set of files that change together */
#include "cli/files.h"

#include "base/own.h"
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOT_GIVEN ((uid_t)-1)

void files_init(struct files *files)
{
	*files = (struct files){.uid = NOT_GIVEN, .gid = (gid_t)-1};
}

void files_deinit(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->list[i].path);
		secret_deinit(&files->list[i].text);
	}
	files->count = 0;
}

int files_add(struct files *files, char *path, struct str_view text, mode_t mode, struct err *err)
{
	struct file_want *want = &files->list[files->count];

	for (size_t i = 0; i < files->count; i++) {
		if (strcmp(files->list[i].path, path) == 0) {
			err_set(err, ERR_INVALID, "%s is to be two different files", path);
			free(path);
			return -1;
		}
	}
	if (files->count == FILES_MAX) {
		free(path);
		return err_set(err, ERR_LIMIT, "more than %d files", FILES_MAX);
	}
	files->count++;
	*want = (struct file_want){.path = path, .mode = mode};
	buf_init(&want->text, text.len);
	(void)buf_room(&want->text, text.len);
	buf_add(&want->text, text);
	return 0;
}

/* ---- names beside the file ---- */

/* "/etc/mail/.NAME.SUFFIX" of "/etc/mail/NAME"; heap. */
static char *beside(const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/');
	int dir = slash == NULL ? 0 : (int)(slash - path) + 1;

	return xasprintf("%.*s.%s.%s", dir, path, path + dir, suffix);
}

static int sync_folder_of(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	AUTO(auto_free)
	char *dir = slash == NULL   ? xstrdup(".")
		    : slash == path ? xstrdup("/")
				    : sv_dup(sv_new(path, (size_t)(slash - path)));
	AUTO(auto_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
	return 0;
}

/* ---- as it should be already? ---- */

static bool holds(int fd, struct str_view text)
{
	char block[4096];

	while (text.len > 0) {
		ssize_t len = read(fd, block, sizeof(block));

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0 || !sv_starts(text, sv_new(block, (size_t)len)))
			break;
		text = sv_skip(text, (size_t)len);
	}
	explicit_bzero(block, sizeof(block));
	return text.len == 0;
}

static bool is_same(const struct files *files, const struct file_want *want)
{
	AUTO(auto_close)
	int fd = open(want->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	return fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
	       (info.st_mode & 07777) == want->mode &&
	       (files->uid == NOT_GIVEN || files->uid == info.st_uid) &&
	       (files->gid == (gid_t)-1 || files->gid == info.st_gid) &&
	       (size_t)info.st_size == buf_len(&want->text) && holds(fd, buf_view(&want->text));
}

/* ---- writing ---- */

static int write_all(int fd, struct str_view text)
{
	while (text.len > 0) {
		ssize_t len = write(fd, text.data, text.len);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -1;
		text = sv_skip(text, (size_t)len);
	}
	return 0;
}

/* Nobody may open the key between its creation and the change of its owner and mode: it is made
 * 0600, and widened last. */
static int write_beside(const struct files *files, const struct file_want *want, const char *temp,
			struct err *err)
{
	AUTO(auto_close) int fd = -1;

	(void)unlink(temp); /* of a run that was ended */
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, ERR_IO, "cannot write %s: %s%s", want->path, strerror(errno),
			       errno == ENOENT ? " (make its folder first)" : "");
	if ((files->uid != NOT_GIVEN || files->gid != (gid_t)-1) &&
	    fchown(fd, files->uid, files->gid) < 0)
		err_set(err, ERR_IO, "%s: the owner cannot be set: %s", want->path,
			strerror(errno));
	else if (write_all(fd, buf_view(&want->text)) < 0 || fchmod(fd, want->mode) < 0 ||
		 fsync(fd) < 0)
		err_set(err, ERR_IO, "%s: %s", temp, strerror(errno));
	else
		return 0;
	(void)unlink(temp);
	return -1;
}

static int refuse_others(const struct file_want *want, struct err *err)
{
	struct stat info;

	if (lstat(want->path, &info) < 0 || S_ISREG(info.st_mode))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s is there and is no regular file: remove it, or name "
		       "another path",
		       want->path);
}

struct turn {                   /* what one files_write has done so far */
	char *temps[FILES_MAX]; /* owned; NULL: the file is as it should be */
};

static void turn_deinit(struct turn *turn)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (turn->temps[i] != NULL)
			(void)unlink(turn->temps[i]);
		free(turn->temps[i]);
	}
}

static int prepare(struct files *files, struct turn *turn, size_t *differ, struct err *err)
{
	for (size_t i = 0; i < files->count; i++) {
		struct file_want *want = &files->list[i];

		if (is_same(files, want))
			continue;
		if (refuse_others(want, err) < 0)
			return -1;
		turn->temps[i] = beside(want->path, "sallyport-new");
		if (write_beside(files, want, turn->temps[i], err) < 0)
			return -1;
		(*differ)++;
	}
	return 0;
}

static char *mark_of(const struct files *files)
{
	return beside(files->list[0].path, "sallyport-pending");
}

static int set_mark(const struct files *files, struct err *err)
{
	AUTO(auto_free) char *mark = mark_of(files);
	AUTO(auto_close)
	int fd = open(mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, ERR_IO, "%s: %s", mark, strerror(errno));
	return sync_folder_of(mark, err);
}

static int put_in_place(struct files *files, struct turn *turn, struct err *err)
{
	for (size_t i = 0; i < files->count; i++) {
		if (turn->temps[i] == NULL)
			continue;
		if (rename(turn->temps[i], files->list[i].path) < 0)
			return err_set(err, ERR_IO, "%s: %s", files->list[i].path, strerror(errno));
		free(TAKE(turn->temps[i]));
		if (sync_folder_of(files->list[i].path, err) < 0)
			return -1;
	}
	return 0;
}

int files_write(struct files *files, bool *changed, struct err *err)
{
	struct turn turn = {.temps = {NULL}};
	size_t differ = 0;
	int rc = prepare(files, &turn, &differ, err);

	*changed = differ > 0;
	if (rc == 0 && differ > 0)
		rc = set_mark(files, err);
	if (rc == 0)
		rc = put_in_place(files, &turn, err);
	turn_deinit(&turn);
	return rc;
}

bool files_unsettled(const struct files *files)
{
	AUTO(auto_free) char *mark = files->count == 0 ? NULL : mark_of(files);
	struct stat info;

	return mark != NULL && lstat(mark, &info) == 0;
}

void files_settled(const struct files *files)
{
	AUTO(auto_free) char *mark = files->count == 0 ? NULL : mark_of(files);

	if (mark != NULL)
		(void)unlink(mark);
}

/* ---- owner and mode ---- */

static int read_number(struct str_view text, uint32_t *id)
{
	uint64_t number;

	if (!sv_to_u64(text, &number) || number >= UINT32_MAX)
		return -1;
	*id = (uint32_t)number;
	return 0;
}

static int read_user(struct files *files, struct str_view text, struct err *err)
{
	AUTO(auto_free) char *name = sv_dup(text);
	const struct passwd *user = getpwnam(name);

	if (user != NULL)
		files->uid = user->pw_uid;
	else if (read_number(text, &files->uid) < 0)
		return err_set(err, ERR_NOT_FOUND, "--owner: there is no user \"%s\"", name);
	return 0;
}

static int read_group(struct files *files, struct str_view text, struct err *err)
{
	AUTO(auto_free) char *name = sv_dup(text);
	const struct group *group = getgrnam(name);

	if (group != NULL)
		files->gid = group->gr_gid;
	else if (read_number(text, &files->gid) < 0)
		return err_set(err, ERR_NOT_FOUND, "--owner: there is no group \"%s\"", name);
	return 0;
}

int files_owner(struct files *files, const char *text, struct err *err)
{
	struct str_view group = sv_from(text), user = sv_split(&group, ':');

	if (user.len == 0 && group.len == 0)
		return err_set(err, ERR_INVALID, "--owner: USER, USER:GROUP or :GROUP is due");
	if (user.len > 0 && read_user(files, user, err) < 0)
		return -1;
	return group.len > 0 ? read_group(files, group, err) : 0;
}

int files_mode(const char *text, mode_t *mode, struct err *err)
{
	mode_t value = 0;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (len > 4 || text[i] < '0' || text[i] > '7')
			return err_set(err, ERR_INVALID,
				       "invalid --mode \"%s\": octal digits are due, as 0640",
				       text);
		value = value * 8 + (mode_t)(text[i] - '0');
	}
	if (len == 0 || (value & 0600) != 0600 || (value & ~(mode_t)0770) != 0)
		return err_set(err, ERR_INVALID,
			       "invalid --mode \"%s\": a key is for its owner (6), perhaps a group "
			       "(4), and not for others, as 0640",
			       text);
	*mode = value;
	return 0;
}
