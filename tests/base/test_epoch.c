/* SPDX-License-Identifier: MIT */
#include "base/testing.h"
#include "base/seccomp.h"

#include "base/epoch.h"
#include "base/err.h"

static void enter(struct actor *a)
{
	tn_epoch_enter(a->thread);
}

static void leave(struct actor *a)
{
	tn_epoch_leave(a->thread);
}

struct thing {
	struct tn_deferred deferred;
	struct thing *queues; /* deferred in turn */
	int ran;
};

static void thing_runs(struct tn_deferred *d)
{
	struct thing *thing = TN_CONTAINER_OF(d, struct thing, deferred);

	thing->ran++;
	if (thing->queues)
		tn_epoch_defer(&thing->queues->deferred, thing_runs);
}

static void synchronize_returns_at_once_without_readers(void **state)
{
	(void)state;
	assert_int_equal(tn_epoch_synchronize(), 0);
}

static void synchronize_refuses_from_inside(void **state)
{
	struct tn_thread *self = tn_thread_self();

	(void)state;
	tn_epoch_enter(self);
	tn_epoch_enter(self);
	tn_epoch_leave(self);
	assert_int_equal(tn_epoch_synchronize(), -EDEADLK);
	assert_int_equal(tn_epoch_drain(), -EDEADLK);
	tn_epoch_leave(self);
	assert_int_equal(tn_epoch_synchronize(), 0);
}

struct waiter {
	_Atomic int done;
	int result;
};

static void *wait_for_readers(void *arg)
{
	struct waiter *w = arg;

	w->result = tn_epoch_synchronize();
	tn_store_release(&w->done, 1);
	return NULL;
}

static void synchronize_waits_for_a_reader_inside(void **state)
{
	struct actor reader = { .begin = enter, .end = leave };
	struct waiter waiter = { 0 };
	pthread_t id;

	(void)state;
	actor_start(&reader);
	pthread_create(&id, NULL, wait_for_readers, &waiter);
	while (tn_load_acquire(&tn_epoch_g.now) <= tn_load_relaxed(&reader.thread->epoch))
		sched_yield();
	assert_int_equal(tn_load_acquire(&waiter.done), 0);
	actor_finish(&reader);
	pthread_join(id, NULL);
	assert_int_equal(waiter.result, 0);
}

/* Enters only when `now` has moved, while the updater still waits for somebody else. */
static void synchronize_does_not_wait_for_later_readers(void **state)
{
	struct actor early = { .begin = enter, .end = leave };
	struct actor late = { .begin = enter, .end = leave };
	struct waiter waiter = { 0 };
	pthread_t id;

	(void)state;
	actor_start(&early);
	pthread_create(&id, NULL, wait_for_readers, &waiter);
	while (tn_load_acquire(&tn_epoch_g.now) <= tn_load_relaxed(&early.thread->epoch))
		sched_yield();
	actor_start(&late);
	actor_finish(&early);
	pthread_join(id, NULL);
	assert_int_equal(waiter.result, 0);
	actor_finish(&late);
}

static void deferred_runs_once_after_reclaim(void **state)
{
	struct thing thing = { 0 };

	(void)state;
	tn_epoch_defer(&thing.deferred, thing_runs);
	assert_int_equal(thing.ran, 0);
	assert_int_equal(tn_epoch_reclaim(), 1);
	assert_int_equal(tn_epoch_reclaim(), 0);
	assert_int_equal(thing.ran, 1);
}

static void deferred_waits_for_a_reader_inside(void **state)
{
	struct actor reader = { .begin = enter, .end = leave };
	struct thing thing = { 0 };

	(void)state;
	actor_start(&reader);
	tn_epoch_defer(&thing.deferred, thing_runs);
	for (int i = 0; i < 10; i++)
		tn_epoch_reclaim();
	assert_int_equal(thing.ran, 0);
	actor_finish(&reader);
	assert_int_equal(tn_epoch_reclaim(), 1);
	assert_int_equal(thing.ran, 1);
}

static void deferred_does_not_wait_for_later_readers(void **state)
{
	struct actor reader = { .begin = enter, .end = leave };
	struct thing thing = { 0 };

	(void)state;
	tn_epoch_defer(&thing.deferred, thing_runs);
	tn_epoch_advance();
	tn_epoch_advance();
	actor_start(&reader);
	assert_int_equal(tn_epoch_reclaim(), 1);
	actor_finish(&reader);
	assert_int_equal(thing.ran, 1);
}

