/* controller/certificate_check.c - does the Secret hold what the Certificate asks for?
 *
 * The questions in order; the first that is answered no is the reason (cert-manager's words).
 */
#include "controller/certificate.h"

#include "base/own.h"
#include "controller/renewal.h"

#include <stdarg.h>
#include <stdio.h>

struct pair { /* what the Secret holds */
	struct cert_chain chain;
	EVP_PKEY *key;
};

static bool no(struct cert_look *look, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool no(struct cert_look *look, const char *reason, const char *fmt, ...)
{
	va_list args;

	look->reason = reason;
	va_start(args, fmt);
	vsnprintf(look->words, sizeof(look->words), fmt, args);
	va_end(args);
	return false;
}

static bool holds_pair(struct cert_look *look, struct pair *pair)
{
	AUTO(secret_deinit) struct buf crt = {0}, key = {0};
	struct err err = {0};

	if (look->secret == NULL)
		return no(look, "DoesNotExist", "Issuing certificate as Secret does not exist");
	if (json_object_size(json_member(look->secret->json, "data")) == 0)
		return no(look, "MissingData",
			  "Issuing certificate as Secret does not contain any data");
	if (!secret_value(look->secret, "tls.key", &key))
		return no(look, "MissingData",
			  "Issuing certificate as Secret does not contain a private key");
	if (!secret_value(look->secret, "tls.crt", &crt))
		return no(look, "MissingData",
			  "Issuing certificate as Secret does not contain a certificate");
	pair->key = key_from_pem(buf_view(&key), &err);
	if (pair->key == NULL)
		return no(look, "InvalidKeyPair",
			  "Issuing certificate as Secret contains invalid private key data: %s",
			  err.msg);
	if (chain_from_pem(buf_view(&crt), &pair->chain, &err) < 0 || pair->chain.count == 0)
		return no(look, "InvalidCertificate",
			  "Issuing certificate as Secret contains an invalid certificate: %s",
			  err.msg);
	if (!key_same_public(X509_get0_pubkey(pair->chain.certs[0]), pair->key))
		return no(look, "InvalidKeyPair",
			  "Issuing certificate as Secret contains a private key that does not "
			  "match the certificate");
	return true;
}

static struct renewal_wish wish_of(const json_t *spec)
{
	struct renewal_wish wish = {.percentage = json_int_at(spec, "renewBeforePercentage", 0)};
	int64_t before;

	if (clock_parse_duration(json_sv_at(spec, "renewBefore"), &before))
		wish.before_s = before / 1000;
	return wish;
}

static bool read_dates(struct cert_look *look, const struct pair *pair)
{
	struct cert_info info;
	struct err err = {0};

	if (cert_info_read(pair->chain.certs[0], &info, &err) < 0)
		return no(look, "InvalidCertificate",
			  "Issuing certificate as Secret contains an invalid certificate: %s",
			  err.msg);
	look->dated = true;
	look->not_before = info.not_before;
	look->not_after = info.not_after;
	look->renewal =
		renewal_time(info.not_before, info.not_after, wish_of(look->spec),
			     sv_hash(sv_from(info.serial)) ^ sv_hash(sv_from(look->cert->key)));
	cert_info_deinit(&info);
	return true;
}

/* Two Certificates that want one Secret would replace each other's for ever: the one that has it
 * keeps it. */
static bool is_ours(struct cert_look *look)
{
	const char *name = note_of(look->secret, NOTE_CERTIFICATE);
	const struct object *other;

	if (name == NULL || strcmp(name, object_name(look->cert)) == 0)
		return true;
	other = ctl_get(look->ctl, kind_of_certificate(), object_namespace(look->cert), name);
	if (other == NULL || !sv_eq(json_sv_at(other->json, "spec.secretName"),
				    json_sv_at(look->spec, "secretName")))
		return no(look, "IncorrectCertificate",
			  "Issuing certificate as Secret was issued for Certificate \"%s\"", name);
	look->duplicate = true;
	return no(look, "IncorrectCertificate",
		  "Secret %s belongs to Certificate \"%s\": give one of the two another "
		  "spec.secretName",
		  object_name(look->secret), name);
}

static bool has_key_type(struct cert_look *look, const struct pair *pair)
{
	if (key_is(pair->key, certificate_key_type(look)))
		return true;
	return no(look, "SecretMismatch",
		  "Issuing certificate as Existing private key is not up to date for spec: "
		  "[spec.privateKey]");
}

static struct str_view ref_member(const json_t *spec, const char *path, const char *fallback)
{
	struct str_view text = json_sv_at(spec, path);

	return text.len > 0 ? text : sv_from(fallback);
}

static bool has_issuer(struct cert_look *look)
{
	const char *name = note_of(look->secret, "cert-manager.io/issuer-name");
	const char *kind = note_of(look->secret, "cert-manager.io/issuer-kind");

	if (sv_eq(sv_from(name), json_sv_at(look->spec, "issuerRef.name")) &&
	    sv_eq(kind == NULL || kind[0] == '\0' ? SV("Issuer") : sv_from(kind),
		  ref_member(look->spec, "issuerRef.kind", "Issuer")))
		return true;
	return no(look, "IncorrectIssuer",
		  "Issuing certificate as Secret was previously issued by \"%s %s\"",
		  kind == NULL ? "" : kind, name == NULL ? "" : name);
}

static void add_list(json_t *spec, const char *member, const char *text)
{
	struct str_view rest = text == NULL ? SV_NONE : sv_from(text);
	json_t *list = json_array();

	while (rest.data != NULL) {
		struct str_view part = sv_split(&rest, ',');

		if (part.len > 0)
			json_array_append_new(list, json_sv(part));
	}
	json_object_set_new(spec, member, list);
}

/* The names it was asked for with, as they were noted in the Secret: what a CA adds by itself does
 * not count, or it would be issued anew for ever. */
static bool has_names(struct cert_look *look)
{
	const char *common_name = note_of(look->secret, "cert-manager.io/common-name");
	AUTO(auto_json) json_t *noted = json_object();
	struct name_list wanted, had;
	bool same;

	add_list(noted, "dnsNames", note_of(look->secret, "cert-manager.io/alt-names"));
	add_list(noted, "ipAddresses", note_of(look->secret, "cert-manager.io/ip-sans"));
	if (common_name != NULL)
		json_object_set_new(noted, "commonName", json_string(common_name));
	name_list_from_spec(&wanted, look->spec);
	name_list_from_spec(&had, noted);
	same = name_list_same(&wanted, &had);
	name_list_deinit(&wanted);
	name_list_deinit(&had);
	return same || no(look, "RequestChanged",
			  "Issuing certificate as the names asked for are not those of the "
			  "certificate: [spec.dnsNames, spec.ipAddresses, spec.commonName]");
}

/* What the Secret does not tell: as it was asked for by the current CertificateRequest. */
static bool has_usages(struct cert_look *look)
{
	static const char *const members[] = {"duration", "isCA", "usages"};
	AUTO(auto_free)
	char *name = derived_name(object_name(look->cert), "-%lld",
				  (long long)json_int_at(look->status, "revision", 0));
	const struct object *request =
		ctl_get(look->ctl, kind_of_request(), object_namespace(look->cert), name);

	for (size_t i = 0; request != NULL && i < ARRAY_LEN(members); i++) {
		const json_t *asked = json_member(json_member(request->json, "spec"), members[i]);

		if (!json_same(asked, json_member(look->spec, members[i])))
			return no(look, "RequestChanged",
				  "Issuing certificate as fields on existing CertificateRequest "
				  "resource not up to date: [spec.%s]",
				  members[i]);
	}
	return true;
}

static bool has_not_expired(struct cert_look *look)
{
	char when[CLOCK_TEXT_SIZE];

	if (look->not_after > look->now)
		return true;
	clock_rfc3339(look->not_after, when);
	return no(look, "Expired", "Certificate has expired on %s", when);
}

void certificate_check(struct cert_look *look)
{
	const char *name = json_str_at(look->spec, "secretName");
	struct pair pair = {0};

	look->reason = NULL;
	look->words[0] = '\0';
	look->secret = name == NULL ? NULL
				    : ctl_get(look->ctl, kind_of_secret(),
					      object_namespace(look->cert), name);
	if (holds_pair(look, &pair) && read_dates(look, &pair) && is_ours(look) &&
	    has_key_type(look, &pair) && has_issuer(look) && has_names(look) && has_usages(look))
		(void)has_not_expired(look);
	chain_deinit(&pair.chain);
	EVP_PKEY_free(pair.key);
}
