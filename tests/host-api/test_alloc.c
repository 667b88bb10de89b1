/* SPDX-License-Identifier: MIT */
/* The n-th allocation fails, for n = 1, 2, ... until all goes well: no crash, no leak, and the
 * runtime is as good as before. */
#include <linux/bpf.h>

#include "host-api/runtime.h"
#include "host.h"
#include "request.h"

static struct tenon_hook hook;

static size_t heap_bytes(struct tenon_runtime *rt)
{
	return tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_HEAP]) +
	       tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_MAPS]) +
	       tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_CODE]);
}

static uint64_t host_helper(uint64_t x)
{
	return x + 1;
}

#define COUNT                             \
	"r6 = r1\n"                       \
	"r1 = 0\n*(u32 *)(r10 -4) = r1\n" \
	"r2 = r10\nr2 += -4\n"            \
	"r1 = map[0] ll\n"                \
	"call 1\n"                        \
	"if r0 == 0 goto none\n"          \
	"r1 = *(u64 *)(r0 +0)\n"          \
	"r1 += 1\n"                       \
	"*(u64 *)(r0 +0) = r1\n"          \
	"call 9000\n"                     \
	"exit\n"                          \
	"none:\n" RETURN(0)

/* Everything a host does in the life of a plugin; stops where something fails. */
static bool whole_life(struct tenon_runtime *rt)
{
	struct tenon_helper_opts helper = { .sz = sizeof(helper), .id = 9000 };
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx = &test_type };
	struct tenon_object *obj = NULL, *next = NULL;
	struct tenon_link *link = NULL;
	struct tenon_map *map = NULL;
	struct test_ctx ctx = { 0 };
	bool done = false;

	desc.chain = TENON_CHAIN_LAST;
	if (tenon_hook_register(rt, &hook, &desc))
		goto out;
	/* Helpers stay for the runtime's life: the second round finds it. */
	if (tenon_runtime_add_helper(rt, "bump", "u64(u64)", TENON_FN(host_helper), &helper) &&
	    tenon_last_error()->code != -EEXIST)
		goto out;
	map = tenon_map_new(rt, BPF_MAP_TYPE_HASH, "m", 4, 8, 4, NULL);
	if (!map)
		goto out;
	if (tenon_map_update_elem(map, &(uint32_t){ 0 }, 4, &(uint64_t){ 7 }, 8, 0))
		goto out;
	obj = open_text(rt, "h", 0, &map, 1, COUNT, NULL);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		goto out;
	link = tenon_program_attach(first_program(obj), NULL);
	if (!link)
		goto out;
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 10);
	if (!tenon_program_as_callback(first_program(obj), "i32(ctx)"))
		goto out;
	next = open_text(rt, "h", 0, &map, 1, COUNT, NULL);
	if (!next || tenon_object_load(next) || tenon_object_replace(obj, next))
		goto out;
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 12);
	done = true;
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_link_destroy(link));
	assert_ok(tenon_object_close(next));
	assert_ok(tenon_object_close(obj));
	tenon_map_free(map);
	assert_ok(tenon_hook_unregister(&hook));
	return done;
}

static const struct tenon_field request_fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
	TENON_SCALAR(struct request, verdict, TENON_RW),
};
static const struct tenon_ctx_type request_type = TENON_CTX_TYPE(request, request_fields);

static int32_t twice(uint32_t x)
{
	return (int32_t)(x * 2);
}

/* The same with a file: globals, maps, a host function by name, two programs and hooks. */
static bool life_of_a_file(struct tenon_runtime *rt)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "log", .ctx = &request_type };
	struct request req = { .kind = 4 };
	static struct tenon_hook log_hook;
	struct tenon_object *obj = NULL;
	bool done = false;

	if (tenon_hook_register(rt, &log_hook, &desc))
		goto out;
	desc.name = "request";
	if (tenon_hook_register(rt, &hook, &desc))
		goto out;
	if (tenon_runtime_add_helper(rt, "twice", "i32(u32)", TENON_FN(twice), NULL) &&
	    tenon_last_error()->code != -EEXIST)
		goto out;
	obj = tenon_object_plug(rt, TN_TEST_PLUGINS "rules.bpf.o", NULL);
	if (!obj)
		goto out;
	assert_int_equal(tenon_hook_fire(&hook, &req), 0);
	assert_int_equal(req.verdict, 8);
	done = true;
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_hook_unregister(&hook));
	assert_ok(tenon_hook_unregister(&log_hook));
	return done;
}

static void *take(void)
{
	static int thing;

	return &thing;
}

static void give(void *thing)
{
	(void)thing;
}

