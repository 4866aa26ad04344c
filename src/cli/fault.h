/* cli/fault.h - why a command failed, in kubectl's words
 *
 * Pure. A fault is either a Status that the server sent, or our own sentence.
 */
#ifndef CLI_FAULT_H
#define CLI_FAULT_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

#include <stdbool.h>

struct fault {
	long http;      /* status code of the server's answer; 0: err holds the reason */
	json_t *status; /* owned: the Status, or NULL when the answer was none */
	struct err err;
};

void fault_init(struct fault *fault);
void fault_deinit(struct fault *fault);
/* From an answer that is no success: body is its text. */
void fault_set_answer(struct fault *fault, long http, struct str_view body);
static inline bool fault_is_set(const struct fault *fault)
{
	return fault->http != 0 || fault->err.code != ERR_NONE;
}
bool fault_is(const struct fault *fault, const char *reason); /* "NotFound" "Conflict" … */

/* The lines that kubectl prints, ended by a line feed. context: 'error when creating "STDIN": ',
 * or NULL. */
void fault_text(const struct fault *fault, const char *context, struct buf *out);

#endif
