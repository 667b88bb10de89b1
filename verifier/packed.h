/* SPDX-License-Identifier: MIT */
/* A state put away: what is live of it, in one block. Private to state.c and merge.c. */
#ifndef TN_VERIFIER_PACKED_H
#define TN_VERIFIER_PACKED_H

#include "verifier/state.h"

struct tn_packed_reg {
	uint16_t frame;
	uint16_t place; /* register, or TN_PLACE_SLOT + slot */
	uint8_t b[8];	/* slots */
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
	uint32_t rounds;
};

#define TN_PLACE_SLOT 16

struct tn_packed {
	uint32_t size; /* of the block */
	uint32_t insn;
	uint32_t nr_frames, nr_regs, nr_bytes, nr_regions, nr_facts, nr_refs;
	const struct tn_trail *trail;
	bool locked;
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

#endif
