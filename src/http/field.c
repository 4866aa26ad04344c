/* http/field.c - field sections: names, lists, what belongs to one connection */
#include "http/field.h"

#include "base/own.h"
#include "http/chars.h"

enum field_rule {
	RULE_HOP = 1 << 0,       /* belongs to one connection */
	RULE_PROTECTED = 1 << 1, /* Connection may not nominate it in a request */
	RULE_NO_TRAILER = 1 << 2 /* may not be a trailer */
};

static const struct str_view field_names[FIELD_ID_COUNT] = {
#define X(id, text, first, next, last) [FIELD_##id] = SV_INIT(text),
	HTTP_FIELDS(X)
#undef X
};

static const uint8_t field_rules[FIELD_ID_COUNT] = {
	[FIELD_AUTHORIZATION] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_CACHE_CONTROL] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_CONNECTION] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_CONTENT_ENCODING] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_CONTENT_LENGTH] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_CONTENT_RANGE] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_CONTENT_TYPE] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_COOKIE] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_DATE] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_EXPECT] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_FORWARDED] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_HOST] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_HTTP2_SETTINGS] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_KEEP_ALIVE] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_LOCATION] = RULE_NO_TRAILER,
	[FIELD_MAX_FORWARDS] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_PROXY_AUTHENTICATE] = RULE_NO_TRAILER,
	[FIELD_PROXY_AUTHORIZATION] = RULE_NO_TRAILER,
	[FIELD_PROXY_CONNECTION] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_RANGE] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_SEC_WEBSOCKET_ACCEPT] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_SEC_WEBSOCKET_KEY] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_SEC_WEBSOCKET_PROTOCOL] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_SEC_WEBSOCKET_VERSION] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_SET_COOKIE] = RULE_NO_TRAILER,
	[FIELD_STRICT_TRANSPORT_SECURITY] = RULE_NO_TRAILER,
	[FIELD_TE] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_TRAILER] = RULE_NO_TRAILER,
	[FIELD_TRANSFER_ENCODING] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_UPGRADE] = RULE_HOP | RULE_NO_TRAILER,
	[FIELD_VIA] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_WWW_AUTHENTICATE] = RULE_NO_TRAILER,
	[FIELD_X_FORWARDED_FOR] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_X_FORWARDED_HOST] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_X_FORWARDED_PORT] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_X_FORWARDED_PROTO] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_X_REAL_IP] = RULE_PROTECTED | RULE_NO_TRAILER,
	[FIELD_X_REQUEST_ID] = RULE_PROTECTED,
};

/* A hash without collisions among the known names; two in one place would not compile. */
#define HASH_SIZE                    128
#define HASH(len, first, next, last) (((len) + (first)*6UL + (next)*2UL + (last)*18UL) % HASH_SIZE)

static const uint8_t field_places[HASH_SIZE] = {
#define X(id, text, first, next, last) [HASH(sizeof(text) - 1, first, next, last)] = FIELD_##id,
	HTTP_FIELDS(X)
#undef X
};

static size_t lower_at(struct str_view name, size_t i)
{
	return (unsigned char)char_lower(name.data[i]);
}

/* known is in lower case */
static bool name_is(struct str_view name, struct str_view known)
{
	size_t i = 0;

	if (name.len != known.len)
		return false;
	while (i < known.len && char_lower(name.data[i]) == known.data[i])
		i++;
	return i == known.len;
}

enum field_id field_id_parse(struct str_view name)
{
	enum field_id id;

	if (name.len < 2)
		return FIELD_OTHER;
	id = field_places[HASH(name.len, lower_at(name, 0), lower_at(name, name.len - 2),
			       lower_at(name, name.len - 1))];
	return id != FIELD_OTHER && name_is(name, field_names[id]) ? id : FIELD_OTHER;
}

struct str_view field_id_name(enum field_id id)
{
	return id == FIELD_OTHER ? SV("") : field_names[id];
}

void fields_init(struct fields *fields, struct arena *arena, size_t max)
{
	*fields = (struct fields){.arena = arena, .max = max};
}

