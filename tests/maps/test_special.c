/* SPDX-License-Identifier: MIT */
/* Values with a lock: copies leave it alone, and show zeros in its place. */
#include "maps/testing.h"

#include "base/thread.h"
#include "maps/value_lock.h"

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

static void f_lock_of(uint32_t type)
{
	struct tn_map *map = new_locked(type);
	struct value in = { 1, 77, { 2, 3 }, 4 }, out, *inside;
	uint32_t key = 1, absent = 0;

	if (type == TN_MAP_HASH)
		assert_int_equal(tn_map_host_lookup(map, &key, &out, TN_MAP_F_LOCK), -ENOENT);
	assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_F_LOCK), 0);
	inside = map->ops->lookup(map, &key, 0);
	in.before = 10;
	/* In place: who has the pointer sees it. */
	assert_int_equal(map->ops->update(map, &key, &in, TN_MAP_F_LOCK, 0), 0);
	assert_ptr_equal(map->ops->lookup(map, &key, 0), inside);
	assert_int_equal(inside->before, 10);
	assert_int_equal(inside->lock, 0);
	assert_int_equal(tn_map_host_lookup(map, &key, &out, TN_MAP_F_LOCK), 0);
	assert_int_equal(out.before, 10);
	assert_int_equal(out.lock, 0);
	assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_F_LOCK | TN_MAP_NOEXIST),
			 -EEXIST);
	assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_F_LOCK | 3), -EINVAL);
	if (type == TN_MAP_HASH) {
		assert_int_equal(
			tn_map_host_update(map, &absent, &in, TN_MAP_F_LOCK | TN_MAP_EXIST),
			-ENOENT);
		assert_int_equal(tn_map_host_lookup_and_delete(map, &key, &out, TN_MAP_F_LOCK), 0);
		assert_int_equal(out.before, 10);
		assert_int_equal(tn_map_host_lookup(map, &key, &out, TN_MAP_F_LOCK), -ENOENT);
	}
	tn_map_put(map);
}

static void f_lock_copies_in_place(void **state)
{
	(void)state;
	f_lock_of(TN_MAP_ARRAY);
	f_lock_of(TN_MAP_HASH);
}

/* The thread's own copy cannot be waited for, and leaves the value and the lock as they are. */
static void f_lock_in_a_lock_of_its_own_is_busy(void **state)
{
	static const uint32_t types[] = { TN_MAP_ARRAY, TN_MAP_HASH };
	struct value in = { 1, 0, { 2, 3 }, 4 }, out, *inside;
	uint32_t key = 1, name;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct tn_map *map = new_locked(types[i]);

		assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_ANY), 0);
		inside = map->ops->lookup(map, &key, 0);
		assert_non_null(tn_thread_self());
		name = tn_value_lock_thread_name();
		assert_true(tn_value_lock((_Atomic uint32_t *)&inside->lock, name, 0));
		in.before = 2;
		assert_int_equal(tn_map_host_update(map, &key, &in, TN_MAP_F_LOCK), -EBUSY);
		assert_int_equal(tn_map_host_lookup(map, &key, &out, TN_MAP_F_LOCK), -EBUSY);
		if (types[i] == TN_MAP_HASH)
			assert_int_equal(
				tn_map_host_lookup_and_delete(map, &key, &out, TN_MAP_F_LOCK),
				-EBUSY);
		assert_int_equal(inside->before, 1);
		tn_value_unlock((_Atomic uint32_t *)&inside->lock, name);
		assert_int_equal(tn_map_host_lookup(map, &key, &out, TN_MAP_F_LOCK), 0);
		assert_int_equal(out.before, 1);
		tn_map_put(map);
		in.before = 1;
	}
}

static void f_lock_without_a_lock_is_refused(void **state)
{
	static const uint32_t types[] = { TN_MAP_ARRAY, TN_MAP_HASH, TN_MAP_LRU_HASH,
					  TN_MAP_PERCPU_ARRAY, TN_MAP_PERCPU_HASH };
	uint64_t value[TN_MAX_SLOTS] = { 0 };
	uint32_t key = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct tn_map_attr attr = {
			.type = types[i], .key_size = 4, .value_size = 8, .max_entries = 2
		};
		struct tn_map *map = tn_map_create(&test_rt, &attr);

		assert_non_null(map);
		assert_int_equal(tn_map_host_update(map, &key, value, TN_MAP_F_LOCK), -EINVAL);
		assert_int_equal(tn_map_host_lookup(map, &key, value, TN_MAP_F_LOCK), -EINVAL);
		assert_int_equal(map->ops->update(map, &key, value, TN_MAP_F_LOCK, 0), -EINVAL);
		tn_map_put(map);
	}
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
		cmocka_unit_test(f_lock_copies_in_place),
		cmocka_unit_test(f_lock_in_a_lock_of_its_own_is_busy),
		cmocka_unit_test(f_lock_without_a_lock_is_refused),
		cmocka_unit_test(locks_without_a_place_are_refused),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
