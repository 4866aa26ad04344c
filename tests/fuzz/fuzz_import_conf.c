/* tests/fuzz/fuzz_import_conf.c - cli/import_conf.c: both forms of settings */
#include "fuzz.h"

#include "cli/import_conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	struct err err = {.code = ERR_NONE};
	json_t *conf = conf_parse_ini(text, &err);

	if (conf == NULL && err.msg[0] == '\0')
		abort(); /* an error without words */
	json_decref(conf);
	err = (struct err){.code = ERR_NONE};
	conf = conf_parse_shell(text, &err);
	if (conf == NULL && err.msg[0] == '\0')
		abort();
	json_decref(conf);
	return 0;
}
