/* SPDX-License-Identifier: MIT */
/* Bloom filters: what was put in is found, few other values are; hashes, threads. Sizes and numbers
 * returned are in test_parity.c. */
#include "maps/testing.h"

#include <pthread.h>

static struct tn_map *new_filter(uint32_t value_size, uint32_t max, uint64_t hashes)
{
	struct tn_map_attr attr = { .type = TN_MAP_BLOOM_FILTER,
				    .value_size = value_size,
				    .max_entries = max,
				    .extra = hashes,
				    .name = "m" };

	return tn_map_create(&test_rt, &attr);
}

static void filter_finds_what_was_put_in_and_little_else(void **state)
{
	(void)state;
	for (uint64_t hashes = 0; hashes <= 15; hashes++) {
		struct tn_map *map = new_filter(8, 10000, hashes);
		uint32_t wrong = 0;

		assert_non_null(map);
		for (uint64_t i = 0; i < 10000; i++)
			assert_int_equal(map->ops->push(map, &i, 0), 0);
		for (uint64_t i = 0; i < 10000; i++)
			assert_int_equal(map->ops->peek(map, &i), 0);
		for (uint64_t i = 10000; i < 30000; i++) {
			int rc = map->ops->peek(map, &i);

			assert_true(!rc || rc == -ENOENT);
			wrong += !rc;
		}
		/* Half of the bits are set at most. */
		assert_true(wrong < 20000 * 6 / (10u << TN_MIN(hashes ? hashes : 5, 6u) / 2));
		tn_map_put(map);
	}
}

static void filter_of_odd_sizes_takes_all_bytes_into_account(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 4, 12, 16, 100 };

	(void)state;
	for (size_t s = 0; s < TN_ARRAY_SIZE(sizes); s++) {
		struct tn_map *map = new_filter(sizes[s], 1000, 5);
		unsigned char value[100] = { 0 };

		assert_int_equal(map->ops->push(map, value, 0), 0);
		for (uint32_t i = 0; i < sizes[s]; i++) {
			value[i] = 1;
			assert_int_equal(map->ops->peek(map, value), -ENOENT);
			value[i] = 0;
		}
		assert_int_equal(map->ops->peek(map, value), 0);
		tn_map_put(map);
	}
}

static void filter_takes_up_to_15_hashes(void **state)
{
	(void)state;
	assert_null(new_filter(8, 10, 16));
	assert_int_equal(errno, EINVAL);
	assert_null(new_filter(8, 10, UINT64_C(1) << 40));
	assert_int_equal(errno, EINVAL);
}

static void filter_beyond_the_limit_for_maps_is_refused(void **state)
{
	(void)state;
	test_rt.mem.limit[TN_CHARGE_MAPS] = 4096;
	assert_null(new_filter(8, 1u << 20, 0));
	assert_int_equal(errno, E2BIG);
	test_rt.mem.limit[TN_CHARGE_MAPS] = SIZE_MAX;
}

#define THREADS 4
#define EACH	20000u

struct putter {
	struct tn_map *map;
	uint32_t id;
};

static void *put_values(void *arg)
{
	const struct putter *p = arg;

	for (uint32_t i = 0; i < EACH; i++) {
		uint64_t value = (uint64_t)p->id << 32 | i;

		p->map->ops->push(p->map, &value, 0);
		if (p->map->ops->peek(p->map, &value))
			return arg;
	}
	return NULL;
}

static void filter_loses_nothing_under_threads(void **state)
{
	struct tn_map *map = new_filter(8, THREADS * EACH, 0);
	struct putter putters[THREADS];
	pthread_t threads[THREADS];
	void *failed;

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++) {
		putters[i] = (struct putter){ map, i };
		assert_int_equal(pthread_create(&threads[i], NULL, put_values, &putters[i]), 0);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	for (uint32_t id = 0; id < THREADS; id++) {
		for (uint32_t i = 0; i < EACH; i++) {
			uint64_t value = (uint64_t)id << 32 | i;

			assert_int_equal(map->ops->peek(map, &value), 0);
		}
	}
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_finds_what_was_put_in_and_little_else),
		cmocka_unit_test(filter_of_odd_sizes_takes_all_bytes_into_account),
		cmocka_unit_test(filter_takes_up_to_15_hashes),
		cmocka_unit_test(filter_beyond_the_limit_for_maps_is_refused),
		cmocka_unit_test(filter_loses_nothing_under_threads),
	};

	return cmocka_run_group_tests_name("maps/bloom", tests, start_rt, stop_rt);
}
