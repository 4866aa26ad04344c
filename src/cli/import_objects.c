/* cli/import_objects.c - accounts and certificates as objects */
#include "cli/import.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "base/url.h"
#include "cli/certificate.h"
#include "pki/key.h"
#include "pki/x509.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SYSTEM_NAMESPACE "sallyport-system"
#define TEXT_MAX         (1u << 20)

void import_init(struct import *import)
{
	*import = (struct import){.secrets = json_array(),
				  .issuers = json_array(),
				  .certificates = json_array(),
				  .notes = json_array(),
				  .now = clock_wall()};
}

static void account_deinit(struct import_account *account)
{
	free(account->server);
	free(account->id);
	free(account->email);
	free(account->eab_kid);
	free(account->eab_key);
	free(account->chain);
	free(account->issuer);
	EVP_PKEY_free(account->key);
}

void import_deinit(struct import *import)
{
	for (size_t i = 0; i < import->account_count; i++)
		account_deinit(&import->accounts[i]);
	free(import->accounts);
	json_decref(import->secrets);
	json_decref(import->issuers);
	json_decref(import->certificates);
	json_decref(import->notes);
	tree_close(&import->tree);
}

void import_note(struct import *import, const char *subject, const char *fmt, ...)
{
	AUTO(auto_free) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	json_array_append_new(import->notes, json_fmt("%s: %s", subject, text));
}

/* ---- names ---- */

static bool is_taken(const json_t *list, const char *name)
{
	const json_t *object;
	size_t i;

	json_array_foreach(list, i, object)
	{
		if (sv_eq(json_sv_at(object, "metadata.name"), sv_from(name)))
			return true;
	}
	return false;
}

/* The name, or with "-2", "-3"… behind it. Takes name. */
static char *free_name(const json_t *list, char *name)
{
	AUTO(auto_free) char *base = name;

	for (int number = 1;; number++) {
		char *text = number == 1 ? xstrdup(base) : xasprintf("%s-%d", base, number);

		if (!is_taken(list, text))
			return text;
		free(text);
	}
}

/* ---- accounts ---- */

static int walk_folder(struct import *import, const struct import_walk *walk, const char *folder,
		       unsigned depth, struct err *err)
{
	struct tree_names names;
	struct err why = {.code = ERR_NONE};
	int rc = 0;

	if (tree_list(&import->tree, folder, true, &names, &why) < 0) {
		if (why.code != ERR_NOT_FOUND)
			import_note(import, folder, "%s", why.msg);
		return 0;
	}
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		AUTO(auto_free) char *below = xasprintf("%s/%s", folder, names.list[i]);
		AUTO(auto_free) char *file = xasprintf("%s/%s", below, walk->file);
		bool found = tree_has(&import->tree, file);

		if (found)
			rc = walk->add(import, below, err);
		if (rc == 0 && (!found || walk->nested) && depth < IMPORT_DEPTH_MAX)
			rc = walk_folder(import, walk, below, depth + 1, err);
	}
	tree_names_deinit(&names);
	return rc;
}

int import_walk_accounts(struct import *import, const struct import_walk *walk, struct err *err)
{
	return walk_folder(import, walk, walk->top, 0, err);
}

int import_add_account(struct import *import, struct import_account *account, struct err *err)
{
	if (import->account_count == IMPORT_ACCOUNTS_MAX) {
		account_deinit(account);
		return err_set(err, ERR_LIMIT, "more than %d accounts", IMPORT_ACCOUNTS_MAX);
	}
	import->accounts =
		xrealloc(import->accounts, (import->account_count + 1) * sizeof(*import->accounts));
	import->accounts[import->account_count++] = *account;
	return 0;
}

struct import_account *import_find_account(struct import *import, struct str_view server,
					   struct str_view id)
{
	struct import_account *found = NULL;

	for (size_t i = 0; i < import->account_count; i++) {
		struct import_account *account = &import->accounts[i];

		if (!sv_eq(server, sv_from(account->server)))
			continue;
		if (sv_eq(id, sv_from(account->id)))
			return account;
		if (id.len == 0 && found != NULL)
			return NULL;
		if (id.len == 0)
			found = account;
	}
	return found;
}

static char *issuer_name_of(const char *server)
{
	static const struct {
		const char *host, *name;
	} known[] = {{"acme-v02.api.letsencrypt.org", "letsencrypt"},
		     {"acme-staging-v02.api.letsencrypt.org", "letsencrypt-staging"},
		     {"acme.zerossl.com", "zerossl"},
		     {"api.buypass.com", "buypass"},
		     {"dv.acme-v02.api.pki.goog", "google"}};
	struct str_view host = url_authority(sv_from(server));

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (sv_eq(host, sv_from(known[i].host)))
			return xstrdup(known[i].name);
	}
	return object_name_of(host);
}

