/* SPDX-License-Identifier: MIT */
/*
 * The protocol of hash, LRU hash, and their per-slot maps. hash.h has the layout, hash_group.h the
 * parts, hash_map.c what the rest of the world calls.
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
 * A removed element keeps its value: its slot waits, and is free for reuse when nr_spares others
 * were removed after it, which its ticket, stored over its key, tells. Programs that still hold a
 * pointer to it read the old value until then, and some live value of this map afterwards; element
 * memory never becomes anything else. That is at least as long as the kernel's preallocated maps
 * wait, needs no look at epochs and no list, and a full map accepts delete and insert for ever:
 * there are more slots than live and waiting elements (see draw_ticket()). Where nothing is free
 * near the home group, because one key is updated again and again, a slot is reused as soon as
 * min_age others were removed after it: old copies of one key shall not push it far from home.
 */
#include "maps/hash_core.h"
#include "maps/timer.h"
#include "maps/value_lock.h"

#include <errno.h>

#include "maps/segment.h"

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

static TN_ALWAYS_INLINE void *slot_value_at(const struct tn_hash *h, uint32_t index, uint32_t slot)
{
	if (index == TN_HASH_NOWHERE ||
	    (!tn_map_slot_used(&h->map, slot) &&
	     tn_map_use_slot((struct tn_map *)(uintptr_t)&h->map, slot)))
		return NULL;
	return tn_hash_slot_value(h, index, slot);
}

