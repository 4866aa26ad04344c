/* resource/clienttraffic.c - gateway.envoyproxy.io ClientTrafficPolicy: how clients of a Gateway
 * are met
 *
 * Known and refused is what this program does in one way only: a policy that is not obeyed would
 * mislead.
 */
#include "resource/columns.h"
#include "resource/names.h"
#include "resource/quantity.h"
#include "resource/rows.h"

#include "base/clock.h"
#include "base/own.h"

#define CIDR_MAX      43 /* of IPv6, with the length */
#define TIMEOUT_LEAST 100
#define TIMEOUT_MOST  (7 * INT64_C(86400000))

static const struct schema_node target_members[] = {
	TEXT("group", REQUIRED, WORDS("gateway.networking.k8s.io")),
	TEXT("kind", REQUIRED, WORDS("Gateway")),
	TEXT("name", REQUIRED, .min = 1, .max = 253, .format = &format_subdomain),
	TEXT("sectionName", .min = 1, .max = 253, .format = &format_subdomain),
	END,
};
static const struct schema_node target_item[] = {OBJECT("[]", target_members)};

static bool is_cidr(struct str_view text)
{
	size_t slash = sv_find(text, '/');
	struct str_view ip = sv_head(text, slash);
	uint64_t bits;

	return slash != SV_NOT_FOUND && text.len <= CIDR_MAX && name_is_ip(ip) &&
	       sv_to_u64(sv_skip(text, slash + 1), &bits) &&
	       (sv_skip(text, slash + 1).len == 1 || text.data[slash + 1] != '0') &&
	       bits <= (name_is_ipv4(ip) ? 32 : 128);
}

static const struct text_format format_cidr = {
	is_cidr, "must be a network such as 192.0.2.0/24 or 2001:db8::/32"};
static const struct schema_node cidr_item[] = {TEXT("[]", .min = 1, .format = &format_cidr)};

static const struct schema_node forwarded_members[] = {
	INTEGER("numTrustedHops", .min = 1, .max = 100),
	LIST("trustedCIDRs", cidr_item, .min = 1, .max = 256),
	END,
};

static const struct schema_node header_members[] = {
	TEXT("name", REQUIRED, .min = 1, .max = 255, .format = &format_field_name),
	BOOL("failClosed"),
	END,
};

static const struct schema_node detection_members[] = {
	OBJECT("xForwardedFor", forwarded_members),
	OBJECT("customHeader", header_members),
	END,
};

static const struct schema_node proxy_members[] = {BOOL("optional"), END};

static const struct schema_node http_timeout_members[] = {
	TEXT("requestReceivedTimeout", .format = &format_route_duration),
	TEXT("idleTimeout", .format = &format_route_duration),
	TEXT("streamIdleTimeout", .format = &format_route_duration),
	END,
};

static const struct schema_node timeout_members[] = {
	REFUSED("tcp"),
	OBJECT("http", http_timeout_members),
	END,
};

static const struct schema_node connection_limit_members[] = {
	INTEGER("value", .min = 1, .max = UINT32_MAX),
	INTEGER("maxRequestsPerConnection", .min = 1, .max = UINT32_MAX),
	REFUSED("closeDelay"),
	REFUSED("maxConnectionDuration"),
	REFUSED("maxStreamDuration"),
	END,
};

static const struct schema_node connection_members[] = {
	OBJECT("connectionLimit", connection_limit_members),
	ANY("bufferLimit"),
	REFUSED("socketBufferLimit"),
	REFUSED("maxAcceptPerSocketEvent"),
	END,
};

static const struct schema_node http2_members[] = {
	ANY("initialStreamWindowSize"),
	ANY("initialConnectionWindowSize"),
	INTEGER("maxConcurrentStreams", .min = 1, .max = 10000),
	TEXT("onInvalidMessage", WORDS("TerminateStream")),
	REFUSED("connectionKeepalive"),
	END,
};

static const struct schema_node policy_spec[] = {
	OBJECT("targetRef", target_members),
	LIST("targetRefs", target_item, .min = 1, .max = 16),
	REFUSED("targetSelectors"),
	BOOL("enableProxyProtocol"),
	OBJECT("proxyProtocol", proxy_members),
	OBJECT("clientIPDetection", detection_members),
	OBJECT("timeout", timeout_members),
	OBJECT("connection", connection_members),
	OBJECT("http2", http2_members),
	ANY("path"),
	REFUSED("tcpKeepalive"),
	REFUSED("tls"),
	REFUSED("headers"),
	REFUSED("http1"),
	REFUSED("http3"),
	REFUSED("healthCheck"),
	REFUSED("scheme"),
	END,
};

