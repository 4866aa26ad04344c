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
#include "dataplane/plane.h"
#include "dataplane/policy.h"

#include <stddef.h>
#include <stdint.h>

struct wire;

struct wire_setup {
	struct plane_limits limits;
	int access_fd;                      /* -1: off */
	bool manual;                        /* the test plays the origin (wire_backend) */
	enum backend_protocol protocol;     /* of the origin */
	const struct client_policy *policy; /* of the port; its limits: those above */
	uint32_t policy_buffer;             /* but for this one; 0: as they are */
};

struct wire_setup wire_setup_default(void);
struct wire *wire_start(void); /* aborts the test program when it cannot, as all of these do */
struct wire *wire_start_with(const struct wire_setup *setup);
void wire_stop(struct wire *wire);
void wire_drain(struct wire *wire);
void wire_await_drained(struct wire *wire);
uint64_t wire_metric(struct wire *wire, const char *name); /* all its samples together */
void wire_await_metric(struct wire *wire, const char *name, uint64_t value);
uint16_t wire_port(const struct wire *wire);

/* The origin's answer from now on; borrowed. close: it ends the connection behind it. */
void wire_answer(struct wire *wire, struct str_view answer, int close);

#define WIRE_TEXT_MAX (1u << 20)

/* Sends, half-closes, reads to the end; NUL-terminated text in out (WIRE_TEXT_MAX bytes); its
 * length. */
size_t wire_talk(struct wire *wire, struct str_view send, char *out);

/* ---- step by step; every wait has an end, which fails the test ---- */
int wire_dial(const struct wire *wire); /* a client's connection */
int wire_backend(struct wire *wire);    /* the next connection to the origin (manual) */
int wire_spare(struct wire *wire);      /* and to the second origin, which has no thread ever */
void wire_put(int fd, struct str_view bytes);

#define WIRE_GET_MAX 65536
/* Reads up to and with that text, not a byte further. */
const char *wire_get(int fd, const char *end, char out[WIRE_GET_MAX]);
void wire_get_bytes(int fd, char *out, size_t len);

enum wire_end { WIRE_FIN, WIRE_RESET };
enum wire_end wire_end_of(int fd); /* reads on to the end, closes; how it ended */
void wire_reset(int fd);           /* closes with RST */

/* What the origin has received in complete requests since the last call (head and body as they
 * came); heap. */
char *wire_seen(struct wire *wire);

#endif
