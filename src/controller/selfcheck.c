#include "controller/selfcheck.h"

#include "acme/fetch.h"
#include "base/enc.h"
#include "base/own.h"
#include "controller/compile.h"
#include "controller/order_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define NAME_MAX_MS   2000
#define SERVE_LOOK_MS 5
#define BELIEVED_MS   60000
#define BELIEVED_MAX  1024 /* addresses */
#define WORDS_MAX     900
#define TOKEN_BYTES   24
#define ONE_OF_TEXT   48

struct selfcheck {
	struct controllers *ctl;
	enum selfcheck_mode mode;
	selfcheck_done_fn *done;
	void *arg;
	char **names;
	size_t count, at; /* at: the name that is looked at */
	struct task start;
	struct timer limit; /* of the name */
	struct timer serve; /* until the workers answer the probe */
	struct dns_query *query;
	struct fetch *fetch;
	size_t addr_count, addr_at;
	struct sock_addr addrs[DNS_ADDRS_MAX];
	char *token, *answer; /* of the probe; NULL: none is out */
	char note[WORDS_MAX]; /* the first one */
};

enum selfcheck_mode selfcheck_mode_of(const struct object *issuer)
{
	const char *text = note_of(issuer, "sallyport.dev/self-check");

	if (text != NULL && strcmp(text, "off") == 0)
		return SELFCHECK_OFF;
	return text != NULL && strcmp(text, "warn") == 0 ? SELFCHECK_WARN : SELFCHECK_ENFORCE;
}

/* ---- addresses that have answered ---- */

static struct map *passed_of(struct controllers *ctl)
{
	return &((struct orders *)ctl->state[CTL_ORDER])->passed;
}

void selfcheck_forget(struct controllers *ctl)
{
	map_deinit(passed_of(ctl), free);
	map_init(passed_of(ctl));
}

static bool is_believed(const struct selfcheck *check, const char *address)
{
	const int64_t *until = map_get(passed_of(check->ctl), sv_from(address));

	return until != NULL && *until > loop_now(check->ctl->config.loop);
}

static void believe(const struct selfcheck *check, const char *address)
{
	int64_t *until = xcalloc(1, sizeof(*until));

	if (passed_of(check->ctl)->count >= BELIEVED_MAX)
		selfcheck_forget(check->ctl);
	*until = loop_now(check->ctl->config.loop) + BELIEVED_MS;
	free(map_put(passed_of(check->ctl), sv_from(address), until));
}

/* ---- the end ---- */

static const char *name_of(const struct selfcheck *check)
{
	return check->names[check->at];
}

static void end_probe(struct selfcheck *check)
{
	if (check->fetch != NULL)
		fetch_cancel(TAKE(check->fetch));
	if (check->token != NULL)
		compile_probe_remove(check->ctl, sv_from(name_of(check)), sv_from(check->token));
	timer_stop(check->ctl->config.loop, &check->serve);
	free(TAKE(check->token));
	free(TAKE(check->answer));
}

void selfcheck_cancel(struct selfcheck *check)
{
	if (check == NULL)
		return;
	end_probe(check);
	if (check->query != NULL)
		dns_cancel(check->query);
	task_cancel(&check->start);
	timer_stop(check->ctl->config.loop, &check->limit);
	for (size_t i = 0; i < check->count; i++)
		free(check->names[i]);
	free(check->names);
	free(check);
}

static void finish(struct selfcheck *check, enum selfcheck_verdict verdict, const char *words)
{
	check->done(check->arg, verdict, words);
	selfcheck_cancel(check);
}

static void next_name(struct selfcheck *check);
static void next_address(struct selfcheck *check);