static bool fields_grow(struct fields *fields)
{
	size_t size = fields->size == 0 ? 16 : fields->size * 2;
	struct field *items;

	if (fields->count >= fields->max)
		return false;
	items = arena_alloc(fields->arena, size * sizeof(*items));
	if (items == NULL)
		return false;
	if (fields->count > 0)
		memcpy(items, fields->items, fields->count * sizeof(*items));
	fields->items = items;
	fields->size = size;
	return true;
}

static bool fields_push(struct fields *fields, struct field field)
{
	if (fields->count >= fields->max)
		return false;
	if (fields->count == fields->size && !fields_grow(fields))
		return false;
	fields->items[fields->count++] = field;
	return true;
}

/* The name as it is stored: our own text of a known name, else itself, lowered in the arena. */
static bool stored_name(struct arena *arena, struct str_view name, struct field *field)
{
	char *copy;
	size_t i = 0;

	field->id = field_id_parse(name);
	field->name = field->id == FIELD_OTHER ? name : field_names[field->id];
	while (i < field->name.len && !char_is(field->name.data[i], CHAR_UPPER))
		i++;
	if (i == field->name.len)
		return true;
	copy = arena_alloc(arena, name.len);
	if (copy == NULL)
		return false;
	for (i = 0; i < name.len; i++)
		copy[i] = char_lower(name.data[i]);
	field->name.data = copy;
	return true;
}

bool fields_add(struct fields *fields, struct str_view name, struct str_view value)
{
	struct field field = {.value = value};

	return stored_name(fields->arena, name, &field) && fields_push(fields, field);
}

bool fields_add_id(struct fields *fields, enum field_id id, struct str_view value)
{
	return fields_push(fields,
			   (struct field){.name = field_names[id], .value = value, .id = id});
}

static bool field_is(const struct field *field, struct str_view name, enum field_id id)
{
	return field->id == id && (id != FIELD_OTHER || sv_eq_nocase(field->name, name));
}

/* Removes the fields of that name from index on. */
static size_t remove_from(struct fields *fields, size_t from, struct str_view name,
			  enum field_id id)
{
	size_t kept = from, gone;

	for (size_t i = from; i < fields->count; i++) {
		if (!field_is(&fields->items[i], name, id))
			fields->items[kept++] = fields->items[i];
	}
	gone = fields->count - kept;
	fields->count = kept;
	return gone;
}

static bool set(struct fields *fields, struct str_view name, enum field_id id,
		struct str_view value)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], name, id)) {
			fields->items[i].value = value;
			remove_from(fields, i + 1, name, id);
			return true;
		}
	}
	return fields_add(fields, name, value);
}

bool fields_set(struct fields *fields, struct str_view name, struct str_view value)
{
	return set(fields, name, field_id_parse(name), value);
}

bool fields_set_id(struct fields *fields, enum field_id id, struct str_view value)
{
	return set(fields, field_names[id], id, value);
}

size_t fields_remove(struct fields *fields, struct str_view name)
{
	return remove_from(fields, 0, name, field_id_parse(name));
}

size_t fields_remove_id(struct fields *fields, enum field_id id)
{
	return remove_from(fields, 0, field_names[id], id);
}

static const struct field *find(const struct fields *fields, struct str_view name, enum field_id id)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], name, id))
			return &fields->items[i];
	}
	return NULL;
}

const struct field *fields_find(const struct fields *fields, struct str_view name)
{
	return find(fields, name, field_id_parse(name));
}

const struct field *fields_find_id(const struct fields *fields, enum field_id id)
{
	return find(fields, field_names[id], id);
}

struct str_view fields_value(const struct fields *fields, enum field_id id)
{
	const struct field *field = fields_find_id(fields, id);

	return field == NULL ? SV_NONE : field->value;
}

size_t fields_count_id(const struct fields *fields, enum field_id id)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->count; i++)
		count += field_is(&fields->items[i], field_names[id], id);
	return count;
}

static char *append(char *at, struct str_view text)
{
	if (text.len > 0)
		memcpy(at, text.data, text.len);
	return at + text.len;
}

struct str_view fields_joined_with(const struct fields *fields, struct str_view name,
				   struct str_view separator)
{
	enum field_id id = field_id_parse(name);
	const struct field *first = find(fields, name, id);
	const struct field *end = first == NULL ? NULL : fields->items + fields->count;
	size_t len = 0, count = 0;
	char *text, *at;

