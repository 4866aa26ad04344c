/* controller/backends.h - what backendRefs name: Services with their EndpointSlices, and Backends
 *
 * Each thing that is named (kind, namespace, name, port) is resolved once, whoever names it, and
 * again only when something below it has changed; serial tells who compiled with it. Control thread
 * only.
 */
#ifndef CONTROLLER_BACKENDS_H
#define CONTROLLER_BACKENDS_H

#include "controller/fqdn.h"
#include "controller/policies.h"
#include "controller/rules.h"
#include "dataplane/snapshot.h"
#include "store/store.h"

#define BACKEND_ENDPOINTS_MAX 1000 /* of one backend; the rest is left out */

struct backends;

/* What will be sent there: it decides which ports and addresses do. */
enum target_use { USE_HTTP, USE_STREAM, USE_DATAGRAM };

struct target_name {
	const char *kind; /* "Service" or "Backend" */
	const char *ns, *name;
	uint16_t port; /* of a Service */
	enum target_use use;
};

struct target {
	uint64_t serial;      /* another one whenever anything below is another */
	const char *reason;   /* of ResolvedRefs: False; NULL: resolved */
	char *message;        /* may be there without a reason: why nothing is ready */
	uint16_t fail_status; /* as struct backend */
	enum backend_protocol protocol;
	bool needs_tls;          /* its appProtocol says so */
	char section[64];        /* name of the Service's port */
	bool policed;            /* a BackendTLSPolicy names its object */
	struct backend_tls *tls; /* borrowed from policies.h; valid after backends_refresh */
	uint64_t tls_id;
	size_t endpoint_count;
	struct sock_addr *endpoints;
};

struct backends_config {
	struct store *store;
	struct loop *loop;
	struct dns *dns;
	const struct address_rules *rules;
	const struct policies *policies;
	void (*changed)(void *arg); /* names were looked up: call backends_refresh soon */
	void *arg;
};

struct backends *backends_new(const struct backends_config *config);
void backends_free(struct backends *backends); /* every target must have been let go of */

/* Resolved at once, counted. */
const struct target *backends_get(struct backends *backends, const struct target_name *name);
void target_unref(struct backends *backends, const struct target *target);
/* What policies are for; false: none names its object. */
bool target_subject(const struct target *target, struct policy_subject *subject);

/* An object changed (either may be NULL). Nothing is resolved before backends_refresh. */
void backends_service_changed(struct backends *backends, const struct object *service);
void backends_backend_changed(struct backends *backends, const struct object *backend);
void backends_slice_changed(struct backends *backends, const struct object *before,
			    const struct object *after);
/* Something that is looked at when this is resolved is another. */
void backends_touch(struct backends *backends, const char *kind, const char *ns,
		    struct str_view name);
/* Resolves anew what was touched; true: some target has another serial. */
bool backends_refresh(struct backends *backends);

/* Is a Backend as such in order? 0, or -1 with a sentence: an address that is refused, something
 * that is not supported. */
int backend_check(const json_t *backend, const struct address_rules *rules, struct err *err);

#endif
