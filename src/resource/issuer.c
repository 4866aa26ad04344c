/* resource/issuer.c - Issuer and ClusterIssuer (cert-manager.io), and the solvers of ACME issuers
 */
#include "base/enc.h"
#include "base/own.h"
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/rows.h"

#define CA_BUNDLE_MAX      (1 << 20) /* bytes of PEM */
#define CA_BUNDLE_TEXT_MAX (2 << 20) /* the same as base64 */

/* ---- solvers ---- */

static const struct schema_node key_ref_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	TEXT("key", .max = 253, .format = &format_data_key),
	END,
};

static const struct schema_node hook_secret_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	END,
};

static bool is_http_url(struct str_view text)
{
	return (sv_starts(text, SV("https://")) || sv_starts(text, SV("http://"))) &&
	       format_url.is(text);
}

static const struct text_format format_http_url = {is_http_url, "must be an http or https URL"};

static bool is_alnum(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]))
			return false;
	}
	return text.len > 0;
}

static const struct text_format format_alnum = {is_alnum, "must be letters and digits"};

static bool is_script(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]) && strchr("._-", text.data[i]) == NULL)
			return false;
	}
	return text.len > 0 && text.data[0] != '.' && text.data[0] != '-';
}

static const struct text_format format_script = {
	is_script,
	"must be the name of a file in the folder of hooks: letters, digits, '.', '_' and '-'"};

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53" */
static bool is_server(struct str_view text)
{
	size_t colon = sv_rfind(text, ':');
	struct str_view host = sv_head(text, colon);
	uint64_t port;

	if (name_is_ip(text))
		return true;
	if (sv_starts(host, SV("[")) && sv_ends(host, SV("]")))
		host = sv_new(host.data + 1, host.len - 2);
	else if (!name_is_ipv4(host))
		return false;
	return colon != SV_NOT_FOUND && name_is_ip(host) &&
	       sv_to_u64(sv_skip(text, colon + 1), &port) && port > 0 && port <= UINT16_MAX;
}

static const struct text_format format_server = {
	is_server, "must be an address with or without a port: 192.0.2.1, [2001:db8::1]:53"};

static const struct schema_node acme_dns_members[] = {
	TEXT("host", REQUIRED, .min = 1, .max = 2048, .format = &format_http_url),
	OBJECT("accountSecretRef", key_ref_members, REQUIRED),
	END,
};

static const struct schema_node cloudflare_members[] = {
	TEXT("email", .max = 320),
	OBJECT("apiTokenSecretRef", key_ref_members),
	OBJECT("apiKeySecretRef", key_ref_members),
	TEXT("url", .max = 2048, .format = &format_http_url),
	END,
};

static const struct schema_node exec_members[] = {
	TEXT("script", REQUIRED, .min = 1, .max = 128, .format = &format_script),
	TEXT("convention", WORDS("dnsapi", "lego"), .text = "dnsapi"),
	TEXT("mode", WORDS("", "RAW")),
	TEXT("timeout", .format = &format_duration),
	OBJECT("secretRef", hook_secret_members),
	END,
};

static const struct schema_node rfc2136_members[] = {
	TEXT("nameserver", REQUIRED, .min = 1, .max = 270),
	TEXT("protocol", WORDS("TCP", "UDP")),
	TEXT("tsigAlgorithm", .max = 64),
	TEXT("tsigKeyName", .max = 253),
	OBJECT("tsigSecretSecretRef", key_ref_members),
	END,
};

static const struct schema_node route53_members[] = {
	TEXT("region", .max = 63, .format = &format_label),
	TEXT("hostedZoneID", .max = 64),
	TEXT("accessKeyID", .max = 128, .format = &format_alnum),
	OBJECT("accessKeyIDSecretRef", key_ref_members),
	OBJECT("secretAccessKeySecretRef", key_ref_members, REQUIRED),
	TEXT("url", .max = 2048, .format = &format_http_url),
	REFUSED("role"),
	REFUSED("auth"),
	END,
};

static const struct schema_node webhook_members[] = {
	TEXT("url", .max = 2048, .format = &format_http_url),
	TEXT("caBundle", .format = &format_base64, .max = CA_BUNDLE_TEXT_MAX),
	OBJECT("tokenSecretRef", key_ref_members),
	TEXT("groupName", .max = 253),
	TEXT("solverName", .max = 253),
	ANY("config"),
	END,
};

static const struct schema_node server_item[] = {TEXT("[]", .max = 64, .format = &format_server)};

static const struct schema_node dns01_members[] = {
	TEXT("cnameStrategy", WORDS("None", "Follow")),
	LIST("nameservers", server_item, .max = 16),
	TEXT("propagationTimeout", .format = &format_duration),
	OBJECT("acmeDNS", acme_dns_members),
	OBJECT("cloudflare", cloudflare_members),
	OBJECT("exec", exec_members),
	OBJECT("rfc2136", rfc2136_members),
	OBJECT("route53", route53_members),
	OBJECT("webhook", webhook_members),
	REFUSED("akamai"),
	REFUSED("azureDNS"),
	REFUSED("cloudDNS"),
	REFUSED("digitalocean"),
	END,
};

