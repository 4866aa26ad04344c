/* tests/acme/drive.h - the client against a real CA, one step after the other, as a controller
 * would
 *
 * Each drive_ call runs the loop until its answer is there, and keeps a copy of it.
 */
#ifndef DRIVE_H
#define DRIVE_H

#include "acme/account.h"
#include "acme/client.h"
#include "pki/x509.h"

#define DRIVE_ORDERS_MAX 20

struct drive {
	struct loop *loop;
	struct dns *dns;
	struct fetcher *fetcher;
	struct acme_client *client;
	EVP_PKEY *account_key, *key;
	struct timer timer;
	bool timed_out;

	/* of the last answer */
	bool answered;
	enum acme_outcome outcome;
	enum fetch_failure failure;
	long http_status;
	int64_t retry_after_ms;
	struct acme_problem problem;
	char step[40];
	json_t *body;
	char *location, *text;

	/* of the last certificate */
	unsigned orders, attempts;
	char why[1200]; /* it failed; "" when it did not */
};

void drive_init(struct drive *drive);
void drive_deinit(struct drive *drive);
/* A client for this directory; an account key made by drive_init is used again. */
void drive_connect(struct drive *drive, const char *directory, const char *ca_bundle);
enum acme_outcome drive_account(struct drive *drive, const struct acme_eab *eab);
enum acme_outcome drive_order(struct drive *drive, const char *name);
enum acme_outcome drive_find(struct drive *drive, const char *name);
enum acme_outcome drive_get(struct drive *drive, const char *url);
void drive_sleep(struct drive *drive, int64_t ms);

/* A whole certificate, in so many attempts with a short back-off between them: a chain that holds
 * in drive->text, or drive->why. Challenges are answered without being served (the CA is told to
 * trust). */
bool drive_certificate(struct drive *drive, const char *name, unsigned attempts);
/* The same with the chain whose topmost issuer is preferred. */
bool drive_certificate_of(struct drive *drive, const char *name, const char *preferred,
			  unsigned attempts);

#endif
