/* SPDX-License-Identifier: MIT */
#include "maps/testing.h"

#include "maps/hash_core.h"

static int put(struct tn_map *map, uint64_t key, uint64_t value)
{
	return map->ops->update(map, &key, &value, TN_MAP_ANY, 0);
}

static uint64_t *get(struct tn_map *map, uint64_t key)
{
	return map->ops->lookup(map, &key, 0);
}

static int del(struct tn_map *map, uint64_t key)
{
	return map->ops->del(map, &key);
}

/* The cache line that a lookup fetches before it knows. */
static void most_elements_lie_in_the_line_that_is_fetched_ahead(void **state)
{
	static const struct {
		uint32_t key, value, mask, least; /* of 100 */
	} rows[] = { { 8, 8, 12, 80 }, { 8, 16, 14, 50 }, { 8, 120, 15, 30 }, { 4, 56, 15, 30 } };
	enum { ENTRIES = 10000 };

	(void)state;
	for (uint32_t r = 0; r < TN_ARRAY_SIZE(rows); r++) {
		struct tn_map *map = new_map(TN_MAP_HASH, rows[r].key, rows[r].value, ENTRIES);
		const struct tn_hash *h = (const struct tn_hash *)(const void *)map;
		static const unsigned char value[128];
		uint32_t near = 0;

		assert_int_equal((uintptr_t)h->elems % TN_HASH_LINE_BYTES, 0);
		assert_int_equal(h->near_mask, rows[r].mask);
		for (uint64_t i = 0; i < ENTRIES; i++)
			assert_int_equal(map->ops->update(map, &i, value, TN_MAP_ANY, 0), 0);
		for (uint64_t i = 0; i < ENTRIES; i++) {
			uint64_t key[2] = { i, 0 }, hash = tn_hash_of(h, key);
			const unsigned char *at = map->ops->lookup(map, key, 0);
			uint32_t slot = (uint32_t)((size_t)(at - h->elems) / h->elem_stride) %
					TN_HASH_GROUP_SLOTS;

			near += (slot & h->near_mask) == tn_hash_near(h, hash);
		}
		assert_in_range(near, ENTRIES / 100 * rows[r].least, ENTRIES);
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

static void update_leaves_the_old_copy_to_who_holds_it(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 10);
	uint64_t *old;

	(void)state;
	assert_int_equal(put(map, 1, 100), 0);
	old = get(map, 1);
	assert_int_equal(put(map, 1, 200), 0);
	assert_int_equal(*old, 100);
	assert_int_equal(*get(map, 1), 200);
	tn_map_put(map);
}

static void removed_element_waits_while_spares_last(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 800);
	const struct tn_hash *h = (const struct tn_hash *)(const void *)map;
	struct tn_hash_stats stats;
	uint64_t *old;

	(void)state;
	assert_in_range(h->nr_spares, 100, 110);
	assert_int_equal(put(map, 1, 100), 0);
	old = get(map, 1);
	assert_int_equal(del(map, 1), 0);
	for (uint64_t i = 0; i < h->nr_spares - 1; i++) {
		assert_int_equal(put(map, 1000 + i, i), 0);
		assert_int_equal(del(map, 1000 + i), 0);
	}
	assert_int_equal(*old, 100);
	assert_hash_valid(map, &stats);
	assert_int_equal(stats.waiting, h->nr_spares);
	tn_map_put(map);
}

static void small_map_has_at_least_64_spares(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 1);
	const struct tn_hash *h = (const struct tn_hash *)(const void *)map;

	(void)state;
	assert_int_equal(h->nr_spares, 64);
	assert_true(h->nr_groups * TN_HASH_GROUP_SLOTS * 2 / 3 >= 1 + 64);
	tn_map_put(map);
}

