/* api/serve.h - from a request to what serves it: fixed paths first, then the kinds
 *
 * Each handler answers its request, at once or later; a row each in serve.c.
 */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "api/request.h"

/* The body is here whole: finds the handler by path and method and calls it; none: 404 or 405. */
void serve_request(struct request *request);

/* verbs.c */
void serve_get(struct request *request);
void serve_list(struct request *request);
/* watch.c */
void serve_watch(struct request *request);
/* change.c */
void serve_create(struct request *request);
void serve_update(struct request *request);
void serve_patch(struct request *request);
/* delete.c */
void serve_delete(struct request *request);
void serve_delete_collection(struct request *request);
/* discovery.c */
void serve_version(struct request *request);       /* /version */
void serve_core_versions(struct request *request); /* /api */
void serve_groups(struct request *request);        /* /apis */
void serve_group(struct request *request);         /* /apis/G */
void serve_resources(struct request *request);     /* /api/v1, /apis/G/V */
/* openapi.c */
void serve_openapi_v2(struct request *request);
/* openapi_v3.c */
void serve_openapi_v3(struct request *request);         /* /openapi/v3 */
void serve_openapi_v3_version(struct request *request); /* /openapi/v3/api/v1, …/apis/G/V */
/* review.c */
void serve_access_review(struct request *request);  /* …/selfsubjectaccessreviews */
void serve_rules_review(struct request *request);   /* …/selfsubjectrulesreviews */
void serve_subject_review(struct request *request); /* …/selfsubjectreviews */
/* health.c */
void serve_health(struct request *request); /* /healthz, /livez, /readyz, /metrics */

#endif
