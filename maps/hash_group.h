/* SPDX-License-Identifier: MIT */
/*
 * One group of the hash table: searching its 16 control bytes, its lock, its sequence number, and
 * the steps from one group of a probe path to the next.
 *
 * ThreadSanitizer knows neither vector loads nor fences: its build takes the scalar search, and
 * words.h makes every word access acquire or release there.
 */
#ifndef TN_MAPS_HASH_GROUP_H
#define TN_MAPS_HASH_GROUP_H

#include <sched.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "maps/hash.h"
#include "maps/words.h"

#if defined(__SSE2__) && !TN_TSAN && !defined(TN_HASH_SCALAR)
#define TN_HASH_SSE2 1
#include <emmintrin.h>
#else
#define TN_HASH_SSE2 0
#endif

/* ---- Search: bit i of the result stands for slot i ---- */

#if TN_HASH_SSE2

/* _mm_set1_epi8() of what is no constant: gcc 12 stores the byte and loads four, which waits for
 * the store to leave the core. */
static TN_ALWAYS_INLINE __m128i tn_group_bytes_of(uint8_t byte)
{
	return _mm_set1_epi32((int)(byte * 0x01010101u));
}

/* The load may mix two states of the group; whoever uses it proves by `seq` that it did not, or
 * holds the lock. */
static TN_ALWAYS_INLINE uint32_t tn_group_match(const struct tn_hash_group *g, uint8_t ctrl)
{
	__m128i bytes = _mm_load_si128((const __m128i *)(const void *)g);

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, tn_group_bytes_of(ctrl)));
}

static TN_ALWAYS_INLINE uint32_t tn_group_live(const struct tn_hash_group *g)
{
	return (uint32_t)_mm_movemask_epi8(_mm_load_si128((const __m128i *)(const void *)g));
}

/* Slots that are empty, and waiting ones whose code, modulo 128, is `age` or more before `now`. */
static TN_ALWAYS_INLINE uint32_t tn_group_aged(const struct tn_hash_group *g, uint8_t now,
					       uint8_t age)
{
	__m128i bytes = _mm_load_si128((const __m128i *)(const void *)g);
	__m128i empty = _mm_cmpeq_epi8(bytes, _mm_setzero_si128());
	__m128i ages = _mm_and_si128(_mm_sub_epi8(tn_group_bytes_of(now), bytes),
				     _mm_set1_epi8(0x7f));
	__m128i aged = _mm_cmpgt_epi8(ages, tn_group_bytes_of((uint8_t)(age - 1)));

	return (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(bytes, _mm_or_si128(empty, aged)));
}

#else

/* Gather the top bits of 8 bytes: the multiplier moves bit 8i + 7 to bit 56 + i, without carries.
 */
static TN_ALWAYS_INLINE uint32_t tn_group_top_bits(uint64_t word)
{
	return (uint32_t)(((word >> 7 & UINT64_C(0x0101010101010101)) *
			   UINT64_C(0x0102040810204080)) >>
			  56);
}

/* Top bit of each byte of `word` that is zero, exactly: no borrow crosses a byte. */
static TN_ALWAYS_INLINE uint64_t tn_group_zero_bytes(uint64_t word)
{
	const uint64_t low7 = UINT64_C(0x7f7f7f7f7f7f7f7f);

	return ~(((word & low7) + low7) | word | low7);
}

static TN_ALWAYS_INLINE uint32_t tn_group_match(const struct tn_hash_group *g, uint8_t ctrl)
{
	uint64_t pattern = UINT64_C(0x0101010101010101) * ctrl;
	uint64_t lo = TN_WORD_LOAD(&g->ctrl_words[0]) ^ pattern;
	uint64_t hi = TN_WORD_LOAD(&g->ctrl_words[1]) ^ pattern;

	return tn_group_top_bits(tn_group_zero_bytes(lo)) |
	       tn_group_top_bits(tn_group_zero_bytes(hi)) << 8;
}

static TN_ALWAYS_INLINE uint32_t tn_group_live(const struct tn_hash_group *g)
{
	return tn_group_top_bits(TN_WORD_LOAD(&g->ctrl_words[0])) |
	       tn_group_top_bits(TN_WORD_LOAD(&g->ctrl_words[1])) << 8;
}

