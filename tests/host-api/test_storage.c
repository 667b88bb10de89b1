/* SPDX-License-Identifier: MIT */
/* Values of threads and of the host's objects: from programs on both engines, from the host, at a
 * thread's end, over fork, with many threads, and where memory ends. */
#include "host.h"

#include <linux/bpf.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/epoch.h"
#include "storage.h"

static struct tenon_runtime *rt;
static struct tenon_object *obj;
static struct tenon_hook of_thread, of_session;
static struct tenon_map *threads, *sessions;

static const struct tenon_field fields[] = {
	{ TENON_FIELD_(struct storage_ctx, session), .kind = TENON_FIELD_HANDLE,
	  .access = TENON_R | TENON_NULLABLE, .handle = "session" },
	TENON_SCALAR(struct storage_ctx, op, TENON_R),
	TENON_SCALAR(struct storage_ctx, value, TENON_R),
};
static const struct tenon_ctx_type type = TENON_CTX_TYPE(storage_ctx, fields);

static void add_storage_hook(struct tenon_hook *hook, const char *name)
{
	struct tenon_hook_desc desc = {
		.sz = sizeof(desc), .name = name, .ctx = &type, .chain = TENON_CHAIN_LAST
	};

	memset(hook, 0, sizeof(*hook));
	assert_ok(tenon_hook_register(rt, hook, &desc));
}

static void set_up(enum tenon_engine engine, size_t limit)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_limits limits = { .sz = sizeof(limits), .max_map_bytes = limit };
	struct tenon_runtime_opts rt_opts = { .sz = sizeof(rt_opts), .limits = &limits };

	rt = new_runtime(&rt_opts);
	add_storage_hook(&of_thread, "of_thread");
	add_storage_hook(&of_session, "of_session");
	obj = tenon_object_open_file(rt, TN_TEST_PLUGINS "storage.bpf.o", &opts);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
	threads = tenon_object_find_map(obj, "threads");
	sessions = tenon_object_find_map(obj, "sessions");
}

static void tear_down(void)
{
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

static long ask_thread(unsigned long long op, unsigned long long value)
{
	struct storage_ctx ctx = { .op = op, .value = value };

	return (long)tenon_hook_fire(&of_thread, &ctx);
}

static long ask(const void *session, unsigned long long op, unsigned long long value)
{
	struct storage_ctx ctx = { (struct session *)(uintptr_t)session, op, value };

	return (long)tenon_hook_fire(&of_session, &ctx);
}

static uint32_t entries(const struct tenon_map *map)
{
	struct tenon_map_info info = { .sz = sizeof(info) };

	assert_ok(tenon_map_info(map, &info));
	return info.nr_entries;
}

static size_t bytes(const struct tenon_map *map)
{
	struct tenon_map_info info = { .sz = sizeof(info) };

	assert_ok(tenon_map_info(map, &info));
	return info.bytes;
}

static void each_engine(void (*test)(void))
{
	for (int i = 0; i < 2; i++) {
		set_up(engine_at(i), 0);
		test();
		tear_down();
	}
}

static void *count_to_three(void *arg)
{
	int32_t tid = (int32_t)syscall(SYS_gettid);
	struct stored s;

	assert_int_equal(ask_thread(LOOK, 0), -1);
	assert_int_equal(ask_thread(DROP, 0), -ENOENT);
	for (long i = 1; i <= 3; i++)
		assert_int_equal(ask_thread(ADD, 0), i);
	assert_int_equal(ask_thread(LOOK, 0), 3);
	assert_ok(tenon_map_lookup_elem(threads, &tid, 4, &s, sizeof(s), 0));
	assert_int_equal(s.nr, 3);
	assert_int_equal(ask_thread(DROP, 0), 0);
	assert_int_equal(ask_thread(LOOK, 0), -1);
	assert_int_equal(ask_thread(FLAGS, 0), -1);
	assert_int_equal(ask_thread(ADD_FROM, 40), 41);
	assert_int_equal(ask_thread(ADD_FROM, 90), 42);
	return arg;
}

static void keep_a_thread_apart(void)
{
	pthread_t thread;
	int32_t tid = (int32_t)syscall(SYS_gettid), nobody = 0;
	struct stored s = { .nr = 7 };

	assert_int_equal(ask_thread(ADD, 0), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&thread, NULL, count_to_three, NULL), 0);
		pthread_join(thread, NULL);
		/* Its value went with it. */
		assert_int_equal(entries(threads), 1);
	}
	assert_int_equal(ask_thread(LOOK, 0), 1);
	assert_ok(tenon_map_update_elem(threads, &tid, 4, &s, sizeof(s), 0));
	assert_int_equal(ask_thread(LOOK, 0), 7);
	assert_int_equal(tenon_map_update_elem(threads, &tid, 4, &s, sizeof(s), BPF_NOEXIST),
			 -EEXIST);
	assert_int_equal(tenon_map_update_elem(threads, &nobody, 4, &s, sizeof(s), 0), -ESRCH);
	assert_int_equal(tenon_map_lookup_elem(threads, &nobody, 4, &s, sizeof(s), 0), -ENOENT);
	assert_ok(tenon_map_delete_elem(threads, &tid, 4, 0));
	assert_int_equal(tenon_map_delete_elem(threads, &tid, 4, 0), -ENOENT);
	assert_int_equal(ask_thread(LOOK, 0), -1);
	assert_int_equal(tenon_map_lookup_object(threads, &tid, &s, sizeof(s)), -EINVAL);
}

