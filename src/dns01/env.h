/* dns01/env.h - what DNS-01 needs of the process around it */
#ifndef DNS01_ENV_H
#define DNS01_ENV_H

#include "acme/fetch.h"
#include "loop/dns.h"
#include "loop/loop.h"

struct dns01_env {
	struct loop *loop;
	struct dns *dns;         /* names to addresses; its servers are the recursors */
	struct fetcher *fetcher; /* asks may_dial itself */
	/* Asked for every address that is connected to; NULL: none. */
	bool (*may_dial)(const void *rules, const struct sock_addr *addr);
	const void *rules;
	uint16_t authority_port; /* of the zones' own servers: 53 */
	const char *hooks;       /* folder of the scripts that may be run; NULL: none */
	bool own_hooks;          /* they may belong to this process's user */
};

/* May this room connect there? Never to link-local addresses, else as env->may_dial says. */
bool dns01_may_dial(const struct dns01_env *env, const struct sock_addr *addr);

#endif
