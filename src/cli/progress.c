/* cli/progress.c - which step of its order a certificate is in */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/own.h"
#include "cli/story.h"

#include <stdlib.h>

#define NOTE_TEXT_MAX 4096
#define STEPS_WIDTH   59 /* of all steps, with what stands around them */

enum part { PART_REQUESTS, PART_ORDERS, PART_CHALLENGES, PART_EVENTS, PART_COUNT };

static const char *const part_kinds[PART_COUNT] = {
	[PART_REQUESTS] = "certificaterequests.cert-manager.io",
	[PART_ORDERS] = "orders.acme.cert-manager.io",
	[PART_CHALLENGES] = "challenges.acme.cert-manager.io",
	[PART_EVENTS] = "events",
};

struct stream {
	struct progress *progress;
	const struct kind_info *kind;
	json_t *objects; /* owned: name -> object */
};

struct progress {
	struct cli *cli;
	const struct ref *ref;
	struct stream streams[PART_COUNT];
	json_t *certificate;
	int64_t since; /* wall clock: older events are of another time */
	json_t *told;  /* owned: uids of events with their counts */
	char *line;    /* what stands there */
};

struct progress *progress_new(struct cli *cli, const struct ref *ref)
{
	struct progress *progress;

	if (!sv_eq(ref->kind->group, SV("cert-manager.io")) ||
	    strcmp(ref->kind->kind, "Certificate") != 0 || cli_learn(cli) < 0)
		return NULL;
	progress = xcalloc(1, sizeof(*progress));
	progress->cli = cli;
	progress->ref = ref;
	progress->since = clock_wall();
	progress->told = json_object();
	for (size_t i = 0; i < PART_COUNT; i++)
		progress->streams[i] = (struct stream){
			.progress = progress,
			.kind = kinds_by_word(&cli->kinds, sv_from(part_kinds[i])),
			.objects = json_object(),
		};
	return progress;
}

static void erase(struct progress *progress)
{
	if (progress->line != NULL)
		out_clear_line(&progress->cli->err);
}

void progress_free(struct progress *progress)
{
	if (progress == NULL)
		return;
	erase(progress);
	(void)fflush(progress->cli->err.file);
	for (size_t i = 0; i < PART_COUNT; i++)
		json_decref(progress->streams[i].objects);
	json_decref(progress->certificate);
	json_decref(progress->told);
	free(progress->line);
	free(progress);
}

/* ---- the line ---- */

static void show_steps(struct out *out, enum step now)
{
	for (int step = STEP_ACCOUNT; step < STEP_DONE; step++) {
		enum style style = step < (int)now    ? STYLE_GOOD
				   : step == (int)now ? STYLE_BOLD
						      : STYLE_DIM;

		if (step > STEP_ACCOUNT)
			out_styled(out, STYLE_DIM, SV(" > "));
		if (step == (int)now && !out->colour)
			out_fmt(out, "[%s]", step_word((enum step)step));
		else
			out_styled(out, style, sv_from(step_word((enum step)step)));
	}
}

/* Everything in one line of the terminal: a line that wraps cannot be replaced. */
static void show_moving(struct progress *progress, enum step step, struct str_view note)
{
	struct out *out = &progress->cli->err;
	size_t room = (size_t)out->width - STEPS_WIDTH - 1;
	struct str_view name = sv_from(progress->ref->name);
	struct buf clean;

	erase(progress);
	buf_init(&clean, NOTE_TEXT_MAX);
	text_escape(&clean, note, ESCAPE_ALL);
	name = text_head(name, room / 2);
	out_fmt(out, "%.*s: ", SV_ARG(name));
	if (step == STEP_FAILED)
		out_styled(out, STYLE_BAD, sv_from(step_word(step)));
	else
		show_steps(out, step);
	if (buf_len(&clean) > 0)
		out_fmt(out, " %.*s", SV_ARG(text_head(buf_view(&clean), room - text_width(name))));
	buf_deinit(&clean);
	(void)fflush(out->file);
}

static void show_plain(struct progress *progress, const char *line)
{
	out_fmt(&progress->cli->err, "certificate/%s: %s\n", progress->ref->name, line);
}

static void show(struct progress *progress, enum step step, struct str_view note)
{
	AUTO(auto_free)
	char *line = xasprintf("%s%s%.*s", step_word(step), note.len > 0 ? " " : "", SV_ARG(note));

	if (progress->line != NULL && strcmp(progress->line, line) == 0)
		return;
	if (progress->cli->err.moves)
		show_moving(progress, step, note);
	else if (step != STEP_DONE)
		show_plain(progress, line);
	free(progress->line);
	progress->line = TAKE(line);
}

