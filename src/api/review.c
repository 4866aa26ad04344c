/* api/review.c - what a client may do, and who it is (authorization.k8s.io, authentication.k8s.io)
 *
 * Nothing is stored: each review is answered as it comes. Whoever is let through to the control
 * socket may do all (peer.h), so the answer is the same to every question.
 */
#include "api/serve.h"

#include "api/peer.h"
#include "base/own.h"

/* The object that was sent, whose status is to be filled in. Newer clients send protobuf, of which
 * nothing is needed: the path says what is asked. */
static json_t *review_of(struct request *request, const char *group, const char *kind)
{
	struct err err = {.code = ERR_NONE};
	json_t *review;

	if (request_media(request) == MEDIA_OTHER)
		review = json_object();
	else
		review = request_json(request, &err);
	if (review == NULL) {
		request_fail(request, &err, NULL);
		return NULL;
	}
	if (!json_is_object(review)) {
		json_decref(review);
		review = json_object();
	}
	json_object_set_new(review, "kind", json_string(kind));
	json_object_set_new(review, "apiVersion", json_fmt("%s/v1", group));
	if (json_object_get(review, "metadata") == NULL)
		json_object_set_new(review, "metadata", json_object());
	return review;
}

static void answer_review(struct request *request, json_t *review, json_t *status)
{
	json_object_set_new(review, "status", status);
	request_answer(request, 201, review);
}

void serve_access_review(struct request *request)
{
	json_t *review = review_of(request, "authorization.k8s.io", "SelfSubjectAccessReview");

	if (review != NULL)
		answer_review(request, review,
			      json_pack("{s:b, s:s}", "allowed", 1, "reason",
					"who may use the control socket may do all"));
}

void serve_rules_review(struct request *request)
{
	json_t *review = review_of(request, "authorization.k8s.io", "SelfSubjectRulesReview");

	if (review != NULL)
		answer_review(request, review,
			      json_pack("{s:[{s:[s], s:[s], s:[s]}], s:[{s:[s], s:[s]}], s:b}",
					"resourceRules", "verbs", "*", "apiGroups", "*",
					"resources", "*", "nonResourceRules", "verbs", "*",
					"nonResourceURLs", "*", "incomplete", 0));
}

/* By number: asking the name service could block. */
static json_t *user_name(const struct request *request)
{
	uid_t uid;

	if (!peer_uid(request->conn->fd, &uid))
		return json_string("unknown");
	return uid == 0 ? json_string("root") : json_fmt("uid:%u", (unsigned)uid);
}

void serve_subject_review(struct request *request)
{
	json_t *review = review_of(request, "authentication.k8s.io", "SelfSubjectReview");

	if (review != NULL)
		answer_review(request, review,
			      json_pack("{s:{s:o, s:[s, s]}}", "userInfo", "username",
					user_name(request), "groups", "system:masters",
					"system:authenticated"));
}
