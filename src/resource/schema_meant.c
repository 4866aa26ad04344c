/* resource/schema_meant.c - which member was meant by an unknown one */
#include "resource/schema.h"

#include "base/nearest.h"

#define DEEPER_MAX 2 /* levels: what was indented too little */

struct step {                  /* from the rows down to where we look */
	const struct step *up; /* NULL: the first */
	const struct schema_node *row;
};

/* The members of a value of this row, or of its items; NULL: it has none. */
static const struct schema_node *members_of(const struct schema_node *row)
{
	if (row->type == SCHEMA_LIST && row->nodes->type == SCHEMA_OBJECT)
		return row->nodes->nodes;
	return row->type == SCHEMA_OBJECT ? row->nodes : NULL;
}

static void write_steps(const struct step *step, struct buf *out)
{
	if (step == NULL)
		return;
	write_steps(step->up, out);
	(void)buf_addf(out, "%s%s.", step->row->name, step->row->type == SCHEMA_LIST ? "[]" : "");
}

static bool find_below(const struct schema_node *fields, const char *name, unsigned deeper,
		       const struct step *up, struct buf *out)
{
	for (const struct schema_node *row = fields; row->name != NULL; row++) {
		struct step step = {.up = up, .row = row};
		const struct schema_node *members = members_of(row);

		if (strcmp(row->name, name) == 0) {
			write_steps(up, out);
			return buf_addf(out, "%s", name);
		}
		if (members != NULL && deeper > 0 &&
		    find_below(members, name, deeper - 1, &step, out))
			return true;
	}
	return false;
}

bool schema_meant(const struct schema_node *fields, const char *name, struct buf *out)
{
	struct nearest nearest;

	nearest_init(&nearest, sv_from(name));
	for (const struct schema_node *row = fields; row->name != NULL; row++)
		nearest_offer(&nearest, row->name);
	if (nearest.best != NULL)
		return buf_addf(out, "%s", nearest.best);
	return find_below(fields, name, DEEPER_MAX, NULL, out);
}
