/* SPDX-License-Identifier: MIT */
/*
 * Random programs against the soundness oracle (embed.h): `verifier_random [-p] [-f] [-d] [-k]
 * [COUNT [SEED]]`. -p: packet programs; -f: flip bits; -d: print what is rejected; -k: compare with
 * the kernel's verdict instead (packet programs; ends with 77 where bpf(2) is refused). The
 * programs are structured, so that a good part of them is accepted: guarded accesses to map values,
 * stack and context regions with constants near the boundaries, loops, spills, calls, callbacks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "verifier/case.h"
#include "verifier/embed.h"
#include "verifier/kernel.h"
#include "vm/disasm.h"
#include "vm/helpers.h"

#define MAX_INSNS 400
#define INPUTS	  5

struct gen {
	uint64_t seed;
	struct tn_insn v[MAX_INSNS];
	uint32_t nr;
	bool packet, plain; /* plain: what the kernel takes without BTF */
	bool calls, calls_back;
};

static uint64_t rnd(struct gen *g)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return g->seed * 0x2545f4914f6cdd1dull >> 11;
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return (uint32_t)(rnd(g) % n);
}

static bool chance(struct gen *g, uint32_t percent)
{
	return below(g, 100) < percent;
}

static void emit(struct gen *g, uint8_t code, uint32_t dst, uint32_t src, int32_t off, int32_t imm)
{
	if (g->nr == MAX_INSNS)
		return;
	g->v[g->nr++] = (struct tn_insn){ .code = code,
					  .dst = (uint8_t)(dst & 15),
					  .src = (uint8_t)(src & 15),
					  .off = (int16_t)off,
					  .imm = imm };
}

static void emit_lddw(struct gen *g, uint32_t dst, uint32_t src, int32_t imm, int32_t imm2)
{
	emit(g, TN_LD | TN_IMM | TN_DW, dst, src, 0, imm);
	emit(g, 0, 0, 0, 0, imm2);
}

static void mov(struct gen *g, uint32_t dst, uint32_t src)
{
	emit(g, TN_ALU64 | TN_MOV | TN_X, dst, src, 0, 0);
}

static void add_imm(struct gen *g, uint32_t dst, int32_t imm)
{
	emit(g, TN_ALU64 | TN_ADD | TN_K, dst, 0, 0, imm);
}

static int32_t constant(struct gen *g)
{
	static const int32_t near[] = { 0,
					1,
					-1,
					2,
					3,
					4,
					7,
					8,
					15,
					16,
					31,
					32,
					60,
					63,
					64,
					65,
					127,
					128,
					255,
					256,
					1000,
					4096,
					65535,
					65536,
					INT32_MAX,
					INT32_MIN,
					-2,
					-8,
					-64,
					INT32_MAX - 1,
					INT32_MIN + 1 };

	if (chance(g, 15))
		return (int32_t)rnd(g);
	return near[below(g, TN_ARRAY_SIZE(near))];
}

/* Numbers live in r0, r2, r3, r7, r9; r6 is the context, r8 a map value; r1, r4, r5 are scratch. */
static uint32_t number(struct gen *g)
{
	static const uint8_t regs[] = { TN_R0, TN_R2, TN_R3, TN_R7, TN_R9 };

	return regs[below(g, TN_ARRAY_SIZE(regs))];
}

static uint32_t caller_saved_number(struct gen *g)
{
	return chance(g, 50) ? TN_R7 : TN_R9;
}