static void deferred_from_inside_runs_after_leaving(void **state)
{
	struct tn_thread *self = tn_thread_self();
	struct thing thing = { 0 };

	(void)state;
	tn_epoch_enter(self);
	tn_epoch_defer(&thing.deferred, thing_runs);
	assert_int_equal(tn_epoch_reclaim(), 0);
	tn_epoch_leave(self);
	assert_int_equal(tn_epoch_reclaim(), 1);
}

static void drain_runs_what_deferred_functions_queue(void **state)
{
	struct thing c = { 0 }, b = { .queues = &c }, a = { .queues = &b };

	(void)state;
	tn_epoch_defer(&a.deferred, thing_runs);
	assert_int_equal(tn_epoch_drain(), 0);
	assert_int_equal(a.ran + b.ran + c.ran, 3);
}

static int drain_result;

static void drains(struct tn_deferred *d)
{
	(void)d;
	drain_result = tn_epoch_drain();
}

static void drain_refuses_from_a_deferred_function(void **state)
{
	struct tn_deferred d;

	(void)state;
	tn_epoch_defer(&d, drains);
	assert_int_equal(tn_epoch_reclaim(), 1);
	assert_int_equal(drain_result, -EDEADLK);
}

static void deferred_runs_in_order(void **state)
{
	struct thing things[3];

	(void)state;
	memset(things, 0, sizeof(things));
	tn_epoch_defer(&things[0].deferred, thing_runs);
	tn_epoch_defer(&things[1].deferred, thing_runs);
	assert_true(things[0].deferred.epoch <= things[1].deferred.epoch);
	assert_int_equal(tn_epoch_reclaim(), 2);
	tn_epoch_defer(&things[2].deferred, thing_runs);
	assert_int_equal(tn_epoch_reclaim(), 1);
}

static void stamp_passes_after_two_advances(void **state)
{
	uint64_t stamp = tn_epoch_stamp();

	(void)state;
	assert_false(tn_epoch_passed(stamp));
	tn_epoch_advance();
	assert_false(tn_epoch_passed(stamp));
	tn_epoch_advance();
	assert_true(tn_epoch_passed(stamp));
}

static void stamp_waits_for_a_reader_inside(void **state)
{
	struct actor reader = { .begin = enter, .end = leave };
	uint64_t stamp;

	(void)state;
	actor_start(&reader);
	stamp = tn_epoch_stamp();
	for (int i = 0; i < 5; i++)
		tn_epoch_advance();
	assert_false(tn_epoch_passed(stamp));
	actor_finish(&reader);
	tn_epoch_advance();
	assert_true(tn_epoch_passed(stamp));
}

static void thread_that_ends_inside_does_not_block(void **state)
{
	struct actor reader = { .begin = enter };

	(void)state;
	actor_start(&reader);
	actor_finish(&reader);
	assert_int_equal(tn_epoch_synchronize(), 0);
}

/* ---- Fence mode: each in a child of its own, since the mode stays ---- */

#define CHECK(x)                                   \
	do {                                       \
		if (!(x))                          \
			return __LINE__ % 200 + 1; \
	} while (0)

static int fence_mode_alone(void *arg)
{
	struct thing thing = { 0 };

	(void)arg;
	if (refuse_syscall(SYS_membarrier, 0, EPERM))
		return 0;
	CHECK(tn_epoch_synchronize() == 0);
	CHECK(TN_TSAN || tn_load_relaxed(&tn_epoch_g.fence) == 1);
	CHECK(tn_epoch_synchronize() == 0);
	tn_epoch_defer(&thing.deferred, thing_runs);
	CHECK(tn_epoch_reclaim() == 1);
	return 0;
}

static void fence_mode_serves_a_single_thread(void **state)
{
	(void)state;
	assert_int_equal(in_child(fence_mode_alone, NULL), 0);
}

static void enter_and_leave(struct actor *a)
{
	tn_epoch_enter(a->thread);
	tn_epoch_leave(a->thread);
}

