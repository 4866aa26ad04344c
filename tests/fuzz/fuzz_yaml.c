/* tests/fuzz/fuzz_yaml.c - codec/yaml*.c: what was read is written so that it reads back the same
 */
#include "fuzz.h"

#include "base/own.h"
#include "codec/yaml.h"

#include <stdio.h>
#include <stdlib.h>

static void check(const json_t *value)
{
	AUTO(auto_free) char *text = yaml_text(value);
	AUTO(auto_json) json_t *again = NULL;
	struct err err = {0};

	if (text == NULL)
		abort();
	if (strlen(text) > YAML_TEXT_MAX)
		return;
	again = yaml_parse(sv_from(text), &err);
	if (json_array_size(again) == 1 && json_same(json_array_get(again, 0), value))
		return;
	fprintf(stderr, "does not read back (%s):\n%s\n", err.msg, text);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	AUTO(auto_json)
	json_t *documents = yaml_parse(sv_new((const char *)data, size), &err);

	if (documents == NULL && (err.code == ERR_NONE || err.msg[0] == '\0'))
		abort();
	for (size_t i = 0; i < json_array_size(documents); i++)
		check(json_array_get(documents, i));
	return 0;
}
