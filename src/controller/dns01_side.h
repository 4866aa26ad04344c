/* controller/dns01_side.h - beside the steps of dns01.c: what is counted, which Secrets a solver
 * names
 */
#ifndef CONTROLLER_DNS01_SIDE_H
#define CONTROLLER_DNS01_SIDE_H

#include "base/buf.h"
#include "codec/json.h"
#include "dns01/job.h"
#include "dns01/look.h"

#include <stdbool.h>

#define DNS01_PROVIDERS_MAX 8

struct dns01_counts { /* zeroed is none */
	struct dns01_count {
		const char *provider;       /* static text; NULL: a free place */
		uint64_t made[2], taken[2]; /* by what came of it: false, true */
	} of[DNS01_PROVIDERS_MAX];
	uint64_t late; /* records that the zone's servers did not show in time */
};

/* A provider has ended, fine or not, what it was asked for. dns01: of the solver. */
void dns01_count(struct dns01_counts *counts, const json_t *dns01, enum dns01_action action,
		 bool fine);
void dns01_counts_metrics(const struct dns01_counts *counts, size_t under_way, struct buf *out);

/* A Challenge that was deleted though its record is there, as it is to be stored again: to be
 * cleaned up, and nothing else. New value. */
json_t *dns01_left_behind(const json_t *challenge);

json_t *dns01_place_json(const struct place *place); /* as a status has it; new value */

/* Does the solver name this Secret? */
bool dns01_names_secret(const json_t *dns01, const char *secret);

#endif
