/* SPDX-License-Identifier: MIT */
/*
 * The shape of a program: set-up of all registers and of the stack, random statements, a digest of
 * all registers as the result; then up to three subprograms of the same shape.
 *
 *   r0, r2-r5, r7-r9   hold numbers; any statement may use them
 *   r6                 the memory, never changed
 *   r1                 scratch: addresses, overwritten with a number after use
 *   [r10-128, r10)     data, all of it written at the start
 *   [r10-192, r10-128) loop counters, not touched by other statements
 */
#include "isa/generate.h"

#include <string.h>

#include "base/compiler.h"
#include "vm/helpers.h"

#define DATA_BYTES 128
#define MAX_WORK   2000 /* rounds of nested loops */
#define SUB_WORK   60	/* the same in subprograms, which loops call */

uint64_t gen_random(struct gen *gen)
{
	uint64_t x = gen->state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint32_t below(struct gen *gen, uint32_t n)
{
	return (uint32_t)(gen_random(gen) >> 32) % n;
}

static bool chance(struct gen *gen, uint32_t percent)
{
	return below(gen, 100) < percent;
}

/* Numbers near the edges more often than others. */
static uint64_t number(struct gen *gen)
{
	static const uint64_t edges[] = {
		0,
		1,
		2,
		7,
		31,
		32,
		63,
		64,
		0x7f,
		0x80,
		0xff,
		0x7fff,
		0x8000,
		0xffff,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		INT64_MAX,
		(uint64_t)INT64_MIN,
		UINT64_MAX,
	};

	switch (below(gen, 4)) {
	case 0:
		return edges[below(gen, TN_ARRAY_SIZE(edges))];
	case 1:
		return 0 - edges[below(gen, TN_ARRAY_SIZE(edges))];
	case 2:
		return gen_random(gen) & 0xff;
	default:
		return gen_random(gen) >> below(gen, 64);
	}
}

static uint8_t any_reg(struct gen *gen)
{
	static const uint8_t regs[] = { 0, 2, 3, 4, 5, 7, 8, 9 };

	return regs[below(gen, TN_ARRAY_SIZE(regs))];
}

/* ---- Emission ---- */

static struct tn_insn *emit(struct gen *gen, uint8_t code, uint8_t dst, uint8_t src, int32_t off,
			    int32_t imm)
{
	struct tn_insn *insn = &gen->insns[gen->nr++];

	tn_assert(gen->nr <= GEN_MAX_INSNS);
	*insn = (struct tn_insn){
		.code = code, .dst = dst & 0xfu, .src = src & 0xfu, .off = (int16_t)off, .imm = imm
	};
	return insn;
}

static void emit_kept(struct gen *gen, uint8_t code, uint8_t dst, uint8_t src, int32_t off,
		      int32_t imm)
{
	gen->keep[gen->nr] = true;
	emit(gen, code, dst, src, off, imm);
}

static void load_imm64(struct gen *gen, uint8_t dst, uint64_t value)
{
	gen->keep[gen->nr] = gen->keep[gen->nr + 1] = true;
	emit(gen, TN_LD | TN_IMM | TN_DW, dst, 0, 0, (int32_t)(uint32_t)value);
	emit(gen, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

static void load_number(struct gen *gen, uint8_t dst)
{
	if (chance(gen, 50))
		load_imm64(gen, dst, number(gen));
	else
		emit_kept(gen, TN_ALU64 | TN_MOV | TN_K, dst, 0, 0, (int32_t)number(gen));
}

static bool has_room(const struct gen *gen, uint32_t insns)
{
	/* The rest is for digests, exits and further subprograms. */
	return gen->nr + insns + 300 < GEN_MAX_INSNS;
}

/* ---- Arithmetic ---- */

/* An immediate operand; the kernel takes no division by 0 and no shift by more than the width. */
static int32_t immediate(struct gen *gen, uint8_t cls, uint8_t op)
{
	int32_t imm = (int32_t)number(gen);

	if (!gen->for_kernel)
		return imm;
	if (op == TN_LSH || op == TN_RSH || op == TN_ARSH)
		return imm & (cls == TN_ALU64 ? 63 : 31);
	return (op == TN_DIV || op == TN_MOD) && !imm ? 1 : imm;
}

static void statement_alu(struct gen *gen)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB, TN_MUL, TN_DIV, TN_OR,  TN_AND,
				       TN_LSH, TN_RSH, TN_MOD, TN_XOR, TN_MOV, TN_ARSH };
	uint8_t op = ops[below(gen, TN_ARRAY_SIZE(ops))];
	uint8_t cls = chance(gen, 50) ? TN_ALU64 : TN_ALU;
	uint8_t dst = any_reg(gen), src = any_reg(gen);
	int32_t off = (op == TN_DIV || op == TN_MOD) && chance(gen, 50);

	if (chance(gen, 50)) {
		if (op == TN_MOV && chance(gen, 50))
			off = 8 << below(gen, cls == TN_ALU64 ? 3 : 2);
		emit(gen, cls | op | TN_X, dst, src, off, 0);
	} else {
		emit(gen, cls | op | TN_K, dst, 0, off, immediate(gen, cls, op));
	}
}

static void statement_unary(struct gen *gen)
{
	static const uint8_t swaps[] = { TN_ALU | TN_END | TN_K, TN_ALU | TN_END | TN_X,
					 TN_ALU64 | TN_END | TN_K };
	uint8_t dst = any_reg(gen);

	if (chance(gen, 30))
		emit(gen, (chance(gen, 50) ? TN_ALU64 : TN_ALU) | TN_NEG, dst, 0, 0, 0);
	else
		emit(gen, swaps[below(gen, 3)], dst, 0, 0, 16 << below(gen, 3));
}

/* ---- Memory ---- */

static const uint8_t sizes[] = { TN_B, TN_H, TN_W, TN_DW };

/* A base register and an offset at which `bytes` may be touched. */
static uint8_t any_place(struct gen *gen, uint32_t bytes, uint32_t align, int32_t *off)
{
	bool stack = chance(gen, 50);
	uint32_t area = stack ? DATA_BYTES : GEN_MEM_BYTES;
	int32_t at;

	if (stack && gen->for_kernel)
		align = TN_MAX(align, bytes);
	at = (int32_t)(below(gen, (area - bytes) / align + 1) * align);
	*off = stack ? at - DATA_BYTES : at;
	return stack ? TN_R10 : TN_R6;
}

/* r1 = base + 8 * (index & 7), in one of the ways in which compilers write it. */
static void compute_element(struct gen *gen, uint8_t base)
{
	uint8_t index = any_reg(gen), cls = chance(gen, 50) ? TN_ALU64 : TN_ALU;

	if (chance(gen, 40)) {
		emit_kept(gen, TN_ALU64 | TN_MOV | TN_X, 1, base, 0, 0);
		emit_kept(gen, cls | TN_AND | TN_K, index, 0, 0, 56);
		emit_kept(gen, TN_ALU64 | TN_ADD | TN_X, 1, index, 0, 0);
		return;
	}
	emit_kept(gen, cls | TN_MOV | TN_X, 1, index, 0, 0);
	emit_kept(gen, cls | TN_AND | TN_K, 1, 0, 0, 7);
	emit_kept(gen, cls | TN_LSH | TN_K, 1, 0, 0, 3);
	emit_kept(gen, TN_ALU64 | TN_ADD | TN_X, 1, base, 0, 0);
}

static void statement_rotate(struct gen *gen);
static void statement_three_operands(struct gen *gen);

/* Sometimes the address is computed into r1 first, and used only after something else changed the
 * registers that it came from; returns the base to use. */
static uint8_t maybe_compute(struct gen *gen, uint8_t base, int32_t *off)
{
	if (chance(gen, 60))
		return base;
	if (chance(gen, 50) && (base == TN_R6 || !gen->for_kernel)) {
		/* The whole access stays below 56 + 56 + 8. */
		compute_element(gen, base);
		*off = (*off & 56) - (base == TN_R10 ? DATA_BYTES : 0);
	} else {
		emit_kept(gen, TN_ALU64 | TN_MOV | TN_X, 1, base, 0, 0);
		emit_kept(gen, TN_ALU64 | TN_ADD | TN_K, 1, 0, 0, *off);
		*off = 0;
	}
	while (chance(gen, 30)) {
		if (chance(gen, 70))
			statement_alu(gen);
		else if (chance(gen, 50))
			statement_three_operands(gen);
		else
			statement_rotate(gen);
	}
	return 1;
}

static void statement_load(struct gen *gen)
{
	uint8_t size = sizes[below(gen, 4)], mode = TN_MEM;
	uint32_t bytes = tn_insn_bytes(size);
	int32_t off;
	uint8_t base = any_place(gen, bytes, 1, &off);

	base = maybe_compute(gen, base, &off);
	if (size != TN_DW && chance(gen, 40))
		mode = TN_MEMSX;
	emit(gen, TN_LDX | mode | size, any_reg(gen), base, off, 0);
	if (base == 1 && chance(gen, 30)) {
		if (chance(gen, 50))
			statement_alu(gen);
		emit(gen, TN_LDX | mode | size, any_reg(gen), base, off, 0);
	}
	if (base == 1)
		load_number(gen, 1);
}

static void statement_store(struct gen *gen)
{
	uint8_t size = sizes[below(gen, 4)];
	int32_t off;
	uint8_t base = any_place(gen, tn_insn_bytes(size), 1, &off);

	base = maybe_compute(gen, base, &off);
	if (chance(gen, 50))
		emit(gen, TN_STX | TN_MEM | size, base, any_reg(gen), off, 0);
	else
		emit(gen, TN_ST | TN_MEM | size, base, 0, off, (int32_t)number(gen));
	if (base == 1)
		load_number(gen, 1);
}

static void statement_atomic(struct gen *gen)
{
	static const int32_t ops[] = { TN_ADD,
				       TN_OR,
				       TN_AND,
				       TN_XOR,
				       TN_ADD | TN_FETCH,
				       TN_OR | TN_FETCH,
				       TN_AND | TN_FETCH,
				       TN_XOR | TN_FETCH,
				       TN_XCHG,
				       TN_CMPXCHG };
	uint8_t size = chance(gen, 50) ? TN_W : TN_DW;
	int32_t off;
	uint8_t base = any_place(gen, tn_insn_bytes(size), 8, &off);

	base = maybe_compute(gen, base, &off);
	emit(gen, TN_STX | TN_ATOMIC | size, base, any_reg(gen), off,
	     ops[below(gen, TN_ARRAY_SIZE(ops))]);
	if (base == 1)
		load_number(gen, 1);
}

static void statement_ordered(struct gen *gen)
{
	uint8_t size = sizes[below(gen, 4)];
	int32_t off;
	uint8_t base = any_place(gen, tn_insn_bytes(size), 8, &off);

	if (chance(gen, 50))
		emit(gen, TN_STX | TN_ATOMIC | size, any_reg(gen), base, off, TN_LOAD_ACQ);
	else
		emit(gen, TN_STX | TN_ATOMIC | size, base, any_reg(gen), off, TN_STORE_REL);
}

/* ---- What a compiler likes to fuse, with and without the one thing that forbids it ---- */

/* Bytes loaded one by one and put together, in either order. */
static void statement_bytes(struct gen *gen)
{
	uint32_t count = 2u << below(gen, 3);
	uint8_t acc = any_reg(gen), part = any_reg(gen);
	bool big = chance(gen, 50);
	int32_t off;
	uint8_t base = any_place(gen, count, 1, &off);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t shift = 8 * (big ? count - 1 - i : i);
		int32_t at = off + (int32_t)i;

		if (chance(gen, 3))
			at = off;
		emit(gen, TN_LDX | TN_MEM | TN_B, i ? part : acc, base, at, 0);
		if (shift)
			emit(gen, TN_ALU64 | TN_LSH | TN_K, i ? part : acc, 0, 0, (int32_t)shift);
		if (i)
			emit(gen,
			     (chance(gen, 95) ? TN_ALU64 : TN_ALU) |
				     (chance(gen, 90) ? TN_OR : TN_ADD) | TN_X,
			     acc, part, 0, 0);
	}
}

