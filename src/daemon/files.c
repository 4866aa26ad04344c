#include "daemon/files.h"

#include "base/buf.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

static char *read_all(int fd, size_t max, size_t *len, struct err *err)
{
	struct buf text;
	ssize_t count;

	buf_init(&text, max + READ_STEP + 1);
	do {
		char *room = buf_room(&text, READ_STEP);

		count = read(fd, room, READ_STEP);
		if (count > 0)
			buf_wrote(&text, (size_t)count);
	} while ((count > 0 && buf_len(&text) <= max) || (count < 0 && errno == EINTR));
	*len = buf_len(&text);
	if (count == 0)
		return buf_detach(&text);
	if (count < 0)
		err_set(err, ERR_IO, "%s", strerror(errno));
	else
		err_set(err, ERR_LIMIT, "longer than %zu bytes", max);
	buf_deinit(&text);
	return NULL;
}

char *file_read(const char *path, size_t max, size_t *len, struct err *err)
{
	AUTO(auto_close) int fd = -1;
	struct stat info;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, max, len, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info) < 0) {
		err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(info.st_mode)) {
		err_set(err, ERR_INVALID, "not a regular file");
		return NULL;
	}
	return read_all(fd, max, len, err);
}