/* In a segment the writer may be dead. */
static void wait_for_writer(const struct tn_hash *h, uint32_t tries)
{
	if (h->map.segment && tries % 1024 == 1023)
		tn_segment_help(h->map.segment);
	tn_group_relax(tries);
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
			wait_for_writer(h, tries);                                                 \
		return at.index;                                                                   \
	}                                                                                          \
                                                                                                   \
	static TN_ALWAYS_INLINE uint32_t find_##suffix(const struct tn_hash *h, const void *key)   \
	{                                                                                          \
		uint64_t hash = tn_hash_key(h->seed, key, (size));                                 \
		uint32_t home = tn_hash_home(h, hash), index, seq, passed = 0;                     \
		enum tn_hash_read result;                                                          \
                                                                                                   \
		tn_hash_fetch_near(h, home, hash);                                                 \
		result = read_group(h, home, key, (size), hash, &index, &seq, &passed);            \
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
	static void *lookup_lru_##suffix(struct tn_map *map, const void *key, uint32_t slot)       \
	{                                                                                          \
		const struct tn_hash *h = tn_hash_map(map);                                        \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		(void)slot;                                                                        \
		if (index == TN_HASH_NOWHERE)                                                      \
			return NULL;                                                               \
		tn_hash_use(h, index, TN_HASH_USE_SEEN);                                           \
		return tn_hash_value(h, index);                                                    \
	}                                                                                          \
                                                                                                   \
	static void *lookup_slot_##suffix(struct tn_map *map, const void *key, uint32_t slot)      \
	{                                                                                          \
		const struct tn_hash *h = tn_hash_map(map);                                        \
                                                                                                   \
		return slot_value_at(h, find_##suffix(h, key), slot);                              \
	}                                                                                          \
                                                                                                   \
	static void *lookup_lru_slot_##suffix(struct tn_map *map, const void *key, uint32_t slot)  \
	{                                                                                          \
		const struct tn_hash *h = tn_hash_map(map);                                        \
		uint32_t index = find_##suffix(h, key);                                            \
                                                                                                   \
		if (index != TN_HASH_NOWHERE)                                                      \
			tn_hash_use(h, index, TN_HASH_USE_SEEN);                                   \
		return slot_value_at(h, index, slot);                                              \
	}                                                                                          \
                                                                                                   \
	static tn_hash_lookup_fn choose_##suffix(bool per_slot, bool uses)                         \
	{                                                                                          \
		if (per_slot)                                                                      \
			return uses ? lookup_lru_slot_##suffix : lookup_slot_##suffix;             \
		return uses ? lookup_lru_##suffix : lookup_##suffix;                               \
	}

DEFINE_LOOKUP(4, 4u)
DEFINE_LOOKUP(8, 8u)
DEFINE_LOOKUP(16, 16u)
DEFINE_LOOKUP(64, 64u)
DEFINE_LOOKUP(any, h->map.key_size)

enum tn_hash_read tn_hash_search(const struct tn_hash *h, const void *key, uint64_t hash,
				 struct tn_hash_place *at, uint32_t *seq)
{
	return search(h, key, h->map.key_size, hash, false, at, seq);
}

tn_hash_lookup_fn tn_hash_lookup_for(const struct tn_map *map, bool uses)
{
	bool per_slot = tn_hash_is_per_slot(map);

	switch (map->key_size) {
	case 4:
		return choose_4(per_slot, uses);
	case 8:
		return choose_8(per_slot, uses);
	case 16:
		return choose_16(per_slot, uses);
	case 64:
		return choose_64(per_slot, uses);
	default:
		return choose_any(per_slot, uses);
	}
}

const struct tn_hash *tn_hash_for_code(const struct tn_map *map)
{
	bool uses = tn_hash_is_lru(map);

	switch (map->type) {
	case TN_MAP_HASH:
	case TN_MAP_PERCPU_HASH:
	case TN_MAP_LRU_HASH:
	case TN_MAP_LRU_PERCPU_HASH:
		break;
	default:
		return NULL;
	}
	/* What is done besides, only its own function knows. */
	return map->ops->lookup == tn_hash_lookup_for(map, uses) ? (const void *)map : NULL;
}

/* ---- Writing: inside a writer section ---- */

/* Bit i: slot i of the group is empty, or has waited its full time as far as its control byte
 * tells. The codes come again, so that one in eight of those that have is overlooked. */
static TN_ALWAYS_INLINE uint32_t match_aged(const struct tn_hash *h, uint32_t group)
{
	uint8_t now = (uint8_t)(tn_load_relaxed(&h->tally->ticket) >> h->wait_shift);

	return tn_group_aged(&h->groups[group], now, h->wait_age);
}

/* A look at the home group, where nearly all keys are, before it is locked: memory is on its way
 * when it is needed, and the lock is held for less. */
struct guess {
	struct tn_hash_place at;
	bool hit;
	uint32_t seq;  /* of the group */
	uint32_t slot; /* that may be free, TN_HASH_NOWHERE: none */
};

static TN_ALWAYS_INLINE void guess_slot(const struct tn_hash *h, uint32_t home, uint64_t hash,
					struct guess *guess)
{
	uint32_t match = match_aged(h, home), near = tn_hash_near(h, hash);

	guess->slot = TN_HASH_NOWHERE;
	if (tn_unlikely(!match))
		return;
	guess->slot = home * TN_HASH_GROUP_SLOTS + tn_group_first(tn_group_from(match, near), near);
	__builtin_prefetch(tn_hash_elem(h, guess->slot), 1);
}

static TN_ALWAYS_INLINE void guess_place(const struct tn_hash *h, const void *key, size_t key_size,
					 uint64_t hash, struct guess *guess)
{
	uint32_t passed;

	guess->at = (struct tn_hash_place){ .group = tn_hash_home(h, hash) };
	guess->hit = read_group(h, guess->at.group, key, key_size, hash, &guess->at.index,
				&guess->seq, &passed) == TN_HASH_HIT;
}

static TN_ALWAYS_INLINE void take_guess(const struct tn_hash *h, const void *key, uint64_t hash,
					bool slot_too, struct guess *guess)
{
	uint32_t home = tn_hash_home(h, hash);

	tn_hash_fetch_near(h, home, hash);
	if (slot_too)
		guess_slot(h, home, hash, guess);
	switch (h->map.key_size) {
	case 4:
		guess_place(h, key, 4, hash, guess);
		break;
	case 8:
		guess_place(h, key, 8, hash, guess);
		break;
	case 16:
		guess_place(h, key, 16, hash, guess);
		break;
	case 64:
		guess_place(h, key, 64, hash, guess);
		break;
	default:
		guess_place(h, key, h->map.key_size, hash, guess);
	}
}

/* Find the key under its home group's lock: nobody else moves it. Where no slot of the group went
 * live or away since the guess, it holds. */
static TN_ALWAYS_INLINE struct tn_hash_place find_locked(const struct tn_hash *h, const void *key,
							 uint64_t hash, const struct guess *guess)
{
	struct tn_hash_place at;
	uint32_t seq;

	if (tn_likely(guess->hit) &&
	    tn_likely(tn_load_relaxed(&h->groups[guess->at.group].seq) == guess->seq))
		return guess->at;
	for (uint32_t tries = 0;
	     search(h, key, h->map.key_size, hash, true, &at, &seq) == TN_HASH_CHANGED; tries++)
		tn_group_relax(tries);
	return at;
}

/* Count an element in the groups of its path from the depth `from` to before `to`, before it is
 * published beyond them... */
static void raise_passed(const struct tn_hash *h, uint64_t hash, uint32_t from, uint32_t to)
{
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (uint32_t depth = 0; depth < to; depth++, group = tn_hash_next(h, home, group)) {
		_Atomic uint8_t *count = &h->groups[group].passed[tn_hash_class(hash)];
		uint8_t old = tn_load_relaxed(count);

		while (depth >= from && old != UINT8_MAX &&
		       !tn_cas_acq_rel(count, &old, (uint8_t)(old + 1)))
			;
	}
}

/* ... and out of them, after it is gone. */
static void lower_passed(const struct tn_hash *h, uint64_t hash, uint32_t from, uint32_t to)
{
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (uint32_t depth = 0; depth < to; depth++, group = tn_hash_next(h, home, group)) {
		_Atomic uint8_t *count = &h->groups[group].passed[tn_hash_class(hash)];
		uint8_t old = tn_load_relaxed(count);

		while (depth >= from && old != UINT8_MAX &&
		       !tn_cas_acq_rel(count, &old, (uint8_t)(old - 1)))
			;
	}
}

static void set_ctrl(const struct tn_hash *h, uint32_t index, uint8_t ctrl)
{
	TN_WORD_STORE(tn_hash_ctrl_at(h, index), ctrl);
}

/* How many groups are searched for a slot that waited its full time before a younger one is taken.
 */
#define NEAR_GROUPS 3u

/* A free slot of a group for a key of this hash, TN_HASH_NOWHERE: none. Aged: among those that are
 * likely old enough. */
static TN_ALWAYS_INLINE uint32_t free_slot_in(const struct tn_hash *h, uint32_t group,
					      uint64_t hash, bool aged)
{
	uint32_t match, index, age = aged ? h->nr_spares : h->min_age, near = tn_hash_near(h, hash);

	if (aged)
		match = match_aged(h, group);
	else
		match = ~tn_group_live(&h->groups[group]) & ((1u << TN_HASH_GROUP_SLOTS) - 1);
	for (match = tn_group_from(match, near); match; match &= match - 1) {
		index = group * TN_HASH_GROUP_SLOTS + tn_group_first(match, near);
		if (tn_likely(tn_hash_is_free(h, index, age)))
			return index;
	}
	return TN_HASH_NOWHERE;
}

enum lock_result { LOCK_DONE, LOCK_NONE_FREE, LOCK_TAKEN };

/* The first free slot in the first `nr` groups of the path; its group is then locked (the home
 * group and `held` were before). */
static TN_ALWAYS_INLINE enum lock_result lock_free_slot(struct tn_hash *h, uint64_t hash,
							uint32_t held, uint32_t nr, bool aged,
							struct tn_hash_place *at)
{
	uint32_t home = tn_hash_home(h, hash);

	*at = (struct tn_hash_place){ .group = home };
	for (; at->depth < nr; at->depth++) {
		at->index = free_slot_in(h, at->group, hash, aged);
		if (at->index != TN_HASH_NOWHERE) {
			if (tn_likely(at->group == home || at->group == held))
				return LOCK_DONE;
			/* Looked at before the lock, to keep off the locks of full groups. */
			if (!tn_group_trylock(&h->groups[at->group]))
				return LOCK_TAKEN;
			at->index = free_slot_in(h, at->group, hash, aged);
			if (at->index != TN_HASH_NOWHERE)
				return LOCK_DONE;
			tn_group_unlock(&h->groups[at->group]);
		}
		at->group = tn_hash_next(h, home, at->group);
	}
	return LOCK_NONE_FREE;
}

static TN_NOINLINE enum lock_result lock_other_slot(struct tn_hash *h, uint64_t hash, uint32_t held,
						    struct tn_hash_place *at)
{
	/* Where nothing is reused before its time, likely slots further on come first. */
	uint32_t near = h->min_age < h->nr_spares ? NEAR_GROUPS : h->nr_groups;
	enum lock_result result;

	result = lock_free_slot(h, hash, held, TN_MIN(near, h->nr_groups), true, at);
	if (result == LOCK_NONE_FREE)
		result = lock_free_slot(h, hash, held, h->nr_groups, false, at);
	/* Only where threads keep tickets to themselves; see draw_ticket(). */
	if (tn_unlikely(result == LOCK_NONE_FREE))
		tn_add_relaxed(&h->tally->ticket, h->batch);
	return result;
}

/* A slot for a new element on the path, its group locked. False: start over, nothing more is locked
 * than was before; others hold locks. */
static TN_ALWAYS_INLINE bool lock_slot(struct tn_hash *h, uint64_t hash, uint32_t held,
				       const struct guess *guess, struct tn_hash_place *at)
{
	uint32_t home = tn_hash_home(h, hash);

	if (tn_likely(guess->slot != TN_HASH_NOWHERE) &&
	    tn_likely(tn_hash_is_free(h, guess->slot, h->nr_spares))) {
		*at = (struct tn_hash_place){ .group = home, .index = guess->slot };
		return true;
	}
	return lock_other_slot(h, hash, held, at) == LOCK_DONE;
}

/* The group's number is odd meanwhile: readers that found the element live and read a ticket where
 * they expect a key start over. */
static TN_ALWAYS_INLINE void set_waiting(struct tn_hash *h, uint32_t index, uint64_t ticket)
{
	set_ctrl(h, index, tn_hash_wait_ctrl(h, ticket));
	TN_WORD_STORE(tn_hash_ticket_at(h, index), ticket);
}

static void set_one_live(struct tn_hash *h, const struct tn_hash_place *at, uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_seq_begin_write(&g->seq);
	set_ctrl(h, at->index, tn_hash_ctrl(hash));
	tn_seq_end_write(&g->seq);
}

static void set_one_waiting(struct tn_hash *h, const struct tn_hash_place *at, uint64_t ticket)
{
	struct tn_hash_group *g = &h->groups[at->group];

	tn_seq_begin_write(&g->seq);
	set_waiting(h, at->index, ticket);
	tn_seq_end_write(&g->seq);
}

/*
 * Drawn one by one, tickets would be the line that all writers share. So a thread draws `batch` of
 * them by itself and then tells: its own tickets follow each other as if it were alone, while those
 * of n threads may be up to (n - 1) * batch too early, an eighth of nr_spares and less for eight
 * threads. What a thread does not tell, because it went on to other maps or ended, is made up for
 * by who finds no slot free.
 */
static TN_ALWAYS_INLINE uint64_t draw_ticket(struct tn_hash *h)
{
	struct tn_thread *t = tn_thread_tls;
	struct tn_removed *own;
	uint64_t ticket;

	if (h->batch == 1 || tn_unlikely(!t))
		return tn_add_relaxed(&h->tally->ticket, 1);
	own = &t->removed[h->map.id % TN_REMOVED_MAPS];
	if (tn_unlikely(own->map_id != h->map.id)) {
		*own = (struct tn_removed){ .map_id = h->map.id };
		return tn_add_relaxed(&h->tally->ticket, 1);
	}
	ticket = tn_load_relaxed(&h->tally->ticket) + own->nr;
	if (++own->nr == h->batch) {
		own->nr = 0;
		tn_add_relaxed(&h->tally->ticket, h->batch);
	}
	return ticket;
}

/* In all of these, the groups of the places are locked. */
static void publish(struct tn_hash *h, const struct tn_hash_place *at, uint64_t hash)
{
	raise_passed(h, hash, 0, at->depth);
	set_one_live(h, at, hash);
}

static void unpublish(struct tn_hash *h, const struct tn_hash_place *at, uint64_t hash)
{
	set_one_waiting(h, at, draw_ticket(h));
	lower_passed(h, hash, 0, at->depth);
	tn_map_drop_timers(&h->map, tn_hash_value(h, at->index));
}

/* The new copy before the old one; in one group, both with one change of its number. Groups that
 * both passed count on: there is one of them beyond at every moment. */
static void publish_instead(struct tn_hash *h, const struct tn_hash_place *at,
			    const struct tn_hash_place *old, uint64_t hash)
{
	struct tn_hash_group *g = &h->groups[at->group];
	uint64_t ticket = draw_ticket(h);

	if (tn_likely(at->group == old->group)) {
		tn_seq_begin_write(&g->seq);
		set_ctrl(h, at->index, tn_hash_ctrl(hash));
		/* Of a writer that dies here, one of both stays. */
		tn_compiler_barrier();
		set_waiting(h, old->index, ticket);
		tn_seq_end_write(&g->seq);
		tn_map_drop_timers(&h->map, tn_hash_value(h, old->index));
		return;
	}
	raise_passed(h, hash, old->depth, at->depth);
	set_one_live(h, at, hash);
	set_one_waiting(h, old, ticket);
	lower_passed(h, hash, at->depth, old->depth);
	tn_map_drop_timers(&h->map, tn_hash_value(h, old->index));
}

static bool reserve_count(struct tn_hash *h)
{
	uint32_t count = tn_load_relaxed(&h->tally->count);

	do {
		if (count >= h->map.max_entries)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&h->tally->count, &count, count + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void unreserve_count(struct tn_hash *h)
{
	atomic_fetch_sub_explicit(&h->tally->count, 1, memory_order_relaxed);
}

/* A new element's values in a per-slot map. Slots that are not in use are zero and stay so:
 * of 64 slots a few are. */
static void write_slot_values(const struct tn_hash *h, uint32_t index,
			      const struct tn_hash_source *from)
{
	size_t size = h->map.value_stride;

	for (uint32_t first = 0; first < h->map.nr_slots; first += 64) {
		uint64_t used = tn_load_acquire(&h->map.slot_bits[first / 64]);

		for (; used; used &= used - 1) {
			uint32_t slot = first + (uint32_t)__builtin_ctzll(used);
			unsigned char *to = tn_hash_slot_value(h, index, slot);

			if (from->all_slots)
				tn_words_store(to, (const unsigned char *)from->value + slot * size,
					       size);
			else if (slot == from->slot)
				tn_words_store(to, from->value, h->map.value_size);
			else
				tn_words_zero(to, size);
		}
	}
}

/* Fill an empty slot. Readers that still compare the key of the element that was here find the
 * group's number changed. */
static TN_ALWAYS_INLINE void write_elem(const struct tn_hash *h, uint32_t index, const void *key,
					const struct tn_hash_source *from)
{
	unsigned char *elem = tn_hash_elem(h, index);

	tn_seq_write_fence();
	/* Made through a pointer to what was here before. */
	if (!h->slot_values)
		tn_map_drop_timers((struct tn_map *)(uintptr_t)&h->map, elem + h->value_off);
	tn_words_store(elem, key, h->map.key_size);
	if (h->slot_values)
		write_slot_values(h, index, from);
	else
		tn_map_store_value(&h->map, elem + h->value_off, from->value);
}

/* The value that is there, its group locked. It keeps its timers. Copies without the lock see that
 * the group changes, and do not mix both values either. */
static int change_locked_value(struct tn_hash *h, const struct tn_hash_place *at, const void *value)
{
	struct tn_hash_group *g = &h->groups[at->group];
	int err;

	tn_group_begin_change(g);
	err = tn_map_store_locked(&h->map, tn_hash_value(h, at->index), value);
	tn_group_end_change(g);
	return err;
}

/* Change the values of an element of a per-slot map in place, its group locked. */
static void change_slot_values(struct tn_hash *h, const struct tn_hash_place *at,
			       const struct tn_hash_source *from)
{
	struct tn_hash_group *g = &h->groups[at->group];

	if (h->map.segment)
		tn_hash_note_change(h, at->index, from);
	tn_group_begin_change(g);
	if (from->all_slots)
		write_slot_values(h, at->index, from);
	else
		tn_words_store(tn_hash_slot_value(h, at->index, from->slot), from->value,
			       h->map.value_size);
	tn_group_end_change(g);
	if (h->map.segment)
		tn_store_release(&h->map.segment->journal->valid, 0);
}

enum { RESTART = 1 };

/* ---- Making room in an LRU map ----
 *
 * A clock whose hand goes from group to group. New elements have level 1, used ones 2. The hand
 * takes elements of level 0 where it stands; where there are none it lowers all by one and goes on.
 * So a new element stays for one to two rounds, a used one for two to three, and one that is used
 * again and again for ever. There is no list and no lock besides those of the groups: two threads
 * that meet at the hand find the group locked, and one of them moves it on. They seldom meet: an
 * element of level 0 in the new element's own home group, which is locked anyway, goes first. It
 * has had its round; where there is none the hand brings the next ones down.
 *
 * The inserter holds the lock of its key's home group and keeps the count: the victim's place in it
 * becomes the new element's. Both locks that a removal holds are only tried, as everywhere. */

/* After so many groups without a victim an element goes that has level 0 once it is lowered, and
 * after twice as many any: an insert into a map of used elements does not walk through all of it.
 */
#define HAND_GROUPS 32u

enum patience { WANT_UNUSED, WANT_LOWERED, WANT_ANY };

#define LOW_BITS UINT64_C(0x0101010101010101)

/* Bit 0 of each byte: the level is not 0. */
static TN_ALWAYS_INLINE uint64_t used_bits(uint64_t levels)
{
	return (levels | levels >> 1) & LOW_BITS;
}

#if !TN_HASH_SSE2
/* Bit i: byte i of `bits`, each of which is 0 or 1. */
static TN_ALWAYS_INLINE uint32_t gather_bits(uint64_t bits)
{
	return (uint32_t)((bits * UINT64_C(0x0102040810204080)) >> 56);
}
#endif

static TN_ALWAYS_INLINE uint32_t match_unused(const struct tn_hash *h, uint32_t group)
{
	const struct tn_hash_use *use = &h->use[group];

#if TN_HASH_SSE2
	/* A hint, as the levels are: the load may mix two states. */
	__m128i levels = _mm_load_si128((const __m128i *)(const void *)use);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(levels, _mm_setzero_si128())) &
	       tn_group_live(&h->groups[group]);
#else
	return ~(gather_bits(used_bits(tn_load_relaxed(&use->words[0]))) |
		 gather_bits(used_bits(tn_load_relaxed(&use->words[1]))) << 8) &
	       tn_group_live(&h->groups[group]);
#endif
}

/* A use that is marked just then may be lost. */
static void lower_use(const struct tn_hash *h, uint32_t group)
{
	for (uint32_t i = 0; i < TN_HASH_GROUP_SLOTS / 8; i++) {
		_Atomic uint64_t *word = &h->use[group].words[i];
		uint64_t levels = tn_load_relaxed(word);

		tn_store_relaxed(word, levels - used_bits(levels));
	}
}

static uint32_t depth_of(const struct tn_hash *h, uint32_t home, uint32_t group)
{
	uint32_t depth = 0;

	for (uint32_t at = home; at != group; at = tn_hash_next(h, home, at))
		depth++;
	return depth;
}

/* Drop one of the elements in `match`. The groups `group` and `held` are locked. */
static bool evict_one_of(struct tn_hash *h, uint32_t group, uint32_t held, uint32_t match)
{
	for (; match; match &= match - 1) {
		struct tn_hash_place at = { .group = group };
		uint32_t home;
		uint64_t hash;

		at.index = group * TN_HASH_GROUP_SLOTS + (uint32_t)__builtin_ctz(match);
		hash = tn_hash_of(h, tn_hash_elem(h, at.index));
		home = tn_hash_home(h, hash);
		if (!tn_group_lock_further(h, home, group, held))
			continue;
		at.depth = depth_of(h, home, group);
		unpublish(h, &at, hash);
		tn_group_unlock_further(h, home, group, held);
		return true;
	}
	return false;
}

static bool evict_in(struct tn_hash *h, uint32_t group, uint32_t held, enum patience patience)
{
	uint32_t match = match_unused(h, group);
	bool done;

	/* Looked at before the lock. */
	if (!match) {
		lower_use(h, group);
		if (patience >= WANT_LOWERED)
			match = match_unused(h, group);
		if (patience == WANT_ANY && !match)
			match = tn_group_live(&h->groups[group]);
	}
	if (!match || !tn_group_lock_further(h, group, held, held))
		return false;
	done = evict_one_of(h, group, held, match & tn_group_live(&h->groups[group]));
	tn_group_unlock_further(h, group, held, held);
	return done;
}

/* False: start over; all that could go is locked by others. `held`: the home group of the new
 * element, which is locked. */
static TN_NOINLINE bool evict(struct tn_hash *h, uint32_t held)
{
	uint32_t near = match_unused(h, held);

	if (tn_likely(near != 0) && evict_one_of(h, held, held, near))
		return true;
	for (uint32_t i = 0; i < h->nr_groups + 2 * HAND_GROUPS; i++) {
		uint32_t group = tn_load_relaxed(&h->tally->hand);
		uint32_t next = group + 1 < h->nr_groups ? group + 1 : 0;
		uint32_t patience = TN_MIN(i / HAND_GROUPS, (uint32_t)WANT_ANY);
		bool done = evict_in(h, group, held, (enum patience)patience);

		/* A group that was lowered is left, lest its used elements are lowered twice. */
		if (done && patience == WANT_UNUSED)
			return true;
		atomic_compare_exchange_strong_explicit(&h->tally->hand, &group, next,
							memory_order_relaxed, memory_order_relaxed);
		if (done)
			return true;
	}
	return false;
}

/* ---- Inserting and replacing ---- */

static int insert_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct tn_hash_source *from, const struct guess *guess)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at;

	if (!reserve_count(h)) {
		if (!h->use)
			return -E2BIG;
		if (!evict(h, home))
			return RESTART;
	}
	if (!lock_slot(h, hash, home, guess, &at)) {
		unreserve_count(h);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	if (h->use)
		tn_hash_use(h, at.index, TN_HASH_USE_NEW);
	publish(h, &at, hash);
	tn_group_unlock_further(h, at.group, home, home);
	return 0;
}

static int replace_locked(struct tn_hash *h, const void *key, uint64_t hash,
			  const struct tn_hash_place *old, const struct tn_hash_source *from,
			  const struct guess *guess)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at;

	if (!tn_group_lock_further(h, old->group, home, home))
		return RESTART;
	if (h->slot_values || from->locked) {
		int err = 0;

		if (from->locked)
			err = change_locked_value(h, old, from->value);
		else
			change_slot_values(h, old, from);
		if (h->use)
			tn_hash_use(h, old->index, TN_HASH_USE_SEEN);
		tn_group_unlock_further(h, old->group, home, home);
		return err;
	}
	if (!lock_slot(h, hash, old->group, guess, &at)) {
		tn_group_unlock_further(h, old->group, home, home);
		return RESTART;
	}
	write_elem(h, at.index, key, from);
	if (h->use)
		tn_hash_use(h, at.index, TN_HASH_USE_SEEN);
	publish_instead(h, &at, old, hash);
	tn_group_unlock_further(h, at.group, home, old->group);
	tn_group_unlock_further(h, old->group, home, home);
	return 0;
}

static int update_locked(struct tn_hash *h, const void *key, uint64_t hash,
			 const struct tn_hash_source *from, uint64_t flags,
			 const struct guess *guess)
{
	struct tn_hash_place old = find_locked(h, key, hash, guess);

	if (old.index == TN_HASH_NOWHERE)
		return flags == TN_MAP_EXIST ? -ENOENT : insert_locked(h, key, hash, from, guess);
	if (flags == TN_MAP_NOEXIST)
		return -EEXIST;
	return replace_locked(h, key, hash, &old, from, guess);
}

int tn_hash_update(struct tn_hash *h, const void *key, const struct tn_hash_source *from,
		   uint64_t flags)
{
	struct guess guessed;
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = tn_hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	int err;

	if (flags > TN_MAP_EXIST)
		return -EINVAL;
	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		take_guess(h, key, hash, true, &guessed);
		tn_group_lock(home);
		err = update_locked(h, key, hash, from, flags, &guessed);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	tn_writer_leave(t);
	return err;
}

void tn_hash_copy_out(const struct tn_hash *h, uint32_t index, void *value)
{
	size_t size = h->map.value_stride;

	if (!h->slot_values) {
		tn_map_load_value(&h->map, value, tn_hash_value(h, index));
		return;
	}
	/* Parts of slots that are not in use read as zero, from the zero page. */
	for (uint32_t slot = 0; slot < h->map.nr_slots; slot++)
		tn_words_load((unsigned char *)value + slot * size,
			      tn_hash_slot_value(h, index, slot), size);
}

static int copy_out(const struct tn_hash *h, uint32_t index, void *value, bool locked)
{
	if (locked)
		return tn_map_load_locked(&h->map, value, tn_hash_value(h, index));
	tn_hash_copy_out(h, index, value);
	return 0;
}

static int remove_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value,
			 bool locked, const struct guess *guess)
{
	uint32_t home = tn_hash_home(h, hash);
	struct tn_hash_place at = find_locked(h, key, hash, guess);
	int err = 0;

	if (at.index == TN_HASH_NOWHERE)
		return -ENOENT;
	if (!tn_group_lock_further(h, at.group, home, home))
		return RESTART;
	if (value)
		err = copy_out(h, at.index, value, locked);
	if (!err)
		unpublish(h, &at, hash);
	tn_group_unlock_further(h, at.group, home, home);
	if (!err)
		unreserve_count(h);
	return err;
}

