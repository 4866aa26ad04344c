/* tests/unit/acme/fake_ca.h - a CA, a network and a loop that exist in memory only, so that hours
 * pass at once
 *
 * fake_ca.c defines fetch_start, the loop's timers and tasks, and signing (as plain text), in place
 * of the rooms' own. The CA keeps to RFC 8555 as far as the client can tell, counts, and notes what
 * a careful client would not do: a nonce used twice or never given, a request before its
 * Retry-After.
 */
#ifndef FAKE_CA_H
#define FAKE_CA_H

#include "acme/client.h"

#define CA           "https://ca.example"
#define CA_DIRECTORY CA "/dir"

enum fault_kind {
	FAULT_PROBLEM,       /* status and type; the CA does not act */
	FAULT_BODY,          /* 200 with text instead of the answer; the CA does not act */
	FAULT_BAD_NONCE,     /* with a fresh nonce */
	FAULT_NO_NONCE,      /* the right answer without a nonce */
	FAULT_GARBAGE_NONCE, /* the right answer, its nonce is outside base64url */
	FAULT_NO_LOCATION,
	FAULT_LOST,      /* the CA acts, the answer never comes */
	FAULT_CLOSED,    /* the CA does not act, nothing comes */
	FAULT_KEPT_DIED, /* the same on a reused connection */
	FAULT_NOT_SENT,  /* refused */
	FAULT_TLS
};

struct fault {
	const char *path; /* "/newOrder": the URL's path begins so */
	int times;        /* 0: for ever */
	enum fault_kind kind;
	long status;
	const char *type, *text, *retry_after;
};

struct fake_ca {
	struct fault faults[4];
	bool has_account, no_renewal_info, no_orders_list, needs_eab, no_new_order_member;
	const char *moved_to; /* directory lists other paths: "/v2" */
	unsigned orders;
	const char *order_status, *challenge_status;
	/* counted */
	unsigned requests, directory, nonce, account, find_account, new_order, finalize, challenge,
		reads, key_change, deactivate, own_key_revocations, renewal_info;
	unsigned violations;
	char violation[128];
};

extern struct fake_ca ca; /* reset by fake_reset */

struct outcome { /* what the callback was given, copied */
	int calls;
	enum acme_outcome outcome;
	long http_status;
	int64_t retry_after_ms, elapsed_ms;
	enum fetch_failure failure;
	char step[40], type[64], text[900], location[256], order_status[40];
	size_t urls;
};

void fake_reset(void);
struct acme_client *fake_client(const char *kid);
void fake_done(void *arg, const struct acme_result *result); /* arg: struct outcome */
void fake_run(void);                                         /* until nothing is left to happen */
void fake_steps(int count);    /* at most so many tasks, answers and timers */
void fake_advance(int64_t ms); /* nothing runs meanwhile */
int fake_open(void);           /* timers, tasks and requests that are still there */

#endif
