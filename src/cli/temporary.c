/* cli/temporary.c - a folder of our own, and programs that look into it */
#include "cli/temporary.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH_MAX 8 /* descriptors that nftw may have open */
#define WORDS_MAX 8

int temporary_init(struct temporary *dir, struct err *err)
{
	const char *base = getenv("TMPDIR");

	dir->path =
		xasprintf("%s/sallyport.XXXXXX", base == NULL || base[0] == '\0' ? "/tmp" : base);
	if (mkdtemp(dir->path) != NULL)
		return 0;
	err_set(err, ERR_IO, "cannot make a folder %s: %s", dir->path, strerror(errno));
	free(TAKE(dir->path));
	return -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void temporary_deinit(struct temporary *dir)
{
	if (dir->path != NULL)
		(void)nftw(dir->path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS);
	free(TAKE(dir->path));
}

char *temporary_path(const struct temporary *dir, const char *name)
{
	return xasprintf("%s/%s", dir->path, name);
}

int temporary_folder(const struct temporary *dir, const char *name, struct err *err)
{
	AUTO(auto_free) char *path = temporary_path(dir, name);

	if (mkdir(path, 0700) == 0)
		return 0;
	return err_set(err, ERR_IO, "cannot make a folder %s: %s", path, strerror(errno));
}

int temporary_write(const char *path, struct str_view text, struct err *err)
{
	AUTO(auto_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (fd >= 0 && text.len > 0) {
		ssize_t count = write(fd, text.data, text.len);

		if (count < 0)
			break;
		text = sv_skip(text, (size_t)count);
	}
	if (fd >= 0 && text.len == 0)
		return 0;
	return err_set(err, ERR_IO, "cannot write %s: %s", path, strerror(errno));
}

int run_program(const char *command, const char *const *words, struct err *err)
{
	/* The command is the user's own text, and the words are never part of it. */
	AUTO(auto_free) char *script = xasprintf("exec %s \"$@\"", command);
	const char *argv[WORDS_MAX + 5] = {"sh", "-c", script, "sh"};
	int status = 0;
	pid_t pid;

	for (size_t i = 0; words[i] != NULL && i < WORDS_MAX; i++)
		argv[4 + i] = words[i];
	pid = fork();
	if (pid == 0) {
		execv("/bin/sh", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set(err, ERR_IO, "%s: %s", command, strerror(errno));
	}
	if (pid < 0)
		return err_set(err, ERR_IO, "cannot run %s: %s", command, strerror(errno));
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s was ended by signal %d", command, WTERMSIG(status));
	return WEXITSTATUS(status);
}
