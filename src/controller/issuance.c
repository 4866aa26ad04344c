#include "controller/issuance.h"

#include "base/enc.h"
#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define NAME_MAX_LEN    253
#define SUFFIX_MAX      40
#define CONDITION_WORDS 4096

const struct kind *kind_of_certificate(void)
{
	return kind_by_plural(SV("cert-manager.io"), SV("certificates"));
}

const struct kind *kind_of_request(void)
{
	return kind_by_plural(SV("cert-manager.io"), SV("certificaterequests"));
}

const struct kind *kind_of_order(void)
{
	return kind_by_plural(SV("acme.cert-manager.io"), SV("orders"));
}

const struct kind *kind_of_challenge(void)
{
	return kind_by_plural(SV("acme.cert-manager.io"), SV("challenges"));
}

const struct kind *kind_of_secret(void)
{
	return kind_by_plural(SV(""), SV("secrets"));
}

/* ---- objects ---- */

const char *note_of(const struct object *object, const char *name)
{
	return json_string_value(json_member(json_at(object->json, "metadata.annotations"), name));
}

json_t *body_new(const struct kind *kind, const char *ns, const char *name,
		 const struct kind *owner_kind, const struct object *owner)
{
	json_t *meta = json_pack("{s:s, s:s}", "name", name, "namespace", ns);
	json_t *body = json_object();
	AUTO(auto_free) char *version = kind_api_version(kind, NULL);

	json_object_set_new(body, "apiVersion", json_string(version));
	json_object_set_new(body, "kind", json_string(kind->kind));
	if (owner != NULL)
		json_object_set_new(meta, "ownerReferences",
				    json_pack("[o]", ctl_owner_ref(owner_kind, owner)));
	json_object_set_new(body, "metadata", meta);
	return body;
}

void body_note(json_t *body, const char *name, const char *value)
{
	json_t *meta = json_object_get(body, "metadata");
	json_t *notes = json_object_get(meta, "annotations");

	if (!json_is_object(notes)) {
		notes = json_object();
		json_object_set_new(meta, "annotations", notes);
	}
	json_object_set_new(notes, name, json_sv(sv_from(value)));
}

struct put { /* one write under way */
	struct controllers *ctl;
	enum controller_id id;
	char key[];
};

static void put_ended(void *arg, const struct object *object, const struct err *err)
{
	struct put *put = arg;

	(void)object;
	if (err->code == ERR_EXISTS || err->code == ERR_CONFLICT || err->code == ERR_NOT_FOUND)
		ctl_queue(put->ctl, put->id, sv_from(put->key));
	else if (err->code != ERR_NONE)
		ctl_retry(put->ctl, put->id, sv_from(put->key));
	free(put);
}

void put_object(const struct wake *wake, const struct kind *kind, const struct object *old,
		json_t *body)
{
	size_t len = strlen(wake->key);
	struct put *put = xcalloc(1, sizeof(*put) + len + 1);

	put->ctl = wake->ctl;
	put->id = wake->id;
	memcpy(put->key, wake->key, len);
	ctl_put_object(wake->ctl, kind, old, body, put_ended, put);
}

const struct object *owner_of_kind(struct controllers *ctl, const struct object *object,
				   const struct kind *kind)
{
	json_t *ref;
	size_t i;

	json_array_foreach(json_at(object->json, "metadata.ownerReferences"), i, ref)
	{
		const char *name = json_str_at(ref, "name");
		const struct object *owner;

		if (name == NULL || !sv_eq(json_sv_at(ref, "kind"), sv_from(kind->kind)))
			continue;
		owner = ctl_get(ctl, kind, object_namespace(object), name);
		if (owner != NULL && ctl_is_owned_by(object, owner))
			return owner;
	}
	return NULL;
}

void queue_owner(struct controllers *ctl, enum controller_id id, const struct object *object,
		 const struct kind *kind)
{
	const struct object *owner = owner_of_kind(ctl, object, kind);

	if (owner != NULL)
		ctl_queue(ctl, id, sv_from(owner->key));
}

