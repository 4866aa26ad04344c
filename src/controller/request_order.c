/* controller/request_order.c - a CertificateRequest of an ACME issuer: one Order, and what came
 * of it
 */
#include "controller/issuer.h"

#include "base/own.h"
#include "controller/order.h"

#define REPLACES_MAX 256

char *request_order_name(const struct object *request)
{
	uint64_t hash = sv_hash(json_sv_at(request->json, "metadata.uid"));

	return derived_name(object_name(request), "-%u", (unsigned)(hash & 0x7fffffff));
}

static json_t *text_list(char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_sv(sv_from(texts[i])));
	return list;
}

static json_t *order_spec(const struct request *request, const struct name_list *names)
{
	const json_t *spec = json_member(request->object->json, "spec");
	const json_t *acme = json_at(request->issuer.object->json, "spec.acme");
	json_t *order = json_pack("{s:O, s:O}", "request", json_member(spec, "request"),
				  "issuerRef", json_member(spec, "issuerRef"));
	json_t *duration = json_object_get(spec, "duration");
	const char *replaces = note_of(request->object, NOTE_REPLACES);

	if (names->common_name != NULL)
		json_object_set_new(order, "commonName", json_sv(sv_from(names->common_name)));
	if (names->dns_count > 0)
		json_object_set_new(order, "dnsNames", text_list(names->dns, names->dns_count));
	if (names->ip_count > 0)
		json_object_set_new(order, "ipAddresses", text_list(names->ips, names->ip_count));
	if (duration != NULL && json_bool_at(acme, "enableDurationFeature", false))
		json_object_set(order, "duration", duration);
	if (replaces != NULL && strlen(replaces) <= REPLACES_MAX)
		json_object_set_new(order, "replaces", json_string(replaces));
	if (json_sv_at(acme, "profile").len > 0)
		json_object_set(order, "profile", json_object_get(acme, "profile"));
	return order;
}

static void make_order(struct request *request, const char *name)
{
	const char *ns = object_namespace(request->object);
	AUTO(buf_deinit) struct buf der;
	struct name_list names;
	struct csr_info info;
	size_t texts;
	struct err err = {0};
	json_t *body;

	buf_init(&der, ISSUANCE_TEXT_MAX);
	if (request_csr(request->object, &der, &err) < 0 ||
	    csr_info_read(buf_view(&der), &info, &err) < 0) {
		request_failed(request, "", "%s", err.msg);
		return;
	}
	name_list_from_csr(&names, &info);
	texts = info.text_count;
	csr_info_deinit(&info);
	if (texts > 0) {
		request_failed(request, "UnsupportedIdentifier",
			       "an ACME certificate is for host names or addresses, and the "
			       "signing request names URIs or mail addresses too: use an issuer of "
			       "type ca for them");
	} else if (names.dns_count + names.ip_count == 0) {
		request_failed(request, "",
			       "an ACME certificate is for host names or addresses, and the "
			       "signing request names none");
	} else {
		body = body_new(kind_of_order(), ns, name, kind_of_request(), request->object);
		json_set_at(body, "metadata.labels",
			    json_incref(json_object_get(
				    json_object_get(request->object->json, "metadata"), "labels")));
		json_object_set_new(body, "spec", order_spec(request, &names));
		put_object(&(struct wake){request->ctl, CTL_REQUEST, request->object->key},
			   kind_of_order(), NULL, body);
		request_pending(request, "Waiting on certificate issuance from order %s/%s", ns,
				name);
	}
	name_list_deinit(&names);
}

static void take_certificate(struct request *request, const struct object *order)
{
	AUTO(buf_deinit) struct buf chain;

	buf_init(&chain, ISSUANCE_TEXT_MAX);
	if (base64_at(order->json, "status.certificate", &chain))
		request_issued(request, buf_view(&chain), SV(""));
	else
		request_failed(request, "", "order %s has no certificate", object_name(order));
}

static void take_failure(struct request *request, const struct object *order)
{
	const char *state = json_str_at(order->json, "status.state");
	const char *reason = json_str_at(order->json, "status.reason");
	const char *type = json_str_at(order->json, "status.failureReason");
	json_t *not_before = json_object_get(json_member(order->json, "status"), "retryAfterTime");

	if (not_before != NULL)
		json_object_set(request->status, "retryAfterTime", not_before);
	request_failed(request, type == NULL ? "" : type, "order %s is %s: %s", object_name(order),
		       state, reason == NULL ? "" : reason);
}

void request_by_order(struct request *request)
{
	const char *ns = object_namespace(request->object);
	AUTO(auto_free) char *name = request_order_name(request->object);
	const struct object *order = ctl_get(request->ctl, kind_of_order(), ns, name);
	const char *words, *type;

	if (order == NULL) {
		make_order(request, name);
		return;
	}
	words = json_str_at(order->json, "status.reason");
	type = json_str_at(order->json, "status.failureReason");
	if (order_is_valid(order))
		take_certificate(request, order);
	else if (order_has_ended(order))
		take_failure(request, order);
	else if (words != NULL && type != NULL)
		request_blocked(request, type, words);
	else if (words != NULL)
		request_pending(request, "order %s/%s: %s", ns, name, words);
	else
		request_pending(request, "Waiting on certificate issuance from order %s/%s", ns,
				name);
}
