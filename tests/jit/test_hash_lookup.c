/* SPDX-License-Identifier: MIT */
/* Compiled lookups in hash tables against the interpreter: every type and key size, keys past their
 * home group, marks of use, parts of slots, and while another thread writes. */
#include "jit/jit_test.h"

#include <pthread.h>
#include <sys/mman.h>

#include "maps/hash_core.h"

enum { SLOT = 3, CALL_AT = 3, PAGE = 4096 };

static struct jit_test *t;
static struct tn_map *map;
static unsigned char *page; /* nothing can be read behind it */

static int setup(void **state)
{
	(void)state;
	t = jit_test_new();
	map = NULL;
	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(page != MAP_FAILED);
	assert_int_equal(mprotect(page + PAGE, PAGE, PROT_NONE), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jit_test_drop(t);
	tn_map_put(map);
	jit_test_free(t);
	munmap(page, 2 * PAGE);
	return 0;
}

/* A program whose context is the key and whose result is the address of the value. */
static void compile(void)
{
	const struct tn_insn insns[] = { MOV_X(TN_R2, TN_R1), LDDW(TN_R1, (uintptr_t)map),
					 CALL(TN_HELPER_map_lookup_elem), EXIT() };
	const uint32_t nr = TN_ARRAY_SIZE(insns);

	jit_test_load(t, insns, nr);
	t->prog->facts = tn_facts_new(&t->rt, nr, 1);
	assert_non_null(t->prog->facts);
	for (uint32_t i = 0; i < nr; i++)
		t->prog->facts->insns[i].flags = TN_FACT_REACHED;
	t->prog->facts->insns[CALL_AT].flags |= TN_FACT_MAP_KNOWN;
	t->prog->facts->insns[CALL_AT].map = map;
	jit_test_compile(t);
}

static void create(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max)
{
	struct tn_map_attr attr = { .type = type,
				    .key_size = key_size,
				    .value_size = value_size,
				    .max_entries = max,
				    .name = "map" };

	jit_test_drop(t);
	tn_map_put(map);
	map = tn_map_create(&t->rt, &attr);
	assert_non_null(map);
	compile();
}

static struct tn_hash *table(void)
{
	return tn_hash_map(map);
}

/* Key number n of the map's size, at the end of the page. */
static void *key_of(uint64_t n)
{
	unsigned char *key = page + PAGE - map->key_size;
	uint64_t mixed = n * UINT64_C(0x9e3779b97f4a7c15);

	for (uint32_t i = 0; i < map->key_size; i++)
		key[i] = (unsigned char)(i < 2 ? n >> 8 * i : mixed >> 8 * (i % 8));
	return key;
}

static unsigned char *run(bool native, void *key)
{
	jit_test_arm(t);
	t->ex.slot = SLOT;
	return (unsigned char *)(uintptr_t)(native ? t->prog->entry(key, &t->ex)
						   : tn_interp_entry(key, &t->ex));
}

static void forget_uses(void)
{
	for (uint32_t g = 0; table()->use && g < table()->nr_groups; g++)
		memset(&table()->use[g], TN_HASH_USE_NEW, sizeof(table()->use[g]));
}

static uint32_t nr_used(void)
{
	const unsigned char *levels = (const unsigned char *)table()->use;
	uint32_t nr = 0;

	for (uint32_t i = 0; levels && i < table()->nr_groups * TN_HASH_GROUP_SLOTS; i++)
		nr += levels[i] == TN_HASH_USE_SEEN;
	return nr;
}

/* Both find the same, and mark the same. */
static void expect_same(uint64_t n, bool present)
{
	const unsigned char *native, *interpreted;
	uint32_t used;

	forget_uses();
	native = run(true, key_of(n));
	used = nr_used();
	forget_uses();
	interpreted = run(false, key_of(n));
	assert_ptr_equal(native, interpreted);
	assert_int_equal(native != NULL, present);
	assert_int_equal(used, nr_used());
	assert_int_equal(used, present && table()->use);
}

static const uint32_t types[] = { TN_MAP_HASH, TN_MAP_LRU_HASH, TN_MAP_PERCPU_HASH,
				  TN_MAP_LRU_PERCPU_HASH };

static void put(uint64_t n)
{
	static const unsigned char value[256];

	assert_int_equal(map->ops->update(map, key_of(n), value, TN_MAP_ANY, SLOT), 0);
}

static void lookup_equals_the_interpreters_for_every_type_and_key_size(void **state)
{
	static const uint32_t values[] = { 1, 8, 20, 100 };
	enum { KEYS = 60 };

	(void)state;
	for (uint32_t size = 1; size <= 70; size++) {
		for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i++) {
			create(types[i], size, values[size % 4], KEYS);
			for (uint64_t n = 0; n < KEYS; n++)
				put(n);
			for (uint64_t n = 0; n < 2 * KEYS; n++)
				expect_same(n, n < KEYS);
			for (uint64_t n = 0; n < KEYS; n += 2)
				assert_int_equal(map->ops->del(map, key_of(n)), 0);
			for (uint64_t n = 0; n < KEYS; n++)
				expect_same(n, n % 2 != 0);
		}
	}
}