static void gen_alu(struct gen *g)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB,	TN_MUL, TN_DIV, TN_OR,
				       TN_AND, TN_LSH,	TN_RSH, TN_MOD, TN_XOR,
				       TN_MOV, TN_ARSH, TN_ADD, TN_AND, TN_MOV };
	uint8_t op = ops[below(g, TN_ARRAY_SIZE(ops))];
	uint8_t cls = chance(g, 50) ? TN_ALU64 : TN_ALU;
	int32_t imm = constant(g);
	uint32_t dst = number(g), pick = below(g, 20);

	if (pick == 0) {
		emit(g, cls | TN_NEG, dst, 0, 0, 0);
	} else if (pick == 1) {
		static const int8_t sizes[] = { 16, 32, 64 };

		emit(g, (chance(g, 50) ? TN_ALU : TN_ALU64) | TN_END, dst, 0, 0,
		     sizes[below(g, 3)]);
	} else if (pick == 2) {
		int32_t bits = cls == TN_ALU ? 8 << below(g, 2) : 8 << below(g, 3);

		emit(g, cls | TN_MOV | TN_X, dst, number(g), bits, 0);
	} else if (pick == 3) {
		static const uint8_t by[] = { 32, 32, 56, 48, 1, 63 };
		int32_t left = by[below(g, TN_ARRAY_SIZE(by))];

		emit(g, TN_ALU64 | TN_LSH | TN_K, dst, 0, 0, left);
		emit(g, TN_ALU64 | (chance(g, 60) ? TN_RSH : TN_ARSH) | TN_K, dst, 0, 0,
		     chance(g, 90) ? left : 16);
	} else if (chance(g, 45)) {
		int32_t off = (op == TN_DIV || op == TN_MOD) && chance(g, 40);

		emit(g, cls | op | TN_X, dst, number(g), off, 0);
	} else {
		int32_t off = (op == TN_DIV || op == TN_MOD) && chance(g, 40);

		if (op == TN_LSH || op == TN_RSH || op == TN_ARSH)
			imm &= cls == TN_ALU ? 31 : 63;
		if ((op == TN_DIV || op == TN_MOD) && !imm)
			imm = 7;
		emit(g, cls | op | TN_K, dst, 0, off, imm);
	}
}

static uint8_t condition(struct gen *g)
{
	static const uint8_t ops[] = { TN_JEQ,	TN_JGT, TN_JGE, TN_JSET, TN_JNE, TN_JSGT,
				       TN_JSGE, TN_JLT, TN_JLE, TN_JSLT, TN_JSLE };

	return (uint8_t)(ops[below(g, TN_ARRAY_SIZE(ops))] | (chance(g, 50) ? TN_JMP : TN_JMP32));
}

static void gen_any(struct gen *g, int depth);

static void patch_here(struct gen *g, uint32_t at)
{
	if (at < g->nr && g->nr - at - 1 <= INT16_MAX)
		g->v[at].off = (int16_t)(g->nr - at - 1);
}

static uint32_t branch(struct gen *g)
{
	uint32_t at = g->nr;

	if (chance(g, 40))
		emit(g, condition(g) | TN_X, number(g), number(g), 0, 0);
	else
		emit(g, condition(g), number(g), 0, 0, constant(g));
	return at;
}

static void gen_if(struct gen *g, int depth)
{
	uint32_t at = branch(g), over;

	gen_any(g, depth);
	if (chance(g, 50)) {
		over = g->nr;
		emit(g, TN_JMP | TN_JA, 0, 0, 0, 0);
		patch_here(g, at);
		gen_any(g, depth);
		patch_here(g, over);
	} else {
		patch_here(g, at);
	}
}

static uint8_t size_code(uint32_t size)
{
	return size == 1 ? TN_B : size == 2 ? TN_H : size == 4 ? TN_W : TN_DW;
}

/* A read or write through r4. */
static void touch(struct gen *g, int32_t off, uint32_t size)
{
	uint32_t pick = below(g, 10);

	if (pick < 5)
		emit(g, TN_LDX | TN_MEM | size_code(size), number(g), TN_R4, off, 0);
	else if (pick < 6 && size < 8)
		emit(g, TN_LDX | TN_MEMSX | size_code(size), number(g), TN_R4, off, 0);
	else if (pick < 8)
		emit(g, TN_STX | TN_MEM | size_code(size), TN_R4, number(g), off, 0);
	else
		emit(g, TN_ST | TN_MEM | size_code(size), TN_R4, 0, off, constant(g));
}

