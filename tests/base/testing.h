/* SPDX-License-Identifier: MIT */
/* What the tests of base share: cmocka with its includes, threads that stop where told, forked
 * children whose exit code is the result. */
#ifndef TN_TESTS_BASE_TESTING_H
#define TN_TESTS_BASE_TESTING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rt.h"

#if TN_TSAN
/* Children of these tests make threads; the sanitizer would end them for it. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

/* Run fn in a forked child; its result, or 255 when it died by a signal (a
 * sanitizer turns that into another non-zero result). Nothing of cmocka may be
 * used in it. */
static inline int in_child(int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* cmocka catches it and would go on with its own tests. */
		signal(SIGSEGV, SIG_DFL);
		_exit(fn(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 255;
	return WEXITSTATUS(status);
}

/* A thread that runs `begin`, tells that it did, waits to be let go, and runs `end`. */
struct actor {
	void (*begin)(struct actor *);
	void (*end)(struct actor *);
	void *arg;
	struct tn_thread *thread; /* its record, once it began */
	uint64_t result;
	pthread_t id;
	sem_t began, go;
};

static inline void *actor_main(void *arg)
{
	struct actor *a = arg;

	a->thread = tn_thread_self();
	if (a->begin)
		a->begin(a);
	sem_post(&a->began);
	sem_wait(&a->go);
	if (a->end)
		a->end(a);
	return NULL;
}

static inline void actor_start(struct actor *a)
{
	sem_init(&a->began, 0, 0);
	sem_init(&a->go, 0, 0);
	assert_int_equal(pthread_create(&a->id, NULL, actor_main, a), 0);
	sem_wait(&a->began);
}

static inline void actor_finish(struct actor *a)
{
	sem_post(&a->go);
	pthread_join(a->id, NULL);
}

#endif
