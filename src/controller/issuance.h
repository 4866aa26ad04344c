/* controller/issuance.h - what the controllers of certificates share: kinds, names, times,
 * conditions and the values of Secrets
 *
 * No decision is made here.
 */
#ifndef CONTROLLER_ISSUANCE_H
#define CONTROLLER_ISSUANCE_H

#include "base/buf.h"
#include "controller/ctl.h"
#include "pki/csr.h"
#include "pki/x509.h"

#define ISSUANCE_TEXT_MAX (1u << 20) /* bytes of a Secret's value, of a chain, of a request */
#define CLUSTER_NAMESPACE "sallyport-system" /* Secrets of ClusterIssuers */
#define NOTE_CERTIFICATE  "cert-manager.io/certificate-name"
#define NOTE_ISSUER_NAME  "cert-manager.io/issuer-name"
#define NOTE_ISSUER_KIND  "cert-manager.io/issuer-kind"
#define NOTE_REPLACES     "sallyport.dev/replaces" /* certificate identifier of RFC 9773 */
#define NOTE_REVISION     "cert-manager.io/certificate-revision"
#define NOTE_KEY_SECRET   "cert-manager.io/private-key-secret-name"

const struct kind *kind_of_certificate(void);
const struct kind *kind_of_request(void); /* CertificateRequest */
const struct kind *kind_of_order(void);
const struct kind *kind_of_challenge(void);
const struct kind *kind_of_secret(void);

/* ---- objects ---- */
const char *note_of(const struct object *object, const char *name); /* annotation, or NULL */
/* {"apiVersion", "kind", "metadata": {name, namespace, ownerReferences}}; owner may be NULL. */
json_t *body_new(const struct kind *kind, const char *ns, const char *name,
		 const struct kind *owner_kind, const struct object *owner);
void body_note(json_t *body, const char *name, const char *value); /* adds an annotation */
struct wake { /* whose key is queued when a write of it has failed */
	struct controllers *ctl;
	enum controller_id id;
	const char *key;
};

/* Stores an object of ours; when that fails, the key is queued again (at once when somebody else
 * was faster, else with back-off). Takes body. */
void put_object(const struct wake *wake, const struct kind *kind, const struct object *old,
		json_t *body);
/* The owner of that kind by ownerReferences, alive and the same one; NULL: none. */
const struct object *owner_of_kind(struct controllers *ctl, const struct object *object,
				   const struct kind *kind);
/* Queues that owner for its controller, if there is one. */
void queue_owner(struct controllers *ctl, enum controller_id id, const struct object *object,
		 const struct kind *kind);
/* base and a suffix of at most 40 bytes as one name of an object; a base that is too long is cut
 * and told apart by a hash, in the same way for each suffix. Heap. */
char *derived_name(const char *base, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- statuses ---- */
json_t *status_copy(const struct object *object); /* deep; {} when there is none */
/* Sets a condition in status.conditions, which is made when missing. fmt may give "". */
void status_condition(json_t *status, const struct object *object, const char *type,
		      enum cond_status value, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The member of a condition in status.conditions of an object ("reason", "message"), or "". */
const char *condition_text(const struct object *object, const char *type, const char *member);
json_t *json_time(int64_t wall);
bool json_time_at(const json_t *value, const char *path, int64_t *wall);
/* "rateLimited" as a reason of a condition: "RateLimited"; "" gives fallback. */
void reason_from(const char *type, const char *fallback, char *out, size_t size);

uint32_t random_u32(void); /* for jitter */

/* ---- Secrets and texts ---- */
json_t *json_base64(struct str_view bytes);
/* A signing request (DER) as spec.request: base64 of PEM. Made and read without OpenSSL, which
 * would check the signature each time; admission has, when the request was stored. */
json_t *json_request(struct str_view der);
bool request_at(const json_t *value, const char *path, struct buf *der);
bool base64_at(const json_t *value, const char *path, struct buf *out); /* false: absent or bad */
/* A value of a Secret; false: the Secret (may be NULL) has none. Release out with secret_deinit. */
bool secret_value(const struct object *secret, const char *name, struct buf *out);
EVP_PKEY *secret_key(const struct object *secret, const char *name, struct err *err);
/* {"name": base64(PEM of the key)}; NULL with a sentence. */
json_t *key_data(const char *name, EVP_PKEY *key, enum key_encoding encoding, struct err *err);

#define SUBJECT_PARTS_MAX 64

/* Names of a spec or a signing request for cert_names: dnsNames, ipAddresses and a common name that
 * is a host name and not among them, in lower case; of a spec also emailAddresses, uris and the
 * subject, as given. */
struct name_list {
	size_t dns_count, ip_count, email_count, uri_count, subject_count;
	char *dns[X509_NAMES_MAX], *ips[X509_NAMES_MAX]; /* owned */
	struct str_view dns_views[X509_NAMES_MAX], ip_views[X509_NAMES_MAX];
	struct str_view emails[X509_NAMES_MAX], uris[X509_NAMES_MAX]; /* of the spec */
	struct subject_part subject[SUBJECT_PARTS_MAX];               /* of the spec */
	char *common_name;                                            /* owned; as given */
};
/* The members of spec.subject, in the order in which they stand in a certificate. */
#define SUBJECT_MEMBER_COUNT 8
struct subject_member {
	const char *name;  /* in spec.subject */
	const char *field; /* OpenSSL's short name */
	const char *note;  /* cert-manager's annotation of the Secret */
};
extern const struct subject_member subject_members[SUBJECT_MEMBER_COUNT];
/* "a,b" of a list of texts or of one text; absent: "". Heap. */
char *joined_texts(const json_t *value);
/* Borrows from spec. */
void name_list_from_spec(struct name_list *names, const json_t *spec);
void name_list_from_csr(struct name_list *names, const struct csr_info *info);
void name_list_deinit(struct name_list *names);
struct cert_names name_list_view(const struct name_list *names);
bool name_list_same(const struct name_list *a, const struct name_list *b); /* in any order */

#endif
