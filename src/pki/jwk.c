/* pki/jwk.c - private keys as JSON Web Keys have them */
#include "pki/jwk.h"

#include "base/enc.h"
#include "pki/ossl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#define MEMBER_MAX 1024 /* bytes of one number: RSA of 8192 bits */
#define NUMBERS    8

struct parts {
	OSSL_PARAM_BLD *build;
	BIGNUM *numbers[NUMBERS]; /* owned; the builder borrows them until it is done */
	size_t count;
	struct buf point; /* of EC: 0x04 x y */
};

static void parts_deinit(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		BN_clear_free(parts->numbers[i]);
	OSSL_PARAM_BLD_free(parts->build);
	buf_deinit(&parts->point);
}

static int decode(const char *name, struct str_view text, struct buf *out, struct err *err)
{
	buf_init(out, MEMBER_MAX);
	(void)buf_room(out, MEMBER_MAX);
	if (text.len == 0)
		return err_set(err, ERR_INVALID, "the key lacks \"%s\"", name);
	if (!dec_base64url(out, text) || buf_len(out) == 0)
		return err_set(err, ERR_INVALID, "\"%s\" is no base64url of at most %d bytes", name,
			       MEMBER_MAX);
	return 0;
}

static int add_number(struct parts *parts, const char *name, const char *param,
		      struct str_view text, struct err *err)
{
	AUTO(secret_deinit) struct buf bytes;
	BIGNUM *number;

	if (decode(name, text, &bytes, err) < 0)
		return -1;
	number = BN_secure_new();
	if (number == NULL || BN_bin2bn((const unsigned char *)buf_view(&bytes).data,
					(int)buf_len(&bytes), number) == NULL) {
		BN_clear_free(number);
		return ossl_fail(err, ERR_IO, "\"%s\"", name);
	}
	parts->numbers[parts->count++] = number;
	if (OSSL_PARAM_BLD_push_BN(parts->build, param, number) != 1)
		return ossl_fail(err, ERR_INVALID, "\"%s\"", name);
	return 0;
}

static int add_rsa(struct parts *parts, const struct jwk_members *jwk, struct err *err)
{
	const struct {
		const char *name, *param;
		struct str_view text;
	} rows[] = {{"n", OSSL_PKEY_PARAM_RSA_N, jwk->n},
		    {"e", OSSL_PKEY_PARAM_RSA_E, jwk->e},
		    {"d", OSSL_PKEY_PARAM_RSA_D, jwk->d},
		    {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, jwk->p},
		    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, jwk->q},
		    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, jwk->dp},
		    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, jwk->dq},
		    {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, jwk->qi}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (add_number(parts, rows[i].name, rows[i].param, rows[i].text, err) < 0)
			return -1;
	}
	return 0;
}

static int add_coordinate(struct parts *parts, const char *name, struct str_view text, size_t size,
			  struct err *err)
{
	AUTO(buf_deinit) struct buf bytes;

	if (decode(name, text, &bytes, err) < 0)
		return -1;
	if (buf_len(&bytes) != size)
		return err_set(err, ERR_INVALID, "\"%s\" has %zu bytes, not %zu", name,
			       buf_len(&bytes), size);
	buf_add(&parts->point, buf_view(&bytes));
	return 0;
}

static int add_ec(struct parts *parts, const struct jwk_members *jwk, struct err *err)
{
	bool small = sv_eq(jwk->crv, SV("P-256"));
	size_t size = small ? 32 : 48;

	if (!small && !sv_eq(jwk->crv, SV("P-384")))
		return err_set(err, ERR_UNSUPPORTED, "the curve is \"%.*s\", not P-256 or P-384",
			       SV_ARG(sv_head(jwk->crv, 40)));
	buf_addc(&parts->point, 4);
	if (add_coordinate(parts, "x", jwk->x, size, err) < 0 ||
	    add_coordinate(parts, "y", jwk->y, size, err) < 0 ||
	    add_number(parts, "d", OSSL_PKEY_PARAM_PRIV_KEY, jwk->d, err) < 0)
		return -1;
	if (OSSL_PARAM_BLD_push_utf8_string(parts->build, OSSL_PKEY_PARAM_GROUP_NAME,
					    small ? "prime256v1" : "secp384r1", 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(parts->build, OSSL_PKEY_PARAM_PUB_KEY,
					     parts->point.data + parts->point.start,
					     buf_len(&parts->point)) != 1)
		return ossl_fail(err, ERR_IO, "the key");
	return 0;
}

/* Private and public part belong together, and the factors to the modulus. */
static bool is_whole(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool whole = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return whole;
}

static EVP_PKEY *build(struct parts *parts, const char *type, struct err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts->build);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1) {
		ossl_fail(err, ERR_INVALID, "the parts of the key are no %s key", type);
		key = NULL;
	} else if (!is_whole(key)) {
		ossl_fail(err, ERR_INVALID, "the parts of the key do not belong together");
		EVP_PKEY_free(TAKE(key));
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

EVP_PKEY *key_from_jwk(const struct jwk_members *jwk, struct err *err)
{
	bool rsa = sv_eq(jwk->kty, SV("RSA"));
	struct parts parts = {.build = OSSL_PARAM_BLD_new()};
	EVP_PKEY *key = NULL;

	ERR_clear_error();
	buf_init(&parts.point, 128);
	if (parts.build == NULL)
		ossl_fail(err, ERR_IO, "the key");
	else if (!rsa && !sv_eq(jwk->kty, SV("EC")))
		err_set(err, ERR_UNSUPPORTED, "\"kty\" is \"%.*s\", not RSA or EC",
			SV_ARG(sv_head(jwk->kty, 40)));
	else if ((rsa ? add_rsa : add_ec)(&parts, jwk, err) == 0)
		key = build(&parts, rsa ? "RSA" : "EC", err);
	parts_deinit(&parts);
	return key;
}
