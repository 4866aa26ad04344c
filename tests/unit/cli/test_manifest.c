/* tests/unit/cli/test_manifest.c - cli/manifest.c */
#include "cli/manifest.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void test_texts(void **state)
{
	static const struct {
		const char *name, *text, *names; /* names NULL: an error */
	} cases[] = {
		{"one document", "kind: A\nmetadata: {name: x}\n", "A/x "},
		{"many documents",
		 "---\nkind: A\nmetadata: {name: x}\n---\n---\nkind: B\nmetadata: "
		 "{name: y}\n...\n",
		 "A/x B/y "},
		{"JSON", "{\"kind\":\"A\",\"metadata\":{\"name\":\"x\"}}", "A/x "},
		{"a List",
		 "kind: List\napiVersion: v1\nitems:\n- {kind: A, metadata: {name: x}}\n"
		 "- {kind: B, metadata: {name: y}}\n",
		 "A/x B/y "},
		{"a list of one kind",
		 "kind: AList\napiVersion: g/v1\nitems:\n- metadata: {name: x}\n", "A/x "},
		{"an empty list", "kind: List\nitems: []\n", ""},
		{"a kind that ends in List", "kind: AllowList\nmetadata: {name: x}\n",
		 "AllowList/x "},
		{"nothing", "", ""},
		{"only comments", "# nothing\n---\n# here\n", ""},
		{"a text", "hello\n", NULL},
		{"a list", "- a\n", NULL},
		{"no YAML", "a: [b\n", NULL},
		{"an item that is none", "kind: List\nitems: [3]\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manifest manifest;
		struct err err = {.code = ERR_NONE};
		struct buf names;
		int rc;

		manifest_init(&manifest);
		buf_init(&names, 1024);
		rc = manifest_parse(&manifest, "F", sv_from(cases[i].text), &err);
		for (size_t k = 0; k < manifest.count; k++)
			buf_addf(&names, "%s/%s ", json_str_at(manifest.docs[k].json, "kind"),
				 json_str_at(manifest.docs[k].json, "metadata.name"));
		if ((rc < 0) != (cases[i].names == NULL) ||
		    (rc == 0 && strcmp(buf_cstr(&names), cases[i].names) != 0))
			fail_msg("%s: %d, %s, %s", cases[i].name, rc, buf_cstr(&names), err.msg);
		if (rc < 0 && !sv_starts(sv_from(err.msg), SV("F: ")))
			fail_msg("%s: does not name its source: %s", cases[i].name, err.msg);
		buf_deinit(&names);
		manifest_deinit(&manifest);
	}
}

static void put(const char *folder, const char *name, const char *text)
{
	AUTO(auto_free) char *path = xasprintf("%s/%s", folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void drop(const char *folder, const char *name)
{
	AUTO(auto_free) char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(remove(path), 0);
}

static void test_folder(void **state)
{
	char folder[] = "/tmp/test_manifest.XXXXXX";
	AUTO(auto_free) char *below = NULL;
	struct manifest manifest;
	struct err err = {.code = ERR_NONE};

	(void)state;
	assert_non_null(mkdtemp(folder));
	below = xasprintf("%s/sub", folder);
	manifest_init(&manifest);
	assert_int_equal(manifest_read(&manifest, folder, false, &err), -1);
	assert_int_equal(mkdir(below, 0700), 0);
	put(folder, "b.yaml", "kind: B\n");
	put(folder, "a.yml", "kind: A\n");
	put(folder, "note.txt", "no: [manifest");
	put(folder, ".hidden.yaml", "no: [manifest");
	put(below, "c.json", "{\"kind\": \"C\"}");
	assert_int_equal(manifest_read(&manifest, folder, false, &err), 0);
	assert_int_equal(manifest.count, 2);
	assert_string_equal(json_str_at(manifest.docs[0].json, "kind"), "A");
	assert_int_equal(manifest_read(&manifest, folder, true, &err), 0);
	assert_int_equal(manifest.count, 5);
	put(folder, "z.yaml", "broken: [\n");
	assert_int_equal(manifest_read(&manifest, folder, false, &err), -1);
	assert_int_equal(manifest.count, 5); /* all or nothing of one -f */
	manifest_deinit(&manifest);
	drop(below, "c.json");
	for (size_t i = 0; i < 5; i++)
		drop(folder,
		     (const char *[]){"a.yml", "b.yaml", "note.txt", ".hidden.yaml", "z.yaml"}[i]);
	drop(folder, "sub");
	assert_int_equal(rmdir(folder), 0);
}

static void test_refusals(void **state)
{
	static const char *const names[] = {"/does/not/exist.yaml", "https://example.com/a.yaml",
					    "/dev/zero", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct manifest manifest;
		struct err err = {.code = ERR_NONE};

		manifest_init(&manifest);
		if (manifest_read(&manifest, names[i], false, &err) == 0 || err.msg[0] == '\0')
			fail_msg("%s: taken", names[i]);
		assert_int_equal(manifest.count, 0);
		manifest_deinit(&manifest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