static void thread_has_its_own_value_while_it_lives(void **state)
{
	(void)state;
	each_engine(keep_a_thread_apart);
}

static void keep_objects(void)
{
	enum { NR = 1000 };
	static char object[NR];
	struct stored s = { .nr = 100, .rest = { 1, 2, 3, 4, 5 } }, out;

	assert_int_equal(ask(NULL, ADD, 0), -1000);
	assert_int_equal(ask(&object[0], LOOK, 0), -1);
	for (int round = 1; round <= 2; round++)
		for (int i = 0; i < NR; i++)
			assert_int_equal(ask(&object[i], round == 1 ? ADD_FROM : ADD, i),
					 i + round);
	assert_int_equal(entries(sessions), NR);
	assert_ok(tenon_map_lookup_object(sessions, &object[5], &out, sizeof(out)));
	assert_int_equal(out.nr, 7);
	assert_int_equal(out.first, 5);
	assert_ok(tenon_map_update_object(sessions, &object[5], &s, sizeof(s), BPF_EXIST));
	assert_ok(tenon_map_lookup_object(sessions, &object[5], &out, sizeof(out)));
	assert_memory_equal(&out, &s, sizeof(s));
	assert_int_equal(ask(&object[5], ADD, 0), 101);
	assert_int_equal(tenon_map_update_object(sessions, &object[5], &s, sizeof(s), BPF_NOEXIST),
			 -EEXIST);
	assert_int_equal(tenon_map_update_object(sessions, &s, &s, sizeof(s), BPF_EXIST), -ENOENT);
	assert_int_equal(tenon_map_update_object(sessions, &s, &s, sizeof(s), 4), -EINVAL);
	assert_int_equal(tenon_map_update_object(sessions, &s, &s, 3, 0), -EINVAL);
	assert_int_equal(tenon_map_lookup_object(sessions, NULL, &s, sizeof(s)), -EINVAL);
	assert_int_equal(ask(&object[6], DROP, 0), 0);
	assert_int_equal(ask(&object[6], DROP, 0), -ENOENT);
	assert_ok(tenon_map_delete_object(sessions, &object[7]));
	assert_int_equal(tenon_map_delete_object(sessions, &object[7]), -ENOENT);
	for (int i = 0; i < NR; i++)
		assert_int_equal(tenon_runtime_forget_object(rt, &object[i]), i != 6 && i != 7);
	assert_int_equal(entries(sessions), 0);
	assert_int_equal(ask(&object[0], LOOK, 0), -1);
	assert_ok(tenon_map_freeze(sessions));
	assert_int_equal(tenon_map_delete_object(sessions, &object[0]), -EPERM);
	assert_int_equal(tenon_map_update_object(sessions, &s, &s, sizeof(s), 0), -EPERM);
}

static void object_has_its_value_until_it_is_forgotten(void **state)
{
	(void)state;
	each_engine(keep_objects);
}

/* Values that come and go again and again take no more memory than the few that are there. */
static void removed_values_are_used_again(void **state)
{
	size_t before;
	char object;

	(void)state;
	set_up(TENON_ENGINE_AUTO, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(ask(&object, ADD, 0), 1);
		assert_int_equal(ask(&object, DROP, 0), 0);
	}
	before = bytes(sessions);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(ask(&object, ADD, 0), 1);
		assert_int_equal(ask(&object, DROP, 0), 0);
	}
	assert_in_range(bytes(sessions), 1, before);
	tear_down();
}

/* One firing cannot use again what it took out, so that there is an end to it; the next ones can.
 */
static void values_that_wait_are_bounded(void **state)
{
	struct stored s = { 0 };
	char object;

	(void)state;
	set_up(TENON_ENGINE_AUTO, 0);
	assert_non_null(tn_thread_self());
	for (int round = 0; round < 3; round++) {
		uint32_t made = 0;

		/* As inside of one long firing. */
		tn_epoch_enter(tn_thread_self());
		while (made < 200000 && ask(&object, ADD, 0) == 1 && !ask(&object, DROP, 0))
			made++;
		tn_epoch_leave(tn_thread_self());
		assert_in_range(made, 1000, 199999);
		assert_in_range(bytes(sessions), 1, 5 << 20);
		/* It comes back with the epochs. */
		for (int i = 0; i < 10 && ask(&object, ADD, 0) != 1; i++)
			;
		assert_ok(tenon_map_lookup_object(sessions, &object, &s, sizeof(s)));
		for (int i = 0; i < 2000; i++)
			(void)(ask(&object, DROP, 0) + ask(&object, ADD, 0));
		assert_int_equal(ask(&object, DROP, 0), 0);
	}
	tear_down();
}

