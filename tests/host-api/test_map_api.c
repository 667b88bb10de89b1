/* SPDX-License-Identifier: MIT */
/* Maps and ring buffers from the host's side, and prog arrays between programs. */
#include <linux/bpf.h>
#include <poll.h>

#include "host.h"
#include "host-api/runtime.h"

static struct tenon_runtime *rt;
static struct tenon_hook hook;

static int setup(void **state)
{
	(void)state;
	rt = new_runtime(NULL);
	add_hook(rt, &hook, "h", TENON_CHAIN_LAST, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tenon_runtime_free(rt);
}

static struct tenon_map *new_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries)
{
	struct tenon_map *map = tenon_map_new(rt, type, "m", key, value, entries, NULL);

	if (!map)
		fail_msg("map: %s", tenon_last_error()->msg);
	return map;
}

static uint64_t fire(uint32_t in)
{
	struct test_ctx ctx = { .in = in };

	return tenon_hook_fire(&hook, &ctx);
}

static void elements_come_and_go(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 10);
	uint32_t key = 1, next;
	uint64_t value = 5, got = 0;

	(void)state;
	assert_int_equal(tenon_map_lookup_elem(map, &key, 4, &got, 8, 0), -ENOENT);
	assert_ok(tenon_map_update_elem(map, &key, 4, &value, 8, BPF_NOEXIST));
	assert_int_equal(tenon_map_update_elem(map, &key, 4, &value, 8, BPF_NOEXIST), -EEXIST);
	assert_ok(tenon_map_lookup_elem(map, &key, 4, &got, 8, 0));
	assert_int_equal(got, 5);
	assert_ok(tenon_map_get_next_key(map, NULL, &next, 4));
	assert_int_equal(next, 1);
	assert_int_equal(tenon_map_get_next_key(map, &key, &next, 4), -ENOENT);
	assert_ok(tenon_map_lookup_and_delete_elem(map, &key, 4, &got, 8, 0));
	assert_int_equal(tenon_map_delete_elem(map, &key, 4, 0), -ENOENT);
	tenon_map_free(map);
}

static void sizes_must_match(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 10);
	uint64_t buf[2] = { 0 };

	(void)state;
	assert_int_equal(tenon_map_lookup_elem(map, buf, 8, buf, 8, 0), -EINVAL);
	assert_words("key");
	assert_int_equal(tenon_map_update_elem(map, buf, 4, buf, 4, 0), -EINVAL);
	assert_words("expected 8");
	assert_int_equal(tenon_map_delete_elem(map, NULL, 4, 0), -EINVAL);
	assert_int_equal(tenon_map_get_next_key(map, NULL, NULL, 4), -EINVAL);
	assert_int_equal(tenon_map_lookup_elem(NULL, buf, 4, buf, 8, 0), -EINVAL);
}

static void batch_reads_all_in_parts(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 100);
	uint32_t keys[7], count, i, seen = 0, *prev = NULL, last;
	uint64_t values[7], sum = 0;
	int rc;

	(void)state;
	for (i = 1; i <= 20; i++) {
		values[0] = i;
		assert_ok(tenon_map_update_elem(map, &i, 4, &values[0], 8, 0));
	}
	do {
		count = 7;
		rc = tenon_map_lookup_batch(map, prev, keys, 4, values, 8, &count);
		for (i = 0; i < count; i++) {
			assert_int_equal(keys[i], values[i]);
			sum += values[i];
		}
		seen += count;
		if (count) {
			last = keys[count - 1];
			prev = &last;
		}
	} while (!rc);
	assert_int_equal(rc, -ENOENT);
	assert_int_equal(seen, 20);
	assert_int_equal(sum, 210);
}

