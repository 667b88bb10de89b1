/* SPDX-License-Identifier: MIT */
/* A state put away: what is live of it, in one block, and the bytes of slots eight at a time.
 * Private to state.c, merge.c and forget.c. */
#ifndef TN_VERIFIER_PACKED_H
#define TN_VERIFIER_PACKED_H

#include <string.h>

#include "verifier/state.h"

struct tn_packed_reg {
	uint16_t frame;
	uint16_t place; /* register, or TN_PLACE_SLOT + slot */
	uint8_t b[8];	/* slots */
	bool shared;	/* reg is */
	/* In the block, or one of those that many states hold: any number, zero. */
	const struct tn_reg *reg;
};

struct tn_packed_bytes { /* a slot without a spilled register */
	uint16_t frame, slot;
	uint8_t b[8];
};

struct tn_packed_frame {
	uint32_t callsite, subprog;
	bool callback;
	uint16_t regs;	   /* bit r: register r is there */
	uint32_t nr_slots; /* the last one that is there, plus one */
	uint32_t rounds;
};

#define TN_PLACE_SLOT 16

struct tn_packed {
	uint32_t size; /* of the block */
	uint32_t insn;
	uint32_t nr_frames, nr_regs, nr_bytes, nr_regions, nr_facts, nr_refs;
	const struct tn_trail *trail;
	bool locked;
	bool complete; /* each live slot holds something: there is none that is not among these */
	struct tn_lock lock;
	/* Point into the block. */
	struct tn_packed_frame *frames;
	struct tn_packed_reg *regs;
	struct tn_reg *values; /* of regs */
	uint32_t nr_values;
	struct tn_packed_bytes *bytes;
	struct tn_region_state *regions;
	struct tn_len_fact *facts;
	struct tn_ref *refs;
};

/* ---- The kinds of a slot's eight bytes at once ---- */

#define TN_EACH_BYTE UINT64_C(0x0101010101010101)

_Static_assert(TN_BYTE_UNINIT == 0 && TN_BYTE_MISC == 1 && TN_BYTE_ZERO == 2 &&
		       TN_BYTE_SPILL == 3 && TN_BYTE_POISON == 4,
	       "kinds of bytes are below 8, and POISON alone has the bit 4");

static inline uint64_t tn_bytes_of(const uint8_t b[8])
{
	uint64_t all;

	memcpy(&all, b, sizeof(all));
	return all;
}

/* 1 in each byte that is not 0. */
static inline uint64_t tn_bytes_nonzero(uint64_t all)
{
	return (all | all >> 1 | all >> 2) & TN_EACH_BYTE;
}

/* 1 in each byte of that kind. */
static inline uint64_t tn_bytes_equal(uint64_t all, enum tn_byte kind)
{
	return ~tn_bytes_nonzero(all ^ TN_EACH_BYTE * kind) & TN_EACH_BYTE;
}

/* Uninitialised, with a value of no meaning: cheaper where many are. */
static inline void tn_reg_forget(struct tn_reg *r)
{
	memset(r, 0, offsetof(struct tn_reg, v));
}

static inline bool tn_slot_is_uninit(const struct tn_slot *slot)
{
	return tn_bytes_of(slot->b) == 0;
}

/* An address, or what is left of one. */
static inline bool tn_slot_has_address(const struct tn_slot *slot)
{
	return (tn_bytes_of(slot->b) & TN_EACH_BYTE * TN_BYTE_POISON) ||
	       (tn_slot_has_spill(slot) && tn_slot_is_address(slot));
}

/* Outer frames wait at their call: what is live before it covers what the callee may read. */
static inline uint32_t tn_state_insn_of(const struct tn_state *s, uint32_t frame)
{
	return frame + 1 == s->nr_frames ? s->insn : s->frames[frame + 1].callsite;
}

/* For each slot of frame f, `j`, that has bytes in `set` before `insn`. */
#define TN_EACH_SLOT(live, set, insn, f, j)                                              \
	for (uint32_t w_ = 0; w_ * 32 < (f)->nr_slots; w_++)                             \
		for (uint64_t m_ = tn_live_slots(live, set, insn, w_, (f)->nr_slots), j; \
		     m_ && (j = w_ * 32 + (uint64_t)__builtin_ctzll(m_) / 2, true); m_ &= m_ - 1)

#endif
