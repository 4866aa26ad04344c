/* controller/overlap.c - listeners whose hostnames one handshake could be for
 *
 * (Gateway API, condition OverlappingTLSConfig.) Of one Gateway and port: a wildcard and a name
 * below it, or no hostname and any other.
 */
#include "base/own.h"
#include "controller/gateway.h"
#include "controller/hostname.h"

#include <stdio.h>

#define KEY_MAX (16 + 256)

static struct str_view key_of(uint16_t port, struct str_view host, char text[KEY_MAX])
{
	int len = snprintf(text, KEY_MAX, "%u %.*s", (unsigned)port, SV_ARG(sv_head(host, 255)));

	return sv_new(text, (size_t)len);
}

static bool counts(const struct gw_listener *listener)
{
	return listener_hears_tls(listener) && listener_usable(listener);
}

static void meet(struct gw_listener *a, struct gw_listener *b)
{
	a->overlap = a->overlap == NULL ? b : a->overlap;
	b->overlap = b->overlap == NULL ? a : b->overlap;
}

static void look_wider(const struct map *hosts, struct gw_listener *listener)
{
	struct str_view host = listener->hostname;
	char text[HOSTNAME_TEXT], key[KEY_MAX];

	while (hostname_widen(&host, text)) {
		struct gw_listener *wider = map_get(hosts, key_of(listener->port, host, key));

		if (wider != NULL)
			meet(listener, wider);
	}
}

void gateway_judge_overlaps(struct gateway *gateway)
{
	struct map hosts;
	char key[KEY_MAX];

	map_init(&hosts);
	for (size_t i = 0; i < gateway->listener_count; i++) {
		struct gw_listener *listener = &gateway->listeners[i];

		listener->overlap = NULL;
		if (counts(listener))
			(void)map_put(&hosts, key_of(listener->port, listener->hostname, key),
				      listener);
	}
	for (size_t i = 0; hosts.count > 1 && i < gateway->listener_count; i++) {
		if (counts(&gateway->listeners[i]))
			look_wider(&hosts, &gateway->listeners[i]);
	}
	map_deinit(&hosts, NULL);
}