static void statement_rotate(struct gen *gen)
{
	uint8_t cls = chance(gen, 50) ? TN_ALU64 : TN_ALU;
	int32_t bits = cls == TN_ALU64 ? 64 : 32, left = (int32_t)below(gen, (uint32_t)bits);
	uint8_t a = any_reg(gen), b = any_reg(gen);
	int32_t right = chance(gen, 90) && (left || !gen->for_kernel) ? bits - left : left;

	emit(gen, cls | TN_MOV | TN_X, b, a, 0, 0);
	emit(gen, cls | TN_LSH | TN_K, b, 0, 0, left);
	emit(gen, cls | TN_RSH | TN_K, a, 0, 0, right);
	emit(gen, cls | (chance(gen, 80) ? TN_OR : TN_XOR) | TN_X, a, b, 0, 0);
}

/* mov, then an operation: three operands in all. */
static void statement_three_operands(struct gen *gen)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB, TN_LSH, TN_RSH, TN_ARSH, TN_AND, TN_MUL };
	uint8_t cls = chance(gen, 50) ? TN_ALU64 : TN_ALU;
	uint8_t op = ops[below(gen, TN_ARRAY_SIZE(ops))];
	uint8_t dst = any_reg(gen);

	emit(gen, (chance(gen, 80) ? cls : TN_ALU64) | TN_MOV | TN_X, dst, any_reg(gen), 0, 0);
	if (chance(gen, 50))
		emit(gen, cls | op | TN_X, dst, any_reg(gen), 0, 0);
	else
		emit(gen, cls | op | TN_K, dst, 0, 0, immediate(gen, cls, op));
	if (chance(gen, 30))
		emit(gen, cls | TN_ADD | TN_X, dst, any_reg(gen), 0, 0);
}

