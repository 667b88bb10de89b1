/* SPDX-License-Identifier: MIT */
/*
 * Hash, LRU hash, and their per-slot forms as map types: what programs and the host call,
 * iteration, and the sizes of a new table. hash.c has what happens in it.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/pages.h"
#include "maps/hash_core.h"
#include "maps/value_lock.h"

/* Reads that fail this often are done under the home group's lock. */
#define HOST_READ_TRIES 128u

/* Of a hash table alone can values have a lock. */
static int update(struct tn_map *map, const void *key, struct tn_hash_source *from, uint64_t flags)
{
	from->locked = flags & TN_MAP_F_LOCK;
	if (from->locked && !tn_map_has_lock(map))
		return -EINVAL;
	return tn_hash_update(tn_hash_map(map), key, from, flags & ~(uint64_t)TN_MAP_F_LOCK);
}

/* ---- From programs ---- */

static int update_hash(struct tn_map *map, const void *key, const void *value, uint64_t flags,
		       uint32_t slot)
{
	struct tn_hash_source from = { .value = value, .slot = slot };

	return update(map, key, &from, flags);
}

static int update_percpu_hash(struct tn_map *map, const void *key, const void *value,
			      uint64_t flags, uint32_t slot)
{
	struct tn_hash_source from = { .value = value, .slot = slot };

	if (tn_map_use_slot(map, slot))
		return -ENOMEM;
	return update(map, key, &from, flags);
}

static int del_hash(struct tn_map *map, const void *key)
{
	return tn_hash_remove(tn_hash_map(map), key, NULL, false);
}

/* ---- From the host ---- */

/* A copy counts as a hit does: if the group's number is the same after it, the element was live
 * all the time, and its value is one that was stored whole. */
int tn_hash_try_copy(struct tn_hash *h, const void *key, uint64_t hash, void *value)
{
	struct tn_hash_place at;
	uint32_t seq, changes;

	for (uint32_t tries = 0; tries < HOST_READ_TRIES; tries++) {
		switch (tn_hash_search(h, key, hash, &at, &seq)) {
		case TN_HASH_MISS:
			return -ENOENT;
		case TN_HASH_CHANGED:
			break;
		case TN_HASH_HIT:
			changes = tn_group_begin_copy(&h->groups[at.group]);
			tn_hash_copy_out(h, at.index, value);
			if (tn_seq_unchanged(&h->groups[at.group].seq, seq) &&
			    tn_group_unchanged(&h->groups[at.group], changes))
				return 0;
			break;
		}
		tn_group_relax(tries);
	}
	return -EAGAIN;
}

static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct tn_hash *h = tn_hash_map(map);
	uint64_t hash = tn_hash_of(h, key);
	int err;

	if (flags & TN_MAP_F_LOCK)
		return tn_hash_lookup_locked(h, key, hash, value, true);
	err = tn_hash_try_copy(h, key, hash, value);
	return err == -EAGAIN ? tn_hash_lookup_locked(h, key, hash, value, false) : err;
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct tn_hash_source from = { .value = value, .all_slots = true };

	if (tn_map_is_per_slot(map) && tn_map_use_slots_for(map, value))
		return -ENOMEM;
	return update(map, key, &from, flags);
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags;
	return tn_hash_remove(tn_hash_map(map), key, NULL, false);
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	return tn_hash_remove(tn_hash_map(map), key, value, flags & TN_MAP_F_LOCK);
}

/* ---- Iteration: keys in the order of their hash, equal hashes in that of memcmp ----
 *
 * Home groups ascend with the hash, so the next key has the same home or the next one that is
 * anybody's. The order does not depend on where elements lie: updates while iterating, which move
 * them, neither skip nor repeat a key. */

struct next_search {
	const void *after; /* NULL: from the start */
	uint64_t after_hash;
	const void *best; /* in the table; stands still while its home group is locked */
	uint64_t best_hash;
};

