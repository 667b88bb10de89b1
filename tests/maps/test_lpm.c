/* SPDX-License-Identifier: MIT */
/* Longest-prefix-match tries against a list of prefixes; failing allocations; threads. Numbers
 * returned are in test_parity.c. */
#include "maps/testing.h"

#include <pthread.h>

#define MAX_DATA 40u
#define MODEL	 300u

struct key {
	uint32_t len;
	unsigned char data[MAX_DATA];
};

struct entry {
	struct key key;
	uint64_t value;
	bool used;
};

static struct entry model[MODEL];
static uint32_t bytes; /* of data in a key */

static bool bit_of(const struct key *k, uint32_t i)
{
	return k->data[i / 8] >> (7 - i % 8) & 1;
}

static uint32_t common_bits(const struct key *a, const struct key *b)
{
	uint32_t i = 0, min = TN_MIN(a->len, b->len);

	while (i < min && bit_of(a, i) == bit_of(b, i))
		i++;
	return i;
}

static struct entry *model_exact(const struct key *k)
{
	for (uint32_t i = 0; i < MODEL; i++)
		if (model[i].used && model[i].key.len == k->len &&
		    common_bits(&model[i].key, k) == k->len)
			return &model[i];
	return NULL;
}

static struct entry *model_longest(const struct key *k)
{
	struct entry *best = NULL;

	for (uint32_t i = 0; i < MODEL; i++)
		if (model[i].used && common_bits(&model[i].key, k) == model[i].key.len &&
		    (!best || model[i].key.len > best->key.len))
			best = &model[i];
	return best;
}

/* Post-order: a prefix after those within it. */
static bool model_before(const struct key *a, const struct key *b)
{
	uint32_t common = common_bits(a, b);

	if (common == a->len || common == b->len)
		return a->len > b->len;
	return bit_of(b, common);
}

static struct entry *model_next(const struct key *after)
{
	struct entry *best = NULL;

	for (uint32_t i = 0; i < MODEL; i++)
		if (model[i].used && (!after || model_before(after, &model[i].key)) &&
		    (!best || model_before(&model[i].key, &best->key)))
			best = &model[i];
	return best;
}

/* Few different bytes, so that prefixes share and contain each other. */
static struct key random_key(uint64_t *random)
{
	static const unsigned char often[] = { 0, 1, 0x80, 0xff };
	struct key k = { 0 };
	uint64_t how = next_random(random) % 8;

	for (uint32_t i = 0; i < bytes; i++) {
		uint64_t r = next_random(random);

		k.data[i] = how == 0	 ? (unsigned char)r
			    : r % 16 < 9 ? 0
					 : often[r / 16 % TN_ARRAY_SIZE(often)];
	}
	k.len = (uint32_t)(next_random(random) % (bytes * 8 + 1));
	return k;
}

static uint32_t live;

static void change_both(struct tn_map *map, const struct key *k, uint64_t value, uint64_t how)
{
	struct entry *e = model_exact(k);

	if (how < 2) {
		assert_int_equal(tn_map_host_delete(map, k, 0), e ? 0 : -ENOENT);
		if (e)
			e->used = false;
		live -= e != NULL;
		return;
	}
	assert_int_equal(tn_map_host_update(map, k, &value, 0),
			 !e && live == map->max_entries ? -ENOSPC : 0);
	if (!e && live == map->max_entries)
		return;
	if (!e) {
		for (e = model; e->used; e++)
			;
		live++;
	}
	*e = (struct entry){ *k, value, true };
}

static void compare_lookup(struct tn_map *map, const struct key *k)
{
	struct entry *e = model_longest(k);
	uint64_t value;

	assert_int_equal(tn_map_host_lookup(map, k, &value, 0), e ? 0 : -ENOENT);
	if (e)
		assert_int_equal(value, e->value);
}

