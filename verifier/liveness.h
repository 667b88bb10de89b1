/* SPDX-License-Identifier: MIT */
/*
 * What is live before each instruction: registers, and the stack of the own frame, by backward data
 * flow before the walk. Two states that differ only in what is dead are the same state, so all of
 * this errs towards live.
 *
 * Stack: 4-byte granules. Addresses that are r10 plus a constant are followed through registers; an
 * address that goes to a helper makes live what it may read upwards from there; one that goes to a
 * subprogram, a callback or into memory makes the whole frame live at that call, and afterwards at
 * each use of a pointer that may have come back from there.
 *
 * Outer frames while a callee or callback runs: use what is live before their call instruction. A
 * call kills no slot and no r6 to r9, so that this covers what the callee may read and what is read
 * after the return.
 */
#ifndef TN_VERIFIER_LIVENESS_H
#define TN_VERIFIER_LIVENESS_H

#include "verifier/mutant.h"
#include "verifier/structure.h"

#define TN_LIVE_GRANULE 4

struct tn_liveness {
	struct tn_rt *rt;
	uint32_t nr_insns;
	uint16_t *regs;	      /* per instruction: bit r. Bit 10 is never set: r10 is always there */
	uint64_t *stack;      /* bit sets, see stack_at */
	uint64_t *stack_at;   /* per instruction: index of its first word */
	uint8_t *stack_words; /* per instruction: words of 64 granules; granules beyond are dead */
	uint16_t *matters;    /* as regs and stack: what matters */
	uint64_t *stack_matters;
	bool *writes_frame; /* per instruction: may write the own frame, other than by r10 itself */
	bool *idle;	    /* per instruction: something is live that does not matter */
};

/* Signature of the callee of the call at `insn`, or NULL when unknown (then r1 to r5 are live and
 * each may be an address). Used for argument counts and memory sizes. */
typedef const struct tn_sig *(*tn_live_sig_fn)(void *user, uint32_t insn);

/* NULL: -ENOMEM in tn_err_last() and errno. `sig_of` may be NULL: standard helpers by number. */
struct tn_liveness *tn_liveness_new(const struct tn_structure *s, tn_live_sig_fn sig_of,
				    void *user);
void tn_liveness_free(struct tn_liveness *live); /* NULL is fine */

static inline uint32_t tn_live_regs(const struct tn_liveness *live, uint32_t insn)
{
	return live->regs[insn];
}

/* Bytes of the slot in a set of granules of instruction `insn`. */
static inline uint32_t tn_live_bytes(const struct tn_liveness *live, const uint64_t *set,
				     uint32_t insn, uint32_t slot)
{
	static const uint8_t bytes[4] = { 0x00, 0xf0, 0x0f, 0xff };
	uint32_t word = slot / 32;

	if (word >= live->stack_words[insn])
		return 0;
	/* Granule g is [r10 - 4 * (g + 1), r10 - 4 * g): the lower one is the upper half. */
	return bytes[set[live->stack_at[insn] + word] >> (slot % 32 * 2) & 3];
}

/* The live bytes of the slot [r10 - 8 * (slot + 1), r10 - 8 * slot): bit j is its j-th byte, in
 * address order; 0x00, 0x0f, 0xf0 or 0xff. Before `insn`. */
static inline uint32_t tn_live_slot(const struct tn_liveness *live, uint32_t insn, uint32_t slot)
{
	return tn_live_bytes(live, live->stack, insn, slot);
}

/* Bit 2 * i: slot 32 * word + i, below nr_slots, has a granule among the 64 of that word. */
static inline uint64_t tn_granule_slots(uint64_t granules, uint32_t word, uint32_t nr_slots)
{
	uint32_t left = nr_slots - word * 32;

	granules = (granules | granules >> 1) & UINT64_C(0x5555555555555555);
	return left < 32 ? granules & ((UINT64_C(1) << left * 2) - 1) : granules;
}

/* The same of those in a set (live->stack or another) before `insn`. */
static inline uint64_t tn_live_slots(const struct tn_liveness *live, const uint64_t *set,
				     uint32_t insn, uint32_t word, uint32_t nr_slots)
{
	uint64_t slots;

	if (word >= live->stack_words[insn])
		return 0;
	slots = tn_granule_slots(set[live->stack_at[insn] + word], word, nr_slots);
	return slots;
}

/* Is a slot from nr_slots on live before `insn`? */
static inline bool tn_live_beyond(const struct tn_liveness *live, uint32_t insn, uint32_t nr_slots)
{
	for (uint32_t w = nr_slots / 32; w < live->stack_words[insn]; w++) {
		uint64_t granules = live->stack[live->stack_at[insn] + w];

		if (w == nr_slots / 32 ? granules >> nr_slots % 32 * 2 : granules)
			return true;
	}
	return false;
}

#endif
