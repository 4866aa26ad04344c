#include "dns01/message.h"

#include <stdio.h>

#define LABEL_MAX         63
#define NAME_WIRE_MAX     255
#define COUNT_AT(section) (4u + 2u * (unsigned)(section))

/* ---- numbers ---- */

static void add16(struct buf *out, unsigned value)
{
	buf_addc(out, (char)(value >> 8 & 0xff));
	buf_addc(out, (char)(value & 0xff));
}

static void add32(struct buf *out, uint32_t value)
{
	add16(out, value >> 16);
	add16(out, value & 0xffff);
}

static unsigned byte_at(struct str_view bytes, size_t at)
{
	return (unsigned char)bytes.data[at];
}

static uint16_t get16(struct str_view bytes, size_t at)
{
	return (uint16_t)(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

static uint32_t get32(struct str_view bytes, size_t at)
{
	return (uint32_t)get16(bytes, at) << 16 | get16(bytes, at + 2);
}

/* ---- writing ---- */

void dns_write_head(struct buf *out, const struct dns_head *head)
{
	add16(out, head->id);
	add16(out, head->opcode << 11 | (head->recursion ? 1u << 8 : 0u));
	for (int i = 0; i < DNS_SECTION_COUNT; i++)
		add16(out, 0);
}

/* The byte that the text shows next, \DDD undone; -1: a broken escape. */
static int next_byte(struct str_view *text)
{
	int value = (unsigned char)text->data[0];

	if (value != '\\') {
		*text = sv_skip(*text, 1);
		return value;
	}
	if (text->len < 4)
		return -1;
	value = 0;
	for (size_t i = 1; i < 4; i++) {
		if (!ascii_is_digit(text->data[i]))
			return -1;
		value = value * 10 + (text->data[i] - '0');
	}
	*text = sv_skip(*text, 4);
	return value <= 255 ? value : -1;
}

static bool write_label(struct buf *out, struct str_view label)
{
	char bytes[LABEL_MAX];
	size_t len = 0;

	while (label.len > 0) {
		int byte = next_byte(&label);

		if (byte < 0 || len == LABEL_MAX)
			return false;
		bytes[len++] = (char)byte;
	}
	return len > 0 && buf_addc(out, (char)len) && buf_add(out, sv_new(bytes, len));
}

bool dns_write_name(struct buf *out, struct str_view name)
{
	size_t before = buf_len(out);
	struct str_view rest = sv_ends(name, SV(".")) ? sv_head(name, name.len - 1) : name;

	while (rest.len > 0) {
		struct str_view label = sv_split(&rest, '.');

		if (!write_label(out, label) || (rest.data != NULL && rest.len == 0))
			return false;
	}
	return buf_addc(out, '\0') && buf_len(out) - before <= NAME_WIRE_MAX;
}

static void count_one(struct buf *out, enum dns_section section)
{
	char *counts = out->data + out->start + COUNT_AT(section);
	unsigned count = get16(sv_new(counts, 2), 0) + 1u;

	counts[0] = (char)(count >> 8);
	counts[1] = (char)(count & 0xff);
}

bool dns_write_record(struct buf *out, enum dns_section section,
		      const struct dns_record_spec *record)
{
	if (record->data.len > UINT16_MAX || !dns_write_name(out, record->name))
		return false;
	add16(out, record->type);
	add16(out, record->class);
	if (section != DNS_QUESTION) {
		add32(out, record->ttl);
		add16(out, (unsigned)record->data.len);
		buf_add(out, record->data);
	}
	if (out->spent)
		return false;
	count_one(out, section);
	return true;
}

bool dns_write_txt(struct buf *out, struct str_view text)
{
	do {
		struct str_view part = sv_head(text, 255);

		buf_addc(out, (char)part.len);
		buf_add(out, part);
		text = sv_skip(text, part.len);
	} while (text.len > 0);
	return !out->spent;
}

bool dns_name_text(struct str_view name, char out[DNS_NAME_TEXT])
{
	struct buf wire;
	size_t next;
	bool fine;

	buf_init(&wire, NAME_WIRE_MAX + 1);
	fine = dns_write_name(&wire, name) && dns_read_name(buf_view(&wire), 0, out, &next) == 0;
	buf_deinit(&wire);
	return fine;
}

bool dns_name_within(const char *name, const char *zone)
{
	struct str_view whole = sv_from(name), end = sv_from(zone);

	return end.len == 0 || sv_eq(whole, end) ||
	       (whole.len > end.len && sv_ends(whole, end) &&
		whole.data[whole.len - end.len - 1] == '.');
}

/* ---- names ---- */

static bool is_plain(unsigned byte)
{
	return ascii_is_alnum((char)byte) || byte == '-' || byte == '_' || byte == '*';
}

struct name_text {
	char *out;
	size_t len;
	size_t wire; /* bytes that the name takes uncompressed */
};

/* A label of length len at at; the root's ends the name. */
static bool add_label(struct name_text *text, struct str_view bytes, size_t at, size_t len)
{
	text->wire += len + 1;
	if (text->wire > NAME_WIRE_MAX)
		return false;
	if (text->len > 0 && len > 0)
		text->out[text->len++] = '.';
	for (size_t i = 0; i < len; i++) {
		unsigned byte = byte_at(bytes, at + i);

		if (is_plain(byte))
			text->out[text->len++] = ascii_lower((char)byte);
		else
			text->len += (size_t)snprintf(text->out + text->len, 5, "\\%03u", byte);
	}
	text->out[text->len] = '\0';
	return true;
}

int dns_read_name(struct str_view bytes, size_t at, char out[DNS_NAME_TEXT], size_t *next)
{
	struct name_text text = {.out = out};
	size_t limit = at; /* a pointer leads before the place that it was met in */
	bool jumped = false;

	out[0] = '\0';
	while (at < bytes.len) {
		unsigned len = byte_at(bytes, at);

		if ((len & 0xc0) == 0xc0) {
			size_t to;

			if (bytes.len - at < 2)
				return -1;
			to = get16(bytes, at) & 0x3fff;
			if (!jumped)
				*next = at + 2;
			jumped = true;
			if (to >= limit)
				return -1;
			at = limit = to;
		} else if (len > LABEL_MAX || bytes.len - at - 1 < len ||
			   !add_label(&text, bytes, at + 1, len)) {
			return -1;
		} else if (len == 0) {
			if (!jumped)
				*next = at + 1;
			return 0;
		} else {
			at += len + 1;
		}
	}
	return -1;
}

/* ---- reading ---- */

int dns_message_open(struct dns_message *message, struct str_view bytes)
{
	unsigned flags;

	*message = (struct dns_message){.bytes = bytes};
	if (bytes.len < DNS_HEADER_LEN || bytes.len > DNS_MESSAGE_MAX)
		return -1;
	flags = get16(bytes, 2);
	message->id = get16(bytes, 0);
	message->response = (flags & 0x8000) != 0;
	message->opcode = flags >> 11 & 0xf;
	message->truncated = (flags & 0x0200) != 0;
	message->rcode = flags & 0xf;
	for (int i = 0; i < DNS_SECTION_COUNT; i++)
		message->counts[i] = get16(bytes, COUNT_AT(i));
	dns_message_rewind(message);
	return 0;
}

void dns_message_rewind(struct dns_message *message)
{
	message->at = DNS_HEADER_LEN;
	message->section = 0;
	message->done_in_section = 0;
}

/* What follows the name: type, class, and of a record ttl and data. */
static bool read_rest(struct dns_message *message, struct dns_record *record)
{
	struct str_view bytes = message->bytes;
	size_t at = message->at, left = bytes.len - at;
	size_t fixed = record->section == DNS_QUESTION ? 4 : 10;

	if (left < fixed)
		return false;
	record->type = get16(bytes, at);
	record->class = get16(bytes, at + 2);
	record->ttl = 0;
	record->data = SV_NONE;
	record->data_at = at + fixed;
	if (record->section != DNS_QUESTION) {
		size_t len = get16(bytes, at + 8);

		record->ttl = get32(bytes, at + 4);
		if (left - fixed < len)
			return false;
		record->data = sv_new(bytes.data + at + fixed, len);
	}
	message->at = record->data_at + record->data.len;
	return true;
}

int dns_message_next(struct dns_message *message, struct dns_record *record)
{
	while (message->section < DNS_SECTION_COUNT &&
	       message->done_in_section == message->counts[message->section]) {
		message->section++;
		message->done_in_section = 0;
	}
	if (message->section == DNS_SECTION_COUNT)
		return message->at == message->bytes.len ? 0 : -1;
	record->section = (enum dns_section)message->section;
	record->start = message->at;
	if (dns_read_name(message->bytes, message->at, record->name, &message->at) < 0 ||
	    !read_rest(message, record))
		return -1;
	message->done_in_section++;
	return 1;
}

int dns_message_check(struct dns_message *message)
{
	struct dns_record record;
	int more;

	dns_message_rewind(message);
	do
		more = dns_message_next(message, &record);
	while (more == 1);
	dns_message_rewind(message);
	return more;
}

int dns_record_name(const struct dns_message *message, const struct dns_record *record,
		    char out[DNS_NAME_TEXT])
{
	size_t end = record->data_at + record->data.len, next;

	if (dns_read_name(sv_head(message->bytes, end), record->data_at, out, &next) < 0)
		return -1;
	return record->type == DNS_TYPE_SOA || next == end ? 0 : -1;
}

bool dns_txt_is(struct str_view data, struct str_view text)
{
	while (data.len > 0) {
		struct str_view part = sv_head(sv_skip(data, 1), byte_at(data, 0));

		if (part.len != byte_at(data, 0) || !sv_starts(text, part))
			return false;
		data = sv_skip(data, part.len + 1);
		text = sv_skip(text, part.len);
	}
	return text.len == 0;
}

const char *dns_rcode_text(unsigned rcode)
{
	static const char *const texts[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					    "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					    "NXRRSET", "NOTAUTH", "NOTZONE"};

	return rcode < sizeof(texts) / sizeof(texts[0]) ? texts[rcode] : "an unknown code";
}
