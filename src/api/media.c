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

/* False: it names a form that is not made here. */
static bool view_of(struct str_view range, enum view *view)
{
	struct str_view type = sv_trim(sv_split(&range, ';')), as = SV(""), group = as,
			version = as;

	while (range.data != NULL) {
		struct str_view value = sv_split(&range, ';'),
				name = sv_trim(sv_split(&value, '='));

		value = sv_trim(value);
		if (sv_eq(name, SV("as")))
			as = value;
		else if (sv_eq(name, SV("g")))
			group = value;
		else if (sv_eq(name, SV("v")))
			version = value;
	}
	*view = VIEW_OBJECT;
	if (as.len == 0)
		return sv_eq_nocase(type, SV("application/json")) || sv_eq(type, SV("*/*")) ||
		       sv_eq_nocase(type, SV("application/*"));
	*view = sv_eq(as, SV("Table")) ? VIEW_TABLE : VIEW_METADATA;
	return sv_eq_nocase(type, SV("application/json")) && sv_eq(group, SV("meta.k8s.io")) &&
	       sv_eq(version, SV("v1")) &&
	       (*view == VIEW_TABLE || sv_eq(as, SV("PartialObjectMetadata")) ||
		sv_eq(as, SV("PartialObjectMetadataList")));
}

enum view media_view(const char *accept)
{
	struct str_view rest = sv_from(accept);
	enum view view;

	while (rest.data != NULL) {
		if (view_of(sv_split(&rest, ','), &view))
			return view;
	}
	return VIEW_OBJECT;
}
