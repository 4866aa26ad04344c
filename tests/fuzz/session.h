/* tests/fuzz/session.h - a live session of a codec without sockets: client, clock and backends are
 * the input
 *
 * The codecs, exchanges and filters are the real ones; connections, the worker and the legs to
 * backends are played here, and checked: content that a backend gets never exceeds the length it
 * was told, a request ends only when all of it was there, nothing is said to a leg that was let go
 * of, output stays within its bounds, and at the end nothing is left.
 */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H

#include "base/str.h"
#include "dataplane/transport.h"

/* script: steps, each an octet that says what happens, an octet of length, and that many octets.
 * preface is sent before everything. */
void session_run(const struct transport *proto, struct str_view preface, struct str_view script);

#endif
