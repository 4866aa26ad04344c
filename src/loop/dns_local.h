/* loop/dns_local.h - what can be told about a name without asking a server */
#ifndef LOOP_DNS_LOCAL_H
#define LOOP_DNS_LOCAL_H

#include "loop/dns.h"

#include <sys/stat.h>

/* The text of a small file of the system, read again when it has changed. */
struct dns_file {
	const char *path;
	struct stat seen;
	char *text; /* owned; NULL: not there */
	size_t len;
};

bool dns_file_changed(struct dns_file *file); /* since the last call; looks, does not read */
void dns_file_read(struct dns_file *file);    /* at most 1 MiB of it */

/* Literal addresses, "localhost" and what is below it, names in the text of /etc/hosts.
 * False: ask. Ports stay 0. */
bool dns_local_answer(struct str_view name, struct str_view hosts, struct dns_answer *answer);

/* Could it be the name of a host? Letters, digits, '-', '_' and dots, at most 253 bytes. */
bool dns_name_valid(struct str_view name);

void dns_answer_add(struct dns_answer *answer, const struct sock_addr *addr); /* drops the 33rd */

#endif
