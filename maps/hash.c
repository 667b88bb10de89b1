/* SPDX-License-Identifier: MIT */
/*
 * Hash and per-slot hash maps. hash.h has the layout, hash_group.h the parts.
 *
 * Readers take no lock. A hit counts only if the sequence number of its group was even before and
 * is the same after the key was compared; a miss only if the numbers of all groups on the path are
 * the same at its end, so that there was a moment when the key was in none of them and the search
 * rightly ended. `passed` is raised before an element beyond is published and lowered after it is
 * gone, so at every moment the search of a present key reaches it.
 *
 * Writers of one key are serialised by the lock of its home group. A writer that needs further
 * groups (the place of an element that probed on) only tries their locks, and starts over where
 * one is taken: no order of locks is needed. An update writes a new copy to an empty slot,
 * publishes it, then removes the old one; in between both are there and readers find either.
 * Per-slot maps change values in place, as the kernel does, numbered by the lock word.
 *
 * A removed element keeps its bytes: it waits in a ring of nr_spares cells, and its slot is empty
 * for reuse when as many others were removed after it. Programs that still hold a pointer to it
 * read the old value until then, and some live value of this map afterwards; element memory never
 * becomes anything else. That is at least as long as the kernel's preallocated maps wait, needs no
 * look at epochs, and a full map accepts delete and insert for ever: live and waiting elements
 * together fill at most two thirds of the slots.
 */
#include "maps/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/pages.h"
#include "maps/hash_group.h"
#include "maps/hash_key.h"

#define NO_INDEX UINT32_MAX

/* Reads that fail this often are done under the home group's lock. */
#define HOST_READ_TRIES 128u

/* Where a key's element is, or is to be. */
struct place {
	uint32_t group;
	uint32_t index; /* of the slot in the table, NO_INDEX: nowhere */
	uint32_t depth; /* groups on the path before this one */
};

static TN_ALWAYS_INLINE struct tn_hash *to_hash(struct tn_map *map)
{
	return (struct tn_hash *)(void *)map;
}

static TN_ALWAYS_INLINE uint64_t hash_of(const struct tn_hash *h, const void *key)
{
	switch (h->map.key_size) {
	case 4:
		return tn_hash_key(h->seed, key, 4);
	case 8:
		return tn_hash_key(h->seed, key, 8);
	case 16:
		return tn_hash_key(h->seed, key, 16);
	default:
		return tn_hash_key(h->seed, key, h->map.key_size);
	}
}

static TN_ALWAYS_INLINE void *value_of(const struct tn_hash *h, uint32_t index)
{
	return tn_hash_elem(h, index) + h->value_off;
}

static TN_ALWAYS_INLINE unsigned char *slot_value_of(const struct tn_hash *h, uint32_t index,
						     uint32_t slot)
{
	return h->slot_values + slot * h->map.slot_stride + (size_t)index * h->map.value_stride;
}

/* ---- Reading ---- */

enum read_result { READ_HIT, READ_MISS, READ_CHANGED };

/* Search one group. On READ_MISS *seq is the number that proves it and *passed what follows. */
static TN_ALWAYS_INLINE enum read_result read_group(const struct tn_hash *h, uint32_t group,
						    const void *key, size_t key_size, uint64_t hash,
						    uint32_t *index, uint32_t *seq,
						    uint32_t *passed)
{
	struct tn_hash_group *g = &h->groups[group];
	uint32_t match;

	*seq = tn_seq_begin_read(&g->seq);
	for (match = tn_group_match(g, tn_hash_ctrl(hash)); match; match &= match - 1) {
		*index = group * TN_HASH_GROUP_SLOTS + (uint32_t)__builtin_ctz(match);
		if (tn_likely(tn_words_equal(tn_hash_elem(h, *index), key, key_size)))
			return tn_likely(tn_seq_unchanged(&g->seq, *seq)) ? READ_HIT : READ_CHANGED;
	}
	/* Pairs with the release in lower_passed(): who sees it lowered sees the element elsewhere.
	 */
	*passed = tn_load_acquire(&g->passed[tn_hash_class(hash)]);
	return tn_likely(tn_seq_unchanged(&g->seq, *seq)) ? READ_MISS : READ_CHANGED;
}

