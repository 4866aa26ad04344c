#include "acme/challenge.h"
#include "acme/order.h"

#include "base/own.h"
#include "codec/json.h"

#define TYPE_LEN_MAX 64

static const struct {
	struct str_view text;
	enum authz_status status;
} statuses[] = {
	{SV_INIT("pending"), AUTHZ_PENDING}, {SV_INIT("valid"), AUTHZ_VALID},
	{SV_INIT("invalid"), AUTHZ_INVALID}, {SV_INIT("deactivated"), AUTHZ_DEACTIVATED},
	{SV_INIT("expired"), AUTHZ_EXPIRED}, {SV_INIT("revoked"), AUTHZ_REVOKED},
};

static struct str_view text_of(const json_t *value)
{
	return sv_new(json_string_value(value), json_string_length(value));
}

static bool has_token(struct str_view type)
{
	return sv_eq(type, SV("http-01")) || sv_eq(type, SV("dns-01")) ||
	       sv_eq(type, SV("tls-alpn-01"));
}

static bool is_printable(struct str_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	}
	return true;
}

/* Keeps what can be read; only the token of a challenge that could be answered may make it fail. */
static int read_offer(const json_t *entry, struct acme_authz *authz, struct err *err)
{
	struct acme_challenge_offer offer = {
		.type = text_of(json_member(entry, "type")),
		.url = text_of(json_member(entry, "url")),
		.token = text_of(json_member(entry, "token")),
		.status = text_of(json_member(entry, "status")),
		.error = json_member(entry, "error"),
	};

	if (offer.type.len == 0 || offer.type.len > TYPE_LEN_MAX || !is_printable(offer.type))
		return 0;
	if (!acme_token_fit(offer.token)) {
		if (has_token(offer.type))
			return err_set(
				err, ERR_DENIED,
				"the token of the %.*s challenge is not base64url of at least "
				"%d characters; it is not used",
				SV_ARG(offer.type), ACME_TOKEN_LEN_MIN);
		offer.token = SV_NONE;
	}
	if (!json_is_object(offer.error))
		offer.error = NULL;
	if (has_token(offer.type) && offer.url.len == 0)
		return 0;
	authz->offers[authz->count++] = offer;
	return 0;
}

static int read_offers(const json_t *body, struct acme_authz *authz, struct err *err)
{
	const json_t *list = json_member(body, "challenges");

	if (!json_is_array(list))
		return err_set(err, ERR_PROTOCOL, "the authorization's member \"challenges\" is %s",
			       list == NULL ? "missing" : "not an array");
	for (size_t i = 0; i < json_array_size(list) && authz->count < AUTHZ_CHALLENGES_MAX; i++) {
		if (read_offer(json_array_get(list, i), authz, err) != 0)
			return -1;
	}
	return 0;
}

static int read_status(const json_t *body, struct acme_authz *authz, struct err *err)
{
	const json_t *status = json_member(body, "status");

	if (!json_is_string(status))
		return err_set(err, ERR_PROTOCOL, "the authorization's member \"status\" is %s",
			       status == NULL ? "missing" : "not a string");
	authz->status_text = text_of(status);
	authz->status = AUTHZ_PENDING;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (sv_eq(statuses[i].text, authz->status_text))
			authz->status = statuses[i].status;
	}
	return 0;
}

int acme_authz_read(const json_t *body, struct acme_authz *authz, struct err *err)
{
	const json_t *identifier = json_member(body, "identifier");

	*authz = (struct acme_authz){0};
	if (!json_is_object(body))
		return err_set(err, ERR_PROTOCOL, "the authorization is not a JSON object");
	if (read_status(body, authz, err) != 0)
		return -1;
	authz->identifier_type = text_of(json_member(identifier, "type"));
	authz->identifier = text_of(json_member(identifier, "value"));
	if (authz->identifier_type.len == 0 || authz->identifier.len == 0)
		return err_set(err, ERR_PROTOCOL,
			       "the authorization's member \"identifier\" has no type and value");
	authz->wildcard = json_is_true(json_member(body, "wildcard"));
	/* RFC 8555 has it without the "*.", not every CA has. */
	if (sv_starts(authz->identifier, SV("*."))) {
		authz->identifier = sv_skip(authz->identifier, 2);
		authz->wildcard = true;
	}
	authz->expires = text_of(json_member(body, "expires"));
	return read_offers(body, authz, err);
}

const struct acme_challenge_offer *acme_authz_offer(const struct acme_authz *authz,
						    struct str_view type)
{
	for (size_t i = 0; i < authz->count; i++) {
		if (sv_eq(authz->offers[i].type, type))
			return &authz->offers[i];
	}
	return NULL;
}
