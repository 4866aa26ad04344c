/* cli/issuers.c - Issuers and ClusterIssuers by the names that people type */
#include "cli/issuers.h"

#include "base/own.h"
#include "cli/certificate.h"

#include <stdlib.h>

json_t *all_issuers(struct cli *cli, const char *ns, struct fault *fault)
{
	AUTO(auto_json) json_t *cluster = NULL;
	AUTO(auto_json)
	json_t *issuers = objects_of_kind(cli, "issuers.cert-manager.io", ns, fault);

	if (issuers != NULL)
		cluster = objects_of_kind(cli, "clusterissuers.cert-manager.io", NULL, fault);
	if (cluster == NULL)
		return NULL;
	json_array_extend(issuers, cluster);
	return TAKE(issuers);
}

static bool is_called(const json_t *issuer, const char *kind, struct str_view name)
{
	return sv_eq(json_sv_at(issuer, "metadata.name"), name) &&
	       (kind == NULL || sv_eq(json_sv_at(issuer, "kind"), sv_from(kind)));
}

static void add_issuer_names(const json_t *issuers, struct buf *out)
{
	const json_t *issuer;
	size_t i;

	json_array_foreach(issuers, i, issuer)
	{
		buf_addf(out, "%s%s/%.*s", i == 0 ? "" : ", ",
			 sv_eq(json_sv_at(issuer, "kind"), SV("ClusterIssuer")) ? "clusterissuer"
										: "issuer",
			 SV_ARG(json_sv_at(issuer, "metadata.name")));
	}
}

int issuer_refuse(struct cli *cli, const json_t *issuers, const char *text)
{
	struct buf names;
	int rc;

	buf_init(&names, 4096);
	add_issuer_names(issuers, &names);
	if (json_array_size(issuers) == 0)
		rc = cli_error(cli, "there is no issuer yet: apply a ClusterIssuer first "
				    "(sallyport-clusterissuer(5) has one)");
	else if (text == NULL)
		rc = cli_usage(cli, "which issuer? --issuer is one of %s", buf_cstr(&names));
	else
		rc = cli_error(cli, "issuer \"%s\" does not exist in namespace %s; there is %s",
			       text, cli->ns, buf_cstr(&names));
	buf_deinit(&names);
	return rc;
}

/* "issuer" and "clusterissuer" before a slash, in any case. */
static bool kind_of(struct str_view word, const char **kind)
{
	if (sv_eq_nocase(word, SV("issuer")) || sv_eq_nocase(word, SV("issuers")))
		*kind = "Issuer";
	else if (sv_eq_nocase(word, SV("clusterissuer")) ||
		 sv_eq_nocase(word, SV("clusterissuers")))
		*kind = "ClusterIssuer";
	else
		return false;
	return true;
}

const json_t *issuer_find(const json_t *issuers, const char *text)
{
	struct str_view name = sv_from(text), word;
	const char *kind = NULL;
	const json_t *issuer;
	size_t i;

	if (text == NULL)
		return json_array_size(issuers) == 1 ? json_array_get(issuers, 0) : NULL;
	word = sv_split(&name, '/');
	if (name.data == NULL)
		name = word;
	else if (!kind_of(word, &kind))
		return NULL;
	json_array_foreach(issuers, i, issuer) /* those of the namespace come first */
	{
		if (is_called(issuer, kind, name))
			return issuer;
	}
	return NULL;
}
