/* SPDX-License-Identifier: MIT */
/*
 * The protocol of hash and per-slot hash maps. hash.h has the layout, hash_group.h the parts,
 * hash_map.c what the rest of the world calls.
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
 * together fill at most two thirds of the slots. Where nothing is empty near the home group,
 * because one key is updated again and again, a slot is reused as soon as 64 others were removed
 * after it: old copies of one key shall not push it far from home.
 */
#include "maps/hash_core.h"

#include <errno.h>

/* ---- Reading ---- */

/* Search one group. On TN_HASH_MISS *seq is the number that proves it and *passed what follows. */
static TN_ALWAYS_INLINE enum tn_hash_read read_group(const struct tn_hash *h, uint32_t group,
						     const void *key, size_t key_size,
						     uint64_t hash, uint32_t *index, uint32_t *seq,
						     uint32_t *passed)
{
	struct tn_hash_group *g = &h->groups[group];
	uint32_t match;

	*seq = tn_seq_begin_read(&g->seq);
	for (match = tn_group_match(g, tn_hash_ctrl(hash)); match; match &= match - 1) {
		*index = group * TN_HASH_GROUP_SLOTS + (uint32_t)__builtin_ctz(match);
		if (tn_likely(tn_words_equal(tn_hash_elem(h, *index), key, key_size)))
			return tn_likely(tn_seq_unchanged(&g->seq, *seq)) ? TN_HASH_HIT
									  : TN_HASH_CHANGED;
	}
	/* Pairs with the release in lower_passed(): who sees it lowered sees the element elsewhere.
	 */
	*passed = tn_load_acquire(&g->passed[tn_hash_class(hash)]);
	return tn_likely(tn_seq_unchanged(&g->seq, *seq)) ? TN_HASH_MISS : TN_HASH_CHANGED;
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
static TN_ALWAYS_INLINE enum tn_hash_read search(const struct tn_hash *h, const void *key,
						 size_t key_size, uint64_t hash, bool locked,
						 struct tn_hash_place *at, uint32_t *seq)
{
	uint32_t home = tn_hash_home(h, hash);
	uint32_t passed = 0;
	uint64_t sum = 0;
	enum tn_hash_read result;

	*at = (struct tn_hash_place){ .group = home };
	for (;;) {
		result = read_group(h, at->group, key, key_size, hash, &at->index, seq, &passed);
		if (result != TN_HASH_MISS)
			return result;
		sum += *seq;
		at->depth++;
		if (!passed || at->depth == h->nr_groups)
			break;
		at->group = tn_hash_next(h, home, at->group);
	}
	at->index = TN_HASH_NOWHERE;
	if (at->depth > 1 && !locked) {
		tn_seq_read_fence();
		if (sum_of_seqs(h, home, at->depth) != sum)
			return TN_HASH_CHANGED;
	}
	return TN_HASH_MISS;
}

/* Lookup for one key size, straight code for the home group; everything rarer is out of line. */
#define DEFINE_LOOKUP(suffix, size)                                                                \
	static TN_NOINLINE uint32_t find_slowly_##suffix(const struct tn_hash *h, const void *key, \
							 uint64_t hash)                            \
	{                                                                                          \
		struct tn_hash_place at;                                                           \
		uint32_t seq;                                                                      \
                                                                                                   \
		for (uint32_t tries = 0;                                                           \
		     search(h, key, (size), hash, false, &at, &seq) == TN_HASH_CHANGED; tries++)   \
			tn_group_relax(tries);                                                     \
		return at.index;                                                                   \
	}                                                                                          \
                                                                                                   \
	static TN_ALWAYS_INLINE uint32_t find_##suffix(const struct tn_hash *h, const void *key)   \
	{                                                                                          \
		uint64_t hash = tn_hash_key(h->seed, key, (size));                                 \
		uint32_t index, seq, passed = 0;                                                   \
		enum tn_hash_read result;                                                          \
                                                                                                   \
		result = read_group(h, tn_hash_home(h, hash), key, (size), hash, &index, &seq,     \
				    &passed);                                                      \
		if (tn_likely(result == TN_HASH_HIT))                                              \
			return index;                                                              \
		if (tn_likely(result == TN_HASH_MISS && !passed))                                  \
			return TN_HASH_NOWHERE;                                                    \
		return find_slowly_##suffix(h, key, hash);                                         \
	}                                                                                          \
                                                                                                   \
	static void *lookup_##suffix(struct tn_map *map, const void *key, uint32_t slot)           \
	{                                                                                          \
		const struct tn_hash *h = tn_hash_map(map);                                        \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		(void)slot;                                                                        \
		return index == TN_HASH_NOWHERE ? NULL : tn_hash_value(h, index);                  \
	}                                                                                          \
                                                                                                   \
	static void *lookup_slot_##suffix(struct tn_map *map, const void *key, uint32_t slot)      \
	{                                                                                          \
		const struct tn_hash *h = tn_hash_map(map);                                        \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		if (index == TN_HASH_NOWHERE ||                                                    \
		    (!tn_map_slot_used(map, slot) && tn_map_use_slot(map, slot)))                  \
			return NULL;                                                               \
		return tn_hash_slot_value(h, index, slot);                                         \
	}

