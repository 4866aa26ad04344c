/* loop/jobs.h - slow pure work on the job thread (RSA keys); results come back to the loop */
#ifndef LOOP_JOBS_H
#define LOOP_JOBS_H

#include "loop/loop.h"

struct jobs;

struct job { /* embedded in private data that nobody else touches between submit and done */
	struct list link;
	void (*work)(struct job *self); /* on the job thread: pure, no log, no store */
	void (*done)(struct job *self); /* on the loop's thread; may free the job */
};

struct jobs *jobs_new(struct loop *loop, struct err *err);
/* Waits for the job that runs; done is called for every job submitted, run or not (and may not
 * submit it anew). */
void jobs_free(struct jobs *jobs);
void jobs_submit(struct jobs *jobs, struct job *job);

#endif