/* Zero extension by a pair of shifts, and masks that are moves in disguise. */
static void statement_extend(struct gen *gen)
{
	static const int32_t masks[] = { 0xff, 0xffff, 0x7fffffff, -1, 1, 0xff00 };
	uint8_t dst = any_reg(gen);

	if (chance(gen, 50)) {
		int32_t shift = chance(gen, 70) ? 32 : (int32_t)below(gen, 64);

		emit(gen, TN_ALU64 | TN_LSH | TN_K, dst, 0, 0, shift);
		emit(gen, TN_ALU64 | (chance(gen, 50) ? TN_RSH : TN_ARSH) | TN_K, dst, 0, 0, shift);
	} else {
		emit(gen, (chance(gen, 50) ? TN_ALU64 : TN_ALU) | TN_AND | TN_K, dst, 0, 0,
		     masks[below(gen, TN_ARRAY_SIZE(masks))]);
	}
}

/* ---- Control ---- */

static void statements(struct gen *gen, uint32_t count);

static uint8_t any_condition(struct gen *gen)
{
	static const uint8_t ops[] = { TN_JEQ,	TN_JGT, TN_JGE, TN_JSET, TN_JNE, TN_JSGT,
				       TN_JSGE, TN_JLT, TN_JLE, TN_JSLT, TN_JSLE };

	return ops[below(gen, TN_ARRAY_SIZE(ops))] | (chance(gen, 50) ? TN_JMP : TN_JMP32);
}

