/* SPDX-License-Identifier: MIT */
#include "base/testing.h"
#include "base/seccomp.h"

#include "base/epoch.h"
#include "base/fork.h"

#define CHECK(x)                                   \
	do {                                       \
		if (!(x))                          \
			return __LINE__ % 200 + 1; \
	} while (0)

static struct tn_rt rt;

static int make_rt(void **state)
{
	struct tn_rt_config config = { .max_slots = 3 };

	(void)state;
	return tn_rt_init(&rt, &config);
}

static int drop_rt(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

static void be_inside(struct actor *a)
{
	tn_epoch_enter(a->thread);
	a->result = tn_slot(&rt, a->thread);
}

static void leave(struct actor *a)
{
	tn_epoch_leave(a->thread);
}

struct thing {
	struct tn_deferred deferred;
	int ran;
};

static void thing_runs(struct tn_deferred *d)
{
	TN_CONTAINER_OF(d, struct thing, deferred)->ran++;
}

static int child_of_a_thread_inside(void *arg)
{
	struct thing *thing = arg;
	struct actor a = { .begin = be_inside, .end = leave };

	CHECK(tn_epoch_synchronize() == 0);
	CHECK(tn_epoch_reclaim() == 1 && thing->ran == 1);
	/* The slot of the vanished thread is free again. */
	CHECK(tn_slot(&rt, tn_thread_self()) == 0);
	actor_start(&a);
	CHECK(a.result == 1);
	actor_finish(&a);
	return 0;
}

static void child_forgets_threads_that_were_inside(void **state)
{
	struct actor a = { .begin = be_inside, .end = leave };
	struct thing thing = { 0 };

	(void)state;
	assert_int_equal(tn_slot(&rt, tn_thread_self()), 0);
	actor_start(&a);
	assert_int_equal(a.result, 1);
	tn_epoch_defer(&thing.deferred, thing_runs);
	assert_int_equal(tn_epoch_reclaim(), 0);
	assert_int_equal(in_child(child_of_a_thread_inside, &thing), 0);
	assert_int_equal(thing.ran, 0);
	actor_finish(&a);
	assert_int_equal(tn_epoch_reclaim(), 1);
}

static int child_inside(void *arg)
{
	struct tn_thread *self = arg;

	CHECK(tn_thread_self() == self);
	CHECK(tn_epoch_synchronize() == -EDEADLK);
	tn_epoch_leave(self);
	CHECK(tn_epoch_synchronize() == 0);
	return 0;
}

static void child_of_a_program_is_still_inside(void **state)
{
	struct tn_thread *self = tn_thread_self();

	(void)state;
	tn_epoch_enter(self);
	assert_int_equal(in_child(child_inside, self), 0);
	tn_epoch_leave(self);
}

/* ---- Writer sections ---- */

static _Atomic int half_written;
static _Atomic int stop;

static void *write_pairs(void *arg)
{
	struct tn_thread *self = tn_thread_self();

	while (!tn_load_relaxed(&stop)) {
		tn_writer_enter(self);
		tn_writer_enter(self);
		tn_store_relaxed(&half_written, 1);
		tn_writer_leave(self);
		for (volatile int i = 0; i < 50; i++)
			;
		tn_store_relaxed(&half_written, 0);
		tn_writer_leave(self);
	}
	return arg;
}

static int is_half_written(void *arg)
{
	struct tn_thread *self = tn_thread_self();

	(void)arg;
	CHECK(!tn_load_relaxed(&half_written));
	tn_writer_enter(self);
	tn_writer_leave(self);
	return 0;
}

static void fork_waits_for_writers(void)
{
	pthread_t id;

	tn_store_relaxed(&stop, 0);
	pthread_create(&id, NULL, write_pairs, NULL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(in_child(is_half_written, NULL), 0);
	tn_store_relaxed(&stop, 1);
	pthread_join(id, NULL);
}

static void fork_finds_no_writer_half_way(void **state)
{
	(void)state;
	fork_waits_for_writers();
}

static int fork_in_fence_mode(void *arg)
{
	(void)arg;
	if (refuse_syscall(SYS_membarrier, 0, EPERM))
		return 0;
	if (tn_epoch_synchronize())
		return 1;
	fork_waits_for_writers();
	return 0;
}

static void fork_finds_no_writer_half_way_in_fence_mode(void **state)
{
	(void)state;
	assert_int_equal(in_child(fork_in_fence_mode, NULL), 0);
}

static int write_in_child(void *arg)
{
	struct tn_thread *self = arg;

	CHECK(tn_load_relaxed(&self->in_writer) == 1);
	tn_writer_leave(self);
	tn_writer_enter(self);
	tn_writer_leave(self);
	return 0;
}

static void fork_does_not_wait_for_its_own_section(void **state)
{
	struct tn_thread *self = tn_thread_self();

	(void)state;
	tn_writer_enter(self);
	assert_int_equal(in_child(write_in_child, self), 0);
	tn_writer_leave(self);
}

static int write_without_record(void *arg)
{
	(void)arg;
	tn_writer_enter(NULL);
	tn_writer_leave(NULL);
	return tn_thread_tls ? 0 : 1;
}

static void *enter_without_record(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)write_without_record(NULL);
}

static void writer_section_registers_the_thread(void **state)
{
	pthread_t id;
	void *result;

	(void)state;
	pthread_create(&id, NULL, enter_without_record, NULL);
	pthread_join(id, &result);
	assert_null(result);
}

/* ---- Handlers ---- */

static char order[16];

static void note(char c)
{
	size_t len = strlen(order);

	if (len + 1 < sizeof(order))
		order[len] = c;
}

static void prepare_a(struct tn_fork_ops *ops)
{
	(void)ops;
	note('a');
}

static void prepare_b(struct tn_fork_ops *ops)
{
	(void)ops;
	note('b');
}

static void parent_a(struct tn_fork_ops *ops)
{
	(void)ops;
	note('A');
}

static void parent_b(struct tn_fork_ops *ops)
{
	(void)ops;
	note('B');
}

static void child_a(struct tn_fork_ops *ops)
{
	(void)ops;
	note('1');
}

static int check_order(void *arg)
{
	return strcmp(order, arg) != 0;
}

static void handlers_run_in_order_and_prepare_in_reverse(void **state)
{
	struct tn_fork_ops a = { .prepare = prepare_a, .parent = parent_a, .child = child_a };
	struct tn_fork_ops b = { .prepare = prepare_b, .parent = parent_b };

	(void)state;
	tn_fork_register(&a);
	tn_fork_register(&b);
	memset(order, 0, sizeof(order));
	assert_int_equal(in_child(check_order, "ba1"), 0);
	assert_string_equal(order, "baAB");
	tn_fork_unregister(&a);
	memset(order, 0, sizeof(order));
	assert_int_equal(in_child(check_order, "b"), 0);
	assert_string_equal(order, "bB");
	tn_fork_unregister(&b);
}

static void hold_locks(struct actor *a)
{
	(void)a;
	tn_slot_lock_shared(&rt);
}

static void release_locks(struct actor *a)
{
	(void)a;
	tn_slot_unlock_shared(&rt);
}

static int take_locks(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&rt.lock);
	tn_slot_lock_shared(&rt);
	tn_slot_lock_shared(&rt);
	tn_slot_unlock_shared(&rt);
	tn_slot_unlock_shared(&rt);
	pthread_mutex_unlock(&rt.lock);
	return 0;
}