static const struct schema_node label_item[] = {TEXT("[]", .format = &format_label_value)};

static const struct schema_node gateway_solver[] = {
	TEXT("serviceType", WORDS("", "ClusterIP", "NodePort")),
	MAP("labels", label_item, .format = &format_qualified),
	LIST("parentRefs", parent_ref_item, .max = 32),
	ANY("podTemplate"),
	END,
};

/* Manifests of clusters say "ingress" where no Gateway was there: the listeners answer just the
 * same. */
static const struct schema_node ingress_solver[] = {
	TEXT("serviceType", WORDS("", "ClusterIP", "NodePort")),
	TEXT("class"),
	TEXT("ingressClassName", .max = 253, .format = &format_subdomain),
	TEXT("name", .max = 253),
	ANY("podTemplate"),
	ANY("ingressTemplate"),
	END,
};

static const struct schema_node http01_members[] = {
	OBJECT("ingress", ingress_solver),
	OBJECT("gatewayHTTPRoute", gateway_solver),
	END,
};

static const struct schema_node zone_item[] = {
	TEXT("[]", .min = 1, .max = 253, .format = &format_exact_hostname)};

static const struct schema_node selector_members[] = {
	MAP("matchLabels", label_item, .format = &format_qualified),
	LIST("dnsNames", hostname_item),
	LIST("dnsZones", zone_item),
	END,
};

static const struct schema_node tls_alpn_members[] = {END};

const struct schema_node solver_members[] = {
	OBJECT("selector", selector_members),
	OBJECT("http01", http01_members),
	OBJECT("dns01", dns01_members),
	OBJECT("tlsALPN01", tls_alpn_members),
	TEXT("waitInsteadOfSelfCheck", .format = &format_duration),
	END,
};
static const struct schema_node solver_item[] = {OBJECT("[]", solver_members)};

static size_t given_of(const json_t *value, const char *const *members)
{
	size_t given = 0;

	for (size_t i = 0; members[i] != NULL; i++)
		given += json_member(value, members[i]) != NULL;
	return given;
}

static void validate_dns01(const json_t *dns01, struct where *where, struct causes *causes)
{
	static const char *const providers[] = {"acmeDNS",  "cloudflare",   "exec",   "rfc2136",
						"route53",  "webhook",      "akamai", "azureDNS",
						"cloudDNS", "digitalocean", NULL};
	size_t mark = where_to(where, ".dns01");
	size_t given = given_of(dns01, providers);

	if (given == 0)
		cause_required(causes, where->text,
			       "one of acmeDNS, cloudflare, exec, rfc2136, route53 or webhook");
	else if (given > 1)
		cause_forbidden(causes, where->text, "may not name more than one provider");
	where_back(where, mark);
}

void solver_validate(const json_t *solver, struct where *where, struct causes *causes)
{
	static const char *const types[] = {"http01", "dns01", "tlsALPN01", NULL};
	static const char *const ways[] = {"ingress", "gatewayHTTPRoute", NULL};
	const json_t *http01 = json_member(solver, "http01"), *dns01 = json_member(solver, "dns01");
	size_t given = given_of(solver, types);

	if (!json_is_object(solver))
		return;
	if (given == 0)
		cause_required(causes, where->text, "one of http01, dns01 or tlsALPN01");
	else if (given > 1)
		cause_forbidden(causes, where->text,
				"may not specify more than one solver type in a single solver");
	if (given_of(http01, ways) > 1) {
		size_t mark = where_to(where, ".http01");

		cause_forbidden(causes, where->text,
				"may hold ingress or gatewayHTTPRoute, not both");
		where_back(where, mark);
	}
	if (json_is_object(dns01))
		validate_dns01(dns01, where, causes);
}

/* ---- issuers ---- */

static const struct schema_node eab_members[] = {
	TEXT("keyID", REQUIRED, .min = 1),
	OBJECT("keySecretRef", key_ref_members, REQUIRED),
	TEXT("keyAlgorithm", WORDS("HS256", "HS384", "HS512")),
	END,
};

static bool is_https(struct str_view text)
{
	return sv_starts(text, SV("https://")) && format_url.is(text);
}

static const struct text_format format_directory = {
	is_https, "must be the https URL of an ACME directory (RFC 8555, section 6.1)"};

static const struct schema_node acme_members[] = {
	TEXT("server", REQUIRED, .min = 1, .max = 2048, .format = &format_directory),
	TEXT("email", .max = 320),
	TEXT("preferredChain", .max = 64),
	TEXT("profile", .max = 64),
	TEXT("caBundle", .format = &format_base64, .max = CA_BUNDLE_TEXT_MAX),
	BOOL("skipTLSVerify"),
	OBJECT("externalAccountBinding", eab_members),
	OBJECT("privateKeySecretRef", key_ref_members, REQUIRED),
	LIST("solvers", solver_item, .max = 64),
	BOOL("disableAccountKeyGeneration"),
	BOOL("enableDurationFeature"),
	TEXT("renewalInformationSource", WORDS("ARI", "None")),
	END,
};

