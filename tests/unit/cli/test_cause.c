/* tests/unit/cli/test_cause.c - cli/cause.c: every cause is recognised by what the daemon writes */
#include "cli/cause.h"

#include "base/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PROBE "a.test resolves to 192.0.2.7, where something else answers on port 80 (HTTP "
#define PROBE_END                                                                                 \
	": forward port 80 of that address to an HTTP listener of this host, or correct the DNS " \
	"record"
#define PROBE_2                                                                                \
	"a.test resolves to 192.0.2.7 (one of its 2 addresses), where something else answers " \
	"on port 80 (HTTP "
#define UNBOUND                                                                                    \
	", an address of this host that no HTTP listener is bound to: let a Gateway listen there " \
	"with protocol HTTP, or correct the DNS record"
#define NO_LISTENER                                                                          \
	"self-check: no HTTP listener is programmed, and HTTP-01 is answered by one: add a " \
	"listener with protocol HTTP on port 80 to a Gateway"
#define TIMEOUT                                                                                   \
	"192.0.2.7: Fetching http://a.test/.well-known/acme-challenge/x: Timeout during connect " \
	"(likely firewall problem)"

static void test_causes(void **state)
{
	static const struct {
		const char *name;
		const char *reason, *words, *besides;
		const char *want; /* NULL: no cause */
	} cases[] = {
		{"nothing is known", "Failed", "something happened", NULL, NULL},
		{"no words", "", "", NULL, NULL},
		{"firewall", "Connection", TIMEOUT, NULL, "firewall"},
		{"firewall, refused", "Connection",
		 "192.0.2.7: Fetching http://a.test/x: Connection refused", NULL, "firewall"},
		{"a time is no IPv6 address", "Connection", "at 05:10:37Z: connection reset", NULL,
		 "firewall"},
		{"port 80 is held", "SelfCheckFailed", NO_LISTENER,
		 "cannot listen on 0.0.0.0:80: the port is in use by nginx (pid 7); stop it, or",
		 "port-taken"},
		{"port 80 is held, as the CA sees it", "Connection", TIMEOUT,
		 "cannot listen on 0.0.0.0:80: the port is in use by another process",
		 "port-taken"},
		{"router without forward", "Connection", TIMEOUT,
		 "a.test resolves to 192.0.2.7, which this host cannot reach on port 80 itself "
		 "(timed "
		 "out): harmless behind a router that does not lead back its own public address",
		 "router"},
		{"stale AAAA, found here", "SelfCheckFailed",
		 "self-check: a.test resolves to 2001:db8::7, where something else answers on port "
		 "80 "
		 "(HTTP 404)" PROBE_END,
		 NULL, "stale-aaaa"},
		{"stale AAAA of this host", "SelfCheckFailed",
		 "a.test resolves to ::1 (one of its 2 addresses)" UNBOUND, NULL, "stale-aaaa"},
		{"stale AAAA, found by the CA", "Unauthorized",
		 "2001:db8:1:2:3:4:5:6: Invalid response from http://a.test/x: 404", NULL,
		 "stale-aaaa"},
		{"stale AAAA, no connection", "Connection",
		 "2001:db8::9: Fetching http://a.test/x: Connection refused", NULL, "stale-aaaa"},
		{"one of two A records is foreign", "SelfCheckFailed", PROBE_2 "200)" PROBE_END,
		 NULL, "foreign-a"},
		{"one of two A records is not bound", "SelfCheckFailed",
		 "a.test resolves to 192.0.2.8 (one of its 2 addresses)" UNBOUND, NULL,
		 "foreign-a"},
		{"the only A record is foreign", "SelfCheckFailed", PROBE "200, nginx)" PROBE_END,
		 NULL, "other-server"},
		{"the only A record is not bound", "SelfCheckFailed",
		 "a.test resolves to 192.0.2.8" UNBOUND, NULL, "unbound"},
		{"CDN in front, by its header", "SelfCheckFailed",
		 PROBE "403, cloudflare)" PROBE_END, NULL, "cdn"},
		{"CDN in front, one of several addresses", "SelfCheckFailed",
		 PROBE_2 "403, CloudFront)" PROBE_END, NULL, "cdn"},
		{"CDN in front, by its page", "Unauthorized",
		 "2001:db8::7: Invalid response from https://a.test/x: \"<html><title>Attention "
		 "Required! | Cloudflare\"",
		 NULL, "cdn"},
		{"name missing", "SelfCheckFailed",
		 "self-check: a.test does not exist in DNS: make an A or AAAA record that points "
		 "to "
		 "this host",
		 NULL, "no-name"},
		{"name without address", "SelfCheckFailed",
		 "a.test has no address in DNS: make an A or AAAA record that points to this host",
		 NULL, "no-name"},
		{"name missing, as the CA says", "Dns",
		 "DNS problem: NXDOMAIN looking up A for a.test - check that a DNS record exists",
		 NULL, "no-name"},
		{"name servers fail", "SelfCheckFailed",
		 "the name servers of a.test fail (SERVFAIL), and will fail the CA as well", NULL,
		 "dns"},
		{"name servers fail the CA", "Dns", "DNS problem: query timed out looking up A",
		 NULL, "dns"},
		{"CAA forbids", "Caa", "CAA record for a.test prevents issuance", NULL, "caa"},
		{"clock wrong", "NotYetValid",
		 "the new certificate is valid from 2030-01-01T00:00:00Z and is served from then "
		 "on: is "
		 "this host's clock right?",
		 NULL, "clock"},
		{"clock wrong, at the CA's door", "TLSVerificationFailed",
		 "directory: certificate is not yet valid", NULL, "clock"},
		{"clock wrong, in the future", "TLSVerificationFailed",
		 "directory: SSL certificate problem: certificate has expired", NULL, "clock"},
		{"rate limit", "RateLimited",
		 "newOrder: too many certificates (5) already issued (HTTP 429, rateLimited)", NULL,
		 "rate-limit"},
		{"HTTPS-only Gateway", "SelfCheckFailed", NO_LISTENER, NULL, "https-only"},
		{"wrong EAB", "ExternalAccountBindingRefused", "newAccount: unknown key", NULL,
		 "eab"},
		{"no EAB", "ExternalAccountRequired", "newAccount: customers only", NULL, "eab"},
		{"EAB whose Secret is not there", "MissingSecret",
		 "spec.acme.externalAccountBinding: Secret sallyport-system/eab has no value \"x\"",
		 NULL, "eab"},
		{"directory URL wrong", "InvalidDirectory", "directory: HTTP 404", NULL,
		 "directory"},
		{"CA's certificate untrusted", "TLSVerificationFailed",
		 "directory: self-signed certificate in certificate chain", NULL, "untrusted"},
		{"account deactivated", "AccountDeactivated",
		 "the account is deactivated at the CA", NULL, "account"},
		{"terms changed", "UserActionRequired", "newOrder: agree at https://ca.test", NULL,
		 "terms"},
		{"wildcard with HTTP-01", "Failed",
		 "*.a.test: a wildcard name can only be validated by DNS-01, and the solver of ca "
		 "for "
		 "this name is http01: add a dns01 solver to spec.acme.solvers, or name each host",
		 NULL, "wildcard"},
		{"name refused by policy", "RejectedIdentifier",
		 "newOrder: the name is on a list of high-risk names", NULL, "policy"},
		{"an address that the CA does not sign", "UnsupportedIdentifier", "newOrder: ip",
		 NULL, "policy"},
		{"no solver matches", "Failed",
		 "a.test: no solver of ClusterIssuer ca is for this name: change a selector, or "
		 "add a "
		 "solver without one (spec.acme.solvers)",
		 NULL, "no-solver"},
		{"the CA offers another type", "Failed",
		 "the CA offers no http-01 challenge for a.test, but only: dns-01; the solver of "
		 "ca for "
		 "this name is http01: add one of a type that is offered (spec.acme.solvers)",
		 NULL, "no-solver"},
		{"BIND refuses the update", "DNS01Pending",
		 "DNS-01 of a.test: rfc2136: 192.0.2.1:53 refuses to change _acme-challenge.a.test "
		 "in zone a.test (REFUSED): allow key \"k\" to update TXT records there",
		 NULL, "dns01-denied"},
		{"the token may not", "DNS01Pending",
		 "DNS-01 of a.test: cloudflare: the zone: HTTP 403: Authentication error", NULL,
		 "dns01-denied"},
		{"the key may not", "PresentError",
		 "route53: the change: HTTP 403: AccessDenied: not authorized", NULL,
		 "dns01-denied"},
		{"another answer of the web is not a provider's", "SelfCheckFailed",
		 PROBE "403)" PROBE_END, NULL, "other-server"},
		{"TSIG, secret", "PresentError",
		 "rfc2136: 192.0.2.1:53: the secret of the key \"k\" is not the server's (BADSIG)",
		 NULL, "dns01-tsig"},
		{"TSIG, name", "PresentError",
		 "rfc2136: 192.0.2.1:53: the server does not know the key \"k\" with hmac-sha256 "
		 "(BADKEY)",
		 NULL, "dns01-tsig"},
		{"TSIG, clock", "PresentError",
		 "rfc2136: 192.0.2.1:53: the clocks of this host and of the server are more than "
		 "300 s apart (BADTIME)",
		 NULL, "clock"},
		{"zone of another account", "PresentError",
		 "cloudflare: the account has no zone a.test: may the token read it (Zone:Read, "
		 "DNS:Edit)?",
		 NULL, "dns01-zone"},
		{"zone of another server", "PresentError",
		 "rfc2136: 192.0.2.1:53 does not hold zone a.test as its primary (NOTAUTH): is "
		 "nameserver the right one?",
		 NULL, "dns01-zone"},
		{"zone that is not delegated", "PresentError",
		 "rfc2136: no name server could say which zone holds a.test (SOA): is the domain "
		 "registered and delegated, and do --dns-servers see it?",
		 NULL, "dns01-zone"},
		{"a secondary is behind", "PropagationTimeout",
		 "_acme-challenge.a.test is not shown by all servers of its zone yet: ns2.a.test: "
		 "the record is not there",
		 NULL, "dns01-missing"},
		{"the script has failed", "PresentError",
		 "exec: dns.sh: exit status 1; it said: no such zone", NULL, "dns01-script"},
		{"the script is another's", "PresentError",
		 "exec: /etc/sallyport/hooks/dns.sh belongs to uid 1000: scripts that are run must "
		 "belong to root, and so must every folder above them",
		 NULL, "dns01-script"},
		{"another answer", "Unauthorized",
		 "192.0.2.7: Invalid response from http://a.test/x", NULL, "wrong-answer"},
		{"no issuer", "Pending",
		 "Referenced issuer not found: Issuer ca does not exist yet", NULL, "no-issuer"},
		{"shared Secret", "IncorrectCertificate",
		 "Secret s belongs to Certificate \"a\": give one of the two another "
		 "spec.secretName",
		 NULL, "shared-secret"},
		{"the CA's name does not resolve", "ErrRegisterACMEAccount",
		 "directory: ca.test: no such host", NULL, "unreachable"},
		{"trouble of the CA's", "ServerInternal", "finalize: down (HTTP 500)", NULL,
		 "server-down"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct findings findings = {.count = 0};
		const struct finding *by = NULL;
		const struct cause *cause;

		findings_add(&findings, sv_from(cases[i].reason), sv_from(cases[i].words));
		findings_add(&findings, SV("Other"), sv_from(cases[i].besides));
		cause = cause_of(&findings, &by);
		if ((cause == NULL) != (cases[i].want == NULL) ||
		    (cause != NULL && strcmp(cause->id, cases[i].want) != 0))
			fail_msg("%s: %s", cases[i].name, cause == NULL ? "none" : cause->id);
		if (cause != NULL && by != &findings.list[0])
			fail_msg("%s: by another finding", cases[i].name);
	}
}

/* What failed last decides, not what is certain and long ago. */
static void test_the_nearest_decides(void **state)
{
	struct findings findings = {.count = 0};
	const struct finding *by = NULL;
	const struct cause *cause;

	(void)state;
	findings_add(&findings, SV("Issuing"), SV("nothing that is known"));
	findings_add(&findings, SV("Connection"), SV("192.0.2.7: Connection refused"));
	findings_add(&findings, SV("RateLimited"), SV("an hour ago"));
	cause = cause_of(&findings, &by);
	assert_non_null(cause);
	assert_string_equal(cause->id, "firewall");
	assert_ptr_equal(by, &findings.list[1]);
}

static void test_findings_end(void **state)
{
	struct findings findings = {.count = 0};

	(void)state;
	for (int i = 0; i < 2 * FINDINGS_MAX; i++)
		findings_add(&findings, SV("a"), SV("b"));
	assert_int_equal(findings.count, FINDINGS_MAX);
}

/* Each row says what to do, and can be recognised. */
static void test_rows(void **state)
{
	size_t count;
	const struct cause *rows = cause_rows(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct cause *row = &rows[i];

		if (row->id == NULL || row->cause == NULL || row->fix == NULL ||
		    (row->reason == NULL && row->words[0] == NULL && row->any == NULL))
			fail_msg("row %zu (%s)", i, row->id == NULL ? "?" : row->id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_the_nearest_decides),
		cmocka_unit_test(test_findings_end),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
