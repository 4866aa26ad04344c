/* cli/status_print.c - the report of status as text that fits the terminal */
#include "cli/status.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/columns.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_MAX     (16u << 20)
#define CELL_MAX     65536
#define PROBLEMS_MAX 20 /* shown; -o json has them all */
#define SOON_S       (INT64_C(2) * 86400)

/* ---- the first line ---- */

static void print_count(struct out *out, const json_t *report, const char *list, const char *noun)
{
	size_t count = json_array_size(json_member(report, list));

	out_fmt(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void print_headline(struct out *out, const json_t *report)
{
	static const struct {
		const char *word;
		enum style style;
	} heads[] = {[SEVERITY_OK] = {"OK", STYLE_GOOD},
		     [SEVERITY_DEGRADED] = {"DEGRADED", STYLE_WARN},
		     [SEVERITY_CRITICAL] = {"CRITICAL", STYLE_BAD}};
	enum severity severity = status_severity(report);

	out_styled(out, heads[severity].style, sv_from(heads[severity].word));
	out_fmt(out, ": ");
	print_count(out, report, "listeners", "listener");
	out_fmt(out, ", ");
	print_count(out, report, "routes", "route");
	out_fmt(out, ", ");
	print_count(out, report, "certificates", "certificate");
	out_fmt(out, "\n");
}

/* ---- cells ---- */

static void add_joined(struct columns *columns, const json_t *list, const char *none)
{
	struct buf text;
	const json_t *item;
	size_t i;

	buf_init(&text, CELL_MAX);
	json_array_foreach(list, i, item)
	{
		buf_addf(&text, "%s%s", i == 0 ? "" : ",",
			 json_is_string(item) ? json_string_value(item) : "");
	}
	columns_add(columns, buf_len(&text) == 0 ? sv_from(none) : buf_view(&text));
	buf_deinit(&text);
}

static void add_name(struct columns *columns, const json_t *row, const char *member)
{
	struct str_view ns = json_sv_at(row, "namespace"), name = json_sv_at(row, member);
	AUTO(auto_free) char *text = xasprintf("%.*s/%.*s", SV_ARG(ns), SV_ARG(name));

	columns_add(columns, ns.len == 0 || sv_eq(ns, SV("default")) ? name : sv_from(text));
}

static void add_verdict(struct columns *columns, const json_t *row, const char *member,
			const char *reason_member)
{
	struct str_view reason = json_sv_at(row, reason_member);

	if (json_bool_at(row, member, false))
		columns_add(columns, SV("yes"));
	else
		columns_add(columns, reason.len == 0 ? SV("NO") : reason);
}

static void add_left(struct columns *columns, const json_t *row, int64_t now)
{
	char age[CLOCK_TEXT_SIZE];
	int64_t end;

	if (!clock_parse_rfc3339(json_sv_at(row, "notAfter"), &end)) {
		columns_add(columns, SV("-"));
		return;
	}
	clock_age(end > now ? end - now : 0, age);
	columns_add(columns, sv_from(end > now ? age : "none"));
}

/* The day, or how soon when it is near. */
static void add_renewal(struct columns *columns, const json_t *row, int64_t now)
{
	struct str_view text = json_sv_at(row, "renewalTime");
	AUTO(auto_free) char *soon = NULL;
	char age[CLOCK_TEXT_SIZE];
	int64_t then;

	if (!clock_parse_rfc3339(text, &then)) {
		columns_add(columns, SV("-"));
	} else if (then <= now) {
		columns_add(columns, SV("due"));
	} else if (then - now < SOON_S) {
		clock_age(then - now, age);
		soon = xasprintf("in %s", age);
		columns_add(columns, sv_from(soon));
	} else {
		columns_add(columns, sv_head(text, 10));
	}
}

static void add_state(struct columns *columns, const json_t *row)
{
	AUTO(auto_free)
	char *text = xasprintf("%.*s%s", SV_ARG(json_sv_at(row, "state")),
			       json_bool_at(row, "staging", false) ? " (STAGING)" : "");

	columns_add(columns, sv_from(text));
}

/* ---- rows ---- */

static void add_listener(struct columns *columns, const json_t *row, int64_t now)
{
	AUTO(auto_free) char *port = xasprintf("%" PRId64, json_int_at(row, "port", 0));
	struct str_view hostname = json_sv_at(row, "hostname");

	(void)now;
	add_name(columns, row, "gateway");
	add_joined(columns, json_member(row, "addresses"), "-");
	columns_add(columns, sv_from(port));
	columns_add(columns, json_sv_at(row, "protocol"));
	columns_add(columns, hostname.len == 0 ? SV("*") : hostname);
	columns_add(columns, json_bool_at(row, "programmed", false) ? SV("yes") : SV("NO"));
}

static void add_route(struct columns *columns, const json_t *row, int64_t now)
{
	(void)now;
	add_name(columns, row, "name");
	columns_add(columns, json_sv_at(row, "kind"));
	add_joined(columns, json_member(row, "hostnames"), "*");
	add_verdict(columns, row, "accepted", "acceptedReason");
	add_verdict(columns, row, "resolved", "resolvedReason");
}

static void add_certificate(struct columns *columns, const json_t *row, int64_t now)
{
	add_name(columns, row, "name");
	add_joined(columns, json_member(row, "names"), "-");
	add_left(columns, row, now);
	add_renewal(columns, row, now);
	columns_add(columns, json_sv_at(row, "issuer"));
	add_state(columns, row);
}

/* ---- tables ---- */

enum { LIST_LISTENERS, LIST_ROUTES, LIST_CERTIFICATES };

static const struct listing { /* one list of the report */
	const char *list, *title;
	const char *heads[6]; /* NULL: no more */
	void (*add)(struct columns *columns, const json_t *row, int64_t now);
} listings[] = {
	[LIST_LISTENERS] = {"listeners",
			    "Listeners",
			    {"GATEWAY", "ADDRESS", "PORT", "PROTOCOL", "HOSTNAME", "PROGRAMMED"},
			    add_listener},
	[LIST_ROUTES] = {"routes",
			 "Routes",
			 {"ROUTE", "KIND", "HOSTNAMES", "ACCEPTED", "BACKENDS"},
			 add_route},
	[LIST_CERTIFICATES] = {"certificates",
			       "Certificates",
			       {"CERTIFICATE", "NAMES", "LEFT", "RENEWAL", "ISSUER", "STATE"},
			       add_certificate},
};

static void add_heads(struct columns *columns, const struct listing *listing)
{
	for (size_t i = 0; i < ARRAY_LEN(listing->heads) && listing->heads[i] != NULL; i++)
		columns_add(columns, sv_from(listing->heads[i]));
	columns_end(columns);
}

static void add_rows(struct columns *columns, const struct listing *listing, const json_t *rows,
		     int64_t now)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		listing->add(columns, row, now);
		columns_end(columns);
	}
}

