/* Admission: any document ends as an object or as a refusal with words; what was admitted is
 * admitted again unchanged, and every cell of its row can be made. */
#include "fuzz.h"

#include "base/own.h"
#include "codec/yaml.h"
#include "resource/kind.h"

#include <stdlib.h>

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static json_t *admit(const struct kind *kind, const json_t *body, const json_t *old)
{
	struct admission how = {
		.kind = kind, .old = old, .fields = FIELDS_IGNORE, .now = 1767323045};
	struct causes causes;
	struct err err = {0};
	json_t *object;

	causes_init(&causes);
	object = kind_admit(&how, body, NULL, &causes, &err);
	CHECK((object == NULL) == (err.code != ERR_NONE));
	CHECK(object == NULL || causes.count == 0);
	CHECK(object != NULL || err.msg[0] != '\0');
	causes_deinit(&causes);
	return object;
}

static void make_cells(const struct kind *kind, const json_t *object)
{
	for (size_t i = 0; i < kind->column_count; i++) {
		AUTO(auto_json) json_t *cell = kind->columns[i].cell(object, 1767323045);

		CHECK(cell != NULL);
	}
}

static void try_document(const json_t *body, size_t size)
{
	const struct kind *kind =
		kind_by_gvk(json_sv_at(body, "apiVersion"), json_sv_at(body, "kind"));

	if (kind == NULL)
		kind = &kinds[size % kind_count];

	AUTO(auto_json) json_t *object = admit(kind, body, NULL);

	make_cells(kind, body);
	if (object == NULL)
		return;

	AUTO(auto_json) json_t *again = admit(kind, object, object);

	CHECK(json_same(again, object));
	make_cells(kind, object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err;
	AUTO(auto_json) json_t *docs = yaml_parse(sv_new((const char *)data, size), &err);

	for (size_t i = 0; i < json_array_size(docs); i++)
		try_document(json_array_get(docs, i), size);
	return 0;
}