/* Many more keys of one home group than it has slots; lookups of others that share their class. */
static void keys_past_their_home_group_are_found(void **state)
{
	static const uint32_t sizes[] = { 4, 8, 16, 24, 64 };
	enum { CROWD = 40, TRIED = 20000 };
	uint64_t crowd[CROWD];

	(void)state;
	for (uint32_t s = 0; s < TN_ARRAY_SIZE(sizes); s++) {
		uint32_t nr = 0, home;

		create(types[s % 4], sizes[s], 8, 1000);
		home = tn_hash_home(table(), tn_hash_of(table(), key_of(0)));
		for (uint64_t n = 0; n < TRIED && nr < CROWD; n++)
			if (tn_hash_home(table(), tn_hash_of(table(), key_of(n))) == home)
				crowd[nr++] = n;
		assert_int_equal(nr, CROWD);
		for (uint32_t i = 0; i < CROWD / 2; i++)
			put(crowd[i]);
		for (uint32_t i = 0; i < CROWD; i++)
			expect_same(crowd[i], i < CROWD / 2);
		for (uint32_t i = 0; i < CROWD / 2; i++) {
			assert_int_equal(map->ops->del(map, key_of(crowd[i])), 0);
			for (uint32_t j = 0; j < CROWD; j++)
				expect_same(crowd[j], j > i && j < CROWD / 2);
		}
	}
}

static void random_operations_leave_the_engines_equal(void **state)
{
	enum { KEYS = 300, OPERATIONS = 20000 };
	static bool present[KEYS];

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(types); i += 2) {
		uint64_t x = 1;

		memset(present, 0, sizeof(present));
		create(types[i], 8, 8, KEYS);
		for (uint32_t op = 0; op < OPERATIONS; op++) {
			uint64_t n = (x = x * 6364136223846793005u + 1442695040888963407u) >> 33;

			n %= KEYS;
			if (x >> 62 == 0) {
				put(n);
				present[n] = true;
			} else if (x >> 62 == 1) {
				assert_int_equal(map->ops->del(map, key_of(n)),
						 present[n] ? 0 : -ENOENT);
				present[n] = false;
			}
			expect_same(n, present[n]);
		}
	}
}

/* A part of a slot that was never used is taken into account by the first lookup. */
static void first_lookup_of_a_slot_accounts_for_its_part(void **state)
{
	static const unsigned char value[8];
	size_t charged;

	(void)state;
	create(TN_MAP_PERCPU_HASH, 8, 8, 100);
	assert_int_equal(map->ops->update(map, key_of(1), value, TN_MAP_ANY, SLOT + 1), 0);
	assert_false(tn_map_slot_used(map, SLOT));
	charged = map->charged;
	expect_same(1, true);
	assert_true(tn_map_slot_used(map, SLOT));
	assert_int_equal(map->charged, charged + map->slot_stride);
}

/* Two words that belong together, for keys that move all the time. */
static void *write_on(void *stop)
{
	uint64_t x = 1;

	while (!tn_load_acquire((_Atomic uint32_t *)stop)) {
		uint64_t key, value[2];

		x = x * 6364136223846793005u + 1442695040888963407u;
		key = (x >> 33) % 200;
		value[0] = key;
		value[1] = ~key;
		/* Even keys always are there, odd ones come and go. */
		if (key % 2 && x >> 63)
			(void)map->ops->del(map, &key);
		else if (map->ops->update(map, &key, value, TN_MAP_ANY, SLOT))
			return map; /* what was not to happen */
	}
	return NULL;
}

static void lookup_beside_writers_finds_what_is_there(void **state)
{
	enum { LOOKUPS = 1000000 };
	static const uint32_t some[] = { TN_MAP_HASH, TN_MAP_LRU_HASH };
	_Atomic uint32_t stop;

	(void)state;
	for (uint32_t i = 0; i < TN_ARRAY_SIZE(some); i++) {
		pthread_t writer;
		void *failed;

		create(some[i], 8, 16, 250);
		for (uint64_t key = 0; key < 200; key += 2)
			assert_int_equal(
				map->ops->update(map, &key, (uint64_t[]){ key, ~key }, 0, SLOT), 0);
		tn_store_relaxed(&stop, 0);
		assert_int_equal(pthread_create(&writer, NULL, write_on, (void *)&stop), 0);
		for (uint64_t n = 0; n < LOOKUPS; n++) {
			uint64_t key = n % 220;
			const uint64_t *value = (const void *)run(true, &key);

			if (key >= 200)
				assert_null(value);
			else if (key % 2 == 0)
				assert_non_null(value);
			/* The slot may be another key's by now, but it is a whole value. */
			if (value && key % 2 == 0)
				assert_true(value[0] < 200);
		}
		tn_store_release(&stop, 1);
		assert_int_equal(pthread_join(writer, &failed), 0);
		assert_null(failed);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(lookup_equals_the_interpreters_for_every_type_and_key_size),
		T(keys_past_their_home_group_are_found),
		T(random_operations_leave_the_engines_equal),
		T(first_lookup_of_a_slot_accounts_for_its_part),
		T(lookup_beside_writers_finds_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
