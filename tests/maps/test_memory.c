/* SPDX-License-Identifier: MIT */
/* Memory of every type: limits, the way back to zero, failing allocations, pages touched on use,
 * and 100,000 maps one after the other. */
#include "maps/testing.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "maps/perf_array.h"

#define CYCLES 100000u

/* A map of each type, as small as it can be for `entries`. */
static struct tn_map_attr attr_of(uint32_t type, uint32_t entries)
{
	static const struct tn_map_attr inner = {
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	struct tn_map_attr attr = {
		.type = type, .key_size = 4, .value_size = 8, .max_entries = entries, .name = "m"
	};

	switch (type) {
	case TN_MAP_PROG_ARRAY:
	case TN_MAP_PERF_EVENT_ARRAY:
		attr.value_size = 4;
		break;
	case TN_MAP_ARRAY_OF_MAPS:
	case TN_MAP_HASH_OF_MAPS:
		attr.value_size = 4;
		attr.inner = &inner;
		break;
	case TN_MAP_LPM_TRIE:
		attr.key_size = 8;
		attr.flags = TN_MAP_F_NO_PREALLOC;
		break;
	case TN_MAP_QUEUE:
	case TN_MAP_STACK:
	case TN_MAP_BLOOM_FILTER:
		attr.key_size = 0;
		break;
	case TN_MAP_RINGBUF:
	case TN_MAP_USER_RINGBUF:
		attr.key_size = attr.value_size = 0;
		attr.max_entries = entries < 4096 ? 4096 : entries;
		break;
	case TN_MAP_ARENA:
		attr.key_size = attr.value_size = 0;
		attr.flags = TN_MAP_F_MMAPABLE;
		break;
	default:
		break;
	}
	return attr;
}

static struct tn_map *make(uint32_t type, uint32_t entries)
{
	struct tn_map_attr attr = attr_of(type, entries);

	return tn_map_create(&test_rt, &attr);
}

/* Those that are of this test; a type that needs more than these attributes is not made here. */
static const uint32_t types[] = {
	TN_MAP_HASH,
	TN_MAP_ARRAY,
	TN_MAP_PROG_ARRAY,
	TN_MAP_PERF_EVENT_ARRAY,
	TN_MAP_PERCPU_HASH,
	TN_MAP_PERCPU_ARRAY,
	TN_MAP_STACK_TRACE,
	TN_MAP_LRU_HASH,
	TN_MAP_LRU_PERCPU_HASH,
	TN_MAP_LPM_TRIE,
	TN_MAP_ARRAY_OF_MAPS,
	TN_MAP_HASH_OF_MAPS,
	TN_MAP_QUEUE,
	TN_MAP_STACK,
	TN_MAP_RINGBUF,
	TN_MAP_BLOOM_FILTER,
	TN_MAP_USER_RINGBUF,
	TN_MAP_ARENA,
};

static size_t map_bytes(void)
{
	return tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_MAPS]);
}

static void free_now(struct tn_map *map)
{
	tn_map_put(map);
	assert_int_equal(tn_epoch_drain(), 0);
}

/* The limit is what a map is charged, to the byte; what it was charged comes back. */
static void limit_is_exact_for_every_type(void **state)
{
	size_t before = map_bytes();

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = make(types[i], 64);
		size_t charged;

		if (!map)
			fail_msg("%s", tn_err_last()->msg);
		charged = map->charged;
		assert_int_equal(map_bytes(), before + charged);
		free_now(map);
		assert_int_equal(map_bytes(), before);
		if (!charged)
			continue;
		test_rt.mem.limit[TN_CHARGE_MAPS] = before + charged - 1;
		map = make(types[i], 64);
		if (map)
			fail_msg("type %u: %zu bytes were charged, one less is enough", types[i],
				 charged);
		if (errno != E2BIG || !strstr(tn_err_last()->msg, "map 'm': "))
			fail_msg("type %u: %d: %s", types[i], errno, tn_err_last()->msg);
		assert_int_equal(map_bytes(), before);
		test_rt.mem.limit[TN_CHARGE_MAPS] = before + charged;
		map = make(types[i], 64);
		assert_non_null(map);
		free_now(map);
		test_rt.mem.limit[TN_CHARGE_MAPS] = 0;
	}
}

static void create_of_every_type_fails_cleanly_without_memory(void **state)
{
	size_t heap = tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_HEAP]);

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = NULL;
		int64_t n;

		for (n = 1; !map; n++) {
			assert_in_range(n, 1, 20);
			tn_store_relaxed(&test_rt.mem.fail_after, n);
			map = make(types[i], 64);
			if (map)
				break;
			assert_int_equal(errno, ENOMEM);
			assert_non_null(strstr(tn_err_last()->msg, "map 'm'"));
			assert_int_equal(map_bytes(), 0);
			assert_int_equal(tn_load_relaxed(&test_rt.mem.bytes[TN_CHARGE_HEAP]), heap);
		}
		tn_store_relaxed(&test_rt.mem.fail_after, 0);
		assert_true(n > 1);
		free_now(map);
	}
}