static inline uint32_t tn_group_aged(const struct tn_hash_group *g, uint8_t now, uint8_t age)
{
	uint32_t match = 0;

	for (uint32_t i = 0; i < TN_HASH_GROUP_SLOTS; i++) {
		uint8_t ctrl = TN_WORD_LOAD(&g->ctrl[i]);
		bool aged = ctrl == TN_HASH_EMPTY || ((now - ctrl) & 0x7f) >= age;

		match |= (uint32_t)(aged && !(ctrl & TN_HASH_LIVE)) << i;
	}
	return match;
}

#endif

/* ---- Waiting for another thread that is about to go on ---- */

static inline void tn_group_relax(uint32_t tries)
{
	if (tries % 64 == 63) {
		/* It was preempted, perhaps by this thread. */
		sched_yield();
		return;
	}
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

/* ---- Lock: taken inside a writer section (base/fork.h) alone ---- */

#define TN_GROUP_LOCKED	  1u
#define TN_GROUP_CHANGING 2u /* a value is being changed in place */

static TN_ALWAYS_INLINE bool tn_group_trylock(struct tn_hash_group *g)
{
	uint32_t word = tn_load_relaxed(&g->lock);

	return !(word & TN_GROUP_LOCKED) &&
	       atomic_compare_exchange_strong_explicit(&g->lock, &word, word | TN_GROUP_LOCKED,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void tn_group_lock(struct tn_hash_group *g)
{
	for (uint32_t tries = 0; !tn_group_trylock(g); tries++)
		tn_group_relax(tries);
}

static TN_ALWAYS_INLINE void tn_group_unlock(struct tn_hash_group *g)
{
	tn_store_release(&g->lock, tn_load_relaxed(&g->lock) & ~TN_GROUP_LOCKED);
}

/* Try to lock a group besides those that are held, which count as locked. */
static inline bool tn_group_lock_further(const struct tn_hash *h, uint32_t group, uint32_t held1,
					 uint32_t held2)
{
	return group == held1 || group == held2 || tn_group_trylock(&h->groups[group]);
}

static inline void tn_group_unlock_further(const struct tn_hash *h, uint32_t group, uint32_t held1,
					   uint32_t held2)
{
	if (group != held1 && group != held2)
		tn_group_unlock(&h->groups[group]);
}

/* ---- Sequence numbers ---- */

static TN_ALWAYS_INLINE uint32_t tn_seq_begin_read(_Atomic uint32_t *seq)
{
	return tn_load_acquire(seq);
}

/* Was everything read since then true of one moment? */
static TN_ALWAYS_INLINE bool tn_seq_unchanged(_Atomic uint32_t *seq, uint32_t begin)
{
	tn_seq_read_fence();
	return !(begin & 1) && tn_load_relaxed(seq) == begin;
}

static TN_ALWAYS_INLINE void tn_seq_begin_write(_Atomic uint32_t *seq)
{
	tn_store_relaxed(seq, tn_load_relaxed(seq) + 1);
	tn_seq_write_fence();
}

static TN_ALWAYS_INLINE void tn_seq_end_write(_Atomic uint32_t *seq)
{
	/* Pairs with tn_seq_begin_read(): who reads the new number reads what it stands for. */
	tn_store_release(seq, tn_load_relaxed(seq) + 1);
}

/* The same for values changed in place: numbered by the lock's other bits. */
static TN_ALWAYS_INLINE void tn_group_begin_change(struct tn_hash_group *g)
{
	tn_store_relaxed(&g->lock, tn_load_relaxed(&g->lock) + TN_GROUP_CHANGING);
	tn_seq_write_fence();
}

static TN_ALWAYS_INLINE void tn_group_end_change(struct tn_hash_group *g)
{
	tn_store_release(&g->lock, tn_load_relaxed(&g->lock) + TN_GROUP_CHANGING);
}

static TN_ALWAYS_INLINE uint32_t tn_group_begin_copy(struct tn_hash_group *g)
{
	return tn_load_acquire(&g->lock) & ~TN_GROUP_LOCKED;
}

static TN_ALWAYS_INLINE bool tn_group_unchanged(struct tn_hash_group *g, uint32_t begin)
{
	tn_seq_read_fence();
	return !(begin & TN_GROUP_CHANGING) &&
	       (tn_load_relaxed(&g->lock) & ~TN_GROUP_LOCKED) == begin;
}

/* ---- Probe paths ---- */

static TN_ALWAYS_INLINE uint32_t tn_hash_scale(uint32_t x, uint32_t n)
{
	return (uint32_t)(((uint64_t)x * n) >> 32);
}

static TN_ALWAYS_INLINE uint32_t tn_hash_home(const struct tn_hash *h, uint64_t hash)
{
	return tn_hash_scale((uint32_t)(hash >> 32), h->nr_groups);
}

/* The group after `group` on the path of keys at home in `home`. */
static TN_ALWAYS_INLINE uint32_t tn_hash_next(const struct tn_hash *h, uint32_t home,
					      uint32_t group)
{
	uint32_t mixed = (home ^ (uint32_t)h->seed[0]) * 0x9e3779b1u;
	uint32_t step = 1 + tn_hash_scale(mixed, h->nr_groups - 1);
	uint32_t left = h->nr_groups - group;

	return step < left ? group + step : step - left;
}

/* Which of a group's counts an element belongs to. */
static TN_ALWAYS_INLINE uint32_t tn_hash_class(uint64_t hash)
{
	return (uint32_t)(hash >> 7) % TN_HASH_CLASSES;
}

/* The slot of a group where the search for a free one begins: the first of a cache line. */
static TN_ALWAYS_INLINE uint32_t tn_hash_near(const struct tn_hash *h, uint64_t hash)
{
	return (uint32_t)(hash >> TN_HASH_NEAR_SHIFT) & h->near_mask;
}

/* Rotate the bits of 16 slots so that slot `near` comes first, ... */
static TN_ALWAYS_INLINE uint32_t tn_group_from(uint32_t match, uint32_t near)
{
	return ((match | match << TN_HASH_GROUP_SLOTS) >> near) & 0xffff;
}

/* ... and the slot that the first of the rotated bits stands for. */
static TN_ALWAYS_INLINE uint32_t tn_group_first(uint32_t rotated, uint32_t near)
{
	return ((uint32_t)__builtin_ctz(rotated) + near) % TN_HASH_GROUP_SLOTS;
}

static TN_ALWAYS_INLINE uint8_t tn_hash_ctrl(uint64_t hash)
{
	return (uint8_t)(TN_HASH_LIVE | (hash & 0x7f));
}

/* The control byte of an element removed with this ticket. Two of 128 codes mean something else;
 * their neighbours serve. */
static TN_ALWAYS_INLINE uint8_t tn_hash_wait_ctrl(const struct tn_hash *h, uint64_t ticket)
{
	uint32_t code = (uint32_t)(ticket >> h->wait_shift) & 0x7f;

	return (uint8_t)(code == 0 ? TN_HASH_WAITING : code == TN_HASH_NO_SLOT ? code - 1 : code);
}

static TN_ALWAYS_INLINE _Atomic uint8_t *tn_hash_ctrl_at(const struct tn_hash *h, uint32_t index)
{
	return &h->groups[index / TN_HASH_GROUP_SLOTS].ctrl[index % TN_HASH_GROUP_SLOTS];
}

static TN_ALWAYS_INLINE unsigned char *tn_hash_elem(const struct tn_hash *h, uint32_t index)
{
	return h->elems + (size_t)index * h->elem_stride;
}

/* The element's line where a key at home in `home` likely is, fetched ahead. */
static TN_ALWAYS_INLINE void tn_hash_fetch_near(const struct tn_hash *h, uint32_t home,
						uint64_t hash)
{
	__builtin_prefetch(tn_hash_elem(h, home * TN_HASH_GROUP_SLOTS + tn_hash_near(h, hash)));
}

/* Where a removed element has its ticket. */
static TN_ALWAYS_INLINE _Atomic uint64_t *tn_hash_ticket_at(const struct tn_hash *h, uint32_t index)
{
	return (_Atomic uint64_t *)(void *)tn_hash_elem(h, index);
}

/* Is the slot free for a new element: never used, or removed before `age` others were? Certain
 * under the group's lock, else a guess. */
static TN_ALWAYS_INLINE bool tn_hash_is_free(const struct tn_hash *h, uint32_t index, uint32_t age)
{
	uint8_t ctrl = tn_load_relaxed(tn_hash_ctrl_at(h, index));
	uint64_t ticket;

	if (tn_unlikely(ctrl >= TN_HASH_NO_SLOT))
		return false;
	/* Read in either case, as nobody can predict which it is. */
	ticket = TN_WORD_LOAD(tn_hash_ticket_at(h, index));
	/* Tickets that were not told of yet are ahead, by less than a batch. */
	return (ctrl == TN_HASH_EMPTY) |
	       (tn_load_relaxed(&h->tally->ticket) - ticket + TN_HASH_MAX_BATCH >
		(uint64_t)age + TN_HASH_MAX_BATCH);
}

#endif
