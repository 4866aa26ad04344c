/* controller/order_side.c - requests of one Order that go side by side: its names are read and
 * answered a few at a time
 *
 * Reads come in bunches: what they learn is merged and stored at once. Answers fill free slots; a
 * slot is free again when the Challenge's new status is stored.
 */
#include "controller/order_run.h"

#include "base/own.h"

#include <stdlib.h>

static void clear(struct order_side *side)
{
	if (side->call != NULL)
		acme_cancel(side->call);
	json_decref(side->status);
	free(side->key);
	*side = (struct order_side){0};
}

void order_side_free(struct order_run *run)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		clear(&run->reads[i]);
		clear(&run->answers[i]);
	}
}

void order_side_lost(struct order_run *run)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		run->reads[i].call = NULL;
		if (run->answers[i].call == NULL)
			continue;
		run->answers[i].call = NULL;
		clear(&run->answers[i]);
	}
}

/* ---- reads ---- */

bool order_side_reading(const struct order_run *run)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		if (run->reads[i].call != NULL)
			return true;
	}
	return false;
}

void order_side_end_reads(struct order_run *run)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++)
		clear(&run->reads[i]);
}

bool order_side_read(struct order_look *look, size_t index, acme_done_fn *done)
{
	const char *url = json_str_at(order_authz(look->status, index), "url");

	for (size_t i = 0; url != NULL && i < ORDER_SIDE_MAX; i++) {
		struct order_side *side = &look->run->reads[i];

		if (side->call != NULL)
			continue;
		*side = (struct order_side){.run = look->run, .index = index};
		side->call = acme_get(look->client, url, done, side);
		return true;
	}
	return false;
}

/* ---- answers ---- */

bool order_side_answers(const struct order_run *run, const char *key)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		if (run->answers[i].key != NULL && strcmp(run->answers[i].key, key) == 0)
			return true;
	}
	return false;
}

void order_side_answer(struct order_look *look, const struct object *challenge, acme_done_fn *done)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		struct order_side *side = &look->run->answers[i];

		if (side->key != NULL)
			continue;
		*side = (struct order_side){.run = look->run, .key = xstrdup(challenge->key)};
		side->call = acme_challenge_answer(
			look->client, json_str_at(challenge->json, "spec.url"), done, side);
		return;
	}
}

void order_side_end_answer(struct order_side *side)
{
	clear(side);
}

void order_side_store_one(struct order_side *side)
{
	struct controllers *ctl = side->run->ctl;
	const struct object *object = store_get(ctl->config.store, sv_from(side->key));

	if (object == NULL || json_same(json_member(object->json, "status"), side->status))
		clear(side);
	else
		ctl_put_status(ctl, CTL_ORDER, object, json_incref(side->status));
}

void order_side_store(struct order_run *run)
{
	for (size_t i = 0; i < ORDER_SIDE_MAX; i++) {
		if (run->answers[i].status != NULL)
			order_side_store_one(&run->answers[i]);
	}
}
