/* api/health.h - /metrics, /readyz, /livez: on the control socket, and alone on --listen-metrics */
#ifndef API_HEALTH_H
#define API_HEALTH_H

#include "api/request.h"

#define METRICS_CONN_MAX 16

extern const struct server_ops health_ops; /* of the metrics listener; arg: struct api */

#endif