/* Bound `r`, jump away when out of bounds; returns the jump to patch or UINT32_MAX. */
static uint32_t guard(struct gen *g, uint32_t r, int32_t max)
{
	uint32_t at = g->nr;

	switch (below(g, 6)) {
	case 0:
		emit(g, TN_JMP | TN_JGT | TN_K, r, 0, 0, max);
		return at;
	case 1:
		emit(g, TN_JMP | TN_JGE | TN_K, r, 0, 0, max + 1);
		return at;
	case 2:
		emit(g, TN_JMP32 | TN_JGT | TN_K, r, 0, 0, max);
		return at;
	case 3:
		emit(g, TN_JMP | TN_JSGT | TN_K, r, 0, 0, max);
		return at;
	case 4:
		emit(g, (chance(g, 50) ? TN_ALU : TN_ALU64) | TN_AND | TN_K, r, 0, 0, max);
		return UINT32_MAX;
	default:
		emit(g, (chance(g, 50) ? TN_ALU : TN_ALU64) | TN_MOD | TN_K, r, 0, 0, max + 1);
		return UINT32_MAX;
	}
}

static int32_t jitter(struct gen *g, int32_t v)
{
	return chance(g, 70) ? v : v + (int32_t)below(g, 5) - 2;
}

/* A guarded index into the map value (64 bytes) or the stack. */
static void gen_index(struct gen *g)
{
	uint32_t r = number(g), size = 1u << below(g, 4), skip;
	int32_t off = (int32_t)below(g, 9);
	bool stack = chance(g, 30);
	int32_t room = stack ? 64 : 64, max = jitter(g, room - (int32_t)size - off);

	skip = guard(g, r, max < 1 ? 1 : max);
	if (stack) {
		mov(g, TN_R4, TN_R10);
		add_imm(g, TN_R4, -room);
	} else {
		mov(g, TN_R4, TN_R8);
	}
	emit(g, TN_ALU64 | (chance(g, 95) ? TN_ADD : TN_SUB) | TN_X, TN_R4, r, 0, 0);
	touch(g, off, size);
	if (skip != UINT32_MAX)
		patch_here(g, skip);
}

static void jump_reg(struct gen *g, uint32_t narrow, uint8_t often, uint8_t seldom, uint32_t a,
		     uint32_t b)
{
	uint8_t op = chance(g, 80) ? often : seldom;

	emit(g, (uint8_t)((chance(g, narrow) ? TN_JMP32 : TN_JMP) | op | TN_X), a, b, 0, 0);
}

/* Context `test`: buf and len, an index checked against it. */
static void gen_sized(struct gen *g)
{
	uint32_t r = number(g), size = 1u << below(g, 3), at, at2 = UINT32_MAX, around = UINT32_MAX;
	int32_t off = (int32_t)below(g, 3);

	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R6, 8, 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
	if (chance(g, 30)) {
		/* A path without the check, all else known alike. */
		emit(g, TN_JMP | TN_JEQ | TN_K, TN_R5, 0, 2, 0);
		emit(g, TN_ALU64 | TN_AND | TN_K, r, 0, 0, 15);
		around = branch(g);
	}
	if (chance(g, 40))
		add_imm(g, TN_R5, jitter(g, -(int32_t)size));
	if (chance(g, 50)) {
		mov(g, TN_R1, r);
		add_imm(g, TN_R1, jitter(g, off + (int32_t)size));
		at = g->nr;
		jump_reg(g, 20, TN_JGT, TN_JGE, TN_R1, TN_R5);
		at2 = g->nr;
		emit(g, TN_JMP | TN_JGT | TN_K, r, 0, 0, constant(g));
	} else {
		at = g->nr;
		jump_reg(g, 20, TN_JGE, TN_JSGE, r, TN_R5);
		if (chance(g, 60)) {
			off = 0;
			size = 1;
		}
	}
	if (around != UINT32_MAX)
		patch_here(g, around);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, r, 0, 0);
	touch(g, off, size);
	patch_here(g, at);
	if (at2 != UINT32_MAX)
		patch_here(g, at2);
}

