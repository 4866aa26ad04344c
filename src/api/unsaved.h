/* api/unsaved.h - what nobody could write down: the disk refuses, and objects wait for it
 *
 * While the store cannot write, a status cannot say so. It is added to what is read: the condition
 * StorageFailed, of the objects whose kind says that they wait (struct kind, waits_for_disk).
 */
#ifndef API_UNSAVED_H
#define API_UNSAVED_H

#include "api/verbs.h"

/* The object as it is to be shown. New reference; never the stored one when it differs. */
json_t *unsaved_view(const struct store *store, const struct kind *kind, const json_t *object,
		     int64_t now);

#endif
