/* cli/objects.h - objects in the form that -o asks for */
#ifndef CLI_OBJECTS_H
#define CLI_OBJECTS_H

#include "cli/cli.h"

enum form { FORM_TABLE, FORM_WIDE, FORM_JSON, FORM_YAML, FORM_NAME, FORM_JSONPATH, FORM_COLUMNS };

struct objects_form {
	enum form form;
	struct str_view template; /* of jsonpath and custom-columns */
	bool no_headers;          /* of custom-columns */
};

/* Reads -o. 0, or EXIT_USAGE: it was said. */
int form_read(struct cli *cli, struct objects_form *form);
static inline bool form_is_table(const struct objects_form *form)
{
	return form->form == FORM_TABLE || form->form == FORM_WIDE;
}

/* One value, a list or an object, ended as kubectl does. Returns an exit code. */
int objects_print(struct cli *cli, const struct objects_form *form, const json_t *value);
/* "v1 List" around items, as kubectl get prints several objects. New value. */
json_t *objects_list(json_t *items);
/* "gateway.gateway.networking.k8s.io/name" */
void object_label(const json_t *object, struct buf *out);

#endif
