/* SPDX-License-Identifier: MIT */
/* Arrays of maps: what may be put in, by whom it is held, and when it is freed. */
#include "maps/testing.h"

static const struct tn_map_attr shape = {
	.type = TN_MAP_HASH, .key_size = 4, .value_size = 8, .max_entries = 4
};

static struct tn_map *new_outer(const struct tn_map_attr *inner)
{
	struct tn_map_attr attr = { .type = TN_MAP_ARRAY_OF_MAPS,
				    .key_size = 4,
				    .value_size = 4,
				    .max_entries = 2,
				    .name = "outer",
				    .inner = inner };

	return tn_map_create(&test_rt, &attr);
}

static int put_in(struct tn_map *outer, uint32_t index, uint32_t id)
{
	return tn_map_host_update(outer, &index, &id, TN_MAP_ANY);
}

static void *look_up(struct tn_map *outer, uint32_t index)
{
	return outer->ops->lookup(outer, &index, 0);
}

static void lookup_gives_the_map_that_was_put_in(void **state)
{
	struct tn_map *outer = new_outer(&shape), *inner = new_map(TN_MAP_HASH, 4, 8, 4);
	uint32_t index = 1, id = 0;

	(void)state;
	assert_null(look_up(outer, 1));
	assert_int_equal(tn_map_host_lookup(outer, &index, &id, 0), -ENOENT);
	assert_int_equal(put_in(outer, 1, inner->id), 0);
	assert_ptr_equal(look_up(outer, 1), inner);
	assert_int_equal(tn_map_host_lookup(outer, &index, &id, 0), 0);
	assert_int_equal(id, inner->id);
	assert_null(look_up(outer, 0));
	assert_null(look_up(outer, 2));
	tn_map_put(inner);
	assert_ptr_equal(look_up(outer, 1), inner); /* held by the array */
	tn_map_put(outer);
}

static void arrays_fit_by_length_unless_their_shape_leaves_it_open(void **state)
{
	struct tn_map_attr array = {
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4
	};

	(void)state;
	for (uint32_t flags = 0; flags <= TN_MAP_F_INNER_MAP; flags += TN_MAP_F_INNER_MAP) {
		struct tn_map *outer, *other = try_map(TN_MAP_ARRAY, 4, 8, 9, flags),
				      *plain = try_map(TN_MAP_ARRAY, 4, 8, 4, 0);

		array.flags = flags;
		outer = new_outer(&array);
		assert_int_equal(put_in(outer, 0, other->id), flags ? 0 : -EINVAL);
		assert_int_equal(put_in(outer, 1, plain->id), flags ? -EINVAL : 0);
		assert_int_equal(tn_map_size_is_known(outer->inner), !flags);
		tn_map_put(other);
		tn_map_put(plain);
		tn_map_put(outer);
	}
}

/* In a segment all slots may be taken, and then a lookup misses that is taken for a hit. */
static void shared_per_slot_map_is_no_inner_map(void **state)
{
	struct tn_map_attr array = {
		.type = TN_MAP_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4
	};
	struct tn_map *outer = new_outer(&array),
		      *shared = try_map(TN_MAP_PERCPU_ARRAY, 4, 8, 4, TN_MAP_F_SHARED),
		      *plain = try_map(TN_MAP_PERCPU_ARRAY, 4, 8, 4, 0);

	(void)state;
	assert_non_null(shared);
	assert_int_equal(put_in(outer, 0, shared->id), -EINVAL);
	assert_int_equal(put_in(outer, 0, plain->id), 0);
	tn_map_put(shared);
	tn_map_put(plain);
	tn_map_put(outer);
}

static void map_taken_out_lives_while_a_thread_is_inside(void **state)
{
	struct tn_map *outer = new_outer(&shape), *inner = new_map(TN_MAP_HASH, 4, 8, 4);
	uint32_t index = 0;
	struct tn_thread *t = tn_thread_self();

	(void)state;
	assert_int_equal(put_in(outer, 0, inner->id), 0);
	tn_map_put(inner);
	tn_epoch_enter(t);
	inner = look_up(outer, 0);
	assert_int_equal(tn_map_host_delete(outer, &index, 0), 0);
	assert_int_equal(tn_map_host_delete(outer, &index, 0), -ENOENT);
	assert_null(look_up(outer, 0));
	assert_int_equal(inner->max_entries, 4);
	/* It is on its way out: nobody can take hold of it any more. */
	assert_null(tn_map_get_by_id(&test_rt, inner->id));
	tn_epoch_leave(t);
	tn_map_put(outer);
}

