/* resource/secret.c - Secret: stringData, types, and a TLS pair that belongs together
 *
 * No value of a Secret ever stands in a message.
 */
#include "base/enc.h"
#include "base/own.h"
#include "pki/pair.h"
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

#define DATA_MAX (1u << 20) /* bytes of all values, as in Kubernetes */
#define TYPE_TLS "kubernetes.io/tls"

static const struct schema_node hidden_base64_item[] = {
	TEXT("[]", .format = &format_base64, .flags = SCHEMA_HIDDEN)};
static const struct schema_node hidden_item[] = {TEXT("[]", .flags = SCHEMA_HIDDEN)};

const struct schema_node secret_schema[] = {
	KIND_MEMBERS,
	TEXT("type", .max = 253, .text = "Opaque"),
	MAP("data", hidden_base64_item, .format = &format_data_key),
	MAP("stringData", hidden_item, .format = &format_data_key),
	BOOL("immutable"),
	END,
};

static json_t *as_base64(const json_t *value)
{
	struct str_view text = text_of(value);
	struct buf out;
	json_t *encoded;

	buf_init(&out, text.len * 2 + 8);
	enc_base64(&out, text);
	encoded = json_sv(buf_view(&out));
	buf_deinit(&out);
	return encoded;
}

/* stringData is for writing only: it ends in data. What has a wrong type stays for its cause. */
void secret_defaults(json_t *object, const json_t *old)
{
	json_t *text = json_object_get(object, "stringData");
	json_t *data = json_object_get(object, "data");
	const char *name;
	json_t *value;
	bool whole = true;

	(void)old;
	if (!json_is_object(text) || (data != NULL && !json_is_object(data)))
		return;
	if (data == NULL) {
		data = json_object();
		json_object_set_new(object, "data", data);
	}
	json_object_foreach(text, name, value)
	{
		whole = whole && json_is_string(value) && format_data_key.is(sv_from(name));
		if (json_is_string(value))
			json_object_set_new(data, name, as_base64(value));
	}
	if (whole)
		json_object_del(object, "stringData");
}

static bool same_member(const json_t *a, const json_t *b, const char *name)
{
	return json_same(json_member(a, name), json_member(b, name));
}

void data_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	static const char *const members[] = {"data", "binaryData", "immutable"};
	size_t total = 0;
	const char *name;
	json_t *value;

	for (size_t i = 0; i < 2; i++) {
		json_object_foreach(json_object_get(object, members[i]), name, value) total +=
			json_string_length(value);
	}
	if (total > DATA_MAX + DATA_MAX / 3)
		causes_add(causes, CAUSE_TOO_LONG, "data",
			   "Too long: may not be more than %u bytes", DATA_MAX);
	if (!json_is_true(json_member(old, "immutable")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!same_member(object, old, members[i]))
			cause_forbidden(causes, members[i],
					"field is immutable when immutable is true: delete the "
					"object and make it anew");
	}
}

/* The bytes of a value; false when it is absent or no base64 (which has its cause already). */
static bool data_bytes(const json_t *object, const char *name, struct buf *out)
{
	const json_t *value = json_member(json_member(object, "data"), name);

	return json_is_string(value) && dec_base64(out, text_of(value));
}

static void tls_required(const json_t *object, const char *name, struct causes *causes)
{
	struct where where = {0};

	where_to(&where, "data[%s]", name);
	if (json_member(json_member(object, "data"), name) == NULL)
		cause_required(causes, where.text, "a Secret of type " TYPE_TLS " needs it");
}

static void tls_pair(struct str_view crt, struct str_view key_text, struct causes *causes)
{
	AUTO(auto_chain) struct cert_chain chain = {0};
	AUTO(auto_key) EVP_PKEY *key = NULL;
	struct err err = {0};
	bool have_chain = chain_from_pem(crt, &chain, &err) == 0 && chain.count > 0;

	if (!have_chain)
		cause_invalid(causes, "data[tls.crt]", NULL, "%s",
			      err.msg[0] == '\0' ? "holds no PEM certificate" : err.msg);
	key = key_from_pem(key_text, &err);
	if (key == NULL)
		cause_invalid(causes, "data[tls.key]", NULL, "%s", err.msg);
	else if (have_chain && !key_same_public(key, X509_get0_pubkey(chain.certs[0])))
		cause_invalid(
			causes, "data[tls.key]", NULL,
			"the private key does not belong to the certificate in tls.crt: store "
			"the key that the certificate was made for");
}

static void tls_texts(struct str_view crt, struct str_view key, struct causes *causes)
{
	struct pair pair;

	if (pair_glance(crt, key, &pair))
		pair_deinit(&pair);
	else
		tls_pair(crt, key, causes);
}

static void tls_judge(const json_t *object, struct causes *causes)
{
	struct buf crt, key;

	buf_init(&crt, DATA_MAX);
	buf_init(&key, DATA_MAX);
	if (data_bytes(object, "tls.crt", &crt) && data_bytes(object, "tls.key", &key))
		tls_texts(buf_view(&crt), buf_view(&key), causes);
	buf_deinit(&crt);
	if (key.data != NULL)
		OPENSSL_cleanse(key.data, key.size);
	buf_deinit(&key);
}

static bool tls_works(const json_t *object)
{
	struct causes causes;
	bool works;

	causes_init(&causes);
	tls_judge(object, &causes);
	works = causes.count == 0;
	causes_deinit(&causes);
	return works;
}

/* A pair that cannot work is taken as Kubernetes takes it, with a warning, and the listeners that
 * name it say so; but it never takes the place of one that works. */
static void tls_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	tls_required(object, "tls.crt", causes);
	tls_required(object, "tls.key", causes);
	if (old != NULL && causes->count == 0 && !same_member(old, object, "data") &&
	    tls_works(old))
		tls_judge(object, causes);
}

void secret_remark(const json_t *object, json_t *warnings)
{
	struct causes causes;

	if (!sv_eq(json_sv_at(object, "type"), SV(TYPE_TLS)))
		return;
	causes_init(&causes);
	tls_judge(object, &causes);
	for (size_t i = 0; i < causes.count; i++)
		json_array_append_new(warnings,
				      json_fmt("%s: %s: no listener can serve it",
					       causes.list[i].field, causes.list[i].message));
	causes_deinit(&causes);
}

void secret_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	cause_immutable(causes, object, old, "type");
	data_validate(object, old, causes);
	if (sv_eq(json_sv_at(object, "type"), SV(TYPE_TLS)))
		tls_validate(object, old, causes);
}

CELL_VALUE(secret_type, "type")

static json_t *secret_count(const json_t *object, int64_t now)
{
	(void)now;
	return cell_count(object, "data");
}

const struct column secret_columns[2] = {
	{.name = "Type", .type = "string", .cell = secret_type},
	{.name = "Data", .type = "integer", .cell = secret_count},
};
