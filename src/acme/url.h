/* acme/url.h - where a URL leads: scheme, host, port; the same reading as the one that connects
 * (libcurl's) */
#ifndef ACME_URL_H
#define ACME_URL_H

#include "base/err.h"
#include "base/str.h"
#include "loop/sock.h"

#include <stdbool.h>

#define URL_LEN_MAX  2048
#define URL_HOST_MAX 255

struct url {
	bool https;
	char host[URL_HOST_MAX + 1]; /* lower case, without brackets */
	uint16_t port;               /* the scheme's own when the URL has none */
};

/* http and https with a host of ASCII; user names, control bytes, spaces and a final dot of the
 * host are refused. */
int url_read(struct str_view text, struct url *url, struct err *err);
bool url_same_origin(const struct url *a, const struct url *b);
bool url_address(const struct url *url, struct sock_addr *addr); /* the host is an address */
/* The host itself says so: 127.0.0.1, ::1, localhost, … (names are not resolved). */
bool url_is_loopback(const struct url *url);
bool url_is_link_local(const struct url *url);

/* Location as seen from base (RFC 3986, section 5), heap; NULL: not a URL. */
char *url_resolve(const char *base, struct str_view location);

#endif
