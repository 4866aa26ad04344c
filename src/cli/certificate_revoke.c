/* cli/certificate_revoke.c - certificate revoke and certificate delete
 *
 * The daemon revokes what an annotation asks for (sallyport.dev/revoke: REASON).
 */
#include "cli/certificate.h"
#include "cli/delete.h"
#include "cli/verb.h"

#include "base/own.h"

#include <stdlib.h>

#define NOTE_REVOKE "sallyport.dev/revoke"

/* RFC 5280, section 5.3.1, as far as a subscriber may say so. */
static const char *const reasons[] = {"unspecified", "keyCompromise", "affiliationChanged",
				      "superseded", "cessationOfOperation"};

static const char *reason_of(struct cli *cli, const char *fallback)
{
	const char *text = args_text(&cli->args, FLAG_REASON);
	struct buf words;

	text = text == NULL ? fallback : text;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (sv_eq_nocase(sv_from(text), sv_from(reasons[i])))
			return reasons[i];
	}
	buf_init(&words, 1024);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		buf_addf(&words, "%s%s", i == 0 ? "" : ", ", reasons[i]);
	(void)cli_usage(cli, "invalid --reason \"%s\": one of %s is due", text, buf_cstr(&words));
	buf_deinit(&words);
	return NULL;
}

static int revoke_one(struct cli *cli, void *arg, const struct ref *ref)
{
	const char *reason = arg;
	struct fault fault;

	fault_init(&fault);
	if (annotate_one(cli, ref, NOTE_REVOKE, reason, &fault) < 0)
		return cli_fault(cli, &fault, NULL);
	out_fmt(&cli->out, "certificate.cert-manager.io/%s revocation requested (%s)\n", ref->name,
		reason);
	return EXIT_DONE;
}

int verb_certificate_revoke(struct cli *cli)
{
	const char *reason = reason_of(cli, "unspecified");

	if (reason == NULL)
		return EXIT_USAGE;
	return certificates_each(cli, revoke_one, (void *)(uintptr_t)reason);
}

/* ---- certificate delete ---- */

static int delete_one(struct cli *cli, void *arg, const struct ref *ref)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json) json_t *certificate = NULL;
	struct fault fault;

	(void)arg;
	fault_init(&fault);
	certificate = cli_get(cli, path, &fault);
	if (certificate == NULL || delete_object(cli, ref, false, &fault) < 0)
		return cli_fault(cli, &fault, NULL);
	out_fmt(&cli->out, "certificate.cert-manager.io \"%s\" deleted\n", ref->name);
	out_fmt(&cli->err,
		"Secret %.*s, which holds its key, is kept; 'sallyport -n %s delete secret %.*s' "
		"ends it.\n",
		SV_ARG(json_sv_at(certificate, "spec.secretName")), ref->ns,
		SV_ARG(json_sv_at(certificate, "spec.secretName")));
	return EXIT_DONE;
}

int verb_certificate_delete(struct cli *cli)
{
	return certificates_each(cli, delete_one, NULL);
}
