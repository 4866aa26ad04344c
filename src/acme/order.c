#include "acme/order.h"

#include "base/own.h"
#include "codec/json.h"

#include <arpa/inet.h>

static const struct {
	struct str_view text;
	enum order_step step;
} order_table[ORDER_STATUS_COUNT] = {
#define X(name, text, step) [ORDER_##name] = {SV_INIT(text), STEP_##step},
	ORDER_STATUS_LIST(X)
#undef X
};

bool order_status_parse(struct str_view text, enum order_status *status)
{
	for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
		if (sv_eq(order_table[i].text, text)) {
			*status = (enum order_status)i;
			return true;
		}
	}
	return false;
}

enum order_step order_next(enum order_status status)
{
	return order_table[status].step;
}

static struct str_view text_of(const json_t *value)
{
	return sv_new(json_string_value(value), json_string_length(value));
}

/* A string member; absent is fine, another type is not. */
static int read_text(const json_t *body, const char *name, struct str_view *text, struct err *err)
{
	const json_t *value = json_member(body, name);

	if (value == NULL || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_PROTOCOL, "the order's member \"%s\" is not a string",
			       name);
	*text = text_of(value);
	return 0;
}

static int read_authorizations(const json_t *body, struct acme_order *order, struct err *err)
{
	const json_t *list = json_member(body, "authorizations");
	size_t count = json_array_size(list);

	if (!json_is_array(list))
		return err_set(err, ERR_PROTOCOL, "the order's member \"authorizations\" is %s",
			       list == NULL ? "missing" : "not an array");
	if (count > ORDER_NAMES_MAX)
		return err_set(err, ERR_PROTOCOL, "the order has %zu authorizations, over %d",
			       count, ORDER_NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		const json_t *url = json_array_get(list, i);

		if (!json_is_string(url))
			return err_set(err, ERR_PROTOCOL,
				       "the order's member \"authorizations.%zu\" is not a string",
				       i);
		order->authz[order->authz_count++] = text_of(url);
	}
	return 0;
}

static int read_status(const json_t *body, struct acme_order *order, struct err *err)
{
	if (read_text(body, "status", &order->status_text, err) != 0)
		return -1;
	if (order->status_text.data == NULL)
		return err_set(err, ERR_PROTOCOL, "the order's member \"status\" is missing");
	if (!order_status_parse(order->status_text, &order->status) ||
	    (order->status == ORDER_VALID && order->certificate.len == 0))
		order->status = ORDER_PROCESSING;
	return 0;
}

int acme_order_read(const json_t *body, struct acme_order *order, struct err *err)
{
	*order = (struct acme_order){0};
	if (!json_is_object(body))
		return err_set(err, ERR_PROTOCOL, "the order is not a JSON object");
	if (read_text(body, "finalize", &order->finalize, err) != 0 ||
	    read_text(body, "certificate", &order->certificate, err) != 0 ||
	    read_text(body, "expires", &order->expires, err) != 0 ||
	    read_status(body, order, err) != 0 || read_authorizations(body, order, err) != 0)
		return -1;
	if (order->finalize.len == 0 &&
	    (order->status == ORDER_PENDING || order->status == ORDER_READY))
		return err_set(err, ERR_PROTOCOL, "the order's member \"finalize\" is missing");
	order->error = json_member(body, "error");
	if (!json_is_object(order->error))
		order->error = NULL;
	return 0;
}

/* 16 bytes that are the same for every spelling of one address. */
static bool address_bytes(struct str_view text, unsigned char out[16])
{
	char copy[INET6_ADDRSTRLEN] = "";

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.len);
	memset(out, 0, 16);
	return inet_pton(AF_INET6, copy, out) == 1 || inet_pton(AF_INET, copy, out + 12) == 1;
}

static bool same_identifier(struct str_view type, struct str_view a, struct str_view b)
{
	unsigned char left[16], right[16];

	if (!sv_eq(type, SV("ip")))
		return sv_eq_nocase(a, b);
	return address_bytes(a, left) && address_bytes(b, right) && memcmp(left, right, 16) == 0;
}

/* Every one of names stands in the list with this type. */
static bool all_listed(const json_t *list, struct str_view type, const struct str_view *names,
		       size_t count)
{
	for (size_t n = 0; n < count; n++) {
		bool found = false;

		for (size_t i = 0; i < json_array_size(list) && !found; i++) {
			const json_t *entry = json_array_get(list, i);

			found = sv_eq(text_of(json_member(entry, "type")), type) &&
				same_identifier(type, text_of(json_member(entry, "value")),
						names[n]);
		}
		if (!found)
			return false;
	}
	return true;
}

static bool is_one_of(const json_t *entry, struct str_view type, const struct str_view *names,
		      size_t count)
{
	for (size_t n = 0; n < count; n++) {
		if (same_identifier(type, text_of(json_member(entry, "value")), names[n]))
			return true;
	}
	return false;
}

bool acme_order_names_equal(const json_t *body, const struct str_view *dns, size_t dns_count,
			    const struct str_view *ips, size_t ip_count)
{
	const json_t *list = json_member(body, "identifiers");
	size_t listed = json_array_size(list);

	if (listed == 0 || listed > ORDER_NAMES_MAX ||
	    !all_listed(list, SV("dns"), dns, dns_count) ||
	    !all_listed(list, SV("ip"), ips, ip_count))
		return false;
	for (size_t i = 0; i < listed; i++) {
		const json_t *entry = json_array_get(list, i);
		struct str_view type = text_of(json_member(entry, "type"));

		if (!(sv_eq(type, SV("dns")) && is_one_of(entry, type, dns, dns_count)) &&
		    !(sv_eq(type, SV("ip")) && is_one_of(entry, type, ips, ip_count)))
			return false;
	}
	return true;
}

bool acme_order_same_names(const json_t *body, const json_t *other)
{
	const json_t *list = json_member(other, "identifiers");
	struct str_view dns[ORDER_NAMES_MAX], ips[ORDER_NAMES_MAX];
	size_t dns_count = 0, ip_count = 0;

	if (json_array_size(list) > ORDER_NAMES_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		struct str_view value = text_of(json_member(entry, "value"));

		if (sv_eq(text_of(json_member(entry, "type")), SV("ip")))
			ips[ip_count++] = value;
		else
			dns[dns_count++] = value;
	}
	return acme_order_names_equal(body, dns, dns_count, ips, ip_count);
}
