/* base/str.h - borrowed runs of bytes
 *
 * Answers one question: what does this text say, without owning or changing it?
 * Nothing that came from outside is a C string: it is a view with a length.
 * Copies are asked for by name (sv_dup).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes. Never owns, never writes, need not end in NUL. */
struct str_view {
	const char *data;
	size_t len;
};

#define SV(literal) ((struct str_view){.data = (literal), .len = sizeof(literal) - 1})
#define SV_INIT(literal)                                      \
	{                                                     \
		.data = (literal), .len = sizeof(literal) - 1 \
	}                                         /* for static tables */
#define SV_ARG(view) (int)(view).len, (view).data /* for "%.*s" */
#define SV_NONE      ((struct str_view){.data = NULL, .len = 0})

static inline struct str_view sv_new(const char *data, size_t len)
{
	return (struct str_view){.data = data, .len = len};
}

/* View of a C string of our own; NULL gives the empty view. */
static inline struct str_view sv_from(const char *text)
{
	return (struct str_view){.data = text, .len = text == NULL ? 0 : strlen(text)};
}

static inline bool sv_eq(struct str_view a, struct str_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The view without its first count bytes (count is clamped to its length). */
static inline struct str_view sv_skip(struct str_view view, size_t count)
{
	count = count < view.len ? count : view.len;
	return (struct str_view){.data = view.len == 0 ? view.data : view.data + count,
				 .len = view.len - count};
}

/* The first count bytes of the view (count is clamped to its length). */
static inline struct str_view sv_head(struct str_view view, size_t count)
{
	return (struct str_view){.data = view.data, .len = count < view.len ? count : view.len};
}

static inline bool sv_starts(struct str_view view, struct str_view prefix)
{
	return view.len >= prefix.len && sv_eq(sv_head(view, prefix.len), prefix);
}

static inline bool sv_ends(struct str_view view, struct str_view suffix)
{
	return view.len >= suffix.len && sv_eq(sv_skip(view, view.len - suffix.len), suffix);
}

/* ASCII case folding only: what HTTP tokens, host names and schemes need. */
bool sv_eq_nocase(struct str_view a, struct str_view b);
int sv_cmp(struct str_view a, struct str_view b); /* memcmp order, then length */

#define SV_NOT_FOUND ((size_t)-1)
size_t sv_find(struct str_view view, char byte);               /* index or SV_NOT_FOUND */
size_t sv_rfind(struct str_view view, char byte);              /* last index or SV_NOT_FOUND */
size_t sv_find_sv(struct str_view view, struct str_view what); /* index or SV_NOT_FOUND */

/* Without spaces and tabs at either end. */
struct str_view sv_trim(struct str_view view);

/* Cuts *rest at the first separator: returns what stood before it and leaves in *rest what
 * stands behind. Without a separator it returns all, and *rest becomes SV_NONE (data NULL), which
 * is how a loop knows that it is done: while (rest.data != NULL) { part = sv_split(&rest, ','); … }
 */
struct str_view sv_split(struct str_view *rest, char separator);

/* Decimal digits only, whole view, no sign, no overflow: else false and *value untouched. */
bool sv_to_u64(struct str_view view, uint64_t *value);

/* Heap copy, always NUL-terminated; the caller frees. */
char *sv_dup(struct str_view view);

char ascii_lower(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);

/* FNV-1a folded through a finaliser; for tables whose keys do not come from the network. */
uint64_t sv_hash(struct str_view view);

/* SipHash-1-3, for tables that a peer can fill: each table draws its own key once and keeps it. */
struct hash_key {
	uint64_t k0, k1;
};

void hash_key_random(struct hash_key *key); /* from getrandom; never fails */
uint64_t sv_hash_keyed(struct str_view view, const struct hash_key *key);

#endif
