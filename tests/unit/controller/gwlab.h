/* tests/unit/controller/gwlab.h - controllers over a store in memory and a real plane with one
 * worker
 *
 * Text given may hold "%P%", which stands for lab.port (free when the test began), and "%Q%", the
 * port of a small origin server that answers each request with "NAME path".
 */
#ifndef TESTS_CONTROLLER_GWLAB_H
#define TESTS_CONTROLLER_GWLAB_H

#include "controller/compile.h"
#include "controller/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct lab {
	struct loop *loop;
	struct store *store;
	struct plane *plane;
	struct dns *dns;
	struct address_rules *rules;
	struct controllers *ctl;
	uint16_t port, origin;
	size_t woken; /* times that CTL_ORDER was queued */
	void *server; /* of the origin */
};

void lab_start(struct lab *lab);
void lab_stop(struct lab *lab);

/* Admits and stores the documents (create, or replace keeping the status), and settles. */
void lab_apply(struct lab *lab, const char *yaml);
void lab_delete(struct lab *lab, const char *key);
void lab_settle(struct lab *lab);
/* Runs the loop until the condition holds; fails after some seconds. */
void lab_until(struct lab *lab, bool (*holds)(struct lab *lab, const void *arg), const void *arg,
	       const char *what);

/* Borrowed until the loop runs. */
const json_t *lab_object(struct lab *lab, const char *key);
/* "True/Reason" of a condition; entries: a path to the object's conditions. */
const char *lab_condition(struct lab *lab, const char *key, const char *path, const char *type);
/* Waits until the condition is "STATUS/REASON". */
void lab_expect(struct lab *lab, const char *key, const char *path, const char *type,
		const char *want);
/* Its message holds the words. */
void lab_expect_words(struct lab *lab, const char *key, const char *path, const char *type,
		      const char *words);

/* One request by IPv4 loopback: the whole answer, heap; NULL: not connected. */
char *lab_get(const struct lab *lab, const char *host, const char *path);
/* It starts with "HTTP/1.1 STATUS" and holds the words. */
void lab_expect_get(const struct lab *lab, const char *host, const char *path, int status,
		    const char *words);
/* Serial of the certificate that a handshake for the name is shown, heap; NULL: it was refused. */
char *lab_handshake(const struct lab *lab, const char *name);
/* A Secret of type kubernetes.io/tls for the name, as YAML; heap. */
char *lab_secret(const char *ns, const char *name, const char *host);

#define GW_KEY(name)    "gateway.networking.k8s.io/gateways/default/" name
#define ROUTE_KEY(name) "gateway.networking.k8s.io/httproutes/default/" name

#endif
