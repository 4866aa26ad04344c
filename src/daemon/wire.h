/* daemon/wire.h - the order of birth and death of everything in the process */
#ifndef DAEMON_WIRE_H
#define DAEMON_WIRE_H

#include "daemon/options.h"

/* Runs until SIGTERM or SIGINT. 0: ended cleanly; -1: err says why it could not start. */
int daemon_run(const struct options *options, struct err *err);

#endif
