/* loop/sock_owner.c - from a port by /proc/net/tcp to inodes, by /proc/PID/fd to processes */
#include "loop/sock_owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define INODES_MAX 16
#define LINES_MAX  4096  /* listeners stand first in these files */
#define FDS_MAX    65536 /* of all processes together */
#define LISTEN_HEX 0x0A  /* TCP_LISTEN in the column st */

struct inodes {
	uint64_t values[INODES_MAX];
	size_t count;
};

/* "  0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 uid timeout inode …"
 */
static void read_listeners(const char *file, uint16_t port, struct inodes *inodes)
{
	FILE *in = fopen(file, "re");
	char line[512];

	if (in == NULL)
		return;
	for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), in) != NULL; i++) {
		unsigned local_port, state;
		unsigned long long inode;

		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %llu",
			   &local_port, &state, &inode) != 3)
			continue;
		if (local_port == port && state == LISTEN_HEX && inodes->count < INODES_MAX)
			inodes->values[inodes->count++] = inode;
	}
	fclose(in);
}

static bool is_wanted(const struct inodes *inodes, struct str_view link)
{
	uint64_t inode;

	if (!sv_starts(link, SV("socket:[")) || !sv_ends(link, SV("]")) ||
	    !sv_to_u64(sv_head(sv_skip(link, 8), link.len - 9), &inode))
		return false;
	for (size_t i = 0; i < inodes->count; i++) {
		if (inodes->values[i] == inode)
			return true;
	}
	return false;
}

/* Does the process hold one of the sockets? budget: descriptors that may still be looked at. */
static bool holds(const char *pid, const struct inodes *inodes, size_t *budget)
{
	char path[64], link[64];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while (!found && *budget > 0 && (entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));

		(*budget)--;
		found = len > 0 && is_wanted(inodes, sv_new(link, (size_t)len));
	}
	closedir(dir);
	return found;
}

/* Appends "name (pid 1)"; the text is cut where it is full. */
static void add_process(const char *pid, char out[SOCK_OWNER_TEXT])
{
	size_t len = strlen(out);
	char path[64], name[17] = "?";
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	count = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);
	if (fd >= 0)
		close(fd);
	if (count > 0) {
		size_t end = sv_find(sv_new(name, (size_t)count), '\n');

		name[end == SV_NOT_FOUND ? (size_t)count : end] = '\0';
	}
	snprintf(out + len, SOCK_OWNER_TEXT - len, "%s%s (pid %.20s)", len == 0 ? "" : ", ", name,
		 pid);
}

bool sock_owner(const struct sock_addr *addr, char out[SOCK_OWNER_TEXT])
{
	struct inodes inodes = {.count = 0};
	size_t budget = FDS_MAX;
	const struct dirent *entry;
	DIR *proc;

	out[0] = '\0';
	read_listeners("/proc/net/tcp", sock_addr_port(addr), &inodes);
	read_listeners("/proc/net/tcp6", sock_addr_port(addr), &inodes);
	proc = inodes.count == 0 ? NULL : opendir("/proc");
	if (proc == NULL)
		return false;
	while (budget > 0 && (entry = readdir(proc)) != NULL) {
		if (ascii_is_digit(entry->d_name[0]) && holds(entry->d_name, &inodes, &budget))
			add_process(entry->d_name, out);
	}
	closedir(proc);
	return out[0] != '\0';
}
