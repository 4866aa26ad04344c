/* dataplane/pack.c - copies of parts: counted, then written */
#include "dataplane/pack.h"

#include "base/own.h"

void *pack_bytes(struct pack *pack, const void *bytes, size_t len, size_t align)
{
	size_t start = (pack->used + align - 1) & ~(align - 1);

	pack->used = start + len;
	if (pack->at == NULL)
		return NULL;
	if (len > 0)
		memcpy(pack->at + start, bytes, len);
	return pack->at + start;
}

struct str_view pack_sv(struct pack *pack, struct str_view text)
{
	return sv_new(pack_bytes(pack, text.data, text.len, 1), text.len);
}

const struct str_view *pack_views(struct pack *pack, const struct str_view *views, size_t count)
{
	struct str_view *copy = PACK_ARRAY(pack, views, count);

	for (size_t i = 0; i < count; i++) {
		struct str_view text = pack_sv(pack, views[i]);

		if (copy != NULL)
			copy[i] = text;
	}
	return copy;
}

void *pack_new(const void *like, size_t size, void (*deep)(void *copy, struct pack *pack))
{
	struct pack count = {.at = NULL, .used = size};
	AUTO(auto_free) void *scratch = xmalloc(size);
	struct pack fill = {.used = size};
	char *block;

	memcpy(scratch, like, size);
	deep(scratch, &count);
	block = xmalloc(count.used);
	fill.at = block;
	memcpy(block, like, size);
	deep(block, &fill);
	return block;
}
