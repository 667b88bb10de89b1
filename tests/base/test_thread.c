/* SPDX-License-Identifier: MIT */
#include "base/testing.h"
#include "base/seccomp.h"

#include "base/epoch.h"
#include "base/err.h"
#include "base/fork.h"

static struct tn_rt rt;
static uint32_t nr_taken;
static int taken_result;

static int note_taken(struct tn_rt *r, uint32_t slot)
{
	(void)r;
	(void)slot;
	nr_taken++;
	return taken_result;
}

static int make_rt(void **state)
{
	struct tn_rt_config config = { .max_slots = 4 };
	int err = tn_rt_init(&rt, &config);

	(void)state;
	nr_taken = 0;
	taken_result = 0;
	rt.slot_taken = note_taken;
	return err;
}

static int drop_rt(void **state)
{
	(void)state;
	tn_rt_fini(&rt);
	return 0;
}

static void take_slot(struct actor *a)
{
	a->result = tn_slot(a->arg, tn_thread_self());
}

/* ---- No memory for a record ---- */

static int leave_sections(void *arg)
{
	(void)arg;
	tn_writer_leave(NULL);
	tn_writer_leave(NULL);
	tn_writer_enter(NULL);
	tn_writer_leave(NULL);
	return 0;
}

static int work_without_record(void *arg)
{
	struct tn_rt unused;

	(void)arg;
	if (refuse_syscall(SYS_mmap, 0, ENOMEM))
		return 0;
	if (tn_thread_self() || tn_err(-EINVAL, "lost") != -EINVAL)
		return 1;
	if (tn_err_last()->code != -ENOMEM)
		return 2;
	tn_writer_enter(NULL);
	tn_writer_enter(NULL);
	if (in_child(leave_sections, NULL))
		return 3;
	tn_writer_leave(NULL);
	tn_writer_leave(NULL);
	if (tn_epoch_synchronize() || tn_epoch_reclaim() || !tn_epoch_stamp())
		return 4;
	return tn_rt_init(&unused, NULL) == -ENOMEM ? 0 : 5;
}

static void thread_without_record_writes_and_gets_errors(void **state)
{
	(void)state;
	assert_null(tn_thread_tls);
	assert_int_equal(in_child(work_without_record, NULL), 0);
}

static void thread_records_differ_and_are_recycled(void **state)
{
	struct actor a = { 0 }, b = { 0 };
	struct tn_thread *gone;

	(void)state;
	actor_start(&a);
	assert_ptr_not_equal(a.thread, tn_thread_self());
	gone = a.thread;
	actor_finish(&a);
	actor_start(&b);
	assert_ptr_equal(b.thread, gone);
	actor_finish(&b);
}

static void thread_records_outlast_a_chunk(void **state)
{
	enum { NR = 40 };
	static struct actor actors[NR];

	(void)state;
	for (int i = 0; i < NR; i++)
		actor_start(&actors[i]);
	for (int i = 0; i < NR; i++)
		for (int j = 0; j < i; j++)
			assert_ptr_not_equal(actors[i].thread, actors[j].thread);
	for (int i = 0; i < NR; i++)
		actor_finish(&actors[i]);
}

static void slots_are_dense_and_given_back(void **state)
{
	struct actor a = { .begin = take_slot, .arg = &rt };
	struct actor b = { .begin = take_slot, .arg = &rt };
	struct actor c = { .begin = take_slot, .arg = &rt };

	(void)state;
	assert_int_equal(tn_slot(&rt, tn_thread_self()), 0);
	actor_start(&a);
	actor_start(&b);
	assert_int_equal(a.result, 1);
	assert_int_equal(b.result, 2);
	actor_finish(&a);
	actor_start(&c);
	assert_int_equal(c.result, 1);
	actor_finish(&b);
	actor_finish(&c);
}

