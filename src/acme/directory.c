#include "acme/directory.h"

#include "acme/words.h"
#include "base/own.h"
#include "codec/json.h"

static const struct {
	const char *name;
	bool needed;
} resources[ACME_RESOURCE_COUNT] = {
#define X(name, text, needed) [ACME_##name] = {text, needed},
	ACME_RESOURCE_LIST(X)
#undef X
};

const char *acme_resource_name(enum acme_resource resource)
{
	return resources[resource].name;
}

static bool host_is_refused(const struct directory *directory, const struct url *url)
{
	if (strcmp(url->host, directory->origin.host) == 0)
		return false;
	if (url_is_link_local(url))
		return true;
	return url_is_loopback(url) && !url_is_loopback(&directory->origin);
}

static int read_member(struct directory *directory, enum acme_resource resource, struct err *err)
{
	const char *name = resources[resource].name;
	const json_t *value = json_member(directory->json, name);
	struct url *url = &directory->origins[resource];

	if (value == NULL)
		return err_set(err, ERR_INVALID, "the directory has no member \"%s\"", name);
	if (!json_is_string(value))
		return err_set(err, ERR_INVALID, "the directory's member \"%s\" is not a string",
			       name);
	if (url_read(sv_from(json_string_value(value)), url, err) != 0)
		return err_prefix(err, "the directory's member \"%s\": ", name);
	if (!url->https)
		return err_set(err, ERR_INVALID,
			       "the directory's member \"%s\" is an http URL; only https is used",
			       name);
	if (host_is_refused(directory, url))
		return err_set(err, ERR_INVALID,
			       "the directory's member \"%s\" points to %s, an address inside this "
			       "network; it is not asked",
			       name, url->host);
	directory->urls[resource] = json_string_value(value);
	return 0;
}

int directory_read(struct directory *directory, const json_t *body, const char *url,
		   struct err *err)
{
	AUTO(directory_deinit) struct directory fresh = {0};

	if (!json_is_object(body))
		return err_set(err, ERR_PROTOCOL, "the directory is not a JSON object");
	if (url_read(sv_from(url), &fresh.origin, err) != 0)
		return -1;
	if (!fresh.origin.https)
		return err_set(err, ERR_INVALID, "the directory is not at an https URL");
	fresh.json = json_deep_copy(body);
	for (int i = 0; i < ACME_RESOURCE_COUNT; i++) {
		/* One that is of no use is as good as none, unless nothing goes without it. */
		if (read_member(&fresh, (enum acme_resource)i, err) != 0 && resources[i].needed)
			return -1;
	}
	directory_deinit(directory);
	*directory = fresh;
	fresh.json = NULL; /* moved */
	return 0;
}

void directory_deinit(struct directory *directory)
{
	json_decref(directory->json);
	*directory = (struct directory){0};
}

bool directory_allows(const struct directory *directory, const char *text)
{
	struct url url;

	if (url_read(sv_from(text), &url, NULL) != 0 || !url.https)
		return false;
	if (url_same_origin(&url, &directory->origin))
		return true;
	for (int i = 0; i < ACME_RESOURCE_COUNT; i++) {
		if (directory->urls[i] != NULL && url_same_origin(&url, &directory->origins[i]))
			return true;
	}
	return false;
}

bool directory_needs_eab(const struct directory *directory)
{
	return json_bool_at(directory->json, "meta.externalAccountRequired", false);
}

bool directory_has_profile(const struct directory *directory, struct str_view profile, char *out,
			   size_t size)
{
	json_t *profiles = json_at(directory->json, "meta.profiles");
	const char *name;
	json_t *text;

	if (profile.len == 0 || !json_is_object(profiles))
		return true;
	json_object_foreach(profiles, name, text)
	{
		if (sv_eq(sv_from(name), profile))
			return true;
	}
	json_object_foreach(profiles, name, text)
	{
		words_add(out, size, out[0] == '\0' ? SV("") : SV(", "));
		words_add(out, size, sv_head(sv_from(name), 64));
	}
	return false;
}
