/* cli/certificate_issue.c - certificate issue: a Certificate for the names that were typed */
#include "cli/certificate.h"
#include "cli/condition.h"
#include "cli/issuers.h"
#include "cli/verb.h"
#include "cli/write.h"

#include "base/own.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define TIMEOUT_DEFAULT (INT64_C(300) * 1000)

static bool is_ip(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* ---- who signs ---- */

static int set_issuer(struct cli *cli, json_t *spec)
{
	const char *text = args_text(&cli->args, FLAG_ISSUER);
	AUTO(auto_json) json_t *issuers = NULL;
	const json_t *issuer;
	struct fault fault;

	fault_init(&fault);
	issuers = all_issuers(cli, cli->ns, &fault);
	if (issuers == NULL)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	issuer = issuer_find(issuers, text);
	if (issuer == NULL)
		return issuer_refuse(cli, issuers, text);
	if (!condition_is_true(issuer, "Ready"))
		out_fmt(&cli->err, "Warning: %.*s %.*s is not ready yet\n",
			SV_ARG(json_sv_at(issuer, "kind")),
			SV_ARG(json_sv_at(issuer, "metadata.name")));
	json_object_set_new(spec, "issuerRef",
			    json_pack("{s:O, s:O}", "kind", json_at(issuer, "kind"), "name",
				      json_at(issuer, "metadata.name")));
	return 0;
}

/* ---- the key ---- */

static int set_key(struct cli *cli, json_t *spec)
{
	static const struct {
		const char *word, *algorithm;
		int size;
	} types[] = {{"p256", "ECDSA", 256},   {"p384", "ECDSA", 384},   {"rsa2048", "RSA", 2048},
		     {"rsa3072", "RSA", 3072}, {"rsa4096", "RSA", 4096}, {"ed25519", "Ed25519", 0}};
	const char *text = args_text(&cli->args, FLAG_KEY_TYPE);

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		json_t *key;

		if (strcmp(text == NULL ? "p256" : text, types[i].word) != 0)
			continue;
		key = json_pack("{s:s}", "algorithm", types[i].algorithm);
		if (types[i].size > 0)
			json_object_set_new(key, "size", json_integer(types[i].size));
		json_object_set_new(spec, "privateKey", key);
		return 0;
	}
	return cli_usage(cli,
			 "invalid --key-type \"%s\": p256, p384, rsa2048, rsa3072, rsa4096 or "
			 "ed25519 is due",
			 text);
}

/* ---- the verb ---- */

/* Host names are stored in lower case. New value. */
static json_t *lowered(const char *name)
{
	AUTO(auto_free) char *text = xstrdup(name);

	for (char *c = text; *c != '\0'; c++)
		*c = ascii_lower(*c);
	return json_sv(sv_from(text));
}

static void set_names(struct cli *cli, json_t *spec)
{
	json_t *names = json_array(), *addresses = json_array();

	for (size_t i = 0; i < cli->args.word_count; i++) {
		const char *word = cli->args.words[i];

		json_array_append_new(is_ip(word) ? addresses : names, lowered(word));
	}
	if (json_array_size(names) > 0)
		json_object_set(spec, "dnsNames", names);
	if (json_array_size(addresses) > 0)
		json_object_set(spec, "ipAddresses", addresses);
	json_decref(names);
	json_decref(addresses);
}

/* 0 with a new document, or an exit code. */
static int certificate_new(struct cli *cli, const char *name, json_t **doc)
{
	const char *secret = args_text(&cli->args, FLAG_SECRET);
	AUTO(auto_json)
	json_t *spec = json_pack("{s:s}", "secretName", secret == NULL ? name : secret);
	int rc;

	if (spec == NULL)
		return cli_usage(cli, "the name of the Secret is no UTF-8");
	set_names(cli, spec);
	rc = set_issuer(cli, spec);
	if (rc == 0)
		rc = set_key(cli, spec);
	if (rc != 0)
		return rc;
	*doc = json_pack("{s:s, s:s, s:{s:s, s:s}, s:O}", "apiVersion", "cert-manager.io/v1",
			 "kind", "Certificate", "metadata", "name", name, "namespace", cli->ns,
			 "spec", spec);
	return *doc == NULL ? cli_usage(cli, "the name or namespace is no UTF-8") : 0;
}

static int issue(struct cli *cli, struct write_how *how, const struct ref *ref, int64_t timeout)
{
	AUTO(auto_json) json_t *made = NULL;
	struct fault fault;
	int rc;

	fault_init(&fault);
	made = how->dry == DRY_CLIENT ? json_incref(ref->doc) : write_create(cli, how, ref, &fault);
	if (made == NULL)
		return cli_fault(cli, &fault, NULL);
	rc = write_told(cli, how, made, "created");
	(void)fflush(cli->out.file);
	if (rc != EXIT_DONE || how->dry != DRY_NONE || !args_bool(&cli->args, FLAG_WAIT, false))
		return rc;
	return certificate_await(cli, ref, timeout);
}

int verb_certificate_issue(struct cli *cli)
{
	const char *given = args_text(&cli->args, FLAG_NAME);
	struct ref ref = {.ns = (char *)(uintptr_t)cli->ns};
	struct err err = {.code = ERR_NONE};
	int64_t timeout = TIMEOUT_DEFAULT;
	struct write_how how;
	int rc;

	if (cli->args.word_count == 0)
		return cli_usage(cli, "for which names? certificate issue NAME...");
	if (write_how_read(cli, &how) != 0)
		return EXIT_USAGE;
	if (args_duration(&cli->args, FLAG_TIMEOUT, &timeout, &err) < 0)
		return cli_usage(cli, "%s", err.msg);
	ref.kind = cli_kind(cli, SV(CERTIFICATES));
	if (ref.kind == NULL)
		return EXIT_FAILED;
	ref.name = given != NULL ? xstrdup(given) : object_name_of(sv_from(cli->args.words[0]));
	rc = certificate_new(cli, ref.name, &ref.doc);
	if (rc == 0)
		rc = issue(cli, &how, &ref, timeout);
	json_decref(ref.doc);
	free(ref.name);
	return rc;
}