/* The sum of the numbers of the first `nr` groups of the path. They only grow, so the sum is the
 * same if and only if each is. */
static uint64_t sum_of_seqs(const struct tn_hash *h, uint32_t home, uint32_t nr)
{
	uint32_t group = home;
	uint64_t sum = 0;

	for (; nr; nr--, group = tn_hash_next(h, home, group))
		sum += tn_load_relaxed(&h->groups[group].seq);
	return sum;
}

/* One search of the whole path. `locked`: the caller holds the home group's lock, so the key stands
 * still and a path need not be looked at twice. On a hit *seq is the group's number. */
static TN_ALWAYS_INLINE enum read_result search(const struct tn_hash *h, const void *key,
						size_t key_size, uint64_t hash, bool locked,
						struct place *at, uint32_t *seq)
{
	uint32_t home = tn_hash_home(h, hash);
	uint32_t passed = 0;
	uint64_t sum = 0;
	enum read_result result;

	*at = (struct place){ .group = home };
	for (;;) {
		result = read_group(h, at->group, key, key_size, hash, &at->index, seq, &passed);
		if (result != READ_MISS)
			return result;
		sum += *seq;
		at->depth++;
		if (!passed || at->depth == h->nr_groups)
			break;
		at->group = tn_hash_next(h, home, at->group);
	}
	at->index = NO_INDEX;
	if (at->depth > 1 && !locked) {
		tn_seq_read_fence();
		if (sum_of_seqs(h, home, at->depth) != sum)
			return READ_CHANGED;
	}
	return READ_MISS;
}

/* Lookup for one key size, straight code for the home group; everything rarer is out of line. */
#define DEFINE_LOOKUP(suffix, size)                                                                \
	static TN_NOINLINE uint32_t find_slowly_##suffix(const struct tn_hash *h, const void *key, \
							 uint64_t hash)                            \
	{                                                                                          \
		struct place at;                                                                   \
		uint32_t seq;                                                                      \
                                                                                                   \
		for (uint32_t tries = 0;                                                           \
		     search(h, key, (size), hash, false, &at, &seq) == READ_CHANGED; tries++)      \
			tn_group_relax(tries);                                                     \
		return at.index;                                                                   \
	}                                                                                          \
                                                                                                   \
	static TN_ALWAYS_INLINE uint32_t find_##suffix(const struct tn_hash *h, const void *key)   \
	{                                                                                          \
		uint64_t hash = tn_hash_key(h->seed, key, (size));                                 \
		uint32_t index, seq, passed = 0;                                                   \
		enum read_result result;                                                           \
                                                                                                   \
		result = read_group(h, tn_hash_home(h, hash), key, (size), hash, &index, &seq,     \
				    &passed);                                                      \
		if (tn_likely(result == READ_HIT))                                                 \
			return index;                                                              \
		if (tn_likely(result == READ_MISS && !passed))                                     \
			return NO_INDEX;                                                           \
		return find_slowly_##suffix(h, key, hash);                                         \
	}                                                                                          \
                                                                                                   \
	static void *lookup_##suffix(struct tn_map *map, const void *key, uint32_t slot)           \
	{                                                                                          \
		const struct tn_hash *h = to_hash(map);                                            \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		(void)slot;                                                                        \
		return index == NO_INDEX ? NULL : value_of(h, index);                              \
	}                                                                                          \
                                                                                                   \
	static void *lookup_slot_##suffix(struct tn_map *map, const void *key, uint32_t slot)      \
	{                                                                                          \
		const struct tn_hash *h = to_hash(map);                                            \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		if (index == NO_INDEX ||                                                           \
		    (!tn_map_slot_used(map, slot) && tn_map_use_slot(map, slot)))                  \
			return NULL;                                                               \
		return slot_value_of(h, index, slot);                                              \
	}

DEFINE_LOOKUP(4, 4u)
DEFINE_LOOKUP(8, 8u)
DEFINE_LOOKUP(16, 16u)
DEFINE_LOOKUP(any, h->map.key_size)

/* ---- Writing: inside a writer section ---- */