static bool key_is_before(const struct tn_hash *h, uint64_t hash1, const void *key1, uint64_t hash2,
			  const void *key2)
{
	if (hash1 != hash2)
		return hash1 < hash2;
	return memcmp(key1, key2, h->map.key_size) < 0;
}

/* Look at the live elements of a locked group that are at home in `home`. */
static void next_in_group(const struct tn_hash *h, uint32_t group, uint32_t home,
			  struct next_search *s)
{
	uint32_t live = tn_group_live(&h->groups[group]);

	for (; live; live &= live - 1) {
		uint32_t index = group * TN_HASH_GROUP_SLOTS + (uint32_t)__builtin_ctz(live);
		const void *key = tn_hash_elem(h, index);
		uint64_t hash = tn_hash_of(h, key);

		if (tn_hash_home(h, hash) != home)
			continue;
		if (s->after && !key_is_before(h, s->after_hash, s->after, hash, key))
			continue;
		if (s->best && !key_is_before(h, hash, key, s->best_hash, s->best))
			continue;
		s->best = key;
		s->best_hash = hash;
	}
}

static bool is_passed(const struct tn_hash_group *g)
{
	for (uint32_t i = 0; i < TN_HASH_CLASSES; i++) {
		if (tn_load_acquire(&g->passed[i]))
			return true;
	}
	return false;
}

/* The next key at home in `home`, whose group is locked. False: start over. */
static bool next_at_home(struct tn_hash *h, uint32_t home, struct next_search *s)
{
	uint32_t group = home;

	s->best = NULL;
	for (uint32_t depth = 0; depth < h->nr_groups; depth++) {
		if (!tn_group_lock_further(h, group, home, home))
			return false;
		next_in_group(h, group, home, s);
		tn_group_unlock_further(h, group, home, home);
		if (!is_passed(&h->groups[group]))
			break;
		group = tn_hash_next(h, home, group);
	}
	return true;
}

static bool copy_next_at_home(struct tn_hash *h, uint32_t home, struct next_search *s, void *next)
{
	bool done = false;

	for (uint32_t tries = 0; !done; tries++) {
		tn_group_lock(&h->groups[home]);
		done = next_at_home(h, home, s);
		if (done && s->best)
			memcpy(next, s->best, h->map.key_size);
		tn_group_unlock(&h->groups[home]);
		if (!done)
			tn_group_relax(tries);
	}
	return s->best != NULL;
}

static bool is_present(const struct tn_hash *h, const void *key, uint64_t hash)
{
	enum tn_hash_read result = TN_HASH_CHANGED;
	struct tn_hash_place at;
	uint32_t seq;

	for (uint32_t tries = 0; result == TN_HASH_CHANGED; tries++) {
		result = tn_hash_search(h, key, hash, &at, &seq);
		if (result == TN_HASH_CHANGED)
			tn_group_relax(tries);
	}
	return result == TN_HASH_HIT;
}

int tn_hash_next_after(struct tn_map *map, const void *key, void *next)
{
	struct tn_hash *h = tn_hash_map(map);
	struct tn_thread *t = tn_thread_self();
	struct next_search s = { .after = key };
	uint32_t home = 0;
	bool found = false;

	if (key) {
		s.after_hash = tn_hash_of(h, key);
		home = tn_hash_home(h, s.after_hash);
	}
	tn_writer_enter(t);
	for (; !found && home < h->nr_groups; home++)
		found = copy_next_at_home(h, home, &s, next);
	tn_writer_leave(t);
	return found ? 0 : -ENOENT;
}

/* A key that is not there restarts, as in the kernel. */
int tn_hash_next_key(struct tn_map *map, const void *key, void *next)
{
	const struct tn_hash *h = tn_hash_map(map);

	return tn_hash_next_after(map, key && is_present(h, key, tn_hash_of(h, key)) ? key : NULL,
				  next);
}

uint32_t tn_hash_count(struct tn_map *map)
{
	return tn_load_relaxed(&tn_hash_map(map)->tally->count);
}