static void large_values_cost_few_spares(void **state)
{
	static const struct {
		uint32_t value, max, spares, slots;
	} rows[] = {
		{ 1u << 20, 10, 4, 16 },  { 1u << 20, 1, 4, 6 },     { 1u << 20, 100, 13, 128 },
		{ 32u << 10, 10, 7, 20 }, { 4u << 10, 10, 63, 112 }, { 1u << 10, 10, 64, 112 },
	};

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(rows); i++) {
		struct tn_map *map = new_map(TN_MAP_HASH, 8, rows[i].value, rows[i].max);
		const struct tn_hash *h = (const struct tn_hash *)(const void *)map;

		assert_int_equal(h->nr_spares, rows[i].spares);
		assert_int_equal(h->nr_slots, rows[i].slots);
		assert_in_range(map->charged, (size_t)h->nr_slots * rows[i].value,
				(size_t)h->nr_slots * rows[i].value * 11 / 10);
		tn_map_put(map);
	}
}

/* With as few slots as there can be, and groups that end before their sixteenth. */
static void full_map_of_large_values_takes_updates_for_ever(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 10, 20, 60, 100 };
	static unsigned char value[64 << 10];

	(void)state;
	for (uint32_t s = 0; s < TN_ARRAY_SIZE(sizes); s++) {
		struct tn_map *map = new_map(TN_MAP_HASH, 8, sizeof(value), sizes[s]);
		const struct tn_hash *h = (const struct tn_hash *)(const void *)map;
		uint64_t *old[4] = { NULL };

		for (uint64_t i = 0; i < sizes[s]; i++)
			assert_int_equal(map->ops->update(map, &i, value, TN_MAP_ANY, 0), 0);
		assert_in_range(h->nr_spares, 4, 16);
		for (uint64_t i = 0; i < 2000; i++) {
			uint64_t key = i, next = i + sizes[s];

			if (old[i % 4])
				assert_int_equal(*old[i % 4], i - 4);
			old[i % 4] = get(map, key);
			memcpy(old[i % 4], &i, sizeof(i));
			assert_int_equal(del(map, key), 0);
			assert_int_equal(map->ops->update(map, &next, value, TN_MAP_NOEXIST, 0), 0);
		}
		assert_hash_valid(map, NULL);
		for (uint64_t i = 0; i < 2000; i++)
			assert_int_equal(
				map->ops->update(map, &(uint64_t){ 2000 }, value, TN_MAP_EXIST, 0),
				0);
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

/* One key's old copies fill its home group; it stays near home all the same, and each copy waits.
 */
static void key_that_is_updated_for_ever_stays_near_home(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 20000);
	uint64_t *old[64] = { NULL };
	struct tn_hash_stats stats;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++)
		assert_int_equal(put(map, i, i), 0);
	for (uint64_t i = 64; i < 100000; i++) {
		uint64_t **oldest = &old[i % 64];

		if (*oldest)
			assert_int_equal(**oldest, i - 64);
		assert_int_equal(put(map, 5, i), 0);
		*oldest = get(map, 5);
	}
	assert_hash_valid(map, &stats);
	assert_in_range(stats.max_probe, 1, 30);
	tn_map_put(map);
}

static void full_map_takes_delete_and_insert_and_updates_for_ever(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 5, 64, 1000 };

	(void)state;
	for (uint32_t s = 0; s < TN_ARRAY_SIZE(sizes); s++) {
		uint32_t max = sizes[s];
		struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, max);
		struct tn_hash_stats stats;

		for (uint64_t i = 0; i < max; i++)
			assert_int_equal(put(map, i, i), 0);
		for (uint64_t i = 0; i < 20000; i++) {
			assert_int_equal(put(map, i + max, 0), -E2BIG);
			assert_int_equal(del(map, i), 0);
			assert_int_equal(put(map, i + max, i), 0);
			assert_int_equal(put(map, i + max, i + 1), 0);
		}
		assert_hash_valid(map, &stats);
		assert_int_equal(stats.live, max);
		tn_map_put(map);
	}
}

/* Key of `size` bytes that ends (and begins) with the number. */
static void make_key(unsigned char *key, size_t size, uint32_t n)
{
	memset(key, 0x5a, size);
	memcpy(key + (size > 4 ? size - 4 : 0), &n, TN_MIN(size, 4u));
	if (size > 8)
		memcpy(key, &n, 4);
}

