/* base/clock.h - time and its text forms
 *
 * Two clocks, never mixed: int64_t milliseconds of CLOCK_MONOTONIC for deadlines, int64_t seconds
 * since the epoch for what stands in certificates and objects.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_wall(void);    /* seconds since the epoch */
int64_t clock_wall_us(void); /* microseconds since the epoch (events, logs) */

#define CLOCK_TEXT_SIZE 32 /* enough for each text form below, with its NUL */

/* "2026-01-02T03:04:05Z" (RFC 3339, as metadata.creationTimestamp). */
void clock_rfc3339(int64_t wall, char out[CLOCK_TEXT_SIZE]);
bool clock_parse_rfc3339(struct str_view text, int64_t *wall); /* fractions and offsets accepted */

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7). */
void clock_http_date(int64_t wall, char out[CLOCK_TEXT_SIZE]);
bool clock_parse_http_date(struct str_view text, int64_t *wall); /* all three forms */

/* kubectl's ages: "5s", "3m20s", "4h", "2d3h", "90d", "2y30d". */
void clock_age(int64_t seconds, char out[CLOCK_TEXT_SIZE]);

/* A duration in Go's notation without sign: "1h30m", "500ms", "1.5s", "2160h0m0s"; parts below a
 * millisecond are dropped; at most some 292 years, as in Go. */
bool clock_parse_duration(struct str_view text, int64_t *ms);
/* Is it one of the Gateway API's subset (GEP-2257)? One to four whole numbers of one to five
 * digits, each with h, m, s or ms. Every such text is also read by clock_parse_duration. */
bool clock_duration_is_gep2257(struct str_view text);

#endif
