/* acme/renewal_info.h - what a CA says about the renewal of a certificate (RFC 9773, section 4.2);
 * pure */
#ifndef ACME_RENEWAL_INFO_H
#define ACME_RENEWAL_INFO_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <stdint.h>

#define RENEWAL_INFO_URL_MAX 512

struct acme_renewal_window {
	int64_t start, end;             /* seconds since the epoch; end is after start */
	char url[RENEWAL_INFO_URL_MAX]; /* explanationURL: http or https, printable; "" */
};

/* 0, or -1 with a sentence: a member is missing or of the wrong type, the window is inverted. */
int acme_renewal_info_read(const json_t *body, struct acme_renewal_window *window, struct err *err);

#endif
