/* loop/jobs.c - one thread for slow pure work; results come back by a mailbox */
#include "loop/jobs.h"

#include "base/own.h"
#include "loop/mailbox.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct jobs {
	struct mailbox *finished; /* a finished job's link is its mail's */
	pthread_t thread;

	struct { /* between threads */
		pthread_mutex_t lock;
		pthread_cond_t wakeup;
		struct list queue;
		bool stopping;
	} shared;
};

static struct job *job_of(struct mail *mail)
{
	return LIST_ENTRY(&mail->link, struct job, link);
}

static void finish(void *arg, struct mail *mail)
{
	struct job *job = job_of(mail);

	(void)arg;
	job->done(job);
}

/* The next job, waiting for one; NULL: stop. */
static struct job *next_job(struct jobs *jobs)
{
	struct job *job = NULL;

	pthread_mutex_lock(&jobs->shared.lock);
	while (list_empty(&jobs->shared.queue) && !jobs->shared.stopping)
		pthread_cond_wait(&jobs->shared.wakeup, &jobs->shared.lock);
	if (!jobs->shared.stopping) {
		job = LIST_ENTRY(jobs->shared.queue.next, struct job, link);
		list_remove(&job->link);
	}
	pthread_mutex_unlock(&jobs->shared.lock);
	return job;
}

static void *run_jobs(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;

	while ((job = next_job(jobs)) != NULL) {
		job->work(job);
		mailbox_post(jobs->finished, LIST_ENTRY(&job->link, struct mail, link));
	}
	return NULL;
}

/* Signals are the control thread's: the job thread starts with all of them blocked. */
static int start_thread(struct jobs *jobs)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&jobs->thread, NULL, run_jobs, jobs);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed == 0)
		pthread_setname_np(jobs->thread, "jobs");
	return failed;
}

static void release(struct jobs *jobs)
{
	mailbox_free(jobs->finished, finish);
	while (!list_empty(&jobs->shared.queue)) { /* never run: handed back as they came */
		struct job *job = LIST_ENTRY(jobs->shared.queue.next, struct job, link);

		list_remove(&job->link);
		job->done(job);
	}
	pthread_cond_destroy(&jobs->shared.wakeup);
	pthread_mutex_destroy(&jobs->shared.lock);
	free(jobs);
}

struct jobs *jobs_new(struct loop *loop, struct err *err)
{
	struct mailbox *finished = mailbox_new(loop, finish, NULL, err);
	struct jobs *jobs;
	int failed;

	if (finished == NULL)
		return NULL;
	jobs = xcalloc(1, sizeof(*jobs));
	jobs->finished = finished;
	pthread_mutex_init(&jobs->shared.lock, NULL);
	pthread_cond_init(&jobs->shared.wakeup, NULL);
	list_init(&jobs->shared.queue);
	failed = start_thread(jobs);
	if (failed != 0) {
		err_set(err, ERR_IO, "cannot start the job thread: %s", strerror(failed));
		release(jobs);
		return NULL;
	}
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	pthread_mutex_lock(&jobs->shared.lock);
	jobs->shared.stopping = true;
	pthread_cond_signal(&jobs->shared.wakeup);
	pthread_mutex_unlock(&jobs->shared.lock);
	pthread_join(jobs->thread, NULL);
	release(jobs);
}

void jobs_submit(struct jobs *jobs, struct job *job)
{
	pthread_mutex_lock(&jobs->shared.lock);
	list_append(&jobs->shared.queue, &job->link);
	pthread_cond_signal(&jobs->shared.wakeup);
	pthread_mutex_unlock(&jobs->shared.lock);
}
