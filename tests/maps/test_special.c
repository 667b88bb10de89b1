/* SPDX-License-Identifier: MIT */
/* Values with a lock: copies leave it alone, and show zeros in its place. */
#include "maps/testing.h"

struct value {
	uint32_t before, lock, after[2];
	uint16_t rest;
};

static const struct tn_map_special lock = { .off = 4, .size = 4, .kind = TN_SPECIAL_LOCK };

static struct tn_map *new_locked(uint32_t type)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = 4,
				    .value_size = sizeof(struct value),
				    .max_entries = 2,
				    .name = "locked",
				    .specials = &lock,
				    .nr_specials = 1 };
	struct tn_map *map = tn_map_create(&test_rt, &attr);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	return map;
}

static void copies_leave_the_lock_of(uint32_t type)
{
	struct tn_map *map = new_locked(type);
	struct value in = { 1, 77, { 2, 3 }, 4 }, out, *inside;
	uint32_t key = 1;

	assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_ANY), 0);
	inside = map->ops->lookup(map, &key, 0);
	assert_int_equal(inside->lock, 0);
	assert_int_equal(inside->before, 1);
	assert_int_equal(inside->after[0], 2);
	assert_int_equal(inside->after[1], 3);
	assert_int_equal(inside->rest, 4);
	inside->lock = 5;
	assert_int_equal(tn_map_host_lookup(map, &key, &out, 0), 0);
	assert_int_equal(out.lock, 0);
	assert_int_equal(out.after[1], 3);
	/* Whoever holds the old value's lock goes on doing so. */
	in.before = 9;
	assert_int_equal(map->ops->update(map, &key, &in, TN_MAP_ANY, 0), 0);
	assert_int_equal(inside->lock, 5);
	tn_map_put(map);
}

static void array_copies_leave_the_lock(void **state)
{
	(void)state;
	copies_leave_the_lock_of(TN_MAP_ARRAY);
}

static void hash_copies_leave_the_lock(void **state)
{
	(void)state;
	copies_leave_the_lock_of(TN_MAP_HASH);
}

static void locks_without_a_place_are_refused(void **state)
{
	const struct tn_map_special two[] = { { .off = 0, .size = 4, .kind = TN_SPECIAL_LOCK },
					      { .off = 4, .size = 4, .kind = TN_SPECIAL_LOCK } };
	struct tn_map_attr attr = { .type = TN_MAP_ARRAY,
				    .key_size = 4,
				    .value_size = 8,
				    .max_entries = 1,
				    .specials = two,
				    .nr_specials = 2 };

	(void)state;
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, E2BIG);
	attr.nr_specials = 1;
	attr.value_size = 3;
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, EINVAL);
	attr.value_size = 8;
	attr.type = TN_MAP_PERCPU_ARRAY;
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(array_copies_leave_the_lock),
		cmocka_unit_test(hash_copies_leave_the_lock),
		cmocka_unit_test(locks_without_a_place_are_refused),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