/* A program that holds something where it may end. */
static bool life_of_a_holder(struct tenon_runtime *rt)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx = &test_type };
	struct tenon_helper_opts helper = { .sz = sizeof(helper), .id = 9001 };
	struct test_ctx ctx = { .in = 3 };
	struct tenon_object *obj = NULL;
	bool done = false;

	desc.chain = TENON_CHAIN_LAST;
	if (tenon_hook_register(rt, &hook, &desc))
		goto out;
	if (tenon_runtime_add_helper(rt, "take", "acquire:thing()", TENON_FN(take), &helper) &&
	    tenon_last_error()->code != -EEXIST)
		goto out;
	helper.id = 9002;
	if (tenon_runtime_add_helper(rt, "give", "void(release:thing)", TENON_FN(give), &helper) &&
	    tenon_last_error()->code != -EEXIST)
		goto out;
	obj = open_text(rt, "h", 0, NULL, 0,
			"r6 = *(u32 *)(r1 +0)\n"
			"call 9001\n"
			"loop:\nr6 -= 1\nif r6 != 0 goto loop\n"
			"r1 = r0\ncall 9002\n" RETURN(6),
			NULL);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		goto out;
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 6);
	done = true;
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_hook_unregister(&hook));
	return done;
}

static const struct tenon_field box_fields[] = {
	TENON_SCALAR(struct request, kind, TENON_R),
};
static const struct tenon_struct_type box_type = { .sz = sizeof(box_type),
						   .name = "box",
						   .size = sizeof(struct request),
						   .fields = box_fields,
						   .nr_fields = 1,
						   .field_size = sizeof(box_fields[0]) };

static struct request box = { .kind = 5 };

static void *open_box(void)
{
	return &box;
}

/* Programs that share hooks under `names` with the host; `use` fires them. */
static bool life_with_hooks(struct tenon_runtime *rt, const char *file, const char *const *names,
			    uint32_t nr, bool (*use)(struct tenon_object *obj))
{
	static struct tenon_hook hooks[16];
	struct tenon_object *obj = NULL;
	uint32_t registered = 0;
	bool done = false;

	for (; registered < nr; registered++) {
		struct tenon_hook_desc desc = { .sz = sizeof(desc),
						.name = names[registered],
						.ctx = &request_type,
						.chain = TENON_CHAIN_LAST };

		if (tenon_hook_register(rt, &hooks[registered], &desc))
			goto out;
	}
	obj = tenon_object_plug(rt, file, NULL);
	if (!obj)
		goto out;
	done = use(obj);
	for (uint32_t i = 0; i < nr && done; i++) {
		struct request req = { .kind = 0 };

		tenon_hook_fire(&hooks[i], &req);
	}
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_object_close(obj));
	while (registered)
		assert_ok(tenon_hook_unregister(&hooks[--registered]));
	return done;
}

/* Another inner map than the object's own, and a sample for the program. */
static bool use_shared(struct tenon_object *obj)
{
	struct tenon_map *outer = tenon_object_find_map(obj, "outer");
	uint32_t id = tenon_map_id(tenon_object_find_map(obj, "second"));
	struct tenon_user_ring_buffer *rb;
	bool done = false;
	void *sample;

	if (tenon_map_update_elem(outer, &(uint32_t){ 1 }, 4, &id, 4, 0))
		return false;
	rb = tenon_user_ring_buffer_new(tenon_object_find_map(obj, "samples"));
	sample = rb ? tenon_user_ring_buffer_reserve(rb, 8) : NULL;
	if (sample) {
		memset(sample, 0, 8);
		tenon_user_ring_buffer_submit(rb, sample);
		done = true;
	}
	tenon_user_ring_buffer_free(rb);
	return done;
}

static bool use_nothing(struct tenon_object *obj)
{
	(void)obj;
	return true;
}

/* Locks, a map of maps, samples. */
static bool life_of_shared_maps(struct tenon_runtime *rt)
{
	static const char *const names[] = { "transfer", "transfer_global", "count_in", "drain" };

	return life_with_hooks(rt, TN_TEST_PLUGINS "shared.bpf.o", names, 4, use_shared);
}

/* An arena, a function of its own. */
static bool life_of_an_arena(struct tenon_runtime *rt)
{
	static const char *const names[] = { "in_arena" };

	return life_with_hooks(rt, TN_TEST_PLUGINS "arena.bpf.o", names, 1, use_nothing);
}

/* Global functions, an exception callback, tail calls. */
static bool life_of_a_thrower(struct tenon_runtime *rt)
{
	static const char *const names[] = { "plainly",	      "deeply",	   "releases",
					     "at_most_depth", "only_exit", "in_target",
					     "never_done",    "cut" };

	return life_with_hooks(rt, TN_TEST_PLUGINS "throw.bpf.o", names, 8, use_nothing);
}

