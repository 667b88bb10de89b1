/* SPDX-License-Identifier: MIT */
/*
 * LRU maps: a full one makes room, used elements stay, and what leaves is whole to its end. The
 * table itself is that of hash maps, with their tests; the answers to calls are in test_parity.c.
 */
#include "maps/testing.h"
#include "maps/timer.h"

static const uint32_t types[] = { TN_MAP_LRU_HASH, TN_MAP_LRU_PERCPU_HASH };

static int put(struct tn_map *map, uint64_t key, uint64_t value)
{
	return map->ops->update(map, &key, &value, TN_MAP_ANY, 0);
}

static uint64_t *get(struct tn_map *map, uint64_t key)
{
	return map->ops->lookup(map, &key, 0);
}

static bool is_there(struct tn_map *map, uint64_t key)
{
	uint64_t values[4];

	return !tn_map_host_lookup(map, &key, values, 0);
}

static uint32_t count_there(struct tn_map *map, uint64_t first, uint64_t nr)
{
	uint32_t count = 0;

	for (uint64_t key = first; key < first + nr; key++)
		count += is_there(map, key);
	return count;
}

static void full_map_takes_every_new_key(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 3, 10, 100, 1000 };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(sizes) * TN_ARRAY_SIZE(types); i++) {
		uint32_t size = sizes[i / TN_ARRAY_SIZE(types)];
		struct tn_map *map = new_map(types[i % TN_ARRAY_SIZE(types)], 8, 8, size);

		for (uint64_t key = 0; key < 10000; key++) {
			assert_int_equal(put(map, key, key * 3), 0);
			assert_int_equal(*get(map, key), key * 3);
			assert_int_equal(map->ops->count(map), TN_MIN(key + 1, size));
		}
		assert_int_equal(count_there(map, 0, 10000), size);
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

/* Whoever is used between any two rounds of the hand. */
static void used_elements_outlive_any_number_of_new_ones(void **state)
{
	enum { SIZE = 1000, USED = 200 };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = new_map(types[i], 8, 8, SIZE);

		for (uint64_t key = 0; key < USED; key++)
			assert_int_equal(put(map, key, key), 0);
		for (uint64_t key = USED; key < 50000; key++) {
			assert_int_equal(put(map, key, key), 0);
			assert_non_null(get(map, key * 7 % USED));
		}
		assert_int_equal(count_there(map, 0, USED), USED);
		assert_int_equal(map->ops->count(map), SIZE);
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

/* Used once, before as many new ones come as there is room for besides. */
static void element_looked_up_once_stays_longer_than_others(void **state)
{
	struct tn_map *map = new_map(TN_MAP_LRU_HASH, 8, 8, 4);

	(void)state;
	for (uint64_t round = 0; round < 1000; round++) {
		uint64_t key = round * 10;

		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(put(map, key + i, i), 0);
		if (!is_there(map, key + 1))
			continue;
		assert_non_null(get(map, key + 1));
		assert_int_equal(put(map, key + 4, 4), 0);
		assert_true(is_there(map, key + 1) && is_there(map, key + 4));
	}
	tn_map_put(map);
}

static uint8_t level_of(struct tn_map *map, uint64_t key)
{
	const struct tn_hash *h = (const struct tn_hash *)(const void *)map;
	size_t index = (size_t)((const unsigned char *)map->ops->look_at(map, &key, 0) - h->elems);

	index /= h->elem_stride;
	return tn_load_relaxed(
		&h->use[index / TN_HASH_GROUP_SLOTS].level[index % TN_HASH_GROUP_SLOTS]);
}

static void programs_lookups_and_updates_count_as_use_and_the_hosts_lookups_do_not(void **state)
{
	struct tn_map *map = new_map(TN_MAP_LRU_HASH, 8, 8, 10);
	uint64_t key = 1, value = 0;

	(void)state;
	assert_int_equal(put(map, 1, 1), 0);
	assert_int_equal(level_of(map, 1), TN_HASH_USE_NEW);
	assert_int_equal(tn_map_host_lookup(map, &key, &value, 0), 0);
	assert_int_equal(tn_map_next_key(map, NULL, &key), 0);
	assert_int_equal(level_of(map, 1), TN_HASH_USE_NEW);
	get(map, 1);
	assert_int_equal(level_of(map, 1), TN_HASH_USE_SEEN);
	assert_int_equal(put(map, 2, 1), 0);
	assert_int_equal(put(map, 2, 2), 0);
	assert_int_equal(level_of(map, 2), TN_HASH_USE_SEEN);
	tn_map_put(map);
}

/* A map whose elements are all used makes room without a walk through all of it. */
static void map_of_used_elements_makes_room(void **state)
{
	enum { SIZE = 20000 };
	struct tn_map *map = new_map(TN_MAP_LRU_HASH, 8, 8, SIZE);
	const struct tn_hash *h = (const struct tn_hash *)(const void *)map;

	(void)state;
	for (uint64_t key = 0; key < SIZE; key++)
		assert_int_equal(put(map, key, key), 0);
	for (uint64_t key = 0; key < SIZE; key++)
		assert_non_null(get(map, key));
	assert_int_equal(put(map, SIZE, 0), 0);
	assert_in_range(tn_load_relaxed(&h->tally->hand), 1, 100);
	assert_true(is_there(map, SIZE));
	assert_int_equal(map->ops->count(map), SIZE);
	assert_hash_valid(map, NULL);
	tn_map_put(map);
}

static void updates_of_present_keys_drop_nobody(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
		struct tn_map *map = new_map(types[i], 8, 8, 10);

		for (uint64_t key = 0; key < 10; key++)
			assert_int_equal(put(map, key, key), 0);
		for (uint64_t n = 0; n < 1000; n++)
			assert_int_equal(put(map, n % 10, n), 0);
		assert_int_equal(count_there(map, 0, 10), 10);
		tn_map_put(map);
	}
}

static void evicted_element_waits_while_spares_last(void **state)
{
	struct tn_map *map = new_map(TN_MAP_LRU_HASH, 8, 8, 1);
	const struct tn_hash *h = (const struct tn_hash *)(const void *)map;
	const uint64_t *old;

	(void)state;
	assert_int_equal(put(map, 1, 100), 0);
	old = get(map, 1);
	for (uint64_t i = 0; i < h->nr_spares; i++)
		assert_int_equal(put(map, 1000 + i, i), 0);
	assert_int_equal(*old, 100);
	assert_null(get(map, 1));
	tn_map_put(map);
}

static void per_slot_insert_over_an_evicted_element_zeroes_other_slots(void **state)
{
	struct tn_map *map = new_map(TN_MAP_LRU_PERCPU_HASH, 8, 8, 2);
	uint64_t all[4] = { 9, 9, 9, 9 }, value = 5;

	(void)state;
	for (uint64_t key = 0; key < 1000; key++)
		assert_int_equal(tn_map_host_update(map, &key, all, 0), 0);
	for (uint64_t key = 1000; key < 2000; key++) {
		assert_int_equal(map->ops->update(map, &key, &value, TN_MAP_NOEXIST, 1), 0);
		assert_int_equal(tn_map_host_lookup(map, &key, all, 0), 0);
		assert_true(!all[0] && all[1] == 5 && !all[2] && !all[3]);
	}
	tn_map_put(map);
}

static void every_key_size_makes_room(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 4, 7, 16, 33, 512 };
	unsigned char key[512] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(sizes); i++) {
		struct tn_map *map = new_map(types[i % 2], sizes[i], 3, 20);

		for (uint32_t n = 0; n < 200; n++) {
			key[sizes[i] / 2] = (unsigned char)n;
			assert_int_equal(map->ops->update(map, key, &n, TN_MAP_NOEXIST, 0), 0);
			assert_memory_equal(map->ops->lookup(map, key, 0), &n, 3);
		}
		assert_int_equal(map->ops->count(map), 20);
		assert_hash_valid(map, NULL);
		tn_map_put(map);
	}
}