static void limit_ends_new_values(void **state)
{
	static char object[10000];
	uint32_t nr = 0;

	(void)state;
	set_up(TENON_ENGINE_AUTO, 1 << 16);
	while (nr < 10000 && ask(&object[nr], ADD, 0) == 1)
		nr++;
	assert_in_range(nr, 100, 9999);
	assert_int_equal(ask(&object[nr], LOOK, 0), -1);
	assert_int_equal(ask(&object[0], ADD, 0), 2);
	tear_down();
}

static pthread_barrier_t barrier;

static void *wait_with_a_value(void *arg)
{
	assert_int_equal(ask_thread(ADD, 0), 1);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	assert_int_equal(ask_thread(ADD, 0), 2);
	return arg;
}

static void child_of_fork_has_its_own_thread_alone(void **state)
{
	pthread_t other;
	int status;
	pid_t pid;

	(void)state;
	set_up(TENON_ENGINE_AUTO, 0);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&other, NULL, wait_with_a_value, NULL), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(ask_thread(ADD, 0), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int32_t tid = (int32_t)syscall(SYS_gettid);
		struct stored s;
		bool right = entries(threads) == 1 && ask_thread(ADD, 0) == 2 &&
			     !tenon_map_lookup_elem(threads, &tid, 4, &s, sizeof(s), 0) &&
			     s.nr == 2;

		_exit(right ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(other, NULL);
	assert_int_equal(ask_thread(ADD, 0), 2);
	tear_down();
}

/* ---- Threads ---- */

#define SHARED 64
#define ROUNDS 20000

static char shared[SHARED];
static _Atomic int wrong;

static void *churn(void *arg)
{
	uint32_t random = (uint32_t)(uintptr_t)arg * 2654435761u + 1;

	for (int i = 0; i < ROUNDS; i++) {
		const char *object = &shared[(random = random * 1664525 + 1013904223) >> 26];
		struct stored s;
		long rc;

		switch (random >> 8 & 7) {
		case 0:
			rc = ask(object, DROP, 0);
			if (rc && rc != -ENOENT && rc != -EBUSY)
				wrong = 1;
			break;
		case 1:
			if (tenon_runtime_forget_object(rt, object) > 1)
				wrong = 2;
			break;
		case 2:
			rc = tenon_map_lookup_object(sessions, object, &s, sizeof(s));
			if ((rc && rc != -ENOENT) || (!rc && s.first != (uintptr_t)object))
				wrong = 3;
			break;
		default:
			if (ask(object, ADD_FROM, (uintptr_t)object) < -1)
				wrong = 4;
			if (ask_thread(ADD, 0) < 0)
				wrong = 5;
		}
	}
	return NULL;
}

static void threads_make_and_drop_values(void **state)
{
	pthread_t churners[4];

	(void)state;
	set_up(TENON_ENGINE_AUTO, 0);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&churners[i], NULL, churn, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(churners[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(entries(threads), 0);
	for (int i = 0; i < SHARED; i++)
		assert_in_range(tenon_runtime_forget_object(rt, &shared[i]), 0, 1);
	assert_int_equal(entries(sessions), 0);
	tear_down();
}

/* An owner that has a value all the time has it while the host puts others in its place. */
static void *replace(void *arg)
{
	struct stored s = { .first = 1 };

	for (int i = 0; i < ROUNDS; i++)
		if (tenon_map_update_object(sessions, &shared[0], &s, sizeof(s), BPF_EXIST))
			wrong = 6;
	return arg;
}

static void replaced_value_is_never_missed(void **state)
{
	pthread_t writer;
	struct stored s;

	(void)state;
	wrong = 0;
	set_up(TENON_ENGINE_AUTO, 0);
	assert_int_equal(ask(&shared[0], ADD, 0), 1);
	assert_int_equal(pthread_create(&writer, NULL, replace, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_not_equal(ask(&shared[0], LOOK, 0), -1);
		assert_ok(tenon_map_lookup_object(sessions, &shared[0], &s, sizeof(s)));
	}
	pthread_join(writer, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(entries(sessions), 1);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_has_its_own_value_while_it_lives),
		cmocka_unit_test(object_has_its_value_until_it_is_forgotten),
		cmocka_unit_test(removed_values_are_used_again),
		cmocka_unit_test(values_that_wait_are_bounded),
		cmocka_unit_test(limit_ends_new_values),
		cmocka_unit_test(child_of_fork_has_its_own_thread_alone),
		cmocka_unit_test(threads_make_and_drop_values),
		cmocka_unit_test(replaced_value_is_never_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
