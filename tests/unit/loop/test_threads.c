/* tests/unit/loop/test_threads.c - mailboxes, jobs and signals: what crosses threads */
#include "base/own.h"
#include "loop/jobs.h"
#include "loop/mailbox.h"
#include "loop/signal.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SENDERS 4
#define MAILS   2000 /* of each sender */

static int setup(void **state)
{
	*state = loop_new(NULL);
	return *state == NULL;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

/* ---- mailboxes ---- */

struct letter {
	struct mail mail;
	unsigned sender, number;
};

struct post_office {
	struct loop *loop;
	struct mailbox *box;
	unsigned next[SENDERS]; /* number of the next letter of each sender */
	unsigned received, awaited, dropped;
};

struct sender {
	struct mailbox *box;
	pthread_t thread;
	unsigned number;
};

static void receive(void *arg, struct mail *mail)
{
	struct post_office *office = arg;
	struct letter *letter = CONTAINER_OF(mail, struct letter, mail);

	assert_int_equal(letter->number, office->next[letter->sender]);
	office->next[letter->sender]++;
	free(letter);
	if (++office->received == office->awaited)
		loop_stop(office->loop);
}

static void drop(void *arg, struct mail *mail)
{
	struct post_office *office = arg;

	office->dropped++;
	free(CONTAINER_OF(mail, struct letter, mail));
}

static void post(struct mailbox *box, unsigned sender, unsigned number)
{
	struct letter *letter = xcalloc(1, sizeof(*letter));

	letter->sender = sender;
	letter->number = number;
	mailbox_post(box, &letter->mail);
}

static void *send_all(void *arg)
{
	const struct sender *sender = arg;

	for (unsigned i = 0; i < MAILS; i++)
		post(sender->box, sender->number, i);
	return NULL;
}

static void test_many_senders(void **state)
{
	struct post_office office = {.loop = *state, .awaited = SENDERS * MAILS};
	struct sender senders[SENDERS];

	office.box = mailbox_new(office.loop, receive, &office, NULL);
	assert_non_null(office.box);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.box = office.box, .number = i};
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	}
	assert_int_equal(loop_run(office.loop), 0);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	assert_int_equal(office.received, SENDERS * MAILS);
	mailbox_free(office.box, NULL); /* none is left */
}

static void test_undelivered_mail_is_dropped(void **state)
{
	struct post_office office = {.loop = *state};

	office.box = mailbox_new(office.loop, receive, &office, NULL);
	post(office.box, 0, 0);
	post(office.box, 0, 1);
	mailbox_free(office.box, drop);
	assert_int_equal(office.received, 0);
	assert_int_equal(office.dropped, 2);
	mailbox_free(NULL, NULL);
}

static void answer(void *arg, struct mail *mail)
{
	struct post_office *office = arg;
	unsigned number = office->received;

	receive(arg, mail);
	if (number == 0)
		post(office->box, 0, 1); /* to itself: delivered in a later turn */
}

static void test_post_while_receiving(void **state)
{
	struct post_office office = {.loop = *state, .awaited = 2};

	office.box = mailbox_new(office.loop, answer, &office, NULL);
	post(office.box, 0, 0);
	assert_int_equal(loop_run(office.loop), 0);
	assert_int_equal(office.received, 2);
	mailbox_free(office.box, NULL);
}

/* ---- jobs ---- */

struct sum {
	struct job job;
	struct loop *loop;
	pthread_t worked_on, done_on;
	pthread_mutex_t *gate; /* held by the test: the job waits for it */
	unsigned in, out;
	unsigned *done_count, awaited;
};

static void sum_work(struct job *self)
{
	struct sum *sum = CONTAINER_OF(self, struct sum, job);

	if (sum->gate != NULL) {
		pthread_mutex_lock(sum->gate);
		pthread_mutex_unlock(sum->gate);
	}
	sum->worked_on = pthread_self();
	for (unsigned i = 1; i <= sum->in; i++)
		sum->out += i;
}

static void sum_done(struct job *self)
{
	struct sum *sum = CONTAINER_OF(self, struct sum, job);

	sum->done_on = pthread_self();
	if (++*sum->done_count == sum->awaited)
		loop_stop(sum->loop);
}

static void sum_init(struct sum *sum, struct loop *loop, unsigned *done_count)
{
	memset(sum, 0, sizeof(*sum));
	sum->job.work = sum_work;
	sum->job.done = sum_done;
	sum->loop = loop;
	sum->in = 100;
	sum->done_count = done_count;
}

static void test_jobs(void **state)
{
	struct jobs *jobs = jobs_new(*state, NULL);
	struct sum sums[50];
	unsigned done = 0;

	assert_non_null(jobs);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		sum_init(&sums[i], *state, &done);
		sums[i].awaited = ARRAY_LEN(sums);
		jobs_submit(jobs, &sums[i].job);
	}
	assert_int_equal(loop_run(*state), 0);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		assert_int_equal(sums[i].out, 5050);
		assert_true(pthread_equal(sums[i].done_on, pthread_self()));
		assert_false(pthread_equal(sums[i].worked_on, pthread_self()));
	}
	jobs_free(jobs);
	jobs_free(NULL);
}

static void test_free_hands_all_back(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct jobs *jobs = jobs_new(*state, NULL);
	struct sum sums[20];
	unsigned done = 0, run = 0;

	assert_non_null(jobs);
	pthread_mutex_lock(&gate);
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		sum_init(&sums[i], *state, &done);
		sums[i].gate = &gate;
		jobs_submit(jobs, &sums[i].job);
	}
	pthread_mutex_unlock(&gate);
	jobs_free(jobs);
	assert_int_equal(done, ARRAY_LEN(sums));
	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		assert_true(sums[i].out == 5050 || sums[i].out == 0);
		run += sums[i].out == 5050;
		assert_int_equal(run < i + 1, sums[i].out == 0); /* in order, none after a gap */
	}
	pthread_mutex_destroy(&gate);
}

/* ---- signals ---- */

struct catcher {
	struct loop *loop;
	struct signals *signals;
	int seen[2];
	size_t count;
	bool free_at_once;
};

static void caught(void *arg, int number)
{
	struct catcher *catcher = arg;

	catcher->seen[catcher->count++] = number;
	if (catcher->free_at_once)
		signals_free(TAKE(catcher->signals));
	if (catcher->free_at_once || catcher->count == 2)
		loop_stop(catcher->loop);
}

static void test_signals(void **state)
{
	static const int numbers[] = {SIGUSR1, SIGUSR2};
	struct catcher catcher = {.loop = *state};

	catcher.signals = signals_new(*state, numbers, 2, caught, &catcher, NULL);
	assert_non_null(catcher.signals);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR1);
	assert_int_equal(catcher.count, 0);
	assert_int_equal(loop_run(*state), 0);
	assert_int_equal(catcher.seen[0] + catcher.seen[1], SIGUSR1 + SIGUSR2);
	catcher.free_at_once = true;
	catcher.count = 0;
	kill(getpid(), SIGUSR1);
	assert_int_equal(loop_run(*state), 0);
	assert_int_equal(catcher.seen[0], SIGUSR1);
	assert_null(catcher.signals);
}

int main(void)
{
#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_signals), /* first: it blocks them for the threads started later */
		LOOP_TEST(test_many_senders),
		LOOP_TEST(test_undelivered_mail_is_dropped),
		LOOP_TEST(test_post_while_receiving),
		LOOP_TEST(test_jobs),
		LOOP_TEST(test_free_hands_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
