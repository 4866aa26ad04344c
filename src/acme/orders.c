/* New orders, and orders that are looked for because the answer that named them was lost
 * (RFC 8555, sections 7.1.2.1, 7.1.3 and 7.4). */
#include "acme/call.h"

#include "acme/link.h"
#include "acme/order.h"
#include "acme/words.h"
#include "base/own.h"
#include "codec/json.h"

#include <stdlib.h>

#define LIST_URLS_MAX  100
#define LIST_PAGES_MAX 50
#define LOOKED_AT_MAX  10 /* orders, newest first */
#define BLIND_MAX      1  /* newOrder again without a list to look into */
#define LOOKS_MAX      3

struct orders_call {
	char *payload;  /* of newOrder; NULL: only a look */
	char *profile;  /* may be empty */
	json_t *wanted; /* {"identifiers": …} */
	json_t *urls;   /* collected so far */
	unsigned pages, looked_at, looks, blind;
	bool list_only, ending;
	char *candidate; /* order URL that is being read */
};

static void orders_free(void *own)
{
	struct orders_call *orders = own;

	free(orders->payload);
	free(orders->profile);
	free(orders->candidate);
	json_decref(orders->wanted);
	json_decref(orders->urls);
	free(orders);
}

static void nothing_found(struct acme_call *call, bool has_list);
static void look_at_next(struct acme_call *call);

static void read_url(struct acme_call *call, const char *step, const char *url, call_good_fn *good)
{
	struct call_request request = {.step = step, .resource = CALL_URL, .url = xstrdup(url)};

	call_send(call, &request, good);
}

/* ---- newOrder ---- */

static int check_order(const json_t *body, struct err *err)
{
	struct acme_order order;

	return acme_order_read(body, &order, err);
}

static struct call_request new_order_request(const struct orders_call *orders)
{
	return (struct call_request){
		.step = "newOrder",
		.resource = ACME_NEW_ORDER,
		.payload = xstrdup(orders->payload),
		.once = true,
		.check = check_order,
	};
}

static void order_made(struct acme_call *call)
{
	if (call->location == NULL)
		call_end(call, ACME_RETRY_LATER,
			 "the answer has no Location, so the order's URL is unknown");
	else
		call_ok(call);
}

static int order_prepare(struct acme_call *call, struct acme_result *result)
{
	const struct orders_call *orders = call->own;
	struct acme_problem *problem = &result->problem;
	char listed[512] = "";

	if (orders->payload == NULL ||
	    directory_has_profile(&call->client->directory, sv_from(orders->profile), listed,
				  sizeof(listed)))
		return 0;
	result->outcome = ACME_REFUSED;
	memcpy(problem->type, "invalidProfile", sizeof("invalidProfile"));
	words_addf(problem->text, sizeof(problem->text),
		   "the CA has no profile \"%.64s\"; it lists: %s", orders->profile, listed);
	return -1;
}

/* ---- the account's list of orders ---- */

static void list_read(struct acme_call *call)
{
	struct orders_call *orders = call->own;

	if (!orders->list_only) {
		look_at_next(call);
		return;
	}
	json_decref(call->body);
	call->body = TAKE(orders->urls);
	free(TAKE(call->location));
	call_ok(call);
}

/* The last ones are kept: servers append. */
static void keep_urls(struct orders_call *orders, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *url = json_array_get(list, i);

		if (!json_is_string(url))
			continue;
		if (json_array_size(orders->urls) >= LIST_URLS_MAX)
			json_array_remove(orders->urls, 0);
		json_array_append(orders->urls, url);
	}
}

static void page_read(struct acme_call *call)
{
	struct orders_call *orders = call->own;
	struct str_view links = call->links, next;
	AUTO(auto_free) char *url = NULL;

	if (!json_is_array(json_member(call->body, "orders"))) {
		call_bad_answer(call, "the list of orders has no array \"orders\"");
		return;
	}
	keep_urls(orders, json_member(call->body, "orders"));
	if (++orders->pages < LIST_PAGES_MAX && link_next(&links, SV("next"), &next))
		url = url_resolve(call->request.url, next);
	if (url != NULL)
		read_url(call, "orders", url, page_read);
	else
		list_read(call);
}

static void account_read(struct acme_call *call)
{
	const char *list = json_str_at(call->body, "orders");
	AUTO(auto_free) char *url = NULL;

	if (list != NULL)
		url = url_resolve(call->client->kid, sv_from(list));
	if (url == NULL || !directory_allows(&call->client->directory, url))
		nothing_found(call, false);
	else
		read_url(call, "orders", url, page_read);
}

static void start_list(struct acme_call *call)
{
	struct orders_call *orders = call->own;
	struct call_request request = {.step = "account", .resource = CALL_URL};

	json_decref(orders->urls);
	orders->urls = json_array();
	orders->pages = orders->looked_at = 0;
	call_send(call, &request, account_read);
}

/* ---- looking for the order ---- */

static bool may_be_ours(const struct orders_call *orders, const json_t *body)
{
	struct acme_order order;

	return acme_order_read(body, &order, NULL) == 0 && order.status != ORDER_VALID &&
	       order.status != ORDER_INVALID && acme_order_same_names(body, orders->wanted);
}

