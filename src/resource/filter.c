/* resource/filter.c - filters of HTTPRoute and GRPCRoute rules and of their backendRefs */
#include "base/own.h"
#include "resource/names.h"
#include "resource/route.h"
#include "resource/rows.h"

#define FILTERS_MAX 16

/* ---- members ---- */

static const struct schema_node field_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 256, .format = &format_field_name),
	TEXT("value", REQUIRED, .min = 1, .max = 4096, .format = &format_field_value),
	END,
};
static const struct schema_node field_item[] = {OBJECT("[]", field_members)};
static const struct schema_node field_name_item[] = {
	TEXT("[]", .min = 1, .max = 256, .format = &format_field_name)};

static const struct schema_node modifier_members[] = {
	LIST("set", field_item, .key = "name", .max = 16),
	LIST("add", field_item, .key = "name", .max = 16),
	LIST("remove", field_name_item, .flags = SCHEMA_SET, .max = 16),
	END,
};

static const struct schema_node fraction_members[] = {
	COUNT("numerator", REQUIRED),
	INTEGER("denominator", .min = 1, .max = INT32_MAX, .integer = 100),
	END,
};

static const struct schema_node mirror_members[] = {
	OBJECT("backendRef", backend_ref_members, REQUIRED),
	INTEGER("percent", .min = 0, .max = 100),
	OBJECT("fraction", fraction_members),
	END,
};

static const struct schema_node path_modifier_members[] = {
	TEXT("type", REQUIRED, WORDS("ReplaceFullPath", "ReplacePrefixMatch")),
	TEXT("replaceFullPath", .max = 1024, .format = &format_path),
	TEXT("replacePrefixMatch", .max = 1024, .format = &format_path),
	END,
};

static const struct schema_node redirect_members[] = {
	TEXT("scheme", WORDS("http", "https")),
	TEXT("hostname", .min = 1, .max = 253, .format = &format_exact_hostname),
	OBJECT("path", path_modifier_members),
	PORT("port"),
	INTEGER("statusCode", .integer = 302),
	END,
};

static const struct schema_node rewrite_members[] = {
	TEXT("hostname", .min = 1, .max = 253, .format = &format_exact_hostname),
	OBJECT("path", path_modifier_members),
	END,
};

static const struct schema_node extension_members[] = {
	TEXT("group", REQUIRED, .max = 253, .format = &format_group),
	TEXT("kind", REQUIRED, .min = 1, .max = 63, .format = &format_kind),
	TEXT("name", REQUIRED, .min = 1, .max = 253),
	END,
};

static bool is_origin_label(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.data[i]) && text.data[i] != '-')
			return false;
	}
	return text.len > 0;
}

/* "*", or scheme, host (perhaps with "*." before it) and perhaps a port; or any host. */
static bool is_origin(struct str_view text)
{
	struct str_view host;
	size_t colon;
	uint64_t port;

	if (sv_eq(text, SV("*")))
		return true;
	if (sv_starts(text, SV("https://")))
		host = sv_skip(text, 8);
	else if (sv_starts(text, SV("http://")))
		host = sv_skip(text, 7);
	else
		return false;
	colon = sv_find(host, ':');
	if (colon != SV_NOT_FOUND) {
		if (!sv_to_u64(sv_skip(host, colon + 1), &port) || port > 65535)
			return false;
		host = sv_head(host, colon);
	}
	if (sv_eq(host, SV("*")))
		return true;
	if (sv_starts(host, SV("*.")))
		host = sv_skip(host, 2);
	while (host.data != NULL) {
		if (!is_origin_label(sv_split(&host, '.')))
			return false;
	}
	return true;
}

static const struct text_format format_origin = {
	is_origin, "must be \"*\" or an origin: scheme, host (\"*.\" allowed) and perhaps a port, "
		   "such as https://www.example.com or https://*.example.com:8443"};

static const struct schema_node origin_item[] = {
	TEXT("[]", .min = 1, .max = 253, .format = &format_origin)};
static const struct schema_node cors_method_item[] = {
	TEXT("[]", WORDS("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE",
			 "PATCH", "*"))};

static const struct schema_node cors_members[] = {
	LIST("allowOrigins", origin_item, .flags = SCHEMA_SET, .max = 64),
	BOOL("allowCredentials"),
	LIST("allowMethods", cors_method_item, .flags = SCHEMA_SET, .max = 9),
	LIST("allowHeaders", field_name_item, .flags = SCHEMA_SET, .max = 64),
	LIST("exposeHeaders", field_name_item, .flags = SCHEMA_SET, .max = 64),
	INTEGER("maxAge", .min = 1, .max = INT32_MAX, .integer = 5),
	END,
};

