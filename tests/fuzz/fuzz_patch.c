/* tests/fuzz/fuzz_patch.c - codec/patch*.c: patches never change their input nor leave the limits
 *
 * The input is one JSON object: {"doc":…, "json":[…], "merge":…, "strategic":{…}}.
 */
#include "fuzz.h"

#include "base/own.h"
#include "codec/patch.h"

#include <stdlib.h>

static const char *key_of(void *arg, const char *path)
{
	(void)arg;
	if (strstr(path, "set") != NULL)
		return "";
	return strstr(path, "list") != NULL ? "k" : NULL;
}

/* Takes result. */
static void check(json_t *result, const struct err *err)
{
	if (result == NULL && err->msg[0] == '\0')
		abort();
	if (result != NULL && json_check(result, NULL) != 0)
		abort();
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_json) json_t *input = json_parse(sv_new((const char *)data, size), NULL);
	AUTO(auto_json) json_t *before = json_deep_copy(input);
	const json_t *doc = json_member(input, "doc"), *merge = json_member(input, "merge");
	struct err err = {0};

	if (doc == NULL)
		return 0;
	check(patch_json(doc, json_member(input, "json"), &err), &err);
	err = (struct err){0};
	check(patch_strategic(doc, json_member(input, "strategic"), key_of, NULL, &err), &err);
	if (merge != NULL)
		check(patch_merge(doc, merge), &err);
	if (!json_same(input, before))
		abort();
	return 0;
}