/* Its name must be known before the object is made: certificates refer to it. */
static const char *name_issuer(struct import *import, struct import_account *account)
{
	json_t *place;

	if (account->issuer != NULL)
		return account->issuer;
	account->issuer = free_name(import->issuers, issuer_name_of(account->server));
	place = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "cert-manager.io/v1", "kind",
			  "ClusterIssuer", "metadata", "name", account->issuer);
	json_array_append_new(import->issuers, place);
	return account->issuer;
}

static json_t *secret_new(const char *name, const char *ns, const char *type)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:{}}", "apiVersion", "v1", "kind",
			 "Secret", "metadata", "name", name, "namespace", ns, "type", type, "data");
}

static void set_data(json_t *secret, const char *member, struct str_view value)
{
	AUTO(secret_deinit) struct buf text;

	buf_init(&text, TEXT_MAX);
	(void)buf_room(&text, value.len * 2 + 4);
	enc_base64(&text, value);
	json_object_set_new(json_object_get(secret, "data"), member, json_sv(buf_view(&text)));
}

static void add_account_secret(struct import *import, const struct import_account *account)
{
	AUTO(auto_free) char *name = xasprintf("%s-account", account->issuer);
	AUTO(secret_deinit) struct buf pem;
	struct err err = {.code = ERR_NONE};
	json_t *secret;

	buf_init(&pem, TEXT_MAX);
	(void)buf_room(&pem, 16384);
	if (key_to_pem(account->key, KEY_PKCS1, &pem, &err) < 0) {
		import_note(import, account->server, "the account's key: %s", err.msg);
		return;
	}
	secret = secret_new(name, SYSTEM_NAMESPACE, "Opaque");
	set_data(secret, "tls.key", buf_view(&pem));
	json_array_append_new(import->secrets, secret);
}

static json_t *binding_of(struct import *import, const struct import_account *account)
{
	AUTO(auto_free) char *name = xasprintf("%s-eab", account->issuer);
	json_t *secret = secret_new(name, SYSTEM_NAMESPACE, "Opaque");

	set_data(secret, "secret", sv_from(account->eab_key));
	json_array_append_new(import->secrets, secret);
	return json_pack("{s:s, s:{s:s, s:s}}", "keyID", account->eab_kid, "keySecretRef", "name",
			 name, "key", "secret");
}

static void fill_issuer(struct import *import, const struct import_account *account, json_t *issuer)
{
	AUTO(auto_free) char *secret = xasprintf("%s-account", account->issuer);
	json_t *acme = json_pack("{s:s, s:{s:s}, s:[]}", "server", account->server,
				 "privateKeySecretRef", "name", secret, "solvers");

	if (account->email[0] != '\0')
		json_object_set_new(acme, "email", json_sv(sv_from(account->email)));
	if (account->chain[0] != '\0')
		json_object_set_new(acme, "preferredChain", json_sv(sv_from(account->chain)));
	if (account->eab_kid[0] != '\0' && account->eab_key[0] != '\0')
		json_object_set_new(acme, "externalAccountBinding", binding_of(import, account));
	if (account->http01 || !account->other)
		json_array_append_new(json_object_get(acme, "solvers"),
				      json_pack("{s:{s:{}}}", "http01", "gatewayHTTPRoute"));
	json_set_at(issuer, "spec", json_pack("{s:o}", "acme", acme));
}

void import_finish(struct import *import)
{
	for (size_t i = 0; i < import->account_count; i++) {
		struct import_account *account = &import->accounts[i];
		json_t *issuer;
		size_t k;

		if (!account->used && !import->all) {
			import_note(import, account->server,
				    "account %s is used by no certificate and was left out (--all "
				    "takes it over)",
				    account->id);
			continue;
		}
		(void)name_issuer(import, account);
		add_account_secret(import, account);
		json_array_foreach(import->issuers, k, issuer)
		{
			if (sv_eq(json_sv_at(issuer, "metadata.name"), sv_from(account->issuer)))
				fill_issuer(import, account, issuer);
		}
	}
}

/* ---- certificates ---- */

static bool is_ip(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int set_key_type(json_t *spec, EVP_PKEY *key, struct err *err)
{
	static const struct {
		enum key_type type;
		const char *algorithm;
		int size;
	} types[] = {{KEY_ECDSA_P256, "ECDSA", 256}, {KEY_ECDSA_P384, "ECDSA", 384},
		     {KEY_RSA_2048, "RSA", 2048},    {KEY_RSA_3072, "RSA", 3072},
		     {KEY_RSA_4096, "RSA", 4096},    {KEY_ED25519, "Ed25519", 0}};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		json_t *value;

		if (!key_is(key, types[i].type))
			continue;
		value = json_pack("{s:s}", "algorithm", types[i].algorithm);
		if (types[i].size > 0)
			json_object_set_new(value, "size", json_integer(types[i].size));
		json_object_set_new(spec, "privateKey", value);
		return 0;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "its key is neither ECDSA P-256 or P-384 nor RSA 2048, 3072 or 4096: have a "
		       "new certificate issued");
}