/* A conditional jump, its distance to be set by land(). */
static uint32_t emit_branch(struct gen *gen)
{
	uint32_t at = gen->nr;

	if (chance(gen, 50))
		emit_kept(gen, any_condition(gen) | TN_X, any_reg(gen), any_reg(gen), 0, 0);
	else
		emit_kept(gen, any_condition(gen) | TN_K, any_reg(gen), 0, 0, (int32_t)number(gen));
	return at;
}

static void land(struct gen *gen, uint32_t jump)
{
	struct tn_insn *insn = &gen->insns[jump];
	int32_t distance = (int32_t)(gen->nr - jump - 1);

	if (insn->code == (TN_JMP32 | TN_JA))
		insn->imm = distance;
	else
		insn->off = (int16_t)distance;
}

static uint32_t emit_goto(struct gen *gen)
{
	emit_kept(gen, (chance(gen, 20) ? TN_JMP32 : TN_JMP) | TN_JA, 0, 0, 0, 0);
	return gen->nr - 1;
}

static void statement_if(struct gen *gen)
{
	uint32_t branch = emit_branch(gen), over;

	gen->depth++;
	statements(gen, 1 + below(gen, 4));
	if (chance(gen, 40)) {
		over = emit_goto(gen);
		land(gen, branch);
		statements(gen, 1 + below(gen, 3));
		land(gen, over);
	} else {
		land(gen, branch);
	}
	gen->depth--;
}

/* Compares of one register with several constants. */
static void statement_switch(struct gen *gen)
{
	uint8_t reg = any_reg(gen), cls = chance(gen, 50) ? TN_JMP : TN_JMP32;
	uint32_t nr = 3 + below(gen, 8), branches[11], outs[11];
	int32_t first = (int32_t)below(gen, 4);

	emit(gen, TN_ALU64 | TN_AND | TN_K, reg, 0, 0, 15);
	for (uint32_t i = 0; i < nr; i++) {
		branches[i] = gen->nr;
		emit_kept(gen, cls | TN_JEQ | TN_K, reg, 0, 0, first + (int32_t)i);
	}
	for (uint32_t i = 0; i < nr; i++) {
		outs[i] = emit_goto(gen);
		land(gen, branches[i]);
		statement_alu(gen);
	}
	for (uint32_t i = 0; i < nr; i++)
		land(gen, outs[i]);
}

