/* base/metric.c - the Prometheus text format, version 0.0.4 */
#include "base/metric.h"

#include <math.h>

void metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_value(struct buf *out, double value)
{
	if (isnan(value))
		buf_add(out, SV("NaN"));
	else if (isinf(value))
		buf_add(out, value > 0 ? SV("+Inf") : SV("-Inf"));
	else
		buf_addf(out, "%.16g", value);
}

void metric_sample(struct buf *out, const char *name, const char *labels, double value)
{
	buf_addf(out, *labels == '\0' ? "%s%s " : "%s{%s} ", name, labels);
	add_value(out, value);
	buf_addc(out, '\n');
}

void metric_label(struct buf *out, const char *name, struct str_view value)
{
	buf_addf(out, "%s%s=\"", buf_len(out) == 0 ? "" : ",", name);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (c == '\n')
			buf_add(out, SV("\\n"));
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else
			buf_addc(out, c);
	}
	buf_addc(out, '"');
}
