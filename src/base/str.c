/* base/str.c - borrowed runs of bytes: compare, search, split, hash */
#include "base/str.h"

#include "base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

char ascii_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
	char lower = ascii_lower(c);

	return ascii_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool sv_eq_nocase(struct str_view a, struct str_view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
			return false;
	}
	return true;
}

int sv_cmp(struct str_view a, struct str_view b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

size_t sv_find(struct str_view view, char byte)
{
	const char *at = view.len == 0 ? NULL : memchr(view.data, byte, view.len);

	return at == NULL ? SV_NOT_FOUND : (size_t)(at - view.data);
}

size_t sv_rfind(struct str_view view, char byte)
{
	const char *at = view.len == 0 ? NULL : memrchr(view.data, byte, view.len);

	return at == NULL ? SV_NOT_FOUND : (size_t)(at - view.data);
}

size_t sv_find_sv(struct str_view view, struct str_view what)
{
	const char *at;

	if (what.len == 0)
		return 0;
	at = view.len < what.len ? NULL : memmem(view.data, view.len, what.data, what.len);
	return at == NULL ? SV_NOT_FOUND : (size_t)(at - view.data);
}

struct str_view sv_trim(struct str_view view)
{
	while (view.len > 0 && (view.data[0] == ' ' || view.data[0] == '\t'))
		view = sv_skip(view, 1);
	while (view.len > 0 && (view.data[view.len - 1] == ' ' || view.data[view.len - 1] == '\t'))
		view.len--;
	return view;
}

struct str_view sv_split(struct str_view *rest, char separator)
{
	struct str_view all = *rest;
	size_t at = sv_find(all, separator);

	if (at == SV_NOT_FOUND) {
		*rest = SV_NONE;
		return all;
	}
	*rest = sv_skip(all, at + 1);
	return sv_head(all, at);
}

bool sv_to_u64(struct str_view view, uint64_t *value)
{
	uint64_t sum = 0;

	if (view.len == 0)
		return false;
	for (size_t i = 0; i < view.len; i++) {
		if (!ascii_is_digit(view.data[i]) || __builtin_mul_overflow(sum, 10u, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(view.data[i] - '0'), &sum))
			return false;
	}
	*value = sum;
	return true;
}

char *sv_dup(struct str_view view)
{
	char *copy = xmalloc(view.len + 1);

	if (view.len > 0)
		memcpy(copy, view.data, view.len);
	copy[view.len] = '\0';
	return copy;
}

uint64_t sv_hash(struct str_view view)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: offset basis, then prime */

	for (size_t i = 0; i < view.len; i++)
		hash = (hash ^ (unsigned char)view.data[i]) * 0x100000001b3u;
	hash ^= hash >> 32; /* tables use the low bits: let the high ones have a say */
	hash *= 0xd6e8feb86659fd93u;
	return hash ^ hash >> 32;
}

void hash_key_random(struct hash_key *key)
{
	ssize_t got;

	do {
		got = getrandom(key, sizeof(*key), 0);
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(*key)) /* cannot happen on a kernel this program runs on */
		abort();
}

/* ---- SipHash-1-3 (Aumasson and Bernstein): one round per word, three at the end ---- */
static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t sip_word(const char *bytes, size_t count)
{
	uint64_t word = 0;

	for (size_t i = 0; i < count; i++)
		word |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
	return word;
}

uint64_t sv_hash_keyed(struct str_view view, const struct hash_key *key)
{
	uint64_t v[4] = {
		key->k0 ^ 0x736f6d6570736575u,
		key->k1 ^ 0x646f72616e646f6du,
		key->k0 ^ 0x6c7967656e657261u,
		key->k1 ^ 0x7465646279746573u,
	};
	size_t whole = view.len & ~(size_t)7;

	for (size_t i = 0; i <= whole; i += 8) {
		uint64_t word = i < whole ? sip_word(view.data + i, 8)
					  : sip_word(view.data + whole, view.len - whole) |
						    (uint64_t)view.len << 56;

		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