DEFINE_LOOKUP(4, 4u)
DEFINE_LOOKUP(8, 8u)
DEFINE_LOOKUP(16, 16u)
DEFINE_LOOKUP(any, h->map.key_size)

enum tn_hash_read tn_hash_search(const struct tn_hash *h, const void *key, uint64_t hash,
				 struct tn_hash_place *at, uint32_t *seq)
{
	return search(h, key, h->map.key_size, hash, false, at, seq);
}

tn_hash_lookup_fn tn_hash_lookup_for(const struct tn_map *map)
{
	bool per_slot = map->type == TN_MAP_PERCPU_HASH;

	switch (map->key_size) {
	case 4:
		return per_slot ? lookup_slot_4 : lookup_4;
	case 8:
		return per_slot ? lookup_slot_8 : lookup_8;
	case 16:
		return per_slot ? lookup_slot_16 : lookup_16;
	default:
		return per_slot ? lookup_slot_any : lookup_any;
	}
}

/* ---- Writing: inside a writer section ---- */

/* Find the key under its home group's lock: nobody else moves it. */
static struct tn_hash_place find_locked(const struct tn_hash *h, const void *key, uint64_t hash)
{
	struct tn_hash_place at;
	uint32_t seq;

	for (uint32_t tries = 0;
	     search(h, key, h->map.key_size, hash, true, &at, &seq) == TN_HASH_CHANGED; tries++)
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
	TN_WORD_STORE(tn_hash_ctrl_at(h, index), ctrl);
}

/* An element that was removed; its slot is to be queued once the locks are free. */
struct removed {
	uint32_t index; /* TN_HASH_NOWHERE: none */
	uint64_t ticket;
};

static void draw_ticket(struct tn_hash *h, uint32_t index, struct removed *removed)
{
	*removed = (struct removed){ index, tn_add_relaxed(&h->ticket, 1) };
}

/* Under no lock: readers see no difference, and inserters take the slot when they see it. Where the
 * slot was reused early, another code or a live byte stands there, and stays. */
static void end_wait(const struct tn_hash *h, uint32_t index, uint64_t ticket)
{
	uint8_t ctrl = tn_hash_wait_ctrl(ticket);

	tn_cas_acq_rel(tn_hash_ctrl_at(h, index), &ctrl, TN_HASH_EMPTY);
}

/* Queue the slot of a removed element and empty the one that waited longest. */
static void retire(struct tn_hash *h, const struct removed *removed)
{
	_Atomic uint64_t *cell = &h->waiting[removed->ticket % h->nr_spares];
	uint64_t old = tn_load_relaxed(cell);

	do {
		/* A whole turn of the ring went by since the ticket was drawn: this is older. */
		if (old && (int32_t)((uint32_t)(old >> 32) - (uint32_t)removed->ticket) > 0) {
			end_wait(h, removed->index, removed->ticket);
			return;
		}
	} while (!tn_cas_acq_rel(cell, &old, removed->ticket << 32 | (removed->index + 1)));
	if (old)
		end_wait(h, (uint32_t)old - 1, old >> 32);
}

/* How many groups are searched for an empty slot before one that waits may be taken. */
#define NEAR_GROUPS 3u

/* Bit i: slot i of the group waits, and at least TN_HASH_MIN_SPARES others were removed after it.
 * The code gives the age modulo 127, so some older ones are overlooked. */
