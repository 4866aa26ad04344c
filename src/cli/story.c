/* cli/story.c - the order that a certificate comes from */
#include "cli/story.h"

#include "cli/condition.h"

#define NOTE_REVISION "cert-manager.io/certificate-revision"

/* By metadata.ownerReferences, and uid. */
static bool is_owned(const json_t *object, const json_t *owner)
{
	struct str_view uid = json_sv_at(owner, "metadata.uid");
	const json_t *ref;
	size_t i;

	json_array_foreach(json_at(object, "metadata.ownerReferences"), i, ref)
	{
		if (uid.len > 0 && sv_eq(json_sv_at(ref, "uid"), uid))
			return true;
	}
	return false;
}

static uint64_t revision_of(const json_t *request)
{
	const json_t *note = json_member(json_at(request, "metadata.annotations"), NOTE_REVISION);
	uint64_t revision = 0;

	if (json_is_string(note))
		(void)sv_to_u64(sv_from(json_string_value(note)), &revision);
	return revision;
}

static bool is_newer(const json_t *a, const json_t *b)
{
	if (b == NULL || revision_of(a) != revision_of(b))
		return b == NULL || revision_of(a) > revision_of(b);
	return sv_cmp(json_sv_at(a, "metadata.creationTimestamp"),
		      json_sv_at(b, "metadata.creationTimestamp")) >= 0;
}

static const json_t *newest_owned(const json_t *list, const json_t *owner)
{
	const json_t *newest = NULL, *object;
	size_t i;

	json_array_foreach(list, i, object)
	{
		if (is_owned(object, owner) && is_newer(object, newest))
			newest = object;
	}
	return newest;
}

void story_init(struct story *story, const json_t *certificate, const json_t *requests,
		const json_t *orders)
{
	*story = (struct story){.certificate = certificate, .challenges = json_array()};
	story->request = newest_owned(requests, certificate);
	story->order = newest_owned(orders, story->request);
	if (story->order == NULL)
		story->order = newest_owned(orders, certificate);
}

void story_add_challenges(struct story *story, const json_t *challenges)
{
	const json_t *challenge;
	size_t i;

	json_array_foreach(challenges, i, challenge)
	{
		if (is_owned(challenge, story->order))
			json_array_append(story->challenges, (json_t *)(uintptr_t)challenge);
	}
}

void story_deinit(struct story *story)
{
	json_decref(story->challenges);
	story->challenges = NULL;
}

/* ---- steps ---- */

static const struct {
	const char *state; /* of an Order (RFC 8555, section 7.1.6, and cert-manager's own) */
	enum step step;
} states[] = {
	{"pending", STEP_CHALLENGE}, {"ready", STEP_FINALIZE}, {"processing", STEP_FINALIZE},
	{"valid", STEP_CERTIFICATE}, {"invalid", STEP_FAILED}, {"expired", STEP_FAILED},
	{"errored", STEP_FAILED},
};

static enum step order_step(const json_t *order)
{
	struct str_view state = json_sv_at(order, "status.state");

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (sv_eq(state, sv_from(states[i].state)))
			return states[i].step;
	}
	return STEP_ORDER;
}

static const json_t *open_challenge(const struct story *story)
{
	const json_t *challenge;
	size_t i;

	json_array_foreach(story->challenges, i, challenge)
	{
		if (!sv_eq(json_sv_at(challenge, "status.state"), SV("valid")))
			return challenge;
	}
	return NULL;
}

/* The request of a revision that is there already: another one will follow. */
static bool is_past(const struct story *story)
{
	int64_t revision = json_int_at(story->certificate, "status.revision", 0);

	return story->request != NULL && revision_of(story->request) > 0 &&
	       revision_of(story->request) <= (uint64_t)(revision < 0 ? 0 : revision);
}

enum step story_step(const struct story *story)
{
	bool issuing = condition_is_true(story->certificate, "Issuing");
	enum step step;

	if (!issuing && condition_is_true(story->certificate, "Ready"))
		return STEP_DONE;
	if (story->order == NULL || is_past(story))
		return STEP_ACCOUNT;
	step = order_step(story->order);
	if (step == STEP_CHALLENGE && json_array_size(story->challenges) == 0)
		return STEP_ORDER;
	if (step == STEP_CHALLENGE && open_challenge(story) == NULL)
		return STEP_FINALIZE;
	return step;
}

const char *step_word(enum step step)
{
	static const char *const words[STEP_COUNT] = {
		[STEP_ACCOUNT] = "account",         [STEP_ORDER] = "order",
		[STEP_CHALLENGE] = "challenge",     [STEP_FINALIZE] = "finalize",
		[STEP_CERTIFICATE] = "certificate", [STEP_DONE] = "done",
		[STEP_FAILED] = "failed",
	};

	return words[step];
}

void story_note(const struct story *story, enum step step, struct buf *out)
{
	const json_t *challenge = open_challenge(story);

	if (step == STEP_FAILED)
		buf_add(out, json_sv_at(story->order, "status.reason"));
	if (step == STEP_CHALLENGE)
		buf_add(out, json_sv_at(challenge, "spec.dnsName"));
}