static void compare_order(struct tn_map *map)
{
	struct entry *e = model_next(NULL);
	struct key k;
	int err = tn_map_next_key(map, NULL, &k);

	for (; e; e = model_next(&e->key)) {
		assert_int_equal(err, 0);
		assert_int_equal(k.len, e->key.len);
		assert_memory_equal(k.data, e->key.data, bytes);
		err = tn_map_next_key(map, &k, &k);
	}
	assert_int_equal(err, -ENOENT);
}

static void run_model(uint32_t data_bytes, uint32_t max, uint32_t rounds)
{
	struct tn_map *map;
	uint64_t random = 88172645463325252u + data_bytes;

	bytes = data_bytes;
	live = 0;
	memset(model, 0, sizeof(model));
	map = try_map(TN_MAP_LPM_TRIE, 4 + bytes, 8, max, TN_MAP_F_NO_PREALLOC);
	assert_non_null(map);
	for (uint32_t i = 0; i < rounds; i++) {
		struct key k = random_key(&random);

		change_both(map, &k, i, next_random(&random) % 6);
		assert_int_equal(map->ops->count(map), live);
		for (uint32_t j = 0; j < 4; j++) {
			k = random_key(&random);
			if (j % 2)
				k.len = bytes * 8;
			compare_lookup(map, &k);
		}
		if (i % 128 == 0)
			compare_order(map);
	}
	compare_order(map);
	while (live) {
		struct key k = model_next(NULL)->key;

		change_both(map, &k, 0, 0);
		compare_lookup(map, &k);
	}
	tn_map_put(map);
}

static void trie_answers_as_a_list_of_prefixes_does(void **state)
{
	(void)state;
	run_model(1, 120, 3000);
	run_model(2, 250, 4000);
	run_model(3, 250, 4000);
	run_model(4, 250, 4000);
	run_model(16, 250, 4000);
	run_model(MAX_DATA, 200, 2000);
}

/* Full nodes: every value of two bytes, put in and taken out in an order of their own. */
static void trie_with_every_value_of_a_byte_answers_right(void **state)
{
	struct tn_map *map = try_map(TN_MAP_LPM_TRIE, 7, 4, 65536, TN_MAP_F_NO_PREALLOC);
	struct {
		uint32_t len;
		unsigned char data[3];
	} k;
	uint32_t value;

	(void)state;
	assert_non_null(map);
	for (uint32_t i = 0; i < 65536; i++) {
		value = i * 40503u % 65536;
		k.len = 17 + value % 8;
		k.data[0] = (unsigned char)(value >> 8);
		k.data[1] = (unsigned char)value;
		k.data[2] = 0;
		assert_int_equal(tn_map_host_update(map, &k, &value, TN_MAP_NOEXIST), 0);
	}
	assert_int_equal(map->ops->count(map), 65536);
	for (uint32_t i = 0; i < 65536; i++) {
		uint32_t want = i * 25173u % 65536, now = (want + 32768) % 65536;

		k.len = 24;
		k.data[0] = (unsigned char)(want >> 8);
		k.data[1] = (unsigned char)want;
		k.data[2] = 0;
		assert_int_equal(tn_map_host_lookup(map, &k, &value, 0), 0);
		assert_int_equal(value, want);
		k.len = 17 + want % 8;
		assert_int_equal(tn_map_host_delete(map, &k, 0), 0);
		k.len = 24;
		assert_int_equal(tn_map_host_lookup(map, &k, &value, 0), -ENOENT);
		k.data[0] = (unsigned char)(now >> 8);
		if (tn_map_host_lookup(map, &k, &value, 0) == 0)
			assert_int_equal(value, now);
	}
	assert_int_equal(map->ops->count(map), 0);
	assert_int_equal(tn_map_next_key(map, NULL, &k), -ENOENT);
	tn_map_put(map);
}

