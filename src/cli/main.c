/* cli/main.c - sallyport: the table of verbs */
#include "cli/verb.h"

#define OBJECTS "(KIND NAME... | KIND/NAME... | -f FILE)"

static const struct verb verbs[] = {
	{
		.name = "apply",
		.usage = "apply -f FILE",
		.summary = "Create objects, or make them as a manifest says",
		.details = "Examples:\n"
			   "  sallyport apply -f site.yaml\n"
			   "  sallyport apply -f manifests/ --dry-run=server\n",
		.flags = {FLAG_FILE, FLAG_RECURSIVE, FLAG_DRY_RUN, FLAG_VALIDATE, FLAG_OUTPUT,
			  FLAG_SERVER_SIDE, FLAG_FIELD_MANAGER},
		.run = verb_apply,
	},
	{
		.name = "diff",
		.usage = "diff -f FILE",
		.summary = "Show what apply would change",
		.details =
			"Runs diff -u -N, or what KUBECTL_EXTERNAL_DIFF names. Exit status 0: no\n"
			"difference, 1: differences, 2 or more: an error.\n\n"
			"Examples:\n"
			"  sallyport diff -f site.yaml\n",
		.flags = {FLAG_FILE, FLAG_RECURSIVE, FLAG_VALIDATE, FLAG_SERVER_SIDE,
			  FLAG_FIELD_MANAGER},
		.run = verb_diff,
	},
	{
		.name = "create namespace",
		.alias = "create ns",
		.usage = "create namespace NAME",
		.summary = "Create a Namespace",
		.flags = {FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_VALIDATE, FLAG_FIELD_MANAGER},
		.run = verb_create_namespace,
	},
	{
		.name = "create secret",
		.usage = "create secret (tls NAME --cert FILE --key FILE | generic NAME ...)",
		.summary = "Create a Secret from files",
		.details = "Examples:\n"
			   "  sallyport create secret tls site --cert fullchain.pem --key "
			   "privkey.pem\n"
			   "  sallyport create secret generic dns-token --from-file "
			   "token=/root/token\n",
		.flags = {FLAG_TLS_CERT, FLAG_TLS_KEY, FLAG_FROM_FILE, FLAG_FROM_LITERAL,
			  FLAG_SECRET_TYPE, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_VALIDATE,
			  FLAG_FIELD_MANAGER},
		.run = verb_create_secret,
	},
	{
		.name = "create configmap",
		.alias = "create cm",
		.usage = "create configmap NAME --from-file FILE",
		.summary = "Create a ConfigMap from files",
		.details = "Examples:\n"
			   "  sallyport create configmap ca --from-file ca.crt\n",
		.flags = {FLAG_FROM_FILE, FLAG_FROM_LITERAL, FLAG_DRY_RUN, FLAG_OUTPUT,
			  FLAG_VALIDATE, FLAG_FIELD_MANAGER},
		.run = verb_create_configmap,
	},
	{
		.name = "create",
		.usage = "create -f FILE",
		.summary = "Create objects that do not exist yet",
		.details = "Examples:\n"
			   "  sallyport create -f gateway.yaml\n",
		.flags = {FLAG_FILE, FLAG_RECURSIVE, FLAG_DRY_RUN, FLAG_VALIDATE, FLAG_OUTPUT,
			  FLAG_FIELD_MANAGER},
		.run = verb_create,
	},
	{
		.name = "replace",
		.usage = "replace -f FILE",
		.summary = "Replace objects that exist",
		.details = "Examples:\n"
			   "  sallyport replace -f route.yaml\n"
			   "  sallyport get route/web -o yaml | sed s/8080/8081/ | "
			   "sallyport replace -f -\n",
		.flags = {FLAG_FILE, FLAG_RECURSIVE, FLAG_DRY_RUN, FLAG_VALIDATE, FLAG_OUTPUT,
			  FLAG_FORCE, FLAG_SUBRESOURCE, FLAG_FIELD_MANAGER},
		.run = verb_replace,
	},
	{
		.name = "patch",
		.usage = "patch " OBJECTS " (-p TEXT | --patch-file FILE)",
		.summary = "Change fields of an object",
		.details = "Examples:\n"
			   "  sallyport patch gateway web --type=merge "
			   "-p '{\"metadata\":{\"labels\":{\"tier\":\"edge\"}}}'\n"
			   "  sallyport patch gateway web --type=json -p '\n"
			   "    - op: remove\n"
			   "      path: /spec/listeners/1'\n",
		.flags = {FLAG_TYPE, FLAG_PATCH, FLAG_PATCH_FILE, FLAG_FILE, FLAG_RECURSIVE,
			  FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_SUBRESOURCE, FLAG_FIELD_MANAGER},
		.run = verb_patch,
	},
	{
		.name = "edit",
		.usage = "edit (KIND NAME | KIND/NAME)",
		.summary = "Change an object in an editor",
		.details = "The editor is KUBE_EDITOR, VISUAL, EDITOR or vi.\n\n"
			   "Examples:\n"
			   "  sallyport edit httproute/site\n",
		.flags = {FLAG_VALIDATE, FLAG_FIELD_MANAGER},
		.run = verb_edit,
	},
	{
		.name = "annotate",
		.usage = "annotate " OBJECTS " KEY=VALUE... KEY-...",
		.summary = "Set or remove annotations",
		.details = "Examples:\n"
			   "  sallyport annotate gateway/web "
			   "cert-manager.io/cluster-issuer=letsencrypt\n"
			   "  sallyport annotate gateway/web cert-manager.io/cluster-issuer-\n",
		.flags = {FLAG_OVERWRITE, FLAG_LIST, FLAG_ALL, FLAG_SELECTOR, FLAG_FIELD_SELECTOR,
			  FLAG_FILE, FLAG_RECURSIVE, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_FIELD_MANAGER},
		.run = verb_annotate,
	},
	{
		.name = "label",
		.usage = "label " OBJECTS " KEY=VALUE... KEY-...",
		.summary = "Set or remove labels",
		.details = "Examples:\n"
			   "  sallyport label httproute/web team=shop\n"
			   "  sallyport label httproutes --all team-\n",
		.flags = {FLAG_OVERWRITE, FLAG_LIST, FLAG_ALL, FLAG_SELECTOR, FLAG_FIELD_SELECTOR,
			  FLAG_FILE, FLAG_RECURSIVE, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_FIELD_MANAGER},
		.run = verb_label,
	},
	{
		.name = "get",
		.usage = "get (KIND[,KIND...] [NAME...] | KIND/NAME... | -f FILE)",
		.summary = "Show objects",
		.details = "Examples:\n"
			   "  sallyport get gateways -A\n"
			   "  sallyport get certificate site -o yaml\n"
			   "  sallyport get httproutes -l team=shop -w\n"
			   "  sallyport get certificate/site -o jsonpath='{.status.notAfter}'\n",
		.flags = {FLAG_OUTPUT, FLAG_ALL_NAMESPACES, FLAG_SELECTOR, FLAG_FIELD_SELECTOR,
			  FLAG_WATCH, FLAG_WATCH_ONLY, FLAG_NO_HEADERS, FLAG_SHOW_LABELS,
			  FLAG_SHOW_KIND, FLAG_IGNORE_NOT_FOUND, FLAG_FILE, FLAG_RECURSIVE,
			  FLAG_SUBRESOURCE, FLAG_RAW, FLAG_SORT_BY},
		.run = verb_get,
	},
	{
		.name = "events",
		.usage = "events [--for KIND/NAME]",
		.summary = "Show what happened, oldest first",
		.details = "Examples:\n"
			   "  sallyport events --for certificate/site\n"
			   "  sallyport events -A --types=Warning -w\n",
		.flags = {FLAG_EVENTS_FOR, FLAG_EVENT_TYPES, FLAG_ALL_NAMESPACES, FLAG_WATCH,
			  FLAG_NO_HEADERS, FLAG_OUTPUT},
		.run = verb_events,
	},
	{
		.name = "explain",
		.usage = "explain KIND[.FIELD...]",
		.summary = "Show the fields of a kind",
		.details = "Examples:\n"
			   "  sallyport explain gateway.spec.listeners\n"
			   "  sallyport explain httproute --recursive\n",
		.flags = {FLAG_EXPLAIN_ALL},
		.run = verb_explain,
	},
	{
		.name = "describe",
		.usage = "describe " OBJECTS,
		.summary = "Tell all about objects, with what happened to them",
		.details = "Of a certificate also the story of its last order.\n\n"
			   "Examples:\n"
			   "  sallyport describe gateway web\n"
			   "  sallyport describe certificate site\n",
		.flags = {FLAG_ALL_NAMESPACES, FLAG_SELECTOR, FLAG_FILE, FLAG_RECURSIVE,
			  FLAG_SHOW_EVENTS},
		.run = verb_describe,
	},
	{
		.name = "delete",
		.usage = "delete " OBJECTS,
		.summary = "Delete objects",
		.details = "Examples:\n"
			   "  sallyport delete gateway web\n"
			   "  sallyport delete -f site.yaml --ignore-not-found\n"
			   "  sallyport delete httproutes --all -n shop\n",
		.flags = {FLAG_FILE, FLAG_RECURSIVE, FLAG_ALL, FLAG_SELECTOR, FLAG_FIELD_SELECTOR,
			  FLAG_ALL_NAMESPACES, FLAG_IGNORE_NOT_FOUND, FLAG_WAIT, FLAG_TIMEOUT,
			  FLAG_DRY_RUN, FLAG_OUTPUT},
		.run = verb_delete,
	},
	{
		.name = "wait",
		.usage = "wait " OBJECTS
			 " --for=(condition=TYPE | jsonpath={.PATH}=VALUE | delete | create)",
		.summary = "Wait until objects are as they should be",
		.details = "Waits 30 seconds unless --timeout says otherwise; 0 looks once. On a\n"
			   "certificate the steps of its order are shown meanwhile.\n\n"
			   "Examples:\n"
			   "  sallyport wait --for=condition=Ready certificate/site "
			   "--timeout=2m\n"
			   "  sallyport wait --for=condition=Programmed gateway --all\n"
			   "  sallyport wait --for=delete gateway/web\n",
		.flags = {FLAG_FOR, FLAG_TIMEOUT, FLAG_ALL, FLAG_SELECTOR, FLAG_FIELD_SELECTOR,
			  FLAG_ALL_NAMESPACES, FLAG_FILE, FLAG_RECURSIVE, FLAG_OUTPUT},
		.run = verb_wait,
	},
	{
		.name = "rollout status",
		.alias = "rollout-status",
		.usage = "rollout status (deployment NAME | deployment/NAME)",
		.summary = "Wait until a Deployment is available",
		.details = "Examples:\n"
			   "  sallyport rollout status deployment/frontend\n",
		.flags = {FLAG_WATCH, FLAG_TIMEOUT, FLAG_FILE, FLAG_RECURSIVE},
		.run = verb_rollout_status,
	},
	{
		.name = "renew",
		.usage = "renew (certificate/NAME... | certificate NAME... | --all)",
		.summary = "Order new certificates now",
		.details = "The old certificate serves until the new one is there.\n\n"
			   "Examples:\n"
			   "  sallyport renew certificate/site --wait\n",
		.flags = {FLAG_WAIT, FLAG_TIMEOUT, FLAG_ALL, FLAG_SELECTOR, FLAG_ALL_NAMESPACES},
		.run = verb_renew,
	},
	{
		.name = "certificate list",
		.usage = "certificate list",
		.summary = "List certificates: names, issuer, time left, renewal, state",
		.details = "Examples:\n"
			   "  sallyport certificate list -A\n",
		.flags = {FLAG_ALL_NAMESPACES, FLAG_NO_HEADERS, FLAG_OUTPUT},
		.run = verb_certificate_list,
	},
	{
		.name = "certificate issue",
		.usage = "certificate issue NAME...",
		.summary = "Have a certificate issued for host names or IP addresses",
		.details =
			"No route is needed; 'certificate export' writes it to files. The\n"
			"Certificate and its Secret are called as the first name, with dashes.\n\n"
			"Examples:\n"
			"  sallyport certificate issue mail.example.com imap.example.com "
			"--wait\n"
			"  sallyport certificate issue db.example.com --issuer letsencrypt "
			"--key-type rsa2048\n",
		.flags = {FLAG_ISSUER, FLAG_NAME, FLAG_SECRET, FLAG_KEY_TYPE, FLAG_WAIT,
			  FLAG_TIMEOUT, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_VALIDATE,
			  FLAG_FIELD_MANAGER},
		.run = verb_certificate_issue,
	},
	{
		.name = "certificate show",
		.usage = "certificate show (NAME... | --all)",
		.summary = "Show what a certificate holds, and where it is served",
		.flags = {FLAG_ALL, FLAG_SELECTOR, FLAG_ALL_NAMESPACES},
		.run = verb_certificate_show,
	},
	{
		.name = "certificate renew",
		.usage = "certificate renew (NAME... | --all)",
		.summary = "Order new certificates now, as renew does",
		.flags = {FLAG_WAIT, FLAG_TIMEOUT, FLAG_ALL, FLAG_SELECTOR, FLAG_ALL_NAMESPACES},
		.run = verb_renew,
	},
	{
		.name = "certificate revoke",
		.usage = "certificate revoke NAME... [--reason REASON]",
		.summary = "Have the CA revoke certificates",
		.details = "A new one is ordered at once; after keyCompromise with a new key.\n\n"
			   "Examples:\n"
			   "  sallyport certificate revoke mail-example-com --reason "
			   "keyCompromise\n",
		.flags = {FLAG_REASON, FLAG_WAIT, FLAG_TIMEOUT, FLAG_ALL, FLAG_SELECTOR},
		.run = verb_certificate_revoke,
	},
	{
		.name = "certificate export",
		.usage = "certificate export NAME (--dir DIR | --cert FILE --key FILE ...)",
		.summary = "Write a certificate and its key to files",
		.details =
			"Each file is replaced at once, and only when it differs; then the hook\n"
			"runs. With -w this goes on until it is ended, over restarts of the\n"
			"daemon.\n\n"
			"Examples:\n"
			"  sallyport certificate export mail-example-com --dir /etc/mail/tls\n"
			"  sallyport certificate export db --pem /etc/db/tls.pem --owner "
			"root:db \\\n"
			"      --mode 0640 --hook reload-db --watch\n",
		.flags = {FLAG_DIR, FLAG_CERT, FLAG_KEY, FLAG_CHAIN, FLAG_FULLCHAIN, FLAG_PEM,
			  FLAG_P12, FLAG_PASSWORD_FILE, FLAG_OWNER, FLAG_MODE, FLAG_HOOK,
			  FLAG_HOOKS_DIR, FLAG_WATCH},
		.run = verb_certificate_export,
	},
	{
		.name = "certificate delete",
		.usage = "certificate delete (NAME... | --all)",
		.summary = "Delete Certificates; the Secrets with their keys stay",
		.flags = {FLAG_REVOKE, FLAG_REASON, FLAG_TIMEOUT, FLAG_ALL, FLAG_SELECTOR},
		.run = verb_certificate_delete,
	},
	{
		.name = "account list",
		.usage = "account list",
		.summary = "List the accounts at ACME servers, one to an issuer",
		.flags = {FLAG_ALL_NAMESPACES, FLAG_NO_HEADERS, FLAG_OUTPUT},
		.run = verb_account_list,
	},
	{
		.name = "account update",
		.usage = "account update ISSUER --email ADDRESS",
		.summary = "Change the contact of an account",
		.details = "ISSUER is NAME, issuer/NAME or clusterissuer/NAME. The CA is told.\n",
		.flags = {FLAG_EMAIL, FLAG_WAIT, FLAG_TIMEOUT},
		.run = verb_account_update,
	},
	{
		.name = "account rollover",
		.usage = "account rollover ISSUER",
		.summary = "Give an account a new key",
		.details = "The CA is told; certificates are not touched.\n",
		.flags = {FLAG_WAIT, FLAG_TIMEOUT},
		.run = verb_account_rollover,
	},
	{
		.name = "account deactivate",
		.usage = "account deactivate ISSUER [--yes]",
		.summary = "End an account at its CA, for good",
		.details =
			"Certificates that are there stay valid; none is issued or renewed with\n"
			"this account any more, and the CA lets nobody undo it.\n",
		.flags = {FLAG_YES, FLAG_WAIT, FLAG_TIMEOUT},
		.run = verb_account_deactivate,
	},
	{
		.name = "import certbot",
		.usage = "import certbot DIR",
		.summary = "Take over certbot's accounts, certificates and keys",
		.details =
			"DIR is /etc/letsencrypt or a copy of it. Nothing is ordered, and nothing\n"
			"in DIR is changed. What is there already stays as it is.\n\n"
			"Examples:\n"
			"  sallyport import certbot /etc/letsencrypt --dry-run\n",
		.flags = {FLAG_ALL, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_VALIDATE, FLAG_FIELD_MANAGER},
		.run = verb_import_certbot,
	},
	{
		.name = "import acme.sh",
		.usage = "import acme.sh DIR",
		.summary = "Take over acme.sh's accounts, certificates and keys",
		.details = "DIR is ~/.acme.sh or a copy of it. Nothing is ordered, and nothing in\n"
			   "DIR is changed. What is there already stays as it is.\n\n"
			   "Examples:\n"
			   "  sallyport import acme.sh /root/.acme.sh --dry-run\n",
		.flags = {FLAG_ALL, FLAG_DRY_RUN, FLAG_OUTPUT, FLAG_VALIDATE, FLAG_FIELD_MANAGER},
		.run = verb_import_acmesh,
	},
	{
		.name = "status",
		.usage = "status",
		.summary = "Show what is served, the certificates, and what is wrong",
		.details = "Of all namespaces unless -n names one.\n\n"
			   "Examples:\n"
			   "  sallyport status\n"
			   "  sallyport status --exit-code >/dev/null || echo look after it\n",
		.flags = {FLAG_OUTPUT, FLAG_EXIT_CODE},
		.run = verb_status,
	},
	{
		.name = "version",
		.usage = "version",
		.summary = "Show the versions of this program and of the daemon",
		.flags = {FLAG_CLIENT, FLAG_OUTPUT},
		.run = verb_version,
	},
	{
		.name = "api-resources",
		.usage = "api-resources",
		.summary = "List the kinds that the daemon knows",
		.flags = {FLAG_API_GROUP, FLAG_NAMESPACED, FLAG_NO_HEADERS, FLAG_OUTPUT},
		.run = verb_api_resources,
	},
	{.name = NULL},
};

int main(int argc, char **argv)
{
	return verbs_run(verbs, argc, argv);
}
