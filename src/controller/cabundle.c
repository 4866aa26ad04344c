#include "controller/cabundle.h"

#include "base/buf.h"
#include "base/enc.h"
#include "base/own.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#define BUNDLE_MAX  (4u << 20) /* bytes of PEM */
#define DEBIAN_FILE "/etc/ssl/certs/ca-certificates.crt"

void ca_bundle_deinit(struct ca_bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++)
		OPENSSL_free((char *)bundle->certs[i].data);
	free(bundle->certs);
	*bundle = (struct ca_bundle){0};
}

static bool add(struct ca_bundle *bundle, X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len <= 0 || bundle->count == CA_CERTS_MAX) {
		OPENSSL_free(der);
		return false;
	}
	bundle->certs = xrealloc(bundle->certs, (bundle->count + 1) * sizeof(bundle->certs[0]));
	bundle->certs[bundle->count++] = sv_new((const char *)der, (size_t)len);
	return true;
}

/* Was the end of the text what stopped it? */
static bool at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int ca_bundle_pem(struct ca_bundle *bundle, struct str_view pem, struct err *err)
{
	BIO *bio = pem.len > BUNDLE_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
	size_t before = bundle->count;
	bool fits = bio != NULL, whole;

	ERR_clear_error();
	while (fits) {
		X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

		if (cert == NULL)
			break;
		fits = add(bundle, cert);
		X509_free(cert);
	}
	whole = fits && at_end();
	ERR_clear_error();
	BIO_free(bio);
	if (!fits)
		return err_set(err, ERR_INVALID, "more than %d certificates, or too long",
			       CA_CERTS_MAX);
	if (!whole)
		return err_set(err, ERR_INVALID, "it holds something that is no PEM certificate");
	if (bundle->count == before)
		return err_set(err, ERR_INVALID, "it holds no PEM certificate");
	return 0;
}

static int from_base64(struct ca_bundle *bundle, struct str_view text, struct err *err)
{
	struct buf pem;
	int result = 0;

	buf_init(&pem, BUNDLE_MAX);
	if (dec_base64(&pem, text))
		result = ca_bundle_pem(bundle, buf_view(&pem), err);
	else
		result = err_set(err, ERR_INVALID, "it is not base64");
	buf_deinit(&pem);
	return result;
}

static struct str_view value_of(const struct object *object, const char *map)
{
	const json_t *value = json_member(json_member(object->json, map), "ca.crt");

	return sv_new(json_string_value(value), json_string_length(value));
}

int ca_bundle_object(struct ca_bundle *bundle, const struct object *object, struct err *err)
{
	bool secret = sv_starts(sv_from(object->key), SV("core/secrets/"));
	struct str_view text = value_of(object, "data"), binary = value_of(object, "binaryData");
	int result;

	if (text.data == NULL && (secret || binary.data == NULL))
		return err_set(err, ERR_INVALID, "it has no key ca.crt");
	if (secret)
		result = from_base64(bundle, text, err);
	else if (text.data != NULL)
		result = ca_bundle_pem(bundle, text, err);
	else
		result = from_base64(bundle, binary, err);
	return result == 0 ? 0 : err_prefix(err, "ca.crt: ");
}

/* ---- the system's ---- */

static int read_file(const char *path, struct buf *out)
{
	AUTO(auto_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	while (fd >= 0) {
		char *room = buf_room(out, 65536);
		ssize_t count = room == NULL ? -1 : read(fd, room, 65536);

		if (count == 0)
			return 0;
		if (count < 0)
			break;
		buf_wrote(out, (size_t)count);
	}
	return -1;
}

int ca_bundle_system(struct ca_bundle *bundle, struct err *err)
{
	const char *given = getenv("SSL_CERT_FILE");
	const char *const files[] = {given != NULL ? given : DEBIAN_FILE,
				     X509_get_default_cert_file()};
	int result = -1;

	for (size_t i = 0; result < 0 && i < (given != NULL ? 1 : ARRAY_LEN(files)); i++) {
		struct buf pem;

		buf_init(&pem, BUNDLE_MAX);
		if (read_file(files[i], &pem) == 0)
			result = ca_bundle_pem(bundle, buf_view(&pem), NULL);
		buf_deinit(&pem);
	}
	if (result == 0)
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "this host has no CAs in %s: install ca-certificates, or set SSL_CERT_FILE",
		       files[0]);
}
