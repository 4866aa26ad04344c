/* controller/selfcheck.h - would the CA reach us under these names? (design, section 6)
 *
 * Asked before newOrder, so that no order is spent on a record that points elsewhere. Each name
 * takes 2 s at most; an address that has answered is believed for a minute.
 */
#ifndef CONTROLLER_SELFCHECK_H
#define CONTROLLER_SELFCHECK_H

#include "controller/ctl.h"

enum selfcheck_mode {
	SELFCHECK_ENFORCE, /* what is wrong stops the order; behind a redirect it is a warning */
	SELFCHECK_WARN,
	SELFCHECK_OFF
};

enum selfcheck_verdict {
	SELFCHECK_PASS,
	SELFCHECK_NOTE, /* words worth an Event; the order goes on */
	SELFCHECK_STOP  /* words say what to change */
};

struct selfcheck;

typedef void selfcheck_done_fn(void *arg, enum selfcheck_verdict verdict, const char *words);

struct selfcheck_config {
	enum selfcheck_mode mode;
	const struct str_view *names; /* host names and addresses; copied */
	size_t count;
	selfcheck_done_fn *done; /* in a later turn, once */
	void *arg;
};

struct selfcheck *selfcheck_start(struct controllers *ctl, const struct selfcheck_config *config);
void selfcheck_cancel(struct selfcheck *check); /* done is not called; NULL is fine */
/* The mode in an issuer's annotation sallyport.dev/self-check. */
enum selfcheck_mode selfcheck_mode_of(const struct object *issuer);
void selfcheck_forget(struct controllers *ctl); /* the addresses that have answered */

#endif
