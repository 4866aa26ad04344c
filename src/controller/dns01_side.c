#include "controller/dns01_side.h"

#include "base/metric.h"

#include <string.h>

#define RECORDS "sallyport_dns01_records_total"

void dns01_count(struct dns01_counts *counts, const json_t *dns01, enum dns01_action action,
		 bool fine)
{
	const char *provider = dns01_provider_name(dns01);

	for (size_t i = 0; provider != NULL && i < DNS01_PROVIDERS_MAX; i++) {
		struct dns01_count *count = &counts->of[i];

		if (count->provider == NULL)
			count->provider = provider;
		if (strcmp(count->provider, provider) != 0)
			continue;
		(action == DNS01_PRESENT ? count->made : count->taken)[fine]++;
		return;
	}
}

static void sample(struct buf *out, const struct dns01_count *count, bool present, bool fine)
{
	struct buf labels;

	buf_init(&labels, 256);
	metric_label(&labels, "provider", sv_from(count->provider));
	metric_label(&labels, "action", present ? SV("present") : SV("cleanup"));
	metric_label(&labels, "outcome", fine ? SV("ok") : SV("failed"));
	metric_sample(out, RECORDS, buf_cstr(&labels),
		      (double)(present ? count->made : count->taken)[fine]);
	buf_deinit(&labels);
}

void dns01_counts_metrics(const struct dns01_counts *counts, size_t under_way, struct buf *out)
{
	metric_head(out, "sallyport_dns01_challenges", "gauge", "DNS-01 Challenges under way.");
	metric_sample(out, "sallyport_dns01_challenges", "", (double)under_way);
	metric_head(out, "sallyport_dns01_propagation_timeouts_total", "counter",
		    "TXT records that the servers of their zone did not show in time.");
	metric_sample(out, "sallyport_dns01_propagation_timeouts_total", "", (double)counts->late);
	metric_head(out, RECORDS, "counter",
		    "TXT records made and taken away, by provider and outcome.");
	for (size_t i = 0; i < DNS01_PROVIDERS_MAX && counts->of[i].provider != NULL; i++) {
		for (unsigned j = 0; j < 4; j++)
			sample(out, &counts->of[i], j < 2, j % 2 == 0);
	}
}

json_t *dns01_left_behind(const json_t *challenge)
{
	static const char *const gone[] = {"uid", "resourceVersion", "creationTimestamp",
					   "generation"};
	json_t *body = json_deep_copy(challenge);
	json_t *meta = json_object_get(body, "metadata");
	json_t *status = json_object_get(body, "status");

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		json_object_del(meta, gone[i]);
	json_object_set_new(status, "cleanUp", json_true());
	json_object_set_new(status, "reason",
			    json_string("it was deleted; its TXT record is being taken away"));
	return body;
}

json_t *dns01_place_json(const struct place *place)
{
	return json_pack("{s:s, s:s}", "name", place->name, "zone", place->zone);
}

bool dns01_names_secret(const json_t *dns01, const char *secret)
{
	const char *provider = dns01_provider_name(dns01), *member;
	json_t *value;

	if (provider == NULL)
		return false;
	json_object_foreach((json_t *)json_member(dns01, provider), member, value)
	{
		if (sv_eq(json_sv_at(value, "name"), sv_from(secret)))
			return true;
	}
	return false;
}