static void note(struct selfcheck *check, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void note(struct selfcheck *check, const char *fmt, ...)
{
	va_list args;

	if (check->note[0] != '\0')
		return;
	va_start(args, fmt);
	vsnprintf(check->note, sizeof(check->note), fmt, args);
	va_end(args);
}

/* What is wrong ends the check; with warn it is noted, and the next name is looked at. */
static void stop(struct selfcheck *check, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void stop(struct selfcheck *check, const char *fmt, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	if (check->mode == SELFCHECK_ENFORCE) {
		finish(check, SELFCHECK_STOP, words);
		return;
	}
	note(check, "%s", words);
	end_probe(check);
	check->at++;
	next_name(check);
}

/* " (one of its 2 addresses)", since the others may be right; "" when there is one. */
static const char *one_of(const struct selfcheck *check, char text[ONE_OF_TEXT])
{
	text[0] = '\0';
	if (check->addr_count > 1)
		snprintf(text, ONE_OF_TEXT, " (one of its %zu addresses)", check->addr_count);
	return text;
}

/* ---- one address that is not this host's: does our token come back? ---- */

static void probed(void *arg, const struct fetch_answer *answer)
{
	struct selfcheck *check = arg;
	char address[SOCK_ADDR_TEXT], count[ONE_OF_TEXT];
	struct str_view body = sv_trim(answer->body);
	bool ours, redirected;

	check->fetch = NULL;
	sock_addr_ip_text(&check->addrs[check->addr_at], address);
	while (body.len > 0 && (body.data[body.len - 1] == '\n' || body.data[body.len - 1] == '\r'))
		body.len--;
	ours = answer->failure == FETCH_FINE && answer->status == 200 &&
	       sv_eq(body, sv_from(check->answer));
	redirected = answer->final_url != NULL &&
		     !sv_ends(sv_from(answer->final_url), sv_from(check->token));
	if (answer->failure == FETCH_FINE && !ours && !redirected) {
		stop(check,
		     "%s resolves to %s%s, where something else answers on port 80 (HTTP "
		     "%ld%s%.*s): forward port 80 of that address to an HTTP listener of this "
		     "host, or correct the DNS record",
		     name_of(check), address, one_of(check, count), answer->status,
		     answer->server.len > 0 ? ", " : "", SV_ARG(sv_head(answer->server, 60)));
		return;
	}
	if (ours)
		believe(check, address);
	else if (redirected)
		note(check, "%s at %s redirects challenges elsewhere (%.200s)", name_of(check),
		     address, answer->final_url);
	else
		note(check,
		     "%s resolves to %s, which this host cannot reach on port 80 itself (%.200s): "
		     "harmless behind a router that does not lead back its own public address",
		     name_of(check), address, answer->why);
	end_probe(check);
	check->addr_at++;
	next_address(check);
}

static void send_probe(struct selfcheck *check)
{
	const struct sock_addr *addr = &check->addrs[check->addr_at];
	bool bare_v6 = strchr(name_of(check), ':') != NULL;
	AUTO(auto_free)
	char *url = xasprintf("http://%s%s%s/.well-known/acme-challenge/%s", bare_v6 ? "[" : "",
			      name_of(check), bare_v6 ? "]" : "", check->token);
	struct fetch_request request = {.method = "GET",
					.url = url,
					.follow_redirects = true,
					.skip_tls_verify = true, /* as CAs do after a redirect */
					.close_connection = true,
					.body_max = 4096,
					.timeout_ms = NAME_MAX_MS,
					.pin = addr};

	check->fetch = fetch_start(check->ctl->config.fetcher, &request, probed, check);
}

static void on_serve(struct timer *timer)
{
	struct selfcheck *check = CONTAINER_OF(timer, struct selfcheck, serve);

	if (compile_challenge_served(check->ctl, sv_from(check->token)))
		send_probe(check);
	else
		timer_in(check->ctl->config.loop, &check->serve, SERVE_LOOK_MS);
}

static char *random_text(void)
{
	unsigned char bytes[TOKEN_BYTES];
	struct buf text;

	(void)!getrandom(bytes, sizeof(bytes), 0);
	buf_init(&text, 128);
	enc_base64url(&text, sv_new((const char *)bytes, sizeof(bytes)));
	return buf_detach(&text);
}

static void begin_probe(struct selfcheck *check)
{
	check->token = random_text();
	check->answer = random_text();
	if (compile_probe_add(check->ctl, sv_from(name_of(check)), sv_from(check->token),
			      sv_from(check->answer))) {
		timer_in(check->ctl->config.loop, &check->serve, SERVE_LOOK_MS);
		return;
	}
	free(TAKE(check->token));
	free(TAKE(check->answer));
	note(check, "%s was not checked: too many checks are under way", name_of(check));
	check->addr_at++;
	next_address(check);
}

static void next_address(struct selfcheck *check)
{
	for (; check->addr_at < check->addr_count; check->addr_at++) {
		const struct sock_addr *addr = &check->addrs[check->addr_at];
		char address[SOCK_ADDR_TEXT], count[ONE_OF_TEXT];

		sock_addr_ip_text(addr, address);
		if (is_believed(check, address))
			continue;
		if (!sock_addr_is_local(addr)) {
			begin_probe(check);
			return;
		}
		if (!compile_http_bound(check->ctl, addr)) {
			stop(check,
			     "%s resolves to %s%s, an address of this host that no HTTP listener "
			     "is bound to: let a Gateway listen there with protocol HTTP, or "
			     "correct the DNS record",
			     name_of(check), address, one_of(check, count));
			return;
		}
	}
	check->at++;
	next_name(check);
}

/* ---- one name ---- */

static void resolved(void *arg, const struct dns_answer *answer)
{
	struct selfcheck *check = arg;
	const char *name = name_of(check);

	check->query = NULL;
	switch (answer->status) {
	case DNS_OK:
		check->addr_count = answer->count;
		check->addr_at = 0;
		memcpy(check->addrs, answer->addrs, answer->count * sizeof(check->addrs[0]));
		next_address(check);
		return;
	case DNS_NXDOMAIN:
		stop(check,
		     "%s does not exist in DNS: make an A or AAAA record that points to this host",
		     name);
		return;
	case DNS_NODATA:
		stop(check,
		     "%s has no address in DNS: make an A or AAAA record that points to this host",
		     name);
		return;
	case DNS_SERVFAIL:
		stop(check,
		     "the name servers of %s fail (SERVFAIL), and will fail the CA as well: look "
		     "at its zone and DNSSEC",
		     name);
		return;
	case DNS_TIMEOUT:
	case DNS_REFUSED:
	case DNS_CANCELLED:
		break;
	}
	note(check, "%s was not checked: DNS: %s", name, dns_status_text(answer->status));
	check->at++;
	next_name(check);
}

static void on_limit(struct timer *timer)
{
	struct selfcheck *check = CONTAINER_OF(timer, struct selfcheck, limit);

	if (check->query != NULL)
		dns_cancel(TAKE(check->query));
	note(check, "%s was not checked within %d s", name_of(check), NAME_MAX_MS / 1000);
	end_probe(check);
	check->at++;
	next_name(check);
}

static void next_name(struct selfcheck *check)
{
	const char *name;

	timer_stop(check->ctl->config.loop, &check->limit);
	if (check->at >= check->count) {
		finish(check, check->note[0] == '\0' ? SELFCHECK_PASS : SELFCHECK_NOTE,
		       check->note);
		return;
	}
	name = name_of(check);
	timer_in(check->ctl->config.loop, &check->limit, NAME_MAX_MS);
	check->addr_at = 0;
	check->addr_count = 1;
	if (sock_addr_ip(&check->addrs[0], sv_from(name), 80))
		next_address(check);
	else
		check->query = dns_lookup(check->ctl->config.dns, sv_from(name), 80, true, resolved,
					  check);
}

static void on_start(struct task *task)
{
	struct selfcheck *check = CONTAINER_OF(task, struct selfcheck, start);

	if (check->mode == SELFCHECK_OFF) {
		finish(check, SELFCHECK_PASS, "");
	} else if (!compile_has_http(check->ctl)) {
		/* nothing of it is about one name */
		check->at = check->count;
		if (check->mode == SELFCHECK_ENFORCE)
			finish(check, SELFCHECK_STOP,
			       "no HTTP listener is programmed, and HTTP-01 is answered by one: "
			       "add "
			       "a listener with protocol HTTP on port 80 to a Gateway (its routes "
			       "may redirect everything to HTTPS: challenges come first), or give "
			       "the issuer a tlsALPN01 or dns01 solver");
		else
			finish(check, SELFCHECK_NOTE, "no HTTP listener is programmed");
	} else {
		next_name(check);
	}
}

struct selfcheck *selfcheck_start(struct controllers *ctl, const struct selfcheck_config *config)
{
	struct selfcheck *check = xcalloc(1, sizeof(*check));

	check->ctl = ctl;
	check->mode = config->mode;
	check->done = config->done;
	check->arg = config->arg;
	check->count = config->count;
	check->names = xcalloc(config->count + 1, sizeof(char *));
	for (size_t i = 0; i < config->count; i++)
		check->names[i] = sv_dup(config->names[i]);
	task_init(&check->start, on_start);
	timer_init(&check->limit, on_limit);
	timer_init(&check->serve, on_serve);
	task_defer(ctl->config.loop, &check->start);
	return check;
}
