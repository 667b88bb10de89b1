/* SPDX-License-Identifier: MIT */
#include "maps/testing.h"

static void create_names_the_map_and_the_reason_on_error(void **state)
{
	(void)state;
	assert_null(try_map(TN_MAP_HASH, 0, 8, 2, 0));
	assert_int_equal(errno, EINVAL);
	assert_string_equal(tn_err_last()->msg, "map 'm': key size is 0");
	assert_null(try_map(4711, 4, 8, 2, 0));
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(tn_err_last()->msg, "type 4711 is not supported"));
}

static void create_shortens_a_long_name(void **state)
{
	char name[200];
	struct tn_map_attr attr = { .type = TN_MAP_ARRAY,
				    .key_size = 4,
				    .value_size = 8,
				    .max_entries = 1,
				    .flags = 0,
				    .name = name };
	struct tn_map *map;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	map = tn_map_create(&test_rt, &attr);
	assert_int_equal(strlen(map->name), TN_MAP_NAME_BYTES - 1);
	tn_map_put(map);
	attr.name = NULL;
	map = tn_map_create(&test_rt, &attr);
	assert_string_equal(map->name, "");
	tn_map_put(map);
}

static void ids_are_never_the_same(void **state)
{
	struct tn_map *a = new_map(TN_MAP_ARRAY, 4, 8, 1), *b = new_map(TN_MAP_HASH, 4, 8, 1);

	(void)state;
	assert_int_not_equal(a->id, b->id);
	tn_map_put(a);
	tn_map_put(b);
}

static void type_words_name_known_types_alone(void **state)
{
	(void)state;
	assert_string_equal(tn_map_type_words(TN_MAP_PERCPU_HASH), "percpu_hash");
	assert_null(tn_map_type_words(200));
}

static void put_of_the_last_reference_frees_after_readers_left(void **state)
{
	struct tn_thread *t = tn_thread_self();
	struct tn_map *map = new_map(TN_MAP_ARRAY, 4, 8, 1);
	uint64_t *value;

	(void)state;
	tn_map_put(tn_map_get(map));
	tn_epoch_enter(t);
	value = map->ops->lookup(map, &(uint32_t){ 0 }, 0);
	tn_map_put(map);
	tn_epoch_reclaim();
	*value = 1;
	tn_epoch_leave(t);
	assert_int_equal(tn_epoch_drain(), 0);
	assert_int_equal(tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]), 0);
	tn_map_put(NULL);
}

static void limit_of_map_bytes_refuses_a_map(void **state)
{
	struct tn_map *small;

	(void)state;
	test_rt.mem.limit[TN_CHARGE_MAPS] = 100000;
	small = new_map(TN_MAP_ARRAY, 4, 8, 1000);
	assert_int_equal(small->charged, 8000);
	assert_null(try_map(TN_MAP_ARRAY, 4, 100000, 1, 0));
	assert_int_equal(errno, E2BIG);
	assert_non_null(strstr(tn_err_last()->msg, "map 'm': 100000 bytes exceed"));
	assert_null(try_map(TN_MAP_HASH, 4, 8, 10000, 0));
	assert_int_equal(errno, E2BIG);
	assert_null(try_map(TN_MAP_HASH, 4, 1u << 20, UINT32_MAX, 0));
	assert_int_equal(errno, E2BIG);
	tn_map_put(small);
}

/* Every allocation of a create fails once; it says so and leaves nothing. */
static void create_fails_cleanly_without_memory(void **state)
{
	static const uint32_t types[] = { TN_MAP_ARRAY,	   TN_MAP_PERCPU_ARRAY,
					  TN_MAP_HASH,	   TN_MAP_PERCPU_HASH,
					  TN_MAP_LRU_HASH, TN_MAP_LRU_PERCPU_HASH };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		size_t heap = tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_HEAP]);
		struct tn_map *map = NULL;
		int n;

		for (n = 1; !map; n++) {
			tn_store_relaxed(&test_rt.mem.fail_after, n);
			map = try_map(types[i], 4, 8, 10, 0);
			if (!map)
				assert_int_equal(errno, ENOMEM);
			if (!map)
				assert_int_equal(
					tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_HEAP]), heap);
		}
		assert_in_range(n, 3, 6);
		tn_store_relaxed(&test_rt.mem.fail_after, 0);
		tn_map_put(map);
		assert_int_equal(tn_epoch_drain(), 0);
		assert_int_equal(tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]), 0);
	}
}

/* ---- Slots: four, of which the last is shared ---- */

static void be_in_a_slot(struct actor *a)
{
	a->result = tn_slot(&test_rt, a->thread);
}

static void per_slot_maps_are_charged_for_slots_in_use_alone(void **state)
{
	struct actor a = { .begin = be_in_a_slot };
	struct tn_map *map, *later;
	size_t part;

	(void)state;
	assert_int_equal(tn_slot(&test_rt, tn_thread_self()), 0);
	map = new_map(TN_MAP_PERCPU_ARRAY, 4, 8, 1000);
	part = map->slot_stride;
	assert_int_equal(map->charged, 2 * part);
	actor_start(&a);
	assert_int_equal(a.result, 1);
	assert_int_equal(map->charged, 3 * part);
	later = new_map(TN_MAP_PERCPU_ARRAY, 4, 8, 1000);
	assert_int_equal(later->charged, 3 * part);
	actor_finish(&a);
	assert_int_equal(tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]), 6 * part);
	tn_map_put(map);
	tn_map_put(later);
}

static void a_slot_that_cannot_be_charged_is_not_handed_out(void **state)
{
	struct actor a = { .begin = be_in_a_slot };
	struct tn_map *map, *hash;
	size_t charged;

	(void)state;
	assert_int_equal(tn_slot(&test_rt, tn_thread_self()), 0);
	map = new_map(TN_MAP_PERCPU_ARRAY, 4, 8, 1000);
	hash = new_map(TN_MAP_PERCPU_HASH, 4, 8, 10);
	charged = tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]);
	test_rt.mem.limit[TN_CHARGE_MAPS] = charged + map->slot_stride;
	actor_start(&a);
	actor_finish(&a);
	assert_int_equal(a.result, 3);
	assert_int_equal(tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]), charged);
	tn_map_put(map);
	tn_map_put(hash);
}

static void host_value_size_counts_slots(void **state)
{
	struct tn_map *array = new_map(TN_MAP_ARRAY, 4, 12, 1);
	struct tn_map *per_slot = new_map(TN_MAP_PERCPU_ARRAY, 4, 12, 1);

	(void)state;
	assert_int_equal(tn_map_host_value_size(array), 12);
	assert_int_equal(tn_map_host_value_size(per_slot), 16 * 4);
	assert_false(tn_map_is_per_slot(array));
	assert_true(tn_map_is_per_slot(per_slot));
	tn_map_put(array);
	tn_map_put(per_slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(create_names_the_map_and_the_reason_on_error),
		TEST(create_shortens_a_long_name),
		TEST(ids_are_never_the_same),
		TEST(type_words_name_known_types_alone),
		TEST(put_of_the_last_reference_frees_after_readers_left),
		TEST(limit_of_map_bytes_refuses_a_map),
		TEST(create_fails_cleanly_without_memory),
		TEST(per_slot_maps_are_charged_for_slots_in_use_alone),
		TEST(a_slot_that_cannot_be_charged_is_not_handed_out),
		TEST(host_value_size_counts_slots),
	};

	return cmocka_run_group_tests_name("maps/map", tests, NULL, NULL);
}
