/* cli/issuers.h - Issuers and ClusterIssuers by the names that people type
 *
 * NAME (one of the namespace before a ClusterIssuer), issuer/NAME or clusterissuer/NAME.
 */
#ifndef CLI_ISSUERS_H
#define CLI_ISSUERS_H

#include "cli/cli.h"

/* Issuers of the namespace (NULL: of all) and ClusterIssuers. New array, or NULL with fault. */
json_t *all_issuers(struct cli *cli, const char *ns, struct fault *fault);
/* The one of that name; text NULL: the only one. NULL: there is none, or there are several. */
const json_t *issuer_find(const json_t *issuers, const char *text);
/* Says which there are. Returns an exit code. */
int issuer_refuse(struct cli *cli, const json_t *issuers, const char *text);

#endif
