/* loop/dns.h - name look-ups by c-ares on the loop; never blocks, TTL honoured, answers cached
 *
 * Servers: those given (flag --dns-servers) or the system's. Names below "localhost", literals
 * of addresses and /etc/hosts are answered without asking.
 */
#ifndef LOOP_DNS_H
#define LOOP_DNS_H

#include "loop/loop.h"
#include "loop/sock.h"

struct dns;
struct dns_query;

enum dns_status {
	DNS_OK,
	DNS_NXDOMAIN, /* no such name */
	DNS_NODATA,   /* the name has no address */
	DNS_SERVFAIL,
	DNS_TIMEOUT,
	DNS_REFUSED, /* refused, or no server could be reached */
	DNS_CANCELLED
};

#define DNS_ADDRS_MAX 32

struct dns_answer {
	enum dns_status status;
	size_t count;
	struct sock_addr addrs[DNS_ADDRS_MAX]; /* A and AAAA, port as asked */
	int64_t ttl_ms;                        /* how long this may be believed; failures: 5 s */
	bool a_failed, aaaa_failed;            /* one family did not answer, the other did */
};

/* servers: "127.0.0.1:8053,[::1]:53,192.0.2.1", or NULL: the system's, read again when
 * /etc/resolv.conf changes. */
struct dns *dns_new(struct loop *loop, const char *servers, struct err *err);
/* 0, or -1 with a sentence: could servers (not NULL) be given to dns_new? */
int dns_servers_check(const char *servers, struct err *err);
void dns_free(struct dns *dns); /* open queries end with DNS_CANCELLED */

/* The servers that are asked, those of the system as they were when they were needed last; at most
 * max. For questions that this room does not ask. */
size_t dns_servers(const struct dns *dns, struct sock_addr *out, size_t max);

/* No look-up takes longer than this; 5000 until it is set. For look-ups that begin afterwards. */
void dns_set_deadline(struct dns *dns, int64_t milliseconds);

/* Both families. done runs in a later turn, once, unless dns_cancel was called before. The answer
 * is borrowed for the call. fresh asks the servers even when the cache knows. A name without a dot
 * is tried with the system's search domains. At most 64 look-ups are under way, more wait. */
struct dns_query *dns_lookup(struct dns *dns, struct str_view name, uint16_t port, bool fresh,
			     void (*done)(void *arg, const struct dns_answer *answer), void *arg);
void dns_cancel(struct dns_query *query); /* done is not called */
const char *dns_status_text(enum dns_status status);

#endif
