#include "dns01/tsig.h"

#include "dns01/message.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SIGNED_MAX (DNS_MESSAGE_MAX + 1024u)

struct tsig_algorithm {
	const char *name;   /* on the wire */
	const char *manner; /* cert-manager's word */
	const char *digest;
	size_t len;
};

static const struct tsig_algorithm algorithms[] = {
	{"hmac-md5.sig-alg.reg.int", "HMACMD5", "MD5", 16},
	{"hmac-sha1", "HMACSHA1", "SHA1", 20},
	{"hmac-sha256", "HMACSHA256", "SHA256", 32},
	{"hmac-sha512", "HMACSHA512", "SHA512", 64},
};

const struct tsig_algorithm *tsig_algorithm_by_name(struct str_view name)
{
	if (name.len == 0 || sv_eq_nocase(name, SV("hmac-md5")))
		return &algorithms[0];
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (sv_eq_nocase(name, sv_from(algorithms[i].name)) ||
		    sv_eq_nocase(name, sv_from(algorithms[i].manner)))
			return &algorithms[i];
	}
	return NULL;
}

const char *tsig_algorithm_names(void)
{
	return "HMACMD5, HMACSHA1, HMACSHA256 or HMACSHA512";
}

/* ---- what is signed (RFC 8945, section 4.3) ---- */

struct variables {
	uint64_t time; /* 48 bits */
	uint16_t fudge, error;
	struct str_view other;
};

static void add16(struct buf *out, unsigned value)
{
	buf_addc(out, (char)(value >> 8 & 0xff));
	buf_addc(out, (char)(value & 0xff));
}

static void add48(struct buf *out, uint64_t value)
{
	for (int shift = 40; shift >= 0; shift -= 8)
		buf_addc(out, (char)(value >> shift & 0xff));
}

static bool add_variables(struct buf *out, const struct tsig_key *key, const struct variables *vars)
{
	if (!dns_write_name(out, sv_from(key->name)))
		return false;
	add16(out, DNS_CLASS_ANY);
	add16(out, 0); /* TTL */
	add16(out, 0);
	if (!dns_write_name(out, sv_from(key->algorithm->name)))
		return false;
	add48(out, vars->time);
	add16(out, vars->fudge);
	add16(out, vars->error);
	add16(out, (unsigned)vars->other.len);
	buf_add(out, vars->other);
	return !out->spent;
}

static int hmac(const struct tsig_key *key, struct str_view input, struct tsig_mac *mac,
		struct err *err)
{
	/* An empty key is none that OpenSSL takes for NULL. */
	const char *secret = key->secret.len == 0 ? "" : key->secret.data;

	if (EVP_Q_mac(NULL, "HMAC", NULL, key->algorithm->digest, NULL, secret, key->secret.len,
		      (const unsigned char *)input.data, input.len, mac->bytes, sizeof(mac->bytes),
		      &mac->len) == NULL)
		return err_set(err, ERR_IO, "cannot compute %s", key->algorithm->name);
	return 0;
}

/* ---- sign ---- */

static bool add_record(struct buf *message, const struct tsig_key *key,
		       const struct variables *vars, const struct tsig_mac *mac)
{
	struct str_view id = sv_head(buf_view(message), 2);
	char id_bytes[2] = {id.data[0], id.data[1]};
	struct buf data;
	bool fits;

	buf_init(&data, 1024);
	fits = dns_write_name(&data, sv_from(key->algorithm->name));
	add48(&data, vars->time);
	add16(&data, vars->fudge);
	add16(&data, (unsigned)mac->len);
	buf_add(&data, sv_new((const char *)mac->bytes, mac->len));
	buf_add(&data, sv_new(id_bytes, sizeof(id_bytes)));
	add16(&data, 0); /* error */
	add16(&data, 0); /* other data */
	fits = fits && !data.spent &&
	       dns_write_record(message, DNS_ADDITIONAL,
				&(struct dns_record_spec){.name = sv_from(key->name),
							  .type = DNS_TYPE_TSIG,
							  .class = DNS_CLASS_ANY,
							  .data = buf_view(&data)});
	buf_deinit(&data);
	return fits;
}

int tsig_sign(struct buf *message, const struct tsig_key *key, int64_t now, struct tsig_mac *mac,
	      struct err *err)
{
	struct variables vars = {.time = (uint64_t)now, .fudge = TSIG_FUDGE};
	struct buf input;
	int rc = 0;

	buf_init(&input, SIGNED_MAX);
	buf_add(&input, buf_view(message));
	if (!add_variables(&input, key, &vars))
		rc = err_set(err, ERR_INVALID, "the TSIG key's name \"%s\" is no DNS name",
			     key->name);
	else
		rc = hmac(key, buf_view(&input), mac, err);
	if (rc == 0 && !add_record(message, key, &vars, mac))
		rc = err_set(err, ERR_LIMIT, "the message is too long to be signed");
	buf_deinit(&input);
	return rc;
}

/* ---- verify (RFC 8945, section 5.3) ---- */

struct tsig_record {
	char algorithm[DNS_NAME_TEXT];
	struct variables vars;
	struct str_view mac;
	uint16_t original_id;
	size_t start; /* of the record in the message */
};

static unsigned get16(struct str_view bytes, size_t at)
{
	return (unsigned)(unsigned char)bytes.data[at] << 8 | (unsigned char)bytes.data[at + 1];
}

/* The data of the record: algorithm, 48 bits of time, fudge, MAC, id, error, other. */
static bool read_data(const struct dns_message *message, const struct dns_record *record,
		      struct tsig_record *tsig)
{
	size_t end = record->data_at + record->data.len, at, len;
	struct str_view bytes = sv_head(message->bytes, end);

