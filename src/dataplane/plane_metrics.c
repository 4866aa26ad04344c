/* dataplane/plane_metrics.c - the workers' counters, summed, as Prometheus reads them */
#include "base/own.h"
#include "dataplane/plane_priv.h"
#include "dataplane/worker.h"

struct row {
	const char *name, *type, *labels, *help; /* help NULL: another sample of the row before */
	size_t offset;                           /* of the counter in struct worker_metrics */
};

#define COUNTER(member) .type = "counter", .offset = offsetof(struct worker_metrics, member)
#define GAUGE(member)   .type = "gauge", .offset = offsetof(struct worker_metrics, member)

static const struct row rows[] = {
	{"sallyport_connections_accepted_total", COUNTER(accepted),
	 .help = "Client connections accepted."},
	{"sallyport_connections_active", GAUGE(active), .help = "Client connections open now."},
	{"sallyport_connections_refused_total", COUNTER(refused_connections),
	 .help = "Client connections closed at once: limits.connections or no descriptor left."},
	{"sallyport_tls_handshakes_total", COUNTER(handshakes),
	 .help = "TLS handshakes completed."},
	{"sallyport_tls_handshake_failures_total", COUNTER(handshake_failures),
	 .help = "TLS handshakes that failed."},
	{"sallyport_tls_resumed_total", COUNTER(resumed),
	 .help = "TLS handshakes that resumed a session."},
	{"sallyport_requests_total", COUNTER(requests_h1), .labels = "protocol=\"HTTP/1.1\"",
	 .help = "Requests read."},
	{"sallyport_requests_total", COUNTER(requests_h2), .labels = "protocol=\"HTTP/2\""},
	{"sallyport_responses_total", COUNTER(status_class[0]), .labels = "class=\"none\"",
	 .help = "Exchanges ended, by the class of the status sent."},
	{"sallyport_responses_total", COUNTER(status_class[1]), .labels = "class=\"1xx\""},
	{"sallyport_responses_total", COUNTER(status_class[2]), .labels = "class=\"2xx\""},
	{"sallyport_responses_total", COUNTER(status_class[3]), .labels = "class=\"3xx\""},
	{"sallyport_responses_total", COUNTER(status_class[4]), .labels = "class=\"4xx\""},
	{"sallyport_responses_total", COUNTER(status_class[5]), .labels = "class=\"5xx\""},
	{"sallyport_bad_requests_total", COUNTER(bad_requests),
	 .help = "Requests refused because they break the protocol or a limit."},
	{"sallyport_client_timeouts_total", COUNTER(timeouts),
	 .help = "Client connections ended because nothing came in time."},
	{"sallyport_proxy_headers_total", COUNTER(proxy_headers),
	 .help = "PROXY protocol headers read."},
	{"sallyport_proxy_refused_total", COUNTER(proxy_refused),
	 .help = "Client connections closed for a wrong PROXY protocol header, or for none."},
	{"sallyport_h2_resets_total", COUNTER(h2_resets), .help = "HTTP/2 streams reset."},
#define X(id, label)                                                        \
	{"sallyport_h2_attacks_total", COUNTER(h2_attacks[H2_ATTACK_##id]), \
	 .labels = "attack=\"" label "\"",                                  \
	 .help = "HTTP/2 connections ended with ENHANCE_YOUR_CALM, by what the client did."},
	H2_ATTACKS(X)
#undef X
		{"sallyport_upstream_dials_total", COUNTER(upstream_dials),
		 .help = "Connections made to backends."},
	{"sallyport_upstream_reuses_total", COUNTER(upstream_reuses),
	 .help = "Exchanges that took a pooled backend connection."},
	{"sallyport_upstream_failures_total", COUNTER(upstream_failures),
	 .help = "Exchanges with a backend that failed."},
	{"sallyport_upstream_timeouts_total", COUNTER(upstream_timeouts),
	 .help = "Exchanges with a backend that timed out."},
	{"sallyport_upstream_ejections_total", COUNTER(ejections),
	 .help = "Times that an endpoint was sent to rest, by each worker for itself."},
	{"sallyport_upstream_retries_total", COUNTER(retries),
	 .help = "Attempts repeated because a rule says so."},
	{"sallyport_mirrored_requests_total", COUNTER(mirrored),
	 .help = "Copies of requests sent to mirrors."},
	{"sallyport_mirrors_dropped_total", COUNTER(mirrors_dropped),
	 .help = "Copies that fell behind, or that nobody could take."},
	{"sallyport_streams_total", COUNTER(streams),
	 .help = "Connections of listeners of protocol TLS and TCP, once it is known where they "
		 "go."},
	{"sallyport_streams_refused_total", COUNTER(streams_refused),
	 .help = "Of them, those that no backend took."},
	{"sallyport_udp_sessions_total", COUNTER(udp_sessions),
	 .help = "Clients of UDPRoutes for which a backend was chosen."},
	{"sallyport_udp_sessions_active", GAUGE(udp_active), .help = "Of them, those of now."},
	{"sallyport_udp_datagrams_total", COUNTER(udp_in), .labels = "direction=\"in\"",
	 .help = "Datagrams from clients, and to them."},
	{"sallyport_udp_datagrams_total", COUNTER(udp_out), .labels = "direction=\"out\""},
	{"sallyport_udp_dropped_total", COUNTER(udp_dropped),
	 .help = "Datagrams either way that went nowhere."},
	{"sallyport_received_bytes_total", COUNTER(bytes_received),
	 .help = "Bytes read from clients, TLS included."},
	{"sallyport_sent_bytes_total", COUNTER(bytes_sent),
	 .help = "Bytes written to clients, TLS included."},
	{"sallyport_access_log_dropped_total", COUNTER(access_dropped),
	 .help = "Access log lines that could not be written."},
	{"sallyport_challenges_answered_total", COUNTER(challenges),
	 .help = "ACME HTTP-01 tokens served."},
};

static double sum(const struct plane *plane, size_t offset)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < plane->config.workers; i++) {
		const char *metrics = (const char *)&plane->workers[i]->metrics;

		total += metric_get((const metric_counter *)(const void *)(metrics + offset));
	}
	return (double)total;
}

void plane_metrics(struct plane *plane, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];

		if (row->help != NULL && (i == 0 || strcmp(rows[i - 1].name, row->name) != 0))
			metric_head(out, row->name, row->type, row->help);
		metric_sample(out, row->name, row->labels == NULL ? "" : row->labels,
			      sum(plane, row->offset));
	}
	metric_head(out, "sallyport_workers", "gauge", "Worker threads.");
	metric_sample(out, "sallyport_workers", "", (double)plane->config.workers);
	metric_head(out, "sallyport_snapshot_generation", "gauge",
		    "Generation of the configuration that all workers run.");
	metric_sample(out, "sallyport_snapshot_generation", "", (double)plane->acknowledged);
}
