/* controller/order_new.c - newOrder (RFC 8555, section 7.4), and what has to hold before: a solver
 * for each name, room within the CA's limits, names that lead here
 *
 * The intent is stored before the CA is asked: what it may have made meanwhile is looked for first.
 */
#include "controller/order_step.h"

#include "base/own.h"
#include "controller/selfcheck.h"

#include <stdlib.h>

#define CHECK_FIRST_MS 5000
#define CHECK_MAX_MS   600000

/* ---- before newOrder ---- */

/* Is there a solver for each name? Those that the self-check is for are added to check. */
static bool solvers_do(struct order_look *look, const struct str_view *names, size_t count,
		       struct str_view *check, size_t *check_count)
{
	struct err err = {0};

	for (size_t i = 0; i < count; i++) {
		json_t *solver = NULL;
		const struct solver_type *type = order_solver(look, names[i], NULL, &solver, &err);

		if (type == NULL) {
			order_fails(look, "errored", "NoSolver", err.msg);
			return false;
		}
		if (type->self_check)
			check[(*check_count)++] = names[i];
		json_decref(solver);
	}
	return true;
}

static void store_intent(struct order_look *look)
{
	json_t *status = order_status(look);

	json_object_del(status, "reason");
	json_object_del(status, "failureReason");
	json_object_set_new(status, "intent", json_time(ctl_now()));
	look->run->fresh = true;
	order_learned(look->run, status);
}

static void check_stops(struct order_look *look, const char *words)
{
	struct order_run *run = look->run;
	json_t *status = order_status(look);
	unsigned shift = run->check_failures < 8 ? run->check_failures : 8;
	int64_t delay = (int64_t)CHECK_FIRST_MS << shift;

	run->check_failures++;
	account_leave_place(&run->use);
	json_object_set_new(status, "reason", json_fmt("self-check: %s", words));
	json_object_set_new(status, "failureReason", json_string("SelfCheckFailed"));
	order_learned(run, status);
	order_again(run, delay < CHECK_MAX_MS ? delay : CHECK_MAX_MS);
	ctl_event(look->ctl, kind_of_order(), look->object, "Warning", "SelfCheckFailed", "%s",
		  words);
}

static void checked(void *arg, enum selfcheck_verdict verdict, const char *words)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};

	run->check = NULL;
	if (!order_look_of(run, &look))
		return;
	if (verdict == SELFCHECK_STOP) {
		check_stops(&look, words);
		return;
	}
	if (verdict == SELFCHECK_NOTE)
		ctl_event(run->ctl, kind_of_order(), look.object, "Warning", "SelfCheck", "%s",
			  words);
	run->checked = true;
	order_again(run, 0);
}

static void begin_check(struct order_look *look, const struct selfcheck_config *check)
{
	if (check->count > 0) {
		look->run->check = selfcheck_start(look->ctl, check);
		return;
	}
	look->run->checked = true;
	store_intent(look);
}

static void begin(struct order_look *look)
{
	struct order_run *run = look->run;
	struct acme_new_order order;
	struct name_list names;
	struct str_view all[X509_NAMES_MAX * 2];
	struct selfcheck_config check = {.mode = selfcheck_mode_of(look->issuer.object),
					 .names = all,
					 .done = checked,
					 .arg = run};

	if (run->checked) {
		store_intent(look);
		return;
	}
	order_names(look, &order, &names);
	if (order.dns_count + order.ip_count > ORDER_NAMES_MAX)
		order_fails(look, "errored", "TooManyNames",
			    "a certificate can be for 100 names at most");
	else if (!order_within_limits(look, &order))
		run->checked = false;
	else if (solvers_do(look, order.dns, order.dns_count, all, &check.count) &&
		 solvers_do(look, order.ips, order.ip_count, all, &check.count))
		begin_check(look, &check);
	name_list_deinit(&names);
}

/* ---- newOrder ---- */

/* May the CA have made an order that we know nothing of? Then it is looked for first. */
static bool may_be_made(const struct acme_result *result)
{
	if (result->failure != FETCH_FINE)
		return result->failure != FETCH_DNS && result->failure != FETCH_CONNECT;
	return result->http_status < 400 || result->http_status == 502 ||
	       result->http_status == 504;
}

static void order_made(void *arg, const struct acme_result *result)
{
	struct order_run *run = arg;
	AUTO(order_look_end) struct order_look look = {0};
	struct acme_order order;
	struct err err = {0};
	json_t *status;

	if (!order_answered(run, result, &look))
		return;
	if (result->outcome == ACME_GONE && result->problem.type[0] == '\0' && !run->fresh) {
		run->fresh = true; /* the intent did not get as far as the CA */
		order_again(run, 0);
		return;
	}
	if (result->outcome == ACME_RETRY_LATER && may_be_made(result))
		run->fresh = false;
	if (order_answer_failed(&look, result))
		return;
	if (acme_order_read(result->body, &order, &err) != 0) {
		order_back_off(&look, "", err.msg, result->retry_after_ms);
		return;
	}
	status = order_status_from(&look, &order);
	json_object_set_new(status, "url", json_string(result->location));
	order_progress(run);
	order_learned(run, status);
	order_count(&look, ORDER_COUNT_MADE);
	ctl_event(run->ctl, kind_of_order(), look.object, "Normal", "Created", "%s %s at the CA",
		  run->fresh ? "Created order" : "Found order", result->location);
}

/* An intent of an earlier run may have become an order whose URL was never stored. */
static void send_new_order(struct order_look *look)
{
	struct order_run *run = look->run;
	struct acme_new_order order;
	struct name_list names;

	order_names(look, &order, &names);
	run->call = run->fresh ? acme_order_new(look->client, &order, order_made, run)
			       : acme_order_find(look->client, &order, order_made, run);
	name_list_deinit(&names);
}

void order_place(struct order_look *look)
{
	if (json_member(look->status, "intent") == NULL)
		begin(look);
	else
		send_new_order(look);
}