/* ---- Life ---- */

#define HASH_FLAGS                                                                       \
	(TN_MAP_F_NO_PREALLOC | TN_MAP_F_NUMA_NODE | TN_MAP_F_RDONLY | TN_MAP_F_WRONLY | \
	 TN_MAP_F_ZERO_SEED | TN_MAP_F_RDONLY_PROG | TN_MAP_F_WRONLY_PROG)

/* The kernel's: an element must come from one kmalloc, its own header of 64 bytes included. */
#define MAX_ELEM_BYTES ((4u << 20) - 64)

static int check_common(const struct tn_map *map, uint32_t flags)
{
	if (!map->key_size)
		return tn_map_err(map, -EINVAL, "key size is 0");
	if (!map->value_size)
		return tn_map_err(map, -EINVAL, "value size is 0");
	if (!map->max_entries)
		return tn_map_err(map, -EINVAL, "max_entries is 0");
	if ((uint64_t)map->key_size + map->value_size >= MAX_ELEM_BYTES)
		return tn_map_err(map, -E2BIG, "key and value of %u and %u bytes are too large",
				  map->key_size, map->value_size);
	return tn_map_check_flags(map, flags);
}

static int check_hash(const struct tn_map *map)
{
	return check_common(map, HASH_FLAGS);
}

static int check_slot_value(const struct tn_map *map)
{
	if (map->value_size > TN_MAP_MAX_SLOT_VALUE)
		return tn_map_err(map, -E2BIG, "value size %u is too large for a per-slot map",
				  map->value_size);
	return 0;
}

static int check_percpu_hash(const struct tn_map *map)
{
	int err = check_common(map, HASH_FLAGS & ~TN_MAP_F_NUMA_NODE);

	return err ? err : check_slot_value(map);
}

/* Before the sizes, as in the kernel. The flag of one LRU list for each CPU is taken and means
 * nothing: there is no list here. */
static int check_lru_flags(const struct tn_map *map, uint32_t allowed)
{
	int err = tn_map_check_flags(map, allowed);

	if (err)
		return err;
	if (map->flags & TN_MAP_F_NO_PREALLOC)
		return tn_map_err(map, -TN_ENOTSUPP, "an LRU map cannot have NO_PREALLOC");
	if (map->flags & TN_MAP_F_NUMA_NODE && map->flags & TN_MAP_F_NO_COMMON_LRU)
		return tn_map_err(map, -EINVAL, "NUMA_NODE and NO_COMMON_LRU exclude each other");
	return 0;
}

static int check_lru_hash(const struct tn_map *map)
{
	const uint32_t flags = HASH_FLAGS | TN_MAP_F_NO_COMMON_LRU;
	int err = check_lru_flags(map, flags);

	return err ? err : check_common(map, flags);
}

static int check_lru_percpu_hash(const struct tn_map *map)
{
	const uint32_t flags = (HASH_FLAGS & ~TN_MAP_F_NUMA_NODE) | TN_MAP_F_NO_COMMON_LRU;
	int err = check_lru_flags(map, flags);

	if (!err)
		err = check_common(map, flags);
	return err ? err : check_slot_value(map);
}

/* 1 counts as one here: a single group is its own path. */
static bool is_prime(uint32_t n)
{
	for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2) {
		if (n % d == 0)
			return false;
	}
	return n % 2 != 0 || n == 2;
}

void tn_hash_draw_seed(struct tn_hash *h)
{
	if (h->map.flags & TN_MAP_F_ZERO_SEED) {
		h->seed[0] = 0;
	} else if (getrandom(h->seed, sizeof(h->seed), GRND_NONBLOCK) != sizeof(h->seed)) {
		/* Too early after boot, or refused by a filter: what others cannot know easily. */
		h->seed[0] ^= tn_clock_ns() * TN_HASH_MIX1;
		h->seed[1] ^= tn_hash_fold((uintptr_t)h, tn_clock_ns() | 1) ^ (uintptr_t)&h;
	}
	h->seed[1] ^= h->map.flags & TN_MAP_F_ZERO_SEED ? TN_HASH_MIX2 : 0;
	h->seed[1] |= 1;
}

