/* dataplane/cert.h - what a TLS end shows, and whom it trusts
 *
 * As the control thread gives it: DER, parsed by each worker on first use. Constructors copy all
 * they are given; one owner, the caller.
 */
#ifndef DATAPLANE_CERT_H
#define DATAPLANE_CERT_H

#include "base/str.h"
#include "dataplane/part.h"

struct cert { /* a chain and its key */
	struct part part;
	struct str_view name; /* "default/secure-demo-cert" */
	size_t chain_count;
	const struct str_view *chain; /* DER, leaf first */
	struct str_view key;          /* PKCS#8 DER */
	size_t name_count;
	const struct str_view *names; /* dNSNames (with "*."), lower case; IPs as text */
	int64_t not_after;
	uint64_t id; /* differs for every cert_new: key of the workers' caches */
};

/* Key material is cleansed when it is destroyed. */
struct cert *cert_new(const struct cert *like);

struct ca_set { /* whom a backend's or client's certificate may come from */
	struct part part;
	uint64_t id; /* differs for every ca_set_new */
	size_t count;
	const struct str_view *certs; /* DER */
};
struct ca_set *ca_set_new(const struct ca_set *like);

#endif
