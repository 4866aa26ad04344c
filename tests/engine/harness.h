/* tests/engine/harness.h - what the tests of the engines and of the store share */
#ifndef TESTS_ENGINE_HARNESS_H
#define TESTS_ENGINE_HARNESS_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Runs the loop until the condition holds; fails the test when it does not within some seconds. */
typedef bool condition_fn(void *arg);
void run_until(struct loop *loop, condition_fn *condition, void *arg);

struct loop *make_loop(void);

/* A fresh directory below TMPDIR (heap), and its end with all that is in it. */
char *make_dir(void);
void remove_dir(char *dir); /* frees it */
char *path_in(const char *dir, const char *name);
/* The bytes of a file (heap); *len is -1 when it is not there. */
char *read_file(const char *path, long *len);
void write_file(const char *path, const void *bytes, size_t len);

/* One suite, every engine. */
struct engine_case {
	const struct store_engine *engine;
	bool on_disk;
};
extern const struct engine_case engine_cases[];
extern const size_t engine_case_count;

/* An engine that is open, with its answers and changes written down in order of arrival. */
enum note_kind { NOTE_DONE, NOTE_EVENT };

struct note {
	enum note_kind kind;
	uint64_t revision;
	enum err_code code;
	char key[64], value[64], msg[256];
};

#define NOTES_MAX 64

struct bench {
	const struct engine_case *engine;
	struct loop *loop;
	void *self;
	char *dir;
	uint64_t revision; /* as loaded */
	size_t asked, answered;
	struct note notes[NOTES_MAX]; /* the first ones; note_count counts all */
	size_t note_count;
};

void bench_start(struct bench *bench, const struct engine_case *engine);
void bench_reopen(struct bench *bench);
void bench_end(struct bench *bench);
void bench_ask(struct bench *bench, const char *key, const char *value, uint64_t expect);
void bench_settle(struct bench *bench); /* until all that was asked is answered */
/* Asks, settles, and returns the revision; the code must be the one given. */
uint64_t bench_do(struct bench *bench, const char *key, const char *value, uint64_t expect,
		  enum err_code code);
/* The live value of a key as load tells it, "" when absent; *revision may be NULL. Opens anew: */
void bench_check_loaded(struct bench *bench, const char *key, const char *value, uint64_t revision);

#endif
