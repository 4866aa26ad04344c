/* cli/certificate.c - certificate list; what the certificate verbs share */
#include "cli/certificate.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/condition.h"
#include "cli/follow.h"
#include "cli/issuers.h"
#include "cli/objects.h"
#include "cli/progress.h"
#include "cli/status.h"
#include "cli/verb.h"

#include <stdlib.h>

#define WORDS_MAX     65536
#define NAME_TEXT_MAX 200 /* leaves room for endings within the 253 of a name */

/* ---- which ---- */

int certificates_each(struct cli *cli, ref_fn *one, void *arg)
{
	struct refs refs;
	int rc;

	refs_init(&refs);
	rc = refs_of_kind(cli, CERTIFICATES, &refs);
	if (rc == 0 && refs.count == 0 && refs.rc == 0)
		out_fmt(&cli->err, "No resources found\n");
	for (size_t i = 0; rc == 0 && i < refs.count; i++) {
		if (strcmp(refs.list[i].kind->kind, "Certificate") != 0)
			rc = cli_usage(cli, "%s/%s is no certificate", refs.list[i].kind->singular,
				       refs.list[i].name);
	}
	if (rc == 0)
		rc = refs_each(cli, &refs, one, arg);
	refs_deinit(&refs);
	return rc;
}

char *object_name_of(struct str_view name)
{
	struct buf text;

	buf_init(&text, NAME_TEXT_MAX);
	if (sv_starts(name, SV("*."))) {
		buf_addf(&text, "wildcard-");
		name = sv_skip(name, 2);
	}
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.data[i]);

		if (ascii_is_alnum(c))
			buf_addc(&text, c);
		else if (buf_len(&text) > 0 && text.data[text.end - 1] != '-')
			buf_addc(&text, '-');
	}
	while (buf_len(&text) > 0 && text.data[text.end - 1] == '-')
		text.end--;
	return buf_detach(&text);
}

json_t *objects_of_kind(struct cli *cli, const char *word, const char *ns, struct fault *fault)
{
	const struct kind_info *kind = kinds_by_word(&cli->kinds, sv_from(word));
	AUTO(auto_free) char *path = NULL;
	AUTO(auto_json) json_t *list = NULL;

	if (kind == NULL)
		return json_array();
	path = kind_path(kind, ns, NULL, NULL);
	list = cli_get(cli, path, fault);
	if (list == NULL)
		return NULL;
	return json_is_array(json_object_get(list, "items"))
		       ? json_incref(json_object_get(list, "items"))
		       : json_array();
}

int annotate_one(struct cli *cli, const struct ref *ref, const char *key, const char *value,
		 struct fault *fault)
{
	AUTO(auto_free) char *path = ref_path(ref, NULL);
	AUTO(auto_json)
	json_t *patch = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", key, value);
	AUTO(auto_json) json_t *after = NULL;

	path_add(&path, "fieldManager", "sallyport");
	after = cli_send(cli,
			 &(struct cli_body){"PATCH", path, "application/merge-patch+json", patch},
			 fault);
	return after == NULL ? -1 : 0;
}

/* ---- waiting ---- */

struct await {
	struct progress *progress;
	json_t *last; /* owned */
	bool ready;
};

static bool see(void *arg, const json_t *certificate)
{
	struct await *await = arg;

	json_decref(await->last);
	await->last = json_incref((json_t *)(uintptr_t)certificate);
	await->ready = certificate != NULL && condition_met(certificate, SV("Ready"), SV("True"));
	if (certificate != NULL && !await->ready)
		progress_see(await->progress, certificate);
	return certificate != NULL && !await->ready;
}

static void beside(void *arg, struct watches *watches)
{
	struct await *await = arg;

	progress_watch(await->progress, watches);
}

static int tell_end(struct cli *cli, const struct await *await, const struct ref *ref)
{
	struct buf words;

	if (await->ready) {
		out_fmt(&cli->out, "certificate.cert-manager.io/%s is ready\n", ref->name);
		return EXIT_DONE;
	}
	if (await->last == NULL)
		return cli_error(cli, "certificate \"%s\" was deleted", ref->name);
	buf_init(&words, WORDS_MAX);
	condition_words(await->last, SV("Ready"), &words);
	cli_error(cli, "certificates/%s is not ready yet: %s", ref->name, buf_cstr(&words));
	buf_deinit(&words);
	out_fmt(&cli->err, "See 'sallyport -n %s describe certificate %s'; it is tried on.\n",
		ref->ns, ref->name);
	return EXIT_FAILED;
}

int certificate_await(struct cli *cli, const struct ref *ref, int64_t ms)
{
	struct await await = {.progress = progress_new(cli, ref)};
	struct follow follow = {
		.ref = ref, .see = see, .beside = beside, .arg = &await, .deadline = -1};
	struct fault fault;
	enum watch_end end;
	int rc;

	if (ms > 0)
		follow.deadline = clock_mono_ms() + ms;
	fault_init(&fault);
	end = follow_run(cli, &follow, &fault);
	progress_free(await.progress);
	rc = end == WATCH_FAILED ? cli_fault(cli, &fault, NULL) : tell_end(cli, &await, ref);
	fault_deinit(&fault);
	json_decref(await.last);
	return rc;
}

/* ---- certificate list ---- */

static json_t *rows_of(struct cli *cli, const char *ns, struct fault *fault)
{
	AUTO(auto_json) json_t *certificates = objects_of_kind(cli, CERTIFICATES, ns, fault);
	AUTO(auto_json) json_t *issuers = NULL;
	AUTO(auto_json)
	json_t *report = json_pack("{s:[], s:[]}", "certificates", "problems");
	struct status_lists lists = {.certificates = certificates};

	if (certificates != NULL)
		issuers = all_issuers(cli, ns, fault);
	if (issuers == NULL)
		return NULL;
	lists.issuers = issuers;
	report_certificates(report, &lists, clock_wall());
	return json_incref(json_object_get(report, "certificates"));
}

int verb_certificate_list(struct cli *cli)
{
	const char *ns = args_bool(&cli->args, FLAG_ALL_NAMESPACES, false) ? NULL : cli->ns;
	AUTO(auto_json) json_t *rows = NULL;
	struct objects_form form;
	struct fault fault;

	if (form_read(cli, &form) != 0)
		return EXIT_USAGE;
	if (form.form == FORM_NAME)
		return cli_usage(cli, "certificate list knows -o json, yaml and jsonpath");
	if (cli->args.word_count > 0)
		return cli_usage(cli,
				 "unexpected argument \"%s\": certificate show NAME tells of "
				 "one",
				 cli->args.words[0]);
	if (cli_learn(cli) < 0)
		return EXIT_FAILED;
	fault_init(&fault);
	rows = rows_of(cli, ns, &fault);
	if (rows == NULL)
		return cli_fault(cli, &fault, NULL);
	fault_deinit(&fault);
	if (!form_is_table(&form))
		return objects_print(cli, &form, rows);
	if (json_array_size(rows) == 0)
		out_fmt(&cli->err, "No certificates found%s%s\n",
			ns == NULL ? "" : " in namespace ", ns == NULL ? "" : ns);
	else
		status_print_certificates(&cli->out, rows,
					  !args_bool(&cli->args, FLAG_NO_HEADERS, false),
					  clock_wall());
	return EXIT_DONE;
}
