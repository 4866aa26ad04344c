/* tests/fuzz/fuzz_json.c - codec/json.c: what was read is written so that it reads back the same */
#include "fuzz.h"

#include "base/own.h"
#include "codec/json.h"

#include <stdlib.h>

static void check(const json_t *value)
{
	AUTO(auto_free) char *text = json_text(value);
	AUTO(auto_free) char *indented = json_text_indented(value);
	struct str_view view = sv_from(text);
	AUTO(auto_json) json_t *again = NULL;

	if (text == NULL || indented == NULL)
		abort();
	if (view.len > JSON_TEXT_MAX) /* escapes and numbers may grow */
		return;
	again = json_parse(view, NULL);
	if (again == NULL || !json_same(again, value) || json_check(value, NULL) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	struct err err = {0};
	AUTO(auto_json) json_t *value = json_parse(text, &err);
	AUTO(auto_json) json_t *stream = json_parse_stream(text, NULL);
	AUTO(auto_json) json_t *copy = json_sv(text);

	if (value == NULL && (err.code == ERR_NONE || err.msg[0] == '\0'))
		abort();
	if (value != NULL &&
	    (json_array_size(stream) != 1 || !json_same(json_array_get(stream, 0), value)))
		abort();
	if (value != NULL)
		check(value);
	check(copy);
	return 0;
}
