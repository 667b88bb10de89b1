/* SPDX-License-Identifier: MIT */
/*
 * Tables of functions that plugins fill: on both engines, from plugins whose structure is another
 * release's; what is refused; who serves when, and for how long.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host-api/runtime.h"
#include "host.h"
#include "ops_api.h"

static const struct tenon_struct_ops_member members[] = {
	{ .name = "pick", .required = true, .fallback = 3 },
	{ .name = "spin", .fallback = (uint64_t)-42 },
};

static int validate(void *user, const void *ops)
{
	const struct policy_ops *p = ops;

	*(uint32_t *)user = p->version;
	return p->version == 2000 ? -EBADMSG : 0;
}

static uint32_t seen;

static int declare(struct tenon_runtime *rt)
{
	struct tenon_struct_ops desc = { .sz = sizeof(desc),
					 .name = "policy_ops",
					 .size = sizeof(struct policy_ops),
					 .members = members,
					 .nr_members = 2,
					 .validate = validate,
					 .user = &seen };

	return tenon_runtime_add_struct_ops(rt, &desc);
}

static struct tenon_runtime *new_host(void)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts) };
	struct tenon_limits limits = { .sz = sizeof(limits), .fuel = 100000 };
	struct tenon_runtime *rt;

	opts.limits = &limits;
	rt = new_runtime(&opts);
	assert_ok(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "ops_host.bpf.o", NULL));
	assert_ok(declare(rt));
	return rt;
}

static struct tenon_object *open_ops(struct tenon_runtime *rt, int which, enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_object *obj;
	char path[256];

	snprintf(path, sizeof(path), TN_TEST_PLUGINS "ops_%d.bpf.o", which);
	obj = tenon_object_open_file(rt, path, &opts);
	return obj;
}

static struct tenon_object *plug(struct tenon_runtime *rt, int which, enum tenon_engine engine)
{
	struct tenon_object *obj = open_ops(rt, which, engine);

	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("plugin %d: %s", which, tenon_last_error()->msg);
	return obj;
}

static void call_all(enum tenon_engine engine)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj;
	const struct policy_ops *ops;
	struct lb lb = { .nr = 4, .load = { 10, 20, 30, 40 } };

	assert_null(tenon_struct_ops_get(rt, "policy_ops"));
	obj = plug(rt, 1, engine);
	ops = tenon_struct_ops_get(rt, "policy_ops");
	assert_non_null(ops);
	assert_int_equal(seen, 1);
	assert_int_equal(ops->version, 1);
	assert_string_equal(ops->name, "ops");
	assert_int_equal(ops->limits.low, 7);
	assert_int_equal(ops->limits.high, 9);
	assert_int_equal(ops->wide, 77);
	assert_null(ops->pointer);
	assert_int_equal(ops->pick(&lb, 5), 125);
	assert_int_equal(ops->narrow(-3, 200, -300, 60000, -70000, 4000000000u, -5000000000, true),
			 -3);
	assert_int_equal(ops->narrow(-3, 200, -300, 60000, -70000, 4000000000u, -5000000000, false),
			 1);
	assert_true(ops->flag(0x100));
	assert_false(ops->flag(0xff));
	ops->done(&lb, 9);
	assert_int_equal(lb.done, 9);
	assert_int_equal(ops->spin(3), -3);
	/* Out of fuel: what the host wants instead. */
	assert_int_equal(ops->spin(UINT64_MAX), -42);
	assert_int_equal(ops->real(0.0, 5), 5);
	tenon_struct_ops_put(ops);
	assert_ok(tenon_object_close(obj));
	assert_null(tenon_struct_ops_get(rt, "policy_ops"));
	assert_ok(tenon_runtime_free(rt));
}

static void row_34_functions_give_what_their_programs_return(void **state)
{
	(void)state;
	call_all(TENON_ENGINE_AUTO);
	call_all(TENON_ENGINE_INTERP);
}

static void newest_serves_and_taken_tables_stay(void **state)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *one = plug(rt, 1, TENON_ENGINE_AUTO), *two;
	const struct policy_ops *a = tenon_struct_ops_get(rt, "policy_ops"), *b;
	struct lb lb = { .next = 8 };

	(void)state;
	two = plug(rt, 2, TENON_ENGINE_AUTO);
	b = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(a->version, 1);
	assert_int_equal(b->version, 2);
	assert_null(b->done);
	assert_ok(tenon_object_close(one));
	assert_int_equal(a->pick(&lb, 1), 101);
	assert_int_equal(b->pick(&lb, 1), 8);
	assert_int_equal(tenon_runtime_free(rt), -EBUSY);
	tenon_struct_ops_put(a);
	tenon_struct_ops_put(b);
	one = plug(rt, 1, TENON_ENGINE_AUTO);
	assert_ok(tenon_object_close(one));
	/* The one before serves again. */
	b = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(b->version, 2);
	tenon_struct_ops_put(b);
	/* An object that replaces another takes its place. */
	one = open_ops(rt, 1, TENON_ENGINE_AUTO);
	assert_ok(tenon_object_load(one));
	assert_ok(tenon_object_replace(two, one));
	assert_ok(tenon_object_close(two));
	b = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(b->version, 1);
	tenon_struct_ops_put(b);
	/* Of two of one object the last. */
	plug(rt, 5, TENON_ENGINE_AUTO);
	b = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(b->version, 6);
	tenon_struct_ops_put(b);
	assert_ok(tenon_runtime_free(rt));
}