/* Find the key under its home group's lock: nobody else moves it. */
static struct place find_locked(const struct tn_hash *h, const void *key, uint64_t hash)
{
	struct place at;
	uint32_t seq;

	for (uint32_t tries = 0;
	     search(h, key, h->map.key_size, hash, true, &at, &seq) == READ_CHANGED; tries++)
		tn_group_relax(tries);
	return at;
}

/* Count an element in the first `depth` groups of its path, before it is published... */
static void raise_passed(const struct tn_hash *h, uint64_t hash, uint32_t depth)
{
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (; depth; depth--, group = tn_hash_next(h, home, group)) {
		_Atomic uint8_t *count = &h->groups[group].passed[tn_hash_class(hash)];
		uint8_t old = tn_load_relaxed(count);

		while (old != UINT8_MAX && !tn_cas_acq_rel(count, &old, (uint8_t)(old + 1)))
			;
	}
}

/* ... and out of them, after it is gone. */
static void lower_passed(const struct tn_hash *h, uint64_t hash, uint32_t depth)
{
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (; depth; depth--, group = tn_hash_next(h, home, group)) {
		_Atomic uint8_t *count = &h->groups[group].passed[tn_hash_class(hash)];
		uint8_t old = tn_load_relaxed(count);

		while (old != UINT8_MAX && !tn_cas_acq_rel(count, &old, (uint8_t)(old - 1)))
			;
	}
}

static void set_ctrl(const struct tn_hash *h, uint32_t index, uint8_t ctrl)
{
	TN_WORD_STORE(&h->groups[index / TN_HASH_GROUP_SLOTS].ctrl[index % TN_HASH_GROUP_SLOTS],
		      ctrl);
}

/* Queue the slot of a removed element and empty the one that waited longest. No lock is needed to
 * empty it: only who took it out of the ring writes its byte, readers see no difference, and
 * inserters take it when they see it. */
static void retire(struct tn_hash *h, uint32_t index)
{
	uint64_t ticket = tn_add_relaxed(&h->ticket, 1);
	_Atomic uint64_t *cell = &h->waiting[ticket % h->nr_spares];
	uint64_t old = tn_load_relaxed(cell);

	do {
		/* A whole turn of the ring went by since the ticket was drawn: this is older. */
		if (old && (int32_t)((uint32_t)(old >> 32) - (uint32_t)ticket) > 0) {
			set_ctrl(h, index, TN_HASH_EMPTY);
			return;
		}
	} while (!tn_cas_acq_rel(cell, &old, ticket << 32 | (index + 1)));
	if (old)
		set_ctrl(h, (uint32_t)old - 1, TN_HASH_EMPTY);
}

/* Try to lock a group besides those that are held, which count as locked. */
static bool lock_further(struct tn_hash *h, uint32_t group, uint32_t held1, uint32_t held2)
{
	return group == held1 || group == held2 || tn_group_trylock(&h->groups[group]);
}

static void unlock_further(struct tn_hash *h, uint32_t group, uint32_t held1, uint32_t held2)
{
	if (group != held1 && group != held2)
		tn_group_unlock(&h->groups[group]);
}

/* The first empty slot of the path; its group is then locked (the home group and `held` were
 * before). False: start over, nothing more is locked. */
static bool lock_empty_slot(struct tn_hash *h, uint64_t hash, uint32_t held, struct place *at)
{
	uint32_t home = tn_hash_home(h, hash), empty;

	*at = (struct place){ .group = home };
	for (; at->depth < h->nr_groups; at->depth++) {
		/* Looked at before the lock, to keep off the locks of full groups. */
		empty = tn_group_match(&h->groups[at->group], TN_HASH_EMPTY);
		if (empty) {
			if (!lock_further(h, at->group, home, held))
				return false;
			empty = tn_group_match(&h->groups[at->group], TN_HASH_EMPTY);
			if (empty) {
				at->index = at->group * TN_HASH_GROUP_SLOTS +
					    (uint32_t)__builtin_ctz(empty);
				return true;
			}
			unlock_further(h, at->group, home, held);
		}
		at->group = tn_hash_next(h, home, at->group);
	}
	/* Slots are on their way to the ring. */
	return false;
}

