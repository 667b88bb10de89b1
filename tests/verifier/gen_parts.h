/* SPDX-License-Identifier: MIT */
/*
 * What the generator's files share: instructions and small pieces of programs. gen.c has what the
 * kernel takes too, gen_constructs.c what needs maps and functions beyond that.
 */
#ifndef TN_TESTS_VERIFIER_GEN_PARTS_H
#define TN_TESTS_VERIFIER_GEN_PARTS_H

#include "base/compiler.h"
#include "verifier/gen.h"

/* Arithmetic, accesses, loops and calls; deeper ones with depth > 0. */
void gen_any(struct gen *g, int depth);
/* One of the constructs of gen_constructs.c. */
void gen_construct(struct gen *g, int depth);
/* r0: an element of `map`, or NULL. The key is at -4. */
void gen_look_up(struct gen *g, uint32_t map);

/* A mistake: the percentage is that of the most careless programs. */
static inline bool risky(struct gen *g, uint32_t percent)
{
	return gen_chance(g, percent * g->risk / 100);
}

static inline void emit(struct gen *g, uint8_t code, uint32_t dst, uint32_t src, int32_t off,
			int32_t imm)
{
	if (g->nr == GEN_MAX_INSNS)
		return;
	g->v[g->nr++] = (struct tn_insn){ .code = code,
					  .dst = (uint8_t)(dst & 15),
					  .src = (uint8_t)(src & 15),
					  .off = (int16_t)off,
					  .imm = imm };
}

static inline void emit_lddw(struct gen *g, uint32_t dst, uint32_t src, int32_t imm, int32_t imm2)
{
	emit(g, TN_LD | TN_IMM | TN_DW, dst, src, 0, imm);
	emit(g, 0, 0, 0, 0, imm2);
}

static inline void mov(struct gen *g, uint32_t dst, uint32_t src)
{
	emit(g, TN_ALU64 | TN_MOV | TN_X, dst, src, 0, 0);
}

static inline void add_imm(struct gen *g, uint32_t dst, int32_t imm)
{
	emit(g, TN_ALU64 | TN_ADD | TN_K, dst, 0, 0, imm);
}

/* Numbers live in r0, r2, r3, r7, r9; r6 is the context, r8 a map value; r1, r4, r5 are scratch. */
static inline uint32_t number(struct gen *g)
{
	static const uint8_t regs[] = { TN_R0, TN_R2, TN_R3, TN_R7, TN_R9 };

	return regs[gen_below(g, TN_ARRAY_SIZE(regs))];
}

static inline uint32_t caller_saved_number(struct gen *g)
{
	return gen_chance(g, 50) ? TN_R7 : TN_R9;
}

static inline void patch_here(struct gen *g, uint32_t at)
{
	if (at < g->nr && g->nr - at - 1 <= INT16_MAX)
		g->v[at].off = (int16_t)(g->nr - at - 1);
}

static inline uint8_t condition(struct gen *g)
{
	static const uint8_t ops[] = { TN_JEQ,	TN_JGT, TN_JGE, TN_JSET, TN_JNE, TN_JSGT,
				       TN_JSGE, TN_JLT, TN_JLE, TN_JSLT, TN_JSLE };

	return (uint8_t)(ops[gen_below(g, TN_ARRAY_SIZE(ops))] |
			 (gen_chance(g, 50) ? TN_JMP : TN_JMP32));
}

static inline uint32_t branch(struct gen *g)
{
	uint32_t at = g->nr;

	if (gen_chance(g, 40))
		emit(g, condition(g) | TN_X, number(g), number(g), 0, 0);
	else
		emit(g, condition(g), number(g), 0, 0, gen_constant(g));
	return at;
}

/* A read or write through r4. */
static inline void touch(struct gen *g, int32_t off, uint32_t size)
{
	uint32_t pick = gen_below(g, 10);

	if (pick < 5)
		emit(g, TN_LDX | TN_MEM | gen_size_code(size), number(g), TN_R4, off, 0);
	else if (pick < 6 && size < 8)
		emit(g, TN_LDX | TN_MEMSX | gen_size_code(size), number(g), TN_R4, off, 0);
	else if (pick < 8)
		emit(g, TN_STX | TN_MEM | gen_size_code(size), TN_R4, number(g), off, 0);
	else
		emit(g, TN_ST | TN_MEM | gen_size_code(size), TN_R4, 0, off, gen_constant(g));
}

static inline int32_t jitter(struct gen *g, int32_t v)
{
	return risky(g, 30) ? v + (int32_t)gen_below(g, 5) - 2 : v;
}

static inline uint32_t null_check(struct gen *g, uint32_t r)
{
	uint32_t at = g->nr;

	if (gen_chance(g, 80)) {
		emit(g, TN_JMP | TN_JEQ | TN_K, r, 0, 0, 0);
		return at;
	}
	emit(g, TN_JMP | TN_JNE | TN_K, r, 0, 1, 0);
	at = g->nr;
	emit(g, TN_JMP | TN_JA, 0, 0, 0, 0);
	return at;
}

/* A call leaves nothing in r0 to r5. */
static inline void numbers_again(struct gen *g)
{
	if (gen_chance(g, 50))
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R0, 0, 0, gen_constant(g));
	else
		mov(g, TN_R0, TN_R9);
	if (!risky(g, 4))
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, gen_constant(g));
	mov(g, TN_R3, gen_chance(g, 50) ? TN_R7 : TN_R9);
}

#endif
