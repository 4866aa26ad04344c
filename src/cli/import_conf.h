/* cli/import_conf.h - the settings files of certbot and acme.sh
 *
 * Pure and strict: a line that is none of those forms is an error that names it. Nothing is ever
 * evaluated.
 */
#ifndef CLI_IMPORT_CONF_H
#define CLI_IMPORT_CONF_H

#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"

#define CONF_VALUES_MAX 4096

/* certbot's (INI with [section] and [[subsection]]): {"key": "value", "section/key": …,
 * "section/subsection/key": …}. New object, or NULL. */
json_t *conf_parse_ini(struct str_view text, struct err *err);
/* acme.sh's: lines of NAME='value', "value" or a bare word. New object, or NULL. */
json_t *conf_parse_shell(struct str_view text, struct err *err);
/* The value, "" when absent; borrowed. */
struct str_view conf_value(const json_t *conf, const char *key);

#endif
