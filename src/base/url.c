/* base/url.c - parts of a URL as they stand in its text */
#include "base/url.h"

/* Splits the authority off; the rest is the path. */
static struct str_view split(struct str_view *url)
{
	size_t scheme = sv_find_sv(*url, SV("://"));

	if (scheme != SV_NOT_FOUND)
		*url = sv_skip(*url, scheme + 3);
	return sv_split(url, '/');
}

struct str_view url_authority(struct str_view url)
{
	return split(&url);
}

struct str_view url_path(struct str_view url)
{
	(void)split(&url);
	return url;
}

/* acme-staging-v02.api.letsencrypt.org, dv.acme-v02.test-api.pki.goog, api.test4.buypass.no */
bool url_is_staging(struct str_view url)
{
	struct str_view host = url_authority(url);

	while (host.data != NULL) {
		struct str_view label = sv_split(&host, '.');

		if (sv_find_sv(label, SV("staging")) != SV_NOT_FOUND ||
		    (sv_starts(label, SV("test")) && host.data != NULL))
			return true;
	}
	return false;
}