int tn_hash_remove(struct tn_hash *h, const void *key, void *value, bool locked)
{
	struct guess guessed;
	struct tn_thread *t = tn_thread_self();
	uint64_t hash = tn_hash_of(h, key);
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	int err;

	tn_writer_enter(t);
	for (uint32_t tries = 0;; tries++) {
		take_guess(h, key, hash, false, &guessed);
		tn_group_lock(home);
		err = remove_locked(h, key, hash, value, locked, &guessed);
		tn_group_unlock(home);
		if (err != RESTART)
			break;
		tn_group_relax(tries);
	}
	tn_writer_leave(t);
	return err;
}

int tn_hash_lookup_locked(struct tn_hash *h, const void *key, uint64_t hash, void *value,
			  bool locked)
{
	struct tn_thread *t = tn_thread_self();
	struct tn_hash_group *home = &h->groups[tn_hash_home(h, hash)];
	struct tn_hash_place at;
	int err = -ENOENT;

	tn_writer_enter(t);
	tn_group_lock(home);
	at = find_locked(h, key, hash, &(struct guess){ .hit = false });
	if (at.index != TN_HASH_NOWHERE)
		err = copy_out(h, at.index, value, locked);
	tn_group_unlock(home);
	tn_writer_leave(t);
	return err;
}
