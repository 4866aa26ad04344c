#include "dns01/hook.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_LEN_MAX 128
#define KILL_MS      200 /* a killed process ends at once */

/* ---- which files ---- */

static bool is_bare_name(struct str_view name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!ascii_is_alnum(name.data[i]) && strchr("._-", name.data[i]) == NULL)
			return false;
	}
	return name.len > 0 && name.len <= NAME_LEN_MAX && name.data[0] != '.' &&
	       name.data[0] != '-';
}

/* Nobody but root (and we) can change what it is. A folder as /tmp keeps names from others. */
static int check_owner(const char *path, const struct stat *state, bool own, struct err *err)
{
	bool sticky = S_ISDIR(state->st_mode) && (state->st_mode & S_ISVTX) != 0;

	if (state->st_uid != 0 && !(own && state->st_uid == geteuid()))
		return err_set(
			err, ERR_DENIED,
			"%s belongs to uid %u: scripts that are run must belong to root, and "
			"so must every folder above them",
			path, state->st_uid);
	if ((state->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
		return err_set(err, ERR_DENIED,
			       "%s may be written by others than its owner: chmod go-w %s", path,
			       path);
	return 0;
}

/* "/", "/etc", "/etc/sallyport", … */
static int check_folders(const char *path, bool own, struct err *err)
{
	AUTO(auto_free) char *part = xstrdup(path);
	struct stat state;

	for (size_t i = strlen(path); i > 0; i--) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (stat(part, &state) < 0)
			return err_set(err, ERR_NOT_FOUND, "%s: %s", part, strerror(errno));
		if (check_owner(part, &state, own, err) < 0)
			return -1;
	}
	return 0;
}

char *hook_path(const char *folder, struct str_view name, bool own, bool program, struct err *err)
{
	AUTO(auto_free) char *real = NULL; /* without links: what is checked is what is run */
	AUTO(auto_free) char *path = NULL;
	struct stat state;

	if (!is_bare_name(name)) {
		err_set(err, ERR_INVALID,
			"\"%.*s\" is no bare file name: letters, digits, '.', '_' and '-'",
			SV_ARG(sv_head(name, 100)));
		return NULL;
	}
	real = realpath(folder, NULL);
	path = xasprintf("%s/%.*s", real == NULL ? folder : real, SV_ARG(name));
	if (lstat(path, &state) < 0)
		err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(state.st_mode))
		err_set(err, ERR_DENIED, "%s is no regular file", path);
	else if (access(path, program ? X_OK : R_OK) < 0)
		err_set(err, ERR_DENIED, "%s: %s: chmod %s %s", path, strerror(errno),
			program ? "a+rx" : "a+r", path);
	else if (check_owner(path, &state, own, err) == 0 &&
		 check_folders(real == NULL ? folder : real, own, err) == 0)
		return TAKE(path);
	return NULL;
}

/* ---- one run ---- */

struct hook {
	struct hook_config config;
	struct task end;
	struct timer limit;
	struct loop_fd process, pipe; /* fd -1: closed */
	pid_t pid;                    /* 0: has ended, or never began */
	size_t len;                   /* of output */
	struct hook_result result;
	char output[HOOK_OUTPUT_MAX];
};

static void close_watch(struct hook *hook, struct loop_fd *watch)
{
	if (watch->fd < 0)
		return;
	if (watch->registered)
		loop_remove(hook->config.loop, watch);
	close(watch->fd);
	watch->fd = -1;
}

/* The whole group: what the script has started goes with it. One that cannot be killed (it has
 * become another user, or hangs in the kernel) is not waited for: it stays behind. */
static void kill_group(struct hook *hook)
{
	struct pollfd end = {.fd = hook->process.fd, .events = POLLIN};

	if (hook->pid == 0)
		return;
	(void)kill(-hook->pid, SIGKILL);
	(void)poll(&end, 1, KILL_MS);
	(void)waitpid(hook->pid, NULL, WNOHANG);
	hook->pid = 0;
}

void hook_cancel(struct hook *hook)
{
	if (hook == NULL)
		return;
	kill_group(hook);
	close_watch(hook, &hook->process);
	close_watch(hook, &hook->pipe);
	timer_stop(hook->config.loop, &hook->limit);
	task_cancel(&hook->end);
	free(hook);
}

static void on_end(struct task *task)
{
	struct hook *hook = CONTAINER_OF(task, struct hook, end);

	hook->result.output = sv_new(hook->output, hook->len);
	hook->config.done(hook->config.arg, &hook->result);
	hook_cancel(hook);
}

static void finish(struct hook *hook)
{
	close_watch(hook, &hook->process);
	close_watch(hook, &hook->pipe);
	timer_stop(hook->config.loop, &hook->limit);
	task_defer(hook->config.loop, &hook->end);
}

