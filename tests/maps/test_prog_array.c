/* SPDX-License-Identifier: MIT */
#include "base/testing.h"

#include "base/epoch.h"
#include "base/err.h"
#include "maps/prog_array.h"

/* Programs, as far as the array knows them. `kind` stands for all that a signature says. */
struct prog {
	uint32_t id;
	int refs;
	char kind;
};

static struct prog progs[] = { { 10, 0, 'a' }, { 11, 0, 'a' }, { 12, 0, 'b' } };

static void *get(struct tn_rt *rt, uint32_t id)
{
	(void)rt;
	for (size_t i = 0; i < TN_ARRAY_SIZE(progs); i++) {
		if (progs[i].id == id) {
			progs[i].refs++;
			return &progs[i];
		}
	}
	errno = ENOENT;
	return NULL;
}

static void put(void *prog)
{
	((struct prog *)prog)->refs--;
}

static uint32_t id_of(const void *prog)
{
	return ((const struct prog *)prog)->id;
}

static int fits(const void *prog, const void *owner_sig)
{
	if (((const struct prog *)prog)->kind == *(const char *)owner_sig)
		return 0;
	return tn_err(-EINVAL, "another kind");
}

static const struct tn_prog_array_host host = { get, put, id_of, fits };
static struct tn_rt rt;
static struct tn_map *array;

static int setup(void **state)
{
	struct tn_map_attr attr = { .type = TN_MAP_PROG_ARRAY,
				    .key_size = 4,
				    .value_size = 4,
				    .max_entries = 4,
				    .flags = 0,
				    .name = "jumps" };

	(void)state;
	if (tn_rt_init(&rt, NULL))
		return -1;
	array = tn_map_create(&rt, &attr);
	if (!array)
		return -1;
	tn_prog_array_set_host(array, &host);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tn_map_put(array);
	tn_rt_fini(&rt);
	for (size_t i = 0; i < TN_ARRAY_SIZE(progs); i++)
		if (progs[i].refs)
			return -1;
	return tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]) ||
			       tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_MAPS])
		       ? -1
		       : 0;
}

static int update(uint32_t index, uint32_t id)
{
	return tn_map_host_update(array, &index, &id, 0);
}

static int lookup(uint32_t index)
{
	uint32_t id;
	int err = tn_map_host_lookup(array, &index, &id, 0);

	return err ? err : (int)id;
}

static void creation_refuses_what_the_kernel_does(void **state)
{
	const struct tn_map_attr bad[] = {
		{ .type = TN_MAP_PROG_ARRAY,
		  .key_size = 8,
		  .value_size = 4,
		  .max_entries = 4,
		  .flags = 0,
		  .name = "x" },
		{ .type = TN_MAP_PROG_ARRAY,
		  .key_size = 4,
		  .value_size = 8,
		  .max_entries = 4,
		  .flags = 0,
		  .name = "x" },
		{ .type = TN_MAP_PROG_ARRAY,
		  .key_size = 4,
		  .value_size = 4,
		  .max_entries = 0,
		  .flags = 0,
		  .name = "x" },
		{ .type = TN_MAP_PROG_ARRAY,
		  .key_size = 4,
		  .value_size = 4,
		  .max_entries = 4,
		  .flags = TN_MAP_F_RDONLY_PROG,
		  .name = "x" },
		{ .type = TN_MAP_PROG_ARRAY,
		  .key_size = 4,
		  .value_size = 4,
		  .max_entries = 4,
		  .flags = TN_MAP_F_MMAPABLE,
		  .name = "x" },
	};

	(void)state;
	for (size_t i = 0; i < TN_ARRAY_SIZE(bad); i++) {
		errno = 0;
		assert_null(tn_map_create(&rt, &bad[i]));
		assert_int_equal(errno, EINVAL);
	}
}

static void update_enters_program_and_lookup_gives_its_id(void **state)
{
	(void)state;
	assert_int_equal(lookup(1), -ENOENT);
	assert_int_equal(update(1, 10), 0);
	assert_int_equal(lookup(1), 10);
	assert_ptr_equal(tn_prog_array_at(array, 1), &progs[0]);
	assert_int_equal(progs[0].refs, 1);
	assert_int_equal(array->ops->count(array), 1);
}

static void at_gives_null_beyond_the_end(void **state)
{
	(void)state;
	assert_null(tn_prog_array_at(array, 4));
	assert_null(tn_prog_array_at(array, UINT64_MAX));
}

static void update_replaces_and_drops_the_old_reference(void **state)
{
	(void)state;
	assert_int_equal(update(0, 10), 0);
	assert_int_equal(update(0, 11), 0);
	assert_int_equal(progs[0].refs, 0);
	assert_int_equal(progs[1].refs, 1);
	assert_int_equal(lookup(0), 11);
}