static void opening_rings_fails_cleanly_without_memory(void **state)
{
	struct tn_map *map = make(TN_MAP_PERF_EVENT_ARRAY, 4);
	size_t before = map_bytes();
	int rc = -1;

	(void)state;
	for (int64_t n = 1; rc; n++) {
		assert_in_range(n, 1, 5);
		tn_store_relaxed(&test_rt.mem.fail_after, n);
		rc = tn_perf_open(map, 4096, NULL);
		if (rc)
			assert_int_equal(rc, -ENOMEM);
		if (rc)
			assert_int_equal(map_bytes(), before);
	}
	tn_store_relaxed(&test_rt.mem.fail_after, 0);
	tn_perf_close(map);
	assert_int_equal(tn_epoch_drain(), 0);
	assert_int_equal(map_bytes(), before);
	test_rt.mem.limit[TN_CHARGE_MAPS] = before + 4096;
	assert_int_equal(tn_perf_open(map, 4096, NULL), -E2BIG);
	free_now(map);
}

/* ---- The process's memory ---- */

static size_t resident_kb(void)
{
	unsigned long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &resident), 2);
	fclose(f);
	return resident * tn_page_size() / 1024;
}

#if defined(__SANITIZE_ADDRESS__) || TN_TSAN
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

/* A gigabyte of each that can be so large costs next to nothing before it is used. */
static void large_maps_touch_no_pages(void **state)
{
	static const struct {
		uint32_t type, value, entries;
	} large[] = {
		{ TN_MAP_ARRAY, 64, 1u << 24 },	      { TN_MAP_HASH, 64, 1u << 23 },
		{ TN_MAP_LRU_HASH, 64, 1u << 23 },    { TN_MAP_PERCPU_ARRAY, 64, 1u << 22 },
		{ TN_MAP_PERCPU_HASH, 64, 1u << 21 }, { TN_MAP_QUEUE, 64, 1u << 24 },
		{ TN_MAP_RINGBUF, 0, 1u << 29 },      { TN_MAP_USER_RINGBUF, 0, 1u << 29 },
		{ TN_MAP_STACK_TRACE, 64, 1u << 23 }, { TN_MAP_LPM_TRIE, 64, 1u << 24 },
	};

	(void)state;
	if (UNDER_SANITIZER)
		skip();
	test_rt.mem.limit[TN_CHARGE_MAPS] = (size_t)8 << 30;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(large); i++) {
		struct tn_map_attr attr = attr_of(large[i].type, large[i].entries);
		size_t before = resident_kb(), after;
		struct tn_map *map;

		attr.value_size = large[i].value;
		map = tn_map_create(&test_rt, &attr);
		if (!map)
			fail_msg("%s", tn_err_last()->msg);
		after = resident_kb();
		if (after > before + 8192)
			fail_msg("type %u of %zu MiB: %zu KiB were touched", large[i].type,
				 map->charged >> 20, after - before);
		free_now(map);
	}
}

static void use(struct tn_map *map)
{
	struct tn_thread *t = tn_thread_self();
	char key[8] = { 8 }, value[64] = { 1 };

	tn_epoch_enter(t);
	if (map->ops->update)
		(void)map->ops->update(map, key, value, 0, 0);
	if (map->ops->push)
		(void)map->ops->push(map, value, 0);
	tn_epoch_leave(t);
}

/* After a tenth of the cycles nothing grows any more. */
static void making_and_freeing_maps_keeps_memory_flat(void **state)
{
	uint32_t cycles = UNDER_SANITIZER ? CYCLES / 20 : CYCLES;
	size_t after_tenth = 0, end;

	(void)state;
	for (uint32_t i = 0; i < cycles; i++) {
		struct tn_map *map = make(types[i % TN_ARRAY_SIZE(types)], 64);

		if (!map)
			fail_msg("%s", tn_err_last()->msg);
		use(map);
		tn_map_put(map);
		tn_epoch_reclaim();
		if (i == cycles / 10)
			after_tenth = resident_kb();
	}
	assert_int_equal(tn_epoch_drain(), 0);
	assert_int_equal(map_bytes(), 0);
	end = resident_kb();
	print_message("%u cycles: %zu KiB after a tenth, %zu KiB at the end\n", cycles, after_tenth,
		      end);
	if (!UNDER_SANITIZER)
		assert_true(end <= after_tenth + after_tenth / 20 + 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(limit_is_exact_for_every_type),
		TEST(create_of_every_type_fails_cleanly_without_memory),
		TEST(opening_rings_fails_cleanly_without_memory),
		TEST(large_maps_touch_no_pages),
		TEST(making_and_freeing_maps_keeps_memory_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
