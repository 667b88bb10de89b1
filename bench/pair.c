/* SPDX-License-Identifier: MIT */
/*
 * The second thread is started once and sleeps between the jobs; at the start of one both spin for
 * each other, so that neither begins alone.
 */
#include "pair.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "harness.h"

struct job {
	void (*run)(void *arg, uint64_t n);
	void *arg;
	uint64_t n;
	uint64_t end; /* out */
};

static struct {
	bool started;
	sem_t wanted, done;
	struct job job;
	atomic_uint here; /* threads at the start */
} second;

bool pair_possible(void)
{
	cpu_set_t set;
	static int nr;

	if (!nr) {
		/* The process pins itself to one core; what the machine has counts. */
		CPU_ZERO(&set);
		sched_getaffinity(1, sizeof(set), &set);
		nr = CPU_COUNT(&set);
	}
	return nr > 1;
}

static void meet(void)
{
	atomic_fetch_add_explicit(&second.here, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&second.here, memory_order_acquire) < 2)
		;
}

static void *worker(void *unused)
{
	cpu_set_t set;

	(void)unused;
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("bench: cannot pin the second thread");
	setpriority(PRIO_PROCESS, 0, -15);
	for (;;) {
		sem_wait(&second.wanted);
		meet();
		second.job.run(second.job.arg, second.job.n);
		second.job.end = bench_now_ns();
		sem_post(&second.done);
	}
	return NULL;
}

static void start_worker(void)
{
	pthread_t thread;

	if (second.started)
		return;
	sem_init(&second.wanted, 0, 0);
	sem_init(&second.done, 0, 0);
	if (pthread_create(&thread, NULL, worker, NULL)) {
		perror("bench: second thread");
		exit(1);
	}
	pthread_detach(thread);
	second.started = true;
}

double pair_run_two(void (*run)(void *arg, uint64_t n), void (*other)(void *arg, uint64_t n),
		    void *arg, uint64_t n)
{
	uint64_t start, end;

	start_worker();
	second.job = (struct job){ .run = other, .arg = arg, .n = n };
	atomic_store_explicit(&second.here, 0, memory_order_release);
	sem_post(&second.wanted);
	meet();
	start = bench_now_ns();
	run(arg, n);
	end = bench_now_ns();
	sem_wait(&second.done);
	if (second.job.end > end)
		end = second.job.end;
	return (double)(end - start);
}

double pair_run(void (*run)(void *arg, uint64_t n), void *arg, uint64_t n)
{
	return pair_run_two(run, run, arg, n);
}
