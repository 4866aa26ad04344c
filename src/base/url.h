/* base/url.h - parts of a URL as they stand in its text
 *
 * For showing and comparing. Where a connection goes is read by acme/url.h, which is strict.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/str.h"

#include <stdbool.h>

/* "ca.example:8443" of "https://ca.example:8443/directory" (RFC 3986, section 3.2). Without a
 * scheme the text begins with it. */
struct str_view url_authority(struct str_view url);
/* What stands behind the authority and its slash; data is NULL when there is no slash. */
struct str_view url_path(struct str_view url);
/* Is it the directory of a staging service, by the name that CAs give to its host? */
bool url_is_staging(struct str_view url);

#endif