static void batches_write_take_and_count(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 10);
	uint32_t keys[12], count = 12;
	uint64_t values[12];

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		keys[i] = i;
		values[i] = 100 + i;
	}
	/* Up to the one that fails. */
	assert_int_equal(tenon_map_update_batch(map, keys, 4, values, 8, &count, BPF_ANY), -E2BIG);
	assert_int_equal(count, 10);
	count = 3;
	assert_int_equal(tenon_map_update_batch(map, keys, 4, values, 8, &count, BPF_NOEXIST),
			 -EINVAL);
	assert_int_equal(count, 0);
	count = 4;
	assert_ok(tenon_map_delete_batch(map, keys, 4, &count));
	assert_int_equal(count, 4);
	count = 4;
	assert_int_equal(tenon_map_delete_batch(map, keys, 4, &count), -ENOENT);
	assert_int_equal(count, 0);
	count = 5;
	assert_ok(tenon_map_lookup_and_delete_batch(map, NULL, keys, 4, values, 8, &count));
	assert_int_equal(count, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(values[i], 100 + keys[i]);
	count = 5;
	assert_int_equal(tenon_map_lookup_and_delete_batch(map, NULL, keys, 4, values, 8, &count),
			 -ENOENT);
	assert_int_equal(count, 1);
	assert_int_equal(tenon_map_delete_batch(map, keys, 4, NULL), -EINVAL);
	assert_int_equal(tenon_map_update_batch(map, keys, 4, values, 4, &count, 0), -EINVAL);
}

/* The key that a batch ended with is deleted, and many others: the rest comes, once. */
static void batch_goes_on_behind_a_deleted_key(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_HASH, 4, 8, 1000);
	uint32_t keys[10], count, last = 0;
	uint8_t seen[1000] = { 0 };
	uint64_t values[10];
	bool first = true;
	int rc;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_ok(tenon_map_update_elem(map, &i, 4, &values[0], 8, 0));
	do {
		count = 10;
		rc = tenon_map_lookup_batch(map, first ? NULL : &last, keys, 4, values, 8, &count);
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(seen[keys[i]]++, 0);
			last = keys[i];
			assert_ok(tenon_map_delete_elem(map, &keys[i], 4, 0));
		}
	} while (!rc);
	assert_int_equal(rc, -ENOENT);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 1);
}

static void per_slot_values_are_read_side_by_side(void **state)
{
	struct tenon_runtime_opts opts = { .sz = sizeof(opts), .max_slots = 4 };
	struct tenon_runtime *own = new_runtime(&opts);
	struct tenon_map *map = tenon_map_new(own, BPF_MAP_TYPE_PERCPU_ARRAY, "m", 4, 4, 1, NULL);
	struct tenon_map_info info = { .sz = sizeof(info) };
	uint64_t values[4];
	uint32_t key = 0;

	(void)state;
	assert_non_null(map);
	assert_ok(tenon_map_info(map, &info));
	assert_int_equal(info.host_value_size, sizeof(values));
	assert_ok(tenon_map_lookup_elem(map, &key, 4, values, sizeof(values), 0));
	assert_int_equal(values[0] | values[1] | values[2] | values[3], 0);
	assert_int_equal(tenon_map_lookup_elem(map, &key, 4, values, 4, 0), -EINVAL);
	assert_ok(tenon_runtime_free(own));
}

static void array_lies_open_to_the_host(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 4);
	struct tenon_map *hash = new_map(BPF_MAP_TYPE_HASH, 4, 8, 4);
	uint32_t key = 2;
	uint64_t *data, value;
	size_t size;

	(void)state;
	data = tenon_map_data(map, &size);
	assert_non_null(data);
	assert_int_equal(size, 32);
	data[2] = 9;
	assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
	assert_int_equal(value, 9);
	assert_null(tenon_map_data(hash, &size));
	assert_int_equal(errno, ENOTSUP);
}

