/* cli/import_certbot.c - certbot's folder (/etc/letsencrypt)
 *
 *     accounts/HOST/PATH/ID/    private_key.json (a JWK), regr.json
 *     renewal/NAME.conf         settings of the certificate NAME
 *     live/NAME/                links to ../../archive/NAME/; archive may itself be a link
 * elsewhere
 */
#include "cli/import.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/import_conf.h"
#include "pki/jwk.h"

#include <stdlib.h>

#define DAY_S 86400

/* ---- accounts ---- */

static EVP_PKEY *read_jwk(const struct tree *tree, const char *path, struct err *err)
{
	AUTO(secret_deinit) struct buf text;
	AUTO(auto_json) json_t *json = NULL;
	struct jwk_members jwk;

	buf_init(&text, TREE_FILE_MAX + 1);
	if (tree_read(tree, path, &text, err) < 0)
		return NULL;
	json = json_parse(buf_view(&text), err);
	if (json == NULL)
		return NULL;
	jwk = (struct jwk_members){.kty = json_sv_at(json, "kty"),
				   .crv = json_sv_at(json, "crv"),
				   .n = json_sv_at(json, "n"),
				   .e = json_sv_at(json, "e"),
				   .d = json_sv_at(json, "d"),
				   .p = json_sv_at(json, "p"),
				   .q = json_sv_at(json, "q"),
				   .dp = json_sv_at(json, "dp"),
				   .dq = json_sv_at(json, "dq"),
				   .qi = json_sv_at(json, "qi"),
				   .x = json_sv_at(json, "x"),
				   .y = json_sv_at(json, "y")};
	return key_from_jwk(&jwk, err);
}

/* Newer versions keep no contact; older ones "mailto:…". Heap, "" without. */
static char *read_email(const struct tree *tree, const char *folder)
{
	AUTO(auto_free) char *path = xasprintf("%s/regr.json", folder);
	AUTO(buf_deinit) struct buf text;
	AUTO(auto_json) json_t *json = NULL;
	struct str_view contact;

	buf_init(&text, TREE_FILE_MAX + 1);
	if (tree_read(tree, path, &text, NULL) == 0)
		json = json_parse(buf_view(&text), NULL);
	contact = json_sv_at(json, "body.contact.0");
	return sv_dup(sv_starts(contact, SV("mailto:")) ? sv_skip(contact, 7) : SV(""));
}

/* accounts/HOST/PATH/ID: the server's URL is what stands between. */
static int add_account(struct import *import, const char *folder, struct err *err)
{
	AUTO(auto_free) char *path = xasprintf("%s/private_key.json", folder);
	const char *host = strchr(folder, '/') + 1, *id = strrchr(folder, '/') + 1;
	AUTO(auto_free)
	char *server = xasprintf("https://%.*s", id > host ? (int)(id - host - 1) : 0, host);
	struct err why = {.code = ERR_NONE};
	struct import_account account = {.key = read_jwk(&import->tree, path, &why)};

	if (account.key == NULL) {
		import_note(import, server, "account %s cannot be read: %s", id, why.msg);
		return 0;
	}
	account.server = TAKE(server);
	account.id = xstrdup(id);
	account.email = read_email(&import->tree, folder);
	account.eab_kid = xstrdup("");
	account.eab_key = xstrdup("");
	account.chain = xstrdup("");
	return import_add_account(import, &account, err);
}

/* ---- certificates ---- */

struct lineage {
	struct import *import;
	const char *name;
	const json_t *conf;
};

static struct str_view param(const struct lineage *lineage, const char *key)
{
	AUTO(auto_free) char *path = xasprintf("renewalparams/%s", key);

	return conf_value(lineage->conf, path);
}

static int read_pem(const struct lineage *lineage, const char *file, struct buf *out,
		    struct err *err)
{
	const struct tree *tree = &lineage->import->tree;
	AUTO(auto_free) char *path = xasprintf("live/%s/%s", lineage->name, file);

	return tree_read(tree, path, out, err);
}

/* "30 days" */
static int64_t renew_before(const struct lineage *lineage)
{
	struct str_view rest = conf_value(lineage->conf, "renew_before_expiry");
	struct str_view number = sv_split(&rest, ' ');
	uint64_t days = 0;

	if (!sv_to_u64(number, &days) || days > 3650 ||
	    !(sv_eq(rest, SV("days")) || sv_eq(rest, SV("day"))))
		return 0;
	return (int64_t)days * DAY_S;
}

