/* SPDX-License-Identifier: MIT */
/* Timers and workqueues of plugins: driven by the host with a clock of the test's, by a thread of
 * the library, over fork. */
#include "host.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maps/timer.h"
#include "request.h"
#include "timers.h"

static struct tenon_runtime *rt;
static struct tenon_object *obj;
static struct tenon_hook hook;

static const struct tenon_field fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(request, fields);

static uint64_t clocks[3];

static uint64_t fake_now(uint32_t clock)
{
	return clocks[clock];
}

static struct tn_rt *base(void)
{
	return (struct tn_rt *)(void *)rt;
}

static void set_up_with(const char *path, enum tenon_engine engine, bool driven, int expected)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_limits limits = { .sz = sizeof(limits), .fuel = 100000 };
	struct tenon_runtime_opts rt_opts = { .sz = sizeof(rt_opts), .limits = &limits };
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = "timers", .ctx = &type, .chain = TENON_CHAIN_LAST
	};

	rt = new_runtime(&rt_opts);
	memset(&hook, 0, sizeof(hook));
	assert_ok(tenon_hook_register(rt, &hook, &desc));
	obj = tenon_object_open_file(rt, path, &opts);
	if (!obj)
		fail_msg("%s", tenon_last_error()->msg);
	if (expected) {
		assert_int_equal(tenon_object_load(obj), expected);
		return;
	}
	if (tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
	for (int i = 0; i < 3; i++)
		clocks[i] = 1000;
	tn_timers_set_clock(base(), fake_now);
	if (driven)
		assert_true(tenon_runtime_timers_fd(rt) >= 0);
}

static void set_up(enum tenon_engine engine, bool driven)
{
	set_up_with(TN_TEST_PLUGINS "timers.bpf.o", engine, driven, 0);
}

