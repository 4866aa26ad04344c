/* api/write.c - the way of every write */
#include "api/write.h"

#include "resource/apply.h"

#include <string.h>

static void write_unbind(struct write *write)
{
	if (write->request == NULL)
		return;
	write->request->work = NULL;
	write->request->abandon = NULL;
	write->request->hurry = NULL;
	write->request->subject = NULL;
	write->request = NULL;
}

static void stop_settling(struct write *write)
{
	const struct api_config *config = &write->api->config;

	if (write->settling && config->settle_cancel != NULL)
		config->settle_cancel(config->arg, write);
	write->settling = false;
}

void write_end(struct write *write)
{
	stop_settling(write);
	write_unbind(write);
	if (write->outstanding == 0)
		write->release(write);
}

static void on_abandon(struct request *request)
{
	write_end(request->work);
}

static void on_hurry(struct request *request)
{
	struct write *write = request->work;

	if (!write->settling)
		return;
	stop_settling(write);
	write->settled(write);
}

void write_init(struct write *write, struct request *request)
{
	write->request = request;
	write->api = request->api;
	request->work = write;
	request->abandon = on_abandon;
	request->hurry = on_hurry;
}

bool write_is_due(struct write *write)
{
	if (--write->outstanding > 0)
		return false;
	if (write->request == NULL)
		write->release(write);
	else
		return true;
	return false;
}

static void on_settled(void *arg)
{
	struct write *write = arg;

	write->settling = false;
	write->settled(write);
}

void write_settle(struct write *write, uint64_t revision)
{
	const struct api_config *config = &write->api->config;

	if (config->settle == NULL || write->api->draining) {
		write->settled(write);
		return;
	}
	write->settling = true;
	config->settle(config->arg, revision, on_settled, write);
}

int write_dry_run(struct request *request, bool *dry_run)
{
	const char *text = target_param(&request->target, "dryRun");

	*dry_run = text != NULL && text[0] != '\0';
	if (!*dry_run || strcmp(text, "All") == 0)
		return 0;
	request_refuse(request, REASON_BAD_REQUEST, "dryRun: \"%.64s\" is not All", text);
	return -1;
}

const json_t *write_source(const struct object *object)
{
	if (object == NULL)
		return NULL;
	return json_member(json_at(object->json, "metadata.annotations"), SOURCE_ANNOTATION);
}

void write_warn_source(struct request *request, const struct object *object)
{
	const char *file = json_string_value(write_source(object));

	if (file != NULL)
		json_array_append_new(
			request->warnings,
			json_fmt("%s/%s comes from the file %s: the next reload brings the file's "
				 "text back",
				 request->route.kind->singular, object_name(object), file));
}