static void note_settings(const struct lineage *lineage)
{
	static const char *const hooks[] = {"pre_hook", "post_hook", "renew_hook", "deploy_hook"};
	struct str_view installer = param(lineage, "installer");
	struct import *import = lineage->import;

	for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
		struct str_view command = param(lineage, hooks[i]);

		if (command.len > 0 && !sv_eq(command, SV("None")))
			import_note(import, lineage->name,
				    "%s = %.*s is not run: 'certificate export --watch --hook' is "
				    "for programs that read files",
				    hooks[i], SV_ARG(sv_head(command, 200)));
	}
	if (installer.len > 0 && !sv_eq(installer, SV("None")))
		import_note(import, lineage->name,
			    "installer %.*s: its settings still name the files below live/",
			    SV_ARG(sv_head(installer, 40)));
	if (sv_eq(param(lineage, "must_staple"), SV("True")))
		import_note(import, lineage->name, "must_staple is not asked for any more");
}

static void set_solver(const struct lineage *lineage, struct import_account *account)
{
	static const char *const http[] = {"webroot", "standalone", "nginx", "apache"};
	struct str_view authenticator = param(lineage, "authenticator");

	for (size_t i = 0; i < ARRAY_LEN(http); i++) {
		if (sv_eq(authenticator, sv_from(http[i]))) {
			account->http01 = true;
			return;
		}
	}
	account->other = true;
	import_note(lineage->import, lineage->name,
		    "authenticator %.*s: its names were proved in another way than HTTP-01; add a "
		    "dns01 solver to the issuer before the next renewal",
		    SV_ARG(sv_head(authenticator, 40)));
}

static void set_chain(const struct lineage *lineage, struct import_account *account)
{
	struct str_view chain = param(lineage, "preferred_chain");

	if (chain.len == 0 || sv_eq(chain, SV("None")))
		return;
	if (account->chain[0] == '\0') {
		free(account->chain);
		account->chain = sv_dup(chain);
	} else if (!sv_eq(chain, sv_from(account->chain))) {
		import_note(lineage->import, lineage->name,
			    "preferred_chain = %.*s: another certificate of the account prefers %s",
			    SV_ARG(sv_head(chain, 100)), account->chain);
	}
}

static int add_lineage(const struct lineage *lineage, struct err *err)
{
	AUTO(secret_deinit) struct buf key;
	AUTO(buf_deinit) struct buf chain;
	struct import_cert cert = {.name = lineage->name,
				   .renew_before_s = renew_before(lineage),
				   .reuse_key = sv_eq(param(lineage, "reuse_key"), SV("True"))};
	struct str_view server = param(lineage, "server"), id = param(lineage, "account");

	buf_init(&key, TREE_FILE_MAX + 1);
	buf_init(&chain, TREE_FILE_MAX + 1);
	cert.account = import_find_account(lineage->import, server, id);
	if (cert.account == NULL)
		return err_set(err, ERR_NOT_FOUND,
			       "its account %.*s at %.*s is not in the folder accounts",
			       SV_ARG(sv_head(id, 100)), SV_ARG(sv_head(server, 200)));
	if (read_pem(lineage, "privkey.pem", &key, err) < 0 ||
	    read_pem(lineage, "fullchain.pem", &chain, err) < 0)
		return -1;
	cert.key = buf_view(&key);
	cert.chain = buf_view(&chain);
	if (import_add_cert(lineage->import, &cert, err) < 0)
		return -1;
	set_solver(lineage, cert.account);
	set_chain(lineage, cert.account);
	note_settings(lineage);
	return 0;
}

static void read_lineage(struct import *import, const char *file)
{
	AUTO(auto_free) char *path = xasprintf("renewal/%s", file);
	AUTO(auto_free) char *name = sv_dup(sv_head(sv_from(file), strlen(file) - 5));
	AUTO(auto_json) json_t *conf = NULL;
	AUTO(buf_deinit) struct buf text;
	struct err err = {.code = ERR_NONE};
	struct lineage lineage = {.import = import, .name = name};

	buf_init(&text, TREE_FILE_MAX + 1);
	if (tree_read(&import->tree, path, &text, &err) == 0)
		conf = conf_parse_ini(buf_view(&text), &err);
	lineage.conf = conf;
	if (conf == NULL)
		err_prefix(&err, "renewal/%s: ", file);
	if (conf == NULL || add_lineage(&lineage, &err) < 0)
		import_note(import, name, "NOT taken over: %s", err.msg);
}

int import_certbot(struct import *import, struct err *err)
{
	static const struct import_walk accounts = {
		.top = "accounts", .file = "private_key.json", .add = add_account};
	struct tree_names files;

	tree_allow(&import->tree, "archive");
	if (tree_list(&import->tree, "renewal", false, &files, err) < 0)
		return err_prefix(err, "this is no folder of certbot's: ");
	if (import_walk_accounts(import, &accounts, err) < 0) {
		tree_names_deinit(&files);
		return -1;
	}
	for (size_t i = 0; i < files.count; i++) {
		if (sv_ends(sv_from(files.list[i]), SV(".conf")) && strlen(files.list[i]) > 5)
			read_lineage(import, files.list[i]);
	}
	tree_names_deinit(&files);
	return 0;
}
