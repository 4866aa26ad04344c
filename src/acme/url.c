#include "acme/url.h"

#include "base/own.h"

#include <curl/curl.h>
#include <stdlib.h>

static void auto_curlu(CURLU **handle)
{
	curl_url_cleanup(*handle);
}

static void auto_curl_text(char **text)
{
	curl_free(*text);
}

static bool is_clean(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c <= ' ' || c >= 0x7f || c == '\\')
			return false;
	}
	return text.len > 0 && text.len <= URL_LEN_MAX;
}

static bool read_host(CURLU *handle, struct url *url)
{
	AUTO(auto_curl_text) char *text = NULL;

	if (curl_url_get(handle, CURLUPART_HOST, &text, 0) != CURLUE_OK)
		return false;

	struct str_view host = sv_from(text);

	if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = sv_new(host.data + 1, host.len - 2);
	if (host.len == 0 || host.len > URL_HOST_MAX || host.data[host.len - 1] == '.')
		return false;
	for (size_t i = 0; i < host.len; i++)
		url->host[i] = ascii_lower(host.data[i]);
	url->host[host.len] = '\0';
	return sv_find(host, '%') == SV_NOT_FOUND && sv_find(host, ',') == SV_NOT_FOUND;
}

static bool read_parts(CURLU *handle, struct url *url)
{
	AUTO(auto_curl_text) char *scheme = NULL;
	AUTO(auto_curl_text) char *port = NULL;
	AUTO(auto_curl_text) char *user = NULL;
	uint64_t number = 0;

	if (curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    curl_url_get(handle, CURLUPART_USER, &user, 0) == CURLUE_OK)
		return false;
	url->https = sv_eq(sv_from(scheme), SV("https"));
	if (!url->https && !sv_eq(sv_from(scheme), SV("http")))
		return false;
	if (!sv_to_u64(sv_from(port), &number) || number == 0 || number > 65535)
		return false;
	url->port = (uint16_t)number;
	return read_host(handle, url);
}

int url_read(struct str_view text, struct url *url, struct err *err)
{
	AUTO(auto_curlu) CURLU *handle = curl_url();
	AUTO(auto_free) char *copy = NULL;

	*url = (struct url){0};
	if (!is_clean(text))
		return err_set(err, ERR_INVALID, "not a URL of up to %d printable ASCII bytes",
			       URL_LEN_MAX);
	copy = sv_dup(text);
	if (handle == NULL || curl_url_set(handle, CURLUPART_URL, copy, 0) != CURLUE_OK ||
	    !read_parts(handle, url))
		return err_set(err, ERR_INVALID, "\"%.*s\" is not an http or https URL with a host",
			       SV_ARG(sv_head(text, 200)));
	return 0;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool url_address(const struct url *url, struct sock_addr *addr)
{
	return sock_addr_ip(addr, sv_from(url->host), url->port);
}

bool url_is_loopback(const struct url *url)
{
	struct str_view host = sv_from(url->host);
	struct sock_addr addr;

	if (url_address(url, &addr))
		return sock_addr_loopback(&addr);
	return sv_eq(host, SV("localhost")) || sv_ends(host, SV(".localhost"));
}

bool url_is_link_local(const struct url *url)
{
	struct sock_addr addr;

	return url_address(url, &addr) && sock_addr_link_local(&addr);
}

char *url_resolve(const char *base, struct str_view location)
{
	AUTO(auto_curlu) CURLU *handle = curl_url();
	AUTO(auto_curl_text) char *text = NULL;
	AUTO(auto_free) char *copy = NULL;

	if (handle == NULL || !is_clean(location))
		return NULL;
	copy = sv_dup(location);
	if (curl_url_set(handle, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    curl_url_set(handle, CURLUPART_URL, copy, 0) != CURLUE_OK ||
	    curl_url_get(handle, CURLUPART_URL, &text, 0) != CURLUE_OK ||
	    strlen(text) > URL_LEN_MAX)
		return NULL;
	return xstrdup(text);
}