/* All bytes of buf, one after the other, upwards or downwards. */
static void gen_sized_loop(struct gen *g)
{
	uint32_t r = caller_saved_number(g), head, end, skip;
	bool down = chance(g, 40);

	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R6, 8, 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
	skip = g->nr;
	emit(g, TN_JMP | TN_JEQ | TN_K, TN_R5, 0, 0, 0);
	if (down)
		mov(g, r, TN_R5);
	else
		emit(g, TN_ALU64 | TN_MOV | TN_K, r, 0, 0, (int32_t)below(g, 2));
	head = g->nr;
	if (down)
		add_imm(g, r, chance(g, 90) ? -1 : -2);
	mov(g, TN_R1, TN_R4);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R1, r, 0, 0);
	emit(g, TN_LDX | TN_MEM | TN_B, TN_R2, TN_R1, chance(g, 90) ? 0 : 1, 0);
	if (chance(g, 30))
		gen_alu(g);
	if (!down)
		add_imm(g, r, chance(g, 90) ? 1 : 2);
	end = g->nr;
	if (down)
		emit(g, TN_JMP | (chance(g, 80) ? TN_JNE : TN_JSGT) | TN_K, r, 0, 0, 0);
	else
		jump_reg(g, 20, chance(g, 50) ? TN_JNE : TN_JLT, TN_JLE, r, TN_R5);
	if (end < g->nr)
		g->v[end].off = (int16_t)((int32_t)head - (int32_t)end - 1);
	patch_here(g, skip);
}

/* begin and end, or the packet. */
static void gen_ends(struct gen *g)
{
	uint32_t r = number(g), size = 1u << below(g, 3), at;
	uint8_t load = TN_LDX | TN_MEM | (g->packet ? TN_W : TN_DW);
	int32_t off = (int32_t)below(g, 3);

	emit(g, load, TN_R4, TN_R6, g->packet ? 0 : 40, 0);
	emit(g, load, TN_R5, TN_R6, g->packet ? 4 : 48, 0);
	if (chance(g, 60)) {
		emit(g, TN_ALU64 | TN_AND | TN_K, r, 0, 0, 31);
		emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, r, 0, 0);
	}
	mov(g, TN_R1, TN_R4);
	add_imm(g, TN_R1, jitter(g, off + (int32_t)size));
	at = g->nr;
	jump_reg(g, 0, TN_JGT, TN_JGE, TN_R1, TN_R5);
	touch(g, off, size);
	patch_here(g, at);
}

static void gen_region(struct gen *g)
{
	if (g->packet || chance(g, 40))
		gen_ends(g);
	else if (chance(g, 65))
		gen_sized(g);
	else
		gen_sized_loop(g);
}

static void gen_spill(struct gen *g)
{
	int32_t at = -8 * (int32_t)(1 + below(g, 6));

	if (chance(g, 20)) {
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R8, at, 0);
		gen_alu(g);
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R8, TN_R10, at, 0);
		return;
	}
	emit(g, TN_STX | TN_MEM | size_code(1u << (2 + below(g, 2))), TN_R10, number(g), at, 0);
	if (chance(g, 60))
		gen_alu(g);
	if (chance(g, 40))
		gen_if(g, 0);
	emit(g, TN_LDX | TN_MEM | size_code(1u << (1 + below(g, 3))), number(g), TN_R10, at, 0);
}

