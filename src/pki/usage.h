/* pki/usage.h - what a key may be used for (RFC 5280, sections 4.2.1.3 and 4.2.1.12), in
 * cert-manager's words
 */
#ifndef PKI_USAGE_H
#define PKI_USAGE_H

#include "base/str.h"

#include <stdbool.h>

struct key_usages {
	unsigned purposes; /* X509_USAGE_… (extended key usage) */
	unsigned key;      /* X509v3_KU_… of OpenSSL */
};

#define X509_USAGE_SERVER 1u
#define X509_USAGE_CLIENT 2u
#define X509_PURPOSES_MAX 16 /* bits of purposes; the table in usage.c knows the others */

/* Adds what the word ("client auth", "digital signature") stands for; false: no such word. */
bool key_usages_add(struct key_usages *usages, struct str_view word);
/* OpenSSL's number of the purpose with that bit; 0: there is no such purpose. */
int key_purpose_nid(unsigned bit);
unsigned key_purpose_bit(int nid); /* 0: not one that has a word */

#endif
