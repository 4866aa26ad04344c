/* controller/request.c - CertificateRequest: approved by itself, signed by what its issuer is
 *
 * One that has ended (issued, failed, denied) is never touched again, but may be revoked.
 */
#include "controller/issuer.h"

#include "base/own.h"
#include "controller/revocation.h"

#include <stdarg.h>
#include <stdio.h>

#define WORDS_MAX 2048

/* ---- how a request ends ---- */

static void set_ready(struct request *request, enum cond_status value, const char *reason,
		      const char *words)
{
	status_condition(request->status, request->object, "Ready", value, reason, "%s", words);
}

void request_pending(struct request *request, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	set_ready(request, COND_FALSE, "Pending", words);
	json_object_del(request->status, "failureReason");
}

void request_blocked(struct request *request, const char *type, const char *words)
{
	set_ready(request, COND_FALSE, "Pending", words);
	json_object_set_new(request->status, "failureReason", json_string(type));
}

void request_failed(struct request *request, const char *type, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	set_ready(request, COND_FALSE, "Failed", words);
	json_object_set_new(request->status, "failureTime", json_time(ctl_now()));
	json_object_del(request->status, "failureReason");
	if (type[0] != '\0')
		json_object_set_new(request->status, "failureReason", json_string(type));
}

void request_issued(struct request *request, struct str_view chain, struct str_view ca)
{
	json_object_set_new(request->status, "certificate", json_base64(chain));
	if (ca.len > 0)
		json_object_set_new(request->status, "ca", json_base64(ca));
	json_object_del(request->status, "failureReason");
	set_ready(request, COND_TRUE, "Issued", "Certificate fetched from issuer successfully");
	ctl_event(request->ctl, kind_of_request(), request->object, "Normal", "CertificateIssued",
		  "Certificate fetched from issuer successfully");
}

int request_csr(const struct object *request, struct buf *der, struct err *err)
{
	if (request_at(request->json, "spec.request", der))
		return 0;
	return err_set(err, ERR_INVALID, "spec.request is no signing request in PEM form");
}

/* ---- one step ---- */

static bool has_ended(const struct object *object)
{
	const char *reason = condition_text(object, "Ready", "reason");

	return condition_is_true(object->json, "Ready") || strcmp(reason, "Failed") == 0 ||
	       strcmp(reason, "Denied") == 0 || condition_is_true(object->json, "InvalidRequest");
}

static void deny(struct request *request)
{
	set_ready(request, COND_FALSE, "Denied",
		  "The CertificateRequest was denied by an approval controller");
	json_object_set_new(request->status, "failureTime", json_time(ctl_now()));
}

static void take_step(struct request *request)
{
	const json_t *ref = json_at(request->object->json, "spec.issuerRef");
	const char *kind = json_str_at(ref, "kind"), *name = json_str_at(ref, "name");
	const struct issuer_type *type;

	if (!issuer_find(request->ctl, object_namespace(request->object), ref, &request->issuer)) {
		request_pending(request, "Referenced issuer not found: %s %s does not exist yet",
				kind == NULL ? "Issuer" : kind, name == NULL ? "" : name);
		return;
	}
	type = issuer_type_of(request->issuer.object);
	if (type == NULL || type->sign == NULL)
		request_failed(request, "", "%s %s cannot sign: its type is not served",
			       ISSUER_ARG(&request->issuer));
	else if (!issuer_ready(request->issuer.object))
		request_pending(request, "%s %s is not Ready: %s", ISSUER_ARG(&request->issuer),
				condition_text(request->issuer.object, "Ready", "message"));
	else
		type->sign(request);
}

static void request_reconcile(struct controllers *ctl, struct str_view key)
{
	struct request request = {.ctl = ctl, .object = store_get(ctl->config.store, key)};

	if (request.object == NULL || has_ended(request.object)) {
		if (request.object == NULL)
			request_revoke_forget(ctl, key);
		else
			request_revoke(ctl, request.object);
		return;
	}
	request.status = status_copy(request.object);
	if (condition_is_true(request.object->json, "Denied")) {
		deny(&request);
	} else {
		if (!condition_is_true(request.object->json, "Approved"))
			status_condition(request.status, request.object, "Approved", COND_TRUE,
					 "cert-manager.io",
					 "Certificate request has been approved by sallyport");
		take_step(&request);
	}
	ctl_put_status(ctl, CTL_REQUEST, request.object, request.status);
}

/* ---- what wakes a request ---- */

struct waiting {
	struct controllers *ctl;
	const struct object *cause; /* the issuer, or the Secret */
	bool cluster;
};

static bool queue_waiting(void *arg, const struct object *object)
{
	const struct waiting *waiting = arg;
	const json_t *ref = json_at(object->json, "spec.issuerRef");

	if (has_ended(object) ||
	    !sv_eq(json_sv_at(ref, "name"), sv_from(object_name(waiting->cause))) ||
	    sv_eq(json_sv_at(ref, "kind"), SV("ClusterIssuer")) != waiting->cluster)
		return true;
	ctl_queue(waiting->ctl, CTL_REQUEST, sv_from(object->key));
	return true;
}

static void issuer_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	const struct object *issuer = after != NULL ? after : before;
	struct waiting waiting = {.ctl = ctl, .cause = issuer};
	AUTO(auto_free) char *prefix = NULL;

	waiting.cluster = object_namespace(issuer)[0] == '\0';
	prefix = kind_prefix(kind_of_request(), waiting.cluster ? NULL : object_namespace(issuer));
	store_each(ctl->config.store, sv_from(prefix), queue_waiting, &waiting);
}

static bool queue_user(void *arg, const struct object *object)
{
	const struct waiting *waiting = arg;
	const char *name = note_of(object, NOTE_KEY_SECRET);

	if (name != NULL && strcmp(name, object_name(waiting->cause)) == 0 && !has_ended(object))
		ctl_queue(waiting->ctl, CTL_REQUEST, sv_from(object->key));
	return true;
}

/* A key that a selfSigned request waits for. Keys of Certificates are there before the request. */
static void secret_map(struct controllers *ctl, const struct object *before,
		       const struct object *after)
{
	struct waiting waiting = {.ctl = ctl, .cause = after};
	AUTO(auto_free) char *prefix = NULL;

	if (after == NULL || before != NULL ||
	    json_at(after->json, "metadata.ownerReferences") != NULL ||
	    note_of(after, NOTE_CERTIFICATE) != NULL)
		return;
	prefix = kind_prefix(kind_of_request(), object_namespace(after));
	store_each(ctl->config.store, sv_from(prefix), queue_user, &waiting);
}

static void order_map(struct controllers *ctl, const struct object *before,
		      const struct object *after)
{
	queue_owner(ctl, CTL_REQUEST, after != NULL ? after : before, kind_of_request());
}

const struct ctl_row ctl_request = {
	.name = "certificaterequest",
	.watches = {{.prefix = "cert-manager.io/certificaterequests/"},
		    {.prefix = "cert-manager.io/clusterissuers/", .map = issuer_map},
		    {.prefix = "cert-manager.io/issuers/", .map = issuer_map},
		    {.prefix = "acme.cert-manager.io/orders/", .map = order_map},
		    {.prefix = "core/secrets/", .map = secret_map}},
	.reconcile = request_reconcile,
	.start = request_revoke_start,
	.stop = request_revoke_stop,
};