static void structures_are_registered_by_hand_and_by_section(void **state)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *plain = plug(rt, 3, TENON_ENGINE_AUTO), *asked, *left;
	const struct policy_ops *ops = tenon_struct_ops_get(rt, "policy_ops");
	struct tenon_map_info info = { .sz = sizeof(info) };
	struct tenon_link *link;
	struct tenon_map *map;

	(void)state;
	assert_int_equal(ops->version, 3);
	tenon_struct_ops_put(ops);
	left = plug(rt, 4, TENON_ENGINE_AUTO);
	assert_null(tenon_map_attach_struct_ops(tenon_object_find_map(left, "mine")));
	asked = open_ops(rt, 4, TENON_ENGINE_AUTO);
	map = tenon_object_find_map(asked, "mine");
	assert_ok(tenon_map_info(map, &info));
	assert_int_equal(info.type, 26);
	assert_ok(tenon_map_set_autocreate(map, true));
	assert_null(tenon_map_attach_struct_ops(map));
	assert_ok(tenon_object_load(asked));
	link = tenon_map_attach_struct_ops(map);
	assert_non_null(link);
	ops = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(ops->version, 4);
	tenon_struct_ops_put(ops);
	assert_ok(tenon_object_close(asked));
	ops = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(ops->version, 4);
	tenon_struct_ops_put(ops);
	assert_ok(tenon_link_destroy(link));
	ops = tenon_struct_ops_get(rt, "policy_ops");
	assert_int_equal(ops->version, 3);
	tenon_struct_ops_put(ops);
	assert_ok(tenon_object_close(plain));
	assert_ok(tenon_runtime_free(rt));
}

static const struct {
	int which, code;
	const char *words;
} refused[] = {
	{ 10, -EINVAL, "has program 'unused' as a member" },
	{ 11, -EINVAL, "'pick' is required" },
	{ 12, -EPROTO, "u32 pick(struct lb *, s32)', the host 'uint32_t pick(" },
	{ 13, -ENOTSUP, "sets member 'gone', which the host does not have" },
	{ 14, -ENOTSUP, "'bits', a bit field" },
	{ 15, -ESTALE, "'wide' has 8 bytes in the plugin, 4 in the host" },
	{ 16, -ENOTSUP, "'lost' is a function that the host does not have" },
	{ 17, -ENOTSUP, "'pointer' returns neither" },
	{ 18, -EINVAL, "not in a section struct_ops" },
	{ 19, -EACCES, "field 'nr' of a structure of the host may not be written" },
	{ 20, -ENOTSUP, "'address'" },
	{ 21, -ENOTSUP, "'address', which the host does not have" },
};

static void row_34_plugins_that_do_not_fit_are_refused_by_name(void **state)
{
	struct tenon_runtime *rt = new_host();

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct tenon_object *obj = open_ops(rt, refused[i].which, TENON_ENGINE_AUTO);
		int rc = obj ? tenon_object_load(obj) : -errno;

		if (rc != refused[i].code || !strstr(tenon_last_error()->msg, refused[i].words))
			fail_msg("%d: %d: %s", refused[i].which, rc, tenon_last_error()->msg);
		assert_ok(tenon_object_close(obj));
	}
	assert_null(tenon_struct_ops_get(rt, "policy_ops"));
	assert_ok(tenon_runtime_free(rt));
}

static void declarations_that_do_not_fit_are_refused(void **state)
{
	static const struct tenon_struct_ops_member wrong = { .name = "version" };
	struct tenon_struct_ops desc = { .sz = sizeof(desc), .name = "lb", .size = 1 };
	struct tenon_runtime *rt = new_host();

	(void)state;
	assert_int_equal(declare(rt), -EEXIST);
	assert_int_equal(tenon_runtime_add_struct_ops(rt, &desc), -EINVAL);
	assert_words("size is 1");
	desc.size = sizeof(struct lb);
	assert_int_equal(tenon_runtime_add_struct_ops(rt, &desc), -EINVAL);
	assert_words("no member is a pointer to a function");
	desc.name = "none";
	assert_int_equal(tenon_runtime_add_struct_ops(rt, &desc), -ENOENT);
	desc = (struct tenon_struct_ops){ .sz = sizeof(desc),
					  .name = "policy_ops",
					  .size = sizeof(struct policy_ops),
					  .members = &wrong,
					  .nr_members = 1 };
	assert_int_equal(tenon_runtime_add_struct_ops(rt, &desc), -EINVAL);
	assert_words("'version'");
	assert_ok(tenon_runtime_free(rt));
}