/* Elements of this size and more are packed closer: copying them costs more than a longer search.
 */
#define LARGE_ELEM_BYTES 16384u

/* The bytes that one element more costs. */
static uint64_t elem_bytes(const struct tn_hash *h)
{
	uint64_t slots = tn_hash_is_per_slot(&h->map) ? h->map.nr_slots : 0;

	return h->elem_stride + slots * h->map.value_stride;
}

/* The first slots of cache lines; see tn_hash_near(). */
static void size_lines(struct tn_hash *h)
{
	uint32_t slots = 1;

	while (slots * 2 * h->elem_stride <= TN_HASH_LINE_BYTES)
		slots *= 2;
	h->near_mask = (uint8_t)(TN_HASH_GROUP_SLOTS - slots);
}

/* How long removed elements wait; see TN_HASH_MIN_SPARES. */
static void size_waiting(struct tn_hash *h)
{
	uint64_t least = TN_HASH_SPARE_BYTES / elem_bytes(h);

	least = TN_MAX(TN_MIN(least, TN_HASH_MIN_SPARES), TN_HASH_LEAST_SPARES);
	h->nr_spares = (uint32_t)TN_MAX((uint64_t)h->map.max_entries / 8 + 1, least);
	h->min_age = TN_MIN(h->nr_spares, TN_HASH_MIN_SPARES);
	while (h->nr_spares >> h->wait_shift > 16)
		h->wait_shift++;
	h->wait_age = (uint8_t)((h->nr_spares >> h->wait_shift) + 1);
	h->batch = (uint8_t)TN_MIN(h->nr_spares / TN_HASH_MIN_SPARES, TN_HASH_MAX_BATCH);
	h->batch = TN_MAX(h->batch, 1);
}

/* Groups, a prime number of them, and slots: as many as a load of two thirds asks for, of large
 * elements one in eight more than are needed. Either way one at least is free. Indices fit 32 bits:
 * max_entries does, and the charge fails long before the product does not. */
static int size_slots(struct tn_hash *h)
{
	/* In a segment every group has all its slots, whatever a control byte says. */
	bool large = elem_bytes(h) >= LARGE_ELEM_BYTES && !h->map.segment && !h->map.is_copy;
	uint64_t needed = (uint64_t)h->map.max_entries + h->nr_spares;
	uint64_t slots = needed + (large ? needed / 8 : needed / 2) + 1;
	uint64_t groups = (slots + TN_HASH_GROUP_SLOTS - 1) / TN_HASH_GROUP_SLOTS;

	if (slots > UINT32_MAX - (1u << 16))
		return tn_map_err(&h->map, -E2BIG, "max_entries %u is too large",
				  h->map.max_entries);
	while (!is_prime((uint32_t)groups))
		groups++;
	h->nr_groups = (uint32_t)groups;
	h->nr_slots = (uint32_t)(large ? slots : groups * TN_HASH_GROUP_SLOTS);
	return 0;
}

/* Where the elements begin, after the groups, and the levels of use, after both. */
static size_t elems_off(const struct tn_hash *h)
{
	return TN_ROUND_UP((size_t)h->nr_groups * sizeof(struct tn_hash_group), TN_HASH_LINE_BYTES);
}

static size_t use_off(const struct tn_hash *h)
{
	return TN_ROUND_UP(elems_off(h) + (size_t)h->nr_slots * h->elem_stride,
			   sizeof(struct tn_hash_use));
}