/* ---- Threads: values with a checksum, keys far more than there is room for ---- */

enum { KEYS = 600, HOT = 40, ENTRIES = 200, WORDS = 12, THREADS = 4 };
#define ROUNDS 40000

struct value {
	uint64_t key, version[WORDS], sum;
};

static struct tn_map *shared;
static _Atomic uint32_t wrong; /* line of the first check that failed */

#define CHECK(x)                                            \
	do {                                                \
		if (!(x))                                   \
			tn_store_relaxed(&wrong, __LINE__); \
	} while (0)

static uint64_t sum_of(const struct value *v)
{
	uint64_t sum = v->key * 31 + 7;

	for (int i = 0; i < WORDS; i++)
		sum = sum * 31 + v->version[i];
	return sum;
}

static void fill(struct value *v, uint64_t key, uint64_t version)
{
	v->key = key;
	for (int i = 0; i < WORDS; i++)
		v->version[i] = version * (uint64_t)(i + 1);
	v->sum = sum_of(v);
}

static void check_value(const struct value *v, uint64_t key)
{
	CHECK(v->key == key);
	CHECK(v->sum == sum_of(v));
}

static void read_one(uint64_t key)
{
	struct tn_thread *t = tn_thread_self();
	struct value v[4];
	int err = tn_map_host_lookup(shared, &key, v, 0);

	CHECK(err == 0 || err == -ENOENT);
	if (!err && shared->type == TN_MAP_LRU_HASH)
		check_value(v, key);
	tn_epoch_enter(t);
	shared->ops->lookup(shared, &key, 0);
	tn_epoch_leave(t);
}

