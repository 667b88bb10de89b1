/* SPDX-License-Identifier: MIT */
/*
 * Two writers and two readers on one small, crowded table, and forks in the middle of it.
 *
 * Keys below PERMANENT are always there and updated all the time: a reader must never miss one.
 * Keys above come and go. Keys from NEVER on are never inserted. Every value says whose it is and
 * repeats one number to its end, so that a copy that mixes two updates shows.
 */
#include "maps/testing.h"

enum { PERMANENT = 40, CHURN = 160, NEVER = 200, MAX_ENTRIES = 100, WORDS = 25 };
#define WRITES 60000
#define READS  60000

struct value {
	uint64_t key;
	uint64_t version[WORDS - 1];
};

static struct tn_map *map;
static _Atomic uint32_t wrong; /* line of the first check that failed */

#define CHECK(x)                                            \
	do {                                                \
		if (!(x))                                   \
			tn_store_relaxed(&wrong, __LINE__); \
	} while (0)

static void fill(struct value *v, uint64_t key, uint64_t version)
{
	v->key = key;
	for (int i = 0; i < WORDS - 1; i++)
		v->version[i] = version;
}

static void check_copy(const struct value *v, uint64_t key)
{
	CHECK(v->key == key);
	for (int i = 1; i < WORDS - 1; i++)
		CHECK(v->version[i] == v->version[0]);
}

static void write_one(uint64_t *random, uint64_t version)
{
	uint64_t key = next_random(random) % NEVER;
	struct value v;
	int err;

	fill(&v, key, version);
	if (key < PERMANENT) {
		CHECK(map->ops->update(map, &key, &v, TN_MAP_EXIST, 0) == 0);
	} else if (next_random(random) % 2) {
		err = map->ops->update(map, &key, &v, TN_MAP_ANY, 0);
		CHECK(err == 0 || err == -E2BIG);
	} else if (next_random(random) % 4) {
		err = map->ops->del(map, &key);
		CHECK(err == 0 || err == -ENOENT);
	} else {
		err = tn_map_host_lookup_and_delete(map, &key, &v, 0);
		CHECK(err == 0 || err == -ENOENT);
		if (!err)
			check_copy(&v, key);
	}
}

static void *writer(void *arg)
{
	uint64_t random = (uintptr_t)arg * 7919 + 1;

	for (uint64_t i = 0; i < WRITES; i++)
		write_one(&random, i);
	return NULL;
}

static void read_one(uint64_t *random)
{
	uint64_t key = next_random(random) % (NEVER + 50);
	struct tn_thread *t = tn_thread_self();
	struct value v;
	int err;

	tn_epoch_enter(t);
	if (key < PERMANENT)
		CHECK(map->ops->lookup(map, &key, 0) != NULL);
	if (key >= NEVER)
		CHECK(map->ops->lookup(map, &key, 0) == NULL);
	tn_epoch_leave(t);
	err = tn_map_host_lookup(map, &key, &v, 0);
	if (!err)
		check_copy(&v, key);
	CHECK(key < PERMANENT ? !err : err == 0 || err == -ENOENT);
	CHECK(key < NEVER || err == -ENOENT);
}

static void *reader(void *arg)
{
	uint64_t random = (uintptr_t)arg * 104729 + 1;

	for (uint64_t i = 0; i < READS; i++)
		read_one(&random);
	return NULL;
}

/* Every pass sees each permanent key once. A key that came and vanished sends a pass back to its
 * start, which shows in the first permanent key being there again. */
static void iterate(void)
{
	bool seen[PERMANENT] = { false };
	uint32_t nr = 0;
	uint64_t key;
	int err;

	for (err = tn_map_next_key(map, NULL, &key); !err; err = tn_map_next_key(map, &key, &key)) {
		CHECK(key < NEVER);
		if (key >= PERMANENT)
			continue;
		if (seen[key]) {
			memset(seen, 0, sizeof(seen));
			nr = 0;
		}
		seen[key] = true;
		nr++;
	}
	CHECK(nr == PERMANENT);
}

static void *iterator(void *arg)
{
	(void)arg;
	for (int pass = 0; pass < 200; pass++)
		iterate();
	return NULL;
}

static int start_map(void **state)
{
	struct value v;

	if (start_rt(state))
		return -1;
	tn_store_relaxed(&wrong, 0);
	map = new_map(TN_MAP_HASH, 8, sizeof(struct value), MAX_ENTRIES);
	for (uint64_t key = 0; key < PERMANENT; key++) {
		fill(&v, key, 0);
		if (map->ops->update(map, &key, &v, TN_MAP_NOEXIST, 0))
			return -1;
	}
	return 0;
}

static int stop_map(void **state)
{
	tn_map_put(map);
	return stop_rt(state);
}