static void tear_down(void)
{
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static int ask(unsigned int kind, unsigned int key)
{
	struct request req = { .kind = kind, .verdict = key };

	return (int)tenon_hook_fire(&hook, &req);
}

/* An element of that mode with a timer that has its callback. The mode is a part of its key. */
static unsigned int make(unsigned int mode)
{
	unsigned int key = 7 | mode << 8;

	assert_int_equal(ask(MAKE, key), 0);
	assert_int_equal(ask(INIT, key), 0);
	assert_int_equal(ask(CALLBACK, key), 0);
	return key;
}

static int run_at(uint64_t now)
{
	for (int i = 0; i < 3; i++)
		clocks[i] = now;
	return tenon_runtime_timers_run(rt);
}

static void check_count(uint32_t nr, uint32_t armed)
{
	uint32_t there, waiting;

	tn_timers_count(base(), &there, &waiting);
	assert_int_equal(there, nr);
	assert_int_equal(waiting, armed);
}

static void each_engine(void (*test)(void))
{
	for (int i = 0; i < 2; i++) {
		set_up(i ? TENON_ENGINE_INTERP : TENON_ENGINE_AUTO, true);
		test();
		tear_down();
	}
}

static void run_when_due(void)
{
	unsigned int key = make(ONCE);

	assert_int_equal(ask(START, key), 0);
	assert_int_equal(run_at(1099), 0);
	assert_int_equal(run_at(1100), 1);
	assert_int_equal(run_at(9999), 0);
	assert_int_equal(ask(COUNT, key), 1);
	assert_int_equal(ask(START_ABS, key), 0);
	assert_int_equal(run_at(1499), 0);
	assert_int_equal(run_at(1500), 1);
	assert_int_equal(ask(COUNT, key), 2);
	/* A second start moves it. */
	assert_int_equal(ask(START, key), 0);
	clocks[0] = 1550;
	assert_int_equal(ask(START, key), 0);
	assert_int_equal(run_at(1600), 0);
	assert_int_equal(run_at(1650), 1);
}

static void timer_runs_once_when_it_is_due(void **state)
{
	(void)state;
	each_engine(run_when_due);
}

static void give_the_kernels_numbers(void)
{
	unsigned int key = 7;

	assert_int_equal(ask(MAKE, key), 0);
	assert_int_equal(ask(START, key), -EINVAL);
	assert_int_equal(ask(CANCEL, key), -EINVAL);
	assert_int_equal(ask(CALLBACK, key), -EINVAL);
	assert_int_equal(ask(CLOCK, key), -EINVAL);
	assert_int_equal(ask(INIT, key), 0);
	assert_int_equal(ask(INIT, key), -EBUSY);
	assert_int_equal(ask(REAL, key), -EBUSY);
	assert_int_equal(ask(START, key), -EINVAL);
	assert_int_equal(ask(CALLBACK, key), 0);
	assert_int_equal(ask(FLAGS, key), -EINVAL);
	assert_int_equal(ask(CANCEL, key), 0);
	/* Cancelling forgets the callback. */
	assert_int_equal(ask(START, key), -EINVAL);
	assert_int_equal(ask(CALLBACK, key), 0);
	assert_int_equal(ask(START, key), 0);
	assert_int_equal(ask(CANCEL, key), 1);
	assert_int_equal(run_at(99999), 0);
}

static void helpers_give_the_kernels_numbers(void **state)
{
	(void)state;
	each_engine(give_the_kernels_numbers);
}

static void go_with_the_element(void)
{
	unsigned int key = make(ONCE);

	assert_int_equal(ask(START, key), 0);
	check_count(1, 1);
	assert_int_equal(ask(DELETE, key), 0);
	check_count(0, 0);
	key = make(ONCE);
	assert_int_equal(ask(START, key), 0);
	assert_int_equal(ask(UPDATE, key), 0);
	check_count(0, 0);
	assert_int_equal(ask(INIT, key), 0);
	assert_int_equal(run_at(99999), 0);
	assert_int_equal(ask(SLOT, 0), 0);
	check_count(2, 1);
	assert_int_equal(run_at(199999), 1);
	assert_int_equal(ask(SLOT_COUNT, 0), 1);
	assert_int_equal(ask(SLOT_UPDATE, 0), 0);
	check_count(1, 0);
}

static void timer_goes_with_its_element(void **state)
{
	(void)state;
	each_engine(go_with_the_element);
}

static void act_on_itself(void)
{
	unsigned int again = make(AGAIN), deleting = make(DELETE_SELF);
	unsigned int cancelling = make(CANCEL_SELF);

	assert_int_equal(ask(START, again), 0);
	assert_int_equal(run_at(1100), 1);
	assert_int_equal(run_at(1200), 1);
	assert_int_equal(ask(COUNT, again), 2);
	assert_int_equal(ask(CANCEL, again), 1);
	assert_int_equal(ask(START, deleting), 0);
	assert_int_equal(ask(START, cancelling), 0);
	assert_int_equal(run_at(1300), 2);
	assert_int_equal(ask(COUNT, deleting), -1000);
	/* -EDEADLK, and it may be started again. */
	assert_int_equal(ask(START, cancelling), 0);
	check_count(2, 1);
}

static void callback_acts_on_its_own_timer(void **state)
{
	(void)state;
	each_engine(act_on_itself);
}

static void queue_work(void)
{
	unsigned int key = 9;

	assert_int_equal(ask(MAKE, key), 0);
	assert_int_equal(ask(WORK_START, key), -EINVAL);
	assert_int_equal(ask(WORK_INIT, key), 0);
	assert_int_equal(ask(WORK_INIT, key), -EBUSY);
	assert_int_equal(ask(WORK_START, key), -EINVAL);
	assert_int_equal(ask(WORK_CALLBACK, key), 0);
	assert_int_equal(ask(WORK_START, key), 0);
	assert_int_equal(ask(WORK_START, key), 0);
	assert_int_equal(tenon_runtime_timers_run(rt), 1);
	assert_int_equal(tenon_runtime_timers_run(rt), 0);
	assert_int_equal(ask(COUNT, key), 10);
}

static void work_runs_once_for_each_start_that_found_it_idle(void **state)
{
	(void)state;
	each_engine(queue_work);
}

static int no_sample(void *user, void *data, size_t size)
{
	(void)user;
	(void)data;
	(void)size;
	return 0;
}

static void end_early(void)
{
	struct tenon_ring_buffer *rb;
	unsigned int key = make(FOREVER);

	rb = tenon_ring_buffer_new(tenon_object_find_map(obj, "ring"), no_sample, NULL);
	assert_non_null(rb);
	assert_int_equal(ask(CALL_FOREVER, key), 0);
	/* The ring has room for 256 records, and one that is never given back stops the consumer.
	 */
	for (int i = 0; i < 600; i++) {
		assert_int_equal(ask(START, key), 0);
		assert_int_equal(run_at(clocks[0] + 100), 1);
		assert_int_equal(tenon_ring_buffer_consume(rb), 0);
	}
	assert_int_equal(stats_of(first_program(obj)).aborted, 600);
	tenon_ring_buffer_free(rb);
}

static void callback_without_fuel_ends_and_gives_back(void **state)
{
	(void)state;
	each_engine(end_early);
}

/* Loops that are free in a program of little cost are not in a function that timers call. */
static void pay_for_loops(void)
{
	unsigned int key = make(ONCE);

	assert_int_equal(ask(CALL_LONG, key), 0);
	assert_int_equal(ask(START, key), 0);
	assert_int_equal(run_at(100 + 1000), 1);
	assert_in_range(ask(COUNT, key), 1, 100000);
}

static void callback_pays_for_loops_as_a_program_does(void **state)
{
	(void)state;
	each_engine(pay_for_loops);
}

/* A run calls what was due when it began: what starts itself again at once, for a time that is
 * past, neither keeps it from its end nor stands before the others. */
static void start_again_in_the_past(void)
{
	unsigned int again = make(AGAIN_PAST), other = 8 | ONCE << 8;

	assert_int_equal(ask(MAKE, other), 0);
	assert_int_equal(ask(INIT, other), 0);
	assert_int_equal(ask(CALLBACK, other), 0);
	assert_int_equal(ask(START, again), 0);
	assert_int_equal(ask(START_ABS, other), 0);
	assert_int_equal(run_at(2000), 2);
	assert_int_equal(ask(COUNT, again), 1);
	assert_int_equal(ask(COUNT, other), 1);
	assert_int_equal(run_at(2001), 1);
	assert_int_equal(ask(COUNT, again), 2);
}

static void timer_started_for_the_past_waits_for_the_next_run(void **state)
{
	(void)state;
	each_engine(start_again_in_the_past);
}

static void object_cannot_forge_a_timer(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		set_up_with(TN_TEST_PLUGINS "forged.bpf.o",
			    i ? TENON_ENGINE_INTERP : TENON_ENGINE_AUTO, true, 0);
		assert_int_equal(ask(0, 0), -EINVAL);
		tear_down();
	}
}

