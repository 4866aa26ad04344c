/* resource/meta.h - metadata of every kind: what is filled in, what is kept, what is wrong */
#ifndef RESOURCE_META_H
#define RESOURCE_META_H

#include "resource/kind.h"

/* Name from generateName, namespace, uid, creationTimestamp, and what only the daemon may set. */
void meta_fill(const struct admission *how, json_t *object);
/* generation, once everything else of the object is final. */
void meta_generation(const struct admission *how, json_t *object);
/* Name, namespace, size of annotations, uid; the schema has seen the rest. */
void meta_validate(const struct admission *how, const json_t *object, struct causes *causes);

#endif
