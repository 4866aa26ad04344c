/* pki/csr_read.h - a signing request as OpenSSL's object, for the code here that signs it
 *
 * Private to this room.
 */
#ifndef PKI_CSR_READ_H
#define PKI_CSR_READ_H

#include "pki/csr.h"

#include <openssl/x509.h>

/* The request whose DER this is, its own signature checked; the caller frees. */
X509_REQ *csr_read(struct str_view der, struct err *err);

#endif