static void publish(struct tn_hash *h, const struct place *at, uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];

	raise_passed(h, hash, at->depth);
	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_ctrl(hash));
	tn_seq_end_write(&g->seq);
}

/* Both groups are locked. The slot is to be retired afterwards. */
static void unpublish(struct tn_hash *h, const struct place *at, uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, TN_HASH_WAITING);
	tn_seq_end_write(&g->seq);
	lower_passed(h, hash, at->depth);
}

/* The new copy before the old one; in one group, both with one change of its number. */
static void publish_instead(struct tn_hash *h, const struct place *at, const struct place *old,
			    uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];

	if (at->group != old->group) {
		publish(h, at, hash);
		unpublish(h, old, hash);
		return;
	}
	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_ctrl(hash));
	set_ctrl(h, old->index, TN_HASH_WAITING);
	tn_seq_end_write(&g->seq);
}

static bool reserve_count(struct tn_hash *h)
{
	uint32_t count = tn_load_relaxed(&h->count);

	do {
		if (count >= h->map.max_entries)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&h->count, &count, count + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void unreserve_count(struct tn_hash *h)
{
	atomic_fetch_sub_explicit(&h->count, 1, memory_order_relaxed);
}

/* What an update writes: a value for all, for one slot (its others become zero), or for each. */
struct source {
	const void *value;
	uint32_t slot;
	bool all_slots;
};

/* A new element's values in a per-slot map. Slots that are not in use are zero and stay so. */
static void write_slot_values(const struct tn_hash *h, uint32_t index, const struct source *from)
{
	size_t size = h->map.value_stride;

	for (uint32_t slot = 0; slot < h->map.rt->max_slots; slot++) {
		unsigned char *to = slot_value_of(h, index, slot);

		if (!tn_map_slot_used(&h->map, slot))
			continue;
		if (from->all_slots)
			tn_words_store(to, (const unsigned char *)from->value + slot * size, size);
		else if (slot == from->slot)
			tn_words_store(to, from->value, h->map.value_size);
		else
			tn_words_zero(to, size);
	}
}

/* Fill an empty slot. Readers that still compare the key of the element that was here find the
 * group's number changed. */
static void write_elem(const struct tn_hash *h, uint32_t index, const void *key,
		       const struct source *from)
{
	unsigned char *elem = tn_hash_elem(h, index);

	tn_seq_write_fence();
	tn_words_store(elem, key, h->map.key_size);
	if (h->slot_values)
		write_slot_values(h, index, from);
	else
		tn_words_store(elem + h->value_off, from->value, h->map.value_size);
}

/* Change the values of an element of a per-slot map in place, its group locked. */
static void change_slot_values(struct tn_hash *h, const struct place *at, const struct source *from)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_group_begin_change(g);
	if (from->all_slots)
		write_slot_values(h, at->index, from);
	else
		tn_words_store(slot_value_of(h, at->index, from->slot), from->value,
			       h->map.value_size);
	tn_group_end_change(g);
}

enum { RESTART = 1 };

static int insert_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct source *from)
{
	uint32_t home = tn_hash_home(h, hash);
	struct place at;

	if (!reserve_count(h))
		return -E2BIG;
	if (!lock_empty_slot(h, hash, home, &at)) {
		unreserve_count(h);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	publish(h, &at, hash);
	unlock_further(h, at.group, home, home);
	return 0;
}

/* *retired: the slot to retire once the home group is unlocked. */
static int replace_locked(struct tn_hash *h, const void *key, uint64_t hash,
			  const struct place *old, const struct source *from, uint32_t *retired)
{
	uint32_t home = tn_hash_home(h, hash);
	struct place at;

	if (!lock_further(h, old->group, home, home))
		return RESTART;
	if (h->slot_values) {
		change_slot_values(h, old, from);
		unlock_further(h, old->group, home, home);
		return 0;
	}
	if (!lock_empty_slot(h, hash, old->group, &at)) {
		unlock_further(h, old->group, home, home);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	publish_instead(h, &at, old, hash);
	unlock_further(h, at.group, home, old->group);
	unlock_further(h, old->group, home, home);
	*retired = old->index;
	return 0;
}

static int update_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct source *from, uint64_t flags, uint32_t *retired)
{
	struct place old = find_locked(h, key, hash);

	if (old.index == NO_INDEX)
		return flags == TN_MAP_EXIST ? -ENOENT : insert_locked(h, key, hash, from);
	if (flags == TN_MAP_NOEXIST)
		return -EEXIST;
	return replace_locked(h, key, hash, &old, from, retired);
}

static int update(struct tn_hash *h, const void *key, const struct source *from, uint64_t flags)
{
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	uint32_t retired = NO_INDEX;
	int err;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		tn_group_lock(home);
		err = update_locked(h, key, hash, from, flags, &retired);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	if (retired != NO_INDEX)
		retire(h, retired);
	tn_writer_leave(t);
	return err;
}

/* The values as the host's calls copy them, of an element that stands still. */
static void copy_out(const struct tn_hash *h, uint32_t index, void *value)
{
	size_t size = h->map.value_stride;

	if (!h->slot_values) {
		tn_words_load(value, value_of(h, index), h->map.value_size);
		return;
	}
	/* Parts of slots that are not in use read as zero, from the zero page. */
	for (uint32_t slot = 0; slot < h->map.rt->max_slots; slot++)
		tn_words_load((unsigned char *)value + slot * size, slot_value_of(h, index, slot),
			      size);
}

static int remove_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value,
			 uint32_t *retired)
{
	uint32_t home = tn_hash_home(h, hash);
	struct place at = find_locked(h, key, hash);

	if (at.index == NO_INDEX)
		return -ENOENT;
	if (!lock_further(h, at.group, home, home))
		return RESTART;
	if (value)
		copy_out(h, at.index, value);
	unpublish(h, &at, hash);
	unlock_further(h, at.group, home, home);
	unreserve_count(h);
	*retired = at.index;
	return 0;
}