static void gen_loop(struct gen *g, int depth)
{
	uint32_t r = caller_saved_number(g), head, latch;
	int32_t step = (int32_t)below(g, 3) + 1;

	emit(g, (chance(g, 50) ? TN_ALU : TN_ALU64) | TN_MOV | TN_K, r, 0, 0, (int32_t)below(g, 4));
	head = g->nr;
	gen_any(g, depth);
	emit(g, (chance(g, 70) ? TN_ALU64 : TN_ALU) | TN_ADD | TN_K, r, 0, 0, step);
	latch = g->nr;
	if (chance(g, 60))
		emit(g, (chance(g, 50) ? TN_JMP : TN_JMP32) | TN_JLT | TN_K, r, 0, 0,
		     (int32_t)below(g, 40));
	else
		emit(g, TN_JMP | TN_JLT | TN_X, r, number(g), 0, 0);
	if (latch < g->nr)
		g->v[latch].off = (int16_t)((int32_t)head - (int32_t)latch - 1);
}

static void gen_lookup(struct gen *g)
{
	uint32_t at;

	emit(g, TN_STX | TN_MEM | TN_W, TN_R10, number(g), -4, 0);
	mov(g, TN_R2, TN_R10);
	add_imm(g, TN_R2, -4);
	emit_lddw(g, TN_R1, TN_LDDW_MAP, (int32_t)below(g, 2), 0);
	emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_map_lookup_elem);
	at = g->nr;
	if (chance(g, 90))
		emit(g, TN_JMP | TN_JEQ | TN_K, TN_R0, 0, 0, 0);
	mov(g, TN_R4, TN_R0);
	touch(g, 4 * (int32_t)below(g, 4), 4);
	if (g->v[at].code == (TN_JMP | TN_JEQ))
		patch_here(g, at);
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R0, 0, 0, constant(g));
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, constant(g));
	mov(g, TN_R3, TN_R7);
}

/* Calls of the subprograms that stand behind the main program; patched at the end. */
enum { CALL_FUNC = 0x7001, CALL_BACK = 0x7002 };

static void gen_call(struct gen *g)
{
	if (g->plain || chance(g, 60)) {
		g->calls = true;
		mov(g, TN_R1, number(g));
		mov(g, TN_R2, TN_R10);
		add_imm(g, TN_R2, -64);
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_LOCAL, 0, CALL_FUNC);
	} else {
		g->calls_back = true;
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R1, 0, 0, (int32_t)below(g, 6));
		emit_lddw(g, TN_R2, TN_LDDW_FUNC, CALL_BACK, 0);
		mov(g, TN_R3, TN_R10);
		add_imm(g, TN_R3, -64);
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R4, 0, 0, 0);
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_loop);
	}
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, constant(g));
	mov(g, TN_R3, TN_R9);
}

static void gen_any(struct gen *g, int depth)
{
	uint32_t n = 1 + below(g, 4);

	for (uint32_t i = 0; i < n && g->nr < MAX_INSNS - 120; i++) {
		uint32_t pick = below(g, 100);

		if (pick < 35 || depth <= 0)
			gen_alu(g);
		else if (pick < 50)
			gen_if(g, depth - 1);
		else if (pick < 65)
			gen_index(g);
		else if (pick < 78)
			gen_region(g);
		else if (pick < 86)
			gen_spill(g);
		else if (pick < 91)
			gen_loop(g, depth - 1);
		else if (pick < 95)
			gen_lookup(g);
		else
			gen_call(g);
	}
}

static void gen_main(struct gen *g)
{
	mov(g, TN_R6, TN_R1);
	if (g->packet) {
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, 7); /* get_prandom_u32 */
		mov(g, TN_R9, TN_R0);
		emit(g, TN_ALU64 | TN_LSH | TN_K, TN_R9, 0, 0, 32 * (int32_t)below(g, 2));
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, 7);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R7, TN_R6, 16, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R3, TN_R6, 12, 0);
	} else {
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R7, TN_R6, 0, 0);
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R9, TN_R6, 88, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R0, TN_R6, 4, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R3, TN_R6, 16, 0);
	}
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, constant(g));
	emit_lddw(g, TN_R8, TN_LDDW_MAP_VALUE, 0, 0);
	for (int i = 0; i < 3; i++)
		gen_any(g, 3);
	emit(g, TN_ALU64 | TN_MOV | TN_X, TN_R0, number(g), 0, 0);
	emit(g, TN_JMP | TN_EXIT, 0, 0, 0, 0);
}