static uint32_t match_aged(const struct tn_hash *h, const struct tn_hash_group *g)
{
	uint32_t now = (uint32_t)tn_load_relaxed(&h->ticket) % TN_HASH_WAIT_CODES, match = 0;

	for (uint32_t i = 0; i < TN_HASH_GROUP_SLOTS; i++) {
		uint32_t code = (uint32_t)tn_load_relaxed(&g->ctrl[i]) - TN_HASH_WAITING;
		uint32_t age = (now + TN_HASH_WAIT_CODES - 1 - code) % TN_HASH_WAIT_CODES;

		if (code < TN_HASH_WAIT_CODES && age >= TN_HASH_MIN_SPARES)
			match |= 1u << i;
	}
	return match;
}

static uint32_t match_free(const struct tn_hash *h, uint32_t group, bool aged)
{
	const struct tn_hash_group *g = &h->groups[group];
	uint32_t match = tn_group_match(g, TN_HASH_EMPTY);

	return match || !aged ? match : match_aged(h, g);
}

enum lock_result { LOCK_DONE, LOCK_NONE_FREE, LOCK_TAKEN };

/* The first free slot in the first `nr` groups of the path; its group is then locked (the home
 * group and `held` were before). */
static enum lock_result lock_free_slot(struct tn_hash *h, uint32_t home, uint32_t held, uint32_t nr,
				       bool aged, struct tn_hash_place *at)
{
	uint32_t match;

	*at = (struct tn_hash_place){ .group = home };
	for (; at->depth < nr; at->depth++) {
		/* Looked at before the lock, to keep off the locks of full groups. */
		if (match_free(h, at->group, aged)) {
			if (!tn_group_lock_further(h, at->group, home, held))
				return LOCK_TAKEN;
			match = match_free(h, at->group, aged);
			if (match) {
				at->index = at->group * TN_HASH_GROUP_SLOTS +
					    (uint32_t)__builtin_ctz(match);
				return LOCK_DONE;
			}
			tn_group_unlock_further(h, at->group, home, held);
		}
		at->group = tn_hash_next(h, home, at->group);
	}
	return LOCK_NONE_FREE;
}

/* A slot for a new element on the path, its group locked. False: start over, nothing more is locked
 * than was before; others hold locks, or slots are on their way to the ring. */
static bool lock_slot(struct tn_hash *h, uint64_t hash, uint32_t held, struct tn_hash_place *at)
{
	uint32_t home = tn_hash_home(h, hash);
	enum lock_result result;

	result = lock_free_slot(h, home, held, TN_MIN(NEAR_GROUPS, h->nr_groups), false, at);
	if (tn_unlikely(result == LOCK_NONE_FREE))
		result = lock_free_slot(h, home, held, h->nr_groups, true, at);
	return result == LOCK_DONE;
}

static void publish(struct tn_hash *h, const struct tn_hash_place *at, uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];

	raise_passed(h, hash, at->depth);
	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_ctrl(hash));
	tn_seq_end_write(&g->seq);
}

/* Both groups are locked. */
static void unpublish(struct tn_hash *h, const struct tn_hash_place *at, uint64_t hash,
		      const struct removed *removed)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_wait_ctrl(removed->ticket));
	tn_seq_end_write(&g->seq);
	lower_passed(h, hash, at->depth);
}

/* The new copy before the old one; in one group, both with one change of its number. */
static void publish_instead(struct tn_hash *h, const struct tn_hash_place *at,
			    const struct tn_hash_place *old, uint64_t hash,
			    const struct removed *removed)
{
	struct tn_hash_group *g = &h->groups[at->group];

	if (at->group != old->group) {
		publish(h, at, hash);
		unpublish(h, old, hash, removed);
		return;
	}
	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_ctrl(hash));
	set_ctrl(h, old->index, tn_hash_wait_ctrl(removed->ticket));
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

/* A new element's values in a per-slot map. Slots that are not in use are zero and stay so. */
static void write_slot_values(const struct tn_hash *h, uint32_t index,
			      const struct tn_hash_source *from)
{
	size_t size = h->map.value_stride;

	for (uint32_t slot = 0; slot < h->map.rt->max_slots; slot++) {
		unsigned char *to = tn_hash_slot_value(h, index, slot);

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
		       const struct tn_hash_source *from)
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
static void change_slot_values(struct tn_hash *h, const struct tn_hash_place *at,
			       const struct tn_hash_source *from)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_group_begin_change(g);
	if (from->all_slots)
		write_slot_values(h, at->index, from);
	else
		tn_words_store(tn_hash_slot_value(h, at->index, from->slot), from->value,
			       h->map.value_size);
	tn_group_end_change(g);
}

