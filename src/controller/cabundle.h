/* controller/cabundle.h - certificates of authorities: ca.crt of ConfigMaps and Secrets, and those
 * of the system
 */
#ifndef CONTROLLER_CABUNDLE_H
#define CONTROLLER_CABUNDLE_H

#include "base/err.h"
#include "store/object.h"

#define CA_CERTS_MAX 1000 /* in one bundle */

struct ca_bundle { /* DER; zeroed is an empty one */
	size_t count;
	struct str_view *certs; /* owned */
};

/* Each appends what it finds. -1 with a sentence: nothing there, or something that is no
 * certificate. */
/* Key ca.crt of a ConfigMap (data or binaryData) or a Secret (data). */
int ca_bundle_object(struct ca_bundle *bundle, const struct object *object, struct err *err);
/* What OpenSSL takes for the CAs of this host: $SSL_CERT_FILE, or the distribution's file. Reads
 * that file. */
int ca_bundle_system(struct ca_bundle *bundle, struct err *err);
void ca_bundle_deinit(struct ca_bundle *bundle);

#endif