static void readers_see_whole_values_of_present_keys_under_writers(void **state)
{
	void *(*const mains[])(void *) = { writer, writer, reader, reader, iterator };
	pthread_t threads[TN_ARRAY_SIZE(mains)];
	struct tn_hash_stats stats;

	(void)state;
	for (uintptr_t i = 0; i < TN_ARRAY_SIZE(mains); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mains[i], (void *)(i + 1)), 0);
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(mains); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&wrong), 0);
	assert_hash_valid(map, &stats);
	assert_in_range(stats.live, PERMANENT, MAX_ENTRIES);
}

/* ---- Exactly max_entries, whoever comes ---- */

static _Atomic uint32_t inserted;

static void *inserter(void *arg)
{
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t key = 1000 + i * 2 + (uintptr_t)arg;
		struct value v;

		fill(&v, key, 0);
		if (!map->ops->update(map, &key, &v, TN_MAP_NOEXIST, 0))
			tn_add_relaxed(&inserted, 1);
	}
	return NULL;
}

static void two_writers_fill_a_map_exactly(void **state)
{
	pthread_t threads[2];

	(void)state;
	tn_store_relaxed(&inserted, 0);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, inserter, (void *)i), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&inserted), MAX_ENTRIES - PERMANENT);
	assert_int_equal(map->ops->count(map), MAX_ENTRIES);
	assert_hash_valid(map, NULL);
}

/* ---- Fork ---- */

static int change_in_child(void *arg)
{
	uint64_t key = 1;
	struct value v;

	(void)arg;
	fill(&v, key, 77);
	return map->ops->update(map, &key, &v, TN_MAP_EXIST, 0) ||
	       map->ops->del(map, &(uint64_t){ 2 }) || !tn_hash_is_valid(map, NULL);
}

static void child_changes_its_own_copy_of_the_map(void **state)
{
	uint64_t key = 1;
	struct value v;

	(void)state;
	assert_int_equal(in_child(change_in_child, NULL), 0);
	assert_int_equal(tn_map_host_lookup(map, &key, &v, 0), 0);
	assert_int_equal(v.version[0], 0);
	key = 2;
	assert_int_equal(tn_map_host_lookup(map, &key, &v, 0), 0);
	assert_hash_valid(map, NULL);
}

/* The child finds the table as between two writes, and can go on writing. */
static int use_in_child(void *arg)
{
	uint64_t random = 4711;

	(void)arg;
	if (!tn_hash_is_valid(map, NULL))
		return 1;
	for (uint64_t i = 0; i < 500; i++)
		write_one(&random, i);
	if (tn_load_relaxed(&wrong))
		return 2;
	return !tn_hash_is_valid(map, NULL);
}

static void fork_while_others_write_gives_the_child_a_whole_map(void **state)
{
	pthread_t threads[2];

	(void)state;
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)(i + 1)), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(in_child(use_in_child, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&wrong), 0);
	assert_hash_valid(map, NULL);
}

/* ---- Per-slot maps: in place, yet whole for the host ---- */

static struct tn_map *per_slot;

static void *slot_writer(void *arg)
{
	uint32_t slot = tn_slot(&test_rt, tn_thread_self());
	uint64_t key = 1;
	struct value v;

	(void)arg;
	for (uint64_t i = 0; i < WRITES; i++) {
		fill(&v, key, i);
		CHECK(per_slot->ops->update(per_slot, &key, &v, TN_MAP_ANY, slot) == 0);
		if (i % 64 == 0)
			per_slot->ops->del(per_slot, &key);
	}
	return NULL;
}

static void host_copies_of_per_slot_values_are_whole(void **state)
{
	struct value all[4];
	uint64_t key = 1;
	pthread_t threads[2];

	(void)state;
	per_slot = new_map(TN_MAP_PERCPU_HASH, 8, sizeof(struct value), 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, slot_writer, NULL), 0);
	for (int i = 0; i < READS / 4; i++) {
		if (tn_map_host_lookup(per_slot, &key, all, 0))
			continue;
		for (int slot = 0; slot < 4; slot++)
			check_copy(&all[slot], all[slot].key ? key : 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&wrong), 0);
	assert_hash_valid(per_slot, NULL);
	tn_map_put(per_slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_map, stop_map)
		TEST(readers_see_whole_values_of_present_keys_under_writers),
		TEST(two_writers_fill_a_map_exactly),
		TEST(child_changes_its_own_copy_of_the_map),
		TEST(fork_while_others_write_gives_the_child_a_whole_map),
		TEST(host_copies_of_per_slot_values_are_whole),
	};

	return cmocka_run_group_tests_name("maps/hash_threads", tests, NULL, NULL);
}
