/* cli/import_acmesh.c - acme.sh's folder (~/.acme.sh)
 *
 *     ca/HOST/PATH/       account.key (PEM), ca.conf
 *     DOMAIN/, DOMAIN_ecc/    DOMAIN.conf, DOMAIN.key, fullchain.cer
 */
#include "cli/import.h"

#include "base/own.h"
#include "base/url.h"
#include "cli/import_conf.h"
#include "pki/key.h"

#include <stdlib.h>

static json_t *read_conf(struct import *import, const char *path, struct err *err)
{
	AUTO(secret_deinit) struct buf text;
	json_t *conf;

	buf_init(&text, TREE_FILE_MAX + 1);
	if (tree_read(&import->tree, path, &text, err) < 0)
		return NULL;
	conf = conf_parse_shell(buf_view(&text), err);
	if (conf == NULL)
		err_prefix(err, "%s: ", path);
	return conf;
}

/* ---- accounts ---- */

static EVP_PKEY *read_key(const struct tree *tree, const char *path, struct err *err)
{
	AUTO(secret_deinit) struct buf text;

	buf_init(&text, TREE_FILE_MAX + 1);
	return tree_read(tree, path, &text, err) < 0 ? NULL : key_from_pem(buf_view(&text), err);
}

static int add_account(struct import *import, const char *folder, struct err *err)
{
	AUTO(auto_free) char *key = xasprintf("%s/account.key", folder);
	AUTO(auto_free) char *conf_path = xasprintf("%s/ca.conf", folder);
	const char *where = folder + strlen("ca/");
	struct err why = {.code = ERR_NONE};
	struct import_account account = {.key = read_key(&import->tree, key, &why)};
	AUTO(auto_json) json_t *conf = NULL;

	if (account.key == NULL) {
		import_note(import, where, "the account cannot be read: %s", why.msg);
		return 0;
	}
	conf = read_conf(import, conf_path, &why);
	if (conf == NULL && why.code != ERR_NOT_FOUND)
		import_note(import, where, "%s", why.msg);
	account.server = xasprintf("https://%s", where);
	account.id = xstrdup(where);
	account.email = sv_dup(conf_value(conf, "CA_EMAIL"));
	account.eab_kid = sv_dup(conf_value(conf, "CA_EAB_KEY_ID"));
	account.eab_key = sv_dup(conf_value(conf, "CA_EAB_HMAC_KEY"));
	account.chain = xstrdup("");
	return import_add_account(import, &account, err);
}

/* acme.sh names the folder after the host without its port: what a certificate was issued by tells
 * the whole URL. */
static struct import_account *account_of(struct import *import, struct str_view server)
{
	struct str_view host = url_authority(server), path = url_path(server);
	struct str_view name = sv_split(&host, ':');
	AUTO(auto_free)
	char *id = xasprintf("%.*s%s%.*s", SV_ARG(name), path.len > 0 ? "/" : "", SV_ARG(path));

	for (size_t i = 0; i < import->account_count; i++) {
		struct import_account *account = &import->accounts[i];

		if (strcmp(account->id, id) != 0)
			continue;
		if (!account->used) {
			free(account->server);
			account->server = sv_dup(server);
		}
		return sv_eq(server, sv_from(account->server)) ? account : NULL;
	}
	return NULL;
}

/* ---- certificates ---- */

struct domain {
	struct import *import;
	const char *folder, *name; /* of the folder; without "_ecc" */
	const json_t *conf;
};

static void note_settings(const struct domain *domain)
{
	static const struct {
		const char *key, *word;
	} hooks[] = {{"Le_PreHook", "a pre-hook"},
		     {"Le_PostHook", "a post-hook"},
		     {"Le_RenewHook", "a renew-hook"},
		     {"Le_ReloadCmd", "a reload command"},
		     {"Le_DeployHook", "a deploy hook"}};

	for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
		if (conf_value(domain->conf, hooks[i].key).len > 0)
			import_note(domain->import, domain->folder,
				    "%s is not run: 'certificate export --watch --hook' is for "
				    "programs that read files",
				    hooks[i].word);
	}
	if (conf_value(domain->conf, "Le_RealKeyPath").len > 0)
		import_note(domain->import, domain->folder,
			    "the key was also copied to %.*s: 'certificate export' does so",
			    SV_ARG(sv_head(conf_value(domain->conf, "Le_RealKeyPath"), 200)));
	if (conf_value(domain->conf, "Le_ChallengeAlias").len > 0)
		import_note(domain->import, domain->folder,
			    "challenges were answered at %.*s: a CNAME from _acme-challenge leads "
			    "a dns01 solver there too",
			    SV_ARG(sv_head(conf_value(domain->conf, "Le_ChallengeAlias"), 200)));
}