static const struct schema_node filter_members[] = {
	TEXT("type", REQUIRED,
	     WORDS("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror",
		   "RequestRedirect", "URLRewrite", "ExtensionRef", "CORS")),
	OBJECT("requestHeaderModifier", modifier_members),
	OBJECT("responseHeaderModifier", modifier_members),
	OBJECT("requestMirror", mirror_members),
	OBJECT("requestRedirect", redirect_members),
	OBJECT("urlRewrite", rewrite_members),
	OBJECT("extensionRef", extension_members),
	OBJECT("cors", cors_members),
	REFUSED("externalAuth"),
	END,
};
const struct schema_node http_filter_item[] = {OBJECT("[]", filter_members)};

static const struct schema_node grpc_filter_members[] = {
	TEXT("type", REQUIRED,
	     WORDS("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror",
		   "ExtensionRef")),
	OBJECT("requestHeaderModifier", modifier_members),
	OBJECT("responseHeaderModifier", modifier_members),
	OBJECT("requestMirror", mirror_members),
	OBJECT("extensionRef", extension_members),
	END,
};
const struct schema_node grpc_filter_item[] = {OBJECT("[]", grpc_filter_members)};

/* ---- rules of single filters; where stands at the filter's own member ---- */

/* Fields that frame a message: a route that wrote them could split requests. */
static bool is_framing(struct str_view name)
{
	static const struct str_view names[] = {
		SV_INIT("content-length"),
		SV_INIT("transfer-encoding"),
		SV_INIT("connection"),
		SV_INIT("upgrade"),
		SV_INIT("te"),
		SV_INIT("trailer"),
		SV_INIT("keep-alive"),
		SV_INIT("proxy-connection"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (sv_eq_nocase(names[i], name))
			return true;
	}
	return false;
}

static void validate_fields(const json_t *modifier, const char *member, struct where *where,
			    struct causes *causes)
{
	const json_t *fields = json_member(modifier, member);

	for (size_t i = 0; i < json_array_size(fields); i++) {
		struct str_view name = json_sv_at(json_array_get(fields, i), "name");

		if (!is_framing(name))
			continue;
		size_t mark = where_to(where, ".%s[%zu].name", member, i);

		cause_forbidden(causes, where->text,
				"%.*s frames the message and is written by the gateway itself",
				SV_ARG(name));
		where_back(where, mark);
	}
}

static void validate_modifier(const json_t *modifier, const json_t *matches, struct where *where,
			      struct causes *causes)
{
	(void)matches;
	validate_fields(modifier, "set", where, causes);
	validate_fields(modifier, "add", where, causes);
}

static void validate_mirror(const json_t *mirror, const json_t *matches, struct where *where,
			    struct causes *causes)
{
	const json_t *fraction = json_member(mirror, "fraction");
	size_t mark = where_to(where, ".fraction");

	(void)matches;
	if (fraction != NULL && json_member(mirror, "percent") != NULL)
		cause_forbidden(causes, where->text, "only one of percent and fraction");
	if (json_int_at(fraction, "numerator", 0) > json_int_at(fraction, "denominator", 100))
		cause_invalid(causes, where->text, fraction,
			      "numerator must be less than or equal to denominator");
	where_back(where, mark);
	where_to(where, ".backendRef");
	backend_ref_validate(json_member(mirror, "backendRef"), where, causes);
	where_back(where, mark);
}

/* What a prefix is replaced in must be known: one match, of type PathPrefix. */
static bool one_prefix(const json_t *matches)
{
	return json_array_size(matches) == 1 &&
	       sv_eq(json_sv_at(json_array_get(matches, 0), "path.type"), SV("PathPrefix"));
}

static void validate_path_modifier(const json_t *path, const json_t *matches, struct where *where,
				   struct causes *causes)
{
	static const struct {
		const char *type, *member;
	} ways[] = {{"ReplaceFullPath", "replaceFullPath"},
		    {"ReplacePrefixMatch", "replacePrefixMatch"}};
	const char *type = json_str_at(path, "type");
	size_t mark = where_to(where, ".path");

	for (size_t i = 0; path != NULL && type != NULL && i < ARRAY_LEN(ways); i++) {
		bool chosen = strcmp(type, ways[i].type) == 0;
		bool given = json_member(path, ways[i].member) != NULL;
		size_t inner = where_to(where, ".%s", ways[i].member);

		if (chosen && !given)
			cause_required(causes, where->text, "type says so");
		else if (!chosen && given)
			cause_forbidden(causes, where->text, "only with type %s", ways[i].type);
		where_back(where, inner);
	}
	if (type != NULL && strcmp(type, "ReplacePrefixMatch") == 0 && !one_prefix(matches))
		cause_invalid(causes, where->text, path,
			      "ReplacePrefixMatch needs exactly one match in the rule, of type "
			      "PathPrefix");
	where_back(where, mark);
}

static void validate_redirect(const json_t *redirect, const json_t *matches, struct where *where,
			      struct causes *causes)
{
	static const json_int_t codes[] = {301, 302, 303, 307, 308};
	const json_t *code = json_member(redirect, "statusCode");
	bool known = !json_is_integer(code);

	validate_path_modifier(json_member(redirect, "path"), matches, where, causes);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		known = known || json_integer_value(code) == codes[i];
	if (known)
		return;
	size_t mark = where_to(where, ".statusCode");

	causes_add(causes, CAUSE_NOT_SUPPORTED, where->text,
		   "Unsupported value: %lld: supported values: 301, 302, 303, 307, 308",
		   (long long)json_integer_value(code));
	where_back(where, mark);
}

static void validate_rewrite(const json_t *rewrite, const json_t *matches, struct where *where,
			     struct causes *causes)
{
	validate_path_modifier(json_member(rewrite, "path"), matches, where, causes);
}

static void validate_cors(const json_t *cors, const json_t *matches, struct where *where,
			  struct causes *causes)
{
	static const char *const lists[] = {"allowOrigins", "allowMethods", "allowHeaders"};

	(void)matches;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const json_t *list = json_member(cors, lists[i]);

		for (size_t j = 0; json_array_size(list) > 1 && j < json_array_size(list); j++) {
			if (!sv_eq(text_of(json_array_get(list, j)), SV("*")))
				continue;
			size_t mark = where_to(where, ".%s[%zu]", lists[i], j);

			cause_invalid(causes, where->text, json_array_get(list, j),
				      "\"*\" stands alone");
			where_back(where, mark);
		}
	}
}

