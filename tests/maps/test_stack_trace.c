/* SPDX-License-Identifier: MIT */
/* Maps of stack traces: numbers, collisions, a full map, threads. What the host's calls return is
 * in test_parity.c. */
#include "maps/testing.h"

#include <pthread.h>

#include "maps/stack_trace.h"

#define DEPTH 16u

static int64_t put(struct tn_map *map, uint64_t first, uint32_t nr, uint64_t flags)
{
	uint64_t ips[DEPTH];

	for (uint32_t i = 0; i < nr; i++)
		ips[i] = first + i * 0x1000;
	return tn_stack_trace_put(map, ips, nr, flags);
}

static struct tn_map *new_traces(uint32_t max)
{
	return new_map(TN_MAP_STACK_TRACE, 4, DEPTH * 8, max);
}

static void trace_is_found_by_its_number(void **state)
{
	struct tn_map *map = new_traces(1024);
	uint64_t ips[DEPTH];
	uint32_t key;
	int64_t id = put(map, 0x400000, 3, 0);

	(void)state;
	assert_true(id >= 0 && id < 1024);
	assert_int_equal(put(map, 0x400000, 3, 0), id);
	assert_int_equal(map->ops->count(map), 1);
	key = (uint32_t)id;
	memset(ips, 0xff, sizeof(ips));
	assert_int_equal(tn_map_host_lookup(map, &key, ips, 0), 0);
	for (uint32_t i = 0; i < DEPTH; i++)
		assert_int_equal(ips[i], i < 3 ? 0x400000 + i * 0x1000 : 0);
	assert_int_equal(tn_map_host_lookup_and_delete(map, &key, ips, 0), 0);
	assert_int_equal(tn_map_host_lookup(map, &key, ips, 0), -ENOENT);
	assert_int_equal(tn_map_host_delete(map, &key, 0), -ENOENT);
	assert_int_equal(map->ops->count(map), 0);
	assert_int_equal(put(map, 0x400000, 3, 0), id);
	tn_map_put(map);
}

static void collision_is_an_error_or_replaces(void **state)
{
	struct tn_map *map = new_traces(2);
	uint64_t other = 0, ips[DEPTH];
	int64_t id = put(map, 1, 1, 0), rc = 0;
	uint32_t key;

	(void)state;
	/* A trace of the same bucket; the next ones may stand in the other. */
	for (uint64_t i = 2; i < 1000 && rc != -EEXIST; i++) {
		rc = put(map, i, 1, 0);
		if (rc >= 0 && rc != id) {
			key = (uint32_t)rc;
			assert_int_equal(tn_map_host_delete(map, &key, 0), 0);
		}
		other = i;
	}
	assert_int_equal(rc, -EEXIST);
	assert_int_equal(put(map, other, 1, TN_STACK_REUSE), id);
	key = (uint32_t)id;
	assert_int_equal(tn_map_host_lookup(map, &key, ips, 0), 0);
	assert_int_equal(ips[0], other);
	assert_int_equal(map->ops->count(map), 1);
	tn_map_put(map);
}

/* As in the kernel, which has more buckets than room for traces. */
static void full_map_takes_no_more_traces(void **state)
{
	struct tn_map *map = new_traces(5);
	uint32_t stored = 0;
	int64_t rc;

	(void)state;
	for (uint64_t i = 1; i < 10000 && stored < 5; i++)
		stored += put(map, i, 1, 0) >= 0;
	assert_int_equal(map->ops->count(map), 5);
	for (uint64_t i = 10000; i < 20000; i++) {
		rc = put(map, i, 2, TN_STACK_REUSE);
		assert_int_equal(rc, -ENOMEM);
	}
	tn_map_put(map);
}

static void keys_are_walked_in_order(void **state)
{
	struct tn_map *map = new_traces(64);
	uint32_t key, last = 0, nr = 0;
	bool first = true;

	(void)state;
	for (uint64_t i = 1; i < 200; i++)
		put(map, i, 1, 0);
	while (!tn_map_next_key(map, first ? NULL : &last, &key)) {
		assert_true(first || key > last);
		first = false;
		last = key;
		nr++;
	}
	assert_int_equal(nr, map->ops->count(map));
	tn_map_put(map);
}

#define THREADS 4
#define ROUNDS	20000u

static _Atomic bool wrong;

/* A trace that stands in a bucket is whole: all of its addresses are of one first one. */
static void *put_and_look(void *arg)
{
	struct tn_map *map = arg;
	uint64_t ips[DEPTH];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t nr = 1 + i % DEPTH, key;
		int64_t id = put(map, 1 + i % 97, nr, TN_STACK_REUSE);

		if (id < 0)
			continue;
		key = (uint32_t)id;
		if (tn_map_host_lookup(map, &key, ips, 0))
			continue;
		for (uint32_t k = 1; k < DEPTH && ips[k]; k++)
			if (ips[k] != ips[0] + k * 0x1000)
				tn_store_relaxed(&wrong, true);
		if (i % 16 == 0)
			tn_map_host_delete(map, &key, 0);
	}
	return NULL;
}

static void traces_stay_whole_under_threads(void **state)
{
	struct tn_map *map = new_traces(32);
	pthread_t threads[THREADS];

	(void)state;
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, put_and_look, map), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(tn_load_relaxed(&wrong));
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trace_is_found_by_its_number),
		cmocka_unit_test(collision_is_an_error_or_replaces),
		cmocka_unit_test(full_map_takes_no_more_traces),
		cmocka_unit_test(keys_are_walked_in_order),
		cmocka_unit_test(traces_stay_whole_under_threads),
	};

	return cmocka_run_group_tests_name("maps/stack_trace", tests, start_rt, stop_rt);
}
