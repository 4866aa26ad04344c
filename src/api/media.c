/* api/media.c - media types of requests and answers */
#include "api/media.h"

#include "base/own.h"

static const struct {
	struct str_view text;
	enum media media;
} types[] = {
	{SV_INIT("application/json"), MEDIA_JSON},
	{SV_INIT("application/yaml"), MEDIA_YAML},
	{SV_INIT("application/x-yaml"), MEDIA_YAML},
	{SV_INIT("text/yaml"), MEDIA_YAML},
	{SV_INIT("application/json-patch+json"), MEDIA_JSON_PATCH},
	{SV_INIT("application/merge-patch+json"), MEDIA_MERGE_PATCH},
	{SV_INIT("application/strategic-merge-patch+json"), MEDIA_STRATEGIC_PATCH},
	{SV_INIT("application/apply-patch+yaml"), MEDIA_APPLY},
};

enum media media_of(const char *content_type)
{
	struct str_view rest = sv_from(content_type), type = sv_trim(sv_split(&rest, ';'));

	if (type.len == 0)
		return MEDIA_JSON;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (sv_eq_nocase(type, types[i].text))
			return types[i].media;
	}
	return MEDIA_OTHER;
}

struct range { /* one of an Accept header */
	struct str_view type, as, group, version;
};

static struct range range_of(struct str_view text)
{
	struct range range = {.type = sv_trim(sv_split(&text, ';'))};

	while (text.data != NULL) {
		struct str_view value = sv_split(&text, ';'), name = sv_trim(sv_split(&value, '='));

		value = sv_trim(value);
		if (sv_eq(name, SV("as")))
			range.as = value;
		else if (sv_eq(name, SV("g")))
			range.group = value;
		else if (sv_eq(name, SV("v")))
			range.version = value;
	}
	return range;
}

static bool is_json(const struct range *range)
{
	return sv_eq_nocase(range->type, SV("application/json"));
}

static bool is_plain(const struct range *range)
{
	return range->as.len == 0 && (is_json(range) || sv_eq(range->type, SV("*/*")) ||
				      sv_eq_nocase(range->type, SV("application/*")));
}

/* False: it names a form that is not made here. */
static bool view_of(const struct range *range, enum view *view)
{
	*view = VIEW_OBJECT;
	if (range->as.len == 0)
		return is_plain(range);
	*view = sv_eq(range->as, SV("Table")) ? VIEW_TABLE : VIEW_METADATA;
	return is_json(range) && sv_eq(range->group, SV("meta.k8s.io")) &&
	       sv_eq(range->version, SV("v1")) &&
	       (*view == VIEW_TABLE || sv_eq(range->as, SV("PartialObjectMetadata")) ||
		sv_eq(range->as, SV("PartialObjectMetadataList")));
}

enum view media_view(const char *accept)
{
	struct str_view rest = sv_from(accept);
	enum view view;

	while (rest.data != NULL) {
		struct range range = range_of(sv_split(&rest, ','));

		if (view_of(&range, &view))
			return view;
	}
	return VIEW_OBJECT;
}

const char *media_discovery(const char *accept)
{
	static const char *const versions[] = {"v2", "v2beta1"};
	struct str_view rest = sv_from(accept);

	while (rest.data != NULL) {
		struct range range = range_of(sv_split(&rest, ','));

		if (is_plain(&range))
			return NULL;
		if (!is_json(&range) || !sv_eq(range.group, SV("apidiscovery.k8s.io")) ||
		    !sv_eq(range.as, SV("APIGroupDiscoveryList")))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
			if (sv_eq(range.version, sv_from(versions[i])))
				return versions[i];
		}
	}
	return NULL;
}
