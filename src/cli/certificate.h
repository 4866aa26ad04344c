/* cli/certificate.h - what the certificate verbs share */
#ifndef CLI_CERTIFICATE_H
#define CLI_CERTIFICATE_H

#include "cli/refs.h"

#define CERTIFICATES "certificates.cert-manager.io"

/* The Certificates that the words, -l or --all name: one is called for each. Returns the worst exit
 * code. */
int certificates_each(struct cli *cli, ref_fn *one, void *arg);
/* Objects of a kind: of the namespace ns, NULL: of all. A new array; empty when the server does not
 * know the kind. NULL with fault. */
json_t *objects_of_kind(struct cli *cli, const char *word, const char *ns, struct fault *fault);
/* Waits until the Certificate is Ready, showing its steps; ms negative: for ever. Returns an exit
 * code; how it ended was said. */
int certificate_await(struct cli *cli, const struct ref *ref, int64_t ms);
/* The name of an object made of a host name: "*.Shop.example" -> "wildcard-shop-example"; heap.
 * Pure.
 */
char *object_name_of(struct str_view name);
/* Sets one annotation. 0, or -1 with fault. */
int annotate_one(struct cli *cli, const struct ref *ref, const char *key, const char *value,
		 struct fault *fault);

#endif
