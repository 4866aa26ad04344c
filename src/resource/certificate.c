/* resource/certificate.c - Certificate and CertificateRequest (cert-manager.io) */
#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "pki/csr.h"
#include "resource/columns.h"
#include "resource/condition.h"
#include "resource/names.h"
#include "resource/rows.h"

#include <openssl/x509v3.h>

#define DURATION_MIN     (3600 * INT64_C(1000)) /* ms; as in cert-manager */
#define RENEW_BEFORE_MIN (300 * INT64_C(1000))
#define REQUEST_MAX      (64 << 10)  /* bytes of a signing request in PEM form */
#define REQUEST_TEXT_MAX (128 << 10) /* the same as base64 */
#define NAMES_MAX        100         /* what public CAs take */

static const struct schema_node usage_item[] = {TEXT(
	"[]", WORDS("signing", "digital signature", "content commitment", "key encipherment",
		    "key agreement", "data encipherment", "cert sign", "crl sign", "encipher only",
		    "decipher only", "any", "server auth", "client auth", "code signing",
		    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user",
		    "timestamping", "ocsp signing", "microsoft sgc", "netscape sgc"))};

static const struct schema_node ip_item[] = {TEXT("[]", .format = &format_ip)};

static bool is_uri(struct str_view text)
{
	size_t colon = sv_find(text, ':');

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	}
	return colon != SV_NOT_FOUND && colon > 0 && colon + 1 < text.len;
}

static bool is_email(struct str_view text)
{
	size_t at = sv_find(text, '@');

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~' ||
		    sv_find(SV("<>,"), text.data[i]) != SV_NOT_FOUND)
			return false;
	}
	return at != SV_NOT_FOUND && at > 0 && at + 1 < text.len;
}

static const struct text_format format_uri = {
	is_uri, "must be an absolute URI in ASCII (RFC 3986), as spiffe://example.com/web"};
static const struct text_format format_email = {
	is_email, "must be a bare mail address in ASCII (RFC 5322), as a@example.com"};
static const struct schema_node uri_item[] = {TEXT("[]", .max = 2048, .format = &format_uri)};
static const struct schema_node email_item[] = {TEXT("[]", .max = 320, .format = &format_email)};

/* ---- Certificate ---- */

static const struct schema_node subject_members[] = {
	LIST("organizations", text_item),
	LIST("countries", text_item),
	LIST("organizationalUnits", text_item),
	LIST("localities", text_item),
	LIST("provinces", text_item),
	LIST("streetAddresses", text_item),
	LIST("postalCodes", text_item),
	TEXT("serialNumber"),
	END,
};

static const struct schema_node private_key_members[] = {
	TEXT("algorithm", WORDS("RSA", "ECDSA", "Ed25519")),
	TEXT("encoding", WORDS("PKCS1", "PKCS8")),
	TEXT("rotationPolicy", WORDS("Never", "Always")),
	COUNT("size"),
	END,
};

static const struct schema_node label_item[] = {TEXT("[]", .format = &format_label_value)};

static const struct schema_node template_members[] = {
	MAP("annotations", text_item, .format = &format_annotation_key),
	MAP("labels", label_item, .format = &format_qualified),
	END,
};

static const struct schema_node certificate_spec[] = {
	TEXT("secretName", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	OBJECT("issuerRef", issuer_ref_members, REQUIRED),
	TEXT("commonName", .max = 64),
	LIST("dnsNames", hostname_item, .max = NAMES_MAX),
	LIST("ipAddresses", ip_item, .max = NAMES_MAX),
	LIST("emailAddresses", email_item, .max = NAMES_MAX),
	LIST("uris", uri_item, .max = NAMES_MAX),
	TEXT("duration", .format = &format_duration),
	TEXT("renewBefore", .format = &format_duration),
	INTEGER("renewBeforePercentage", .min = 1, .max = 99),
	OBJECT("privateKey", private_key_members),
	LIST("usages", usage_item, .max = 32),
	BOOL("isCA"),
	BOOL("encodeUsagesInRequest"),
	INTEGER("revisionHistoryLimit", .min = 1, .max = INT32_MAX),
	OBJECT("secretTemplate", template_members),
	OBJECT("subject", subject_members),
	REFUSED("additionalOutputFormats"),
	REFUSED("keystores"),
	REFUSED("literalSubject"),
	REFUSED("nameConstraints"),
	REFUSED("otherNames"),
	REFUSED("renewal"),
	REFUSED("signatureAlgorithm"),
	END,
};

const struct schema_node certificate_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", certificate_spec, REQUIRED),
	KIND_STATUS,
	END,
};

