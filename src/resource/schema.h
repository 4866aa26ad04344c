/* resource/schema.h - what a kind's members are: a static table a kind, and one walker for all
 *
 * Answers: which members exist, of which type, with which limits, words and defaults. What a table
 * cannot say (rules between fields) is a C function of the kind.
 *     schema_prune()     unknown members and nulls out, each unknown one reported with its path
 *     schema_default()   defaults in; a value that was given is never changed
 *     schema_check()     type, required, enum, range, length, form, uniqueness: every mistake
 * May not enter: which kind it is, the store, the clock.
 */
#ifndef RESOURCE_SCHEMA_H
#define RESOURCE_SCHEMA_H

#include "resource/kind.h"

#include <stdint.h>

enum schema_type {
	SCHEMA_ANY,         /* any JSON value, not looked into */
	SCHEMA_OBJECT,      /* the members in nodes and no others */
	SCHEMA_MAP,         /* members of any name; nodes: one row, their value */
	SCHEMA_LIST,        /* nodes: one row, its items */
	SCHEMA_TEXT,        /* a string */
	SCHEMA_INTEGER,     /* an integer */
	SCHEMA_BOOL,        /* a boolean */
	SCHEMA_PORT_OR_NAME /* 1..65535, or the name of a port */
};

#define SCHEMA_REQUIRED    (1u << 0)
#define SCHEMA_UNSUPPORTED (1u << 1) /* known, but refused: ignoring it would mislead */
#define SCHEMA_OPEN        (1u << 2) /* object: unknown members stay */
#define SCHEMA_SET         (1u << 3) /* list: no item twice */
#define SCHEMA_HIDDEN      (1u << 4) /* the value never stands in a message */
#define SCHEMA_MAKE                                                            \
	(1u << 5) /* absent object: made, so that its members' defaults apply; \
		   * absent list: made with one empty item */

/* The form of a text. */
struct text_format {
	bool (*is)(struct str_view text);
	const char *must; /* "must be …" */
};

struct schema_node {
	const char *name; /* NULL ends a table */
	enum schema_type type;
	unsigned flags;
	int64_t min, max; /* integer: range; text: characters; list, map: count; max 0: no limit */
	const struct text_format *format; /* text; map: of its keys */
	const char *const *words;         /* text: no other values; NULL-terminated */
	const char *key;                  /* list: this member of the items is unique */
	const struct schema_node *nodes;
	const char *text; /* default */
	int64_t integer;  /* default; 0: none */
};

#define SCHEMA_LIST_MAX 1000 /* items of a list whose row names no limit */

#define ANY(member, ...)                                          \
	{                                                         \
		.name = (member), .type = SCHEMA_ANY, __VA_ARGS__ \
	}
#define OBJECT(member, rows, ...)                                                     \
	{                                                                             \
		.name = (member), .type = SCHEMA_OBJECT, .nodes = (rows), __VA_ARGS__ \
	}
#define MAP(member, row, ...)                                                     \
	{                                                                         \
		.name = (member), .type = SCHEMA_MAP, .nodes = (row), __VA_ARGS__ \
	}
#define LIST(member, row, ...)                                                     \
	{                                                                          \
		.name = (member), .type = SCHEMA_LIST, .nodes = (row), __VA_ARGS__ \
	}
#define TEXT(member, ...)                                          \
	{                                                          \
		.name = (member), .type = SCHEMA_TEXT, __VA_ARGS__ \
	}
#define INTEGER(member, ...)                                          \
	{                                                             \
		.name = (member), .type = SCHEMA_INTEGER, __VA_ARGS__ \
	}
#define BOOL(member, ...)                                          \
	{                                                          \
		.name = (member), .type = SCHEMA_BOOL, __VA_ARGS__ \
	}
#define PORT(member, ...)  INTEGER(member, .min = 1, .max = 65535, __VA_ARGS__)
#define COUNT(member, ...) INTEGER(member, .min = 0, .max = INT32_MAX, __VA_ARGS__)
#define REFUSED(member)    ANY(member, .flags = SCHEMA_UNSUPPORTED)
#define REQUIRED           .flags = SCHEMA_REQUIRED
#define WORDS(...)                     \
	.words = (const char *const[]) \
	{                              \
		__VA_ARGS__, NULL      \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

/* First in the table of each kind. */
#define KIND_MEMBERS TEXT("apiVersion"), TEXT("kind"), OBJECT("metadata", metadata_members)
/* The daemon's own words: only their outer form is checked. */
#define KIND_STATUS OBJECT("status", status_members, .flags = SCHEMA_OPEN)

extern const struct schema_node metadata_members[], status_members[];

/* ---- rows that several kinds use ---- */
extern const struct schema_node text_item[];     /* any string */
extern const struct schema_node any_item[];      /* anything */
extern const struct schema_node hostname_item[]; /* Gateway API Hostname, wildcard allowed */
extern const struct schema_node label_selector_members[]; /* matchLabels, matchExpressions */

/* The bytes of a string value; SV_NONE of any other. */
static inline struct str_view text_of(const json_t *value)
{
	return sv_new(json_string_value(value), json_string_length(value));
}

/* ---- where in the object ---- */
struct where {
	size_t len;
	char text[1024]; /* "spec.listeners[0].port"; what does not fit is cut */
};

/* Appends; returns what where_back needs to return to the place before. */
size_t where_to(struct where *where, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void where_back(struct where *where, size_t mark);

/* ---- the walker; fields: rows up to END ---- */
/* An unknown member: its path, its name, and the rows among which it is not. */
typedef void schema_unknown_fn(void *arg, const char *path, const char *name,
			       const struct schema_node *fields);
void schema_prune(const struct schema_node *fields, json_t *object, struct where *where,
		  schema_unknown_fn *unknown, void *arg);
/* The member that was meant by an unknown name, "listeners": one that is spelt alike, or one of the
 * name a level or two deeper ("tls.certificateRefs"). False: none. For the first few alone: it
 * looks at every row. */
bool schema_meant(const struct schema_node *fields, const char *name, struct buf *out);
void schema_default(const struct schema_node *fields, json_t *object);
void schema_check(const struct schema_node *fields, const json_t *object, struct where *where,
		  struct causes *causes);

#endif
