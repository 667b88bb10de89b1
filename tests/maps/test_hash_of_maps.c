/* SPDX-License-Identifier: MIT */
/* Hash tables of maps: update flags and numbers as a hash table's, lifetimes, lookups meanwhile. */
#include "maps/testing.h"

#include <pthread.h>

static const struct tn_map_attr shape = {
	.type = TN_MAP_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
};

static struct tn_map *try_outer(uint32_t key_size, uint32_t max)
{
	struct tn_map_attr attr = { .type = TN_MAP_HASH_OF_MAPS,
				    .key_size = key_size,
				    .value_size = 4,
				    .max_entries = max,
				    .name = "outer",
				    .inner = &shape };

	return tn_map_create(&test_rt, &attr);
}

static struct tn_map *new_inner(void)
{
	return new_map(TN_MAP_ARRAY, 4, 8, 1);
}

static int put_in(struct tn_map *outer, uint64_t key, uint32_t id, uint64_t flags)
{
	return tn_map_host_update(outer, &key, &id, flags);
}

static void *look_up(struct tn_map *outer, uint64_t key)
{
	return outer->ops->lookup(outer, &key, 0);
}

static uint32_t id_at(struct tn_map *outer, uint64_t key)
{
	uint32_t id = 0;

	return tn_map_host_lookup(outer, &key, &id, 0) ? 0 : id;
}

static void update_flags_are_those_of_a_hash_table(void **state)
{
	struct tn_map *outer = try_outer(8, 2), *a = new_inner(), *b = new_inner();
	uint64_t key = 7;

	(void)state;
	assert_null(look_up(outer, 7));
	assert_int_equal(put_in(outer, 7, a->id, TN_MAP_EXIST), -ENOENT);
	assert_int_equal(put_in(outer, 7, a->id, TN_MAP_NOEXIST), 0);
	assert_int_equal(put_in(outer, 7, b->id, TN_MAP_NOEXIST), -EEXIST);
	assert_int_equal(put_in(outer, 7, b->id, 3), -EINVAL);
	assert_int_equal(put_in(outer, 7, 0, 3), -EBADF);
	assert_ptr_equal(look_up(outer, 7), a);
	assert_int_equal(put_in(outer, 7, b->id, TN_MAP_EXIST), 0);
	assert_ptr_equal(look_up(outer, 7), b);
	assert_int_equal(id_at(outer, 7), b->id);
	assert_int_equal(put_in(outer, 8, a->id, TN_MAP_ANY), 0);
	assert_int_equal(put_in(outer, 9, a->id, TN_MAP_ANY), -E2BIG);
	assert_int_equal(outer->ops->count(outer), 2);
	assert_int_equal(tn_map_host_delete(outer, &key, 0), 0);
	assert_int_equal(tn_map_host_delete(outer, &key, 0), -ENOENT);
	assert_null(look_up(outer, 7));
	assert_int_equal(put_in(outer, 9, a->id, TN_MAP_ANY), 0);
	assert_int_equal(tn_map_host_lookup_and_delete(outer, &key, &key, 0), -TN_ENOTSUPP);
	tn_map_put(a);
	tn_map_put(b);
	assert_ptr_equal(look_up(outer, 8), a); /* held by the table */
	tn_map_put(outer);
}

static void keys_are_walked_as_in_a_hash_table(void **state)
{
	struct tn_map *outer = try_outer(8, 100), *inner = new_inner();
	uint64_t key, seen = 0;
	uint32_t nr = 0;

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(put_in(outer, i, inner->id, 0), 0);
	for (int rc = tn_map_next_key(outer, NULL, &key); !rc; nr++) {
		seen += key;
		rc = tn_map_next_key(outer, &key, &key);
	}
	assert_int_equal(nr, 100);
	assert_int_equal(seen, 5050);
	tn_map_put(inner);
	tn_map_put(outer);
}