static void validate_key(const json_t *key, struct causes *causes)
{
	const json_t *size = json_member(key, "size");
	enum key_type type;

	if (json_is_integer(size) && json_integer_value(size) != 0 &&
	    !key_type_parse(json_sv_at(key, "algorithm"), json_integer_value(size), &type))
		cause_invalid(
			causes, "spec.privateKey.size", size,
			"must be 2048, 3072 or 4096 for RSA, 256 or 384 for ECDSA, and absent "
			"for Ed25519");
}

static void validate_times(const json_t *spec, struct causes *causes)
{
	const json_t *duration = json_member(spec, "duration");
	const json_t *renew = json_member(spec, "renewBefore");
	int64_t whole, before;
	bool has_whole = clock_parse_duration(text_of(duration), &whole);
	bool has_before = clock_parse_duration(text_of(renew), &before);

	if (has_whole && whole < DURATION_MIN)
		cause_invalid(causes, "spec.duration", duration, "must be at least 1h");
	if (has_before && before < RENEW_BEFORE_MIN)
		cause_invalid(causes, "spec.renewBefore", renew, "must be at least 5m");
	if (has_whole && has_before && before >= whole)
		cause_invalid(causes, "spec.renewBefore", renew, "must be less than spec.duration");
	if (renew != NULL && json_member(spec, "renewBeforePercentage") != NULL)
		cause_forbidden(causes, "spec.renewBeforePercentage",
				"renewBefore and renewBeforePercentage cannot both be set");
}

void certificate_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *spec = json_member(object, "spec");

	(void)old;
	if (json_is_object(spec) && json_string_length(json_member(spec, "commonName")) == 0 &&
	    json_array_size(json_member(spec, "dnsNames")) == 0 &&
	    json_array_size(json_member(spec, "ipAddresses")) == 0 &&
	    json_array_size(json_member(spec, "emailAddresses")) == 0 &&
	    json_array_size(json_member(spec, "uris")) == 0)
		cause_required(causes, "spec",
			       "at least one of dnsNames, ipAddresses, emailAddresses, uris or "
			       "commonName must be set");
	issuer_ref_validate(json_member(spec, "issuerRef"), causes);
	validate_key(json_member(spec, "privateKey"), causes);
	validate_times(spec, causes);
}

CELL_CONDITION(certificate_ready, "Ready", "status")
CELL_VALUE(certificate_secret, "spec.secretName")
CELL_VALUE(certificate_issuer, "spec.issuerRef.name")
CELL_CONDITION(certificate_message, "Ready", "message")
CELL_VALUE(certificate_expiration, "status.notAfter")

const struct column certificate_columns[5] = {
	{.name = "Ready", .type = "string", .cell = certificate_ready},
	{.name = "Secret", .type = "string", .cell = certificate_secret},
	{.name = "Issuer", .type = "string", .priority = 1, .cell = certificate_issuer},
	{.name = "Status", .type = "string", .priority = 1, .cell = certificate_message},
	{.name = "Expiration", .type = "string", .priority = 1, .cell = certificate_expiration},
};

/* ---- CertificateRequest ---- */

static const struct schema_node request_spec[] = {
	TEXT("request", REQUIRED, .min = 1, .max = REQUEST_TEXT_MAX, .format = &format_base64),
	OBJECT("issuerRef", issuer_ref_members, REQUIRED),
	TEXT("duration", .format = &format_duration),
	BOOL("isCA"),
	LIST("usages", usage_item, .max = 32),
	TEXT("username"),
	TEXT("uid"),
	LIST("groups", text_item),
	ANY("extra"),
	END,
};