static int fence_mode_from_the_start(void *arg)
{
	struct actor reader = { .begin = enter, .end = leave };
	struct thing thing = { 0 };

	(void)arg;
	if (refuse_syscall(SYS_membarrier, 0, ENOSYS))
		return 0;
	CHECK(tn_epoch_synchronize() == 0);
	actor_start(&reader);
	tn_epoch_defer(&thing.deferred, thing_runs);
	CHECK(tn_epoch_reclaim() == 0);
	actor_finish(&reader);
	CHECK(tn_epoch_reclaim() == 1);
	return 0;
}

static void fence_mode_serves_threads_that_came_after_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(fence_mode_from_the_start, NULL), 0);
}

static int fence_mode_with_an_old_thread(void *arg)
{
	struct actor old = { .end = enter_and_leave };
	struct thing thing = { 0 };
	struct actor second;

	(void)arg;
	actor_start(&old);
	second = (struct actor){ .end = enter_and_leave };
	actor_start(&second);
	/* The filter is this thread's and its descendants' alone: the others never call membarrier.
	 */
	if (refuse_syscall(SYS_membarrier, 0, EPERM))
		return 0;
	tn_epoch_defer(&thing.deferred, thing_runs);
	CHECK(TN_TSAN || tn_epoch_synchronize() == -EAGAIN);
	CHECK(TN_TSAN || strstr(tn_err_last()->msg, "membarrier is refused"));
	CHECK(TN_TSAN || tn_epoch_drain() == -EAGAIN);
	CHECK(TN_TSAN || tn_epoch_reclaim() == 0);
	CHECK(TN_TSAN || thing.ran == 0);
	actor_finish(&old);
	CHECK(TN_TSAN || tn_epoch_synchronize() == -EAGAIN);
	actor_finish(&second);
	CHECK(tn_epoch_synchronize() == 0);
	CHECK(tn_epoch_reclaim() == 1);
	return 0;
}

static void fence_mode_waits_for_threads_from_before(void **state)
{
	(void)state;
	assert_int_equal(in_child(fence_mode_with_an_old_thread, NULL), 0);
}

static sem_t entered;

static void enter_twice(struct actor *a)
{
	enter_and_leave(a);
	sem_post(&entered);
	sem_wait(&a->go);
}

static int fence_mode_once_the_old_thread_entered(void *arg)
{
	struct actor old = { .end = enter_twice };

	(void)arg;
	sem_init(&entered, 0, 0);
	actor_start(&old);
	if (refuse_syscall(SYS_membarrier, 0, EPERM))
		return 0;
	CHECK(TN_TSAN || tn_epoch_synchronize() == -EAGAIN);
	sem_post(&old.go);
	sem_wait(&entered);
	CHECK(tn_epoch_synchronize() == 0);
	actor_finish(&old);
	return 0;
}

static void fence_mode_is_complete_when_old_threads_entered(void **state)
{
	(void)state;
	assert_int_equal(in_child(fence_mode_once_the_old_thread_entered, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synchronize_returns_at_once_without_readers),
		cmocka_unit_test(synchronize_refuses_from_inside),
		cmocka_unit_test(synchronize_waits_for_a_reader_inside),
		cmocka_unit_test(synchronize_does_not_wait_for_later_readers),
		cmocka_unit_test(deferred_runs_once_after_reclaim),
		cmocka_unit_test(deferred_waits_for_a_reader_inside),
		cmocka_unit_test(deferred_does_not_wait_for_later_readers),
		cmocka_unit_test(deferred_from_inside_runs_after_leaving),
		cmocka_unit_test(drain_runs_what_deferred_functions_queue),
		cmocka_unit_test(drain_refuses_from_a_deferred_function),
		cmocka_unit_test(deferred_runs_in_order),
		cmocka_unit_test(stamp_passes_after_two_advances),
		cmocka_unit_test(stamp_waits_for_a_reader_inside),
		cmocka_unit_test(thread_that_ends_inside_does_not_block),
		cmocka_unit_test(fence_mode_serves_a_single_thread),
		cmocka_unit_test(fence_mode_serves_threads_that_came_after_it),
		cmocka_unit_test(fence_mode_waits_for_threads_from_before),
		cmocka_unit_test(fence_mode_is_complete_when_old_threads_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