static void keys_of_every_size_are_told_apart(void **state)
{
	static const uint32_t more[] = { 100, 512, 513, 4000 };
	unsigned char buffer[4008], *key = buffer + 1; /* any alignment */

	(void)state;
	for (uint32_t i = 1; i < 40 + TN_ARRAY_SIZE(more); i++) {
		uint32_t size = i < 40 ? i : more[i - 40], nr = size == 1 ? 200 : 300;
		struct tn_map *map = new_map(TN_MAP_HASH, size, 4, nr);
		uint32_t *value;

		for (uint32_t n = 0; n < nr; n++) {
			make_key(key, size, n);
			assert_int_equal(map->ops->update(map, key, &n, TN_MAP_NOEXIST, 0), 0);
		}
		for (uint32_t n = 0; n < nr; n++) {
			make_key(key, size, n);
			value = map->ops->lookup(map, key, 0);
			assert_non_null(value);
			assert_int_equal(*value, n);
		}
		make_key(key, size, size == 1 ? 201 : 301);
		assert_null(map->ops->lookup(map, key, 0));
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

static void values_of_any_size_are_copied_exactly_and_aligned(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 7, 8, 9, 12, 100, 4096, 70000 };
	static unsigned char in[70001], out[70001];

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(sizes); i++) {
		struct tn_map *map = new_map(TN_MAP_HASH, 4, sizes[i], 3);
		uint32_t key = 7;
		void *value;

		memset(in, (int)i + 1, sizeof(in));
		memset(out, 0xee, sizeof(out));
		assert_int_equal(map->ops->update(map, &key, in, 0, 0), 0);
		value = map->ops->lookup(map, &key, 0);
		assert_int_equal((uintptr_t)value % 8, 0);
		assert_memory_equal(value, in, sizes[i]);
		assert_int_equal(tn_map_host_lookup(map, &key, out, 0), 0);
		assert_memory_equal(out, in, sizes[i]);
		assert_int_equal(out[sizes[i]], 0xee);
		tn_map_put(map);
	}
}

static void lookup_and_delete_gives_the_value_it_removes(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 4);
	uint64_t key = 3, value = 0;

	(void)state;
	assert_int_equal(put(map, 3, 33), 0);
	assert_int_equal(tn_map_host_lookup_and_delete(map, &key, &value, 0), 0);
	assert_int_equal(value, 33);
	assert_null(get(map, 3));
	assert_int_equal(map->ops->count(map), 0);
	tn_map_put(map);
}

/* ---- Iteration ---- */

static void next_key_visits_every_key_once_while_all_are_updated(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 2000);
	uint32_t visits = 0;
	uint64_t key;
	int err;

	(void)state;
	for (uint64_t i = 0; i < 2000; i++)
		assert_int_equal(put(map, i, 0), 0);
	for (err = tn_map_next_key(map, NULL, &key); !err; err = tn_map_next_key(map, &key, &key)) {
		assert_int_equal(*get(map, key), 0);
		assert_int_equal(put(map, key, 1), 0);
		assert_int_equal(put(map, key * 7 % 2000, *get(map, key * 7 % 2000)), 0);
		visits++;
	}
	assert_int_equal(err, -ENOENT);
	assert_int_equal(visits, 2000);
	tn_map_put(map);
}

static void next_key_of_a_deleted_key_restarts(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 100);
	uint64_t first, second, key;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(put(map, i, 0), 0);
	assert_int_equal(tn_map_next_key(map, NULL, &first), 0);
	assert_int_equal(tn_map_next_key(map, &first, &second), 0);
	assert_int_equal(del(map, second), 0);
	assert_int_equal(tn_map_next_key(map, &second, &key), 0);
	assert_int_equal(key, first);
	tn_map_put(map);
}

