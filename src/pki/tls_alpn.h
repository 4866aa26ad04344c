/* pki/tls_alpn.h - the self-signed certificate that answers a TLS-ALPN-01 challenge (RFC 8737) */
#ifndef PKI_TLS_ALPN_H
#define PKI_TLS_ALPN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct tls_alpn_question {
	struct str_view identifier; /* host name, or an address as text (RFC 8738) */
	bool is_address;
	struct str_view key_authorization;
	int64_t now; /* seconds since the epoch */
};

/* Appends certificate and a key of its own, both DER. The certificate is for the identifier alone,
 * and holds the critical acmeIdentifier extension. */
int tls_alpn_cert_make(const struct tls_alpn_question *what, struct buf *cert_der,
		       struct buf *key_der, struct err *err);

#endif