static void trie_of_256_bytes_takes_every_length(void **state)
{
	struct tn_map *map = try_map(TN_MAP_LPM_TRIE, 260, 8, 2049, TN_MAP_F_NO_PREALLOC);
	unsigned char key[260] = { 0 };
	uint64_t value;

	(void)state;
	assert_non_null(map);
	for (uint32_t i = 0; i <= 2048; i++) {
		uint32_t len = i * 1025 % 2049; /* each once, far apart */

		memcpy(key, &len, 4);
		value = len;
		assert_int_equal(tn_map_host_update(map, key, &value, TN_MAP_NOEXIST), 0);
	}
	for (uint32_t len = 0; len <= 2048; len++) {
		memcpy(key, &len, 4);
		assert_int_equal(tn_map_host_lookup(map, key, &value, 0), 0);
		assert_int_equal(value, len);
	}
	for (uint32_t len = 2048; len > 0; len -= 2) {
		memcpy(key, &len, 4);
		assert_int_equal(tn_map_host_delete(map, key, 0), 0);
		assert_int_equal(tn_map_host_lookup(map, key, &value, 0), 0);
		assert_int_equal(value, len - 1);
	}
	tn_map_put(map);
}

/* With the n-th allocation failing: an update changed nothing or all, a removal always happens. */
static void trie_stays_whole_when_allocations_fail(void **state)
{
	uint64_t random = 4711;
	struct tn_map *map;

	(void)state;
	bytes = 4;
	live = 0;
	memset(model, 0, sizeof(model));
	tn_store_relaxed(&test_rt.mem.fail_after, 2);
	assert_null(try_map(TN_MAP_LPM_TRIE, 8, 8, 200, TN_MAP_F_NO_PREALLOC));
	assert_int_equal(errno, ENOMEM);
	map = try_map(TN_MAP_LPM_TRIE, 8, 8, 200, TN_MAP_F_NO_PREALLOC);
	assert_non_null(map);
	for (uint32_t i = 0; i < 4000; i++) {
		struct key k = random_key(&random);
		uint64_t how = next_random(&random) % 6, value = i;
		struct entry *e = model_exact(&k);

		if (how >= 2 && (e || live < 200)) {
			tn_store_relaxed(&test_rt.mem.fail_after, (int64_t)(i % 5) + 1);
			int err = tn_map_host_update(map, &k, &value, 0);

			tn_store_relaxed(&test_rt.mem.fail_after, 0);
			if (err) {
				assert_int_equal(err, -ENOMEM);
				compare_lookup(map, &k);
				change_both(map, &k, i, how);
			} else if (e) {
				*e = (struct entry){ k, value, true };
			} else {
				for (e = model; e->used; e++)
					;
				*e = (struct entry){ k, value, true };
				live++;
			}
		} else {
			/* A full trie says so only once it has memory for the element. */
			tn_store_relaxed(&test_rt.mem.fail_after, how < 2 ? i % 3 : 0);
			change_both(map, &k, i, how);
			tn_store_relaxed(&test_rt.mem.fail_after, 0);
		}
		k = random_key(&random);
		compare_lookup(map, &k);
		k.len = 32;
		compare_lookup(map, &k);
		if (i % 64 == 0)
			compare_order(map);
	}
	tn_map_put(map);
}

static void trie_beyond_the_limit_for_maps_refuses_elements(void **state)
{
	struct tn_map *map = try_map(TN_MAP_LPM_TRIE, 8, 8, 100000, TN_MAP_F_NO_PREALLOC);
	uint32_t i = 0;
	int err = 0;

	(void)state;
	assert_non_null(map);
	test_rt.mem.limit[TN_CHARGE_MAPS] = 1 << 20;
	for (; !err && i < 100000; i++) {
		uint32_t key[2] = { 32, i * 2654435761u };
		uint64_t value = i;

		err = tn_map_host_update(map, key, &value, 0);
	}
	test_rt.mem.limit[TN_CHARGE_MAPS] = SIZE_MAX;
	assert_int_equal(err, -ENOMEM);
	assert_true(i > 500);
	tn_map_put(map);
}

/* ---- Threads: a /8 that is always there, /16s and /24s in it that come and go, each with values
 * that repeat one number and say how long their prefix is. ---- */

#define WORDS 12
#define TURNS 20000

struct wide {
	uint64_t len, version[WORDS];
};

