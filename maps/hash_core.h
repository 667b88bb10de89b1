/* SPDX-License-Identifier: MIT */
/* Between hash.c, the protocol, and hash_map.c, which makes map types of it. */
#ifndef TN_MAPS_HASH_CORE_H
#define TN_MAPS_HASH_CORE_H

#include "maps/hash.h"
#include "maps/hash_group.h"
#include "maps/hash_key.h"
#include "maps/special.h"

#define TN_HASH_NOWHERE UINT32_MAX

/* Where a key's element is, or is to be. */
struct tn_hash_place {
	uint32_t group;
	uint32_t index; /* of the slot in the table, TN_HASH_NOWHERE: nowhere */
	uint32_t depth; /* groups on the path before this one */
};

static TN_ALWAYS_INLINE struct tn_hash *tn_hash_map(struct tn_map *map)
{
	return (struct tn_hash *)(void *)map;
}

static TN_ALWAYS_INLINE uint64_t tn_hash_of(const struct tn_hash *h, const void *key)
{
	switch (h->map.key_size) {
	case 4:
		return tn_hash_key(h->seed, key, 4);
	case 8:
		return tn_hash_key(h->seed, key, 8);
	case 16:
		return tn_hash_key(h->seed, key, 16);
	case 64:
		return tn_hash_key(h->seed, key, 64);
	default:
		return tn_hash_key(h->seed, key, h->map.key_size);
	}
}

static TN_ALWAYS_INLINE void *tn_hash_value(const struct tn_hash *h, uint32_t index)
{
	return tn_hash_elem(h, index) + h->value_off;
}

static TN_ALWAYS_INLINE unsigned char *tn_hash_slot_value(const struct tn_hash *h, uint32_t index,
							  uint32_t slot)
{
	return h->slot_values + slot * h->map.slot_stride + (size_t)index * h->map.value_stride;
}

static TN_ALWAYS_INLINE bool tn_hash_is_lru(const struct tn_map *map)
{
	return map->type == TN_MAP_LRU_HASH || map->type == TN_MAP_LRU_PERCPU_HASH;
}

static TN_ALWAYS_INLINE bool tn_hash_is_per_slot(const struct tn_map *map)
{
	return map->type == TN_MAP_PERCPU_HASH || map->type == TN_MAP_LRU_PERCPU_HASH;
}

/* LRU maps: the element was used. Stores only what is news, so that lookups of busy elements share
 * the line. The element may be another by now: then that one stays a little longer. */
static TN_ALWAYS_INLINE void tn_hash_use(const struct tn_hash *h, uint32_t index, uint8_t level)
{
	_Atomic uint8_t *at =
		&h->use[index / TN_HASH_GROUP_SLOTS].level[index % TN_HASH_GROUP_SLOTS];

	if (tn_load_relaxed(at) != level)
		tn_store_relaxed(at, level);
}

/* ---- Reading: any thread, no lock ---- */

enum tn_hash_read {
	TN_HASH_HIT,
	TN_HASH_MISS,
	TN_HASH_CHANGED, /* somebody wrote meanwhile: search again */
};

/* One search. On a hit *seq is the number of the group: what is read from the element before that
 * number changes is true of it. */
enum tn_hash_read tn_hash_search(const struct tn_hash *h, const void *key, uint64_t hash,
				 struct tn_hash_place *at, uint32_t *seq);

/* The lookup made for the key size of the map. `uses`: it counts as a use (LRU maps). */
typedef void *(*tn_hash_lookup_fn)(struct tn_map *map, const void *key, uint32_t slot);
tn_hash_lookup_fn tn_hash_lookup_for(const struct tn_map *map, bool uses);

/* hash_map.c: a copy of the value without a lock: 0, -ENOENT, or -EAGAIN where it was written
 * again and again. */
int tn_hash_try_copy(struct tn_hash *h, const void *key, uint64_t hash, void *value);
/* The host's iteration. Takes locks of groups. */
int tn_hash_next_key(struct tn_map *map, const void *key, void *next);
int tn_hash_next_after(struct tn_map *map, const void *key, void *next);
uint32_t tn_hash_count(struct tn_map *map);

/* ---- Making a table ---- */

/* The sizes that follow from the map's attributes. 0, -E2BIG with words. */
int tn_hash_size(struct tn_hash *h);
/* Zeroed memory, or a table that is there, of h->table_bytes. Sets the map's lookups. */
void tn_hash_use_table(struct tn_hash *h, unsigned char *table);
void tn_hash_draw_seed(struct tn_hash *h);

extern const struct tn_map_ops tn_hash_shared_ops;

struct tn_segment_journal;
/* hash_repair.c: make a table valid that a writer left anywhere in the middle; the caller is the
 * only one who writes. Readers without locks go on. Whatever the bytes are, the result is a valid
 * table. A change that the journal (NULL: none) tells of is done again. Trusted: of what the
 * protocol made nothing is lost. Else the time is bounded, and what it does not suffice for is
 * dropped. */
void tn_hash_repair(struct tn_hash *h, struct tn_segment_journal *journal, bool trusted);
/* Before a change in place of the values of an element in a segment. */
struct tn_hash_source;
void tn_hash_note_change(const struct tn_hash *h, uint32_t index,
			 const struct tn_hash_source *from);
size_t tn_hash_journal_bytes(const struct tn_hash *h);

/* ---- Writing ---- */

/* What an update writes: a value for all, for one slot (its others become zero), or for each;
 * `locked`: into the value that is there, if there is one, under its lock. */
struct tn_hash_source {
	const void *value;
	uint32_t slot;
	bool all_slots, locked;
};

/* As the map's update: 0, -EEXIST, -ENOENT, -E2BIG (not of LRU maps), -EINVAL. */
int tn_hash_update(struct tn_hash *h, const void *key, const struct tn_hash_source *from,
		   uint64_t flags);
/* 0 or -ENOENT. `value`, unless NULL, takes the values as the host's calls copy them; `locked`:
 * under the value's lock, which may give -EBUSY. */
int tn_hash_remove(struct tn_hash *h, const void *key, void *value, bool locked);
/* A host's lookup with the key held still: 0, -ENOENT, with `locked` also -EBUSY. */
int tn_hash_lookup_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value,
			  bool locked);
/* The values of an element as the host's calls copy them. */
void tn_hash_copy_out(const struct tn_hash *h, uint32_t index, void *value);

#endif