static void map_taken_out_lives_while_a_thread_is_inside(void **state)
{
	struct tn_map *outer = try_outer(8, 1), *inner = new_inner();
	struct tn_thread *t = tn_thread_self();
	uint64_t key = 1;

	(void)state;
	assert_int_equal(put_in(outer, 1, inner->id, 0), 0);
	tn_map_put(inner);
	tn_epoch_enter(t);
	inner = look_up(outer, 1);
	assert_int_equal(tn_map_host_delete(outer, &key, 0), 0);
	assert_int_equal(inner->max_entries, 1);
	assert_null(tn_map_get_by_id(&test_rt, inner->id));
	tn_epoch_leave(t);
	tn_map_put(outer);
}

static void other_shapes_and_sizes_are_refused(void **state)
{
	struct tn_map_attr attr = { .type = TN_MAP_HASH_OF_MAPS,
				    .key_size = 8,
				    .value_size = 8,
				    .max_entries = 2,
				    .name = "outer",
				    .inner = &shape };
	struct tn_map *outer = try_outer(8, 2), *wrong = new_map(TN_MAP_ARRAY, 4, 16, 1);

	(void)state;
	assert_int_equal(put_in(outer, 1, wrong->id, 0), -EINVAL);
	assert_int_equal(put_in(outer, 1, outer->id, 0), -EINVAL);
	tn_map_put(wrong);
	tn_map_put(outer);
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, EINVAL);
	attr.value_size = 4;
	attr.inner = NULL;
	assert_null(tn_map_create(&test_rt, &attr));
	assert_int_equal(errno, EINVAL);
}

#define ROUNDS 20000

struct race {
	struct tn_map *outer;
	_Atomic uint32_t stop;
	_Atomic uint32_t hits, wrong;
};

/* What is found is a whole map of the right shape, for as long as the section lasts. */
static void *look_up_often(void *arg)
{
	struct race *r = arg;
	struct tn_thread *t = tn_thread_self();

	while (!tn_load_acquire(&r->stop)) {
		for (uint64_t key = 0; key < 4; key++) {
			struct tn_map *inner;

			tn_epoch_enter(t);
			inner = look_up(r->outer, key);
			if (inner) {
				tn_add_relaxed(&r->hits, 1);
				if (inner->type != TN_MAP_ARRAY || !inner->values ||
				    inner->max_entries != 1)
					tn_add_relaxed(&r->wrong, 1);
			}
			tn_epoch_leave(t);
		}
	}
	return NULL;
}

static void lookups_meet_updates_and_deletions(void **state)
{
	struct race r = { .outer = try_outer(8, 4) };
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up_often, &r), 0);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		struct tn_map *inner = new_inner();
		uint64_t key = i % 4;

		assert_int_equal(put_in(r.outer, key, inner->id, 0), 0);
		tn_map_put(inner);
		if (i % 3 == 0)
			assert_int_equal(tn_map_host_delete(r.outer, &key, 0), 0);
		tn_epoch_reclaim();
	}
	tn_store_release(&r.stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&r.wrong), 0);
	tn_map_put(r.outer);
}

static void creation_copes_with_every_failing_allocation(void **state)
{
	struct tn_map *outer = NULL;
	int64_t n;

	(void)state;
	for (n = 1; !outer; n++) {
		tn_store_relaxed(&test_rt.mem.fail_after, n);
		outer = try_outer(8, 100);
		tn_store_relaxed(&test_rt.mem.fail_after, 0);
		assert_true(outer || errno == ENOMEM);
	}
	assert_true(n > 4);
	tn_map_put(outer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(update_flags_are_those_of_a_hash_table),
		cmocka_unit_test(keys_are_walked_as_in_a_hash_table),
		cmocka_unit_test(map_taken_out_lives_while_a_thread_is_inside),
		cmocka_unit_test(other_shapes_and_sizes_are_refused),
		cmocka_unit_test(lookups_meet_updates_and_deletions),
		cmocka_unit_test(creation_copes_with_every_failing_allocation),
	};

	return cmocka_run_group_tests(tests, start_rt, stop_rt);
}
