/* SPDX-License-Identifier: MIT */
/* Spin locks at run time: threads, a nested firing, and a holder that fork left behind. */
#include "vm/testing.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/helpers.h"

#define ROUNDS	20000
#define THREADS 4

static uint32_t lock_word;

static void lock(struct tn_exec *ex)
{
	tn_helper_by_id(TN_HELPER_spin_lock)->fn((uintptr_t)&lock_word, 0, 0, 0, 0, ex);
}

static void unlock(struct tn_exec *ex)
{
	tn_helper_by_id(TN_HELPER_spin_unlock)->fn((uintptr_t)&lock_word, 0, 0, 0, 0, ex);
}

static uint64_t guarded;

static void *count(void *arg)
{
	struct tn_exec ex = { .slot = (uint32_t)(uintptr_t)arg };

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t seen;

		lock(&ex);
		seen = __atomic_load_n(&guarded, __ATOMIC_RELAXED);
		__atomic_store_n(&guarded, seen + 1, __ATOMIC_RELAXED);
		unlock(&ex);
	}
	return ex.abort ? arg : NULL;
}

static void lock_keeps_threads_apart(void **state)
{
	pthread_t threads[THREADS];
	void *failed;

	(void)state;
	lock_word = 0;
	guarded = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(guarded, (uint64_t)THREADS * ROUNDS);
	assert_int_equal(lock_word, 0);
}

static void lock_of_the_same_slot_ends_the_inner_program(void **state)
{
	struct tn_exec outer = { .slot = 3 }, inner = { .slot = 3 };

	(void)state;
	lock_word = 0;
	lock(&outer);
	assert_int_equal(outer.abort, 0);
	lock(&inner);
	assert_int_equal(inner.abort, TN_ABORT_HOST);
	unlock(&outer);
	assert_int_equal(lock_word, 0);
}

static void lock_held_by_a_lost_thread_is_taken_over(void **state)
{
	struct tn_exec gone = { .slot = 1 }, ex = { .slot = 2 };
	int status;
	pid_t pid;

	(void)state;
	lock_word = 0;
	lock(&gone);
	pid = fork();
	if (!pid) {
		lock(&ex);
		if (ex.abort)
			_exit(1);
		unlock(&ex);
		_exit(lock_word ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	unlock(&gone);
	assert_int_equal(lock_word, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_keeps_threads_apart),
		cmocka_unit_test(lock_of_the_same_slot_ends_the_inner_program),
		cmocka_unit_test(lock_held_by_a_lost_thread_is_taken_over),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
