#include "dataplane/websocket.h"

#include "base/enc.h"

#include <openssl/sha.h>

#define KEY_LEN    16 /* RFC 6455, section 4.1 */
#define BASE64_MAX 32 /* of 16 or 20 bytes */

static struct str_view base64_in_arena(struct arena *arena, const void *bytes, size_t len)
{
	struct buf text;
	struct str_view copy = SV_NONE;

	buf_init(&text, BASE64_MAX);
	if (enc_base64(&text, sv_new(bytes, len)))
		copy = arena_dup(arena, buf_view(&text));
	buf_deinit(&text);
	return copy;
}

bool websocket_add_key(struct exchange *ex)
{
	uint64_t nonce[KEY_LEN / 8] = {exchange_random(ex->worker), exchange_random(ex->worker)};
	struct str_view key = base64_in_arena(&ex->arena, nonce, sizeof(nonce));

	return key.data != NULL && fields_set_id(&ex->request.fields, FIELD_SEC_WEBSOCKET_KEY, key);
}

/* Sec-WebSocket-Accept (RFC 6455, section 4.2.2); false: the key is none. */
static bool digest_of(struct str_view key, unsigned char digest[SHA_DIGEST_LENGTH])
{
	static const struct str_view guid = SV_INIT("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	unsigned char text[BASE64_MAX + 36];

	if (key.len == 0 || key.len > BASE64_MAX)
		return false;
	memcpy(text, key.data, key.len);
	memcpy(text + key.len, guid.data, guid.len);
	return SHA1(text, key.len + guid.len, digest) != NULL;
}

bool websocket_proved(const struct http_request *request, const struct http_response *response)
{
	struct str_view proof = fields_value(&response->fields, FIELD_SEC_WEBSOCKET_ACCEPT);
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct buf expected;
	bool same;

	if (fields_count_id(&response->fields, FIELD_SEC_WEBSOCKET_ACCEPT) != 1 ||
	    !digest_of(fields_value(&request->fields, FIELD_SEC_WEBSOCKET_KEY), digest))
		return false;
	buf_init(&expected, BASE64_MAX);
	same = enc_base64(&expected, sv_new((const char *)digest, sizeof(digest))) &&
	       sv_eq(proof, buf_view(&expected));
	buf_deinit(&expected);
	return same;
}

bool websocket_agreed(struct exchange *ex)
{
	struct http_response *response = &ex->response;
	unsigned char digest[SHA_DIGEST_LENGTH];
	struct str_view proof = SV_NONE;

	if (digest_of(fields_value(&ex->request.fields, FIELD_SEC_WEBSOCKET_KEY), digest))
		proof = base64_in_arena(&ex->arena, digest, sizeof(digest));
	if (proof.data == NULL ||
	    !fields_set_id(&response->fields, FIELD_SEC_WEBSOCKET_ACCEPT, proof))
		return false;
	response->status = 101;
	response->websocket = true;
	response->has_length = false;
	response->framing = BODY_UNTIL_CLOSE;
	return true;
}
