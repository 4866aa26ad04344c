/* base/nearest.c - of the words that are known the one that was meant */
#include "base/nearest.h"

#define SHORT_WORD 4 /* up to here one slip is allowed, then two */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

struct rows { /* of distances: of the two letters before, of the letter before, of this one */
	size_t before[NEAREST_LEN_MAX + 1], last[NEAREST_LEN_MAX + 1], now[NEAREST_LEN_MAX + 1];
};

static bool same(char a, char b)
{
	return ascii_lower(a) == ascii_lower(b);
}

/* The cost of the first i+1 letters of a to become the first j+1 of b. */
static size_t cost(const struct rows *rows, struct str_view a, struct str_view b, size_t i,
		   size_t j)
{
	bool swapped =
		i > 0 && j > 0 && same(a.data[i], b.data[j - 1]) && same(a.data[i - 1], b.data[j]);
	size_t best = least(least(rows->last[j + 1], rows->now[j]) + 1,
			    rows->last[j] + !same(a.data[i], b.data[j]));

	return swapped ? least(best, rows->before[j - 1] + 1) : best;
}

/* Letters that were left out, put in, taken for others or swapped with the next one. */
static size_t distance(struct str_view a, struct str_view b)
{
	struct rows rows;

	for (size_t j = 0; j <= b.len; j++)
		rows.last[j] = j;
	memset(rows.before, 0, sizeof(rows.before));
	for (size_t i = 0; i < a.len; i++) {
		rows.now[0] = i + 1;
		for (size_t j = 0; j < b.len; j++)
			rows.now[j + 1] = cost(&rows, a, b, i, j);
		memcpy(rows.before, rows.last, sizeof(rows.before));
		memcpy(rows.last, rows.now, sizeof(rows.last));
	}
	return rows.last[b.len];
}

void nearest_init(struct nearest *nearest, struct str_view word)
{
	*nearest = (struct nearest){.word = word, .distance = word.len <= SHORT_WORD ? 2 : 3};
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	struct str_view view = sv_from(known);
	size_t near;

	if (nearest->word.len < 2 || nearest->word.len > NEAREST_LEN_MAX ||
	    view.len > NEAREST_LEN_MAX)
		return;
	near = distance(nearest->word, view);
	if (near >= nearest->distance)
		return;
	nearest->distance = near;
	nearest->best = known;
}
