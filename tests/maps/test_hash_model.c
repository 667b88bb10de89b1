/* SPDX-License-Identifier: MIT */
/*
 * Random operations on a hash map and on a reference: an array indexed by the key's number, which
 * says whether it is there and with what value. Every answer must be the reference's, and after
 * each run the table's invariants hold and iteration gives exactly the reference's keys.
 */
#include "maps/testing.h"

#define MAX_KEYS  2048u
#define MAX_BYTES 128u

struct reference {
	bool there[MAX_KEYS];
	uint64_t value[MAX_KEYS][4]; /* per slot; plain maps use the first */
	uint32_t count;
};

struct run {
	struct tn_map *map;
	struct reference *ref;
	uint32_t nr_keys;
	bool per_slot;
	uint64_t random;
};

static void key_bytes(const struct run *run, uint32_t n, unsigned char *key)
{
	memset(key, 0x11, MAX_BYTES);
	memcpy(key, &n, TN_MIN(run->map->key_size, 4u));
}

static uint32_t key_number(const struct run *run, const unsigned char *key)
{
	uint32_t n = 0;

	memcpy(&n, key, TN_MIN(run->map->key_size, 4u));
	return n;
}

/* A value of the map's size: the number, repeated. */
static void value_bytes(const struct tn_map *map, uint64_t value, unsigned char *out)
{
	for (uint32_t i = 0; i < map->value_size; i++)
		out[i] = (unsigned char)(value >> (i % 8 * 8));
}

static void assert_value(const struct tn_map *map, const void *got, uint64_t value)
{
	unsigned char want[MAX_BYTES];

	value_bytes(map, value, want);
	assert_memory_equal(got, want, map->value_size);
}

static int expected_update(const struct run *run, uint32_t n, uint64_t flags)
{
	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	if (run->ref->there[n])
		return flags == TN_MAP_NOEXIST ? -EEXIST : 0;
	if (flags == TN_MAP_EXIST)
		return -ENOENT;
	return run->ref->count == run->map->max_entries ? -E2BIG : 0;
}

static void remember(const struct run *run, uint32_t n)
{
	if (!run->ref->there[n])
		memset(run->ref->value[n], 0, sizeof(run->ref->value[n]));
	run->ref->count += !run->ref->there[n];
	run->ref->there[n] = true;
}

static void step_update(struct run *run, uint32_t n, const unsigned char *key)
{
	uint64_t flags = next_random(&run->random) % 8, value = next_random(&run->random);
	uint32_t slot = run->per_slot ? (uint32_t)(next_random(&run->random) % 4) : 0;
	unsigned char bytes[MAX_BYTES];
	int want;

	flags = flags < 4 ? TN_MAP_ANY : flags - 4;
	want = expected_update(run, n, flags);
	value_bytes(run->map, value, bytes);
	assert_int_equal(run->map->ops->update(run->map, key, bytes, flags, slot), want);
	if (want)
		return;
	remember(run, n);
	run->ref->value[n][slot] = value;
}

static void step_host_update(struct run *run, uint32_t n, const unsigned char *key)
{
	unsigned char bytes[4 * MAX_BYTES] = { 0 };
	uint32_t stride = TN_ROUND_UP(run->map->value_size, 8u), nr = run->per_slot ? 4 : 1;
	uint64_t value[4];
	int want = expected_update(run, n, TN_MAP_ANY);

	for (uint32_t i = 0; i < nr; i++) {
		value[i] = next_random(&run->random);
		value_bytes(run->map, value[i], bytes + i * stride);
	}
	assert_int_equal(tn_map_host_update(run->map, key, bytes, TN_MAP_ANY), want);
	if (want)
		return;
	remember(run, n);
	memcpy(run->ref->value[n], value, nr * sizeof(value[0]));
}

static void step_lookup(struct run *run, uint32_t n, const unsigned char *key)
{
	uint32_t slot = run->per_slot ? (uint32_t)(next_random(&run->random) % 4) : 0;
	void *value = run->map->ops->lookup(run->map, key, slot);

	if (!run->ref->there[n]) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_value(run->map, value, run->ref->value[n][slot]);
}