/* r1 a number, r2 a pointer to 64 bytes of the caller's stack. */
static void gen_function(struct gen *g, bool callback)
{
	uint32_t at;

	mov(g, TN_R7, TN_R1);
	if (chance(g, 70))
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R0, TN_R2, 8 * (int32_t)below(g, 3), 0);
	else
		mov(g, TN_R0, TN_R1);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R0, TN_R1, 0, 0);
	if (chance(g, 60))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R2, TN_R0, 8 * (int32_t)below(g, 3), 0);
	at = g->nr;
	emit(g, condition(g), TN_R7, 0, 0, constant(g));
	if (chance(g, 50))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R7, -16, 0);
	emit(g, TN_ST | TN_MEM | TN_W, TN_R2, 0, 8, constant(g));
	patch_here(g, at);
	if (callback)
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R0, 0, 0, chance(g, 90) ? 0 : 1);
	emit(g, TN_JMP | TN_EXIT, 0, 0, 0, 0);
}

static void link_calls(struct gen *g, uint32_t func, uint32_t back)
{
	for (uint32_t i = 0; i < g->nr; i++) {
		struct tn_insn *insn = &g->v[i];

		if (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL)
			insn->imm = (int32_t)func - (int32_t)i - 1;
		if (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC)
			insn->imm = (int32_t)back - (int32_t)i - 1;
	}
}

/* Small changes of what was generated: the verifier must notice. */
static void mutate(struct gen *g)
{
	uint32_t n = chance(g, 40) ? 1 + below(g, 2) : 0;

	while (n--) {
		struct tn_insn *insn = &g->v[below(g, g->nr)];

		if (tn_insn_is_lddw(insn) || !insn->code || TN_OP(insn->code) == TN_CALL)
			continue;
		if (chance(g, 50))
			insn->imm = TN_SRC(insn->code) && TN_CLASS(insn->code) != TN_ST
					    ? 0
					    : (int32_t)((uint32_t)insn->imm + below(g, 3) - 1);
	}
}

/* Any bit of any instruction: most of these are no programs. */
static void flip_bits(struct gen *g)
{
	for (uint32_t n = 1 + below(g, 4); n; n--) {
		unsigned char *bytes = (unsigned char *)&g->v[below(g, g->nr)];

		bytes[below(g, 8)] ^= (unsigned char)(1u << below(g, 8));
	}
}

struct world {
	struct tn_rt rt;
	struct tn_map *maps[2];
	uint64_t accepted, rejected, unsound, gave_up, steps;
	uint64_t table[2][2]; /* ours, the kernel's: 1 accepts */
	bool dump, packet, with_kernel, flip;
	struct kernel kernel;
};

static void dump(const struct tn_prog *prog)
{
	char text[128];

	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		tn_disasm(prog, &prog->insns[i], i, text, sizeof(text));
		printf("%4u: %s\n", i, text);
		i += tn_insn_is_lddw(&prog->insns[i]);
	}
}

struct layout { /* as case_test_ctx */
	uint32_t kind, out;
	unsigned char *buf;
	uint32_t len, hidden;
	const char *name;
	uint64_t name_len;
	unsigned char *begin, *end;
	void *fixed, *conn;
	uint64_t *recs;
	uint32_t nr_recs, hidden2;
	int64_t wide;
	unsigned char *blocks;
	uint32_t nr_blocks, hidden3;
};

static const uint32_t lens[] = { 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 63, 64 };
static unsigned char buf[64], region[64], fixed[32];

