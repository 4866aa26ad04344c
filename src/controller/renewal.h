/* controller/renewal.h - when: the renewal of a certificate, the next attempt after a failure; pure
 *
 * Seconds since the epoch; the clock and randomness come in as arguments.
 */
#ifndef CONTROLLER_RENEWAL_H
#define CONTROLLER_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

struct renewal_wish {       /* of a Certificate's spec; at most one is set */
	int64_t before_s;   /* renewBefore; 0: none */
	int64_t percentage; /* renewBeforePercentage; 0: none */
};

/* A third of the real lifetime before its end; half when the lifetime is under 10 days. A wish
 * holds unless it would renew within the first tenth of the lifetime. spread (any bits, the same
 * for the same certificate) moves it earlier by up to a hundredth of the lifetime, an hour at most,
 * so that certificates of one day are not renewed in one minute. */
int64_t renewal_time(int64_t not_before, int64_t not_after, struct renewal_wish wish,
		     uint64_t spread);

/* The end of every window that a CA suggests (RFC 9773, section 4.2): a twentieth of the lifetime
 * is left at least, whatever the CA says. */
int64_t renewal_latest(int64_t not_before, int64_t not_after);

/* Milliseconds until renewal information is asked for again: what the CA said (-1: nothing, then 6
 * hours), at least a minute and at most a day. */
int64_t renewal_info_wait(int64_t retry_after_ms);

/* Seconds to wait after the failures-th failure in a row (1 is the first): 1, 10, 100 minutes, then
 * a day, each give or take a fifth. */
int64_t attempt_delay(int64_t failures, uint32_t random);

/* The same for a certificate that expires in left seconds (0 or less: has expired, or there is
 * none): at least eight tries before its end, but not more than one in a quarter of an hour. */
int64_t attempt_delay_before(int64_t delay, int64_t left);

/* How much earlier than renewal_time a renewal may be moved when others are due then. */
int64_t renewal_leeway(int64_t not_before, int64_t not_after, int64_t renewal);

enum renewal_alarm {
	ALARM_NONE,
	ALARM_LATE,   /* half of the time between its renewal and its end has passed */
	ALARM_SOON,   /* five sixths of it */
	ALARM_EXPIRED /* all of it */
};
/* Of a certificate that has not been renewed; *next: when it is worse. */
enum renewal_alarm renewal_alarm(int64_t renewal, int64_t not_after, int64_t now, int64_t *next);

/* Is a time that was written down for the next try still ahead? One further off than any wait of
 * ours was written while the clock was wrong. */
bool attempt_waits(int64_t next, int64_t now);

/* Milliseconds until the wall clock shows due, for a timer: at most limit_ms, since the clock may
 * be set meanwhile; at least 1. */
int64_t wall_wait_ms(int64_t due, int64_t now, int64_t limit_ms);

#endif