static void slot_stays_the_same_across_runtimes(void **state)
{
	struct actor a = { .begin = take_slot, .arg = &rt };
	struct tn_thread *self = tn_thread_self();
	struct tn_rt other;

	(void)state;
	actor_start(&a);
	assert_int_equal(tn_slot(&rt, self), 1);
	assert_int_equal(tn_rt_init(&other, NULL), 0);
	assert_int_equal(tn_slot(&other, self), 0);
	actor_finish(&a);
	assert_int_equal(tn_slot(&rt, self), 1);
	tn_rt_fini(&other);
	assert_int_equal(tn_slot(&rt, self), 1);
}

static void slot_is_shared_when_none_is_free(void **state)
{
	struct actor actors[4];

	(void)state;
	memset(actors, 0, sizeof(actors));
	for (int i = 0; i < 4; i++) {
		actors[i].begin = take_slot;
		actors[i].arg = &rt;
		actor_start(&actors[i]);
	}
	assert_int_equal(actors[2].result, 2);
	assert_int_equal(actors[3].result, 3);
	assert_int_equal(tn_slot(&rt, tn_thread_self()), 3);
	assert_true(tn_slot_is_shared(&rt, 3));
	assert_false(tn_slot_is_shared(&rt, 2));
	for (int i = 0; i < 4; i++)
		actor_finish(&actors[i]);
}

static void slot_callback_runs_once_a_slot(void **state)
{
	struct actor a = { .begin = take_slot, .arg = &rt };
	struct actor b = { .begin = take_slot, .arg = &rt };

	(void)state;
	assert_false(tn_slot_was_taken(&rt, 0));
	assert_true(tn_slot_was_taken(&rt, 3));
	actor_start(&a);
	actor_finish(&a);
	actor_start(&b);
	actor_finish(&b);
	assert_int_equal(b.result, 0);
	assert_int_equal(nr_taken, 1);
	assert_true(tn_slot_was_taken(&rt, 0));
	assert_false(tn_slot_was_taken(&rt, 1));
}

static void slot_is_not_given_where_the_callback_fails(void **state)
{
	struct actor a = { .begin = take_slot, .arg = &rt };

	(void)state;
	taken_result = -E2BIG;
	assert_int_equal(tn_slot(&rt, tn_thread_self()), 3);
	taken_result = 0;
	actor_start(&a);
	assert_int_equal(a.result, 0);
	actor_finish(&a);
}

static void lock_shared(struct actor *a)
{
	(void)a;
	tn_slot_lock_shared(&rt);
	tn_slot_lock_shared(&rt);
}

static void unlock_shared(struct actor *a)
{
	a->result = 1;
	tn_slot_unlock_shared(&rt);
	tn_slot_unlock_shared(&rt);
}

static void *lock_and_look(void *arg)
{
	struct actor *holder = arg;
	uint64_t seen;

	tn_slot_lock_shared(&rt);
	seen = holder->result;
	tn_slot_unlock_shared(&rt);
	return (void *)(uintptr_t)seen;
}

static void shared_slot_lock_is_recursive_and_excludes(void **state)
{
	struct actor a = { .begin = lock_shared, .end = unlock_shared };
	pthread_t waiter;
	void *seen;

	(void)state;
	actor_start(&a);
	pthread_create(&waiter, NULL, lock_and_look, &a);
	actor_finish(&a);
	pthread_join(waiter, &seen);
	assert_int_equal((uintptr_t)seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, while this process has no record yet. */
		cmocka_unit_test(thread_without_record_writes_and_gets_errors),
		cmocka_unit_test(thread_records_differ_and_are_recycled),
		cmocka_unit_test(thread_records_outlast_a_chunk),
		cmocka_unit_test_setup_teardown(slots_are_dense_and_given_back, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(slot_stays_the_same_across_runtimes, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(slot_is_shared_when_none_is_free, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(slot_callback_runs_once_a_slot, make_rt, drop_rt),
		cmocka_unit_test_setup_teardown(slot_is_not_given_where_the_callback_fails, make_rt,
						drop_rt),
		cmocka_unit_test_setup_teardown(shared_slot_lock_is_recursive_and_excludes, make_rt,
						drop_rt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
