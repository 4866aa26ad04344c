/* resource/names.h - forms of text that several kinds share (RFC 1123, RFC 1035, Gateway API,
 * Kubernetes)
 *
 * Pure questions about a text, and the rows (text_format) that schema tables point to.
 */
#ifndef RESOURCE_NAMES_H
#define RESOURCE_NAMES_H

#include "resource/schema.h"

bool name_is_dns_1035_label(struct str_view text);
bool name_is_qualified(struct str_view text);   /* "app", "example.com/app": keys of labels */
bool name_is_label_value(struct str_view text); /* 63 or empty */
bool name_is_ip(struct str_view text);          /* IPv4 or IPv6, no zone */
bool name_is_ipv4(struct str_view text);
bool name_is_ipv6(struct str_view text);
bool name_is_path(struct str_view text); /* characters of a path (RFC 3986, pchar and '/') */

extern const struct text_format format_subdomain, format_label, format_hostname,
	format_exact_hostname, format_group, format_kind, format_domain_path, format_field_name,
	format_field_value, format_duration, format_route_duration, format_base64, format_time,
	format_ip, format_qualified, format_label_value, format_data_key, format_path, format_url,
	format_annotation_key;

#endif
