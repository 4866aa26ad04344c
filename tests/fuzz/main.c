/* tests/fuzz/main.c - replays a corpus through one fuzz target
 *
 * The corpus is the arguments (files or directories), else $FUZZ_CORPUS, else
 * $srcdir/tests/fuzz/corpus/NAME for the program fuzz_NAME. The empty input is always tried.
 * Exit status: 0 replayed, 1 no corpus or an unreadable file; a crash is a crash.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (16U << 20) /* no corpus file is larger by right */

static int replay_file(const char *path, const struct stat *st)
{
	FILE *file = fopen(path, "rb");
	/* Of the input's own size, so that one byte too far is seen by the address sanitizer. */
	uint8_t *data = malloc(st->st_size > 0 ? (size_t)st->st_size : 1);
	int rc = -1;

	if (file != NULL && data != NULL && st->st_size <= INPUT_MAX &&
	    fread(data, 1, (size_t)st->st_size, file) == (size_t)st->st_size) {
		LLVMFuzzerTestOneInput(data, (size_t)st->st_size);
		rc = 1;
	} else {
		fprintf(stderr, "%s: cannot read: %s\n", path, strerror(errno));
	}
	free(data);
	if (file != NULL)
		fclose(file);
	return rc;
}

static int replay(const char *path);

static int replay_dir(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	int total = 0;

	for (int i = 0; i < n; i++) {
		char child[PATH_MAX];
		int len = snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
		int done = 0;

		if (names[i]->d_name[0] != '.')
			done = len < (int)sizeof(child) ? replay(child) : -1;
		total = total < 0 || done < 0 ? -1 : total + done;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return n < 0 ? -1 : total;
}

/* Returns how many inputs were run, or -1 after saying what could not be read. */
static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	return S_ISDIR(st.st_mode) ? replay_dir(path) : replay_file(path, &st);
}

static int replay_default(const char *program)
{
	const char *dir = getenv("FUZZ_CORPUS");
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(program, '/');
	char path[PATH_MAX];

	if (dir != NULL)
		return replay(dir);
	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	if (snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".",
		     name) >= (int)sizeof(path))
		return -1;
	return replay(path);
}

int main(int argc, char **argv)
{
	int total = argc > 1 ? 0 : replay_default(argv[0]);

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc && total >= 0; i++) {
		int done = replay(argv[i]);

		total = done < 0 ? -1 : total + done;
	}
	if (total <= 0) {
		fprintf(stderr, "%s: no corpus was replayed\n", argv[0]);
		return 1;
	}
	printf("replayed %d inputs\n", total);
	return 0;
}