	for (const struct field *it = first; it != NULL && it < end; it++) {
		if (field_is(it, name, id)) {
			len += it->value.len + separator.len;
			count++;
		}
	}
	if (count < 2)
		return first == NULL ? SV_NONE : first->value;
	at = text = arena_alloc(fields->arena, len);
	if (text == NULL)
		return SV_NONE;
	for (const struct field *it = first; it < end; it++) {
		if (field_is(it, name, id))
			at = append(append(at, it->value), separator);
	}
	return sv_new(text, len - separator.len);
}

struct str_view fields_joined(const struct fields *fields, struct str_view name)
{
	return fields_joined_with(fields, name, SV(", "));
}

bool field_name_ok(struct str_view name)
{
	return name.len > 0 && chars_all(name, CHAR_TOKEN);
}

bool field_value_ok(struct str_view value)
{
	return chars_all(value, CHAR_VALUE);
}

/* Index of the comma that ends the first element, or the length. */
static size_t element_end(struct str_view list)
{
	bool quoted = false;

	for (size_t i = 0; i < list.len; i++) {
		char c = list.data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			return i;
	}
	return list.len;
}

bool list_next(struct str_view *rest, struct str_view *element)
{
	while (rest->len > 0) {
		size_t end = element_end(*rest);

		*element = sv_trim(sv_head(*rest, end));
		*rest = sv_skip(*rest, end + 1);
		if (element->len > 0)
			return true;
	}
	return false;
}

bool field_is_hop_by_hop(enum field_id id)
{
	return (field_rules[id] & RULE_HOP) != 0;
}

bool field_is_protected(enum field_id id)
{
	return (field_rules[id] & RULE_PROTECTED) != 0;
}

bool field_trailer_ok(enum field_id id)
{
	return (field_rules[id] & RULE_NO_TRAILER) == 0;
}

struct nominated {
	struct str_view names[FIELDS_NOMINATED_MAX];
	size_t count;
	size_t lines;         /* of Connection */
	struct str_view last; /* the last of them */
};

static bool collect_nominated(const struct fields *fields, struct nominated *nominated)
{
	for (size_t i = 0; i < fields->count; i++) {
		struct str_view rest = fields->items[i].value, name;

		if (fields->items[i].id != FIELD_CONNECTION)
			continue;
		nominated->lines++;
		nominated->last = rest;
		while (list_next(&rest, &name)) {
			if (nominated->count == FIELDS_NOMINATED_MAX)
				return false;
			nominated->names[nominated->count++] = name;
		}
	}
	return true;
}

static bool is_nominated(const struct nominated *nominated, struct str_view name)
{
	for (size_t i = 0; i < nominated->count; i++) {
		if (sv_eq_nocase(nominated->names[i], name))
			return true;
	}
	return false;
}

/* Trailers come later, when Connection is gone. */
static bool remember_nominated(struct fields *fields, const struct nominated *nominated)
{
	fields->nominated = nominated->last;
	if (nominated->lines > 1)
		fields->nominated = fields_joined(fields, SV("connection"));
	return nominated->lines == 0 || fields->nominated.data != NULL;
}

bool fields_strip_hop_by_hop(struct fields *fields)
{
	struct nominated nominated;
	size_t kept = 0;

	nominated.count = nominated.lines = 0;
	nominated.last = SV_NONE;
	if (!collect_nominated(fields, &nominated) || !remember_nominated(fields, &nominated))
		return false;
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (!field_is_hop_by_hop(field->id) && !is_nominated(&nominated, field->name))
			fields->items[kept++] = *field;
	}
	fields->count = kept;
	return true;
}

void fields_strip_trailers(struct fields *trailers, const struct fields *head)
{
	struct str_view rest = head->nominated, name;

	if (trailers->count == 0)
		return;
	while (list_next(&rest, &name))
		fields_remove(trailers, name);
}

bool content_length_parse(struct str_view value, uint64_t *length)
{
	uint64_t parsed;

	if (!sv_to_u64(value, &parsed) || parsed > INT64_MAX)
		return false;
	*length = parsed;
	return true;
}
