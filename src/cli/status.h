/* cli/status.h - what status shows, as one value, and as text that fits 80 columns
 *
 * Pure but for the verb: a report is made of lists of objects and the time.
 *     {"state": "ok|degraded|critical", "listeners": […], "routes": […], "certificates": […],
 *      "problems": [{"severity": …, "object": …, "message": …}]}
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "base/buf.h"
#include "cli/out.h"
#include "codec/json.h"

enum severity { SEVERITY_OK, SEVERITY_DEGRADED, SEVERITY_CRITICAL };

/* Arrays of objects, borrowed; NULL: there are none. */
struct status_lists {
	const json_t *gateways;
	const json_t *routes; /* of all kinds of routes */
	const json_t *certificates;
	const json_t *issuers; /* ClusterIssuers too */
	const json_t *events;
	const char *not_ready; /* what /readyz says against it; NULL: nothing */
};

/* New value. now: wall clock, seconds. */
json_t *status_report(const struct status_lists *lists, int64_t now);
enum severity status_severity(const json_t *report);
/* A report of nothing but one critical problem. New value. */
json_t *status_down(const char *why);

void status_print(struct out *out, const json_t *report, int64_t now);
/* The certificates of a report alone; heads: with the names of the columns. */
void status_print_certificates(struct out *out, const json_t *rows, bool heads, int64_t now);

/* ---- status_certs.c: what is added to a report ---- */

void report_certificates(json_t *report, const struct status_lists *lists, int64_t now);
void report_problem(json_t *report, enum severity severity, const char *object,
		    struct str_view message);
/* The issuer of a certificate, in a list of Issuers and ClusterIssuers; NULL: it is not there. */
const json_t *issuer_of(const json_t *issuers, const json_t *certificate);
/* "Gateway shop/web", without the namespace when it is default. Heap. */
char *report_name(const json_t *object, const char *part);

#endif
