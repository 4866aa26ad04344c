/* loop/dns_channel.h - c-ares on the loop: its sockets, its time-outs, its servers; dns.c only
 *
 * Questions are asked of c-ares by dns.c; dns_channels_arm is due when some were.
 */
#ifndef LOOP_DNS_CHANNEL_H
#define LOOP_DNS_CHANNEL_H

#include "loop/loop.h"
#include "loop/sock.h"

#include <ares.h>

/* A persistent channel goes to the next server when one fails or refuses, but when all of them do,
 * c-ares 1.18 says "connection refused" of each reason. The literal channel takes the first answer
 * as it is: it is asked only then, to learn which it was. */
enum channel_kind { CHANNEL_PERSISTENT, CHANNEL_LITERAL, CHANNEL_COUNT };

struct dns_channel {
	ares_channel ares; /* owned; NULL: not open */
	struct dns_channels *all;
};

struct dns_channels {      /* stays where it is: c-ares and the loop point into it */
	struct loop *loop; /* borrowed */
	struct dns_channel of[CHANNEL_COUNT];
	struct timer retry; /* when c-ares wants to look at its time-outs */
	struct list socks;  /* of struct dns_sock */
};

void dns_channels_init(struct dns_channels *channels, struct loop *loop);
/* Ends all questions. */
void dns_channels_deinit(struct dns_channels *channels);
/* Replaces the channels, which ends their questions, or leaves them as they are: -1. servers: as
 * dns_new has them. */
int dns_channels_open(struct dns_channels *channels, const char *servers, struct err *err);
/* Looks when c-ares wants to be called next. */
void dns_channels_arm(struct dns_channels *channels);
/* As dns_servers. */
size_t dns_channels_servers(const struct dns_channels *channels, struct sock_addr *out, size_t max);

#endif