/* `value` NULL: not wanted. */
static int remove_key(struct tn_hash *h, const void *key, void *value)
{
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	uint32_t retired = NO_INDEX;
	int err;

	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		tn_group_lock(home);
		err = remove_locked(h, key, hash, value, &retired);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	if (retired != NO_INDEX)
		retire(h, retired);
	tn_writer_leave(t);
	return err;
}

static int update_hash(struct tn_map *map, const void *key, const void *value, uint64_t flags,
		       uint32_t slot)
{
	struct source from = { .value = value, .slot = slot };

	return update(to_hash(map), key, &from, flags);
}

static int update_percpu_hash(struct tn_map *map, const void *key, const void *value,
			      uint64_t flags, uint32_t slot)
{
	struct source from = { .value = value, .slot = slot };

	if (tn_map_use_slot(map, slot))
		return -ENOMEM;
	return update(to_hash(map), key, &from, flags);
}

static int del_hash(struct tn_map *map, const void *key)
{
	return remove_key(to_hash(map), key, NULL);
}

/* ---- From the host ---- */

static int host_lookup_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value)
{
	struct tn_thread *t = tn_thread_self();
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	struct place at;

	tn_writer_enter(t);
	tn_group_lock(home);
	at = find_locked(h, key, hash);
	if (at.index != NO_INDEX)
		copy_out(h, at.index, value);
	tn_group_unlock(home);
	tn_writer_leave(t);
	return at.index == NO_INDEX ? -ENOENT : 0;
}

/* A copy counts as a hit does: if the group's number is the same after it, the element was live
 * all the time, and its value is one that was stored whole. */
static int host_lookup(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	struct tn_hash *h = to_hash(map);
	uint64_t hash = hash_of(h, key);
	struct place at;
	uint32_t seq, changes;

	(void)flags;
	for (uint32_t tries = 0; tries < HOST_READ_TRIES; tries++) {
		switch (search(h, key, map->key_size, hash, false, &at, &seq)) {
		case READ_MISS:
			return -ENOENT;
		case READ_CHANGED:
			break;
		case READ_HIT:
			changes = tn_group_begin_copy(&h->groups[at.group]);
			copy_out(h, at.index, value);
			if (tn_seq_unchanged(&h->groups[at.group].seq, seq) &&
			    tn_group_unchanged(&h->groups[at.group], changes))
				return 0;
			break;
		}
		tn_group_relax(tries);
	}
	return host_lookup_locked(h, key, hash, value);
}

