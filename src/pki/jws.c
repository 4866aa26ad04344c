/* pki/jws.c - JSON Web Keys and Signatures as ACME uses them */
#include "pki/jws.h"

#include "base/enc.h"
#include "pki/ossl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define COORDINATE_MAX 48         /* bytes, of P-384 */
#define SIGNATURE_MAX  1024       /* bytes; RSA 8192 */
#define JWS_MAX        (1u << 20) /* bytes of one signed request */
#define TOKEN_MAX      512

static const struct algorithm {
	const char *name;   /* RFC 7518, section 3.1 */
	const char *crv;    /* RFC 7518, section 6.2.1.1; NULL: RSA */
	enum key_type type; /* of a curve */
	int coordinate;     /* bytes of x, y, r and s each */
} algorithms[] = {
	{"ES256", "P-256", KEY_ECDSA_P256, 32},
	{"ES384", "P-384", KEY_ECDSA_P384, 48},
	{"RS256", NULL, KEY_RSA_2048, 0},
};

static const struct algorithm *algorithm_of(EVP_PKEY *key)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (algorithms[i].crv == NULL ? EVP_PKEY_is_a(key, "RSA") == 1
					      : key_is(key, algorithms[i].type))
			return &algorithms[i];
	return NULL;
}

const char *jws_alg(EVP_PKEY *key)
{
	const struct algorithm *algorithm = algorithm_of(key);

	return algorithm == NULL ? NULL : algorithm->name;
}

static int no_algorithm(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "ACME needs an ECDSA P-256, P-384 or RSA key");
}

static int full(struct err *err)
{
	return err_set(err, ERR_LIMIT, "no room for the signed text");
}

/* ---- keys (RFC 7517, RFC 7518 section 6) ---- */

/* A number of the key as base64url, filled up to size bytes (0: as long as it is). */
static int number_add(EVP_PKEY *key, const char *name, int size, struct buf *out)
{
	unsigned char bytes[KEY_RSA_BITS_MAX / 8];
	AUTO(auto_bignum) BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
		return -1;
	if (size == 0)
		size = BN_num_bytes(number);
	if (size > (int)sizeof(bytes) || BN_bn2binpad(number, bytes, size) != size)
		return -1;
	return enc_base64url(out, sv_new((const char *)bytes, (size_t)size)) ? 0 : -1;
}

static int jwk_ec(EVP_PKEY *key, const struct algorithm *algorithm, struct buf *out)
{
	buf_addf(out, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"", algorithm->crv);
	if (number_add(key, OSSL_PKEY_PARAM_EC_PUB_X, algorithm->coordinate, out) != 0)
		return -1;
	buf_add(out, SV("\",\"y\":\""));
	if (number_add(key, OSSL_PKEY_PARAM_EC_PUB_Y, algorithm->coordinate, out) != 0)
		return -1;
	return buf_add(out, SV("\"}")) ? 0 : -1;
}

static int jwk_rsa(EVP_PKEY *key, struct buf *out)
{
	buf_add(out, SV("{\"e\":\""));
	if (number_add(key, OSSL_PKEY_PARAM_RSA_E, 0, out) != 0)
		return -1;
	buf_add(out, SV("\",\"kty\":\"RSA\",\"n\":\""));
	if (number_add(key, OSSL_PKEY_PARAM_RSA_N, 0, out) != 0)
		return -1;
	return buf_add(out, SV("\"}")) ? 0 : -1;
}

int jwk_public(EVP_PKEY *key, struct buf *out, struct err *err)
{
	const struct algorithm *algorithm = algorithm_of(key);
	int rc;

	ERR_clear_error();
	if (algorithm == NULL)
		return no_algorithm(err);
	rc = algorithm->crv == NULL ? jwk_rsa(key, out) : jwk_ec(key, algorithm, out);
	return rc == 0 ? 0 : ossl_fail(err, ERR_LIMIT, "cannot write the public key as JWK");
}

int jwk_thumbprint(EVP_PKEY *key, struct buf *out, struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	AUTO(buf_deinit) struct buf jwk = {0};
	size_t len = 0;

	buf_init(&jwk, 4096);
	if (jwk_public(key, &jwk, err) != 0)
		return -1;
	if (EVP_Q_digest(NULL, "SHA256", NULL, buf_view(&jwk).data, buf_len(&jwk), digest, &len) !=
	    1)
		return ossl_fail(err, ERR_IO, "cannot compute a thumbprint");
	return enc_base64url(out, sv_new((const char *)digest, len)) ? 0 : full(err);
}

/* ---- signatures (RFC 7515, section 5.1; RFC 7518, section 3) ---- */

struct signature {
	unsigned char bytes[SIGNATURE_MAX];
	size_t len;
};