char *derived_name(const char *base, const char *fmt, ...)
{
	char suffix[SUFFIX_MAX + 1];
	size_t room = NAME_MAX_LEN - 17 - SUFFIX_MAX;
	va_list args;

	va_start(args, fmt);
	vsnprintf(suffix, sizeof(suffix), fmt, args);
	va_end(args);
	if (strlen(base) <= room)
		return xasprintf("%s%s", base, suffix);
	while (room > 0 && !ascii_is_alnum(base[room - 1]))
		room--;
	return xasprintf("%.*s-%016llx%s", (int)room, base,
			 (unsigned long long)sv_hash(sv_from(base)), suffix);
}

/* ---- statuses ---- */

json_t *status_copy(const struct object *object)
{
	const json_t *status = json_member(object->json, "status");

	return json_is_object(status) ? json_deep_copy(status) : json_object();
}

void status_condition(json_t *status, const struct object *object, const char *type,
		      enum cond_status value, const char *reason, const char *fmt, ...)
{
	json_t *conditions = json_object_get(status, "conditions");
	char words[CONDITION_WORDS];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	if (!json_is_array(conditions)) {
		conditions = json_array();
		json_object_set_new(status, "conditions", conditions);
	}
	condition_set(conditions,
		      &(struct condition){.type = type,
					  .status = value,
					  .reason = reason,
					  .message = words,
					  .observed_generation = object_generation(object)},
		      ctl_now());
}

const char *condition_text(const struct object *object, const char *type, const char *member)
{
	const char *text = json_str_at(
		condition_find(json_at(object->json, "status.conditions"), type), member);

	return text == NULL ? "" : text;
}

json_t *json_time(int64_t wall)
{
	char text[CLOCK_TEXT_SIZE];

	clock_rfc3339(wall, text);
	return json_string(text);
}

bool json_time_at(const json_t *value, const char *path, int64_t *wall)
{
	return clock_parse_rfc3339(json_sv_at(value, path), wall);
}

