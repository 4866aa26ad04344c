/* cli/delete.h - deleting one object, and waiting until it is gone */
#ifndef CLI_DELETE_H
#define CLI_DELETE_H

#include "cli/refs.h"

/* 0, or -1 with fault. dry: the server only checks. */
int delete_object(struct cli *cli, const struct ref *ref, bool dry, struct fault *fault);
/* Until no object of that name is there, or another one. deadline: monotonic ms, negative: none.
 * False: the time is up or fault says what else. */
bool delete_await(struct cli *cli, const struct ref *ref, int64_t deadline, struct fault *fault);

#endif
