/* cli/create_data.c - create secret, create configmap: data from files and from the command line */
#include "cli/create.h"
#include "cli/verb.h"

#include "base/enc.h"
#include "base/own.h"

#include <stdlib.h>

#define VALUE_MAX (1u << 20) /* bytes of one file: no more fits into an object */

struct data {
	struct cli *cli;
	bool secret;
	json_t *data, *binary; /* borrowed: binary is for a ConfigMap's values that are no text */
};

/* Releases what may have been a key. */
static void wipe(struct buf *bytes)
{
	if (bytes->data != NULL)
		explicit_bzero(bytes->data, bytes->size);
	buf_deinit(bytes);
}

static json_t *base64_of(struct str_view bytes)
{
	struct buf text;
	json_t *value;

	buf_init(&text, 2 * (size_t)VALUE_MAX);
	(void)enc_base64(&text, bytes);
	value = json_sv(buf_view(&text));
	wipe(&text);
	return value;
}

/* A string, or NULL: the bytes are no text. */
static json_t *text_of(struct str_view bytes)
{
	return sv_find(bytes, '\0') == SV_NOT_FOUND ? json_stringn(bytes.data, bytes.len) : NULL;
}

static int add(const struct data *data, struct str_view key, struct str_view bytes)
{
	AUTO(auto_free) char *name = sv_dup(key);
	json_t *text = data->secret ? NULL : text_of(bytes);

	if (json_object_get(data->data, name) != NULL ||
	    json_object_get(data->binary, name) != NULL) {
		json_decref(text);
		return cli_error(data->cli, "cannot add key \"%s\": another value has it already",
				 name);
	}
	if (text != NULL)
		return json_object_set_new(data->data, name, text);
	return json_object_set_new(data->secret ? data->data : data->binary, name,
				   base64_of(bytes));
}

static int add_file(const struct data *data, struct str_view key, const char *path)
{
	struct err err = {.code = ERR_NONE};
	struct buf bytes;
	int rc;

	buf_init(&bytes, VALUE_MAX);
	if (manifest_slurp(path, &bytes, &err) < 0)
		rc = cli_error(data->cli, "%s", err.msg);
	else
		rc = add(data, key, buf_view(&bytes));
	wipe(&bytes);
	return rc;
}

/* "KEY=PATH", or "PATH" whose last part is the key. */
static int add_from_file(const struct data *data, const char *text)
{
	struct str_view path = sv_from(text), key = sv_split(&path, '=');
	size_t slash;

	if (path.data != NULL)
		return add_file(data, key, path.data);
	slash = sv_rfind(key, '/');
	return add_file(data, slash == SV_NOT_FOUND ? key : sv_skip(key, slash + 1), text);
}

static int add_literal(const struct data *data, const char *text)
{
	struct str_view value = sv_from(text), key = sv_split(&value, '=');

	if (value.data == NULL || key.len == 0)
		return cli_usage(data->cli, "--from-literal=%s: KEY=VALUE is due", text);
	return add(data, key, value);
}

static int add_all(const struct data *data)
{
	const struct args *args = &data->cli->args;
	size_t at = 0;
	const char *text;
	int rc = 0;

	while (rc == 0 && (text = args_next(args, FLAG_FROM_FILE, &at)) != NULL)
		rc = add_from_file(data, text);
	at = 0;
	while (rc == 0 && (text = args_next(args, FLAG_FROM_LITERAL, &at)) != NULL)
		rc = add_literal(data, text);
	return rc;
}

/* A document without data; members of it follow. */
static json_t *made(const struct cli *cli, const char *kind, const char *name)
{
	json_t *doc = json_pack("{s:s, s:s, s:{s:o}, s:{}}", "apiVersion", "v1", "kind", kind,
				"metadata", "name", json_sv(sv_from(name)), "data");

	if (cli->ns_given)
		json_set_at(doc, "metadata.namespace", json_sv(sv_from(cli->ns)));
	return doc;
}

int verb_create_configmap(struct cli *cli)
{
	struct data data = {.cli = cli};
	json_t *doc;
	int rc;

	if (cli->args.word_count != 1)
		return cli_usage(cli, "exactly one NAME is required: create configmap NAME");
	doc = made(cli, "ConfigMap", cli->args.words[0]);
	json_object_set_new(doc, "binaryData", json_object());
	data.data = json_object_get(doc, "data");
	data.binary = json_object_get(doc, "binaryData");
	rc = add_all(&data);
	if (json_object_size(data.binary) == 0)
		json_object_del(doc, "binaryData");
	if (rc == 0)
		return create_made(cli, doc);
	json_decref(doc);
	return rc;
}

static int add_pair(const struct data *data)
{
	const char *cert = args_text(&data->cli->args, FLAG_TLS_CERT);
	const char *key = args_text(&data->cli->args, FLAG_TLS_KEY);
	int rc;

	if (cert == NULL || key == NULL)
		return cli_usage(data->cli, "create secret tls needs --cert FILE and --key FILE");
	rc = add_file(data, SV("tls.crt"), cert);
	return rc != 0 ? rc : add_file(data, SV("tls.key"), key);
}

int verb_create_secret(struct cli *cli)
{
	const char *what = cli->args.word_count == 2 ? cli->args.words[0] : "";
	const char *type = args_text(&cli->args, FLAG_SECRET_TYPE);
	bool tls = strcmp(what, "tls") == 0;
	struct data data = {.cli = cli, .secret = true};
	json_t *doc;
	int rc;

	if (!tls && strcmp(what, "generic") != 0)
		return cli_usage(cli,
				 "create secret tls NAME or create secret generic NAME is due");
	doc = made(cli, "Secret", cli->args.words[1]);
	if (tls || type != NULL)
		json_object_set_new(doc, "type",
				    json_sv(sv_from(tls ? "kubernetes.io/tls" : type)));
	data.data = json_object_get(doc, "data");
	rc = tls ? add_pair(&data) : add_all(&data);
	if (rc == 0)
		return create_made(cli, doc);
	json_decref(doc);
	return rc;
}
