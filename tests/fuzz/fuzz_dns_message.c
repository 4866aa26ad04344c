/* tests/fuzz/fuzz_dns_message.c - dns01/message.c, tsig.c and rrset.c: what name servers and Route
 * 53 answer */
#include "fuzz.h"

#include "base/own.h"
#include "dns01/message.h"
#include "dns01/rrset.h"
#include "dns01/tsig.h"

#include <stdlib.h>

static void check_name(const char *name)
{
	char again[DNS_NAME_TEXT];

	/* What was read can be written, and reads back the same. */
	if (strlen(name) >= DNS_NAME_TEXT || !dns_name_text(sv_from(name), again) ||
	    strcmp(name, again) != 0)
		abort();
}

static void check_record(const struct dns_message *message, const struct dns_record *record)
{
	char target[DNS_NAME_TEXT];

	check_name(record->name);
	if (record->section != DNS_QUESTION &&
	    (record->data.data < message->bytes.data ||
	     record->data.data + record->data.len > message->bytes.data + message->bytes.len))
		abort();
	if (record->data.len > 0 && dns_record_name(message, record, target) == 0)
		check_name(target);
	(void)dns_txt_is(record->data, SV("hello"));
}

static void check_message(struct str_view bytes)
{
	static const char *const algorithms[] = {"hmac-md5", "hmac-sha256"};
	struct dns_message message;
	struct dns_record record;
	int more, count = 0;

	if (dns_message_open(&message, bytes) < 0)
		return;
	while ((more = dns_message_next(&message, &record)) == 1) {
		check_record(&message, &record);
		count++;
	}
	if (dns_message_check(&message) != more || (size_t)count > bytes.len)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		struct tsig_key key = {.name = "acme.key",
				       .algorithm = tsig_algorithm_by_name(sv_from(algorithms[i])),
				       .secret = SV("an update key of 32 bytes and so")};
		struct tsig_mac mac = {.len = 16};
		struct err err = {0};

		if (tsig_verify(bytes, &key, &mac, 1700000000, &err) < 0 && err.msg[0] == '\0')
			abort();
	}
}

static void check_set(struct str_view text)
{
	struct rrset *set = xcalloc(1, sizeof(*set));
	char words[64];

	if (rrset_read(text, "a.example.com", set) && set->count > RRSET_VALUES_MAX)
		abort();
	xml_text(text, "Message", words, sizeof(words));
	if (memchr(words, '\0', sizeof(words)) == NULL)
		abort();
	free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str_view bytes = sv_new((const char *)data, size);

	check_message(bytes);
	check_set(bytes);
	return 0;
}
