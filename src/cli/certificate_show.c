/* cli/certificate_show.c - certificate show: what is served, from whom, until when, and where */
#include "cli/certificate.h"
#include "cli/condition.h"
#include "cli/verb.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/own.h"
#include "pki/x509.h"

#include <stdlib.h>

#define TEXT_MAX  (1u << 20)
#define TITLE_PAD 14

struct showing {
	size_t shown;
	json_t *gateways; /* owned; of all namespaces */
};

/* ---- lines ---- */

static void add_line(struct buf *out, const char *title, struct str_view text)
{
	if (text.len == 0)
		return;
	buf_addf(out, "%-*s", TITLE_PAD, title);
	text_escape(out, text, ESCAPE_ALL);
	buf_addc(out, '\n');
}

static void add_lines(struct buf *out, const char *title, const json_t *list, size_t *count)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		add_line(out, (*count)++ == 0 ? title : "", sv_from(json_string_value(item)));
	}
}

static void add_names(struct buf *out, const json_t *certificate)
{
	static const char *const lists[] = {"spec.dnsNames", "spec.ipAddresses"};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		add_lines(out, "Names:", json_at(certificate, lists[i]), &count);
	if (count == 0)
		add_line(out, "Names:", json_sv_at(certificate, "spec.commonName"));
}

static void add_issuer(struct buf *out, const json_t *certificate)
{
	struct str_view kind = json_sv_at(certificate, "spec.issuerRef.kind");
	AUTO(auto_free)
	char *text = xasprintf("%.*s %.*s", SV_ARG(kind.len == 0 ? SV("Issuer") : kind),
			       SV_ARG(json_sv_at(certificate, "spec.issuerRef.name")));

	add_line(out, "Issuer:", sv_from(text));
}

/* ---- what the Secret holds: its certificates, never its key ---- */

static const char *key_words(EVP_PKEY *key)
{
	static const char *const words[KEY_TYPE_COUNT] = {
		[KEY_ECDSA_P256] = "ECDSA P-256", [KEY_ECDSA_P384] = "ECDSA P-384",
		[KEY_RSA_2048] = "RSA 2048",      [KEY_RSA_3072] = "RSA 3072",
		[KEY_RSA_4096] = "RSA 4096",      [KEY_ED25519] = "Ed25519"};

	for (int type = 0; key != NULL && type < KEY_TYPE_COUNT; type++) {
		if (key_is(key, (enum key_type)type))
			return words[type];
	}
	return "of another type";
}

static void add_fingerprint(struct buf *out, const X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return;
	buf_addf(out, "%-*s", TITLE_PAD, "SHA-256:");
	enc_hex(out, sv_new((const char *)digest, len));
	buf_addc(out, '\n');
}

static void add_validity(struct buf *out, const struct cert_info *info)
{
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE], age[CLOCK_TEXT_SIZE];
	int64_t now = clock_wall();

	clock_rfc3339(info->not_before, from);
	clock_rfc3339(info->not_after, to);
	clock_age(info->not_after > now ? info->not_after - now : now - info->not_after, age);
	buf_addf(out, "%-*s%s to %s (%s)\n", TITLE_PAD, "Valid:", from, to,
		 info->not_after > now ? age : "expired");
}

static void add_leaf(struct buf *out, X509 *leaf)
{
	struct cert_info info;
	struct err err = {.code = ERR_NONE};

	if (cert_info_read(leaf, &info, &err) < 0) {
		add_line(out, "Certificate:", sv_from(err.msg));
		return;
	}
	add_validity(out, &info);
	add_line(out, "Key:", sv_from(key_words(X509_get0_pubkey(leaf))));
	add_line(out, "Serial:", sv_from(info.serial));
	add_fingerprint(out, leaf);
	add_line(out, "Signed by:", sv_from(info.issuer));
	cert_info_deinit(&info);
}

static void add_chain(struct buf *out, const struct cert_chain *chain)
{
	for (size_t i = 1; i < chain->count; i++) {
		struct cert_info info;
		struct err err = {.code = ERR_NONE};

		if (cert_info_read(chain->certs[i], &info, &err) < 0)
			continue;
		add_line(out, i == 1 ? "Chain:" : "", sv_from(info.subject));
		cert_info_deinit(&info);
	}
}

static void add_pair(struct buf *out, const json_t *secret)
{
	const json_t *crt = json_member(json_member(secret, "data"), "tls.crt");
	AUTO(auto_chain) struct cert_chain chain = {0};
	struct err err = {.code = ERR_NONE};
	struct buf pem;

	buf_init(&pem, TEXT_MAX);
	if (json_is_string(crt) && dec_base64(&pem, sv_from(json_string_value(crt))) &&
	    buf_len(&pem) > 0 && chain_from_pem(buf_view(&pem), &chain, &err) == 0 &&
	    chain.count > 0) {
		add_leaf(out, chain.certs[0]);
		add_chain(out, &chain);
	} else {
		add_line(out, "Certificate:",
			 err.code == ERR_NONE ? SV("not there yet") : sv_from(err.msg));
	}
	buf_deinit(&pem);
}