static void frozen_map_is_read_only_for_the_host(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	uint32_t key = 0;
	uint64_t value = 1;

	(void)state;
	assert_ok(tenon_map_freeze(map));
	assert_int_equal(tenon_map_update_elem(map, &key, 4, &value, 8, 0), -EPERM);
	assert_ok(tenon_map_lookup_elem(map, &key, 4, &value, 8, 0));
}

static void program_keeps_a_map_that_the_host_freed(void **state)
{
	struct tenon_map *map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	struct tenon_object *obj;

	(void)state;
	obj = open_text(rt, "h", 0, &map, 1,
			"r1 = 0\n*(u32 *)(r10 -4) = r1\n"
			"r2 = r10\nr2 += -4\n"
			"r1 = map[0] ll\n"
			"call 1\n"
			"if r0 == 0 goto none\n"
			"r1 = *(u64 *)(r0 +0)\n"
			"r1 += 1\n"
			"*(u64 *)(r0 +0) = r1\n"
			"r0 = r1\n"
			"exit\n"
			"none:\n" RETURN(0),
			NULL);
	assert_non_null(obj);
	tenon_map_free(map);
	assert_ok(tenon_object_load(obj));
	assert_ok(tenon_object_attach(obj));
	assert_int_equal(fire(0), 1);
	assert_int_equal(fire(0), 2);
}

static void map_of_another_runtime_is_refused(void **state)
{
	struct tenon_runtime *own = new_runtime(NULL);
	struct tenon_map *map = tenon_map_new(own, BPF_MAP_TYPE_ARRAY, "m", 4, 8, 1, NULL);

	(void)state;
	assert_null(open_text(rt, "h", 0, &map, 1, RETURN(0), NULL));
	assert_int_equal(errno, EINVAL);
	assert_ok(tenon_runtime_free(own));
}

/* ---- Prog arrays ---- */

#define TAIL_CALL                \
	"r6 = r1\n"              \
	"r3 = *(u32 *)(r1 +0)\n" \
	"r2 = map[0] ll\n"       \
	"call 12\n" RETURN(100)

static struct tenon_object *plug_caller(struct tenon_map *array, enum tenon_engine engine)
{
	struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine };
	struct tenon_object *obj = open_text(rt, "h", 0, &array, 1, TAIL_CALL, &opts);

	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
	return obj;
}

static void tail_call_runs_the_program_in_the_array(void **state)
{
	struct tenon_object *target = load_text(rt, "h", RETURN(7));
	uint32_t id = tenon_program_id(first_program(target)), key = 1, got;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct tenon_map *array = new_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4);
		struct tenon_object *caller = plug_caller(array, engine_at(i));

		assert_ok(tenon_map_update_elem(array, &key, 4, &id, 4, 0));
		assert_ok(tenon_map_lookup_elem(array, &key, 4, &got, 4, 0));
		assert_int_equal(got, id);
		assert_int_equal(fire(1), 7);
		assert_int_equal(fire(2), 100);
		assert_int_equal(fire(9), 100);
		assert_ok(tenon_map_delete_elem(array, &key, 4, 0));
		assert_int_equal(fire(1), 100);
		assert_ok(tenon_object_close(caller));
		tenon_map_free(array);
	}
}

static void self_tail_call_ends_after_33(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct tenon_object_open_opts opts = { .sz = sizeof(opts), .engine = engine_at(i) };
		struct tenon_map *array = new_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1);
		struct tenon_object *obj;
		struct test_ctx ctx = { 0 };
		uint32_t key = 0, id;

		obj = open_text(rt, "h", 0, &array, 1,
				"r6 = r1\n"
				"r2 = *(u32 *)(r1 +4)\nr2 += 1\n*(u32 *)(r1 +4) = r2\n"
				"r2 = map[0] ll\nr3 = 0\n"
				"call 12\n" RETURN(55),
				&opts);
		assert_non_null(obj);
		assert_ok(tenon_object_load(obj));
		assert_ok(tenon_object_attach(obj));
		id = tenon_program_id(first_program(obj));
		assert_ok(tenon_map_update_elem(array, &key, 4, &id, 4, 0));
		assert_int_equal(tenon_hook_fire(&hook, &ctx), 55);
		assert_int_equal(ctx.out, 34);
		/* The cycle between program and array is broken when the last handle goes. */
		assert_ok(tenon_object_close(obj));
		tenon_map_free(array);
	}
}