static void lock_in_read_only_data_is_refused(void **state)
{
	(void)state;
	set_up_with(TN_TEST_PLUGINS "lock_in_rodata.bpf.o", TENON_ENGINE_AUTO, false, -EACCES);
	assert_non_null(strstr(tenon_last_error()->msg, "bpf_spin_lock"));
	tear_down();
}

static void values_with_timers_do_not_lie_open(void **state)
{
	(void)state;
	set_up(TENON_ENGINE_AUTO, true);
	assert_null(tenon_map_data(tenon_object_find_map(obj, "slots"), NULL));
	assert_int_equal(tenon_last_error()->code, -ENOTSUP);
	tear_down();
}

static void timer_is_refused_where_nobody_runs_it(void **state)
{
	unsigned int key;

	(void)state;
	set_up(TENON_ENGINE_AUTO, false);
	key = make(ONCE);
	assert_int_equal(ask(START, key), -EOPNOTSUPP);
	check_count(1, 0);
	tear_down();
}

static void closing_the_object_ends_its_timers(void **state)
{
	(void)state;
	set_up(TENON_ENGINE_AUTO, true);
	assert_int_equal(ask(START, make(ONCE)), 0);
	check_count(1, 1);
	assert_ok(tenon_object_close(obj));
	check_count(0, 0);
	assert_int_equal(run_at(99999), 0);
	assert_ok(tenon_runtime_free(rt));
}

