/* SPDX-License-Identifier: MIT */
/*
 * A hash table in a segment whose writer died, or one copied from somewhere, made valid again.
 *
 * What a writer may leave, at whatever instruction it is killed (the order of hash.c):
 * - a free slot whose element is half written: it is not live, its bytes mean nothing, but a
 *   waiting slot may have lost its ticket: it gets a new one;
 * - both copies of a key that is being replaced, each whole: one stays, either is right, since the
 *   update never returned;
 * - `passed` raised and nothing published, or lowered too late: too high, never too low, so that
 *   readers miss nothing; all counts are computed again;
 * - the count of elements one off: counted again;
 * - odd numbers and locks of groups: made even and free;
 * - values of a per-slot element changed in part: done again from the journal, which was whole
 *   before the first of them changed.
 * Each step leaves a state from which all of this can be done again, should this process die, too.
 * Elements that could not have been made by the protocol are dropped.
 */
#include <string.h>

#include "maps/hash_core.h"
#include "maps/segment.h"

/* ---- The journal ---- */

static size_t slot_value_bytes(const struct tn_hash *h)
{
	return h->map.value_stride;
}

size_t tn_hash_journal_bytes(const struct tn_hash *h)
{
	if (!h->map.slot_stride)
		return 0;
	return sizeof(struct tn_segment_journal) + slot_value_bytes(h) * h->map.nr_slots;
}

void tn_hash_note_change(const struct tn_hash *h, uint32_t index, const struct tn_hash_source *from)
{
	struct tn_segment_journal *j = h->map.segment->journal;

	j->index = index;
	j->slot = from->slot;
	j->all_slots = from->all_slots;
	memcpy(j->bytes, from->value,
	       from->all_slots ? slot_value_bytes(h) * h->map.nr_slots : h->map.value_size);
	tn_store_release(&j->valid, 1);
}

static void do_again(struct tn_hash *h, struct tn_segment_journal *j)
{
	struct tn_hash_group *g;

	if (!h->map.slot_stride || !j || !tn_load_acquire(&j->valid))
		return;
	if (j->index < h->nr_slots && j->slot < h->map.nr_slots) {
		g = &h->groups[j->index / TN_HASH_GROUP_SLOTS];
		if (!(tn_load_relaxed(&g->lock) & TN_GROUP_CHANGING))
			tn_group_begin_change(g);
		for (uint32_t slot = 0; j->all_slots && slot < h->map.nr_slots; slot++)
			tn_words_store(tn_hash_slot_value(h, j->index, slot),
				       j->bytes + slot * slot_value_bytes(h), slot_value_bytes(h));
		if (!j->all_slots)
			tn_words_store(tn_hash_slot_value(h, j->index, j->slot), j->bytes,
				       h->map.value_size);
		tn_group_end_change(g);
	}
	tn_store_release(&j->valid, 0);
}

/* ---- Elements ---- */

/* A table made by the protocol has its elements in the first groups of their paths; `work` bounds
 * what bytes that were made otherwise can cost. What is left when it is used up is dropped. */
#define MAX_UNTRUSTED_DEPTH 256u

struct repair {
	struct tn_hash *h;
	uint64_t work;
	uint32_t max_depth;
	uint32_t live; /* elements that stay */
};

/* The depth of `group` on the path; nr_groups: not on it. */
static uint32_t depth_of(struct repair *r, uint32_t home, uint32_t group)
{
	uint32_t at = home, depth = 0;

	for (; at != group && depth < r->h->nr_groups; depth++) {
		/* Nor does anything lie so far out that iteration would take long. */
		if (!r->work || depth == r->max_depth)
			return r->h->nr_groups;
		r->work--;
		at = tn_hash_next(r->h, home, at);
	}
	return depth;
}

/* Is there a live element with this key before `index`, on the way of its search? */
static bool is_second(struct repair *r, uint32_t index, uint64_t hash, uint32_t depth)
{
	const struct tn_hash *h = r->h;
	const void *key = tn_hash_elem(h, index);
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (uint32_t d = 0; d <= depth; d++, group = tn_hash_next(h, home, group)) {
		uint32_t match = tn_group_match(&h->groups[group], tn_hash_ctrl(hash));

		for (; match; match &= match - 1) {
			uint32_t other = group * TN_HASH_GROUP_SLOTS +
					 (uint32_t)__builtin_ctz(match);

			if (other == index)
				continue;
			if (d == depth && other > index)
				break;
			if (!r->work)
				return true;
			r->work--;
			if (!memcmp(tn_hash_elem(h, other), key, h->map.key_size))
				return true;
		}
	}
	return false;
}

/* Searches compare whole words. */
static bool is_padded(const struct tn_hash *h, uint32_t index)
{
	const unsigned char *elem = tn_hash_elem(h, index);

	for (uint32_t i = h->map.key_size; i < h->value_off; i++)
		if (elem[i])
			return false;
	return true;
}

/* An odd number is somebody's who died: the change goes on under it. */
static void begin(struct tn_hash_group *g)
{
	if (!(tn_load_relaxed(&g->seq) & 1))
		tn_seq_begin_write(&g->seq);
}

