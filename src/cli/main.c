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
		.name = "create",
		.usage = "create (-f FILE | namespace NAME)",
		.summary = "Create objects that do not exist yet",
		.details = "Examples:\n"
			   "  sallyport create -f gateway.yaml\n"
			   "  sallyport create namespace shop\n",
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
			  FLAG_SUBRESOURCE, FLAG_RAW},
		.run = verb_get,
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
		.usage = "wait " OBJECTS " --for=(condition=TYPE[=VALUE] | delete | create)",
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
