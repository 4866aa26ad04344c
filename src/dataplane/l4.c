#include "dataplane/l4.h"

#include "dataplane/binding.h"
#include "dataplane/match.h"
#include "dataplane/upstream.h"

/* ---- refusals ---- */

bool l4_refuse(struct l4_flow *flow, uint16_t status, const char *failure)
{
	flow->status = status;
	flow->failure = failure;
	return false;
}

bool l4_begin(struct l4_flow *flow, struct rule *rule)
{
	struct backend *backend;

	flow->started_ms = loop_now(flow->worker->loop);
	if (rule == NULL)
		return l4_refuse(flow, 404, "no_route");
	part_pin(&rule->part);
	flow->rule = rule;
	backend = match_backend(rule, exchange_random(flow->worker));
	if (backend == NULL)
		return l4_refuse(flow, 500, "no_backend");
	part_pin(&backend->part);
	flow->backend = backend;
	if (backend->fail_status == 500)
		return l4_refuse(flow, 500, "unresolved_backend");
	if (backend->fail_status != 0 || backend->endpoint_count == 0)
		return l4_refuse(flow, 503, "no_endpoint");
	flow->status = 200;
	return true;
}

/* ---- loops ---- */

static bool is_here(const struct sock_addr *bound, const struct sock_addr *target)
{
	if (sock_addr_port(bound) != sock_addr_port(target))
		return false;
	if (sock_addr_eq(bound, target))
		return true;
	return sock_addr_any(bound) && bound->u.any.sa_family == target->u.any.sa_family &&
	       (sock_addr_loopback(target) || sock_addr_is_local(target));
}

bool l4_leads_back(const struct l4_flow *flow, const struct sock_addr *target)
{
	const struct snapshot *snapshot = flow->worker->snapshot;

	if (target->u.any.sa_family == AF_UNIX)
		return false;
	for (size_t i = 0; i < snapshot->port_count; i++) {
		const struct snap_port *port = &snapshot->ports[i];
		const struct binding *binding = port->binding;

		if (binding->datagram != flow->from->datagram)
			continue;
		if ((port->stream || port->datagram || binding == flow->from) &&
		    is_here(&binding->addr, target))
			return true;
	}
	return false;
}

/* ---- endpoints ---- */

static void drop_endpoint(struct l4_flow *flow)
{
	if (flow->endpoint != NULL)
		flow->endpoint->active--;
	flow->endpoint = NULL;
}

static enum way way_of(const struct l4_flow *flow)
{
	if (flow->from->datagram)
		return WAY_DATAGRAM;
	return flow->tls ? WAY_TLS_STREAM : WAY_H1;
}

struct endpoint *l4_next(struct l4_flow *flow)
{
	struct worker *worker = flow->worker;
	const struct plane_config *config = worker->config;
	struct pool_wish wish = {.random = exchange_random(worker),
				 .now = loop_now(worker->loop),
				 .avoid = flow->avoid,
				 .way = way_of(flow),
				 .client_cert = flow->tls ? flow->client_cert : NULL};
	struct endpoint *endpoint;

	if (flow->tries == L4_TRIES_MAX || flow->tries >= flow->backend->endpoint_count)
		return NULL;
	flow->tries++;
	endpoint = pool_choose(upstreams_pool(worker->upstreams), flow->backend, &wish);
	if (config->may_dial != NULL && !config->may_dial(config->may_dial_arg, &endpoint->addr)) {
		(void)l4_refuse(flow, 503, "upstream_forbidden");
		return NULL;
	}
	if (l4_leads_back(flow, &endpoint->addr)) {
		(void)l4_refuse(flow, 508, "upstream_loop");
		return NULL;
	}
	endpoint->active++;
	flow->endpoint = endpoint;
	metric_add(&worker->metrics.upstream_dials, 1);
	return endpoint;
}

void l4_failed(struct l4_flow *flow)
{
	if (flow->endpoint == NULL)
		return;
	pool_failed(flow->endpoint, loop_now(flow->worker->loop));
	metric_add(&flow->worker->metrics.upstream_failures, 1);
	flow->avoid = flow->endpoint->id;
	drop_endpoint(flow);
}

void l4_undialled(struct l4_flow *flow, int error)
{
	if (!sock_is_shortage(error)) {
		l4_failed(flow);
		return;
	}
	(void)l4_refuse(flow, 503, "upstream_no_socket");
	flow->tries = L4_TRIES_MAX;
	drop_endpoint(flow);
}

void l4_worked(struct l4_flow *flow)
{
	pool_worked(flow->endpoint);
}

void l4_end(struct l4_flow *flow, struct access_flow *line)
{
	drop_endpoint(flow);
	line->rule = flow->rule == NULL ? SV("") : flow->rule->name;
	line->backend = flow->backend == NULL ? SV("") : flow->backend->name;
	line->failure = flow->failure;
	line->status = flow->status;
	line->bytes = flow->bytes_out;
	line->bytes_in = flow->bytes_in;
	line->started_ms = flow->started_ms;
	access_write_flow(flow->worker->access, line);
	if (flow->backend != NULL)
		part_unpin(&flow->backend->part);
	if (flow->client_cert != NULL)
		part_unpin(&flow->client_cert->part);
	if (flow->rule != NULL)
		part_unpin(&flow->rule->part);
	flow->client_cert = NULL;
	flow->backend = NULL;
	flow->rule = NULL;
}