/* ---- one filter, and all together ---- */

static const struct filter_row {
	const char *type, *member;
	bool once; /* not twice in one list */
	void (*validate)(const json_t *own, const json_t *matches, struct where *where,
			 struct causes *causes);
} filter_rows[] = {
	{"RequestHeaderModifier", "requestHeaderModifier", true, validate_modifier},
	{"ResponseHeaderModifier", "responseHeaderModifier", true, validate_modifier},
	{"RequestMirror", "requestMirror", false, validate_mirror},
	{"RequestRedirect", "requestRedirect", true, validate_redirect},
	{"URLRewrite", "urlRewrite", true, validate_rewrite},
	{"ExtensionRef", "extensionRef", false, NULL},
	{"CORS", "cors", true, validate_cors},
};

static void validate_filter(const json_t *filter, const json_t *matches, struct where *where,
			    struct causes *causes)
{
	const char *type = json_str_at(filter, "type");

	for (size_t i = 0; type != NULL && i < ARRAY_LEN(filter_rows); i++) {
		const struct filter_row *row = &filter_rows[i];
		const json_t *own = json_member(filter, row->member);
		bool chosen = strcmp(type, row->type) == 0;
		size_t mark = where_to(where, ".%s", row->member);

		if (chosen && own == NULL)
			cause_required(causes, where->text, "type says so");
		else if (!chosen && own != NULL)
			cause_forbidden(causes, where->text, "only with type %s", row->type);
		else if (json_is_object(own) && row->validate != NULL)
			row->validate(own, matches, where, causes);
		where_back(where, mark);
	}
}

static bool is_type(const json_t *filter, const char *type)
{
	return sv_eq(json_sv_at(filter, "type"), sv_from(type));
}

static size_t count_type(const json_t *filters, const char *type)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(filters); i++)
		count += is_type(json_array_get(filters, i), type);
	return count;
}

static void validate_together(const json_t *filters, const struct where *where,
			      struct causes *causes)
{
	for (size_t i = 0; i < ARRAY_LEN(filter_rows); i++) {
		const struct filter_row *row = &filter_rows[i];

		if (row->once && count_type(filters, row->type) > 1)
			cause_invalid(causes, where->text, filters, "filter %s cannot be repeated",
				      row->type);
	}
	if (count_type(filters, "RequestRedirect") > 0 && count_type(filters, "URLRewrite") > 0)
		cause_invalid(causes, where->text, filters,
			      "may hold RequestRedirect or URLRewrite, not both");
}

void http_filters_validate(const json_t *filters, const json_t *matches, struct where *where,
			   struct causes *causes)
{
	size_t mark = where_to(where, ".filters");

	if (json_array_size(filters) <= FILTERS_MAX) {
		validate_together(filters, where, causes);
		for (size_t i = 0; i < json_array_size(filters); i++) {
			size_t inner = where_to(where, "[%zu]", i);

			validate_filter(json_array_get(filters, i), matches, where, causes);
			where_back(where, inner);
		}
	}
	where_back(where, mark);
}
