/* tests/acme/pebble.h - a Pebble of one's own: started on free ports, stopped by its process id */
#ifndef PEBBLE_H
#define PEBBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PEBBLE_EAB_KID "kid-1"
#define PEBBLE_EAB_MAC "a mac key of thirty-two bytes ok" /* raw */

struct pebble {
	char dir[64]; /* its own, removed by pebble_stop */
	pid_t pid;
	uint16_t port, management_port;
	char directory[64], management[64]; /* URLs */
	char ca[4096];                      /* PEM: what its HTTPS is trusted by */
	const char *nonce_reject, *alternate_roots, *chain_length; /* NULL: 0, 0, 1 */
	bool needs_eab;
};

bool pebble_installed(void);
/* Fields from nonce_reject on are set by the caller. Challenges always succeed, without delay. Ends
 * the program when Pebble does not answer. */
void pebble_start(struct pebble *pebble);
void pebble_restart(struct pebble *pebble); /* same ports, nothing remembered */
void pebble_stop(struct pebble *pebble);
unsigned pebble_requests(const struct pebble *pebble); /* since its start */

#endif