static const struct schema_node issuer_url_item[] = {
	TEXT("[]", .min = 1, .max = 2048, .format = &format_url)};

static const struct schema_node ca_members[] = {
	TEXT("secretName", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	LIST("crlDistributionPoints", issuer_url_item, .max = 16),
	LIST("ocspServers", issuer_url_item, .max = 16),
	LIST("issuingCertificateURLs", issuer_url_item, .max = 16),
	END,
};

static const struct schema_node self_signed_members[] = {
	LIST("crlDistributionPoints", issuer_url_item, .max = 16),
	END,
};

static const struct schema_node issuer_spec[] = {
	OBJECT("acme", acme_members),
	OBJECT("ca", ca_members),
	OBJECT("selfSigned", self_signed_members),
	REFUSED("vault"),
	REFUSED("venafi"),
	END,
};

const struct schema_node issuer_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", issuer_spec, REQUIRED),
	KIND_STATUS,
	END,
};

static bool holds_pem(struct str_view base64)
{
	struct buf bytes;
	bool found;

	buf_init(&bytes, CA_BUNDLE_MAX);
	found = dec_base64(&bytes, base64) &&
		sv_find_sv(buf_view(&bytes), SV("-----BEGIN CERTIFICATE-----")) != SV_NOT_FOUND;
	buf_deinit(&bytes);
	return found;
}

static void validate_acme(const json_t *acme, struct causes *causes)
{
	const json_t *bundle = json_member(acme, "caBundle");
	const json_t *solvers = json_member(acme, "solvers");

	if (json_string_length(bundle) > 0 && format_base64.is(text_of(bundle)) &&
	    !holds_pem(text_of(bundle)))
		cause_invalid(causes, "spec.acme.caBundle", NULL,
			      "must be base64 of one or more certificates in PEM form");
	if (json_string_length(bundle) > 0 && json_bool_at(acme, "skipTLSVerify", false))
		cause_forbidden(causes, "spec.acme.skipTLSVerify",
				"caBundle and skipTLSVerify cannot both be set");
	for (size_t i = 0; i < json_array_size(solvers) && i < SCHEMA_LIST_MAX; i++) {
		struct where where = {0};

		where_to(&where, "spec.acme.solvers[%zu]", i);
		solver_validate(json_array_get(solvers, i), &where, causes);
	}
}

void issuer_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	static const char *const types[] = {"acme", "ca", "selfSigned", "vault", "venafi", NULL};
	const json_t *spec = json_member(object, "spec");
	const json_t *acme = json_member(spec, "acme");
	size_t given = given_of(spec, types);

	(void)old;
	if (json_is_object(spec) && given == 0)
		cause_required(causes, "spec", "one of acme, ca or selfSigned");
	else if (given > 1)
		cause_forbidden(causes, "spec", "may not specify more than one issuer type");
	if (json_is_object(acme))
		validate_acme(acme, causes);
}

/* The CA decides what it takes; what no mail can reach it never does. */
static bool is_mailbox(struct str_view text)
{
	size_t at = sv_find(text, '@');

	return at != SV_NOT_FOUND && at > 0 && sv_find(text, ' ') == SV_NOT_FOUND &&
	       sv_find(sv_skip(text, at + 1), '@') == SV_NOT_FOUND &&
	       name_is_dns_subdomain(sv_skip(text, at + 1));
}

void issuer_remark(const json_t *object, json_t *warnings)
{
	struct str_view email = json_sv_at(object, "spec.acme.email");

	if (email.len > 0 && !is_mailbox(email))
		json_array_append_new(warnings,
				      json_fmt("spec.acme.email: \"%.*s\" is no mail address: most "
					       "CAs refuse the account",
					       SV_ARG(email)));
}

/* ---- references to an issuer ---- */

const struct schema_node issuer_ref_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	TEXT("kind", .max = 63),
	TEXT("group", .max = 253),
	END,
};

void issuer_ref_validate(const json_t *ref, struct causes *causes)
{
	const json_t *kind = json_member(ref, "kind"), *group = json_member(ref, "group");
	struct str_view kind_text = text_of(kind), group_text = text_of(group);

	if (group_text.len > 0 && !sv_eq(group_text, SV("cert-manager.io")))
		cause_invalid(causes, "spec.issuerRef.group", group,
			      "must be cert-manager.io (or absent)");
	else if (kind_text.len > 0 && !sv_eq(kind_text, SV("Issuer")) &&
		 !sv_eq(kind_text, SV("ClusterIssuer")))
		cause_invalid(causes, "spec.issuerRef.kind", kind,
			      "must be Issuer or ClusterIssuer");
}

/* ---- table ---- */

CELL_CONDITION(issuer_ready, "Ready", "status")
CELL_CONDITION(issuer_message, "Ready", "message")

const struct column issuer_columns[2] = {
	{.name = "Ready", .type = "string", .cell = issuer_ready},
	{.name = "Status", .type = "string", .priority = 1, .cell = issuer_message},
};
