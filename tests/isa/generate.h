/* SPDX-License-Identifier: MIT */
/* Random programs that terminate, read only what was written, and do not show where their stack
 * lies: so two engines must agree on every bit. */
#ifndef TN_TESTS_ISA_GENERATE_H
#define TN_TESTS_ISA_GENERATE_H

#include <stdbool.h>

#include "vm/insn.h"

#define GEN_MAX_INSNS  2048
#define GEN_MEM_BYTES  128 /* what r1 points to */
#define GEN_NR_HELPERS 2   /* externs 0 and 1: u64(u64 x 5), pure */

struct gen {
	uint64_t state; /* of the random numbers */
	struct tn_insn insns[GEN_MAX_INSNS];
	/* Loop control and frame set-up: a reducer must not touch these. */
	bool keep[GEN_MAX_INSNS];
	uint32_t nr;
	uint32_t depth; /* of blocks */
	uint32_t loops; /* around the current statement */
	uint32_t work;	/* product of their rounds */
	bool in_subprog;
	bool for_kernel; /* no loops, no host functions, no callbacks, aligned stack accesses */
};

/* The program of a seed. For the kernel: one that its verifier mostly accepts. */
void gen_program(struct gen *gen, uint64_t seed, bool for_kernel);
uint64_t gen_random(struct gen *gen);

#endif
