/* cli/hook.c - programs of the administrator's */
#include "cli/hook.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENV_MAX   32
#define SAFE_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- may it be run? ---- */

static int check_owner(const char *path, const struct stat *info, struct err *err)
{
	if (info->st_uid != 0 && info->st_uid != geteuid())
		return err_set(err, ERR_DENIED, "%s belongs to user %u: root must own it", path,
			       info->st_uid);
	if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, ERR_DENIED, "%s can be written by others: chmod go-w it", path);
	return 0;
}

static int check_dir(const char *dir, struct err *err)
{
	struct stat info;

	if (stat(dir, &info) < 0)
		return err_set(err, ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(info.st_mode))
		return err_set(err, ERR_INVALID, "%s is no folder", dir);
	return check_owner(dir, &info, err);
}

char *hook_find(const char *dir, const char *name, struct err *err)
{
	AUTO(auto_free) char *path = NULL;
	struct stat info;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
		err_set(err, ERR_INVALID,
			"--hook \"%s\": the name of a file in %s is due, without its folder", name,
			dir);
		return NULL;
	}
	if (check_dir(dir, err) < 0)
		return NULL;
	path = xasprintf("%s/%s", dir, name);
	if (lstat(path, &info) < 0)
		err_set(err, ERR_NOT_FOUND, "hook %s: %s", path, strerror(errno));
	else if (!S_ISREG(info.st_mode))
		err_set(err, ERR_INVALID, "hook %s is no regular file", path);
	else if ((info.st_mode & S_IXUSR) == 0)
		err_set(err, ERR_INVALID, "hook %s is not executable: chmod +x it", path);
	else if (check_owner(path, &info, err) == 0)
		return TAKE(path);
	return NULL;
}

/* ---- running it ---- */

static void become(const char *path, char *const env[])
{
	char *all[ENV_MAX + 3];
	char *argv[] = {(char *)(uintptr_t)path, NULL};
	size_t count = 0;
	sigset_t none;

	all[count++] = (char *)(uintptr_t)SAFE_PATH;
	all[count++] = (char *)(uintptr_t) "LANG=C.UTF-8";
	for (size_t i = 0; env[i] != NULL && i < ENV_MAX; i++)
		all[count++] = env[i];
	all[count] = NULL;
	(void)setpgid(0, 0); /* what it starts is ended with it */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, all);
	_exit(127);
}

static int wait_for(pid_t pid, int64_t ms, int *status)
{
	AUTO(auto_close) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int64_t end = clock_mono_ms() + ms;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	bool late = false;

	while (fd >= 0 && !late) {
		int64_t left = end - clock_mono_ms();
		int got = poll(&ready, 1, left < 0 ? 0 : (int)left);

		if (got > 0 || (got < 0 && errno != EINTR))
			break;
		late = got == 0;
	}
	if (late)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return late ? -1 : 0;
}

int hook_run(const char *path, char *const env[], int64_t ms, struct err *err)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return err_set(err, ERR_IO, "hook %s: %s", path, strerror(errno));
	if (pid == 0)
		become(path, env);
	(void)setpgid(pid, pid);
	if (wait_for(pid, ms, &status) < 0)
		return err_set(err, ERR_TIMEOUT, "hook %s did not end within %lld s and was killed",
			       path, (long long)(ms / 1000));
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "hook %s was ended by signal %d", path,
			       WTERMSIG(status));
	if (WEXITSTATUS(status) == 127)
		return err_set(err, ERR_IO,
			       "hook %s cannot be run (exit 127): is its first line "
			       "right?",
			       path);
	if (WEXITSTATUS(status) != 0)
		return err_set(err, ERR_IO, "hook %s failed: exit %d", path, WEXITSTATUS(status));
	return 0;
}