static void prog_array_refuses_programs_of_another_kind(void **state)
{
	struct tenon_map *array = new_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4);
	struct tenon_object *raw = open_text(rt, NULL, 8, NULL, 0, RETURN(1), NULL), *other;
	uint32_t id, key = 0;

	(void)state;
	plug_caller(array, TENON_ENGINE_AUTO);
	assert_ok(tenon_object_load(raw));
	id = tenon_program_id(first_program(raw));
	assert_int_equal(tenon_map_update_elem(array, &key, 4, &id, 4, 0), -EINVAL);
	id = 0xffffff;
	assert_true(tenon_map_update_elem(array, &key, 4, &id, 4, 0) < 0);
	other = open_text(rt, NULL, 8, &array, 1, "r2 = map[0] ll\nr3 = 0\ncall 12\n" RETURN(0),
			  NULL);
	assert_non_null(other);
	assert_int_equal(tenon_object_load(other), -EINVAL);
	assert_words("another context");
}

/* ---- Ring buffers ---- */

#define EMIT                      \
	"r2 = *(u32 *)(r1 +0)\n"  \
	"*(u64 *)(r10 -8) = r2\n" \
	"r1 = map[0] ll\n"        \
	"r2 = r10\nr2 += -8\n"    \
	"r3 = 8\nr4 = 0\n"        \
	"call 130\n"              \
	"exit\n"

static int take_sample(void *user, void *data, size_t size)
{
	uint64_t *sum = user;

	assert_int_equal(size, 8);
	*sum += *(uint64_t *)data;
	return *(uint64_t *)data == 13 ? -ECANCELED : 0;
}

static struct tenon_map *plug_emitter(void)
{
	struct tenon_map *ring = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	struct tenon_object *obj = open_text(rt, "h", 0, &ring, 1, EMIT, NULL);

	if (!obj || tenon_object_load(obj) || tenon_object_attach(obj))
		fail_msg("%s", tenon_last_error()->msg);
	return ring;
}