static int host_update(struct tn_map *map, const void *key, const void *value, uint64_t flags)
{
	struct source from = { .value = value, .all_slots = true };

	if (tn_map_is_per_slot(map) && tn_map_use_slots_for(map, value))
		return -ENOMEM;
	return update(to_hash(map), key, &from, flags);
}

static int host_delete(struct tn_map *map, const void *key, uint64_t flags)
{
	(void)flags;
	return remove_key(to_hash(map), key, NULL);
}

static int host_lookup_and_delete(struct tn_map *map, const void *key, void *value, uint64_t flags)
{
	(void)flags;
	return remove_key(to_hash(map), key, value);
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
		uint64_t hash = hash_of(h, key);

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
		if (!lock_further(h, group, home, home))
			return false;
		next_in_group(h, group, home, s);
		unlock_further(h, group, home, home);
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
	enum read_result result = READ_CHANGED;
	struct place at;
	uint32_t seq;

	for (uint32_t tries = 0; result == READ_CHANGED; tries++) {
		result = search(h, key, h->map.key_size, hash, false, &at, &seq);
		if (result == READ_CHANGED)
			tn_group_relax(tries);
	}
	return result == READ_HIT;
}

static int next_key(struct tn_map *map, const void *key, void *next)
{
	struct tn_hash *h = to_hash(map);
	struct tn_thread *t = tn_thread_self();
	struct next_search s = { .after = NULL };
	uint32_t home = 0;
	bool found = false;

	/* A key that is not there restarts, as in the kernel. */
	if (key) {
		s.after_hash = hash_of(h, key);
		if (is_present(h, key, s.after_hash)) {
			s.after = key;
			home = tn_hash_home(h, s.after_hash);
		}
	}
	tn_writer_enter(t);
	for (; !found && home < h->nr_groups; home++)
		found = copy_next_at_home(h, home, &s, next);
	tn_writer_leave(t);
	return found ? 0 : -ENOENT;
}

static uint32_t count_hash(struct tn_map *map)
{
	return tn_load_relaxed(&to_hash(map)->count);
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

static int check_percpu_hash(const struct tn_map *map)
{
	int err = check_common(map, HASH_FLAGS & ~TN_MAP_F_NUMA_NODE);

	if (!err && map->value_size > TN_MAP_MAX_SLOT_VALUE)
		err = tn_map_err(map, -E2BIG, "value size %u is too large for a per-slot map",
				 map->value_size);
	return err;
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 3; (uint64_t)d * d <= n; d += 2) {
		if (n % d == 0)
			return false;
	}
	return n % 2 != 0;
}

static void draw_seed(struct tn_hash *h)
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

/* The sizes that follow from the attributes. Element indices fit 32 bits: max_entries does, and the
 * charge below fails long before the product does not. */
static int size_table(struct tn_hash *h)
{
	struct tn_map *map = &h->map;
	uint64_t spares = TN_MAX((uint64_t)map->max_entries / 8 + 1, 64u);
	uint64_t slots = (map->max_entries + spares) * 3 / 2 + 1;
	uint64_t groups = (slots / TN_HASH_GROUP_SLOTS + 1) | 1;
	uint64_t bytes;

	if (slots > UINT32_MAX - (1u << 16))
		return tn_map_err(map, -E2BIG, "max_entries %u is too large", map->max_entries);
	while (!is_prime((uint32_t)groups))
		groups += 2;
	h->nr_groups = (uint32_t)groups;
	h->nr_spares = (uint32_t)spares;
	h->value_off = TN_ROUND_UP(map->key_size, 8u);
	map->value_stride = TN_ROUND_UP(map->value_size, 8u);
	h->elem_stride = h->value_off;
	if (map->type == TN_MAP_HASH)
		h->elem_stride += map->value_stride;
	bytes = groups * TN_HASH_GROUP_SLOTS * h->elem_stride;
	bytes += groups * sizeof(struct tn_hash_group) + spares * sizeof(*h->waiting);
	h->table_bytes = (size_t)bytes;
	if (map->type == TN_MAP_HASH)
		return 0;
	map->slot_stride = TN_ROUND_UP((size_t)groups * TN_HASH_GROUP_SLOTS * map->value_stride,
				       128);
	if (__builtin_mul_overflow(map->slot_stride, map->rt->max_slots, &h->slot_bytes))
		return tn_map_err(map, -E2BIG, "%u values of %u bytes a slot are too large",
				  map->max_entries, map->value_size);
	return 0;
}