/* OpenSSL gives a DER sequence of r and s; a JWS has the two numbers side by side. */
static int raw_ecdsa(struct signature *signature, int coordinate)
{
	const unsigned char *at = signature->bytes;
	unsigned char raw[2 * COORDINATE_MAX];
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)signature->len);
	bool ok = pair != NULL &&
		  BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, coordinate) == coordinate &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + coordinate, coordinate) == coordinate;

	ECDSA_SIG_free(pair);
	if (!ok)
		return -1;
	signature->len = 2 * (size_t)coordinate;
	memcpy(signature->bytes, raw, signature->len);
	return 0;
}

static int sign_input(EVP_PKEY *key, const struct algorithm *algorithm, struct str_view input,
		      struct signature *out)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	out->len = sizeof(out->bytes);
	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, key_digest(key), NULL, key) != 1 ||
	    EVP_DigestSign(ctx, out->bytes, &out->len, (const unsigned char *)input.data,
			   input.len) != 1)
		return -1;
	return algorithm->crv == NULL ? 0 : raw_ecdsa(out, algorithm->coordinate);
}

/* base64url(header) "." base64url(payload); *dot is where the point stands. */
static int signing_input(struct str_view header, struct str_view payload, struct buf *out,
			 size_t *dot)
{
	buf_init(out, JWS_MAX);
	enc_base64url(out, header);
	*dot = buf_len(out);
	buf_addc(out, '.');
	enc_base64url(out, payload);
	return out->spent ? -1 : 0;
}

static int flattened(struct str_view input, size_t dot, const struct signature *signature,
		     struct buf *out, struct err *err)
{
	struct str_view header = sv_head(input, dot), payload = sv_skip(input, dot + 1);

	buf_add(out, SV("{\"protected\":\""));
	buf_add(out, header);
	buf_add(out, SV("\",\"payload\":\""));
	buf_add(out, payload);
	buf_add(out, SV("\",\"signature\":\""));
	enc_base64url(out, sv_new((const char *)signature->bytes, signature->len));
	buf_add(out, SV("\"}"));
	return out->spent ? full(err) : 0;
}

int jws_sign(EVP_PKEY *key, struct str_view header, struct str_view payload, struct buf *out,
	     struct err *err)
{
	const struct algorithm *algorithm = algorithm_of(key);
	AUTO(buf_deinit) struct buf input = {0};
	struct signature signature;
	size_t dot;

	ERR_clear_error();
	if (algorithm == NULL)
		return no_algorithm(err);
	if (signing_input(header, payload, &input, &dot) != 0)
		return full(err);
	if (sign_input(key, algorithm, buf_view(&input), &signature) != 0)
		return ossl_fail(err, ERR_IO, "cannot sign with %s", algorithm->name);
	return flattened(buf_view(&input), dot, &signature, out, err);
}

int jws_sign_hmac(struct str_view alg, struct str_view mac_key, struct str_view header,
		  struct str_view payload, struct buf *out, struct err *err)
{
	static const struct {
		struct str_view name;
		const char *digest;
	} macs[] = {
		{SV_INIT("HS256"), "SHA256"},
		{SV_INIT("HS384"), "SHA384"},
		{SV_INIT("HS512"), "SHA512"},
	};
	AUTO(buf_deinit) struct buf input = {0};
	struct signature signature;
	size_t dot, i = 0;

	while (i < ARRAY_LEN(macs) && !sv_eq(macs[i].name, alg))
		i++;
	if (i == ARRAY_LEN(macs))
		return err_set(err, ERR_UNSUPPORTED, "%.*s is not HS256, HS384 or HS512",
			       SV_ARG(sv_head(alg, 32)));
	if (mac_key.len == 0)
		return err_set(err, ERR_INVALID, "the MAC key is empty");
	ERR_clear_error();
	if (signing_input(header, payload, &input, &dot) != 0)
		return full(err);
	if (EVP_Q_mac(NULL, "HMAC", NULL, macs[i].digest, NULL, mac_key.data, mac_key.len,
		      (const unsigned char *)buf_view(&input).data, buf_len(&input),
		      signature.bytes, sizeof(signature.bytes), &signature.len) == NULL)
		return ossl_fail(err, ERR_IO, "cannot compute an HMAC");
	return flattened(buf_view(&input), dot, &signature, out, err);
}

/* ---- RFC 8555, section 8.1 ---- */

/* The token becomes part of a path: nothing but the base64url alphabet may be in it. */
static bool token_ok(struct str_view token)
{
	if (token.len == 0 || token.len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (!ascii_is_alnum(token.data[i]) && token.data[i] != '-' && token.data[i] != '_')
			return false;
	return true;
}

int jws_key_authorization(EVP_PKEY *account, struct str_view token, struct buf *out,
			  struct err *err)
{
	if (!token_ok(token))
		return err_set(err, ERR_PROTOCOL, "the challenge's token is not base64url");
	buf_add(out, token);
	buf_addc(out, '.');
	return jwk_thumbprint(account, out, err);
}
