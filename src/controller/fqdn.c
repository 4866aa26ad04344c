#include "controller/fqdn.h"

#include "base/map.h"
#include "base/own.h"

#include <stdlib.h>

#define REFRESH_MIN_MS 1000    /* a time to live of 0 makes no storm */
#define REFRESH_MAX_MS 3600000 /* nor is an answer believed for days */

struct entry {
	struct fqdn fqdn;
	struct fqdns *fqdns;
	unsigned users;
	struct dns_query *query; /* under way */
	struct timer refresh;
};

struct fqdns {
	struct loop *loop;
	struct dns *dns;
	void (*changed)(void *arg);
	void *arg;
	struct map entries; /* name -> struct entry */
};

static struct entry *entry_of(const struct fqdn *fqdn)
{
	return CONTAINER_OF((struct fqdn *)(uintptr_t)fqdn, struct entry, fqdn);
}

/* In an order of our own: servers turn theirs round, and that is no change. */
static int addr_cmp(const void *left, const void *right)
{
	const struct sock_addr *a = left, *b = right;

	if (a->u.any.sa_family != b->u.any.sa_family)
		return a->u.any.sa_family < b->u.any.sa_family ? -1 : 1;
	if (a->u.any.sa_family == AF_INET)
		return memcmp(&a->u.v4.sin_addr, &b->u.v4.sin_addr, sizeof(a->u.v4.sin_addr));
	return memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, sizeof(a->u.v6.sin6_addr));
}

static bool same_addrs(const struct fqdn *fqdn, const struct dns_answer *answer)
{
	if (fqdn->count != answer->count)
		return false;
	for (size_t i = 0; i < answer->count; i++) {
		if (!sock_addr_eq(&fqdn->addrs[i], &answer->addrs[i]))
			return false;
	}
	return true;
}

/* A server that is silent says nothing about the name. */
static bool is_about_name(enum dns_status status)
{
	return status == DNS_OK || status == DNS_NXDOMAIN || status == DNS_NODATA;
}

static bool take_answer(struct fqdn *fqdn, const struct dns_answer *answer)
{
	bool news = !fqdn->answered || fqdn->status != answer->status;

	fqdn->answered = true;
	fqdn->status = answer->status;
	if (!is_about_name(answer->status) || same_addrs(fqdn, answer))
		return news;
	fqdn->count = answer->count;
	memcpy(fqdn->addrs, answer->addrs, answer->count * sizeof(answer->addrs[0]));
	return true;
}

static void answered(void *arg, const struct dns_answer *answer)
{
	struct entry *entry = arg;
	struct fqdns *fqdns = entry->fqdns;
	int64_t ttl = answer->ttl_ms;

	struct dns_answer sorted = *answer;

	qsort(sorted.addrs, sorted.count, sizeof(sorted.addrs[0]), addr_cmp);
	entry->query = NULL;
	if (answer->status == DNS_CANCELLED)
		return;
	ttl = ttl < REFRESH_MIN_MS ? REFRESH_MIN_MS : ttl > REFRESH_MAX_MS ? REFRESH_MAX_MS : ttl;
	timer_in(fqdns->loop, &entry->refresh, ttl);
	if (take_answer(&entry->fqdn, &sorted))
		fqdns->changed(fqdns->arg);
}

static void entry_ask(struct entry *entry)
{
	entry->query =
		dns_lookup(entry->fqdns->dns, sv_from(entry->fqdn.name), 0, false, answered, entry);
}

static void refresh(struct timer *timer)
{
	struct entry *entry = CONTAINER_OF(timer, struct entry, refresh);

	if (entry->query == NULL)
		entry_ask(entry);
}

static void entry_free(struct entry *entry)
{
	if (entry->query != NULL)
		dns_cancel(entry->query);
	timer_stop(entry->fqdns->loop, &entry->refresh);
	free(entry->fqdn.name);
	free(entry);
}

struct fqdns *fqdns_new(struct loop *loop, struct dns *dns, void (*changed)(void *arg), void *arg)
{
	struct fqdns *fqdns = xcalloc(1, sizeof(*fqdns));

	fqdns->loop = loop;
	fqdns->dns = dns;
	fqdns->changed = changed;
	fqdns->arg = arg;
	return fqdns;
}

void fqdns_free(struct fqdns *fqdns)
{
	void *value;

	if (fqdns == NULL)
		return;
	for (size_t it = 0; map_next(&fqdns->entries, &it, NULL, &value);)
		entry_free(value);
	map_deinit(&fqdns->entries, NULL);
	free(fqdns);
}

const struct fqdn *fqdn_get(struct fqdns *fqdns, struct str_view name)
{
	struct entry *entry;

	if (sv_ends(name, SV("."))) /* the same name */
		name = sv_head(name, name.len - 1);
	entry = map_get(&fqdns->entries, name);
	if (entry == NULL) {
		entry = xcalloc(1, sizeof(*entry));
		entry->fqdns = fqdns;
		entry->fqdn.name = sv_dup(name);
		timer_init(&entry->refresh, refresh);
		(void)map_put(&fqdns->entries, name, entry);
		entry_ask(entry);
	}
	entry->users++;
	return &entry->fqdn;
}

void fqdn_unref(struct fqdns *fqdns, const struct fqdn *fqdn)
{
	struct entry *entry = entry_of(fqdn);

	if (--entry->users > 0)
		return;
	(void)map_remove(&fqdns->entries, sv_from(fqdn->name));
	entry_free(entry);
}