/* may_goto in straight code falls through. */
static void statement_may_goto(struct gen *gen)
{
	uint32_t jump = gen->nr;

	emit_kept(gen, TN_JMP | TN_JCOND, 0, 0, 0, 0);
	statement_alu(gen);
	land(gen, jump);
}

static void statement_loop(struct gen *gen)
{
	int32_t slot = -(int32_t)DATA_BYTES - 8 * (int32_t)(gen->loops + 1);
	uint32_t rounds = 1 + below(gen, 9), head;
	uint8_t counter = any_reg(gen), cls = chance(gen, 50) ? TN_JMP : TN_JMP32;

	if (gen->for_kernel || gen->loops == 4 ||
	    gen->work * rounds > (gen->in_subprog ? SUB_WORK : MAX_WORK))
		return;
	emit_kept(gen, TN_ST | TN_MEM | TN_DW, TN_R10, 0, slot, (int32_t)rounds);
	gen->loops++;
	gen->depth++;
	gen->work *= rounds;
	head = gen->nr;
	statements(gen, 1 + below(gen, 5));
	emit_kept(gen, TN_LDX | TN_MEM | TN_DW, counter, TN_R10, slot, 0);
	emit_kept(gen, TN_ALU64 | TN_ADD | TN_K, counter, 0, 0, -1);
	emit_kept(gen, TN_STX | TN_MEM | TN_DW, TN_R10, counter, slot, 0);
	emit_kept(gen, cls | (chance(gen, 50) ? TN_JNE : TN_JSGT) | TN_K, counter, 0,
		  (int32_t)head - (int32_t)gen->nr - 1, 0);
	gen->work /= rounds;
	gen->depth--;
	gen->loops--;
}

/* After a call r1 to r5 hold nothing that may be read. */
static void reload_scratch(struct gen *gen)
{
	for (uint8_t reg = 1; reg <= 5; reg++)
		load_number(gen, reg);
}

static void statement_helper(struct gen *gen)
{
	if (gen->for_kernel)
		return;
	load_number(gen, 1);
	emit_kept(gen, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, (int32_t)below(gen, GEN_NR_HELPERS));
	reload_scratch(gen);
}

/* The memory goes along; the callee finds it in r1. The target is patched when the subprograms are
 * there: imm holds which one. */
static void emit_call(struct gen *gen, int32_t subprog)
{
	emit_kept(gen, TN_ALU64 | TN_MOV | TN_X, 1, TN_R6, 0, 0);
	emit_kept(gen, TN_JMP | TN_CALL, 0, TN_CALL_LOCAL, 0, subprog);
	reload_scratch(gen);
}

static void statement_call(struct gen *gen)
{
	if (!gen->in_subprog && gen->work <= 100)
		emit_call(gen, (int32_t)below(gen, 2));
}

/* bpf_loop: r1 rounds, r2 function, r3 context, r4 flags. Subprogram 2 takes the context in r2. */
static void statement_callback(struct gen *gen)
{
	if (gen->for_kernel || gen->in_subprog || gen->work > 20)
		return;
	emit_kept(gen, TN_ALU64 | TN_MOV | TN_K, 1, 0, 0, (int32_t)below(gen, 5));
	gen->keep[gen->nr] = gen->keep[gen->nr + 1] = true;
	emit(gen, TN_LD | TN_IMM | TN_DW, 2, TN_LDDW_FUNC, 0, 2);
	emit(gen, 0, 0, 0, 0, 0);
	emit_kept(gen, TN_ALU64 | TN_MOV | TN_X, 3, TN_R6, 0, 0);
	emit_kept(gen, TN_ALU64 | TN_MOV | TN_K, 4, 0, 0, 0);
	emit_kept(gen, TN_JMP | TN_CALL, 0, TN_CALL_HELPER, 0, TN_HELPER_loop);
	reload_scratch(gen);
}

