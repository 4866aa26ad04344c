/* cli/export.h - a certificate as files that other programs read */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include "base/err.h"
#include "codec/json.h"

#include <stdbool.h>
#include <sys/types.h>

#define EXPORT_MODE_KEY    0600
#define EXPORT_MODE_PUBLIC 0644

enum export_part {
	EXPORT_CERT,
	EXPORT_KEY,
	EXPORT_CHAIN,
	EXPORT_FULLCHAIN,
	EXPORT_PEM,
	EXPORT_P12,
	EXPORT_PART_COUNT
};

/* What is written where; texts are borrowed. */
struct export_how {
	const char *dir;                      /* four files with certbot's names; or NULL */
	const char *paths[EXPORT_PART_COUNT]; /* NULL: not asked for */
	const char *owner;                    /* NULL: as they are made */
	mode_t mode;                          /* of files with the key */
	const char *password;                 /* of PKCS #12 */
	const char *hook, *hooks_dir;         /* hook NULL: none */
};

struct export_what {
	const char *name, *ns; /* of the Certificate */
	const json_t *secret;
};

/* Writes what differs, then runs the hook if anything did, or if it failed the last time. *changed:
 * something was written. -1: err says what could not be done. */
int export_write(const struct export_how *how, const struct export_what *what, bool *changed,
		 struct err *err);

#endif
