/* cli/import_conf.c - the settings files of certbot and acme.sh */
#include "cli/import_conf.h"

#include "base/own.h"

#include <stdlib.h>

struct reader {
	json_t *values;
	struct str_view section, subsection;
	size_t line;
	struct err *err;
};

struct str_view conf_value(const json_t *conf, const char *key)
{
	const json_t *value = json_member(conf, key);

	return json_is_string(value) ? sv_from(json_string_value(value)) : SV("");
}

static int add_value(const struct reader *reader, struct str_view key, struct str_view value)
{
	AUTO(auto_free) char *name = NULL;
	json_t *text;

	if (json_object_size(reader->values) == CONF_VALUES_MAX)
		return err_set(reader->err, ERR_LIMIT, "line %zu: more than %d settings",
			       reader->line, CONF_VALUES_MAX);
	name = xasprintf("%.*s%s%.*s%s%.*s", SV_ARG(reader->section),
			 reader->section.len > 0 ? "/" : "", SV_ARG(reader->subsection),
			 reader->subsection.len > 0 ? "/" : "", SV_ARG(key));
	text = json_stringn(value.data == NULL ? "" : value.data, value.len);
	if (text == NULL || strlen(name) < key.len)
		return err_set(reader->err, ERR_INVALID, "line %zu is no UTF-8 text", reader->line);
	if (memchr(value.len > 0 ? value.data : "x", '\0', value.len > 0 ? value.len : 1) != NULL) {
		json_decref(text);
		return err_set(reader->err, ERR_INVALID, "line %zu has a NUL", reader->line);
	}
	return json_object_set_new(reader->values, name, text) == 0
		       ? 0
		       : err_set(reader->err, ERR_INVALID, "line %zu is no UTF-8 text",
				 reader->line);
}

static bool is_name(struct str_view key, const char *others)
{
	for (size_t i = 0; i < key.len; i++) {
		if (!ascii_is_alnum(key.data[i]) &&
		    (key.data[i] == '\0' || strchr(others, key.data[i]) == NULL))
			return false;
	}
	return key.len > 0;
}

/* Without the quotes around it; *good: quotes that begin also end, at the end. */
static struct str_view unquoted(struct str_view value, bool *good)
{
	char quote = value.len > 0 ? value.data[0] : '\0';

	*good = true;
	if (quote != '\'' && quote != '"')
		return value;
	*good = value.len >= 2 && value.data[value.len - 1] == quote &&
		sv_find(sv_head(sv_skip(value, 1), value.len - 2), quote) == SV_NOT_FOUND;
	return *good ? sv_head(sv_skip(value, 1), value.len - 2) : value;
}

/* ---- certbot ---- */

/* "[a]" or "[[b]]" */
static int read_section(struct reader *reader, struct str_view line)
{
	bool sub = sv_starts(line, SV("[["));
	struct str_view close = sub ? SV("]]") : SV("]");
	struct str_view name = sv_skip(line, close.len);

	if (!sv_ends(name, close) || !is_name(sv_trim(sv_head(name, name.len - close.len)), "._-"))
		return err_set(reader->err, ERR_INVALID, "line %zu: a section is due",
			       reader->line);
	name = sv_trim(sv_head(name, name.len - close.len));
	if (sub) {
		reader->subsection = name;
	} else {
		reader->section = name;
		reader->subsection = SV("");
	}
	return 0;
}

static int read_ini_line(struct reader *reader, struct str_view line)
{
	struct str_view value = line, key = sv_trim(sv_split(&value, '='));
	bool good;

	if (line.len == 0 || line.data[0] == '#')
		return 0;
	if (line.data[0] == '[')
		return read_section(reader, line);
	/* names of hosts, wildcards and addresses are keys of [[webroot_map]] */
	if (value.data == NULL || !is_name(key, "._-*:"))
		return err_set(reader->err, ERR_INVALID, "line %zu: KEY = VALUE is due",
			       reader->line);
	value = unquoted(sv_trim(value), &good);
	if (!good)
		return err_set(reader->err, ERR_INVALID, "line %zu: the quotes do not end",
			       reader->line);
	return add_value(reader, key, value);
}

/* ---- acme.sh ---- */

static int read_shell_line(struct reader *reader, struct str_view line)
{
	struct str_view value = line, key = sv_split(&value, '=');
	bool good, quoted;

	if (line.len == 0 || line.data[0] == '#')
		return 0;
	if (value.data == NULL || !is_name(key, "_"))
		return err_set(reader->err, ERR_INVALID, "line %zu: NAME='VALUE' is due",
			       reader->line);
	quoted = value.len > 0 && (value.data[0] == '\'' || value.data[0] == '"');
	value = unquoted(value, &good);
	if (!good || (!quoted && !is_name(value, "_-./:,@%+") && value.len > 0))
		return err_set(reader->err, ERR_INVALID, "line %zu: NAME='VALUE' is due",
			       reader->line);
	return add_value(reader, key, value);
}

/* ---- both ---- */

typedef int line_fn(struct reader *reader, struct str_view line);

static json_t *parse(struct str_view text, line_fn *read_line, struct err *err)
{
	AUTO(auto_json) json_t *values = json_object();
	struct reader reader = {
		.values = values, .section = SV(""), .subsection = SV(""), .err = err};

	while (text.data != NULL) {
		struct str_view line = sv_split(&text, '\n');

		reader.line++;
		if (sv_ends(line, SV("\r")))
			line.len--;
		if (read_line(&reader, sv_trim(line)) < 0)
			return NULL;
	}
	return TAKE(values);
}

json_t *conf_parse_ini(struct str_view text, struct err *err)
{
	return parse(text, read_ini_line, err);
}

json_t *conf_parse_shell(struct str_view text, struct err *err)
{
	return parse(text, read_shell_line, err);
}
