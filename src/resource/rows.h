/* resource/rows.h - what the files of the kinds give to the table in kind.c, and to each other
 *
 * A kind KIND has at least KIND_schema; the other names as the table needs them.
 */
#ifndef RESOURCE_ROWS_H
#define RESOURCE_ROWS_H

#include "resource/kind.h"
#include "resource/schema.h"

typedef void set_defaults_fn(json_t *object, const json_t *old);
typedef void validate_fn(const json_t *object, const json_t *old, struct causes *causes);
typedef void remark_fn(const json_t *object, json_t *warnings);
typedef json_t *initial_status_fn(const json_t *object, int64_t now);
typedef bool waits_fn(const json_t *object, int64_t now);

/* core.c */
extern const struct schema_node namespace_schema[], configmap_schema[];
extern const struct column namespace_columns[1], configmap_columns[1];
set_defaults_fn namespace_defaults;
initial_status_fn namespace_status;
validate_fn configmap_validate;

/* secret.c */
extern const struct schema_node secret_schema[];
extern const struct column secret_columns[2];
set_defaults_fn secret_defaults;
validate_fn secret_validate;
remark_fn secret_remark;
/* The data of a Secret or ConfigMap, once it is marked immutable; and its size. */
void data_validate(const json_t *object, const json_t *old, struct causes *causes);

/* service.c */
extern const struct schema_node service_schema[], endpointslice_schema[];
extern const struct column service_columns[6], endpointslice_columns[3];
set_defaults_fn service_defaults;
validate_fn service_validate, endpointslice_validate;
initial_status_fn service_status;

/* event.c */
extern const struct schema_node event_schema[];
extern const struct column event_columns[10];

/* apps.c */
extern const struct schema_node deployment_schema[];
extern const struct column deployment_columns[3];
validate_fn deployment_validate;

/* backend.c */
extern const struct schema_node backend_schema[];
extern const struct column backend_columns[1];
validate_fn backend_validate;

/* clienttraffic.c */
extern const struct schema_node clienttraffic_schema[];
extern const struct column clienttraffic_columns[1];
validate_fn clienttraffic_validate;

/* backendtls.c */
extern const struct schema_node backendtlspolicy_schema[];
extern const struct column backendtlspolicy_columns[1];
validate_fn backendtlspolicy_validate;

/* gateway.c */
extern const struct schema_node gatewayclass_schema[], gateway_schema[];
extern const struct column gatewayclass_columns[4], gateway_columns[3];
validate_fn gatewayclass_validate, gateway_validate;
remark_fn gateway_remark;
initial_status_fn gatewayclass_status, gateway_status;
#define LISTENERS_MAX 64
extern const struct schema_node listener_item[]; /* of spec.listeners, here and in a ListenerSet */
void listeners_validate(const json_t *listeners, struct causes *causes);

/* listenerset.c */
extern const struct schema_node listenerset_schema[];
extern const struct column listenerset_columns[2];
validate_fn listenerset_validate;

/* refs.c: references that routes, listeners and policies share */
extern const struct schema_node parent_ref_item[]; /* spec.parentRefs */
extern const struct schema_node secret_ref_members[], secret_ref_item[];
extern const struct schema_node object_ref_item[]; /* group, kind, name, namespace; no defaults */
#define BACKEND_REF_MEMBERS                                                                   \
	TEXT("group", .max = 253, .format = &format_group, .text = ""),                       \
		TEXT("kind", .min = 1, .max = 63, .format = &format_kind, .text = "Service"), \
		TEXT("name", REQUIRED, .min = 1, .max = 253),                                 \
		TEXT("namespace", .min = 1, .max = 63, .format = &format_label), PORT("port")
extern const struct schema_node backend_ref_members[];                /* no weight, no filters */
void parent_refs_validate(const json_t *refs, struct causes *causes); /* of spec.parentRefs */
void backend_ref_validate(const json_t *ref, struct where *where, struct causes *causes);

/* route.c */
initial_status_fn route_status;

/* httproute.c */
extern const struct schema_node httproute_schema[];
extern const struct column httproute_columns[1];
validate_fn httproute_validate;

/* grpcroute.c */
extern const struct schema_node grpcroute_schema[];
validate_fn grpcroute_validate;

/* l4route.c: TLSRoute, and what TCPRoute and UDPRoute have in common */
extern const struct schema_node tlsroute_schema[], l4route_schema[];
extern const struct column tlsroute_columns[2], l4route_columns[1];
validate_fn l4route_validate;

/* grant.c */
extern const struct schema_node referencegrant_schema[];

/* issuer.c */
extern const struct schema_node issuer_schema[];
extern const struct schema_node solver_members[]; /* of spec.acme.solvers[], and of a Challenge */
extern const struct schema_node issuer_ref_members[];
extern const struct column issuer_columns[2];
validate_fn issuer_validate;
remark_fn issuer_remark;
void issuer_ref_validate(const json_t *ref, struct causes *causes); /* of spec.issuerRef */
void solver_validate(const json_t *solver, struct where *where, struct causes *causes);

/* certificate.c */
extern const struct schema_node certificate_schema[], certificaterequest_schema[];
extern const struct column certificate_columns[5], certificaterequest_columns[6];
validate_fn certificate_validate, certificaterequest_validate;
waits_fn certificate_waits_for_disk, certificaterequest_waits_for_disk;

/* acme.c */
extern const struct schema_node order_schema[], challenge_schema[];
extern const struct column order_columns[3], challenge_columns[3];
validate_fn order_validate, challenge_validate;

/* tigera.c */
extern const struct schema_node installation_schema[], gatewayapi_schema[], tigerastatus_schema[];
extern const struct column tigerastatus_columns[4];
extern const char *const installation_names[], *const gatewayapi_names[];

#endif
