/* acme/fetcher.h - curl_multi on the loop, and the fetches it has; fetcher.c and fetch.c only */
#ifndef ACME_FETCHER_H
#define ACME_FETCHER_H

#include "acme/fetch.h"
#include "base/list.h"

#include <curl/curl.h>

struct fetcher {
	struct loop *loop; /* borrowed */
	struct dns *dns;   /* borrowed */
	CURLM *multi;
	struct timer timer;      /* curl's own */
	struct list running;     /* of struct fetch: resolving or in curl's hands */
	struct list finished;    /* of struct fetch: wait for report */
	struct task report;      /* calls their callbacks */
	char *ca_file, *ca_path; /* SSL_CERT_FILE, SSL_CERT_DIR; NULL: curl's default file */
	bool (*may_dial)(const void *rules, const struct sock_addr *addr);
	const void *rules;
};

/* curl is done with it. */
void fetch_completed(struct fetch *fetch, CURLcode code);
/* The fetcher's task: calls the callbacks of those that are finished, and frees them. */
void fetches_report(struct task *task);
void fetches_free(struct list *list);

#endif
