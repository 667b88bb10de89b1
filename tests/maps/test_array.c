/* SPDX-License-Identifier: MIT */
#include "maps/testing.h"

static uint64_t *at(struct tn_map *map, uint32_t index, uint32_t slot)
{
	return map->ops->lookup(map, &index, slot);
}

static void array_begins_zeroed_and_keeps_what_is_stored(void **state)
{
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 8, 3);
	uint64_t value = 7, out = 1;

	(void)state;
	assert_int_equal(*at(map, 2, 0), 0);
	assert_int_equal(map->ops->update(map, &(uint32_t){ 2 }, &value, TN_MAP_ANY, 0), 0);
	assert_int_equal(tn_map_host_lookup(map, &(uint32_t){ 2 }, &out, 0), 0);
	assert_int_equal(out, 7);
	assert_null(at(map, 3, 0));
	assert_null(at(map, UINT32_MAX, 0));
	assert_int_equal(map->ops->count(map), 3);
	tn_map_put(map);
}

static void array_values_are_where_the_jit_computes_them(void **state)
{
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 12, 5);
	struct tn_map *per_slot = new_map(TN_MAP_PERCPU_ARRAY, 4, 12, 5);

	(void)state;
	assert_int_equal(map->value_stride, 16);
	assert_ptr_equal(at(map, 4, 0), map->values + 4 * 16);
	assert_ptr_equal(at(per_slot, 4, 3), per_slot->values + 3 * per_slot->slot_stride + 4 * 16);
	assert_int_equal(per_slot->slot_stride % 128, 0);
	tn_map_put(map);
	tn_map_put(per_slot);
}

static void array_copies_exactly_its_value_size(void **state)
{
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 13, 2);
	unsigned char in[14], out[14];

	(void)state;
	memset(in, 0xab, sizeof(in));
	memset(out, 0xcd, sizeof(out));
	assert_int_equal(tn_map_host_update(map, &(uint32_t){ 0 }, in, 0), 0);
	assert_int_equal(tn_map_host_lookup(map, &(uint32_t){ 0 }, out, 0), 0);
	assert_memory_equal(in, out, 13);
	assert_int_equal(out[13], 0xcd);
	assert_int_equal(*at(map, 1, 0), 0);
	tn_map_put(map);
}

static void per_slot_array_keeps_slots_apart(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_ARRAY, 4, 4, 2);
	uint32_t value = 5;
	uint64_t all[4] = { 9, 9, 9, 9 };

	(void)state;
	assert_int_equal(map->ops->update(map, &(uint32_t){ 1 }, &value, 0, 2), 0);
	*at(map, 1, 3) = 6;
	assert_int_equal(tn_map_host_lookup(map, &(uint32_t){ 1 }, all, 0), 0);
	assert_int_equal(all[0], 0);
	assert_int_equal(all[1], 0);
	assert_int_equal(all[2], 5);
	assert_int_equal(all[3], 6);
	tn_map_put(map);
}

static void per_slot_array_takes_all_values_from_the_host(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_ARRAY, 4, 8, 2);
	uint64_t in[4] = { 1, 0, 3, 4 }, out[4] = { 0 };
	size_t part = map->slot_stride;

	(void)state;
	assert_int_equal(map->charged, part);
	assert_int_equal(tn_map_host_update(map, &(uint32_t){ 0 }, in, 0), 0);
	/* Slot 1 was given a zero, which costs nothing. */
	assert_int_equal(map->charged, 3 * part);
	assert_int_equal(*at(map, 0, 2), 3);
	memset(in, 0, sizeof(in));
	assert_int_equal(tn_map_host_update(map, &(uint32_t){ 0 }, in, 0), 0);
	assert_int_equal(tn_map_host_lookup(map, &(uint32_t){ 0 }, out, 0), 0);
	assert_memory_equal(in, out, sizeof(in));
	tn_map_put(map);
}

static void per_slot_array_refuses_host_values_it_cannot_charge(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_ARRAY, 4, 8, 2);
	uint64_t in[4] = { 1, 0, 0, 0 }, out[4];

	(void)state;
	test_rt.mem.limit[TN_CHARGE_MAPS] = map->charged;
	assert_int_equal(tn_map_host_update(map, &(uint32_t){ 0 }, in, 0), -ENOMEM);
	assert_int_equal(tn_map_host_lookup(map, &(uint32_t){ 0 }, out, 0), 0);
	assert_int_equal(out[0], 0);
	tn_map_put(map);
}

static void next_key_visits_every_index_once(void **state)
{
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 8, 5);
	uint32_t key, n = 0;
	int err = tn_map_next_key(map, NULL, &key);

	(void)state;
	for (; !err; err = tn_map_next_key(map, &key, &key))
		assert_int_equal(key, n++);
	assert_int_equal(err, -ENOENT);
	assert_int_equal(n, 5);
	tn_map_put(map);
}

static int store_into_constant(void *map)
{
	*at(map, 0, 0) = 1;
	return 0;
}

static void frozen_map_read_only_to_programs_becomes_constant(void **state)
{
	struct tn_map *map = try_map(TN_MAP_ARRAY, 4, 8, 1, TN_MAP_F_RDONLY_PROG);
	uint64_t value = 42;

	(void)state;
	assert_int_equal(tn_map_host_update(map, &(uint32_t){ 0 }, &value, 0), 0);
	assert_int_equal(tn_map_make_const(map), 0);
	assert_false(map->const_for_programs);
	assert_int_equal(tn_map_freeze(map), 0);
	assert_int_equal(tn_map_make_const(map), 0);
	assert_true(map->const_for_programs);
	assert_int_equal(*at(map, 0, 0), 42);
	assert_int_not_equal(in_child(store_into_constant, map), 0);
	tn_map_put(map);
}

static void frozen_map_that_programs_write_stays_writable(void **state)
{
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 8, 1);

	(void)state;
	assert_int_equal(tn_map_freeze(map), 0);
	assert_int_equal(tn_map_make_const(map), 0);
	assert_false(map->const_for_programs);
	*at(map, 0, 0) = 1;
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(array_begins_zeroed_and_keeps_what_is_stored),
		TEST(array_values_are_where_the_jit_computes_them),
		TEST(array_copies_exactly_its_value_size),
		TEST(per_slot_array_keeps_slots_apart),
		TEST(per_slot_array_takes_all_values_from_the_host),
		TEST(per_slot_array_refuses_host_values_it_cannot_charge),
		TEST(next_key_visits_every_index_once),
		TEST(frozen_map_read_only_to_programs_becomes_constant),
		TEST(frozen_map_that_programs_write_stays_writable),
	};

	return cmocka_run_group_tests_name("maps/array", tests, NULL, NULL);
}