static void statement(struct gen *gen)
{
	static const struct {
		uint32_t weight;
		void (*make)(struct gen *gen);
	} kinds[] = {
		{ 40, statement_alu },
		{ 6, statement_unary },
		{ 14, statement_load },
		{ 12, statement_store },
		{ 6, statement_atomic },
		{ 2, statement_ordered },
		{ 3, statement_bytes },
		{ 3, statement_rotate },
		{ 8, statement_three_operands },
		{ 4, statement_extend },
		{ 8, statement_if },
		{ 1, statement_switch },
		{ 1, statement_may_goto },
		{ 4, statement_loop },
		{ 2, statement_helper },
		{ 3, statement_call },
		{ 1, statement_callback },
	};
	uint32_t total = 0, pick;
	size_t i = 0;

	for (size_t k = 0; k < TN_ARRAY_SIZE(kinds); k++)
		total += kinds[k].weight;
	for (pick = below(gen, total); pick >= kinds[i].weight; i++)
		pick -= kinds[i].weight;
	kinds[i].make(gen);
}

static void statements(struct gen *gen, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!has_room(gen, 64))
			return;
		if (gen->depth < 6)
			statement(gen);
		else
			statement_alu(gen);
	}
}

/* ---- Functions ---- */

static void set_up(struct gen *gen, uint8_t memory_reg)
{
	emit_kept(gen, TN_ALU64 | TN_MOV | TN_X, TN_R6, memory_reg, 0, 0);
	for (uint8_t reg = 0; reg < TN_R10; reg++) {
		if (reg != TN_R6 && (reg == 0 || chance(gen, 70) || reg <= 5 || reg >= 7))
			load_number(gen, reg);
	}
	for (int32_t off = -DATA_BYTES; off < 0; off += 8)
		emit_kept(gen, TN_ST | TN_MEM | TN_DW, TN_R10, 0, off, (int32_t)number(gen));
}

/* All registers and some of the stack into r0. */
static void digest(struct gen *gen)
{
	for (uint8_t reg = 2; reg < TN_R10; reg++) {
		if (reg == TN_R6)
			continue;
		emit(gen, TN_ALU64 | TN_MUL | TN_K, 0, 0, 0, 31);
		emit(gen, TN_ALU64 | TN_XOR | TN_X, 0, reg, 0, 0);
	}
	for (int32_t off = -DATA_BYTES; off < 0; off += 16) {
		emit(gen, TN_LDX | TN_MEM | TN_DW, 1, TN_R10, off, 0);
		emit(gen, TN_ALU64 | TN_MUL | TN_K, 0, 0, 0, 31);
		emit(gen, TN_ALU64 | TN_XOR | TN_X, 0, 1, 0, 0);
	}
	emit_kept(gen, TN_JMP | TN_EXIT, 0, 0, 0, 0);
}

static void subprogram(struct gen *gen, uint8_t memory_reg, uint32_t count)
{
	gen->in_subprog = true;
	set_up(gen, memory_reg);
	statements(gen, count);
	if (memory_reg == 2) /* bpf_loop ends at the first 1 */
		emit_kept(gen, TN_ALU64 | TN_AND | TN_K, 0, 0, 0, (int32_t)below(gen, 2));
	if (memory_reg == 2 || chance(gen, 20))
		emit_kept(gen, TN_JMP | TN_EXIT, 0, 0, 0, 0);
	else
		digest(gen);
}

/* Distances of calls and function references, which hold the subprogram's number so far. */
static void resolve(struct gen *gen, const uint32_t starts[3])
{
	for (uint32_t i = 0; i < gen->nr; i += tn_insn_is_lddw(&gen->insns[i]) ? 2 : 1) {
		struct tn_insn *insn = &gen->insns[i];

		if ((insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL) ||
		    (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC))
			insn->imm = (int32_t)(starts[insn->imm] - i - 1);
	}
}

void gen_program(struct gen *gen, uint64_t seed, bool for_kernel)
{
	uint32_t starts[3], nr_subprogs = for_kernel ? 2 : 3;

	memset(gen, 0, sizeof(*gen));
	gen->state = seed;
	gen->work = 1;
	gen->for_kernel = for_kernel;
	set_up(gen, 1);
	/* The kernel refuses functions that nobody calls. */
	for (int32_t i = 0; for_kernel && i < 2; i++)
		emit_call(gen, i);
	statements(gen, 3 + below(gen, 40));
	digest(gen);
	for (uint32_t i = 0; i < nr_subprogs; i++) {
		starts[i] = gen->nr;
		subprogram(gen, i == 2 ? 2 : 1, 1 + below(gen, 8));
	}
	resolve(gen, starts);
}