static void print_columns(struct out *out, struct columns *columns, size_t indent)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	columns->gap = 2;
	columns_fit(columns, indent, out_table_width(out));
	columns_text(columns, indent, &text);
	out_text(out, buf_view(&text));
	buf_deinit(&text);
}

static void print_listing(struct out *out, const struct listing *listing, const json_t *rows,
			  int64_t now)
{
	struct columns columns;

	columns_init(&columns);
	add_heads(&columns, listing);
	add_rows(&columns, listing, rows, now);
	out_fmt(out, "\n");
	out_styled(out, STYLE_BOLD, sv_from(listing->title));
	out_fmt(out, "\n");
	print_columns(out, &columns, 2);
	columns_deinit(&columns);
}

void status_print_certificates(struct out *out, const json_t *rows, bool heads, int64_t now)
{
	const struct listing *listing = &listings[LIST_CERTIFICATES];
	struct columns columns;

	columns_init(&columns);
	if (heads)
		add_heads(&columns, listing);
	add_rows(&columns, listing, rows, now);
	print_columns(out, &columns, 0);
	columns_deinit(&columns);
}

/* ---- problems ---- */

static void print_wrapped(struct out *out, struct str_view text)
{
	size_t width = (size_t)out->width - 4;

	for (bool first = true; text.len > 0; first = false) {
		struct str_view line = text_line(&text, first ? width + 2 : width);

		out_fmt(out, "%s%.*s\n", first ? "  " : "    ", SV_ARG(line));
	}
}

static void print_problem(struct out *out, const json_t *problem)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	text_escape(&text, json_sv_at(problem, "object"), ESCAPE_ALL);
	buf_addf(&text, ": ");
	text_escape(&text, json_sv_at(problem, "message"), ESCAPE_ALL);
	print_wrapped(out, buf_view(&text));
	buf_deinit(&text);
}

static void print_problems(struct out *out, const json_t *problems)
{
	size_t count = json_array_size(problems);

	out_fmt(out, "\n");
	out_styled(out, STYLE_BOLD, SV("Problems"));
	out_fmt(out, "\n");
	for (size_t i = 0; i < count && i < PROBLEMS_MAX; i++)
		print_problem(out, json_array_get(problems, i));
	if (count > PROBLEMS_MAX)
		out_fmt(out, "  ... and %zu more (status -o json)\n", count - PROBLEMS_MAX);
}

void status_print(struct out *out, const json_t *report, int64_t now)
{
	const json_t *problems = json_member(report, "problems");

	print_headline(out, report);
	for (size_t i = 0; i < ARRAY_LEN(listings); i++) {
		const json_t *rows = json_member(report, listings[i].list);

		if (json_array_size(rows) > 0)
			print_listing(out, &listings[i], rows, now);
	}
	if (json_array_size(problems) > 0)
		print_problems(out, problems);
}
