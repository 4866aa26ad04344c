/* tests/fuzz/fuzz_jsonpath.c - cli/jsonpath.c: a template in the first line, JSON in the rest */
#include "fuzz.h"

#include "cli/jsonpath.h"

#include <stdlib.h>

#define OUTPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view rest = sv_new((const char *)data, size), template = sv_split(&rest, '\n');
	json_t *value = json_parse(rest.data == NULL ? SV("{}") : rest, NULL);
	struct err err = {.code = ERR_NONE};
	struct buf out;

	if (value == NULL)
		return 0;
	buf_init(&out, OUTPUT_MAX);
	if (jsonpath_text(template, value, &out, &err) < 0 && err.msg[0] == '\0')
		abort(); /* an error without words */
	buf_deinit(&out);
	json_decref(value);
	return 0;
}