static void map_of_another_shape_is_refused(void **state)
{
	struct tn_map *outer = new_outer(&shape);
	const struct {
		uint32_t type, key, value, max, flags;
		int rc;
	} cases[] = {
		{ TN_MAP_HASH, 4, 8, 100, 0, 0 }, /* the size of a hash table is its own */
		{ TN_MAP_HASH, 8, 8, 4, 0, -EINVAL },
		{ TN_MAP_HASH, 4, 16, 4, 0, -EINVAL },
		{ TN_MAP_HASH, 4, 8, 4, TN_MAP_F_RDONLY_PROG, -EINVAL },
		{ TN_MAP_ARRAY, 4, 8, 4, 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(cases); i++) {
		struct tn_map *inner = try_map(cases[i].type, cases[i].key, cases[i].value,
					       cases[i].max, cases[i].flags);

		assert_non_null(inner);
		assert_int_equal(put_in(outer, 0, inner->id), cases[i].rc);
		tn_map_put(inner);
	}
	assert_int_equal(put_in(outer, 0, 0), -EBADF);
	assert_int_equal(put_in(outer, 2, 0), -E2BIG);
	tn_map_put(outer);
}

/* A lookup with a constant index is taken for a hit. */
static void array_of_another_length_is_refused(void **state)
{
	const struct tn_map_attr array = {
		.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4
	};
	struct tn_map *outer = new_outer(&array), *inner = new_map(TN_MAP_ARRAY, 4, 8, 3);

	(void)state;
	assert_int_equal(put_in(outer, 0, inner->id), -EINVAL);
	tn_map_put(inner);
	tn_map_put(outer);
}

static void nested_and_shapeless_outer_maps_are_refused(void **state)
{
	struct tn_map_attr nested = { .type = TN_MAP_ARRAY_OF_MAPS,
				      .key_size = 4,
				      .value_size = 4,
				      .max_entries = 1,
				      .inner = &shape };

	(void)state;
	assert_null(new_outer(NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(new_outer(&nested));
	assert_int_equal(errno, EINVAL);
	nested.type = TN_MAP_PROG_ARRAY;
	assert_null(new_outer(&nested));
}

/* Lookups in it would be taken for maps. */
static void only_maps_of_maps_have_a_shape_of_inner_maps(void **state)
{
	static const uint32_t types[] = { TN_MAP_HASH, TN_MAP_ARRAY, TN_MAP_PERCPU_ARRAY,
					  TN_MAP_PERCPU_HASH, TN_MAP_PROG_ARRAY };

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map_attr attr = { .type = types[i],
					    .key_size = 4,
					    .value_size = 4,
					    .max_entries = 1,
					    .inner = &shape };

		assert_null(tn_map_create(&test_rt, &attr));
		assert_int_equal(errno, EINVAL);
	}
}

static void shape_with_a_lock_wants_maps_with_that_lock(void **state)
{
	const struct tn_map_special lock = { .off = 4, .size = 4, .kind = TN_SPECIAL_LOCK };
	struct tn_map_attr locked = shape;
	struct tn_map *outer, *plain = new_map(TN_MAP_HASH, 4, 8, 4), *inner;

	(void)state;
	locked.specials = &lock;
	locked.nr_specials = 1;
	outer = new_outer(&locked);
	inner = tn_map_create(&test_rt, &locked);
	assert_int_equal(put_in(outer, 0, plain->id), -EINVAL);
	assert_int_equal(put_in(outer, 0, inner->id), 0);
	tn_map_put(plain);
	tn_map_put(inner);
	tn_map_put(outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_fit_by_length_unless_their_shape_leaves_it_open),
		cmocka_unit_test(shared_per_slot_map_is_no_inner_map),
		cmocka_unit_test(lookup_gives_the_map_that_was_put_in),
		cmocka_unit_test(map_taken_out_lives_while_a_thread_is_inside),
		cmocka_unit_test(map_of_another_shape_is_refused),
		cmocka_unit_test(array_of_another_length_is_refused),
		cmocka_unit_test(nested_and_shapeless_outer_maps_are_refused),
		cmocka_unit_test(only_maps_of_maps_have_a_shape_of_inner_maps),
		cmocka_unit_test(shape_with_a_lock_wants_maps_with_that_lock),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