/* A handle with fields. */
static bool life_of_a_struct(struct tenon_runtime *rt)
{
	struct tenon_hook_desc desc = { .sz = sizeof(desc), .name = "h", .ctx = &test_type };
	struct tenon_helper_opts helper = { .sz = sizeof(helper), .id = 9003 };
	struct test_ctx ctx = { .in = 3 };
	struct tenon_object *obj = NULL;
	bool done = false;

	desc.chain = TENON_CHAIN_LAST;
	if (tenon_hook_register(rt, &hook, &desc))
		goto out;
	/* Structs stay for the runtime's life, as helpers do; the same one again is fine. */
	if (tenon_runtime_add_struct(rt, &box_type))
		goto out;
	if (tenon_runtime_add_helper(rt, "open_box", "handle:box()", TENON_FN(open_box), &helper) &&
	    tenon_last_error()->code != -EEXIST)
		goto out;
	obj = open_text(rt, "h", 0, NULL, 0, "call 9003\nr0 = *(u32 *)(r0 +0)\nexit", NULL);
	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		goto out;
	assert_int_equal(tenon_hook_fire(&hook, &ctx), 5);
	done = true;
out:
	assert_true(done || tenon_last_error()->code < 0);
	assert_ok(tenon_object_close(obj));
	assert_ok(tenon_hook_unregister(&hook));
	return done;
}

static void check_each_allocation(bool (*life)(struct tenon_runtime *rt))
{
	struct tenon_runtime *rt = new_runtime(NULL);
	int64_t n;
	size_t before;

	/* Thread record, probes and the like are made once. */
	assert_true(life(rt));
	assert_int_equal(tn_epoch_drain(), 0);
	before = heap_bytes(rt);
	for (n = 1; n < 10000; n++) {
		bool done;

		tn_store_relaxed(&rt->rt.mem.fail_after, n);
		done = life(rt);
		tn_store_relaxed(&rt->rt.mem.fail_after, 0);
		assert_int_equal(tn_epoch_drain(), 0);
		assert_int_equal(tn_epoch_drain(), 0);
		if (heap_bytes(rt) != before)
			fail_msg("allocation %d: %zu bytes, %zu before", (int)n, heap_bytes(rt),
				 before);
		if (done)
			break;
	}
	assert_in_range(n, 30, 9999);
	assert_true(life(rt));
	assert_ok(tenon_runtime_free(rt));
}

static void life_of_raw_bytecode_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(whole_life);
}

static void life_of_a_file_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_a_file);
}

static void life_of_a_holder_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_a_holder);
}

static void life_of_shared_maps_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_shared_maps);
}

static void life_of_an_arena_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_an_arena);
}

static void life_of_a_thrower_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_a_thrower);
}

static void life_of_a_struct_survives_each_allocation_failing(void **state)
{
	(void)state;
	check_each_allocation(life_of_a_struct);
}

/* ---- The host's own allocator ---- */

struct arena {
	size_t live, calls, fail_at;
};

static void *count_alloc(void *user, void *ptr, size_t osize, size_t nsize)
{
	struct arena *a = user;
	void *p;

	if (!nsize) {
		a->live -= ptr ? osize : 0;
		free(ptr);
		return NULL;
	}
	if (++a->calls == a->fail_at)
		return NULL;
	p = realloc(ptr, nsize);
	if (p)
		a->live += nsize - (ptr ? osize : 0);
	return p;
}

static void runtime_gives_all_back_to_the_hosts_allocator(void **state)
{
	struct arena arena = { 0 };
	struct tenon_runtime_opts opts = { .sz = sizeof(opts),
					   .alloc = count_alloc,
					   .alloc_user = &arena };
	struct tenon_runtime *rt = new_runtime(&opts);

	(void)state;
	assert_true(whole_life(rt));
	assert_true(arena.live > 0);
	assert_ok(tenon_runtime_free(rt));
	assert_int_equal(arena.live, 0);
}

static void runtime_new_survives_each_allocation_failing(void **state)
{
	size_t n;

	(void)state;
	for (n = 1; n < 100; n++) {
		struct arena arena = { .fail_at = n };
		struct tenon_runtime_opts opts = { .sz = sizeof(opts),
						   .alloc = count_alloc,
						   .alloc_user = &arena };
		struct tenon_runtime *rt = tenon_runtime_new(&opts);

		if (rt) {
			assert_ok(tenon_runtime_free(rt));
			assert_int_equal(arena.live, 0);
			break;
		}
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(arena.live, 0);
	}
	assert_in_range(n, 2, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_raw_bytecode_survives_each_allocation_failing),
		cmocka_unit_test(life_of_a_file_survives_each_allocation_failing),
		cmocka_unit_test(life_of_a_holder_survives_each_allocation_failing),
		cmocka_unit_test(life_of_shared_maps_survives_each_allocation_failing),
		cmocka_unit_test(life_of_an_arena_survives_each_allocation_failing),
		cmocka_unit_test(life_of_a_thrower_survives_each_allocation_failing),
		cmocka_unit_test(life_of_a_struct_survives_each_allocation_failing),
		cmocka_unit_test(runtime_gives_all_back_to_the_hosts_allocator),
		cmocka_unit_test(runtime_new_survives_each_allocation_failing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