static void candidate_read(struct acme_call *call)
{
	struct orders_call *orders = call->own;

	if (!may_be_ours(orders, call->body)) {
		look_at_next(call);
		return;
	}
	free(call->location);
	call->location = TAKE(orders->candidate);
	call_ok(call);
}

static void look_at_next(struct acme_call *call)
{
	struct orders_call *orders = call->own;
	size_t left = json_array_size(orders->urls);

	if (left == 0 || orders->looked_at >= LOOKED_AT_MAX) {
		nothing_found(call, true);
		return;
	}
	orders->looked_at++;
	free(orders->candidate);
	orders->candidate =
		url_resolve(call->client->directory_url,
			    sv_from(json_string_value(json_array_get(orders->urls, left - 1))));
	json_array_remove(orders->urls, left - 1);
	if (orders->candidate == NULL)
		nothing_found(call, true);
	else
		read_url(call, "order", orders->candidate, candidate_read);
}

/* No order of ours is there: make it, unless this was only a look. */
static void nothing_found(struct acme_call *call, bool has_list)
{
	struct orders_call *orders = call->own;
	struct call_request request;

	if (orders->payload == NULL) {
		orders->ending = true;
		call_end(call, orders->list_only ? ACME_REFUSED : ACME_GONE, "%s",
			 has_list ? "the CA has no unfinished order for these names"
				  : "the CA keeps no list of the account's orders");
		return;
	}
	if (!has_list && orders->blind++ >= BLIND_MAX) {
		orders->ending = true;
		call_end(call, ACME_RETRY_LATER, "the answer to newOrder was lost more than once");
		return;
	}
	request = new_order_request(orders);
	call_resend(call, &request, order_made);
}

static void order_lost(struct acme_call *call)
{
	struct orders_call *orders = call->own;

	if (orders->looks++ >= LOOKS_MAX)
		call_end(call, ACME_RETRY_LATER, "%s", "");
	else
		start_list(call);
}

/* An order of the list that cannot be read is not ours any more; without a list, there is nothing
 * to look at. */
static bool orders_failed(struct acme_call *call)
{
	struct orders_call *orders = call->own;
	const struct acme_result *result = &call->result;
	bool about_url = result->outcome == ACME_GONE || result->outcome == ACME_REFUSED ||
			 (result->outcome == ACME_BROKEN && result->failure == FETCH_FINE);

	if (orders->ending || !about_url || strcmp(result->step, call->request.step) != 0 ||
	    strcmp(result->problem.type, "accountDoesNotExist") == 0 ||
	    call->request.resource != CALL_URL)
		return false;
	if (strcmp(call->request.step, "order") == 0)
		look_at_next(call);
	else
		nothing_found(call, false);
	return true;
}

static const struct call_kind orders_kind = {.prepare = order_prepare,
					     .lost = order_lost,
					     .failed = orders_failed,
					     .free_own = orders_free};

/* ---- the calls ---- */

static void add_identifiers(json_t *list, const char *type, const struct str_view *names,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_t *entry = json_object();

		json_object_set_new(entry, "type", json_sv(sv_from(type)));
		json_object_set_new(entry, "value", json_sv(names[i]));
		json_array_append_new(list, entry);
	}
}

static struct acme_call *orders_call_new(struct acme_client *client, acme_done_fn *done, void *arg)
{
	struct acme_call *call = call_new(client, &orders_kind, done, arg);

	call->own = xcalloc(1, sizeof(struct orders_call));
	return call;
}

static json_t *wanted_names(const struct acme_new_order *order)
{
	json_t *list = json_array(), *wanted = json_object();

	add_identifiers(list, "dns", order->dns, order->dns_count);
	add_identifiers(list, "ip", order->ips, order->ip_count);
	json_object_set_new(wanted, "identifiers", list);
	return wanted;
}

struct acme_call *acme_order_new(struct acme_client *client, const struct acme_new_order *order,
				 acme_done_fn *done, void *arg)
{
	struct acme_call *call = orders_call_new(client, done, arg);
	struct orders_call *orders = call->own;
	AUTO(auto_json) json_t *payload = NULL;
	struct call_request request;

	orders->wanted = wanted_names(order);
	orders->profile = sv_dup(order->profile);
	payload = json_copy(orders->wanted);
	if (order->profile.len > 0)
		json_object_set_new(payload, "profile", json_sv(order->profile));
	if (order->replaces.len > 0)
		json_object_set_new(payload, "replaces", json_sv(order->replaces));
	orders->payload = json_text(payload);
	request = new_order_request(orders);
	call_send(call, &request, order_made);
	return call;
}

struct acme_call *acme_order_find(struct acme_client *client, const struct acme_new_order *order,
				  acme_done_fn *done, void *arg)
{
	struct acme_call *call = orders_call_new(client, done, arg);
	struct orders_call *orders = call->own;

	orders->wanted = wanted_names(order);
	start_list(call);
	return call;
}

struct acme_call *acme_orders_list(struct acme_client *client, acme_done_fn *done, void *arg)
{
	struct acme_call *call = orders_call_new(client, done, arg);
	struct orders_call *orders = call->own;

	orders->list_only = true;
	start_list(call);
	return call;
}