static void child_takes_locks_that_vanished_threads_held(void **state)
{
	struct actor a = { .begin = hold_locks, .end = release_locks };

	(void)state;
	actor_start(&a);
	assert_int_equal(in_child(take_locks, NULL), 0);
	actor_finish(&a);
}

static int unlock_in_child(void *arg)
{
	struct actor a = { .begin = hold_locks, .end = release_locks };

	(void)arg;
	tn_slot_lock_shared(&rt);
	tn_slot_unlock_shared(&rt);
	tn_slot_unlock_shared(&rt);
	actor_start(&a);
	actor_finish(&a);
	return 0;
}

static void child_keeps_the_shared_slot_that_its_thread_held(void **state)
{
	(void)state;
	tn_slot_lock_shared(&rt);
	assert_int_equal(in_child(unlock_in_child, NULL), 0);
	tn_slot_unlock_shared(&rt);
}

static int fork_result = -1;

static int just_return(void *arg)
{
	(void)arg;
	return tn_epoch_reclaim() != 0;
}

static void forks(struct tn_deferred *d)
{
	(void)d;
	fork_result = in_child(just_return, NULL);
}

static void deferred_function_may_fork(void **state)
{
	struct tn_deferred d;

	(void)state;
	tn_epoch_defer(&d, forks);
	assert_int_equal(tn_epoch_reclaim(), 1);
	assert_int_equal(fork_result, 0);
}

static int grandchild(void *arg)
{
	return in_child(just_return, arg);
}

static void child_may_fork(void **state)
{
	(void)state;
	assert_int_equal(in_child(grandchild, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(child_forgets_threads_that_were_inside, make_rt,
						drop_rt),
		cmocka_unit_test(child_of_a_program_is_still_inside),
		cmocka_unit_test(fork_finds_no_writer_half_way),
		cmocka_unit_test(fork_finds_no_writer_half_way_in_fence_mode),
		cmocka_unit_test(fork_does_not_wait_for_its_own_section),
		cmocka_unit_test(writer_section_registers_the_thread),
		cmocka_unit_test(handlers_run_in_order_and_prepare_in_reverse),
		cmocka_unit_test_setup_teardown(child_takes_locks_that_vanished_threads_held,
						make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(child_keeps_the_shared_slot_that_its_thread_held,
						make_rt, drop_rt),
		cmocka_unit_test(deferred_function_may_fork),
		cmocka_unit_test(child_may_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