static void fill_test(struct embed *e, struct gen *g, struct layout *ctx)
{
	*ctx = (struct layout){ .buf = buf, .begin = region, .fixed = fixed };
	ctx->kind = chance(g, 50) ? below(g, 70) : (uint32_t)constant(g);
	ctx->out = chance(g, 50) ? below(g, 70) : (uint32_t)rnd(g);
	ctx->wide = chance(g, 50)   ? (int64_t)below(g, 70)
		    : chance(g, 50) ? constant(g)
				    : (int64_t)(rnd(g) << 11 ^ rnd(g));
	ctx->len = lens[below(g, TN_ARRAY_SIZE(lens))];
	ctx->end = region + lens[below(g, TN_ARRAY_SIZE(lens))];
	e->ctx = (unsigned char *)ctx;
	embed_area(e, ctx, sizeof(*ctx), true);
	embed_area(e, buf, ctx->len, true);
	embed_area(e, region, (uint64_t)(ctx->end - ctx->begin), true);
	embed_area(e, fixed, sizeof(fixed), true);
}

static void fill_xdp(struct embed *e, struct gen *g, struct tn_xdp_host *ctx)
{
	uint32_t len = lens[below(g, TN_ARRAY_SIZE(lens))];

	*ctx = (struct tn_xdp_host){ .data = region,
				     .data_meta = region,
				     .data_end = region + len };
	ctx->ingress_ifindex = chance(g, 50) ? below(g, 70) : (uint32_t)constant(g);
	ctx->rx_queue_index = chance(g, 50) ? below(g, 70) : (uint32_t)rnd(g);
	e->ctx = (unsigned char *)ctx;
	embed_area(e, ctx, sizeof(*ctx), false);
	embed_area(e, region, len, true);
}

static void run_input(struct world *w, struct embed *e, struct gen *g)
{
	struct layout test;
	struct tn_xdp_host xdp;
	uint64_t r0;

	e->nr_areas = 0;
	e->seed = rnd(g) | 1;
	if (g->packet)
		fill_xdp(e, g, &xdp);
	else
		fill_test(e, g, &test);
	for (int i = 0; i < 2; i++)
		for (uint32_t j = 0; j < w->maps[i]->max_entries; j++)
			embed_area(e, w->maps[i]->values + (size_t)j * w->maps[i]->value_stride,
				   w->maps[i]->value_size, true);
	switch (embed_run(e, &r0)) {
	case EMBED_UNSOUND:
		w->unsound++;
		printf("UNSOUND: %s\n", e->why);
		dump(e->prog);
		break;
	case EMBED_GAVE_UP:
		w->gave_up++;
		break;
	default:
		break;
	}
	w->steps += e->nr_steps;
}

static void compare_with_kernel(struct world *w, const struct gen *g, const struct tn_prog *prog,
				int err, const struct tn_verdict *v, uint64_t seed)
{
	const char *why;
	int kerr = kernel_verify(&w->kernel, KERNEL_XDP, g->v, g->nr, &why);

	w->table[!err][!kerr]++;
	if (!err == !kerr || !w->dump)
		return;
	printf("seed %llu: %s here, the kernel says: %s\n%s", (unsigned long long)seed,
	       err ? "rejected" : "accepted", kerr ? why : "accepted", err ? v->msg : "");
	if (!err)
		dump(prog);
}

