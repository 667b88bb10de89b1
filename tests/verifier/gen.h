/* SPDX-License-Identifier: MIT */
/*
 * Structured random programs, so that a good part of them is accepted: guarded accesses to map
 * values, stack and context regions with constants near the boundaries, loops, spills of all sizes,
 * null checks, references, subprograms, callbacks. Some are changed a little afterwards.
 */
#ifndef TN_TESTS_VERIFIER_GEN_H
#define TN_TESTS_VERIFIER_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/insn.h"

#define GEN_MAX_INSNS 400

/* The maps of a generated program: what gen_program() expects them to be. */
enum {
	GEN_ONE,  /* array, one value of 64 bytes */
	GEN_FOUR, /* array, 4 values of 16 bytes */
	GEN_HASH, /* hash, values of 16 bytes */
	GEN_RING, /* ring buffer */
	GEN_NR_PLAIN_MAPS,
	/* With `constructs`. */
	GEN_LOCKED = GEN_NR_PLAIN_MAPS, /* array, 4 values of 16 bytes with a lock at 4 */
	GEN_CONST,			/* array, one read-only value of 64 bytes */
	GEN_OUTER,			/* array of 2 arrays, of 4 values of 16 bytes */
	GEN_PROGS,			/* program array */
	GEN_ARENA,
	GEN_NR_MAPS
};

struct gen {
	uint64_t seed;
	struct tn_insn v[GEN_MAX_INSNS];
	uint32_t nr;
	bool packet;	 /* for xdp_md, else for the context `test` of case.c */
	bool plain;	 /* what the kernel takes without BTF and without host functions */
	bool constructs; /* iterators, dynptrs, locks, ... besides */
	bool calls, calls_back;
	uint32_t places; /* stack given to what stays there, from -80 downwards */
	uint32_t risk;	 /* how often something is wrong on purpose: 0..100 */
};

void gen_program(struct gen *g, uint64_t seed);
/* Any bit of any instruction: most of these are no programs. */
void gen_flip_bits(struct gen *g);
/* One small change that the verifier must notice: a constant, the sense of a compare, a register, a
 * size, an offset, two instructions that change places. false: none was made. */
bool gen_mutate(struct gen *g);
/* A number near some boundary. */
int32_t gen_constant(struct gen *g);

static inline uint64_t gen_random(struct gen *g)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return g->seed * 0x2545f4914f6cdd1dull >> 11;
}

static inline uint32_t gen_below(struct gen *g, uint32_t n)
{
	return (uint32_t)(gen_random(g) % n);
}

static inline bool gen_chance(struct gen *g, uint32_t percent)
{
	return gen_below(g, 100) < percent;
}

static inline uint8_t gen_size_code(uint32_t size)
{
	return size == 1 ? TN_B : size == 2 ? TN_H : size == 4 ? TN_W : TN_DW;
}

#endif