static const struct tn_map_ops *ops_for_key_size(const struct tn_map *map);

static int init_hash(struct tn_map *map)
{
	struct tn_hash *h = to_hash(map);
	unsigned char *table;
	int err = size_table(h);

	if (!err)
		err = tn_map_charge(map, h->table_bytes);
	if (err)
		return err;
	table = tn_pages_alloc(map->rt, h->table_bytes);
	if (!table)
		return tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", h->table_bytes);
	h->groups = (struct tn_hash_group *)(void *)table;
	h->elems = (unsigned char *)(h->groups + h->nr_groups);
	h->waiting = (_Atomic uint64_t *)(void *)(h->elems + (size_t)h->nr_groups *
								     TN_HASH_GROUP_SLOTS *
								     h->elem_stride);
	draw_seed(h);
	map->ops = ops_for_key_size(map);
	if (!map->slot_stride)
		return 0;
	h->slot_values = tn_pages_alloc(map->rt, h->slot_bytes);
	return h->slot_values ? 0
			      : tn_map_err(map, -ENOMEM, "cannot reserve %zu bytes", h->slot_bytes);
}

static void fini_hash(struct tn_map *map)
{
	struct tn_hash *h = to_hash(map);

	tn_pages_free(h->groups, h->table_bytes);
	tn_pages_free(h->slot_values, h->slot_bytes);
}

/* One vtable per key size that has a lookup of its own; the type's table has that for any. */
#define HASH_OPS(lookup_fn)                                                                     \
	{                                                                                       \
		.struct_size = sizeof(struct tn_hash), .check = check_hash, .init = init_hash,  \
		.fini = fini_hash, .lookup = lookup_fn, .update = update_hash, .del = del_hash, \
		.host_lookup = host_lookup, .host_update = host_update,                         \
		.host_delete = host_delete, .host_lookup_and_delete = host_lookup_and_delete,   \
		.next_key = next_key, .count = count_hash                                       \
	}
#define PERCPU_HASH_OPS(lookup_fn)                                                         \
	{                                                                                  \
		.struct_size = sizeof(struct tn_hash), .check = check_percpu_hash,         \
		.init = init_hash, .fini = fini_hash, .lookup = lookup_fn,                 \
		.update = update_percpu_hash, .del = del_hash, .host_lookup = host_lookup, \
		.host_update = host_update, .host_delete = host_delete,                    \
		.host_lookup_and_delete = host_lookup_and_delete, .next_key = next_key,    \
		.count = count_hash                                                        \
	}

const struct tn_map_ops tn_hash_ops = HASH_OPS(lookup_any);
const struct tn_map_ops tn_percpu_hash_ops = PERCPU_HASH_OPS(lookup_slot_any);

static const struct tn_map_ops hash_ops_4 = HASH_OPS(lookup_4);
static const struct tn_map_ops hash_ops_8 = HASH_OPS(lookup_8);
static const struct tn_map_ops hash_ops_16 = HASH_OPS(lookup_16);
static const struct tn_map_ops percpu_hash_ops_4 = PERCPU_HASH_OPS(lookup_slot_4);
static const struct tn_map_ops percpu_hash_ops_8 = PERCPU_HASH_OPS(lookup_slot_8);
static const struct tn_map_ops percpu_hash_ops_16 = PERCPU_HASH_OPS(lookup_slot_16);

static const struct tn_map_ops *ops_for_key_size(const struct tn_map *map)
{
	bool per_slot = map->type == TN_MAP_PERCPU_HASH;

	switch (map->key_size) {
	case 4:
		return per_slot ? &percpu_hash_ops_4 : &hash_ops_4;
	case 8:
		return per_slot ? &percpu_hash_ops_8 : &hash_ops_8;
	case 16:
		return per_slot ? &percpu_hash_ops_16 : &hash_ops_16;
	default:
		return map->ops;
	}
}