/* One byte changed at a time: loaded, or refused with words. */
static void changed_bytes_do_no_harm(void **state)
{
	struct tenon_runtime *rt = new_host();
	FILE *f = fopen(TN_TEST_PLUGINS "ops_1.bpf.o", "rb");
	static unsigned char whole[65536], copy[65536];
	size_t size;

	(void)state;
	assert_non_null(f);
	size = fread(whole, 1, sizeof(whole), f);
	fclose(f);
	assert_in_range(size, 1000, sizeof(whole) - 1);
	for (size_t at = 0; at < size; at += 5) {
		struct tenon_object *obj;

		memcpy(copy, whole, size);
		copy[at] ^= (unsigned char)(1u << at % 8 | 0x10);
		obj = tenon_object_open_mem(rt, copy, size, NULL);
		if (!obj || tenon_object_load(obj))
			assert_true(tenon_last_error()->msg[0]);
		else
			tenon_object_attach(obj);
		assert_ok(tenon_object_close(obj));
	}
	assert_ok(tenon_runtime_free(rt));
}

/* ---- Threads ---- */

static struct tenon_runtime *shared;
static _Atomic bool stop;

static void *pick_all_the_time(void *arg)
{
	struct lb lb = { .next = 1000 };
	uint64_t *nr = arg;

	while (!stop) {
		const struct policy_ops *ops = tenon_struct_ops_get(shared, "policy_ops");
		uint32_t got = ops->pick(&lb, 7);

		/* Of one plugin, all of it. */
		if (got != (ops->version == 1 ? 107u : 1000u))
			*nr = UINT64_MAX / 2;
		++*nr;
		tenon_struct_ops_put(ops);
	}
	return NULL;
}

static void exchange_under_threads_is_whole(void **state)
{
	pthread_t threads[3];
	uint64_t nr[3] = { 0 };
	struct tenon_object *base, *obj;

	(void)state;
	shared = new_host();
	base = plug(shared, 1, TENON_ENGINE_AUTO);
	stop = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pick_all_the_time, &nr[i]), 0);
	for (int i = 0; i < 20; i++) {
		obj = plug(shared, 1 + i % 2, TENON_ENGINE_AUTO);
		assert_ok(tenon_object_close(base));
		base = obj;
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_true(nr[i] < UINT64_MAX / 2);
	}
	assert_ok(tenon_object_close(base));
	assert_ok(tenon_runtime_free(shared));
}

static void child_of_fork_has_functions_of_its_own(void **state)
{
	struct tenon_runtime *rt = new_host();
	struct tenon_object *obj = plug(rt, 1, TENON_ENGINE_AUTO);
	const struct policy_ops *ops = tenon_struct_ops_get(rt, "policy_ops");
	struct lb lb = { 0 };
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(ops->pick(&lb, 1) == 101 && tenon_struct_ops_get(rt, "policy_ops") == ops
			      ? 0
			      : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(ops->pick(&lb, 1), 101);
	tenon_struct_ops_put(ops);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_runtime_free(rt));
}

/* ---- Allocations ---- */

static uint64_t fail_at, nr_allocs;

static void *counting_alloc(void *user, void *p, size_t old, size_t new)
{
	(void)user;
	(void)old;
	if (!new) {
		free(p);
		return NULL;
	}
	if (fail_at && ++nr_allocs >= fail_at)
		return NULL;
	return realloc(p, new);
}

static void each_allocation_may_fail(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .alloc = counting_alloc };
	bool done = false;

	(void)state;
	for (uint64_t n = 1; !done; n += 1 + n / 64) {
		struct tenon_runtime *rt;
		struct tenon_object *obj = NULL;
		const void *ops;

		fail_at = 0;
		rt = new_runtime(&opts);
		assert_ok(tenon_runtime_add_btf_file(rt, TN_TEST_PLUGINS "ops_host.bpf.o", NULL));
		fail_at = n;
		nr_allocs = 0;
		if (!declare(rt)) {
			obj = open_ops(rt, 1, TENON_ENGINE_AUTO);
			done = obj && !tenon_object_load(obj) && !tenon_object_attach(obj);
		}
		fail_at = 0;
		ops = tenon_struct_ops_get(rt, "policy_ops");
		assert_true((ops != NULL) == done);
		tenon_struct_ops_put(ops);
		assert_ok(tenon_object_close(obj));
		assert_ok(tenon_runtime_free(rt));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_34_functions_give_what_their_programs_return),
		cmocka_unit_test(newest_serves_and_taken_tables_stay),
		cmocka_unit_test(structures_are_registered_by_hand_and_by_section),
		cmocka_unit_test(row_34_plugins_that_do_not_fit_are_refused_by_name),
		cmocka_unit_test(declarations_that_do_not_fit_are_refused),
		cmocka_unit_test(changed_bytes_do_no_harm),
		cmocka_unit_test(exchange_under_threads_is_whole),
		cmocka_unit_test(child_of_fork_has_functions_of_its_own),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
