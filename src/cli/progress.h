/* cli/progress.h - which step of its order a certificate is in, shown while somebody waits
 *
 * On a terminal one line that changes in place; elsewhere a line for each step. On stderr.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/refs.h"

struct progress;

/* NULL when ref is no Certificate, or the server knows no orders: nothing will be shown. ref
 * outlives it. */
struct progress *progress_new(struct cli *cli, const struct ref *ref);
void progress_free(struct progress *progress); /* leaves an empty line behind; NULL is fine */

/* Adds watches for what belongs to the certificate. */
void progress_watch(struct progress *progress, struct watches *watches);
/* The certificate changed. NULL is fine for both. */
void progress_see(struct progress *progress, const json_t *certificate);

#endif