static void samples_reach_the_consumer(void **state)
{
	struct tenon_map *ring = plug_emitter();
	uint64_t sum = 0;
	struct tenon_ring_buffer *rb = tenon_ring_buffer_new(ring, take_sample, &sum);
	struct pollfd pfd = { .events = POLLIN };

	(void)state;
	assert_non_null(rb);
	pfd.fd = tenon_ring_buffer_fd(rb);
	assert_int_equal(tenon_ring_buffer_poll(rb, 0), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	fire(1);
	fire(2);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(tenon_ring_buffer_poll(rb, -1), 2);
	assert_int_equal(sum, 3);
	fire(13);
	assert_int_equal(tenon_ring_buffer_consume(rb), -ECANCELED);
	assert_int_equal(tenon_ring_buffer_poll(rb, 1), 0);
	assert_int_equal(tenon_runtime_free(rt), -EBUSY);
	tenon_ring_buffer_free(rb);
}

static void ring_tells_what_is_in_it_and_what_found_no_room(void **state)
{
	struct tenon_map *ring = plug_emitter(), *array = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	struct tenon_ring_info info = { .sz = sizeof(info) };
	uint64_t sum = 0, fit;
	struct tenon_ring_buffer *rb = tenon_ring_buffer_new(ring, take_sample, &sum);

	(void)state;
	assert_int_equal(tenon_map_ring_info(array, &info), -EINVAL);
	assert_int_equal(tenon_map_ring_info(ring, NULL), -EINVAL);
	assert_ok(tenon_map_ring_info(ring, &info));
	assert_int_equal(info.avail, 0);
	assert_int_equal(info.dropped, 0);
	fire(1);
	assert_ok(tenon_map_ring_info(ring, &info));
	assert_int_equal(info.avail, 16);
	assert_int_equal(info.producer_pos, 16);
	fit = (info.size - 1) / 16;
	for (uint64_t i = 1; i < fit + 3; i++)
		fire(1);
	assert_ok(tenon_map_ring_info(ring, &info));
	assert_int_equal(info.dropped, 3);
	assert_int_equal(tenon_ring_buffer_consume(rb), fit);
	assert_ok(tenon_map_ring_info(ring, &info));
	assert_int_equal(info.avail, 0);
	assert_int_equal(info.consumer_pos, fit * 16);
	assert_int_equal(info.dropped, 3);
	tenon_ring_buffer_free(rb);
}

static void two_rings_share_a_consumer(void **state)
{
	struct tenon_map *ring = plug_emitter(), *other = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	struct tenon_map *array = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	uint64_t sum = 0;
	struct tenon_ring_buffer *rb = tenon_ring_buffer_new(other, take_sample, &sum);

	(void)state;
	assert_ok(tenon_ring_buffer_add(rb, ring, take_sample, &sum));
	assert_int_equal(tenon_ring_buffer_add(rb, array, take_sample, &sum), -EINVAL);
	assert_null(tenon_ring_buffer_new(array, take_sample, &sum));
	assert_null(tenon_ring_buffer_new(NULL, take_sample, &sum));
	fire(4);
	assert_int_equal(tenon_ring_buffer_poll(rb, -1), 1);
	assert_int_equal(sum, 4);
	tenon_ring_buffer_free(rb);
}

/* Nothing but elements changes: what they held is freed all the same. */
static void maps_that_elements_held_do_not_pile_up(void **state)
{
	struct tenon_map *shape = tenon_map_new(rt, BPF_MAP_TYPE_ARRAY, "shape", 4, 8, 1, NULL);
	struct tenon_map_opts opts = { .sz = sizeof(opts), .inner = shape };
	struct tenon_map *outer = tenon_map_new(rt, BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", 4, 4, 1,
						&opts);
	size_t before = 0, after;

	(void)state;
	assert_non_null(outer);
	for (uint32_t i = 0, zero = 0; i < 1000; i++) {
		struct tenon_map *inner = tenon_map_new(rt, BPF_MAP_TYPE_ARRAY, "inner", 4, 8, 1,
							NULL);
		uint32_t id = tenon_map_id(inner);

		assert_ok(tenon_map_update_elem(outer, &zero, 4, &id, 4, 0));
		tenon_map_free(inner);
		if (i == 10)
			before = tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_MAPS]);
	}
	after = tn_load_relaxed(&rt->rt.mem.bytes[TN_CHARGE_MAPS]);
	assert_true(after <= before + 10 * 8);
	tenon_map_free(outer);
	tenon_map_free(shape);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(elements_come_and_go),
		TEST(sizes_must_match),
		TEST(batch_reads_all_in_parts),
		TEST(batches_write_take_and_count),
		TEST(batch_goes_on_behind_a_deleted_key),
		TEST(per_slot_values_are_read_side_by_side),
		TEST(array_lies_open_to_the_host),
		TEST(frozen_map_is_read_only_for_the_host),
		TEST(program_keeps_a_map_that_the_host_freed),
		TEST(map_of_another_runtime_is_refused),
		TEST(tail_call_runs_the_program_in_the_array),
		TEST(self_tail_call_ends_after_33),
		TEST(prog_array_refuses_programs_of_another_kind),
		TEST(maps_that_elements_held_do_not_pile_up),
		TEST(samples_reach_the_consumer),
		TEST(ring_tells_what_is_in_it_and_what_found_no_room),
		TEST(two_rings_share_a_consumer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
