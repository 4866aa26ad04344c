/* store/statedir.c - the directory of the state: there, ours to write, and nobody else's meanwhile
 */
#include "store/statedir.h"

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "sallyport.lock"

static int cannot(const char *dir, const char *what, int why, struct err *err)
{
	const char *fix = "name another directory with --state-dir";

	if (why == EACCES || why == EPERM)
		fix = "give it to the user the daemon runs as (chown -R), or name another one "
		      "with --state-dir";
	else if (why == EROFS)
		fix = "make the file system writable, or name another directory with --state-dir";
	else if (why == ENOSPC || why == EDQUOT)
		fix = "free some space on its disk";
	return err_set(err, ERR_IO, "state directory %s: cannot %s as uid %u: %s; %s", dir, what,
		       (unsigned)geteuid(), strerror(why), fix);
}

/* mkdir -p: each missing part gets 0700. */
static int make_dirs(const char *dir, struct err *err)
{
	AUTO(auto_free) char *path = xstrdup(dir);

	for (char *end = path; *end != '\0';) {
		char cut;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		cut = *end;
		*end = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return cannot(dir, "make it", errno, err);
		*end = cut;
	}
	return 0;
}

static int check_dir(const char *dir, struct err *err)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return cannot(dir, "look at it", errno, err);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_IO,
			       "state directory %s: it is not a directory; name one with "
			       "--state-dir",
			       dir);
	if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return cannot(dir, "write into it", errno, err);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		log_warn("store", "state directory %s can be written by others: chmod 0700 %s", dir,
			 dir);
	return 0;
}

static int in_use(const char *dir, int lock, struct err *err)
{
	char text[32];
	ssize_t len = pread(lock, text, sizeof(text), 0);
	struct str_view pid = sv_new(text, len < 0 ? 0 : (size_t)len);
	uint64_t number = 0;

	pid = sv_head(pid, sv_find(pid, '\n'));
	if (!sv_to_u64(pid, &number))
		return err_set(err, ERR_IO,
			       "state directory %s: another process uses it (see: fuser -v "
			       "%s/" LOCK_NAME "); stop that one, or name another directory with "
			       "--state-dir",
			       dir, dir);
	return err_set(err, ERR_IO,
		       "state directory %s: process %llu uses it; stop that one (systemctl stop "
		       "sallyportd, or kill %llu), or name another directory with --state-dir",
		       dir, (unsigned long long)number, (unsigned long long)number);
}

/* For in_use: a hint, so a full disk must not keep the daemon from starting. */
static void write_pid(int lock)
{
	if (ftruncate(lock, 0) < 0 || dprintf(lock, "%ld\n", (long)getpid()) < 0)
		log_warn("store", "cannot write " LOCK_NAME ": %s", strerror(errno));
}

static int take_lock(const char *dir, int lock, struct err *err)
{
	if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
		write_pid(lock);
		return 0;
	}
	return errno == EWOULDBLOCK ? in_use(dir, lock, err) : cannot(dir, "lock it", errno, err);
}

int statedir_lock(const char *dir, struct err *err)
{
	AUTO(auto_free) char *path = xasprintf("%s/" LOCK_NAME, dir);
	int lock;

	if (make_dirs(dir, err) < 0 || check_dir(dir, err) < 0)
		return -1;
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return cannot(dir, "open " LOCK_NAME, errno, err);
	if (take_lock(dir, lock, err) < 0) {
		close(lock);
		return -1;
	}
	return lock;
}

void statedir_unlock(int lock)
{
	/* The pid must not outlive its process; failing to remove it costs only a wrong hint. */
	if (lock >= 0 && (ftruncate(lock, 0) < 0 || close(lock) < 0))
		log_debug("store", "unlock: %s", strerror(errno));
}