static void *worker(void *arg)
{
	uint32_t slot = tn_slot(&test_rt, tn_thread_self());
	uint64_t random = (uintptr_t)arg * 7919 + 1;
	struct value v, all[4];

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t key = next_random(&random) % KEYS;
		int err;

		switch (next_random(&random) % 8) {
		case 0:
		case 1:
		case 2:
			fill(&v, key, i);
			CHECK(shared->ops->update(shared, &key, &v, TN_MAP_ANY, slot) == 0);
			break;
		case 3:
			fill(&v, key, i);
			err = shared->ops->update(shared, &key, &v, TN_MAP_NOEXIST, slot);
			CHECK(err == 0 || err == -EEXIST);
			break;
		case 4:
			err = tn_map_host_lookup_and_delete(shared, &key, all, 0);
			CHECK(err == 0 || err == -ENOENT);
			if (!err && shared->type == TN_MAP_LRU_HASH)
				check_value(all, key);
			break;
		default:
			read_one(next_random(&random) % 2 ? key : key % HOT);
		}
		CHECK(shared->ops->count(shared) <= shared->max_entries);
	}
	return NULL;
}

static void run_workers(uint32_t type, uint32_t entries)
{
	pthread_t threads[THREADS];

	tn_store_relaxed(&wrong, 0);
	shared = new_map(type, 8, sizeof(struct value), entries);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&wrong), 0);
	assert_hash_valid(shared, NULL);
	tn_map_put(shared);
}

static void values_are_whole_while_four_threads_make_room(void **state)
{
	(void)state;
	run_workers(TN_MAP_LRU_HASH, ENTRIES);
}

static void map_smaller_than_its_threads_takes_all_keys(void **state)
{
	(void)state;
	run_workers(TN_MAP_LRU_HASH, 2);
	run_workers(TN_MAP_LRU_HASH, 1);
}

static void per_slot_map_makes_room_for_four_threads(void **state)
{
	(void)state;
	run_workers(TN_MAP_LRU_PERCPU_HASH, ENTRIES);
}

/* ---- Timers ---- */

enum { TIMED = 64 };

struct timed {
	uint64_t key, timer[2];
};

static struct tn_map *new_timed(void)
{
	static const struct tn_map_special timer = { .off = 8,
						     .size = 16,
						     .kind = TN_SPECIAL_TIMER };
	struct tn_map_attr attr = { .type = TN_MAP_LRU_HASH,
				    .key_size = 8,
				    .value_size = sizeof(struct timed),
				    .max_entries = TIMED,
				    .name = "timed",
				    .specials = &timer,
				    .nr_specials = 1 };
	struct tn_map *map = tn_map_create(&test_rt, &attr);

	if (!map)
		fail_msg("%s", tn_err_last()->msg);
	tn_timers_set_open(map, true);
	return map;
}

static bool get_prog(void *prog)
{
	++*(int *)prog;
	return true;
}