static void thread_runs_what_the_descriptor_tells(void **state)
{
	struct pollfd pfd = { .events = POLLIN };
	unsigned int key;

	(void)state;
	set_up(TENON_ENGINE_AUTO, true);
	tn_timers_set_clock(base(), NULL);
	key = make(ONCE);
	assert_int_equal(ask(START, key), 0);
	pfd.fd = tenon_runtime_timers_fd(rt);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	while (!tenon_runtime_timers_run(rt))
		assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(ask(COUNT, key), 1);
	assert_ok(tenon_runtime_timers_start(rt));
	assert_int_equal(tenon_runtime_timers_start(rt), -EALREADY);
	assert_int_equal(ask(START, key), 0);
	while (ask(COUNT, key) < 2)
		sched_yield();
	assert_ok(tenon_runtime_timers_stop(rt));
	assert_ok(tenon_runtime_timers_start(rt));
	tear_down();
}

static int in_child(unsigned int key)
{
	if (ask(START, key) != -EOPNOTSUPP)
		return 1;
	if (tenon_runtime_timers_fd(rt) < 0 || run_at(1100) != 1 || ask(COUNT, key) != 1)
		return 2;
	return tenon_object_close(obj) || tenon_runtime_free(rt) ? 3 : 0;
}

static void child_of_fork_runs_its_own(void **state)
{
	unsigned int key;
	int status;
	pid_t pid;

	(void)state;
	set_up(TENON_ENGINE_AUTO, true);
	assert_ok(tenon_runtime_timers_start(rt));
	key = make(ONCE);
	assert_int_equal(ask(START, key), 0);
	pid = fork();
	if (!pid)
		_exit(in_child(key));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(ask(COUNT, key), 0);
	tear_down();
}

/* ---- Several threads ---- */

static _Atomic uint32_t stop;

static void *change(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	for (int i = 0; i < 4000; i++) {
		unsigned int key = (seed = seed * 1103515245 + 12345) >> 16 & 7;
		unsigned int mode = (seed >> 20) % 3;

		key |= mode << 8;
		ask(MAKE, key);
		ask(INIT, key);
		ask(CALLBACK, key);
		ask(START, key);
		if (seed >> 24 & 1)
			ask(seed >> 25 & 1 ? DELETE : UPDATE, key);
		if (seed >> 26 & 1)
			ask(CANCEL, key);
	}
	return NULL;
}

static void *run_all(void *arg)
{
	(void)arg;
	while (!tn_load_relaxed(&stop))
		tenon_runtime_timers_run(rt);
	return NULL;
}

static void threads_change_elements_whose_callbacks_run(void **state)
{
	pthread_t writers[3], runner;
	uint32_t there, waiting;

	(void)state;
	set_up(TENON_ENGINE_AUTO, true);
	tn_timers_set_clock(base(), NULL);
	assert_ok(tenon_runtime_timers_start(rt));
	tn_store_relaxed(&stop, 0);
	assert_int_equal(pthread_create(&runner, NULL, run_all, NULL), 0);
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, change, (void *)(i + 1)), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	tn_store_relaxed(&stop, 1);
	pthread_join(runner, NULL);
	tn_timers_count(base(), &there, &waiting);
	assert_true(there <= 64 && waiting <= there);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_runs_once_when_it_is_due),
		cmocka_unit_test(helpers_give_the_kernels_numbers),
		cmocka_unit_test(timer_goes_with_its_element),
		cmocka_unit_test(callback_acts_on_its_own_timer),
		cmocka_unit_test(work_runs_once_for_each_start_that_found_it_idle),
		cmocka_unit_test(callback_without_fuel_ends_and_gives_back),
		cmocka_unit_test(callback_pays_for_loops_as_a_program_does),
		cmocka_unit_test(timer_started_for_the_past_waits_for_the_next_run),
		cmocka_unit_test(object_cannot_forge_a_timer),
		cmocka_unit_test(lock_in_read_only_data_is_refused),
		cmocka_unit_test(values_with_timers_do_not_lie_open),
		cmocka_unit_test(timer_is_refused_where_nobody_runs_it),
		cmocka_unit_test(closing_the_object_ends_its_timers),
		cmocka_unit_test(thread_runs_what_the_descriptor_tells),
		cmocka_unit_test(child_of_fork_runs_its_own),
		cmocka_unit_test(threads_change_elements_whose_callbacks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