static void next_key_empties_a_map_that_is_deleted_on_the_way(void **state)
{
	struct tn_map *map = new_map(TN_MAP_HASH, 8, 8, 500);
	uint64_t key;
	uint32_t n = 0;

	(void)state;
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(put(map, i, 0), 0);
	while (!tn_map_next_key(map, NULL, &key)) {
		assert_int_equal(del(map, key), 0);
		n++;
	}
	assert_int_equal(n, 500);
	assert_int_equal(map->ops->count(map), 0);
	tn_map_put(map);
}

/* ---- Hashing ---- */

static void zero_seed_gives_two_maps_one_order(void **state)
{
	struct tn_map *zero[2], *other = new_map(TN_MAP_HASH, 8, 8, 100);
	uint32_t same = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		zero[i] = try_map(TN_MAP_HASH, 8, 8, 100, TN_MAP_F_ZERO_SEED);
	for (uint64_t i = 0; i < 100; i++) {
		for (int m = 0; m < 2; m++)
			assert_int_equal(put(zero[m], i, 0), 0);
		assert_int_equal(put(other, i, 0), 0);
	}
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t a, b;
		int err = tn_map_next_key(zero[0], &i, &a);

		assert_int_equal(tn_map_next_key(zero[1], &i, &b), err);
		if (err)
			continue;
		assert_int_equal(a, b);
		same += !tn_map_next_key(other, &i, &b) && a == b;
	}
	assert_true(same < 50);
	tn_map_put(zero[0]);
	tn_map_put(zero[1]);
	tn_map_put(other);
}

/* Keys as they come: counters, pointers, addresses, few bits anywhere. A search stays near one
 * group, as for random keys. */
static void keys_with_a_pattern_spread_like_random_ones(void **state)
{
	(void)state;
	for (int pattern = 0; pattern < 64; pattern++) {
		struct tn_map *map = try_map(TN_MAP_HASH, 8, 8, 4000, TN_MAP_F_ZERO_SEED);
		struct tn_hash_stats stats;

		for (uint64_t i = 0; i < 4000; i++) {
			uint64_t key = pattern < 52 ? i << pattern : i * (uint64_t)pattern * 4096;

			assert_int_equal(put(map, key, i), 0);
		}
		assert_hash_valid(map, &stats);
		assert_true(stats.mean_probe < 1.15);
		assert_true(stats.max_probe < 8);
		tn_map_put(map);
	}
}

static void long_keys_that_differ_in_one_byte_spread_like_random_ones(void **state)
{
	static const uint32_t sizes[] = { 4, 12, 16, 24, 37, 64 };

	(void)state;
	for (uint32_t s = 0; s < TN_ARRAY_SIZE(sizes); s++) {
		struct tn_map *map = try_map(TN_MAP_HASH, sizes[s], 8, 4000, TN_MAP_F_ZERO_SEED);
		unsigned char key[64] = { 0 };
		struct tn_hash_stats stats;
		uint64_t value = 0;

		for (uint32_t i = 0; i < sizes[s] * 255u && i < 4000; i++) {
			memset(key, 0, sizeof(key));
			key[i / 255] = (unsigned char)(1 + i % 255);
			assert_int_equal(map->ops->update(map, key, &value, TN_MAP_NOEXIST, 0), 0);
		}
		assert_hash_valid(map, &stats);
		assert_true(stats.mean_probe < 1.15);
		tn_map_put(map);
	}
}

/* ---- Per-slot hash ---- */

static uint64_t *get_slot(struct tn_map *map, uint64_t key, uint32_t slot)
{
	return map->ops->lookup(map, &key, slot);
}