const struct schema_node certificaterequest_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", request_spec, REQUIRED),
	KIND_STATUS,
	END,
};

static bool usages_agree(const struct csr_info *info, const struct key_usages *wanted)
{
	const unsigned usual = X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_KEY_ENCIPHERMENT;

	if (info->other_usages)
		return false;
	if (wanted->key == 0 && wanted->purposes == 0) /* what is signed then is for servers */
		return (info->usages.key & ~usual) == 0 &&
		       (info->usages.purposes & ~X509_USAGE_SERVER) == 0;
	return info->usages.key == wanted->key && info->usages.purposes == wanted->purposes;
}

/* What the request itself says and what its spec says must be one thing: whoever signs goes by the
 * spec. */
static void validate_wishes(const json_t *spec, struct str_view der, struct causes *causes)
{
	struct key_usages wanted = {0};
	struct csr_info info;
	struct err err = {0};
	json_t *usage;
	size_t i;

	if (csr_info_read(der, &info, &err) < 0) {
		cause_invalid(causes, "spec.request", NULL, "%s", err.msg);
		return;
	}
	json_array_foreach(json_member(spec, "usages"), i, usage)
	{
		(void)key_usages_add(&wanted, text_of(usage));
	}
	if (info.wants_ca && !json_bool_at(spec, "isCA", false))
		cause_invalid(causes, "spec.isCA", NULL,
			      "must be true, since the signing request asks for CA:TRUE");
	if (info.wants_usages && !usages_agree(&info, &wanted))
		cause_invalid(causes, "spec.usages", NULL,
			      "must be the key usages that the signing request holds, or it has to "
			      "hold none");
	csr_info_deinit(&info);
}

static void validate_request(const json_t *spec, struct causes *causes)
{
	const json_t *request = json_member(spec, "request");
	struct buf pem, der;
	struct err err = {0};

	buf_init(&pem, REQUEST_MAX);
	buf_init(&der, REQUEST_MAX);
	if (json_is_string(request) && dec_base64(&pem, text_of(request)) &&
	    csr_from_pem(buf_view(&pem), &der, &err) < 0)
		cause_invalid(causes, "spec.request", NULL, "%s", err.msg);
	else if (buf_len(&der) > 0)
		validate_wishes(spec, buf_view(&der), causes);
	buf_deinit(&pem);
	buf_deinit(&der);
}

void certificaterequest_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	cause_immutable(causes, object, old, "spec");
	issuer_ref_validate(json_at(object, "spec.issuerRef"), causes);
	if (old == NULL)
		validate_request(json_member(object, "spec"), causes);
}

CELL_CONDITION(request_approved, "Approved", "status")
CELL_CONDITION(request_denied, "Denied", "status")
CELL_VALUE(request_user, "spec.username")

const struct column certificaterequest_columns[6] = {
	{.name = "Approved", .type = "string", .cell = request_approved},
	{.name = "Denied", .type = "string", .cell = request_denied},
	{.name = "Ready", .type = "string", .cell = certificate_ready},
	{.name = "Issuer", .type = "string", .cell = certificate_issuer},
	{.name = "Requester", .type = "string", .cell = request_user},
	{.name = "Status", .type = "string", .priority = 1, .cell = certificate_message},
};

/* ---- while nothing can be written ---- */

bool certificate_waits_for_disk(const json_t *object, int64_t now)
{
	int64_t renewal;

	return condition_is_true(object, "Issuing") ||
	       (clock_parse_rfc3339(json_sv_at(object, "status.renewalTime"), &renewal) &&
		renewal <= now);
}

bool certificaterequest_waits_for_disk(const json_t *object, int64_t now)
{
	(void)now;
	return !condition_is_true(object, "Ready") && json_at(object, "status.failureTime") == NULL;
}