enum { RESTART = 1 };

static int insert_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct tn_hash_source *from)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at;

	if (!reserve_count(h))
		return -E2BIG;
	if (!lock_slot(h, hash, home, &at)) {
		unreserve_count(h);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	publish(h, &at, hash);
	tn_group_unlock_further(h, at.group, home, home);
	return 0;
}

static int replace_locked(struct tn_hash *h, const void *key, uint64_t hash,
			  const struct tn_hash_place *old, const struct tn_hash_source *from,
			  struct removed *removed)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at;

	if (!tn_group_lock_further(h, old->group, home, home))
		return RESTART;
	if (h->slot_values) {
		change_slot_values(h, old, from);
		tn_group_unlock_further(h, old->group, home, home);
		return 0;
	}
	if (!lock_slot(h, hash, old->group, &at)) {
		tn_group_unlock_further(h, old->group, home, home);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	draw_ticket(h, old->index, removed);
	publish_instead(h, &at, old, hash, removed);
	tn_group_unlock_further(h, at.group, home, old->group);
	tn_group_unlock_further(h, old->group, home, home);
	return 0;
}

static int update_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct tn_hash_source *from, uint64_t flags, struct removed *removed)
{
	struct tn_hash_place old = find_locked(h, key, hash);

	if (old.index == TN_HASH_NOWHERE)
		return flags == TN_MAP_EXIST ? -ENOENT : insert_locked(h, key, hash, from);
	if (flags == TN_MAP_NOEXIST)
		return -EEXIST;
	return replace_locked(h, key, hash, &old, from, removed);
}

int tn_hash_update(struct tn_hash *h, const void *key, const struct tn_hash_source *from,
		   uint64_t flags)
{
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = tn_hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	struct removed removed = { .index = TN_HASH_NOWHERE };
	int err;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		tn_group_lock(home);
		err = update_locked(h, key, hash, from, flags, &removed);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	if (removed.index != TN_HASH_NOWHERE)
		retire(h, &removed);
	tn_writer_leave(t);
	return err;
}

void tn_hash_copy_out(const struct tn_hash *h, uint32_t index, void *value)
{
	size_t size = h->map.value_stride;

	if (!h->slot_values) {
		tn_words_load(value, tn_hash_value(h, index), h->map.value_size);
		return;
	}
	/* Parts of slots that are not in use read as zero, from the zero page. */
	for (uint32_t slot = 0; slot < h->map.rt->max_slots; slot++)
		tn_words_load((unsigned char *)value + slot * size,
			      tn_hash_slot_value(h, index, slot), size);
}

static int remove_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value,
			 struct removed *removed)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at = find_locked(h, key, hash);

	if (at.index == TN_HASH_NOWHERE)
		return -ENOENT;
	if (!tn_group_lock_further(h, at.group, home, home))
		return RESTART;
	if (value)
		tn_hash_copy_out(h, at.index, value);
	draw_ticket(h, at.index, removed);
	unpublish(h, &at, hash, removed);
	tn_group_unlock_further(h, at.group, home, home);
	unreserve_count(h);
	return 0;
}

int tn_hash_remove(struct tn_hash *h, const void *key, void *value)
{
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = tn_hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	struct removed removed = { .index = TN_HASH_NOWHERE };
	int err;

	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		tn_group_lock(home);
		err = remove_locked(h, key, hash, value, &removed);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	if (removed.index != TN_HASH_NOWHERE)
		retire(h, &removed);
	tn_writer_leave(t);
	return err;
}

int tn_hash_lookup_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value)
{
	struct tn_thread *t = tn_thread_self();
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	struct tn_hash_place at;

	tn_writer_enter(t);
	tn_group_lock(home);
	at = find_locked(h, key, hash);
	if (at.index != TN_HASH_NOWHERE)
		tn_hash_copy_out(h, at.index, value);
	tn_group_unlock(home);
	tn_writer_leave(t);
	return at.index == TN_HASH_NOWHERE ? -ENOENT : 0;
}