/* The sizes that follow from the attributes. */
int tn_hash_size(struct tn_hash *h)
{
	struct tn_map *map = &h->map;
	int err;

	h->value_off = TN_ROUND_UP(map->key_size, 8u);
	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	h->elem_stride = h->value_off;
	if (!tn_hash_is_per_slot(map))
		h->elem_stride += map->value_stride;
	size_lines(h);
	size_waiting(h);
	err = size_slots(h);
	if (err)
		return err;
	h->table_bytes = use_off(h);
	if (tn_hash_is_lru(map))
		h->table_bytes += (size_t)h->nr_groups * sizeof(struct tn_hash_use);
	if (!tn_hash_is_per_slot(map))
		return 0;
	map->slot_stride = TN_ROUND_UP((size_t)h->nr_slots * map->value_stride, 128);
	if (__builtin_mul_overflow(map->slot_stride, map->nr_slots, &h->slot_bytes))
		return tn_map_err(map, -E2BIG, "%u values of %u bytes a slot are too large",
				  map->max_entries, map->value_size);
	return 0;
}

void tn_hash_use_table(struct tn_hash *h, unsigned char *table)
{
	struct tn_map *map = &h->map;

	h->groups = (struct tn_hash_group *)(void *)table;
	h->elems = table + elems_off(h);
	if (tn_hash_is_lru(map))
		h->use = (struct tn_hash_use *)(void *)(table + use_off(h));
	h->ops = *map->ops;
	h->ops.lookup = tn_hash_lookup_for(map, tn_hash_is_lru(map));
	if (tn_hash_is_lru(map))
		h->ops.look_at = tn_hash_lookup_for(map, false);
	map->ops = &h->ops;
}

static int init_hash(struct tn_map *map)
{
	struct tn_hash *h = tn_hash_map(map);
	unsigned char *table;
	int err = tn_hash_size(h);

	if (!err)
		err = tn_map_charge(map, h->table_bytes);
	if (err)
		return err;
	table = tn_pages_alloc_table(map->rt, h->table_bytes);
	if (!table)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", h->table_bytes);
	tn_hash_use_table(h, table);
	for (uint32_t i = h->nr_slots; i < h->nr_groups * TN_HASH_GROUP_SLOTS; i++)
		tn_store_relaxed(tn_hash_ctrl_at(h, i), TN_HASH_NO_SLOT);
	h->tally = &h->own;
	tn_hash_draw_seed(h);
	if (!map->slot_stride)
		return 0;
	h->slot_values = tn_pages_alloc(map->rt, h->slot_bytes);
	return h->slot_values ? 0
			      : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", h->slot_bytes);
}

static void fini_hash(struct tn_map *map)
{
	struct tn_hash *h = tn_hash_map(map);

	tn_pages_free(h->groups, h->table_bytes);
	tn_pages_free(h->slot_values, h->slot_bytes);
}

/* The lookup is replaced by the one for the map's key size in init. */
#define COMMON_OPS                                                                    \
	.struct_size = sizeof(struct tn_hash), .init = init_hash, .fini = fini_hash,  \
	.del = del_hash, .host_lookup = host_lookup, .host_update = host_update,      \
	.host_delete = host_delete, .host_lookup_and_delete = host_lookup_and_delete, \
	.next_key = tn_hash_next_key, .next_after = tn_hash_next_after, .count = tn_hash_count

const struct tn_map_ops tn_hash_ops = { COMMON_OPS, .shared = &tn_hash_shared_ops,
					.check = check_hash, .update = update_hash };
const struct tn_map_ops tn_percpu_hash_ops = { COMMON_OPS, .shared = &tn_hash_shared_ops,
					       .check = check_percpu_hash,
					       .update = update_percpu_hash };
const struct tn_map_ops tn_lru_hash_ops = { COMMON_OPS, .shared = &tn_hash_shared_ops,
					    .check = check_lru_hash, .update = update_hash };
const struct tn_map_ops tn_lru_percpu_hash_ops = { COMMON_OPS, .shared = &tn_hash_shared_ops,
						   .check = check_lru_percpu_hash,
						   .update = update_percpu_hash };