static void per_slot_insert_zeroes_the_values_of_other_slots(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_HASH, 8, 8, 1);
	uint64_t all[4] = { 9, 9, 9, 9 }, value = 5;

	(void)state;
	/* Use every slot of the table for every thread slot, so that memory is reused. */
	for (uint64_t key = 0; key < 1000; key++) {
		assert_int_equal(tn_map_host_update(map, &key, all, 0), 0);
		assert_int_equal(del(map, key), 0);
	}
	for (uint64_t key = 0; key < 1000; key++) {
		assert_int_equal(map->ops->update(map, &key, &value, TN_MAP_NOEXIST, 1), 0);
		assert_int_equal(*get_slot(map, key, 0), 0);
		assert_int_equal(*get_slot(map, key, 1), 5);
		assert_int_equal(*get_slot(map, key, 2), 0);
		assert_int_equal(*get_slot(map, key, 3), 0);
		assert_int_equal(del(map, key), 0);
	}
	assert_hash_valid(map, NULL);
	tn_map_put(map);
}

static void per_slot_update_changes_one_slot_in_place(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_HASH, 8, 4, 4);
	uint64_t key = 3, all[4];
	uint32_t value = 7;
	uint64_t *mine;

	(void)state;
	assert_int_equal(map->ops->update(map, &key, &value, 0, 0), 0);
	mine = get_slot(map, key, 0);
	value = 8;
	assert_int_equal(map->ops->update(map, &key, &value, TN_MAP_EXIST, 0), 0);
	assert_int_equal(*mine, 8);
	value = 9;
	assert_int_equal(map->ops->update(map, &key, &value, TN_MAP_EXIST, 2), 0);
	assert_int_equal(tn_map_host_lookup(map, &key, all, 0), 0);
	assert_int_equal(all[0], 8);
	assert_int_equal(all[1], 0);
	assert_int_equal(all[2], 9);
	assert_int_equal(all[3], 0);
	assert_int_equal(tn_map_host_lookup_and_delete(map, &key, all, 0), 0);
	assert_int_equal(all[2], 9);
	assert_null(get_slot(map, key, 0));
	tn_map_put(map);
}

static void per_slot_values_are_charged_by_slot(void **state)
{
	struct tn_map *map = new_map(TN_MAP_PERCPU_HASH, 8, 8, 100);
	uint64_t key = 1, all[4] = { 1, 0, 0, 0 };
	size_t before = map->charged;

	(void)state;
	assert_int_equal(tn_map_host_update(map, &key, all, 0), 0);
	assert_int_equal(map->charged, before + map->slot_stride);
	test_rt.mem.limit[TN_CHARGE_MAPS] = map->charged;
	all[1] = 1;
	assert_int_equal(tn_map_host_update(map, &key, all, 0), -ENOMEM);
	assert_int_equal(map->ops->update(map, &key, all, 0, 1), -ENOMEM);
	assert_null(get_slot(map, key, 1));
	assert_int_equal(*get_slot(map, key, 0), 1);
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(most_elements_lie_in_the_line_that_is_fetched_ahead),
		TEST(update_leaves_the_old_copy_to_who_holds_it),
		TEST(removed_element_waits_while_spares_last),
		TEST(small_map_has_at_least_64_spares),
		TEST(large_values_cost_few_spares),
		TEST(full_map_of_large_values_takes_updates_for_ever),
		TEST(key_that_is_updated_for_ever_stays_near_home),
		TEST(full_map_takes_delete_and_insert_and_updates_for_ever),
		TEST(keys_of_every_size_are_told_apart),
		TEST(values_of_any_size_are_copied_exactly_and_aligned),
		TEST(lookup_and_delete_gives_the_value_it_removes),
		TEST(next_key_visits_every_key_once_while_all_are_updated),
		TEST(next_key_of_a_deleted_key_restarts),
		TEST(next_key_empties_a_map_that_is_deleted_on_the_way),
		TEST(zero_seed_gives_two_maps_one_order),
		TEST(keys_with_a_pattern_spread_like_random_ones),
		TEST(long_keys_that_differ_in_one_byte_spread_like_random_ones),
		TEST(per_slot_insert_zeroes_the_values_of_other_slots),
		TEST(per_slot_update_changes_one_slot_in_place),
		TEST(per_slot_values_are_charged_by_slot),
	};

	return cmocka_run_group_tests_name("maps/hash", tests, NULL, NULL);
}
