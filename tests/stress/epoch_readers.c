/* SPDX-License-Identifier: MIT */
/*
 * Readers against updaters for about two seconds: things are published, replaced and poisoned once
 * the epochs say that nobody reads them. Three ways of freeing at once: synchronize, defer, and
 * reuse by stamps. Threads come and go, and forked children do the same on their own. Exit 0: no
 * reader ever saw poison.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/epoch.h"

#if TN_TSAN
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

#define GOOD   UINT64_C(0x600d600d600d600d)
#define POISON UINT64_C(0xdeaddeaddeaddead)
#define WORDS  8
#define SPARES 64
#define TENTH  UINT64_C(100000000) /* ns */

struct thing {
	struct tn_deferred deferred;
	uint64_t stamp;
	/* Plain, as a host's or a plugin's data is: a sanitizer sees who touches it when. */
	uint64_t words[WORDS];
};

/* One published pointer for each way of freeing. */
static _Atomic(struct thing *) published[3];
static _Atomic int stop, wrong;
static _Atomic uint64_t reads, frees;

static struct thing *make_thing(void)
{
	struct thing *thing = calloc(1, sizeof(*thing));

	if (!thing)
		exit(2);
	for (int i = 0; i < WORDS; i++)
		thing->words[i] = GOOD;
	return thing;
}

static void poison(struct thing *thing)
{
	for (int i = 0; i < WORDS; i++)
		thing->words[i] = POISON;
	tn_add_relaxed(&frees, 1);
}

static void read_all(struct tn_thread *self)
{
	tn_epoch_enter(self);
	for (int which = 0; which < 3; which++) {
		const struct thing *thing = tn_load_acquire(&published[which]);

		for (int i = 0; i < WORDS; i++)
			if (thing->words[i] != GOOD)
				tn_store_relaxed(&wrong, 1);
	}
	tn_epoch_leave(self);
}

static void *reader(void *arg)
{
	struct tn_thread *self = tn_thread_self();
	uint64_t nr = 0;

	while (!tn_load_relaxed(&stop)) {
		read_all(self);
		nr++;
	}
	tn_add_relaxed(&reads, nr);
	return arg;
}

/* Each reads once and ends: records are recycled under the updaters' eyes. */
static void *come_and_go(void *arg)
{
	read_all(tn_thread_self());
	return arg;
}

static void *starter(void *arg)
{
	pthread_t id;

	while (!tn_load_relaxed(&stop)) {
		if (!pthread_create(&id, NULL, come_and_go, NULL))
			pthread_join(id, NULL);
	}
	return arg;
}

static void *synchronizer(void *arg)
{
	while (!tn_load_relaxed(&stop)) {
		struct thing *old = tn_exchange_acq_rel(&published[0], make_thing());

		if (tn_epoch_synchronize()) {
			tn_store_relaxed(&wrong, 2);
			break;
		}
		poison(old);
		free(old);
	}
	return arg;
}

static void free_deferred(struct tn_deferred *d)
{
	struct thing *thing = TN_CONTAINER_OF(d, struct thing, deferred);

	poison(thing);
	free(thing);
}

static void *deferrer(void *arg)
{
	while (!tn_load_relaxed(&stop)) {
		for (int i = 0; i < 20; i++) {
			struct thing *old = tn_exchange_acq_rel(&published[1], make_thing());

			tn_epoch_defer(&old->deferred, free_deferred);
		}
		tn_epoch_reclaim();
	}
	return arg;
}

/* A ring of spares, the oldest reused once its stamp has passed, as map elements are. */
static void *recycler(void *arg)
{
	struct thing *spares[SPARES];
	unsigned next = 0;

	for (int i = 0; i < SPARES; i++) {
		spares[i] = make_thing();
		spares[i]->stamp = 0;
	}
	while (!tn_load_relaxed(&stop)) {
		struct thing *thing = spares[next];

		if (!tn_epoch_passed(thing->stamp)) {
			tn_epoch_advance();
			continue;
		}
		poison(thing);
		for (int i = 0; i < WORDS; i++)
			thing->words[i] = GOOD;
		spares[next] = tn_exchange_acq_rel(&published[2], thing);
		spares[next]->stamp = tn_epoch_stamp();
		next = (next + 1) % SPARES;
	}
	/* Readers may still be in the ones retired last. */
	if (tn_epoch_synchronize())
		tn_store_relaxed(&wrong, 2);
	for (int i = 0; i < SPARES; i++)
		free(spares[i]);
	return arg;
}

static void nap(uint64_t ns)
{
	uint64_t end = tn_clock_ns() + ns;

	while (tn_clock_ns() < end)
		sched_yield();
}

/* The vanished threads were anywhere. The things are what they published last. */
static int run_child(void)
{
	struct tn_thread *self = tn_thread_self();

	for (int i = 0; i < 20; i++) {
		struct thing *old = tn_exchange_acq_rel(&published[0], make_thing());

		read_all(self);
		if (tn_epoch_synchronize() || tn_epoch_drain())
			return 2;
		poison(old);
		free(old);
	}
	return tn_load_relaxed(&wrong);
}

static void fork_one(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_child());
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status))
		tn_store_relaxed(&wrong, 3);
}

int main(void)
{
	void *(*const threads[])(void *) = { reader,	   reader,   starter,
					     synchronizer, deferrer, recycler };
	pthread_t ids[TN_ARRAY_SIZE(threads)];
	uint64_t end;

	for (int i = 0; i < 3; i++)
		tn_store_relaxed(&published[i], make_thing());
	for (size_t i = 0; i < TN_ARRAY_SIZE(threads); i++)
		pthread_create(&ids[i], NULL, threads[i], NULL);
	for (end = tn_clock_ns() + 20 * TENTH; tn_clock_ns() < end && !tn_load_relaxed(&wrong);) {
		nap(TENTH);
		fork_one();
	}
	tn_store_relaxed(&stop, 1);
	for (size_t i = 0; i < TN_ARRAY_SIZE(threads); i++)
		pthread_join(ids[i], NULL);
	if (tn_epoch_drain())
		tn_store_relaxed(&wrong, 4);
	for (int i = 0; i < 3; i++)
		free(tn_load_relaxed(&published[i]));
	printf("%llu reads, %llu frees, result %d\n", (unsigned long long)tn_load_relaxed(&reads),
	       (unsigned long long)tn_load_relaxed(&frees), tn_load_relaxed(&wrong));
	return tn_load_relaxed(&wrong);
}
