/* resource/kind.h - the table of kinds: a row each, and nothing else knows what kinds there are
 *
 * Answers: which kinds exist, where they are served, what their defaults are, what is wrong with a
 * given object (all mistakes at once, each with its path), what their tables show.
 * Pure: no socket, no clock, no store access (store/object.h only).
 */
#ifndef RESOURCE_KIND_H
#define RESOURCE_KIND_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"
#include "resource/causes.h"
#include "store/object.h"

#include <stdbool.h>

/* ---- columns of kubectl get ---- */
struct column {
	const char *name; /* "Programmed" */
	const char *type; /* "string" "integer" "date" */
	int priority;     /* > 0: -o wide only */
	/* Fills the cell (a new JSON value); now in seconds since the epoch for ages. */
	json_t *(*cell)(const json_t *object, int64_t now);
};

extern const struct column column_age; /* what comes last unless own_age */

#define KIND_VERSIONS_MAX 4

enum name_rule {
	NAME_SUBDOMAIN, /* RFC 1123 subdomain, 253 */
	NAME_LABEL,     /* RFC 1123 label, 63 (Namespace) */
	NAME_LABEL_1035 /* as a label, first a letter (Service) */
};

struct kind {
	const char *group;                       /* "" for the core group */
	const char *versions[KIND_VERSIONS_MAX]; /* served, preferred first, NULL-terminated */
	const char *kind;                        /* "Gateway" */
	const char *plural;                      /* "gateways" */
	const char *singular;                    /* "gateway" */
	const char *short_names[4];
	const char *categories[3];
	bool namespaced;
	bool has_status; /* /status subresource; status in writes to the main resource is ignored */
	bool has_spec_generation;     /* goes up when anything but metadata and status changes */
	bool strategic;               /* accepts strategic-merge-patch (core, apps, discovery) */
	bool read_only;               /* TigeraStatus: written by controllers only */
	const struct column *columns; /* between Name and Age, which the table itself adds */
	size_t column_count;
	bool own_age;  /* no Age is added: it is among the columns, or there is none */
	bool own_name; /* no Name column (Events) */
	enum name_rule name_rule;
	const char *const *only_names; /* no other names are taken (Installation); NULL: any */
	const char *warning;           /* told to whoever creates or changes one; NULL: nothing */

	/* Fills in what the schema's own defaults cannot (they are there already); may be NULL.
	 * Values that were given are never changed. old is NULL on create. */
	void (*set_defaults)(json_t *object, const json_t *old);
	/* Adds causes for what the schema cannot say: rules between fields, and what may not
	 * change. Meets values of any type (wrong ones have their cause already). May be NULL. */
	void (*validate)(const json_t *object, const json_t *old, struct causes *causes);
	/* Adds sentences to warnings about an object that is taken although something of it will
	 * not work: told to whoever creates or changes it. May be NULL. */
	void (*remark)(const json_t *object, json_t *warnings);
	/* The status stored together with a new object (design: "writes settle"); new value or
	 * NULL. May be NULL. */
	json_t *(*initial_status)(const json_t *object, int64_t now);
	/* While nothing can be written: does the object wait for a certificate that is to be saved?
	 * May be NULL: never. */
	bool (*waits_for_disk)(const json_t *object, int64_t now);
	/* Its members, with types, limits, words and defaults: see resource/schema.h. */
	const struct schema_node *schema;
};

extern const struct kind kinds[];
extern const size_t kind_count;

const struct kind *kind_by_plural(struct str_view group, struct str_view plural);
/* "v1", "Secret" */
const struct kind *kind_by_gvk(struct str_view api_version, struct str_view kind);
/* As people type it, in any case: "gateway", "gateways", "gtw", "Gateway", with ".GROUP" or
 * ".VERSION.GROUP" behind it ("gateways.gateway.networking.k8s.io"). */
const struct kind *kind_by_word(struct str_view word);
bool kind_serves(const struct kind *kind, struct str_view version);
/* "group/version"; version NULL: the preferred one. Heap. */
char *kind_api_version(const struct kind *kind, const char *version);

/* Store key of an object of this kind ("core" stands for group ""). Heap; NULL when ns or name
 * cannot be part of a key (empty name, '/'). */
char *kind_key(const struct kind *kind, const char *ns, const char *name);
char *kind_prefix(const struct kind *kind, const char *ns); /* ns NULL: all; ends in '/' */

/* ---- admission: everything between a body that was received and the object that is stored ---- */
enum field_validation { FIELDS_STRICT, FIELDS_WARN, FIELDS_IGNORE };

struct admission {
	const struct kind *kind;
	const json_t *old; /* NULL on create */
	bool status_only;  /* /status: everything but status comes from old */
	enum field_validation fields;
	const char *version; /* of the request path: what the body says must agree; NULL: any */
	int64_t now;         /* seconds since the epoch */
};

/* Makes the object to be stored from a body (new reference): type and metadata checked and filled
 * (uid, creationTimestamp, generation), unknown fields handled, defaults, validation, initial
 * status. apiVersion becomes the preferred one whatever the body said (a read echoes its own
 * request's), and resourceVersion that of old: so json_same(result, old) tells that nothing
 * changes. An absent metadata.namespace becomes "default"; of a cluster-scoped kind it is dropped.
 * NULL: err says why (ERR_INVALID), causes hold the details (code 422), or causes are empty (code
 * 400: strict decoding error, not an object, wrong kind). With causes err.msg is the whole sentence
 * of the Status ('Gateway.gateway.networking.k8s.io "a" is invalid: …'), cut at its size;
 * causes_text is not. causes is initialised by the caller. warnings is a JSON array to append
 * strings to, or NULL. */
json_t *kind_admit(const struct admission *how, const json_t *body, json_t *warnings,
		   struct causes *causes, struct err *err);

/* RFC 1123 checks, shared with controllers. */
bool name_is_dns_label(struct str_view text);     /* 63, lower case alphanumerics and '-' */
bool name_is_dns_subdomain(struct str_view text); /* 253 */
/* Gateway API Hostname; wildcard: "*.a.b" is one, too. */
bool name_is_hostname(struct str_view text, bool wildcard);

#endif
