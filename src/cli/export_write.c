/* cli/export_write.c - the files of a certificate, and the hook behind them */
#include "cli/export.h"

#include "base/enc.h"
#include "base/own.h"
#include "cli/files.h"
#include "cli/hook.h"
#include "cli/manifest.h"
#include "pki/key.h"
#include "pki/p12.h"
#include "pki/x509.h"

#include <stdlib.h>
#include <sys/stat.h>

#define TEXT_MAX  (512u << 10) /* of one file */
#define KEY_FIRST 16384        /* room for a key: a buffer that grows leaves copies behind */

/* certbot's names, which many programs' settings have already */
static const struct {
	enum export_part part;
	const char *name;
} dir_files[] = {{EXPORT_CERT, "cert.pem"},
		 {EXPORT_KEY, "privkey.pem"},
		 {EXPORT_CHAIN, "chain.pem"},
		 {EXPORT_FULLCHAIN, "fullchain.pem"}};

struct pair {
	const struct export_how *how;
	const struct export_what *what;
	EVP_PKEY *key;           /* owned */
	struct cert_chain chain; /* owned */
	struct buf key_pem, leaf_pem, rest_pem;
};

/* ---- what the Secret holds ---- */

static void pair_init(struct pair *pair)
{
	buf_init(&pair->key_pem, TEXT_MAX);
	buf_init(&pair->leaf_pem, TEXT_MAX);
	buf_init(&pair->rest_pem, TEXT_MAX);
}

static void pair_deinit(struct pair *pair)
{
	EVP_PKEY_free(pair->key);
	chain_deinit(&pair->chain);
	secret_deinit(&pair->key_pem);
	buf_deinit(&pair->leaf_pem);
	buf_deinit(&pair->rest_pem);
}

static int read_member(const struct export_what *what, const char *member, struct buf *out,
		       struct err *err)
{
	const json_t *value = json_member(json_member(what->secret, "data"), member);

	(void)buf_room(out, KEY_FIRST);
	if (json_is_string(value) && dec_base64(out, sv_from(json_string_value(value))) &&
	    buf_len(out) > 0)
		return 0;
	return err_set(err, ERR_INVALID, "Secret %s/%.*s has no %s yet", what->ns,
		       SV_ARG(json_sv_at(what->secret, "metadata.name")), member);
}

/* The leaf, and what stands behind it, each as PEM. */
static int cut_chain(struct pair *pair, struct err *err)
{
	struct cert_chain leaf = {.count = 1, .certs = {pair->chain.certs[0]}};
	struct cert_chain rest = {.count = pair->chain.count - 1};

	memcpy(rest.certs, pair->chain.certs + 1, rest.count * sizeof(X509 *));
	if (chain_to_pem(&leaf, &pair->leaf_pem, err) < 0)
		return -1;
	return rest.count == 0 ? 0 : chain_to_pem(&rest, &pair->rest_pem, err);
}

static int read_pair(struct pair *pair, struct err *err)
{
	AUTO(secret_deinit) struct buf key, crt;

	buf_init(&key, TEXT_MAX);
	buf_init(&crt, TEXT_MAX);
	if (read_member(pair->what, "tls.key", &key, err) < 0 ||
	    read_member(pair->what, "tls.crt", &crt, err) < 0)
		return -1;
	pair->key = key_from_pem(buf_view(&key), err);
	if (pair->key == NULL)
		return err_prefix(err, "tls.key: ");
	if (chain_from_pem(buf_view(&crt), &pair->chain, err) < 0)
		return err_prefix(err, "tls.crt: ");
	if (pair->chain.count == 0 ||
	    !key_same_public(X509_get0_pubkey(pair->chain.certs[0]), pair->key))
		return err_set(err, ERR_INVALID,
			       "Secret %s/%.*s: the key is not the certificate's; nothing was "
			       "written",
			       pair->what->ns,
			       SV_ARG(json_sv_at(pair->what->secret, "metadata.name")));
	(void)buf_room(&pair->key_pem, KEY_FIRST);
	buf_add(&pair->key_pem, buf_view(&key));
	if (key.data[key.end - 1] != '\n')
		buf_addc(&pair->key_pem, '\n');
	return cut_chain(pair, err);
}

/* ---- the text of each file ---- */

static int p12_text(const struct pair *pair, const char *path, struct buf *text, struct err *err)
{
	struct p12_how p12 = {.password = pair->how->password, .name = pair->what->name};
	struct err none = {.code = ERR_NONE};
	struct stat info;

	/* what is no file may never end */
	if (lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
	    manifest_slurp(path, text, &none) == 0 &&
	    p12_holds(buf_view(text), p12.password, pair->key, &pair->chain))
		return 0;
	buf_reset(text);
	return p12_make(pair->key, &pair->chain, &p12, text, err);
}

