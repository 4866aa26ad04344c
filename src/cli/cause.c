/* cli/cause.c - the causes of a missing certificate */
#include "cli/cause.h"

#include "base/own.h"

#include <arpa/inet.h>

/* What servers of content delivery networks call themselves, in headers and pages. */
static const char *const cdns[] = {"cloudflare", "cloudfront", "akamai",    "fastly",
				   "sucuri",     "imperva",    "incapsula", "bunnycdn",
				   "varnish",    "edgecast",   "stackpath", NULL};
static const char *const tls_clock[] = {"not yet valid", "has expired", NULL};
static const char *const no_name[] = {"nxdomain",
				      "no valid a records",
				      "no such host",
				      "does not exist in dns",
				      "has no address in dns",
				      NULL};

/* Of DNS-01, by what providers and name servers say. */
static const char *const http_denied[] = {"HTTP 401", "HTTP 403", NULL};
static const char *const tsig_refused[] = {"(BADSIG)",
					   "(BADKEY)",
					   "the server refuses the signature",
					   "its signature is wrong",
					   "it is signed with another key",
					   "it is signed by",
					   NULL};
static const char *const tsig_clock[] = {"(BADTIME)", "away from this host's clock", NULL};
static const char *const wrong_zone[] = {"the account has no zone",
					 "the account has no hosted zone", "as its primary (",
					 "no name server could say which zone holds", NULL};
static const char *const script_failed[] = {"exit status", "killed by signal", "no end within",
					    "not started", NULL};
static const char *const script_barred[] = {"scripts that are run must belong to root",
					    "may be written by others than its owner",
					    "this daemon runs no scripts", NULL};

#define OTHER_SERVER "where something else answers on port 80"
#define UNBOUND      "that no HTTP listener is bound to"
#define NO_LISTENER  "no HTTP listener is programmed"
#define ONE_OF       "(one of its "
#define UNREACHED    "this host cannot reach on port 80 itself"

#define FIX_AAAA                                                                                   \
	"Remove the AAAA record or correct it; or let a Gateway listen on IPv6 as well, and open " \
	"port 80 there. CAs try IPv6 first."
#define FIX_ONE_OF                                                                               \
	"Take the address that is not this host's out of the name's A and AAAA records: the CA " \
	"may look at any of them."
#define FIX_CDN                                                                                   \
	"Let the CDN pass /.well-known/acme-challenge/ on to port 80 of this host, without a "    \
	"redirect to HTTPS or a check of the visitor; or set the record to 'DNS only' until the " \
	"certificate is there; or use a dns01 solver."
#define CAUSE_DENIED "The DNS provider refuses the credentials of the dns01 solver."
#define FIX_DENIED                                                                           \
	"Give the token or key the right to read the zone and to edit its TXT records, see " \
	"that it has not expired, and put it into the Secret that the solver names."
#define FIX_EAB                                                                          \
	"Copy key ID and HMAC key anew from the CA's page into keyID and the Secret of " \
	"spec.acme.externalAccountBinding; many CAs let each pair be used once."

/* The first that fits is taken: what is certain stands before what is likely, and what is about the
 * CA's server before what is about a name. */