	if (dns_read_name(bytes, record->data_at, tsig->algorithm, &at) < 0 || end - at < 10)
		return false;
	for (size_t i = 0; i < 6; i++)
		tsig->vars.time = tsig->vars.time << 8 | (unsigned char)bytes.data[at + i];
	tsig->vars.fudge = (uint16_t)get16(bytes, at + 6);
	len = get16(bytes, at + 8);
	at += 10;
	if (end - at < len + 6)
		return false;
	tsig->mac = sv_new(bytes.data + at, len);
	tsig->original_id = (uint16_t)get16(bytes, at + len);
	tsig->vars.error = (uint16_t)get16(bytes, at + len + 2);
	at += len + 6;
	if (end - at != get16(bytes, at - 2))
		return false;
	tsig->vars.other = sv_new(bytes.data + at, end - at);
	return true;
}

/* The last record of the message is its TSIG, and no other one is. */
static int find_record(struct str_view answer, const struct tsig_key *key, struct tsig_record *tsig,
		       struct err *err)
{
	struct dns_message message;
	struct dns_record record;
	bool found = false;
	int more;

	if (dns_message_open(&message, answer) < 0)
		return err_set(err, ERR_PROTOCOL, "the answer is too short");
	while ((more = dns_message_next(&message, &record)) == 1) {
		if (found)
			return err_set(err, ERR_PROTOCOL, "records follow the signature");
		if (record.type != DNS_TYPE_TSIG)
			continue;
		found = record.section == DNS_ADDITIONAL && record.class == DNS_CLASS_ANY &&
			record.ttl == 0;
		if (!found || !read_data(&message, &record, tsig))
			return err_set(err, ERR_PROTOCOL, "its signature is malformed");
		if (strcmp(record.name, key->name) != 0)
			return err_set(err, ERR_DENIED, "it is signed with another key");
		tsig->start = record.start;
	}
	if (more < 0)
		return err_set(err, ERR_PROTOCOL, "it is malformed");
	if (!found)
		return err_set(err, ERR_DENIED,
			       "it is not signed (%s): does the server know the key \"%s\"?",
			       dns_rcode_text(message.rcode), key->name);
	return 0;
}

/* The server says why it did not take our signature; such an answer is not signed itself. */
static int server_refuses(const struct tsig_record *tsig, const struct tsig_key *key,
			  struct err *err)
{
	switch (tsig->vars.error) {
	case 16:
		return err_set(err, ERR_DENIED,
			       "the secret of the key \"%s\" is not the server's (BADSIG)",
			       key->name);
	case 17:
		return err_set(err, ERR_DENIED,
			       "the server does not know the key \"%s\" with %s (BADKEY)",
			       key->name, key->algorithm->name);
	case 18:
		return err_set(err, ERR_DENIED,
			       "the clocks of this host and of the server are more than %d s apart "
			       "(BADTIME)",
			       TSIG_FUDGE);
	default:
		return err_set(err, ERR_DENIED, "the server refuses the signature (error %u)",
			       tsig->vars.error);
	}
}

/* The request's MAC, the message as it was before its own signature, the variables. */
static int compute(struct str_view answer, const struct tsig_key *key, const struct tsig_mac *mac,
		   const struct tsig_record *tsig, struct tsig_mac *computed)
{
	struct buf input;
	struct err err;
	char *head;
	int rc;

	buf_init(&input, SIGNED_MAX);
	add16(&input, (unsigned)mac->len);
	buf_add(&input, sv_new((const char *)mac->bytes, mac->len));
	buf_add(&input, sv_head(answer, tsig->start));
	if (input.spent || !add_variables(&input, key, &tsig->vars)) {
		buf_deinit(&input);
		return -1;
	}
	head = input.data + input.start + 2 + mac->len;
	head[0] = (char)(tsig->original_id >> 8);
	head[1] = (char)(tsig->original_id & 0xff);
	head[11]--; /* one record less in the last section: it was there, so the count is not 0 */
	if ((unsigned char)head[11] == 0xff)
		head[10]--;
	rc = hmac(key, buf_view(&input), computed, &err);
	buf_deinit(&input);
	return rc;
}

int tsig_verify(struct str_view answer, const struct tsig_key *key, const struct tsig_mac *mac,
		int64_t now, struct err *err)
{
	struct tsig_record tsig = {.start = 0};
	struct tsig_mac computed;
	int64_t skew;

	if (find_record(answer, key, &tsig, err) < 0)
		return -1;
	if (strcmp(tsig.algorithm, key->algorithm->name) != 0)
		return err_set(err, ERR_DENIED, "it is signed by %s", tsig.algorithm);
	if (tsig.vars.error != 0 && tsig.mac.len == 0)
		return server_refuses(&tsig, key, err);
	/* A MAC that was cut short is not taken (RFC 8945, section 5.2.2.1). */
	if (compute(answer, key, mac, &tsig, &computed) < 0 || tsig.mac.len != computed.len ||
	    CRYPTO_memcmp(tsig.mac.data, computed.bytes, computed.len) != 0)
		return err_set(err, ERR_DENIED, "its signature is wrong");
	if (tsig.vars.error != 0)
		return server_refuses(&tsig, key, err);
	skew = now - (int64_t)tsig.vars.time;
	if (skew > tsig.vars.fudge || skew < -(int64_t)tsig.vars.fudge)
		return err_set(err, ERR_DENIED, "it was signed %lld s away from this host's clock",
			       (long long)(skew < 0 ? -skew : skew));
	return 0;
}
