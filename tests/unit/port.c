#include "port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 10000u
#define COUNT 22000u
#define TRIES 10000

static bool is_free(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				   .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* A socket without a file, open as long as this process is there. */
static bool claimed(uint16_t port)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "sallyport-test-port-%u",
			   port);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    bind(fd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
		return true;
	if (fd >= 0)
		close(fd);
	return false;
}

uint16_t port_claim(void)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t random;
		uint16_t port;

		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			continue;
		port = (uint16_t)(FIRST + random % COUNT);
		if (is_free(port) && claimed(port))
			return port;
	}
	fputs("no free port\n", stderr);
	abort();
}