static json_t *values_of(const struct stream *stream)
{
	json_t *list = json_array(), *object;
	const char *name;

	json_object_foreach(stream->objects, name, object) json_array_append(list, object);
	return list;
}

static void update(struct progress *progress)
{
	AUTO(auto_json) json_t *requests = values_of(&progress->streams[PART_REQUESTS]);
	AUTO(auto_json) json_t *orders = values_of(&progress->streams[PART_ORDERS]);
	AUTO(auto_json) json_t *challenges = values_of(&progress->streams[PART_CHALLENGES]);
	struct story story;
	struct buf note;
	enum step step;

	if (progress->certificate == NULL)
		return;
	story_init(&story, progress->certificate, requests, orders);
	story_add_challenges(&story, challenges);
	step = story_step(&story);
	buf_init(&note, NOTE_TEXT_MAX);
	story_note(&story, step, &note);
	show(progress, step, buf_view(&note));
	buf_deinit(&note);
	story_deinit(&story);
}

void progress_see(struct progress *progress, const json_t *certificate)
{
	if (progress == NULL)
		return;
	json_decref(progress->certificate);
	progress->certificate = json_incref((json_t *)(uintptr_t)certificate);
	update(progress);
}

/* ---- what belongs to it ---- */

static bool on_object(void *arg, struct str_view type, const json_t *object)
{
	struct stream *stream = arg;
	const char *name = json_str_at(object, "metadata.name");

	if (name == NULL || sv_eq(type, SV("BOOKMARK")) || sv_eq(type, SV("ERROR")))
		return true;
	if (sv_eq(type, SV("DELETED")))
		json_object_del(stream->objects, name);
	else
		json_object_set(stream->objects, name, (json_t *)(uintptr_t)object);
	update(stream->progress);
	return true;
}

/* Of the certificate itself, or of what bears its name as first part of its own. */
static bool concerns(const struct progress *progress, const json_t *event)
{
	struct str_view name = json_sv_at(event, "involvedObject.name");
	struct str_view own = sv_from(progress->ref->name), rest = sv_skip(name, own.len);
	static const char *const kinds[] = {"Certificate", "CertificateRequest", "Order",
					    "Challenge"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (sv_eq(json_sv_at(event, "involvedObject.kind"), sv_from(kinds[i])))
			return sv_starts(name, own) && (rest.len == 0 || rest.data[0] == '-');
	}
	return false;
}

static bool is_recent(const struct progress *progress, const json_t *event)
{
	int64_t last;

	return clock_parse_rfc3339(json_sv_at(event, "lastTimestamp"), &last) &&
	       last >= progress->since;
}

/* Each event once, and again when it counted up. */
static bool is_new(struct progress *progress, const json_t *event)
{
	const char *uid = json_str_at(event, "metadata.uid");
	int64_t count = json_int_at(event, "count", 1);

	if (uid == NULL || json_int_at(json_object_get(progress->told, uid), "", 0) == count)
		return false;
	return json_object_set_new(progress->told, uid, json_integer(count)) == 0;
}

static bool on_warning(void *arg, struct str_view type, const json_t *event)
{
	struct stream *stream = arg;
	struct progress *progress = stream->progress;
	struct out *out = &progress->cli->err;

	if (sv_eq(type, SV("DELETED")) || !sv_eq(json_sv_at(event, "type"), SV("Warning")) ||
	    !concerns(progress, event) || !is_recent(progress, event) || !is_new(progress, event))
		return true;
	erase(progress);
	out_styled(out, STYLE_WARN, json_sv_at(event, "reason"));
	out_fmt(out, ": %.*s\n", SV_ARG(json_sv_at(event, "message")));
	if (out->moves) { /* the line again, below */
		free(progress->line);
		progress->line = NULL;
		update(progress);
	}
	return true;
}

void progress_watch(struct progress *progress, struct watches *watches)
{
	if (progress == NULL)
		return;
	for (size_t i = 0; i < PART_COUNT; i++) {
		struct stream *stream = &progress->streams[i];
		AUTO(auto_free) char *path = NULL;

		if (stream->kind == NULL)
			continue;
		json_object_clear(stream->objects); /* all come again */
		path = kind_path(stream->kind, progress->ref->ns, NULL, NULL);
		path_add(&path, "watch", "true");
		watches_add(watches, path, NULL, i == PART_EVENTS ? on_warning : on_object, stream);
	}
}
