/* tests/unit/cli/test_files.c - cli/files.c and cli/hook.c */
#include "cli/files.h"
#include "cli/hook.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_modes(void **state)
{
	static const struct {
		const char *text;
		bool good;
		mode_t mode;
	} cases[] = {
		{"0600", true, 0600}, {"600", true, 0600}, {"0640", true, 0640},
		{"0660", true, 0660}, {"0604", false, 0},  {"0644", false, 0},
		{"0400", false, 0},   {"", false, 0},      {"rw", false, 0},
		{"0680", false, 0},   {"00600", false, 0}, {"4600", false, 0},
		{"-600", false, 0},   {"0x180", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		mode_t mode = 0;
		bool good = files_mode(cases[i].text, &mode, &err) == 0;

		if (good != cases[i].good || (good && mode != cases[i].mode))
			fail_msg("\"%s\": %d %o", cases[i].text, good, mode);
		if (!good && err.msg[0] == '\0')
			fail_msg("\"%s\": no words", cases[i].text);
	}
}

static void test_owners(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uid_t uid;
		gid_t gid;
	} cases[] = {
		{"root", true, 0, (gid_t)-1},
		{"root:root", true, 0, 0},
		{":root", true, (uid_t)-1, 0},
		{"12:34", true, 12, 34},
		{"", false, 0, 0},
		{":", false, 0, 0},
		{"no such user", false, 0, 0},
		{"root:no such group", false, 0, 0},
		{"4294967295", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		struct files files;
		bool good;

		files_init(&files);
		good = files_owner(&files, cases[i].text, &err) == 0;
		if (good != cases[i].good ||
		    (good && (files.uid != cases[i].uid || files.gid != cases[i].gid)))
			fail_msg("\"%s\": %d %u %u", cases[i].text, good, files.uid, files.gid);
	}
}

static int in_folder(void **state)
{
	char *folder = xstrdup("/tmp/test_files.XXXXXX");

	*state = folder;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int out_of_folder(void **state)
{
	AUTO(auto_free) char *command = xasprintf("rm -rf '%s'", (char *)*state);
	int rc = system(command); /* NOLINT: a name of our own */

	free(*state);
	return rc;
}

static bool write_two(const char *folder, const char *first, const char *second, struct err *err)
{
	struct files files;
	bool changed = false;

	files_init(&files);
	assert_int_equal(files_add(&files, xasprintf("%s/a", folder), sv_from(first), 0600, err),
			 0);
	assert_int_equal(files_add(&files, xasprintf("%s/b", folder), sv_from(second), 0644, err),
			 0);
	if (files_write(&files, &changed, err) < 0)
		changed = false;
	files_settled(&files);
	files_deinit(&files);
	return changed;
}

static ino_t inode(const char *folder, const char *name)
{
	AUTO(auto_free) char *path = xasprintf("%s/%s", folder, name);
	struct stat info;

	return lstat(path, &info) == 0 ? info.st_ino : 0;
}

static void test_only_what_differs_is_written(void **state)
{
	const char *folder = *state;
	struct err err = {.code = ERR_NONE};
	ino_t a, b;

	assert_true(write_two(folder, "one", "two", &err));
	a = inode(folder, "a");
	b = inode(folder, "b");
	assert_false(write_two(folder, "one", "two", &err));
	assert_true(write_two(folder, "one", "three", &err));
	assert_int_equal(inode(folder, "a"), a);
	assert_int_not_equal(inode(folder, "b"), b);
	assert_int_equal(err.code, ERR_NONE);
}

/* The second cannot be written: the first stays as it was. */
static void test_all_or_nothing(void **state)
{
	const char *folder = *state;
	AUTO(auto_free) char *b = xasprintf("%s/b", folder);
	struct err err = {.code = ERR_NONE};
	ino_t a;

	assert_true(write_two(folder, "one", "two", &err));
	a = inode(folder, "a");
	assert_int_equal(unlink(b), 0);
	assert_int_equal(mkdir(b, 0700), 0);
	assert_false(write_two(folder, "ONE", "TWO", &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(inode(folder, "a"), a);
	assert_int_equal(inode(folder, ".a.sallyport-new"), 0);
}

static void test_marks(void **state)
{
	struct err err = {.code = ERR_NONE};
	struct files files;
	bool changed;

	files_init(&files);
	assert_false(files_unsettled(&files));
	assert_int_equal(files_add(&files, xasprintf("%s/a", (char *)*state), SV("x"), 0600, &err),
			 0);
	assert_false(files_unsettled(&files));
	assert_int_equal(files_write(&files, &changed, &err), 0);
	assert_true(changed && files_unsettled(&files));
	assert_int_equal(files_write(&files, &changed, &err), 0);
	assert_true(!changed && files_unsettled(&files));
	files_settled(&files);
	assert_false(files_unsettled(&files));
	assert_int_equal(files_add(&files, xasprintf("%s/a", (char *)*state), SV("y"), 0600, &err),
			 -1);
	files_deinit(&files);
}

/* ---- hooks ---- */

static void make_hook(const char *folder, const char *name, const char *text, mode_t mode)
{
	AUTO(auto_free) char *path = xasprintf("%s/%s", folder, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int run_hook(const char *folder, const char *name, int64_t ms, struct err *err)
{
	AUTO(auto_free) char *path = hook_find(folder, name, err);

	return path == NULL ? -1 : hook_run(path, (char *const[]){"WORD=yes", NULL}, ms, err);
}

static void test_hooks(void **state)
{
	static const struct {
		const char *name, *text;
		mode_t mode;
		const char *want; /* of the error; NULL: it runs */
	} cases[] = {
		{"good", "#!/bin/sh\ntest \"$WORD\" = yes && test -z \"$HOME\"\n", 0755, NULL},
		{"fails", "#!/bin/sh\nexit 3\n", 0755, "exit 3"},
		{"dies", "#!/bin/sh\nkill -9 $$\n", 0755, "signal 9"},
		{"nobody", "#!/no/such/program\n", 0755, "cannot be run"},
		{"plain", "#!/bin/sh\n", 0644, "not executable"},
		{"open", "#!/bin/sh\n", 0775, "written by others"},
		{"hangs", "#!/bin/sh\nsleep 1000 & wait\n", 0755, "was killed"},
	};
	const char *folder = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {.code = ERR_NONE};
		bool hangs = strcmp(cases[i].name, "hangs") == 0;
		int rc;

		make_hook(folder, cases[i].name, cases[i].text, cases[i].mode);
		rc = run_hook(folder, cases[i].name, hangs ? 100 : 60000, &err);
		if ((rc == 0) != (cases[i].want == NULL) ||
		    (rc != 0 && strstr(err.msg, cases[i].want) == NULL))
			fail_msg("%s: %d %s", cases[i].name, rc, err.msg);
	}
}

static void test_names_of_hooks(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/bin/sh", ".hidden", "none"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = {.code = ERR_NONE};

		assert_null(hook_find(*state, bad[i], &err));
		assert_int_not_equal(err.code, ERR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_owners),
		cmocka_unit_test_setup_teardown(test_only_what_differs_is_written, in_folder,
						out_of_folder),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, in_folder, out_of_folder),
		cmocka_unit_test_setup_teardown(test_marks, in_folder, out_of_folder),
		cmocka_unit_test_setup_teardown(test_hooks, in_folder, out_of_folder),
		cmocka_unit_test_setup_teardown(test_names_of_hooks, in_folder, out_of_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