static void update_gives_the_kernels_errors(void **state)
{
	uint32_t index = 0, id = 10;

	(void)state;
	assert_int_equal(update(4, 10), -E2BIG);
	assert_int_equal(update(0, 99), -ENOENT);
	assert_int_equal(tn_map_host_update(array, &index, &id, TN_MAP_NOEXIST), -EINVAL);
	assert_int_equal(tn_map_host_update(array, &index, &id, TN_MAP_EXIST), -EINVAL);
	assert_int_equal(progs[0].refs, 0);
}

static void delete_gives_the_kernels_errors(void **state)
{
	uint32_t index = 0, beyond = 4;

	(void)state;
	assert_int_equal(tn_map_host_delete(array, &index, 0), -ENOENT);
	assert_int_equal(tn_map_host_delete(array, &beyond, 0), -E2BIG);
	assert_int_equal(update(0, 10), 0);
	assert_int_equal(tn_map_host_delete(array, &index, 0), 0);
	assert_int_equal(lookup(0), -ENOENT);
	assert_int_equal(progs[0].refs, 0);
}

static void programs_have_no_operations(void **state)
{
	(void)state;
	assert_null(array->ops->lookup);
	assert_null(array->ops->update);
	assert_null(array->ops->del);
}

static void bound_array_refuses_programs_of_another_kind(void **state)
{
	(void)state;
	assert_int_equal(tn_prog_array_bind(array, "a"), 0);
	assert_int_equal(update(0, 10), 0);
	assert_int_equal(update(1, 12), -EINVAL);
	assert_string_equal(tn_err_last()->msg, "another kind");
	assert_int_equal(progs[2].refs, 0);
	assert_int_equal(lookup(1), -ENOENT);
}

static void bind_checks_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(update(3, 12), 0);
	assert_int_equal(tn_prog_array_bind(array, "a"), -EINVAL);
	assert_int_equal(tn_prog_array_bind(array, "b"), 0);
}

static void bind_refuses_a_second_owner(void **state)
{
	static const char one[] = "a", other[] = "b";

	(void)state;
	assert_int_equal(tn_prog_array_bind(array, one), 0);
	assert_int_equal(tn_prog_array_bind(array, one), 0);
	assert_int_equal(tn_prog_array_bind(array, other), -EINVAL);
}

static void clear_drops_every_reference(void **state)
{
	(void)state;
	assert_int_equal(update(0, 10), 0);
	assert_int_equal(update(3, 11), 0);
	tn_prog_array_clear(array);
	assert_int_equal(progs[0].refs + progs[1].refs, 0);
	assert_int_equal(array->ops->count(array), 0);
}

static void keys_are_the_indexes(void **state)
{
	uint32_t key, next, beyond = 17;

	(void)state;
	assert_int_equal(tn_map_next_key(array, NULL, &key), 0);
	assert_int_equal(key, 0);
	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(tn_map_next_key(array, &key, &next), 0);
		assert_int_equal(next, i);
		key = next;
	}
	assert_int_equal(tn_map_next_key(array, &key, &next), -ENOENT);
	assert_int_equal(tn_map_next_key(array, &beyond, &next), 0);
	assert_int_equal(next, 0);
}

static void last_put_drops_references(void **state)
{
	struct tn_map *map = tn_map_get(array);

	(void)state;
	assert_int_equal(update(2, 10), 0);
	tn_map_put(map);
	assert_int_equal(progs[0].refs, 1);
}

static void creation_survives_each_failed_allocation(void **state)
{
	const struct tn_map_attr attr = { .type = TN_MAP_PROG_ARRAY,
					  .key_size = 4,
					  .value_size = 4,
					  .max_entries = 1000,
					  .flags = 0,
					  .name = "big" };
	size_t heap = tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]);
	struct tn_map *map = NULL;

	(void)state;
	for (int n = 1; !map && n < 20; n++) {
		tn_store_relaxed(&rt.mem.fail_after, n);
		map = tn_map_create(&rt, &attr);
		if (!map)
			assert_int_equal(tn_load_relaxed(&rt.mem.bytes[TN_CHARGE_HEAP]), heap);
	}
	tn_store_relaxed(&rt.mem.fail_after, 0);
	assert_non_null(map);
	tn_map_put(map);
}

#define ARRAY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARRAY_TEST(creation_refuses_what_the_kernel_does),
		ARRAY_TEST(update_enters_program_and_lookup_gives_its_id),
		ARRAY_TEST(at_gives_null_beyond_the_end),
		ARRAY_TEST(update_replaces_and_drops_the_old_reference),
		ARRAY_TEST(update_gives_the_kernels_errors),
		ARRAY_TEST(delete_gives_the_kernels_errors),
		ARRAY_TEST(programs_have_no_operations),
		ARRAY_TEST(bound_array_refuses_programs_of_another_kind),
		ARRAY_TEST(bind_checks_what_is_there),
		ARRAY_TEST(bind_refuses_a_second_owner),
		ARRAY_TEST(clear_drops_every_reference),
		ARRAY_TEST(keys_are_the_indexes),
		ARRAY_TEST(last_put_drops_references),
		ARRAY_TEST(creation_survives_each_failed_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
