/* Any JSON as directory, order, authorization and problem: no crash, and what is accepted is fit.
 */
#include "acme/challenge.h"
#include "acme/directory.h"
#include "acme/order.h"
#include "acme/problem.h"
#include "base/own.h"
#include "codec/json.h"
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

static void as_directory(const json_t *body)
{
	AUTO(directory_deinit) struct directory directory = {0};

	if (directory_read(&directory, body, "https://ca.example/dir", NULL) != 0)
		return;
	for (int i = 0; i < ACME_RESOURCE_COUNT; i++) {
		if (directory.urls[i] == NULL)
			continue;
		assert(directory_allows(&directory, directory.urls[i]));
		assert(!url_is_loopback(&directory.origins[i]));
		assert(!url_is_link_local(&directory.origins[i]));
	}
}

static void as_order(const json_t *body)
{
	struct acme_order order;

	if (acme_order_read(body, &order, NULL) == 0) {
		assert(order.status < ORDER_STATUS_COUNT && order.authz_count <= ORDER_NAMES_MAX);
		assert(order.status != ORDER_VALID || order.certificate.len > 0);
		assert(order.status != ORDER_READY || order.finalize.len > 0);
	}
	acme_order_same_names(body, body);
}

static void as_authorization(const json_t *body)
{
	struct acme_authz authz;

	if (acme_authz_read(body, &authz, NULL) != 0)
		return;
	assert(authz.count <= AUTHZ_CHALLENGES_MAX && authz.identifier.len > 0);
	for (size_t i = 0; i < authz.count; i++)
		assert(authz.offers[i].token.len == 0 || acme_token_fit(authz.offers[i].token));
}

static void as_problem(const json_t *body)
{
	struct acme_problem problem;

	acme_problem_parse(body, 400, &problem);
	assert(strlen(problem.text) < sizeof(problem.text));
	for (const char *c = problem.text; *c != '\0'; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7f);
	acme_problem_verdict(&problem, 400);
	acme_problem_verdict(&problem, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_json) json_t *body = json_parse(sv_new((const char *)data, size), NULL);

	if (body == NULL)
		return 0;
	as_directory(body);
	as_order(body);
	as_authorization(body);
	as_problem(body);
	return 0;
}
