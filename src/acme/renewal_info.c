#include "acme/renewal_info.h"

#include "base/clock.h"
#include "base/own.h"
#include "codec/json.h"

static int read_time(const json_t *body, const char *path, int64_t *when, struct err *err)
{
	if (clock_parse_rfc3339(json_sv_at(body, path), when))
		return 0;
	return err_set(err, ERR_PROTOCOL, "the renewal information has no time \"%s\"", path);
}

/* Shown to people: no control bytes, no other scheme. */
static bool is_shown(struct str_view url)
{
	for (size_t i = 0; i < url.len; i++) {
		if (url.data[i] <= ' ' || url.data[i] > '~')
			return false;
	}
	return url.len < RENEWAL_INFO_URL_MAX &&
	       (sv_starts(url, SV("https://")) || sv_starts(url, SV("http://")));
}

int acme_renewal_info_read(const json_t *body, struct acme_renewal_window *window, struct err *err)
{
	struct str_view url = json_sv_at(body, "explanationURL");

	*window = (struct acme_renewal_window){0};
	if (read_time(body, "suggestedWindow.start", &window->start, err) != 0 ||
	    read_time(body, "suggestedWindow.end", &window->end, err) != 0)
		return -1;
	if (window->end <= window->start)
		return err_set(err, ERR_PROTOCOL,
			       "the window of the renewal information ends before it begins");
	if (is_shown(url))
		memcpy(window->url, url.data, url.len);
	return 0;
}