void reason_from(const char *type, const char *fallback, char *out, size_t size)
{
	snprintf(out, size, "%s", type[0] == '\0' ? fallback : type);
	if (out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
}

uint32_t random_u32(void)
{
	uint32_t value = 0;

	(void)!getrandom(&value, sizeof(value), 0);
	return value;
}

/* ---- Secrets and texts ---- */

json_t *json_base64(struct str_view bytes)
{
	AUTO(secret_deinit) struct buf out;

	buf_init(&out, bytes.len * 2 + 8);
	(void)buf_room(&out, bytes.len * 4 / 3 + 8); /* so that no copy is left behind */
	enc_base64(&out, bytes);
	return json_sv(buf_view(&out));
}

bool base64_at(const json_t *value, const char *path, struct buf *out)
{
	struct str_view text = json_sv_at(value, path);

	(void)buf_room(out, text.len + 1 <= out->max ? text.len + 1 : out->max);
	return text.len > 0 && dec_base64(out, text) && !out->spent;
}

#define PEM_BEGIN "-----BEGIN CERTIFICATE REQUEST-----\n"
#define PEM_END   "-----END CERTIFICATE REQUEST-----\n"
#define PEM_LINE  64

json_t *json_request(struct str_view der)
{
	AUTO(buf_deinit) struct buf text, pem;
	struct str_view rest;

	buf_init(&text, ISSUANCE_TEXT_MAX);
	buf_init(&pem, ISSUANCE_TEXT_MAX);
	enc_base64(&text, der);
	buf_add(&pem, SV(PEM_BEGIN));
	for (rest = buf_view(&text); rest.len > 0; rest = sv_skip(rest, PEM_LINE)) {
		buf_add(&pem, sv_head(rest, PEM_LINE));
		buf_addc(&pem, '\n');
	}
	buf_add(&pem, SV(PEM_END));
	return json_base64(buf_view(&pem));
}

bool request_at(const json_t *value, const char *path, struct buf *der)
{
	AUTO(buf_deinit) struct buf pem;
	struct str_view text;
	size_t begin, end;

	buf_init(&pem, ISSUANCE_TEXT_MAX);
	if (!base64_at(value, path, &pem))
		return false;
	begin = sv_find_sv(buf_view(&pem), SV(PEM_BEGIN));
	if (begin == SV_NOT_FOUND)
		return csr_from_pem(buf_view(&pem), der, NULL) == 0; /* another label, CRLF, … */
	text = sv_skip(buf_view(&pem), begin + sizeof(PEM_BEGIN) - 1);
	end = sv_find(text, '-');
	return end != SV_NOT_FOUND && dec_base64(der, sv_head(text, end)) && buf_len(der) > 0;
}

bool secret_value(const struct object *secret, const char *name, struct buf *out)
{
	const json_t *value;
	struct str_view text;

	buf_init(out, ISSUANCE_TEXT_MAX);
	if (secret == NULL)
		return false;
	value = json_member(json_member(secret->json, "data"), name);
	text = sv_new(json_string_value(value), json_string_length(value));
	if (!json_is_string(value) || text.len == 0 || text.len > ISSUANCE_TEXT_MAX)
		return false;
	(void)buf_room(out, text.len);
	return dec_base64(out, text);
}

EVP_PKEY *secret_key(const struct object *secret, const char *name, struct err *err)
{
	AUTO(secret_deinit) struct buf pem;

	if (!secret_value(secret, name, &pem)) {
		err_set(err, ERR_NOT_FOUND, "the Secret has no value \"%.253s\"", name);
		return NULL;
	}
	return key_from_pem(buf_view(&pem), err);
}

json_t *key_data(const char *name, EVP_PKEY *key, enum key_encoding encoding, struct err *err)
{
	AUTO(secret_deinit) struct buf pem;
	json_t *data;

	buf_init(&pem, 64u << 10);
	(void)buf_room(&pem, 16u << 10);
	if (key_to_pem(key, encoding, &pem, err) < 0)
		return NULL;
	data = json_object();
	json_object_set_new(data, name, json_base64(buf_view(&pem)));
	return data;
}

/* ---- names ---- */

static void add_text(char **list, struct str_view *views, size_t *count, struct str_view text)
{
	char *copy;

	if (*count == X509_NAMES_MAX || text.len == 0)
		return;
	copy = sv_dup(text);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_lower(copy[i]);
	views[*count] = sv_new(copy, text.len);
	list[(*count)++] = copy;
}

static void add_dns(struct name_list *names, struct str_view text)
{
	add_text(names->dns, names->dns_views, &names->dns_count, text);
}

static void add_ip(struct name_list *names, struct str_view text)
{
	struct sock_addr addr;
	char plain[SOCK_ADDR_TEXT];

	if (!sock_addr_ip(&addr, text, 0))
		return;
	sock_addr_ip_text(&addr, plain); /* one spelling for each address */
	add_text(names->ips, names->ip_views, &names->ip_count, sv_from(plain));
}

static bool name_list_has(const struct name_list *names, struct str_view dns)
{
	for (size_t i = 0; i < names->dns_count; i++) {
		if (sv_eq_nocase(names->dns_views[i], dns))
			return true;
	}
	return false;
}

/* Public CAs put the common name among the names, so it is one of them (RFC 8555, section 7.4). */
static void add_common_name(struct name_list *names, struct str_view text)
{
	AUTO(auto_free) char *lower = NULL;

	if (text.len == 0)
		return;
	names->common_name = sv_dup(text);
	lower = sv_dup(text);
	for (size_t i = 0; i < text.len; i++)
		lower[i] = ascii_lower(lower[i]);
	if (name_is_hostname(sv_from(lower), true) && sv_find(text, '.') != SV_NOT_FOUND &&
	    !name_list_has(names, sv_from(lower)))
		add_dns(names, text);
}

const struct subject_member subject_members[SUBJECT_MEMBER_COUNT] = {
	{"countries", "C", "cert-manager.io/subject-countries"},
	{"organizations", "O", "cert-manager.io/subject-organizations"},
	{"organizationalUnits", "OU", "cert-manager.io/subject-organizationalunits"},
	{"localities", "L", "cert-manager.io/subject-localities"},
	{"provinces", "ST", "cert-manager.io/subject-provinces"},
	{"streetAddresses", "street", "cert-manager.io/subject-streetaddresses"},
	{"postalCodes", "postalCode", "cert-manager.io/subject-postalcodes"},
	{"serialNumber", "serialNumber", "cert-manager.io/subject-serialnumber"},
};

static struct str_view text_view(const json_t *text)
{
	return sv_new(json_string_value(text), json_string_length(text));
}

char *joined_texts(const json_t *value)
{
	struct buf text;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		return sv_dup(text_view(value));
	buf_init(&text, ISSUANCE_TEXT_MAX);
	json_array_foreach(value, i, item)
	{
		buf_addf(&text, "%s%s", i == 0 ? "" : ",", json_string_value(item));
	}
	return buf_detach(&text);
}

static void add_view(struct str_view *list, size_t *count, const json_t *text)
{
	if (*count < X509_NAMES_MAX && json_string_length(text) > 0)
		list[(*count)++] = text_view(text);
}

static void add_part(struct name_list *names, const char *field, const json_t *text)
{
	if (names->subject_count < SUBJECT_PARTS_MAX && json_string_length(text) > 0)
		names->subject[names->subject_count++] =
			(struct subject_part){.field = field, .value = text_view(text)};
}

static void add_subject(struct name_list *names, const json_t *subject)
{
	for (size_t i = 0; i < SUBJECT_MEMBER_COUNT; i++) {
		const json_t *value = json_member(subject, subject_members[i].name);
		json_t *item;
		size_t j;

		if (json_is_string(value))
			add_part(names, subject_members[i].field, value);
		json_array_foreach(value, j, item)
		{
			add_part(names, subject_members[i].field, item);
		}
	}
}

void name_list_from_spec(struct name_list *names, const json_t *spec)
{
	json_t *value;
	size_t i;

	*names = (struct name_list){0};
	json_array_foreach(json_member(spec, "dnsNames"), i, value)
	{
		struct str_view text = sv_new(json_string_value(value), json_string_length(value));

		if (!name_list_has(names, text))
			add_dns(names, text);
	}
	json_array_foreach(json_member(spec, "ipAddresses"), i, value)
	{
		add_ip(names, sv_new(json_string_value(value), json_string_length(value)));
	}
	json_array_foreach(json_member(spec, "emailAddresses"), i, value)
	{
		add_view(names->emails, &names->email_count, value);
	}
	json_array_foreach(json_member(spec, "uris"), i, value)
	{
		add_view(names->uris, &names->uri_count, value);
	}
	add_subject(names, json_member(spec, "subject"));
	add_common_name(names, json_sv_at(spec, "commonName"));
}

void name_list_from_csr(struct name_list *names, const struct csr_info *info)
{
	*names = (struct name_list){0};
	for (size_t i = 0; i < info->dns_count; i++) {
		if (!name_list_has(names, sv_from(info->dns[i])))
			add_dns(names, sv_from(info->dns[i]));
	}
	for (size_t i = 0; i < info->ip_count; i++)
		add_ip(names, sv_from(info->ips[i]));
	add_common_name(names, sv_from(info->common_name));
}

void name_list_deinit(struct name_list *names)
{
	for (size_t i = 0; i < names->dns_count; i++)
		free(names->dns[i]);
	for (size_t i = 0; i < names->ip_count; i++)
		free(names->ips[i]);
	free(names->common_name);
	*names = (struct name_list){0};
}

struct cert_names name_list_view(const struct name_list *names)
{
	return (struct cert_names){.dns = names->dns_views,
				   .dns_count = names->dns_count,
				   .ips = names->ip_views,
				   .ip_count = names->ip_count,
				   .emails = names->emails,
				   .email_count = names->email_count,
				   .uris = names->uris,
				   .uri_count = names->uri_count,
				   .subject = names->subject,
				   .subject_count = names->subject_count,
				   .common_name = sv_from(names->common_name)};
}

static bool all_in(const struct str_view *some, size_t count, const struct str_view *all,
		   size_t all_count)
{
	for (size_t i = 0; i < count; i++) {
		bool found = false;

		for (size_t j = 0; j < all_count && !found; j++)
			found = sv_eq(some[i], all[j]);
		if (!found)
			return false;
	}
	return true;
}

bool name_list_same(const struct name_list *a, const struct name_list *b)
{
	return all_in(a->dns_views, a->dns_count, b->dns_views, b->dns_count) &&
	       all_in(b->dns_views, b->dns_count, a->dns_views, a->dns_count) &&
	       all_in(a->ip_views, a->ip_count, b->ip_views, b->ip_count) &&
	       all_in(b->ip_views, b->ip_count, a->ip_views, a->ip_count) &&
	       sv_eq_nocase(sv_from(a->common_name), sv_from(b->common_name));
}