static void add_secret(struct cli *cli, const struct ref *ref, const json_t *certificate,
		       struct buf *out)
{
	const char *name = json_str_at(certificate, "spec.secretName");
	const struct kind_info *kind = kinds_by_word(&cli->kinds, SV("secrets"));
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_json) json_t *secret = NULL;
	struct fault fault;

	if (name == NULL || kind == NULL)
		return;
	add_line(out, "Secret:", sv_from(name));
	path = kind_path(kind, ref->ns, name, NULL);
	fault_init(&fault);
	secret = cli_get(cli, path, &fault);
	if (secret == NULL && !fault_is(&fault, "NotFound"))
		(void)cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	add_pair(out, secret);
}

/* ---- where it is served ---- */

static bool refers(const json_t *ref, const json_t *gateway, const json_t *certificate)
{
	struct str_view ns = json_sv_at(ref, "namespace");

	if (ns.len == 0)
		ns = json_sv_at(gateway, "metadata.namespace");
	return sv_eq(ns, json_sv_at(certificate, "metadata.namespace")) &&
	       sv_eq(json_sv_at(ref, "name"), json_sv_at(certificate, "spec.secretName"));
}

static void add_gateway(struct buf *out, const json_t *gateway, const json_t *certificate,
			size_t *count)
{
	const json_t *listener, *ref;
	size_t i, k;

	json_array_foreach(json_at(gateway, "spec.listeners"), i, listener)
	{
		json_array_foreach(json_at(listener, "tls.certificateRefs"), k, ref)
		{
			AUTO(auto_free) char *text = NULL;

			if (!refers(ref, gateway, certificate))
				continue;
			text = xasprintf("Gateway %.*s/%.*s, listener %.*s",
					 SV_ARG(json_sv_at(gateway, "metadata.namespace")),
					 SV_ARG(json_sv_at(gateway, "metadata.name")),
					 SV_ARG(json_sv_at(listener, "name")));
			add_line(out, (*count)++ == 0 ? "Served by:" : "", sv_from(text));
		}
	}
}

static void add_use(struct buf *out, const struct showing *showing, const json_t *certificate)
{
	const json_t *gateway;
	size_t i, count = 0;

	json_array_foreach(showing->gateways, i, gateway)
	{
		add_gateway(out, gateway, certificate, &count);
	}
	if (count == 0)
		add_line(out, "Served by:", SV("no Gateway (certificate export writes files)"));
}

/* ---- the verb ---- */

static void add_status(struct buf *out, const json_t *certificate)
{
	int64_t revision = json_int_at(certificate, "status.revision", 0);
	const char *type = condition_is_true(certificate, "Ready") ? "Issuing" : "Ready";
	struct buf words;

	add_line(out, "Renewal:", json_sv_at(certificate, "status.renewalTime"));
	if (revision > 0)
		buf_addf(out, "%-*s%lld\n", TITLE_PAD, "Revision:", (long long)revision);
	add_line(out, "Last failure:", json_sv_at(certificate, "status.lastFailureTime"));
	add_line(out, "Next attempt:", json_sv_at(certificate, "status.nextAttemptTime"));
	buf_init(&words, TEXT_MAX);
	condition_words(certificate, sv_from(type), &words);
	if (condition_is_true(certificate, "Ready") && !condition_is_true(certificate, "Issuing") &&
	    json_str_at(certificate, "status.lastFailureTime") == NULL)
		buf_reset(&words);
	add_line(out, "State:", buf_len(&words) == 0 ? SV("ready") : buf_view(&words));
	buf_deinit(&words);
}

static int show_one(struct cli *cli, void *arg, const struct ref *ref)
{
	struct showing *showing = arg;
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *certificate = NULL;
	struct fault fault;
	struct buf out;

	fault_init(&fault);
	certificate = cli_get(cli, path, &fault);
	if (certificate == NULL)
		return cli_fault(cli, &fault, NULL);
	buf_init(&out, TEXT_MAX);
	if (showing->shown++ > 0)
		buf_addc(&out, '\n');
	add_line(&out, "Name:", sv_from(ref->name));
	add_line(&out, "Namespace:", sv_from(ref->ns));
	add_names(&out, certificate);
	add_issuer(&out, certificate);
	add_secret(cli, ref, certificate, &out);
	add_status(&out, certificate);
	add_use(&out, showing, certificate);
	out_text(&cli->out, buf_view(&out));
	buf_deinit(&out);
	return EXIT_DONE;
}

int verb_certificate_show(struct cli *cli)
{
	struct showing showing = {.shown = 0};
	struct fault fault;
	int rc;

	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	fault_init(&fault);
	showing.gateways = objects_of_kind(cli, "gateways.gateway.networking.k8s.io", NULL, &fault);
	fault_deinit(&fault);
	rc = certificates_each(cli, show_one, &showing);
	json_decref(showing.gateways);
	return rc;
}