static struct tn_map *shared;
static _Atomic uint32_t wrong;

#define CHECK(x)                                            \
	do {                                                \
		if (!(x))                                   \
			tn_store_relaxed(&wrong, __LINE__); \
	} while (0)

static void make_key(unsigned char *key, uint32_t len, uint64_t r)
{
	memcpy(key, &len, 4);
	key[4] = 10;
	key[5] = (unsigned char)(r % 4);
	key[6] = (unsigned char)(r / 4 % 4);
	key[7] = 1;
}

static void *change_prefixes(void *arg)
{
	uint64_t random = (uintptr_t)arg * 7919 + 1;
	unsigned char key[8];

	for (uint64_t i = 0; i < TURNS; i++) {
		uint64_t r = next_random(&random);
		uint32_t len = 8 + (uint32_t)(r >> 8) % 3 * 8;
		struct wide v = { .len = len };

		for (uint32_t w = 0; w < WORDS; w++)
			v.version[w] = i;
		make_key(key, len, r);
		if (len == 8 || r >> 20 & 1)
			CHECK(!shared->ops->update(shared, key, &v, 0, 0));
		else
			shared->ops->del(shared, key);
	}
	return NULL;
}

static void *read_prefixes(void *arg)
{
	uint64_t random = (uintptr_t)arg * 104729 + 1;
	struct tn_thread *t = tn_thread_self();
	unsigned char key[8];
	struct wide v;

	for (uint64_t i = 0; i < TURNS * 2; i++) {
		uint32_t len = 8 + (uint32_t)(next_random(&random) % 25);
		struct wide *p;

		make_key(key, len, next_random(&random));
		CHECK(!tn_map_host_lookup(shared, key, &v, 0));
		CHECK(v.len <= len);
		for (uint32_t w = 1; w < WORDS; w++)
			CHECK(v.version[w] == v.version[0]);
		tn_epoch_enter(t);
		p = shared->ops->lookup(shared, key, 0);
		CHECK(p && p->len <= len);
		tn_epoch_leave(t);
		if (i % 64 == 0)
			CHECK(!tn_map_next_key(shared, NULL, key));
	}
	return NULL;
}

static void trie_is_never_half_changed_under_threads(void **state)
{
	void *(*const mains[])(void *) = { change_prefixes, change_prefixes, read_prefixes,
					   read_prefixes };
	pthread_t threads[TN_ARRAY_SIZE(mains)];
	struct wide v = { .len = 8 };
	unsigned char key[8];
	size_t charged;

	(void)state;
	shared = try_map(TN_MAP_LPM_TRIE, 8, sizeof(v), 100, TN_MAP_F_NO_PREALLOC);
	assert_non_null(shared);
	make_key(key, 8, 0);
	assert_int_equal(tn_map_host_update(shared, key, &v, 0), 0);
	for (uintptr_t i = 0; i < TN_ARRAY_SIZE(mains); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mains[i], (void *)(i + 1)), 0);
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(mains); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(tn_load_relaxed(&wrong), 0);
	/* What waited, how much ever while a thread did not run, serves again. */
	charged = shared->charged;
	for (uint32_t i = 0; i < TURNS; i++) {
		make_key(key, 16 + i % 2 * 8, i);
		assert_int_equal(tn_map_host_update(shared, key, &v, 0), 0);
		assert_int_equal(tn_map_host_delete(shared, key, 0), 0);
	}
	assert_true(shared->charged <= charged + (1 << 20));
	tn_map_put(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_rt, stop_rt)
		TEST(trie_answers_as_a_list_of_prefixes_does),
		TEST(trie_with_every_value_of_a_byte_answers_right),
		TEST(trie_of_256_bytes_takes_every_length),
		TEST(trie_stays_whole_when_allocations_fail),
		TEST(trie_beyond_the_limit_for_maps_refuses_elements),
		TEST(trie_is_never_half_changed_under_threads),
	};

	return cmocka_run_group_tests_name("maps/lpm", tests, NULL, NULL);
}