static const struct cause causes[] = {
	{.id = "clock",
	 .reason = "NotYetValid",
	 .cause = "The clock of this host is wrong: the new certificate is not valid yet by it.",
	 .fix = "Set the clock (timedatectl; systemctl status systemd-timesyncd). The certificate "
		"is served as soon as its time has come."},
	{.id = "clock",
	 .reason = "TLSVerificationFailed",
	 .any = tls_clock,
	 .cause = "The CA's own HTTPS certificate is outside its dates by the clock of this host.",
	 .fix = "Compare the clock with another (timedatectl) and set it; when it is right, the CA "
		"has let its certificate expire."},
	{.id = "untrusted",
	 .reason = "TLSVerificationFailed",
	 .cause = "The CA's own HTTPS certificate is signed by nobody this host trusts.",
	 .fix = "For a CA of your own put its root certificate into spec.acme.caBundle of the "
		"issuer; for a public one install ca-certificates, and see that no proxy stands "
		"between."},
	{.id = "directory",
	 .reason = "InvalidDirectory",
	 .cause = "spec.acme.server of the issuer is not the URL of an ACME directory.",
	 .fix = "Correct the URL; Let's Encrypt's is "
		"https://acme-v02.api.letsencrypt.org/directory."},
	{.id = "unreachable",
	 .reason = "ErrRegisterACMEAccount",
	 .cause = "The CA's server cannot be reached from this host.",
	 .fix = "Look at this host's way out: name servers (resolvectl), routes, and a firewall "
		"that lets HTTPS out. It is tried again by itself."},
	{.id = "eab",
	 .reason = "ExternalAccountBindingRefused",
	 .cause = "The CA refuses the external account binding: key ID or HMAC key is wrong or "
		  "used up.",
	 .fix = FIX_EAB},
	{.id = "eab",
	 .reason = "ExternalAccountRequired",
	 .cause = "The CA makes accounts only for its customers, with an external account binding.",
	 .fix = "Get a key ID and an HMAC key from the CA and name them in "
		"spec.acme.externalAccountBinding of the issuer."},
	{.id = "eab",
	 .words = {"externalAccountBinding", "Secret"},
	 .cause = "The key of the external account binding is not there, or is not what the CA "
		  "gave.",
	 .fix = FIX_EAB},
	{.id = "account",
	 .reason = "AccountDeactivated",
	 .cause = "The account at the CA is deactivated, by you or by the CA.",
	 .fix = "For a new one take away the annotation sallyport.dev/account-deactivate, if there "
		"is one, and delete the Secret of spec.acme.privateKeySecretRef, or name another."},
	{.id = "terms",
	 .reason = "UserActionRequired",
	 .cause = "The CA's terms of service changed and must be agreed to.",
	 .fix = "Read them at the URL that the CA names, and agree there."},
	{.id = "wildcard",
	 .words = {"a wildcard name can only be validated by DNS-01"},
	 .cause = "A wildcard name cannot be proved over HTTP.",
	 .fix = "Add a dns01 solver for it to spec.acme.solvers of the issuer, or name each host "
		"instead."},
	{.id = "no-solver",
	 .words = {"no solver of", "is for this name"},
	 .cause = "No solver of the issuer is for this name: each has a selector that leaves it "
		  "out.",
	 .fix = "Change a selector in spec.acme.solvers (dnsNames, dnsZones, matchLabels), or add "
		"a solver without one."},
	{.id = "no-solver",
	 .words = {"spec.acme.solvers", "the solver of"},
	 .cause = "The solver that is chosen for this name cannot prove it at this CA.",
	 .fix = "Add a solver of a type that the CA offers to spec.acme.solvers."},
	{.id = "clock",
	 .any = tsig_clock,
	 .cause = "The clocks of this host and of the name server that is updated differ.",
	 .fix = "Set the clock (timedatectl) of whichever is wrong; signed updates allow 5 "
		"minutes."},
	{.id = "dns01-tsig",
	 .any = tsig_refused,
	 .cause = "The name server does not take the TSIG key of the rfc2136 solver.",
	 .fix = "Compare tsigKeyName, tsigAlgorithm and the Secret's value with the key in the "
		"server's configuration: all three must be the same."},
	{.id = "dns01-denied",
	 .words = {"refuses to change", "(REFUSED)"},
	 .cause = "The name server lets this key, or this host, change nothing in the zone.",
	 .fix = "Allow the key to update TXT records there (BIND: update-policy { grant KEY "
		"zonesub TXT; };)."},
	{.id = "dns01-denied",
	 .words = {"cloudflare: "},
	 .any = http_denied,
	 .cause = CAUSE_DENIED,
	 .fix = FIX_DENIED},
	{.id = "dns01-denied",
	 .words = {"route53: "},
	 .any = http_denied,
	 .cause = CAUSE_DENIED,
	 .fix = FIX_DENIED},
	{.id = "dns01-denied",
	 .words = {"acmeDNS: "},
	 .any = http_denied,
	 .cause = CAUSE_DENIED,
	 .fix = FIX_DENIED},
	{.id = "dns01-denied",
	 .words = {"webhook: "},
	 .any = http_denied,
	 .cause = CAUSE_DENIED,
	 .fix = FIX_DENIED},
	{.id = "dns01-zone",
	 .any = wrong_zone,
	 .cause = "The zone of the TXT record is not where the dns01 solver looks for it.",
	 .fix = "Look at the zone that the message names: is it the account's, or does nameserver "
		"hold it as its primary, and is it delegated? A selector (dnsZones) gives each "
		"zone a solver of its own."},
	{.id = "dns01-script",
	 .words = {"exec: "},
	 .any = script_barred,
	 .cause = "The script of the exec solver may not be run.",
	 .fix = "It must stand in /etc/sallyport/hooks, belong to root with all folders above it, "
		"and be writable by nobody else (chown root, chmod go-w)."},
	{.id = "dns01-script",
	 .words = {"exec: "},
	 .any = script_failed,
	 .cause = "The script of the exec solver has failed.",
	 .fix = "Its last words stand in the message; run it by hand as the daemon's user with "
		"the same arguments."},
	{.id = "dns01-missing",
	 .words = {"is not shown by all servers of its zone yet"},
	 .cause = "The TXT record is made, and some name servers of the zone do not have it.",
	 .fix = "See that those servers take the zone over (NOTIFY, serial number), or take them "
		"out of the delegation; for slow providers set propagationTimeout of the solver."},
	{.id = "policy",
	 .reason = "RejectedIdentifier",
	 .cause = "The CA does not sign for this name: its policy or a block list forbids it.",
	 .fix = "Look for a mistake in the name; else ask the CA, or use an issuer of another CA."},
	{.id = "policy",
	 .reason = "UnsupportedIdentifier",
	 .cause = "The CA signs no names of this kind (many sign no IP addresses, or only with a "
		  "profile).",
	 .fix = "Use a host name, or an issuer whose CA signs addresses."},
	{.id = "caa",
	 .reason = "Caa",
	 .cause = "A CAA record in DNS forbids this CA to sign for the name.",
	 .fix = "Add the CA to the CAA records of the name or of the domain above it (for Let's "
		"Encrypt: 0 issue \"letsencrypt.org\"), or remove them."},
	{.id = "rate-limit",
	 .reason = "RateLimited",
	 .cause = "The CA's limit is reached: too many certificates, or too many failures.",
	 .fix = "Wait: it is tried again by itself when the CA allows it. Mend what made orders "
		"fail; try things out at the CA's staging server."},
	{.id = "port-taken",
	 .words = {NO_LISTENER},
	 .besides = "the port is in use by",
	 .cause = "Another server of this host has port 80, so that no HTTP listener can have it.",
	 .fix = "Stop that server (systemctl disable --now NAME) or give it another port, and put "
		"it behind a route; the daemon takes the port by itself then."},
	{.id = "https-only",
	 .words = {NO_LISTENER},
	 .cause = "HTTP-01 is answered by an HTTP listener, and no Gateway has one.",
	 .fix = "Add a listener with protocol HTTP on port 80 to a Gateway; its routes may "
		"redirect "
		"everything to HTTPS, since challenges come first. Or use a tlsALPN01 or dns01 "
		"solver."},
	{.id = "cdn",
	 .words = {OTHER_SERVER},
	 .any = cdns,
	 .cause = "A CDN stands in front of the name and answers the challenge itself.",
	 .fix = FIX_CDN},
	{.id = "cdn",
	 .reason = "Unauthorized",
	 .any = cdns,
	 .cause = "A CDN stands in front of the name and answered the CA itself.",
	 .fix = FIX_CDN},
	{.id = "cdn",
	 .reason = "Connection",
	 .any = cdns,
	 .cause = "A CDN stands in front of the name and does not pass the challenge on.",
	 .fix = FIX_CDN},
	{.id = "stale-aaaa",
	 .words = {OTHER_SERVER},
	 .ipv6 = true,
	 .cause = "The AAAA record of the name leads to another server.",
	 .fix = FIX_AAAA},
	{.id = "stale-aaaa",
	 .words = {UNBOUND},
	 .ipv6 = true,
	 .cause = "The name has an AAAA record, and nothing listens on that IPv6 address.",
	 .fix = FIX_AAAA},
	{.id = "stale-aaaa",
	 .reason = "Connection",
	 .ipv6 = true,
	 .cause = "The CA went to the AAAA record of the name and could not connect there.",
	 .fix = FIX_AAAA},
	{.id = "stale-aaaa",
	 .reason = "Unauthorized",
	 .ipv6 = true,
	 .cause = "The CA went to the AAAA record of the name, and another server answered there.",
	 .fix = FIX_AAAA},
	{.id = "foreign-a",
	 .words = {OTHER_SERVER, ONE_OF},
	 .cause = "One of the addresses of the name belongs to another server.",
	 .fix = FIX_ONE_OF},
	{.id = "foreign-a",
	 .words = {UNBOUND, ONE_OF},
	 .cause = "One of the addresses of the name is this host's, and nothing listens there.",
	 .fix = "Let a Gateway listen on that address with protocol HTTP, or take it out of the "
		"name's records."},
	{.id = "other-server",
	 .words = {OTHER_SERVER},
	 .cause = "The name leads to another server: the DNS record has another address, or a "
		  "router sends port 80 to another machine.",
	 .fix = "Correct the record, or forward port 80 of that address to this host."},
	{.id = "unbound",
	 .words = {UNBOUND},
	 .cause = "The name leads to an address of this host on which no HTTP listener is bound.",
	 .fix = "Let a Gateway listen there with protocol HTTP (spec.addresses), or correct the "
		"record."},
	{.id = "no-name",
	 .any = no_name,
	 .cause = "The name does not exist in DNS, or has no address.",
	 .fix = "Make an A or AAAA record that points to this host; mind that names change slowly "
		"(an answer 'no such name' is kept for minutes to hours)."},
	{.id = "dns",
	 .words = {"(SERVFAIL)"},
	 .cause = "The name servers of the domain fail.",
	 .fix = "Look at the zone and at its DNSSEC (delv NAME; https://dnsviz.net)."},
	{.id = "dns",
	 .reason = "Dns",
	 .cause = "The CA could not resolve the name.",
	 .fix = "Look at the zone, at all of its name servers and at its DNSSEC, from outside."},
	{.id = "router",
	 .reason = "Connection",
	 .besides = UNREACHED,
	 .cause =
		 "The name leads to a router in front of this host, which does not pass port 80 on "
		 "to it.",
	 .fix = "Forward TCP port 80 of the router's public address to this host (NAT, 'port "
		"forwarding'); if the provider shares the address among customers or blocks port "
		"80, use a dns01 solver."},
	{.id = "port-taken",
	 .reason = "Connection",
	 .besides = "the port is in use by",
	 .cause = "Another server of this host has port 80, so that no HTTP listener can have it.",
	 .fix = "Stop that server (systemctl disable --now NAME) or give it another port."},
	{.id = "firewall",
	 .reason = "Connection",
	 .cause = "The CA cannot connect to port 80 of the name: a firewall is in the way, or the "
		  "record has an old address.",
	 .fix = "Open TCP port 80 to everybody, on this host (nft list ruleset) and in the "
		"provider's security groups, also for IPv6; CAs look from several places. Check "
		"the record."},
	{.id = "wrong-answer",
	 .reason = "Unauthorized",
	 .cause = "The CA got another answer than the challenge: the name leads to another server.",
	 .fix = "Correct the record, or what stands between: a proxy or router that sends port 80 "
		"elsewhere."},
	{.id = "wrong-answer",
	 .reason = "IncorrectResponse",
	 .cause = "The CA got another answer than the challenge: the name leads to another server.",
	 .fix = "Correct the record, or what stands between: a proxy or router that sends port 80 "
		"elsewhere."},
	{.id = "no-issuer",
	 .words = {"Referenced issuer not found"},
	 .cause = "The issuer that the Certificate names does not exist.",
	 .fix = "Apply it, or correct spec.issuerRef: kind is Issuer (of the same namespace) when "
		"it is left out."},
	{.id = "shared-secret",
	 .words = {"belongs to Certificate"},
	 .cause = "Two Certificates want the same Secret.",
	 .fix = "Give one of them another spec.secretName."},
	{.id = "server-down",
	 .reason = "ServerInternal",
	 .cause = "The CA has trouble of its own.",
	 .fix = "Wait: it is tried again by itself. The CA's status page tells more."},
};

