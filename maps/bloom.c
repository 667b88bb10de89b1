/* SPDX-License-Identifier: MIT */
/*
 * Bloom filters: values are put in and asked for, never taken out. Each sets and tests as many bits
 * as map_extra says (five where it is 0), whose places come from one hash by double hashing. Bits
 * are only ever set, each by itself, so that there is no lock and a value that was put in is found
 * from then on, by any thread that was told so.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/pages.h"
#include "maps/hash_key.h"
#include "maps/keyless.h"
#include "maps/map.h"

#define ALLOWED_FLAGS                                                                  \
	(TN_MAP_F_NUMA_NODE | TN_MAP_F_ZERO_SEED | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY | \
	 TN_MAP_F_RDONLY_PROG | TN_MAP_F_WRONLY_PROG)
#define MAX_HASHES	15u
#define DEFAULT_HASHES	5u
#define WORD_BITS	64u
#define MAX_BITS	(UINT64_C(1) << 32)
#define MAX_VALUE_BYTES (4u << 20)

struct bloom {
	struct tn_map map;
	_Atomic uint64_t *words;
	size_t bytes;
	uint64_t mask; /* of the numbers of bits */
	uint32_t hashes;
	uint64_t seed[2];
};

static struct bloom *bloom_of(const struct tn_map *map)
{
	return TN_CONTAINER_OF(map, struct bloom, map);
}

/* ---- Life ---- */

static int check(const struct tn_map *map)
{
	if (map->key_size)
		return tn_map_err(map, -EINVAL, "key size is %u, a bloom_filter has no keys",
				  map->key_size);
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if (map->extra > MAX_HASHES)
		return tn_map_err(map, -EINVAL,
				  "map_extra is %llu, the number of hashes is 1 to %u, 0: %u",
				  (unsigned long long)map->extra, MAX_HASHES, DEFAULT_HASHES);
	if (map->value_size > MAX_VALUE_BYTES)
		return tn_map_err(map, -E2BIG, "value size %u is too large", map->value_size);
	return tn_map_check_flags(map, ALLOWED_FLAGS);
}

/* entries * hashes / ln 2 bits, with 7/5 for 1 / ln 2: then half of them are set in a full filter.
 * Rounded up to a power of two. */
static uint64_t bits_for(uint64_t entries, uint64_t hashes)
{
	uint64_t want = entries * hashes / 5 * 7, bits = WORD_BITS;

	while (bits < want && bits < MAX_BITS)
		bits *= 2;
	return bits;
}

static void draw_seed(struct bloom *b)
{
	if (b->map.flags & TN_MAP_F_ZERO_SEED) {
		b->seed[1] = TN_HASH_MIX2;
	} else if (getrandom(b->seed, sizeof(b->seed), GRND_NONBLOCK) != sizeof(b->seed)) {
		b->seed[0] = tn_clock_ns() * TN_HASH_MIX1;
		b->seed[1] = tn_hash_fold((uintptr_t)b, tn_clock_ns() | 1);
	}
	b->seed[1] |= 1;
}

static int init(struct tn_map *map)
{
	struct bloom *b = bloom_of(map);
	uint64_t bits;
	int err;

	b->hashes = map->extra ? (uint32_t)map->extra : DEFAULT_HASHES;
	bits = bits_for(map->max_entries, b->hashes);
	b->mask = bits - 1;
	b->bytes = bits / 8;
	draw_seed(b);
	err = tn_map_charge(map, b->bytes);
	if (err)
		return err;
	b->words = tn_pages_alloc_table(map->rt, b->bytes);
	return b->words ? 0 : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", b->bytes);
}

static void fini(struct tn_map *map)
{
	tn_pages_free((void *)(uintptr_t)bloom_of(map)->words, bloom_of(map)->bytes);
}

/* ---- The filter ---- */

static uint64_t hash_of(const struct bloom *b, const void *value)
{
	return tn_hash_key(b->seed, value, b->map.value_size);
}

/* The i-th place of a value. An odd step meets every one. */
static uint64_t place(const struct bloom *b, uint64_t hash, uint32_t i)
{
	return (hash + i * (hash >> 32 | 1)) & b->mask;
}

static int push(struct tn_map *map, const void *value, uint64_t flags)
{
	struct bloom *b = bloom_of(map);
	uint64_t hash;

	if (flags != TN_MAP_ANY)
		return -EINVAL;
	hash = hash_of(b, value);
	for (uint32_t i = 0; i < b->hashes; i++) {
		uint64_t bit = place(b, hash, i), one = UINT64_C(1) << bit % WORD_BITS;
		_Atomic uint64_t *word = &b->words[bit / WORD_BITS];

		/* Most are set in a filter in use: then its line stays shared. */
		if (!(tn_load_relaxed(word) & one))
			atomic_fetch_or_explicit(word, one, memory_order_relaxed);
	}
	return 0;
}

/* Whether the value may be in it: the only one of its kind that is read, not written. */
static int peek(struct tn_map *map, void *value)
{
	const struct bloom *b = bloom_of(map);
	uint64_t hash = hash_of(b, value);

	for (uint32_t i = 0; i < b->hashes; i++) {
		uint64_t bit = place(b, hash, i);

		if (!(tn_load_relaxed(&b->words[bit / WORD_BITS]) >> bit % WORD_BITS & 1))
			return -ENOENT;
	}
	return 0;
}

/* ---- From the host: the calls for maps with keys, with none ---- */

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)map;
	(void)key;
	(void)flags;
	return -EOPNOTSUPP;
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	(void)map;
	(void)key;
	(void)next;
	return -EOPNOTSUPP;
}

const struct tn_map_ops tn_bloom_ops = {
	.struct_size = sizeof(struct bloom),
	.check = check,
	.init = init,
	.fini = fini,
	.push = push,
	.peek = peek,
	.host_lookup = tn_keyless_lookup,
	.host_update = tn_keyless_update,
	.host_delete = host_delete,
	.next_key = next_key,
};
