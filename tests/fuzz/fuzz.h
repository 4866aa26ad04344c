/* tests/fuzz/fuzz.h - what every fuzz target defines
 *
 * A target is one function that feeds bytes to one parser and checks what must hold for all
 * inputs. main.c replays tests/fuzz/corpus/NAME for it in make check; libFuzzer drives the same
 * function in builds configured with --enable-fuzzing.
 */
#ifndef SALLYPORT_TESTS_FUZZ_H
#define SALLYPORT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Feeds one input. Returns 0; a broken promise aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