const struct cause *cause_rows(size_t *count)
{
	*count = ARRAY_LEN(causes);
	return causes;
}

void findings_add(struct findings *findings, struct str_view reason, struct str_view words)
{
	if (reason.len + words.len == 0 || findings->count == FINDINGS_MAX)
		return;
	findings->list[findings->count++] = (struct finding){reason, words};
}

/* ---- does a row fit? ---- */

static bool has_nocase(struct str_view text, struct str_view what)
{
	for (; text.len >= what.len; text = sv_skip(text, 1)) {
		if (sv_eq_nocase(sv_head(text, what.len), what))
			return true;
	}
	return false;
}

static bool has_any(struct str_view text, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (has_nocase(text, sv_from(*words)))
			return true;
	}
	return false;
}

static bool is_address_byte(char c)
{
	return ascii_is_digit(c) || c == ':' || c == '.' ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool is_ipv6(struct str_view token)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	while (token.len > 0 && (token.data[token.len - 1] == '.' ||
				 (token.data[token.len - 1] == ':' &&
				  (token.len < 2 || token.data[token.len - 2] != ':'))))
		token.len--;
	if (token.len < 3 || token.len >= sizeof(text))
		return false;
	memcpy(text, token.data, token.len);
	text[token.len] = '\0';
	return inet_pton(AF_INET6, text, bytes) == 1;
}