static void put_prog(void *prog)
{
	--*(int *)prog;
}

static void start_timer(struct tn_map *map, uint64_t key, int *prog)
{
	const struct tn_timer_call call = { .prog = prog, .get = get_prog, .put = put_prog };
	struct timed fresh = { .key = key }, *inside;

	assert_int_equal(map->ops->update(map, &key, &fresh, TN_MAP_ANY, 0), 0);
	inside = map->ops->lookup(map, &key, 0);
	assert_non_null(inside);
	/* A new element's place has no timer of the one before. */
	assert_int_equal(inside->timer[0], 0);
	assert_int_equal(tn_timer_init(map, inside->timer, 1, TN_SPECIAL_TIMER), 0);
	assert_int_equal(tn_timer_init(map, inside->timer, 1, TN_SPECIAL_TIMER), -EBUSY);
	get_prog(prog);
	assert_int_equal(tn_timer_set_callback(&test_rt, inside->timer, &call), 0);
	assert_int_equal(tn_timer_start(&test_rt, inside->timer, 0, 0), 0);
}

static void note_run(void *user, const struct tn_timer_call *call, const void *key)
{
	const struct timed *value = call->value;

	assert_memory_equal(key, &value->key, 8);
	++*(uint32_t *)user;
}

static void timers_of_evicted_elements_end(void **state)
{
	struct tn_map *map = new_timed();
	uint32_t nr, armed, nr_run = 0;
	int prog = 0;

	(void)state;
	assert_true(tn_timers_fd(&test_rt) >= 0);
	for (uint64_t key = 0; key < 20 * TIMED; key++) {
		uint32_t live = (uint32_t)TN_MIN(key + 1, (uint64_t)TIMED);

		start_timer(map, key, &prog);
		tn_timers_count(&test_rt, &nr, &armed);
		assert_int_equal(nr, live);
		assert_int_equal(armed, live);
		assert_int_equal(prog, live);
	}
	assert_int_equal(tn_timers_run(&test_rt, note_run, &nr_run), TIMED);
	assert_int_equal(nr_run, TIMED);
	tn_timers_set_open(map, false);
	assert_int_equal(prog, 0);
	tn_map_put(map);
}

/* Who has looked it up before may still touch the place. */
static void late_timer_of_a_gone_element_is_given_back(void **state)
{
	struct tn_map *map = new_timed();
	uint32_t nr, armed;

	(void)state;
	for (uint64_t key = 0; key < 50 * TIMED; key++) {
		struct timed fresh = { .key = key }, *old;
		uint64_t next = key + 1000000;

		assert_int_equal(map->ops->update(map, &key, &fresh, TN_MAP_ANY, 0), 0);
		old = map->ops->lookup(map, &key, 0);
		assert_int_equal(map->ops->del(map, &key), 0);
		assert_int_equal(tn_timer_init(map, old->timer, 1, TN_SPECIAL_TIMER), 0);
		fresh.key = next;
		assert_int_equal(map->ops->update(map, &next, &fresh, TN_MAP_ANY, 0), 0);
	}
	assert_hash_valid(map, NULL);
	tn_timers_set_open(map, false);
	tn_timers_count(&test_rt, &nr, &armed);
	assert_int_equal(nr, 0);
	tn_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(full_map_takes_every_new_key),
		TEST(used_elements_outlive_any_number_of_new_ones),
		TEST(element_looked_up_once_stays_longer_than_others),
		TEST(programs_lookups_and_updates_count_as_use_and_the_hosts_lookups_do_not),
		TEST(map_of_used_elements_makes_room),
		TEST(updates_of_present_keys_drop_nobody),
		TEST(evicted_element_waits_while_spares_last),
		TEST(per_slot_insert_over_an_evicted_element_zeroes_other_slots),
		TEST(every_key_size_makes_room),
		TEST(values_are_whole_while_four_threads_make_room),
		TEST(map_smaller_than_its_threads_takes_all_keys),
		TEST(per_slot_map_makes_room_for_four_threads),
		TEST(timers_of_evicted_elements_end),
		TEST(late_timer_of_a_gone_element_is_given_back),
	};

	return cmocka_run_group_tests_name("maps/lru", tests, NULL, NULL);
}