/* Keeps the last bytes: that is where the reason stands. */
static void keep(struct hook *hook, struct str_view bytes)
{
	bytes = sv_skip(bytes, bytes.len > HOOK_OUTPUT_MAX ? bytes.len - HOOK_OUTPUT_MAX : 0);
	if (hook->len + bytes.len > HOOK_OUTPUT_MAX) {
		size_t drop = hook->len + bytes.len - HOOK_OUTPUT_MAX;

		memmove(hook->output, hook->output + drop, hook->len - drop);
		hook->len -= drop;
	}
	memcpy(hook->output + hook->len, bytes.data, bytes.len);
	hook->len += bytes.len;
}

/* false: there is nothing more now. */
static bool read_some(struct hook *hook)
{
	char bytes[4096];
	ssize_t count = read(hook->pipe.fd, bytes, sizeof(bytes));

	if (count > 0)
		keep(hook, sv_new(bytes, (size_t)count));
	else if (count == 0 || (errno != EAGAIN && errno != EINTR))
		close_watch(hook, &hook->pipe);
	return count > 0;
}

static void pipe_ready(struct loop_fd *self, unsigned events)
{
	(void)events;
	(void)read_some(CONTAINER_OF(self, struct hook, pipe));
}

/* What a background child writes afterwards is nobody's: the pipe is emptied as it is, and the
 * group ends. */
static void process_ready(struct loop_fd *self, unsigned events)
{
	struct hook *hook = CONTAINER_OF(self, struct hook, process);
	struct hook_result *result = &hook->result;
	siginfo_t ended = {.si_pid = 0};
	int status = 0;

	(void)events;
	/* Looked at first, and reaped when its group is killed: until then nobody else can get its
	 * number. */
	if (waitid(P_PID, (id_t)hook->pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    ended.si_pid != hook->pid)
		return;
	for (int i = 0; i < 64 && hook->pipe.fd >= 0 && read_some(hook); i++)
		;
	(void)kill(-hook->pid, SIGKILL);
	(void)waitpid(hook->pid, &status, WNOHANG);
	hook->pid = 0;
	result->fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (WIFEXITED(status))
		snprintf(result->why, sizeof(result->why), "exit status %d", WEXITSTATUS(status));
	else
		snprintf(result->why, sizeof(result->why), "killed by signal %d", WTERMSIG(status));
	finish(hook);
}

static void on_limit(struct timer *timer)
{
	struct hook *hook = CONTAINER_OF(timer, struct hook, limit);

	while (hook->pipe.fd >= 0 && hook->len < HOOK_OUTPUT_MAX && read_some(hook))
		;
	kill_group(hook);
	snprintf(hook->result.why, sizeof(hook->result.why), "no end within %lld s",
		 (long long)(hook->config.timeout_ms / 1000));
	finish(hook);
}

static void never_began(struct hook *hook, int error)
{
	kill_group(hook);
	snprintf(hook->result.why, sizeof(hook->result.why), "not started: %s", strerror(error));
	finish(hook);
}

/* ---- start ---- */

/* Its own process group, no signal blocked or ignored, "/" as folder, no descriptor of ours. */
static int spawn(struct hook *hook, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	error = posix_spawn(&hook->pid, hook->config.argv[0], &actions, &attributes,
			    (char *const *)hook->config.argv, (char *const *)hook->config.env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (error != 0)
		hook->pid = 0;
	return error;
}

static void begin(struct hook *hook)
{
	struct loop *loop = hook->config.loop;
	int ends[2];
	int error;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		never_began(hook, errno);
		return;
	}
	hook->pipe.fd = ends[0];
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	error = spawn(hook, ends[1]);
	close(ends[1]);
	if (error != 0) {
		never_began(hook, error);
		return;
	}
	hook->process.fd = (int)syscall(SYS_pidfd_open, hook->pid, 0);
	if (hook->process.fd < 0 || loop_add(loop, &hook->process, LOOP_READ, NULL) < 0 ||
	    loop_add(loop, &hook->pipe, LOOP_READ, NULL) < 0)
		never_began(hook, errno);
	else
		timer_in(loop, &hook->limit, hook->config.timeout_ms);
}

struct hook *hook_start(const struct hook_config *config)
{
	struct hook *hook = xcalloc(1, sizeof(*hook));

	hook->config = *config;
	hook->process = (struct loop_fd){.fd = -1, .ready = process_ready};
	hook->pipe = (struct loop_fd){.fd = -1, .ready = pipe_ready};
	task_init(&hook->end, on_end);
	timer_init(&hook->limit, on_limit);
	begin(hook);
	return hook;
}