static void step_host_lookup(struct run *run, uint32_t n, const unsigned char *key, bool remove)
{
	unsigned char bytes[4 * MAX_BYTES];
	uint32_t stride = TN_ROUND_UP(run->map->value_size, 8u);
	int want = run->ref->there[n] ? 0 : -ENOENT;

	if (remove)
		assert_int_equal(tn_map_host_lookup_and_delete(run->map, key, bytes, 0), want);
	else
		assert_int_equal(tn_map_host_lookup(run->map, key, bytes, 0), want);
	if (want)
		return;
	for (uint32_t i = 0; i < (run->per_slot ? 4u : 1u); i++)
		assert_value(run->map, bytes + i * stride, run->ref->value[n][i]);
	if (remove) {
		run->ref->there[n] = false;
		run->ref->count--;
	}
}

static void step_delete(struct run *run, uint32_t n, const unsigned char *key)
{
	assert_int_equal(run->map->ops->del(run->map, key), run->ref->there[n] ? 0 : -ENOENT);
	run->ref->count -= run->ref->there[n];
	run->ref->there[n] = false;
}

static void step(struct run *run)
{
	unsigned char key[MAX_BYTES];
	uint32_t n = (uint32_t)(next_random(&run->random) % run->nr_keys);

	key_bytes(run, n, key);
	switch (next_random(&run->random) % 10) {
	case 0:
	case 1:
	case 2:
	case 3:
		step_update(run, n, key);
		break;
	case 4:
		step_host_update(run, n, key);
		break;
	case 5:
	case 6:
		step_lookup(run, n, key);
		break;
	case 7:
		step_host_lookup(run, n, key, false);
		break;
	case 8:
		step_host_lookup(run, n, key, true);
		break;
	default:
		step_delete(run, n, key);
		break;
	}
}

static void check_iteration(const struct run *run)
{
	unsigned char key[MAX_BYTES];
	bool seen[MAX_KEYS] = { false };
	uint32_t n, nr = 0;
	int err;

	for (err = tn_map_next_key(run->map, NULL, key); !err;
	     err = tn_map_next_key(run->map, key, key)) {
		n = key_number(run, key);
		assert_true(n < run->nr_keys && run->ref->there[n] && !seen[n]);
		seen[n] = true;
		nr++;
	}
	assert_int_equal(err, -ENOENT);
	assert_int_equal(nr, run->ref->count);
}

static void run_model(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max,
		      uint32_t nr_keys, uint32_t steps)
{
	struct run run = { .map = new_map(type, key_size, value_size, max),
			   .ref = calloc(1, sizeof(*run.ref)),
			   .nr_keys = nr_keys,
			   .per_slot = type == TN_MAP_PERCPU_HASH,
			   .random = 88172645463325252u + key_size };

	for (uint32_t i = 0; i < steps; i++) {
		step(&run);
		if (i % (steps / 4) == 0) {
			assert_hash_valid(run.map, NULL);
			check_iteration(&run);
		}
	}
	assert_int_equal(run.map->ops->count(run.map), run.ref->count);
	free(run.ref);
	tn_map_put(run.map);
}

static void tiny_hash_answers_as_the_reference(void **state)
{
	(void)state;
	run_model(TN_MAP_HASH, 4, 8, 1, 3, 20000);
	run_model(TN_MAP_HASH, 1, 1, 3, 5, 20000);
	run_model(TN_MAP_HASH, 8, 8, 2, 2, 20000);
}

static void hash_answers_as_the_reference_for_every_key_size(void **state)
{
	static const uint32_t sizes[] = { 2, 4, 5, 8, 13, 16, 17, 40 };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(sizes); i++)
		run_model(TN_MAP_HASH, sizes[i], 20, 300, 400, 40000);
}

static void large_hash_answers_as_the_reference(void **state)
{
	(void)state;
	run_model(TN_MAP_HASH, 8, 8, 1500, MAX_KEYS, 300000);
}

static void per_slot_hash_answers_as_the_reference(void **state)
{
	(void)state;
	run_model(TN_MAP_PERCPU_HASH, 4, 8, 1, 3, 20000);
	run_model(TN_MAP_PERCPU_HASH, 8, 12, 200, 300, 50000);
	run_model(TN_MAP_PERCPU_HASH, 16, 3, 200, 300, 50000);
	run_model(TN_MAP_PERCPU_HASH, 9, 100, 1000, 1200, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(tiny_hash_answers_as_the_reference),
		TEST(hash_answers_as_the_reference_for_every_key_size),
		TEST(large_hash_answers_as_the_reference),
		TEST(per_slot_hash_answers_as_the_reference),
	};

	return cmocka_run_group_tests_name("maps/hash_model", tests, NULL, NULL);
}