static void run_one(struct world *w, uint64_t seed)
{
	static struct gen g;
	struct tn_verify_env env = { .fuel = 1 << 26, .observe = embed_observe };
	struct tn_verdict v;
	struct tn_prog *prog = tn_prog_new(&w->rt, "random");
	uint32_t func, back;
	struct embed e;
	int err;

	g.seed = seed * 0x9e3779b97f4a7c15ull + 1;
	g.nr = 0;
	g.packet = w->packet;
	g.plain = w->with_kernel;
	g.calls = g.calls_back = false;
	for (int i = 0; i < 4; i++)
		rnd(&g);
	gen_main(&g);
	func = g.nr;
	if (g.calls)
		gen_function(&g, false);
	back = g.nr;
	if (g.calls_back)
		gen_function(&g, true);
	mutate(&g);
	link_calls(&g, func, back);
	if (w->flip)
		flip_bits(&g);
	prog->ctx_type = w->packet ? tn_ctx_builtin("xdp") : &case_test_ctx;
	prog->maps = tn_alloc_array(&w->rt, 2, sizeof(prog->maps[0]));
	prog->nr_maps = 2;
	for (int i = 0; i < 2; i++)
		prog->maps[i] = tn_map_get(w->maps[i]);
	if (tn_prog_set_insns(prog, g.v, g.nr) || !embed_init(&e, prog)) {
		printf("no memory\n");
		exit(1);
	}
	env.observe_user = &e;
	if (w->with_kernel)
		env.observe = NULL;
	err = tn_verify(prog, &env, &v);
	w->accepted += !err;
	w->rejected += err != 0;
	if (w->with_kernel) {
		compare_with_kernel(w, &g, prog, err, &v, seed);
	} else if (err) {
		if (w->dump)
			printf("%s", v.msg ? v.msg : "?\n");
	} else {
		uint64_t before = w->unsound;

		for (int i = 0; i < INPUTS && w->unsound == before; i++)
			run_input(w, &e, &g);
		if (w->unsound != before)
			printf("seed %llu\n\n", (unsigned long long)seed);
	}
	tn_verdict_free(&w->rt, &v);
	embed_fini(&e);
	tn_prog_free(prog);
}

static void report(const struct world *w)
{
	printf("%llu accepted, %llu rejected, %llu unsound, %llu not run to the end, %llu steps\n",
	       (unsigned long long)w->accepted, (unsigned long long)w->rejected,
	       (unsigned long long)w->unsound, (unsigned long long)w->gave_up,
	       (unsigned long long)w->steps);
	if (w->with_kernel)
		printf("both accept %llu, both reject %llu, kernel alone accepts %llu, Tenon alone "
		       "accepts %llu\n",
		       (unsigned long long)w->table[1][1], (unsigned long long)w->table[0][0],
		       (unsigned long long)w->table[0][1], (unsigned long long)w->table[1][0]);
}

int main(int argc, char **argv)
{
	static struct world w;
	struct tn_map_attr attr = { .type = TN_MAP_ARRAY,
				    .key_size = 4,
				    .value_size = 64,
				    .max_entries = 1,
				    .name = "one" };
	uint64_t count, seed;
	int opt;

	while ((opt = getopt(argc, argv, "pdkf")) != -1) {
		w.dump |= opt == 'd';
		w.flip |= opt == 'f';
		w.packet |= opt == 'p' || opt == 'k';
		w.with_kernel |= opt == 'k';
	}
	count = optind < argc ? strtoull(argv[optind], NULL, 0) : 3000;
	seed = optind + 1 < argc ? strtoull(argv[optind + 1], NULL, 0) : 1;
	if (tn_rt_init(&w.rt, NULL))
		return 1;
	w.maps[0] = tn_map_create(&w.rt, &attr);
	attr.value_size = 16;
	attr.max_entries = 4;
	attr.name = "four";
	w.maps[1] = tn_map_create(&w.rt, &attr);
	if (!w.maps[0] || !w.maps[1])
		return 1;
	if (w.with_kernel && !kernel_open(&w.kernel, w.maps, 2)) {
		printf("bpf(2) is refused here\n");
		return 77;
	}
	for (uint64_t i = 0; i < count && w.unsound < 5; i++)
		run_one(&w, seed + i);
	report(&w);
	if (w.with_kernel)
		kernel_close(&w.kernel);
	tn_map_put(w.maps[0]);
	tn_map_put(w.maps[1]);
	tn_rt_fini(&w.rt);
	return w.unsound != 0;
}
