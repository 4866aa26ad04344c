/* cli/objects.c - objects in the form that -o asks for */
#include "cli/objects.h"

#include "base/own.h"
#include "cli/custom_columns.h"
#include "cli/jsonpath.h"
#include "codec/yaml.h"

#include <stdlib.h>

#define TEXT_MAX (64u << 20)

int form_read(struct cli *cli, struct objects_form *form)
{
	static const struct {
		const char *text;
		enum form form;
	} forms[] = {{"", FORM_TABLE},
		     {"wide", FORM_WIDE},
		     {"json", FORM_JSON},
		     {"yaml", FORM_YAML},
		     {"name", FORM_NAME},
		     {"jsonpath", FORM_JSONPATH},
		     {"custom-columns", FORM_COLUMNS}};
	const char *text = args_text(&cli->args, FLAG_OUTPUT);
	struct str_view template = sv_from(text == NULL ? "" : text);
	struct str_view word = sv_split(&template, '=');

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!sv_eq(word, sv_from(forms[i].text)))
			continue;
		*form = (struct objects_form){
			.form = forms[i].form,
			.template = template,
			.no_headers = args_bool(&cli->args, FLAG_NO_HEADERS, false)};
		if (form->form < FORM_JSONPATH || template.len > 0)
			return 0;
		return cli_usage(cli, "template format specified but no template given: -o %s",
				 form->form == FORM_COLUMNS
					 ? "custom-columns=NAME:.metadata.name,AGE:..."
					 : "jsonpath={.metadata.name}");
	}
	return cli_usage(cli,
			 "unable to match a printer suitable for the output format \"%s\", allowed "
			 "formats are: custom-columns,json,jsonpath,name,wide,yaml",
			 text);
}

void object_label(const json_t *object, struct buf *out)
{
	struct str_view kind = json_sv_at(object, "kind"),
			version = json_sv_at(object, "apiVersion");
	struct str_view group = sv_split(&version, '/');

	for (size_t i = 0; i < kind.len; i++)
		buf_addc(out, ascii_lower(kind.data[i]));
	if (version.data != NULL)
		buf_addf(out, ".%.*s", SV_ARG(group));
	buf_addf(out, "/%.*s", SV_ARG(json_sv_at(object, "metadata.name")));
}

json_t *objects_list(json_t *items)
{
	return json_pack("{s:s, s:o, s:s, s:{s:s}}", "apiVersion", "v1", "items", items, "kind",
			 "List", "metadata", "resourceVersion", "");
}

/* ---- forms ---- */

static int print_json(struct cli *cli, const json_t *value)
{
	AUTO(auto_free) char *text = json_text_indented(value);

	out_text(&cli->out, sv_from(text));
	out_fmt(&cli->out, "\n");
	return EXIT_DONE;
}

static int print_yaml(struct cli *cli, const json_t *value)
{
	AUTO(auto_free) char *text = yaml_text(value);

	out_text(&cli->out, sv_from(text));
	return EXIT_DONE;
}

static void print_label(struct cli *cli, const json_t *object)
{
	struct buf label;

	buf_init(&label, TEXT_MAX);
	object_label(object, &label);
	out_fmt(&cli->out, "%s\n", buf_cstr(&label));
	buf_deinit(&label);
}

static int print_names(struct cli *cli, const json_t *value)
{
	const json_t *items = json_member(value, "items"), *item;
	size_t i;

	if (!json_is_array(items))
		print_label(cli, value);
	json_array_foreach(items, i, item)
	{
		print_label(cli, item);
	}
	return EXIT_DONE;
}

static int print_jsonpath(struct cli *cli, struct str_view template, const json_t *value)
{
	struct err err = {.code = ERR_NONE};
	struct buf text;
	int rc = EXIT_DONE;

	buf_init(&text, TEXT_MAX);
	if (jsonpath_text(template, value, &text, &err) < 0)
		rc = cli_usage(cli, "%s", err.msg);
	else
		out_text(&cli->out, buf_view(&text));
	buf_deinit(&text);
	return rc;
}

int objects_print(struct cli *cli, const struct objects_form *form, const json_t *value)
{
	switch (form->form) {
	case FORM_JSON:
		return print_json(cli, value);
	case FORM_YAML:
		return print_yaml(cli, value);
	case FORM_JSONPATH:
		return print_jsonpath(cli, form->template, value);
	case FORM_COLUMNS:
		return custom_columns_print(cli, form, value);
	case FORM_TABLE:
	case FORM_WIDE:
	case FORM_NAME:
	default:
		return print_names(cli, value);
	}
}
