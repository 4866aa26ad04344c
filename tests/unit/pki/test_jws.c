/* tests/unit/pki/test_jws.c - pki/jws.c, with the vectors of the RFCs */
#include "pki/jws.h"

#include "base/enc.h"
#include "base/own.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RFC7515_PAYLOAD \
	"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
#define RFC7515_PAYLOAD_B64                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"

static BIGNUM *number(const char *base64url)
{
	AUTO(buf_deinit) struct buf bytes = {0};

	buf_init(&bytes, 1024);
	assert_true(dec_base64url(&bytes, sv_from(base64url)));
	return BN_bin2bn((const unsigned char *)buf_view(&bytes).data, (int)buf_len(&bytes), NULL);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build, int selection)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	EVP_PKEY_fromdata_init(ctx);
	if (EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		fail_msg("no key");
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *rsa_key(const char *n, const char *d)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = number(n), *exponent = number("AQAB"), *secret = d ? number(d) : NULL;
	EVP_PKEY *key;

	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
	if (secret != NULL)
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, secret);
	key = from_params("RSA", build, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	BN_free(modulus);
	BN_free(exponent);
	BN_free(secret);
	return key;
}

static EVP_PKEY *ec_key(const char *x, const char *y, const char *d)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	AUTO(buf_deinit) struct buf point = {0};
	BIGNUM *secret = number(d);
	EVP_PKEY *key;

	buf_init(&point, 128);
	buf_addc(&point, 4); /* uncompressed (SEC 1, section 2.3.3) */
	dec_base64url(&point, sv_from(x));
	dec_base64url(&point, sv_from(y));
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, buf_view(&point).data,
					 buf_len(&point));
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	key = from_params("EC", build, EVP_PKEY_KEYPAIR);
	BN_free(secret);
	return key;
}

