/* api/api.c - the control API: start, drain, end */
#include "api/api.h"

#include "api/health.h"
#include "api/request.h"
#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRIVAL_MS  30000
#define FLUSH_TURNS 16 /* of libmicrohttpd, to send the last answers at the end */

/* Root's and the owner's socket becomes the group's too, where there is one. */
static void find_group(struct api *api, const char *name)
{
	const struct group *group;

	if (name == NULL)
		return;
	group = getgrnam(name);
	if (group == NULL) {
		log_info("api", "there is no group %s: only root and the daemon's user may use %s",
			 name, api->socket_path);
		return;
	}
	api->group_known = true;
	api->group = group->gr_gid;
}

/* A daemon that somebody starts by hand cannot give files away: then the socket is his alone. */
static void give_to_group(struct api *api)
{
	if (!api->group_known || chown(api->socket_path, (uid_t)-1, api->group) == 0)
		return;
	log_info("api",
		 "the socket %s stays without its group (%s): only root and the daemon's user may "
		 "use it",
		 api->socket_path, strerror(errno));
	chmod(api->socket_path, 0600);
	api->group_known = false;
}

static int start_control(struct api *api, struct err *err)
{
	mode_t mode = api->group_known ? 0660 : 0600;
	int fd = sock_listen_unix(sv_from(api->socket_path), mode, err);

	if (fd < 0)
		return -1;
	give_to_group(api);
	api->control = (struct server){.loop = api->config.loop,
				       .ops = &request_ops,
				       .arg = api,
				       .arrival_ms = ARRIVAL_MS};
	if (server_start(&api->control, fd, API_CONN_MAX, err) == 0)
		return 0;
	unlink(api->socket_path);
	return -1;
}

static int start_metrics(struct api *api, struct err *err)
{
	int fd;

	if (api->config.metrics == NULL)
		return 0;
	fd = sock_listen(api->config.metrics, SOCK_LISTEN_PROBE, err);
	if (fd < 0)
		return -1;
	api->metrics = (struct server){
		.loop = api->config.loop, .ops = &health_ops, .arg = api, .arrival_ms = ARRIVAL_MS};
	return server_start(&api->metrics, fd, METRICS_CONN_MAX, err);
}

struct api *api_start(const struct api_config *config, struct err *err)
{
	struct api *api = xcalloc(1, sizeof(*api));

	api->config = *config;
	api->socket_path = xstrdup(config->socket_path);
	api->config.socket_path = api->socket_path;
	list_init(&api->requests);
	find_group(api, config->socket_group);
	if (start_control(api, err) == 0 && start_metrics(api, err) == 0)
		return api;
	api_free(api);
	return NULL;
}

void api_drain(struct api *api)
{
	if (api->draining)
		return;
	api->draining = true;
	if (api->control.mhd != NULL)
		unlink(api->socket_path);
	server_quiesce(&api->control);
	requests_hurry(api);
}

/* Answers that are ready go out as far as the sockets take them without waiting. */
static void flush(struct server *server)
{
	for (int i = 0; server->mhd != NULL && i < FLUSH_TURNS; i++)
		server_run(server);
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	api_drain(api);
	requests_give_up(api);
	flush(&api->control);
	server_stop(&api->control);
	server_quiesce(&api->metrics);
	server_stop(&api->metrics);
	free(api->socket_path);
	free(api);
}
