/* controller/spread.h - renewals side by side: which hour is not crowded, and may one begin now?
 * pure
 *
 * 10,000 certificates that were issued on one day would be due on one day again. The hours to come
 * are counted: a renewal that falls into a crowded one is moved to an earlier hour, so that each
 * round is flatter than the one before. After an outage of a CA those that are due do not begin all
 * at once, but those with the least time left first.
 *
 * Crowded is measured by the mean: what comes due in an hour when all renewals of all certificates
 * are spread evenly. Seconds since the epoch; the clock comes in as an argument.
 */
#ifndef CONTROLLER_SPREAD_H
#define CONTROLLER_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

struct spread;

struct spread *spread_new(void);
void spread_free(struct spread *spread);

/* A renewal is planned (or not any more) at that time, and comes again every period seconds. */
void spread_add(struct spread *spread, int64_t when, int64_t period);
void spread_remove(struct spread *spread, int64_t when, int64_t period);
/* Renewals an hour when they are spread evenly. */
double spread_mean(const struct spread *spread);

/* The latest time of [earliest, latest] in an hour that is not crowded, else in the emptiest one.
 * bits: any, the same for the same certificate: where in the hour. */
int64_t spread_pick(const struct spread *spread, int64_t earliest, int64_t latest, uint64_t bits);

/* A time of [earliest, latest): the one that random hits, unless its hour is crowded; then one in
 * the emptiest hour. */
int64_t spread_within(const struct spread *spread, int64_t earliest, int64_t latest,
		      uint64_t random);

struct spread_due {
	int64_t due;      /* when it was to begin */
	int64_t deadline; /* when it is to be done: the end of the CA's window, else expiry */
	int64_t expiry;
	unsigned blocked; /* renewals that wait for this CA to recover */
};

#define SPREAD_BLOCKED_MAX 8 /* that try whether a CA has recovered; the others wait for them */

/* May a renewal that is due begin now? Then it is counted. What expires soon always may. */
bool spread_begin(struct spread *spread, const struct spread_due *what, int64_t now);
/* Seconds until it may be asked again. */
int64_t spread_wait(const struct spread_due *what, int64_t now, uint32_t random);

#endif