const struct schema_node clienttraffic_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", policy_spec, REQUIRED),
	KIND_STATUS,
	END,
};

static void one_way_only(const json_t *object, const char *one, const char *other,
			 const char *where, struct causes *causes)
{
	if (json_at(object, one) != NULL && json_at(object, other) != NULL)
		cause_forbidden(causes, where, "only one of %s and %s", strrchr(one, '.') + 1,
				strrchr(other, '.') + 1);
}

static void check_sizes(const json_t *object, struct causes *causes)
{
	static const struct {
		const char *path;
		uint64_t least, most;
	} rows[] = {
		{"spec.connection.bufferLimit", 4096, 16 << 20},
		{"spec.http2.initialStreamWindowSize", 65535, 16 << 20},
		{"spec.http2.initialConnectionWindowSize", 65535, INT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const json_t *value = json_at(object, rows[i].path);
		uint64_t bytes;

		if (value == NULL)
			continue;
		if (!quantity_bytes(value, &bytes))
			cause_invalid(
				causes, rows[i].path, value,
				"must be a number of bytes, or one with Ki, Mi, Gi, k, M or G");
		else if (bytes < rows[i].least || bytes > rows[i].most)
			cause_invalid(causes, rows[i].path, value,
				      "must be between %llu and %llu bytes",
				      (unsigned long long)rows[i].least,
				      (unsigned long long)rows[i].most);
	}
}

static void check_timeouts(const json_t *object, struct causes *causes)
{
	static const char *const paths[] = {"spec.timeout.http.requestReceivedTimeout",
					    "spec.timeout.http.idleTimeout",
					    "spec.timeout.http.streamIdleTimeout"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const json_t *value = json_at(object, paths[i]);
		int64_t ms;

		if (json_is_string(value) && clock_parse_duration(text_of(value), &ms) &&
		    (ms < TIMEOUT_LEAST || ms > TIMEOUT_MOST))
			cause_invalid(causes, paths[i], value,
				      "must be between 100ms and 7 days; no limit at all is not "
				      "possible");
	}
}

void clienttraffic_validate(const json_t *object, const json_t *old, struct causes *causes)
{
	const json_t *detection = json_at(object, "spec.clientIPDetection");

	(void)old;
	if (json_at(object, "spec.targetRef") == NULL &&
	    json_array_size(json_at(object, "spec.targetRefs")) == 0)
		cause_required(causes, "spec.targetRefs", "the Gateways that it is for");
	one_way_only(object, "spec.targetRef", "spec.targetRefs", "spec.targetRef", causes);
	one_way_only(object, "spec.clientIPDetection.xForwardedFor",
		     "spec.clientIPDetection.customHeader", "spec.clientIPDetection", causes);
	one_way_only(object, "spec.clientIPDetection.xForwardedFor.numTrustedHops",
		     "spec.clientIPDetection.xForwardedFor.trustedCIDRs",
		     "spec.clientIPDetection.xForwardedFor", causes);
	if (json_is_object(detection) && json_object_size(detection) == 0)
		cause_required(causes, "spec.clientIPDetection", "xForwardedFor or customHeader");
	if (json_at(object, "spec.clientIPDetection.xForwardedFor") != NULL &&
	    json_at(object, "spec.clientIPDetection.xForwardedFor.numTrustedHops") == NULL &&
	    json_at(object, "spec.clientIPDetection.xForwardedFor.trustedCIDRs") == NULL)
		cause_required(causes, "spec.clientIPDetection.xForwardedFor",
			       "numTrustedHops or trustedCIDRs");
	if (json_at(object, "spec.path") != NULL)
		cause_forbidden(causes, "spec.path",
				"paths are normalised in one way, for matching and for backends: "
				"see sallyport-httproute(5)");
	check_sizes(object, causes);
	check_timeouts(object, causes);
}

/* Of the first Gateway that has something to say. */
static json_t *policy_state(const json_t *object, int64_t now)
{
	const json_t *ancestor = json_array_get(json_at(object, "status.ancestors"), 0);
	const json_t *conditions = json_member(ancestor, "conditions");
	const json_t *condition;
	size_t i;

	(void)now;
	json_array_foreach((json_t *)conditions, i, condition)
	{
		if (sv_eq(json_sv_at(condition, "type"), SV("Accepted")))
			return cell_value(condition, "reason");
	}
	return json_null();
}

const struct column clienttraffic_columns[1] = {
	{.name = "Status", .type = "string", .cell = policy_state},
};