static int text_of(const struct pair *pair, enum export_part part, const char *path,
		   struct buf *text, struct err *err)
{
	(void)buf_room(text, KEY_FIRST);
	if (part == EXPORT_P12)
		return p12_text(pair, path, text, err);
	if (part == EXPORT_KEY || part == EXPORT_PEM)
		buf_add(text, buf_view(&pair->key_pem));
	if (part != EXPORT_KEY && part != EXPORT_CHAIN)
		buf_add(text, buf_view(&pair->leaf_pem));
	if (part != EXPORT_KEY && part != EXPORT_CERT)
		buf_add(text, buf_view(&pair->rest_pem));
	return text->spent ? err_set(err, ERR_LIMIT, "%s: over %u bytes", path, TEXT_MAX) : 0;
}

/* Takes path. */
static int add_file(struct files *files, const struct pair *pair, enum export_part part, char *path,
		    struct err *err)
{
	bool secret = part == EXPORT_KEY || part == EXPORT_PEM || part == EXPORT_P12;
	AUTO(secret_deinit) struct buf text;

	buf_init(&text, TEXT_MAX);
	if (text_of(pair, part, path, &text, err) < 0) {
		free(path);
		return -1;
	}
	return files_add(files, path, buf_view(&text),
			 secret ? pair->how->mode : EXPORT_MODE_PUBLIC, err);
}

static int add_files(struct files *files, const struct pair *pair, struct err *err)
{
	const struct export_how *how = pair->how;

	for (size_t i = 0; how->dir != NULL && i < ARRAY_LEN(dir_files); i++) {
		if (add_file(files, pair, dir_files[i].part,
			     xasprintf("%s/%s", how->dir, dir_files[i].name), err) < 0)
			return -1;
	}
	for (int part = 0; part < EXPORT_PART_COUNT; part++) {
		if (how->paths[part] != NULL && add_file(files, pair, (enum export_part)part,
							 xstrdup(how->paths[part]), err) < 0)
			return -1;
	}
	return how->owner == NULL ? 0 : files_owner(files, how->owner, err);
}

/* ---- the hook ---- */

/* certbot's variables too, so that hooks written for it work. */
static int run_hook(const struct pair *pair, struct err *err)
{
	AUTO(auto_free) char *path = hook_find(pair->how->hooks_dir, pair->how->hook, err);
	AUTO(auto_free) char *name = NULL, *ns = NULL, *dir = NULL, *domains = NULL;
	struct cert_info info;
	struct buf names;
	int rc;

	if (path == NULL || cert_info_read(pair->chain.certs[0], &info, err) < 0)
		return -1;
	buf_init(&names, TEXT_MAX);
	for (size_t i = 0; i < info.name_count; i++)
		buf_addf(&names, "%s%s", i == 0 ? "" : " ", info.names[i]);
	cert_info_deinit(&info);
	name = xasprintf("SALLYPORT_CERTIFICATE=%s", pair->what->name);
	ns = xasprintf("SALLYPORT_NAMESPACE=%s", pair->what->ns);
	dir = xasprintf("RENEWED_LINEAGE=%s", pair->how->dir == NULL ? "" : pair->how->dir);
	domains = xasprintf("RENEWED_DOMAINS=%s", buf_cstr(&names));
	buf_deinit(&names);
	rc = hook_run(path, (char *const[]){name, ns, dir, domains, NULL}, HOOK_TIME_MS, err);
	return rc;
}

static int write_and_tell(const struct pair *pair, bool *changed, struct err *err)
{
	struct files files;
	int rc;

	files_init(&files);
	rc = add_files(&files, pair, err);
	if (rc == 0)
		rc = files_write(&files, changed, err);
	if (rc == 0 && pair->how->hook != NULL && files_unsettled(&files))
		rc = run_hook(pair, err);
	if (rc == 0)
		files_settled(&files);
	files_deinit(&files);
	return rc;
}

int export_write(const struct export_how *how, const struct export_what *what, bool *changed,
		 struct err *err)
{
	struct pair pair = {.how = how, .what = what};
	int rc;

	*changed = false;
	pair_init(&pair);
	rc = read_pair(&pair, err);
	if (rc == 0)
		rc = write_and_tell(&pair, changed, err);
	pair_deinit(&pair);
	return rc;
}
