/* controller/gwevent.c - Events of Gateways */
#include "controller/gwevent.h"

#include "base/own.h"
#include "resource/condition.h"

static bool is_true(const json_t *condition)
{
	return sv_eq(json_sv_at(condition, "status"), SV("True"));
}

/* Not served, and nobody has to do anything about it: a certificate is on its way. */
static bool only_waits(const json_t *programmed)
{
	return sv_eq(json_sv_at(programmed, "status"), SV("False")) &&
	       sv_eq(json_sv_at(programmed, "reason"), SV("Pending"));
}

/* The condition that says most; NULL: none. *warns: somebody should look. */
static const json_t *news(const json_t *status, bool *warns)
{
	const json_t *conditions = json_member(status, "conditions");
	const json_t *accepted = condition_find(conditions, "Accepted");
	const json_t *programmed = condition_find(conditions, "Programmed");

	*warns = true;
	if (!is_true(accepted) || !sv_eq(json_sv_at(accepted, "reason"), SV("Accepted")))
		return accepted;
	*warns = !is_true(programmed) && !only_waits(programmed);
	return programmed;
}

static bool same(const json_t *a, const json_t *b)
{
	static const char *const members[] = {"type", "status", "reason", "message"};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (!sv_eq(json_sv_at(a, members[i]), json_sv_at(b, members[i])))
			return false;
	}
	return true;
}

static uint64_t print_of(const json_t *condition)
{
	uint64_t print = sv_hash(json_sv_at(condition, "reason")) * 31 +
			 sv_hash(json_sv_at(condition, "message"));

	return print == 0 ? 1 : print;
}

void gwevent_tell(struct controllers *ctl, struct gateway *gateway, const json_t *status,
		  const struct gwstatus_env *env)
{
	const struct object *object = gateway->object;
	bool warns, warned;
	const json_t *now = news(status, &warns);
	const json_t *before = news(json_member(object->json, "status"), &warned);
	uint64_t print = print_of(now);

	/* The store may not have answered yet when the next pass comes by: it would be told twice.
	 */
	if (!env->acknowledged || now == NULL || same(now, before) || gateway->last_event == print)
		return;
	gateway->last_event = print;
	ctl_event(ctl, kind_by_plural(SV(GATEWAY_GROUP), SV("gateways")), object,
		  warns ? "Warning" : "Normal", json_str_at(now, "reason"), "%s",
		  json_str_at(now, "message"));
}
