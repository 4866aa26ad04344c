/* dns01/message.h - DNS messages as bytes (RFC 1035, section 4; updates: RFC 2136, section 2)
 *
 * Pure. Names are text: lower case, without the final dot ("" is the root), every byte but letters,
 * digits, '-', '_' and '*' written as \DDD; so equal names are equal texts.
 */
#ifndef DNS01_MESSAGE_H
#define DNS01_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define DNS_NAME_TEXT   1024  /* every name with its NUL: 255 bytes, each as \DDD at worst */
#define DNS_MESSAGE_MAX 65535 /* bytes */
#define DNS_HEADER_LEN  12

enum {
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_TSIG = 250
};
enum { DNS_CLASS_IN = 1, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };
enum { DNS_OPCODE_QUERY = 0, DNS_OPCODE_UPDATE = 5 };
enum {
	DNS_RCODE_OK = 0,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5
};
enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTION_COUNT };

/* ---- writing ---- */
struct dns_head {
	uint16_t id;
	unsigned opcode;
	bool recursion; /* RD */
};

struct dns_record_spec {
	struct str_view name; /* text */
	uint16_t type, class;
	uint32_t ttl;
	struct str_view data; /* as on the wire */
};

/* The header, all counts 0. The message is the whole of out. */
void dns_write_head(struct buf *out, const struct dns_head *head);
/* false: the name is none (a label over 63 bytes, over 255 in all, empty labels). */
bool dns_write_name(struct buf *out, struct str_view name);
/* Appends and counts; sections in their order. A question has neither ttl nor data. */
bool dns_write_record(struct buf *out, enum dns_section section,
		      const struct dns_record_spec *record);
bool dns_write_txt(struct buf *out, struct str_view text); /* data of a TXT record */
/* "Example.COM." as name text; false: no name. */
bool dns_name_text(struct str_view name, char out[DNS_NAME_TEXT]);
/* name is zone or below it. */
bool dns_name_within(const char *name, const char *zone);

/* ---- reading ---- */
struct dns_message { /* a view of bytes */
	struct str_view bytes;
	uint16_t id;
	bool response, truncated;
	unsigned opcode, rcode;
	uint16_t counts[DNS_SECTION_COUNT];
	/* the reader's place */
	size_t at;
	unsigned section, done_in_section;
};

struct dns_record {
	enum dns_section section;
	char name[DNS_NAME_TEXT];
	size_t start; /* of the record in the message */
	uint16_t type, class;
	uint32_t ttl;
	size_t data_at; /* of its data in the message */
	struct str_view data;
};

/* Reads the header. 0, or -1: too short. */
int dns_message_open(struct dns_message *message, struct str_view bytes);
/* 1: a record (or question), 0: that was the last one and nothing follows, -1: malformed. */
int dns_message_next(struct dns_message *message, struct dns_record *record);
void dns_message_rewind(struct dns_message *message);
/* 0 when every record can be read and nothing follows the last one. Rewinds. */
int dns_message_check(struct dns_message *message);
/* A name that begins at an offset; 0 and *next behind it, or -1. Compression goes backwards only.
 */
int dns_read_name(struct str_view bytes, size_t at, char out[DNS_NAME_TEXT], size_t *next);
/* The name that the data of a CNAME, NS or SOA record begins with. */
int dns_record_name(const struct dns_message *message, const struct dns_record *record,
		    char out[DNS_NAME_TEXT]);
/* Is the text of a TXT record (its strings joined) this one? */
bool dns_txt_is(struct str_view data, struct str_view text);

const char *dns_rcode_text(unsigned rcode); /* "REFUSED" */

#endif
