#include "resource/quantity.h"

#include "base/own.h"
#include "base/str.h"

static const struct {
	struct str_view suffix;
	uint64_t factor;
} units[] = {
	{SV_INIT("Ki"), UINT64_C(1) << 10}, {SV_INIT("Mi"), UINT64_C(1) << 20},
	{SV_INIT("Gi"), UINT64_C(1) << 30}, {SV_INIT("k"), UINT64_C(1000)},
	{SV_INIT("M"), UINT64_C(1000000)},  {SV_INIT("G"), UINT64_C(1000000000)},
};

bool quantity_bytes(const json_t *value, uint64_t *bytes)
{
	struct str_view text = sv_new(json_string_value(value), json_string_length(value));
	uint64_t factor = 1;

	if (json_is_integer(value)) {
		*bytes = (uint64_t)json_integer_value(value);
		return json_integer_value(value) >= 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!sv_ends(text, units[i].suffix))
			continue;
		factor = units[i].factor;
		text = sv_head(text, text.len - units[i].suffix.len);
		break;
	}
	if (!json_is_string(value) || !sv_to_u64(text, bytes) || *bytes > UINT64_MAX / factor)
		return false;
	*bytes *= factor;
	return true;
}
