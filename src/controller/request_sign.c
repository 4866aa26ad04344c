/* controller/request_sign.c - what a CertificateRequest asks of the issuers that sign here */
#include "controller/issuer.h"

#define DURATION_S (90 * INT64_C(86400)) /* as in cert-manager */

void request_sign_how(const struct request *request, struct x509_sign_how *how)
{
	const json_t *spec = json_member(request->object->json, "spec");
	const json_t *usages = json_member(spec, "usages");
	json_t *usage;
	int64_t duration;
	size_t i;

	how->is_ca = json_bool_at(spec, "isCA", false);
	/* What a CA is for, all below it is for at most. */
	if (json_array_size(usages) == 0 && !how->is_ca)
		how->usages.purposes = X509_USAGE_SERVER;
	json_array_foreach(usages, i, usage)
	{
		(void)key_usages_add(&how->usages, sv_from(json_string_value(usage)));
	}
	if (!clock_parse_duration(json_sv_at(spec, "duration"), &duration))
		duration = DURATION_S * 1000;
	how->not_before = ctl_now();
	how->not_after = how->not_before + duration / 1000;
}

struct x509_urls issuer_urls(const json_t *list, struct str_view *views)
{
	struct x509_urls urls = {.urls = views};
	json_t *url;
	size_t i;

	json_array_foreach(list, i, url)
	{
		if (urls.count < ISSUER_URLS_MAX && json_string_length(url) > 0)
			views[urls.count++] =
				sv_new(json_string_value(url), json_string_length(url));
	}
	return urls;
}