static void set_waiting(struct tn_hash *h, uint32_t index)
{
	uint64_t ticket = tn_add_relaxed(&h->tally->ticket, 1);

	TN_WORD_STORE(tn_hash_ctrl_at(h, index), tn_hash_wait_ctrl(h, ticket));
	TN_WORD_STORE(tn_hash_ticket_at(h, index), ticket);
}

static void repair_live(struct repair *r, uint32_t index, uint8_t ctrl)
{
	struct tn_hash *h = r->h;
	struct tn_hash_group *g = &h->groups[index / TN_HASH_GROUP_SLOTS];
	uint64_t hash = tn_hash_of(h, tn_hash_elem(h, index));
	uint32_t group = index / TN_HASH_GROUP_SLOTS;
	uint32_t depth = depth_of(r, tn_hash_home(h, hash), group);

	/* A copy whose groups are of different moments may have more elements than there were at
	 * any one. What a writer of this table leaves has not: it counts before it publishes. */
	if (r->live < h->map.max_entries && ctrl == tn_hash_ctrl(hash) && depth < h->nr_groups &&
	    is_padded(h, index) && !is_second(r, index, hash, depth)) {
		r->live++;
		return;
	}
	begin(g);
	set_waiting(h, index);
}

static void repair_free(struct tn_hash *h, uint32_t index, uint8_t ctrl)
{
	uint64_t ticket = TN_WORD_LOAD(tn_hash_ticket_at(h, index));

	if (ctrl == TN_HASH_EMPTY ||
	    (ctrl != TN_HASH_NO_SLOT && ticket < tn_load_relaxed(&h->tally->ticket) &&
	     ctrl == tn_hash_wait_ctrl(h, ticket)))
		return;
	begin(&h->groups[index / TN_HASH_GROUP_SLOTS]);
	set_waiting(h, index);
}

static void repair_group(struct repair *r, uint32_t group)
{
	struct tn_hash *h = r->h;
	struct tn_hash_group *g = &h->groups[group];
	uint32_t lock = tn_load_relaxed(&g->lock);

	for (uint32_t i = 0; i < TN_HASH_GROUP_SLOTS; i++) {
		uint32_t index = group * TN_HASH_GROUP_SLOTS + i;
		uint8_t ctrl = tn_load_relaxed(&g->ctrl[i]);

		if (index >= h->nr_slots)
			TN_WORD_STORE(&g->ctrl[i], TN_HASH_NO_SLOT);
		else if (ctrl & TN_HASH_LIVE)
			repair_live(r, index, ctrl);
		else
			repair_free(h, index, ctrl);
	}
	if (tn_load_relaxed(&g->seq) & 1)
		tn_seq_end_write(&g->seq);
	if (lock & TN_GROUP_CHANGING)
		tn_group_end_change(g);
	tn_store_release(&g->lock, tn_load_relaxed(&g->lock) & ~TN_GROUP_LOCKED);
}

/* ---- Counts ---- */

typedef uint8_t passed_counts[TN_HASH_CLASSES];

static void count_elem(const struct tn_hash *h, uint32_t index, passed_counts *passed)
{
	uint64_t hash = tn_hash_of(h, tn_hash_elem(h, index));
	uint32_t home = tn_hash_home(h, hash), group = home;

	for (; group != index / TN_HASH_GROUP_SLOTS; group = tn_hash_next(h, home, group)) {
		uint8_t *count = &passed[group][tn_hash_class(hash)];

		*count = (uint8_t)(*count + (*count != UINT8_MAX));
	}
}

/* Out of memory, counts stay too high: searches take longer until the next repair. */
static void count_again(struct tn_hash *h)
{
	passed_counts *passed = tn_alloc_array(h->map.rt, h->nr_groups, sizeof(*passed));
	uint32_t live = 0;

	for (uint32_t i = 0; i < h->nr_slots; i++) {
		if (!(tn_load_relaxed(tn_hash_ctrl_at(h, i)) & TN_HASH_LIVE))
			continue;
		live++;
		if (passed)
			count_elem(h, i, passed);
	}
	for (uint32_t i = 0; passed && i < h->nr_groups; i++)
		for (uint32_t class = 0; class < TN_HASH_CLASSES; class ++)
			tn_store_release(&h->groups[i].passed[class], passed[i][class]);
	tn_store_relaxed(&h->tally->count, live);
	tn_free(h->map.rt, passed);
}

void tn_hash_repair(struct tn_hash *h, struct tn_segment_journal *journal, bool trusted)
{
	struct repair r = { .h = h, .work = UINT64_MAX, .max_depth = UINT32_MAX };

	if (!trusted) {
		r.work = 64 * (uint64_t)h->nr_slots + 4096;
		r.max_depth = MAX_UNTRUSTED_DEPTH;
	}
	do_again(h, journal);
	for (uint32_t i = 0; i < h->nr_groups; i++)
		repair_group(&r, i);
	count_again(h);
	if (tn_load_relaxed(&h->tally->hand) >= h->nr_groups)
		tn_store_relaxed(&h->tally->hand, 0);
}
