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

/* ---- tables ---- */

static void add_heads(struct columns *columns, const char *const *heads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		columns_add(columns, sv_from(heads[i]));
	columns_end(columns);
}

static void print_columns(struct out *out, const char *title, struct columns *columns)
{
	struct buf text;

	out_fmt(out, "\n");
	out_styled(out, STYLE_BOLD, sv_from(title));
	out_fmt(out, "\n");
	buf_init(&text, TEXT_MAX);
	columns->gap = 2;
	columns_fit(columns, 2, (size_t)out->width);
	columns_text(columns, 2, &text);
	out_text(out, buf_view(&text));
	buf_deinit(&text);
}

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

static void print_listeners(struct out *out, const json_t *listeners)
{
	static const char *const heads[] = {"GATEWAY",  "ADDRESS",  "PORT",
					    "PROTOCOL", "HOSTNAME", "PROGRAMMED"};
	struct columns columns;
	const json_t *row;
	size_t i;

	columns_init(&columns);
	add_heads(&columns, heads, ARRAY_LEN(heads));
	json_array_foreach(listeners, i, row)
	{
		AUTO(auto_free) char *port = xasprintf("%" PRId64, json_int_at(row, "port", 0));
		struct str_view hostname = json_sv_at(row, "hostname");

		add_name(&columns, row, "gateway");
		add_joined(&columns, json_member(row, "addresses"), "-");
		columns_add(&columns, sv_from(port));
		columns_add(&columns, json_sv_at(row, "protocol"));
		columns_add(&columns, hostname.len == 0 ? SV("*") : hostname);
		columns_add(&columns,
			    json_bool_at(row, "programmed", false) ? SV("yes") : SV("NO"));
		columns_end(&columns);
	}
	print_columns(out, "Listeners", &columns);
	columns_deinit(&columns);
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

static void print_routes(struct out *out, const json_t *routes)
{
	static const char *const heads[] = {"ROUTE", "KIND", "HOSTNAMES", "ACCEPTED", "BACKENDS"};
	struct columns columns;
	const json_t *row;
	size_t i;

	columns_init(&columns);
	add_heads(&columns, heads, ARRAY_LEN(heads));
	json_array_foreach(routes, i, row)
	{
		add_name(&columns, row, "name");
		columns_add(&columns, json_sv_at(row, "kind"));
		add_joined(&columns, json_member(row, "hostnames"), "*");
		add_verdict(&columns, row, "accepted", "acceptedReason");
		add_verdict(&columns, row, "resolved", "resolvedReason");
		columns_end(&columns);
	}
	print_columns(out, "Routes", &columns);
	columns_deinit(&columns);
}

/* ---- certificates ---- */

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

static void add_certificates(struct columns *columns, const json_t *certificates, bool with_heads,
			     int64_t now)
{
	static const char *const heads[] = {"CERTIFICATE", "NAMES",  "LEFT",
					    "RENEWAL",     "ISSUER", "STATE"};
	const json_t *row;
	size_t i;

	if (with_heads)
		add_heads(columns, heads, ARRAY_LEN(heads));
	json_array_foreach(certificates, i, row)
	{
		add_name(columns, row, "name");
		add_joined(columns, json_member(row, "names"), "-");
		add_left(columns, row, now);
		add_renewal(columns, row, now);
		columns_add(columns, json_sv_at(row, "issuer"));
		add_state(columns, row);
		columns_end(columns);
	}
}

static void print_certificates(struct out *out, const json_t *certificates, int64_t now)
{
	struct columns columns;

	columns_init(&columns);
	add_certificates(&columns, certificates, true, now);
	print_columns(out, "Certificates", &columns);
	columns_deinit(&columns);
}

void status_print_certificates(struct out *out, const json_t *rows, bool heads, int64_t now)
{
	struct columns columns;
	struct buf text;

	columns_init(&columns);
	add_certificates(&columns, rows, heads, now);
	buf_init(&text, TEXT_MAX);
	columns.gap = 2;
	columns_fit(&columns, 0, (size_t)out->width);
	columns_text(&columns, 0, &text);
	out_text(out, buf_view(&text));
	buf_deinit(&text);
	columns_deinit(&columns);
}

/* ---- problems ---- */

/* Where a line of at most width columns ends: at a space if there is one. */
static size_t line_end(struct str_view text, size_t width)
{
	struct str_view line = text_head(text, width);
	size_t space;

	if (line.len == text.len)
		return line.len;
	space = sv_rfind(line, ' ');
	return space == SV_NOT_FOUND || space == 0 ? line.len : space;
}

static void print_wrapped(struct out *out, struct str_view text)
{
	size_t width = (size_t)out->width - 4;

	for (bool first = true; text.len > 0; first = false) {
		size_t end = line_end(text, first ? width + 2 : width);

		out_fmt(out, "%s%.*s\n", first ? "  " : "    ", SV_ARG(sv_head(text, end)));
		text = sv_trim(sv_skip(text, end));
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
	const json_t *listeners = json_member(report, "listeners");
	const json_t *routes = json_member(report, "routes");
	const json_t *certificates = json_member(report, "certificates");
	const json_t *problems = json_member(report, "problems");

	print_headline(out, report);
	if (json_array_size(listeners) > 0)
		print_listeners(out, listeners);
	if (json_array_size(routes) > 0)
		print_routes(out, routes);
	if (json_array_size(certificates) > 0)
		print_certificates(out, certificates, now);
	if (json_array_size(problems) > 0)
		print_problems(out, problems);
}
