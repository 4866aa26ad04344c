/* tests/unit/controller/certlab.h - every controller over a store and a real plane with one worker;
 * the controllers can be ended at any moment and begun again over the same store
 */
#ifndef TESTS_CONTROLLER_CERTLAB_H
#define TESTS_CONTROLLER_CERTLAB_H

#include "base/own.h"
#include "controller/issuance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct certlab {
	struct loop *loop;
	struct store *store;
	struct plane *plane;
	struct dns *dns;
	struct jobs *jobs;
	struct fetcher *fetcher;
	struct address_rules *rules;
	struct controllers *ctl; /* NULL while it is "dead" */
	uint16_t port;           /* "%P%" in documents: free when the lab began */
	/* Of the next start, as in controller.h; their scripts may be those of this user. */
	const char *hooks, *alert_hook, *alert_webhook;
	unsigned events_max;
};

/* where: state directory of SQLite, NULL: in memory. dns_servers as of loop/dns.h. */
void certlab_open(struct certlab *lab, const char *where, const char *dns_servers);
void certlab_close(struct certlab *lab);
void certlab_start(struct certlab *lab); /* the controllers */
void certlab_kill(struct certlab *lab);  /* as they stand; what was not stored is lost */

/* Admits and stores YAML documents: create, or replace keeping the status. */
void certlab_apply(struct certlab *lab, const char *yaml);
void certlab_delete(struct certlab *lab, const char *key);
/* Sets a member of status ("conditions" and the like) as a client would; takes value. */
void certlab_set_status(struct certlab *lab, const char *key, const char *path, json_t *value);
/* Borrowed until the loop runs; NULL: absent. */
const json_t *certlab_get(struct certlab *lab, const char *key);
/* "True/Reason" of a condition in status, "none". Static buffer. */
const char *certlab_condition(struct certlab *lab, const char *key, const char *type);

typedef bool certlab_fn(struct certlab *lab, const void *arg);
/* Runs the loop until it holds; false: not within the time. */
bool certlab_wait(struct certlab *lab, certlab_fn *holds, const void *arg, int64_t ms);
void certlab_until(struct certlab *lab, certlab_fn *holds, const void *arg, const char *what);
void certlab_expect(struct certlab *lab, const char *key, const char *type, const char *want);
void certlab_run(struct certlab *lab, int64_t ms);
/* Nothing is queued and no write is under way. */
void certlab_settle(struct certlab *lab);

/* tls.crt of a Secret is a certificate for the name by the key in tls.key; serial to out. */
void certlab_check_pair(struct certlab *lab, const char *secret_key, const char *name,
			char serial[65]);

#define CERT_KEY(name)   "cert-manager.io/certificates/default/" name
#define SECRET_KEY(name) "core/secrets/default/" name

#endif
