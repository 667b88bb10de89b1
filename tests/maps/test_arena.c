/* SPDX-License-Identifier: MIT */
/* Arenas: which pages are given, what lies outside of them, and who pays. */
#include "maps/testing.h"

#include "maps/arena.h"

#define PAGE 4096u

static struct tn_map *new_arena(uint32_t pages, uint64_t start)
{
	struct tn_map_attr attr = { .type = TN_MAP_ARENA,
				    .max_entries = pages,
				    .flags = TN_MAP_F_MMAPABLE,
				    .name = "arena",
				    .extra = start };

	return tn_map_create(&test_rt, &attr);
}

/* Where an access of `size` bytes through `addr` would land. */
static void *place(struct tn_map *map, uint64_t addr, int16_t off, uint32_t size)
{
	return tn_arena_place(tn_arena_view(map), (int64_t)(uint32_t)addr + off, size);
}

static void alloc_gives_the_lowest_free_pages(void **state)
{
	struct tn_map *map = new_arena(4, 0);
	uint64_t start = tn_arena_view(map)->start;

	(void)state;
	assert_int_equal(tn_arena_alloc(map, 0, 1), start);
	assert_int_equal(tn_arena_alloc(map, 0, 2), start + PAGE);
	assert_int_equal(tn_arena_alloc(map, 0, 2), 0);
	tn_arena_release(map, start, 1);
	assert_int_equal(tn_arena_alloc(map, 0, 1), start);
	assert_int_equal(tn_arena_alloc(map, 0, 1), start + 3 * PAGE);
	assert_int_equal(tn_arena_alloc(map, 0, 1), 0);
	assert_int_equal(map->ops->count(map), 4);
	tn_map_put(map);
}

static void alloc_at_an_address_gives_that_or_nothing(void **state)
{
	struct tn_map *map = new_arena(4, 0);
	uint64_t start = tn_arena_view(map)->start;

	(void)state;
	assert_int_equal(tn_arena_alloc(map, start + 2 * PAGE, 2), start + 2 * PAGE);
	assert_int_equal(tn_arena_alloc(map, start + PAGE, 2), 0);
	assert_int_equal(tn_arena_alloc(map, start + 1, 1), 0);
	assert_int_equal(tn_arena_alloc(map, start + 4 * PAGE, 1), 0);
	assert_int_equal(tn_arena_alloc(map, start - PAGE, 1), 0);
	assert_int_equal(tn_arena_alloc(map, 0, 0), 0);
	assert_int_equal(tn_arena_alloc(map, 0, UINT32_MAX), 0);
	tn_map_put(map);
}

static void accesses_end_where_the_pages_do(void **state)
{
	/* The last two pages below 4 GiB: offsets lead beyond both ends of the table. */
	struct tn_map *map = new_arena(2, (UINT64_C(1) << 44) | (UINT32_MAX - 2 * PAGE + 1));
	uint64_t at = tn_arena_alloc(map, 0, 1);

	(void)state;
	assert_int_equal(at, tn_arena_view(map)->start);
	assert_ptr_equal(place(map, at, 0, 8), map->values);
	assert_ptr_equal(place(map, at, PAGE - 8, 8), map->values + PAGE - 8);
	assert_null(place(map, at, PAGE - 7, 8));
	assert_null(place(map, at, -1, 8));
	assert_null(place(map, at, -1, 1));
	assert_null(place(map, at, PAGE, 1));
	assert_null(place(map, at, INT16_MAX, 8));
	assert_null(place(map, UINT32_MAX, INT16_MAX, 8));
	assert_null(place(map, 0, INT16_MIN, 8));
	tn_map_put(map);
}

static void freed_pages_are_gone_and_come_back_as_zeros(void **state)
{
	struct tn_map *map = new_arena(2, 0);
	uint64_t at = tn_arena_alloc(map, 0, 2);
	uint32_t *word = place(map, at, 0, 4);

	(void)state;
	*word = 7;
	tn_arena_release(map, at, 100);
	assert_null(place(map, at, 0, 4));
	*word = 8; /* as an access that raced with the release */
	assert_int_equal(tn_arena_alloc(map, 0, 1), at);
	assert_int_equal(*(uint32_t *)place(map, at, 0, 4), 0);
	tn_arena_release(map, at + 5 * PAGE, 1);
	tn_arena_release(map, at - PAGE, 1);
	assert_non_null(place(map, at, 0, 4));
	tn_map_put(map);
}

static void pages_are_charged_once(void **state)
{
	struct tn_map *map = new_arena(8, 0);
	size_t before = map->charged;
	uint64_t at = tn_arena_alloc(map, 0, 3);

	(void)state;
	assert_int_equal(map->charged, before + 3 * PAGE);
	tn_arena_release(map, at, 3);
	assert_int_equal(tn_arena_alloc(map, 0, 2), at);
	assert_int_equal(map->charged, before + 3 * PAGE);
	tn_map_put(map);
}

static void globals_take_the_first_pages(void **state)
{
	struct tn_map *map = new_arena(2, 0);
	uint64_t start = tn_arena_view(map)->start;

	(void)state;
	assert_int_equal(tn_arena_fill(map, "abc", 4), 0);
	assert_string_equal((char *)place(map, start, 0, 4), "abc");
	assert_int_equal(tn_arena_alloc(map, 0, 1), start + PAGE);
	assert_int_equal(tn_arena_fill(map, NULL, 3 * PAGE), -E2BIG);
	tn_map_put(map);
}

static void creation_refuses_what_the_kernel_does(void **state)
{
	struct tn_map_attr attr = { .type = TN_MAP_ARENA, .max_entries = 1, .name = "arena" };

	(void)state;
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, EINVAL);
	assert_null(new_arena(0, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(new_arena((1u << 20) + 1, 0));
	assert_int_equal(errno, E2BIG);
	assert_null(new_arena(1, 1));
	assert_int_equal(errno, EINVAL);
	assert_null(new_arena(2, (UINT64_C(1) << 32) - PAGE));
	assert_int_equal(errno, ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc_gives_the_lowest_free_pages),
		cmocka_unit_test(alloc_at_an_address_gives_that_or_nothing),
		cmocka_unit_test(accesses_end_where_the_pages_do),
		cmocka_unit_test(freed_pages_are_gone_and_come_back_as_zeros),
		cmocka_unit_test(pages_are_charged_once),
		cmocka_unit_test(globals_take_the_first_pages),
		cmocka_unit_test(creation_refuses_what_the_kernel_does),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
