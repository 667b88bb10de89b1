/* SPDX-License-Identifier: MIT */
/* What a program's instructions may do to each other: reachability, jump targets, loops, and which
 * registers are live. Plain data flow over the bytecode; facts only remove edges. */
#ifndef TN_JIT_BLOCKS_H
#define TN_JIT_BLOCKS_H

#include "vm/image.h"

enum tn_flow_flags {
	TN_FLOW_REACHED = 1 << 0,  /* some path comes here */
	TN_FLOW_TARGET = 1 << 1,   /* of a jump, or the start of a function */
	TN_FLOW_LOOP = 1 << 2,	   /* target of a backward jump; loop_last says from where */
	TN_FLOW_LOOP_END = 1 << 3, /* such a jump */
};

/* Live registers: bit r for any part of register r, bit 16 + r for its upper 32 bits. */
#define TN_LIVE(r)	 (1u << (r))
#define TN_LIVE_UPPER(r) (1u << (16 + (r)))
#define TN_LIVE_FULL(r)	 (TN_LIVE(r) | TN_LIVE_UPPER(r))

struct tn_flow {
	uint32_t nr;
	uint32_t *live;	     /* after each instruction */
	uint32_t *live_in;   /* before each instruction */
	uint32_t *loop_last; /* at loop heads: the last backward jump to it */
	uint8_t *flags;
};

/* 0, -ENOMEM, or -EINVAL where control leaves a function other than by exit. */
int tn_flow_init(struct tn_flow *flow, const struct tn_prog *prog);
void tn_flow_free(struct tn_flow *flow, struct tn_rt *rt);

/* Registers (bit r) that an instruction reads, and that it writes. */
uint32_t tn_flow_uses(const struct tn_prog *prog, uint32_t insn);
uint32_t tn_flow_defs(const struct tn_insn *insn);

/* The map of a helper call where the facts know it, else NULL. */
struct tn_map *tn_flow_map(const struct tn_prog *prog, uint32_t insn);
/* Is the call a lookup that becomes an address computation? It reads r2 alone. */
bool tn_flow_is_array_lookup(const struct tn_prog *prog, uint32_t insn);
/* Does it only write its register, which nobody reads? */
bool tn_flow_is_dead(const struct tn_flow *flow, const struct tn_prog *prog, uint32_t insn);

/* How a conditional jump can go, by the facts. */
bool tn_flow_may_jump(const struct tn_prog *prog, uint32_t insn);
bool tn_flow_may_fall(const struct tn_prog *prog, uint32_t insn);

#endif
