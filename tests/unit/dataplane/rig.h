/* tests/unit/dataplane/rig.h - a real plane on loopback whose codec is a small command language
 *
 * A client sends lines, and gets:
 *     echo TEXT    TEXT
 *     info         "PROTO sni=NAME" of the connection
 *     big N        N bytes, as fast as back-pressure lets them
 *     sink N       reads N raw bytes, then "sunk"
 *     close        "bye", then the connection ends with conn_close
 *     abort        conn_abort
 *     log          "logged", and a line in the access log
 *     stall        nothing is read any more
 *     nudge        whenever nothing is there to read, the socket is said to be writable
 */
#ifndef TESTS_DATAPLANE_RIG_H
#define TESTS_DATAPLANE_RIG_H

#include "dataplane/plane_priv.h"
#include "dataplane/snapshot.h"
#include "loop/loop.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct rig {
	struct loop *loop;
	struct plane *plane;
	uint64_t acknowledged;
	bool drained, timed_out;
	unsigned tokens;
};

struct rig_listener {
	const char *hostname; /* "" for any */
	struct cert *cert;    /* a reference is taken; NULL: none */
	enum serves serves;
	struct vhost *vhost; /* of the hostname; a reference is taken; NULL: none */
};

struct rig_port {
	struct binding *binding;
	bool tls;
	struct rig_listener listeners[4];
	size_t listener_count;
};

/* limits: NULL for the defaults. */
void rig_start(struct rig *rig, unsigned workers, const struct plane_limits *limits, int access_fd);
void rig_stop(struct rig *rig);
struct binding *rig_bind(struct rig *rig, uint16_t port); /* 127.0.0.1; 0: any */
/* Publishes and waits until all workers run it. keys: how many ticket keys; seed names them. */
void rig_publish(struct rig *rig, const struct rig_port *ports, size_t count,
		 const char *key_seeds);
/* One plain or TLS port with those listeners. */
struct binding *rig_serve(struct rig *rig, struct rig_port port);
void rig_run_until(struct rig *rig, bool (*done)(struct rig *rig));
bool rig_drained(struct rig *rig);

uint64_t rig_metric(struct rig *rig, const char *name); /* a line of plane_metrics */
void rig_wait_metric(struct rig *rig, const char *name, uint64_t value);
/* For a counter that may have gone past the value when it is looked at. */
void rig_wait_at_least(struct rig *rig, const char *name, uint64_t value);
/* Most bytes that the codec saw pending on any connection since the start. */
size_t rig_most_pending(void);

struct cert *rig_cert(const char *name); /* self-signed, one dNSName; one owner: the caller */

/* ---- clients: blocking, with a time-out that fails the test ---- */
int rig_connect(const struct binding *binding);
void send_text(int fd, const char *text);
void expect_text(int fd, const char *text);
void expect_end(int fd);               /* FIN, not a reset */
void expect_bytes(int fd, size_t len); /* of "big" */

#endif