static bool has_ipv6(struct str_view text)
{
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && is_address_byte(text.data[i]))
			continue;
		if (is_ipv6(sv_new(text.data + start, i - start)))
			return true;
		start = i + 1;
	}
	return false;
}

static bool fits(const struct cause *row, const struct finding *finding)
{
	if (row->reason != NULL && !sv_eq(finding->reason, sv_from(row->reason)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(row->words); i++) {
		if (row->words[i] != NULL &&
		    sv_find_sv(finding->words, sv_from(row->words[i])) == SV_NOT_FOUND)
			return false;
	}
	return (row->any == NULL || has_any(finding->words, row->any)) &&
	       (!row->ipv6 || has_ipv6(finding->words));
}

static bool stands_besides(const struct cause *row, const struct findings *findings)
{
	if (row->besides == NULL)
		return true;
	for (size_t i = 0; i < findings->count; i++) {
		if (sv_find_sv(findings->list[i].words, sv_from(row->besides)) != SV_NOT_FOUND)
			return true;
	}
	return false;
}

static const struct cause *row_of(const struct findings *findings, const struct finding *finding)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
		if (fits(&causes[i], finding) && stands_besides(&causes[i], findings))
			return &causes[i];
	}
	return NULL;
}

const struct cause *cause_of(const struct findings *findings, const struct finding **by)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct cause *cause = row_of(findings, &findings->list[i]);

		if (cause == NULL)
			continue;
		*by = &findings->list[i];
		return cause;
	}
	return NULL;
}