/* Le_Webroot: a folder, "no" (standalone), "apache", "nginx:…", "dns" and "dns_NAME", one for each
 * name. */
static void set_solver(const struct domain *domain, struct import_account *account)
{
	struct str_view rest = conf_value(domain->conf, "Le_Webroot"), all = rest;
	bool told = false;

	while (rest.data != NULL) {
		struct str_view one = sv_split(&rest, ',');
		bool http = one.len == 0 || sv_eq(one, SV("no")) || sv_eq(one, SV("apache")) ||
			    sv_starts(one, SV("nginx")) || one.data[0] == '/';

		account->http01 |= http;
		account->other |= !http;
		if (!http && !told)
			import_note(domain->import, domain->folder,
				    "proved by %.*s: add a dns01 solver to the issuer before the "
				    "next renewal (exec runs acme.sh's dns scripts)",
				    SV_ARG(sv_head(all, 200)));
		told |= !http;
	}
}

static int read_file(const struct domain *domain, const char *file, struct buf *out,
		     struct err *err)
{
	AUTO(auto_free) char *path = xasprintf("%s/%s", domain->folder, file);

	return tree_read(&domain->import->tree, path, out, err);
}

static int add_domain(const struct domain *domain, struct err *err)
{
	struct str_view server = conf_value(domain->conf, "Le_API");
	AUTO(auto_free) char *key_file = xasprintf("%s.key", domain->name);
	AUTO(secret_deinit) struct buf key;
	AUTO(buf_deinit) struct buf chain;
	struct import_cert cert = {.name = domain->name};

	buf_init(&key, TREE_FILE_MAX + 1);
	buf_init(&chain, TREE_FILE_MAX + 1);
	if (server.len == 0)
		return err_set(err, ERR_INVALID, "its settings name no server (Le_API)");
	cert.account = account_of(domain->import, server);
	if (cert.account == NULL)
		return err_set(err, ERR_NOT_FOUND, "the account at %.*s is not in the folder ca",
			       SV_ARG(sv_head(server, 200)));
	if (read_file(domain, key_file, &key, err) < 0 ||
	    read_file(domain, "fullchain.cer", &chain, err) < 0)
		return -1;
	cert.key = buf_view(&key);
	cert.chain = buf_view(&chain);
	cert.reuse_key = !sv_eq(conf_value(domain->conf, "Le_ForceNewDomainKey"), SV("1"));
	if (import_add_cert(domain->import, &cert, err) < 0)
		return -1;
	set_solver(domain, cert.account);
	note_settings(domain);
	return 0;
}

static void read_domain(struct import *import, const char *folder)
{
	struct str_view view = sv_from(folder);
	AUTO(auto_free)
	char *name = sv_dup(sv_ends(view, SV("_ecc")) ? sv_head(view, view.len - 4) : view);
	AUTO(auto_free) char *path = xasprintf("%s/%s.conf", folder, name);
	struct err err = {.code = ERR_NONE};
	AUTO(auto_json) json_t *conf = NULL;
	struct domain domain = {.import = import, .folder = folder, .name = name};

	if (!tree_has(&import->tree, path))
		return; /* ca, deploy, dnsapi, notify */
	conf = read_conf(import, path, &err);
	domain.conf = conf;
	if (conf == NULL || add_domain(&domain, &err) < 0)
		import_note(import, folder, "NOT taken over: %s", err.msg);
}

int import_acmesh(struct import *import, struct err *err)
{
	static const struct import_walk accounts = {
		.top = "ca", .file = "account.key", .nested = true, .add = add_account};
	struct tree_names folders;

	if (tree_list(&import->tree, ".", true, &folders, err) < 0)
		return -1;
	if (!tree_has(&import->tree, "ca")) {
		tree_names_deinit(&folders);
		return err_set(err, ERR_INVALID,
			       "%s has no folder ca: this is no folder of acme.sh's (it is "
			       "~/.acme.sh)",
			       import->tree.name);
	}
	if (import_walk_accounts(import, &accounts, err) < 0) {
		tree_names_deinit(&folders);
		return -1;
	}
	for (size_t i = 0; i < folders.count; i++)
		read_domain(import, folders.list[i]);
	tree_names_deinit(&folders);
	return 0;
}
