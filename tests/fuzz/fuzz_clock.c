/* tests/fuzz/fuzz_clock.c - dates and durations of any text; what is read is printed and read again
 */
#include "base/clock.h"
#include "fuzz.h"

#include <stdlib.h>

static void check_date(int64_t wall)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t back = -1;

	if (wall < 0 || wall > 253402300799) /* what the printers clamp */
		return;
	clock_rfc3339(wall, text);
	if (!clock_parse_rfc3339(sv_from(text), &back) || back != wall)
		abort();
	clock_http_date(wall, text);
	if (!clock_parse_http_date(sv_from(text), &back) || back != wall)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view text = sv_new((const char *)data, size);
	char age[CLOCK_TEXT_SIZE];
	int64_t value;

	if (clock_parse_rfc3339(text, &value))
		check_date(value);
	if (clock_parse_http_date(text, &value))
		check_date(value);
	if (clock_parse_duration(text, &value)) {
		if (value < 0)
			abort();
		clock_age(value, age);
	} else if (clock_duration_is_gep2257(text)) {
		/* the subset may only exceed in size: 99999h fits */
		abort();
	}
	return 0;
}