/* RFC 7515, appendix A.3.1 */
static EVP_PKEY *rfc7515_ec_key(void)
{
	return ec_key("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
		      "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
		      "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
}

static void test_thumbprint(void **state)
{
	/* RFC 7638, section 3.1 */
	AUTO(auto_key)
	EVP_PKEY *key = rsa_key(
		"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6"
		"tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5"
		"v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD0"
		"8qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU"
		"8awapJzKnqDKgw",
		NULL);
	AUTO(auto_key) EVP_PKEY *ec = rfc7515_ec_key();
	AUTO(buf_deinit) struct buf out = {0};
	struct err err = {0};

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(jwk_thumbprint(key, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");

	buf_reset(&out);
	assert_int_equal(jwk_public(ec, &out, &err), 0);
	assert_string_equal(buf_cstr(&out),
			    "{\"crv\":\"P-256\",\"kty\":\"EC\","
			    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
	buf_reset(&out);
	assert_int_equal(jws_key_authorization(
				 ec, SV("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"), &out, &err),
			 0);
	assert_string_equal(buf_cstr(&out), "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
					    "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void test_hmac(void **state)
{
	AUTO(buf_deinit) struct buf key = {0}, out = {0};
	struct err err = {0};

	(void)state;
	buf_init(&key, 128);
	buf_init(&out, 4096);
	/* RFC 7515, appendix A.1 */
	dec_base64url(&key, SV("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4"
			       "hcgUuTwjAzZr1Z9CAow"));
	assert_int_equal(jws_sign_hmac(SV("HS256"), buf_view(&key),
				       SV("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"),
				       SV(RFC7515_PAYLOAD), &out, &err),
			 0);
	assert_string_equal(buf_cstr(&out),
			    "{\"protected\":\"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\","
			    "\"payload\":\"" RFC7515_PAYLOAD_B64 "\",\"signature\":"
			    "\"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk\"}");
}

/* The bytes of the "signature" member at the end of a flattened JWS. */
static void signature_of(struct buf *jws, struct buf *out)
{
	struct str_view text = buf_view(jws);
	size_t at = sv_find_sv(text, SV("\"signature\":\""));

	assert_int_not_equal(at, SV_NOT_FOUND);
	text = sv_skip(text, at + sizeof("\"signature\":\"") - 1);
	buf_reset(out);
	assert_true(dec_base64url(out, sv_head(text, text.len - 2)));
}

static void test_rs256(void **state)
{
	/* RFC 7515, appendix A.2 */
	AUTO(auto_key)
	EVP_PKEY *key = rsa_key(
		"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPM"
		"EzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
		"bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
		"qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g"
		"b54h4FRWyuXpoQ",
		"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-"
		"7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzub"
		"Su3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1j"
		"uUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91"
		"p1DhOVRuOopznQ");
	AUTO(buf_deinit) struct buf out = {0};
	struct err err = {0};

	(void)state;
	buf_init(&out, 4096);
	assert_string_equal(jws_alg(key), "RS256");
	assert_int_equal(jws_sign(key, SV("{\"alg\":\"RS256\"}"), SV(RFC7515_PAYLOAD), &out, &err),
			 0);
	assert_string_equal(
		buf_cstr(&out),
		"{\"protected\":\"eyJhbGciOiJSUzI1NiJ9\",\"payload\":\"" RFC7515_PAYLOAD_B64
		"\",\"signature\":\""
		"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5Y"
		"Kt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6x"
		"BArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6"
		"BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_I"
		"oypGlUPQGe77Rw\"}");
}

/* Does the raw r||s signature verify over protected "." payload? */
static bool ecdsa_verifies(EVP_PKEY *key, const EVP_MD *digest, struct str_view input,
			   const struct buf *raw)
{
	const unsigned char *bytes = (const unsigned char *)buf_view(raw).data;
	int half = (int)buf_len(raw) / 2;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int len;
	bool ok;

	ECDSA_SIG_set0(pair, BN_bin2bn(bytes, half, NULL), BN_bin2bn(bytes + half, half, NULL));
	len = i2d_ECDSA_SIG(pair, &der);
	EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key);
	ok = EVP_DigestVerify(ctx, der, (size_t)len, (const unsigned char *)input.data,
			      input.len) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	ECDSA_SIG_free(pair);
	return ok;
}

static void test_ecdsa_is_raw(void **state)
{
	/* RFC 7515, appendix A.3: the header and payload of the vector, a signature of our own */
	static const struct str_view input256 =
		SV_INIT("eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD_B64);
	static const struct str_view input384 =
		SV_INIT("eyJhbGciOiJFUzM4NCJ9." RFC7515_PAYLOAD_B64);
	AUTO(auto_key) EVP_PKEY *p256 = rfc7515_ec_key();
	AUTO(auto_key) EVP_PKEY *p384 = key_make(KEY_ECDSA_P384, NULL);
	AUTO(buf_deinit) struct buf out = {0}, raw = {0};
	struct err err = {0};

	(void)state;
	buf_init(&out, 4096);
	buf_init(&raw, 1024);
	for (int i = 0; i < 300; i++) { /* one r in 256 is a byte shorter and must be filled up */
		buf_reset(&out);
		assert_int_equal(
			jws_sign(p256, SV("{\"alg\":\"ES256\"}"), SV(RFC7515_PAYLOAD), &out, &err),
			0);
		signature_of(&out, &raw);
		assert_int_equal(buf_len(&raw), 64);
		assert_true(ecdsa_verifies(p256, EVP_sha256(), input256, &raw));
	}
	buf_reset(&out);
	assert_string_equal(jws_alg(p384), "ES384");
	assert_int_equal(jws_sign(p384, SV("{\"alg\":\"ES384\"}"), SV(RFC7515_PAYLOAD), &out, &err),
			 0);
	signature_of(&out, &raw);
	assert_int_equal(buf_len(&raw), 96);
	assert_true(ecdsa_verifies(p384, EVP_sha384(), input384, &raw));
}

static void test_post_as_get(void **state)
{
	AUTO(auto_key) EVP_PKEY *key = rfc7515_ec_key();
	AUTO(buf_deinit) struct buf out = {0};
	struct err err = {0};

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(jws_sign(key, SV("{}"), SV(""), &out, &err), 0);
	assert_true(sv_starts(buf_view(&out), SV("{\"protected\":\"e30\",\"payload\":\"\",")));
}

static void test_refuses(void **state)
{
	static const struct str_view tokens[] = {SV_INIT(""),    SV_INIT("../x"), SV_INIT("a.b"),
						 SV_INIT("a=="), SV_INIT("a\0b"), SV_INIT("a b")};
	AUTO(auto_key) EVP_PKEY *edwards = key_make(KEY_ED25519, NULL);
	AUTO(auto_key) EVP_PKEY *key = rfc7515_ec_key();
	AUTO(buf_deinit) struct buf out = {0}, small = {0};
	struct err err = {0};

	(void)state;
	buf_init(&out, 4096);
	buf_init(&small, 20);
	assert_null(jws_alg(edwards));
	assert_int_equal(jws_sign(edwards, SV("{}"), SV(""), &out, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_int_equal(jwk_public(edwards, &out, &err), -1);
	assert_int_equal(jwk_thumbprint(edwards, &out, &err), -1);
	assert_int_equal(jws_sign_hmac(SV("none"), SV("k"), SV("{}"), SV(""), &out, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_int_equal(jws_sign_hmac(SV("HS256"), SV(""), SV("{}"), SV(""), &out, &err), -1);
	assert_int_equal(buf_len(&out), 0);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		assert_int_equal(jws_key_authorization(key, tokens[i], &out, &err), -1);
		assert_int_equal(err.code, ERR_PROTOCOL);
	}
	assert_int_equal(jws_sign(key, SV("{}"), SV(""), &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_reset(&small);
	assert_int_equal(jwk_thumbprint(key, &small, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thumbprint),  cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_rs256),       cmocka_unit_test(test_ecdsa_is_raw),
		cmocka_unit_test(test_post_as_get), cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
