/* tests/wire/wire.h - bytes against a real worker: a plane with one worker in front of a recording
 * origin
 *
 * Everything that the origin completely received is kept as text; what it answers is scripted. A
 * client sends bytes, ends its side, and gets all that comes back until the connection ends: no
 * test waits for a time.
 */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct wire;

struct wire *wire_start(void); /* aborts the test program when it cannot */
void wire_stop(struct wire *wire);
uint16_t wire_port(const struct wire *wire);

/* The origin's answer from now on; borrowed. close: it ends the connection behind it. */
void wire_answer(struct wire *wire, struct str_view answer, int close);

#define WIRE_TEXT_MAX (1u << 20)

/* Sends, half-closes, reads to the end; NUL-terminated text in out (WIRE_TEXT_MAX bytes); its
 * length. */
size_t wire_talk(struct wire *wire, struct str_view send, char *out);

/* What the origin has received in complete requests since the last call (head and body as they
 * came); heap. */
char *wire_seen(struct wire *wire);

#endif