/* As the daemon notes them when it has a certificate installed: with them it is as asked for. */
static void note_names(json_t *secret, const char *key, const json_t *names)
{
	struct buf text;
	const json_t *name;
	size_t i;

	buf_init(&text, TEXT_MAX);
	json_array_foreach(names, i, name)
	{
		buf_addf(&text, "%s%s", i == 0 ? "" : ",", json_string_value(name));
	}
	if (i > 0)
		json_object_set_new(json_at(secret, "metadata.annotations"), key,
				    json_sv(buf_view(&text)));
	buf_deinit(&text);
}

static void note_origin(json_t *secret, const char *certificate, const char *issuer)
{
	json_set_at(secret, "metadata.annotations",
		    json_pack("{s:s, s:s, s:s, s:s}", "cert-manager.io/certificate-name",
			      certificate, "cert-manager.io/issuer-name", issuer,
			      "cert-manager.io/issuer-kind", "ClusterIssuer",
			      "cert-manager.io/issuer-group", "cert-manager.io"));
}

struct held { /* what a pair of files holds */
	struct cert_chain chain;
	struct cert_info info;
	EVP_PKEY *key;
	bool read;
};

static void held_deinit(struct held *held)
{
	if (held->read)
		cert_info_deinit(&held->info);
	chain_deinit(&held->chain);
	EVP_PKEY_free(held->key);
}

static int hold(struct held *held, const struct import_cert *cert, struct err *err)
{
	held->key = key_from_pem(cert->key, err);
	if (held->key == NULL)
		return err_prefix(err, "its key: ");
	if (chain_from_pem(cert->chain, &held->chain, err) < 0 ||
	    cert_info_read(held->chain.certs[0], &held->info, err) < 0)
		return err_prefix(err, "its chain: ");
	held->read = true;
	if (!key_same_public(X509_get0_pubkey(held->chain.certs[0]), held->key))
		return err_set(err, ERR_INVALID, "its key is not that of its certificate");
	if (held->info.name_count == 0)
		return err_set(err, ERR_INVALID, "its certificate names no host");
	return 0;
}

static void cut_names(const struct held *held, json_t *hosts, json_t *addresses)
{
	for (size_t i = 0; i < held->info.name_count; i++) {
		const char *name = held->info.names[i];

		json_array_append_new(is_ip(name) ? addresses : hosts, json_sv(sv_from(name)));
	}
}

static void set_renewal(json_t *spec, const struct import_cert *cert, const struct held *held)
{
	int64_t life = held->info.not_after - held->info.not_before;

	if (cert->renew_before_s > 300 && cert->renew_before_s < life)
		json_object_set_new(spec, "renewBefore",
				    json_fmt("%llds", (long long)cert->renew_before_s));
	if (cert->reuse_key)
		json_object_set_new(json_object_get(spec, "privateKey"), "rotationPolicy",
				    json_string("Never"));
}

static void add_objects(struct import *import, const struct import_cert *cert,
			const struct held *held, json_t *spec)
{
	AUTO(auto_free)
	char *name = free_name(import->certificates, object_name_of(sv_from(cert->name)));
	const char *issuer = name_issuer(import, cert->account);
	json_t *hosts = json_array(), *addresses = json_array();
	json_t *secret = secret_new(name, import->ns, "kubernetes.io/tls");

	cut_names(held, hosts, addresses);
	note_origin(secret, name, issuer);
	note_names(secret, "cert-manager.io/alt-names", hosts);
	note_names(secret, "cert-manager.io/ip-sans", addresses);
	set_data(secret, "tls.crt", cert->chain);
	set_data(secret, "tls.key", cert->key);
	json_array_append_new(import->secrets, secret);
	json_object_set_new(spec, "secretName", json_string(name));
	json_object_set_new(spec, "issuerRef",
			    json_pack("{s:s, s:s}", "kind", "ClusterIssuer", "name", issuer));
	if (json_array_size(hosts) > 0)
		json_object_set(spec, "dnsNames", hosts);
	if (json_array_size(addresses) > 0)
		json_object_set(spec, "ipAddresses", addresses);
	json_decref(hosts);
	json_decref(addresses);
	json_array_append_new(import->certificates,
			      json_pack("{s:s, s:s, s:{s:s, s:s}, s:O}", "apiVersion",
					"cert-manager.io/v1", "kind", "Certificate", "metadata",
					"name", name, "namespace", import->ns, "spec", spec));
}

int import_add_cert(struct import *import, const struct import_cert *cert, struct err *err)
{
	AUTO(held_deinit) struct held held = {.read = false};
	AUTO(auto_json) json_t *spec = json_object();

	if (hold(&held, cert, err) < 0 || set_key_type(spec, held.key, err) < 0)
		return -1;
	cert->account->used = true;
	set_renewal(spec, cert, &held);
	add_objects(import, cert, &held, spec);
	if (held.info.not_after <= import->now)
		import_note(import, cert->name, "it has expired: a new one is ordered at once");
	return 0;
}
