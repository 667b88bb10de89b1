/* SPDX-License-Identifier: MIT */
#include "verifier/gen.h"

#include "verifier/gen_parts.h"
#include "verifier/world.h"
#include "vm/helpers.h"

int32_t gen_constant(struct gen *g)
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

	if (gen_chance(g, 15))
		return (int32_t)gen_random(g);
	return near[gen_below(g, TN_ARRAY_SIZE(near))];
}

static void gen_alu(struct gen *g)
{
	static const uint8_t ops[] = { TN_ADD, TN_SUB,	TN_MUL, TN_DIV, TN_OR,
				       TN_AND, TN_LSH,	TN_RSH, TN_MOD, TN_XOR,
				       TN_MOV, TN_ARSH, TN_ADD, TN_AND, TN_MOV };
	uint8_t op = ops[gen_below(g, TN_ARRAY_SIZE(ops))];
	uint8_t cls = gen_chance(g, 50) ? TN_ALU64 : TN_ALU;
	int32_t imm = gen_constant(g);
	uint32_t dst = number(g), pick = gen_below(g, 20);

	if (pick == 0) {
		emit(g, cls | TN_NEG, dst, 0, 0, 0);
	} else if (pick == 1) {
		static const int8_t sizes[] = { 16, 32, 64 };

		emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_END, dst, 0, 0,
		     sizes[gen_below(g, 3)]);
	} else if (pick == 2) {
		int32_t bits = cls == TN_ALU ? 8 << gen_below(g, 2) : 8 << gen_below(g, 3);

		emit(g, cls | TN_MOV | TN_X, dst, number(g), bits, 0);
	} else if (pick == 3) {
		static const uint8_t by[] = { 32, 32, 56, 48, 1, 63 };
		int32_t left = by[gen_below(g, TN_ARRAY_SIZE(by))];

		emit(g, TN_ALU64 | TN_LSH | TN_K, dst, 0, 0, left);
		emit(g, TN_ALU64 | (gen_chance(g, 60) ? TN_RSH : TN_ARSH) | TN_K, dst, 0, 0,
		     gen_chance(g, 90) ? left : 16);
	} else if (gen_chance(g, 45)) {
		int32_t off = (op == TN_DIV || op == TN_MOD) && gen_chance(g, 40);

		emit(g, cls | op | TN_X, dst, number(g), off, 0);
	} else {
		int32_t off = (op == TN_DIV || op == TN_MOD) && gen_chance(g, 40);

		if (op == TN_LSH || op == TN_RSH || op == TN_ARSH)
			imm &= cls == TN_ALU ? 31 : 63;
		if ((op == TN_DIV || op == TN_MOD) && !imm)
			imm = 7;
		emit(g, cls | op | TN_K, dst, 0, off, imm);
	}
}

static void gen_if(struct gen *g, int depth)
{
	uint32_t at = branch(g), over;

	gen_any(g, depth);
	if (gen_chance(g, 50)) {
		over = g->nr;
		emit(g, TN_JMP | TN_JA, 0, 0, 0, 0);
		patch_here(g, at);
		gen_any(g, depth);
		patch_here(g, over);
	} else {
		patch_here(g, at);
	}
}

/* Bound `r`, jump away when out of bounds; returns the jump to patch or UINT32_MAX. */
static uint32_t guard(struct gen *g, uint32_t r, int32_t max)
{
	uint32_t at = g->nr;

	switch (gen_below(g, risky(g, 100) ? 6 : 5)) {
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
		emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_AND | TN_K, r, 0, 0, max);
		return UINT32_MAX;
	case 4:
		emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_MOD | TN_K, r, 0, 0, max + 1);
		return UINT32_MAX;
	default:
		emit(g, TN_JMP | TN_JSGT | TN_K, r, 0, 0, max);
		return at;
	}
}

/* A guarded index into the map value (64 bytes) or the stack. */
static void gen_index(struct gen *g)
{
	uint32_t r = number(g), size = 1u << gen_below(g, 4), skip;
	int32_t off = (int32_t)gen_below(g, 9);
	bool stack = gen_chance(g, 30);
	int32_t room = stack ? 64 : 64, max = jitter(g, room - (int32_t)size - off);

	skip = guard(g, r, max < 1 ? 1 : max);
	if (stack) {
		mov(g, TN_R4, TN_R10);
		add_imm(g, TN_R4, -room);
	} else {
		mov(g, TN_R4, TN_R8);
	}
	emit(g, TN_ALU64 | (risky(g, 5) ? TN_SUB : TN_ADD) | TN_X, TN_R4, r, 0, 0);
	touch(g, off, size);
	if (skip != UINT32_MAX)
		patch_here(g, skip);
}

static void jump_reg(struct gen *g, uint32_t narrow, uint8_t often, uint8_t seldom, uint32_t a,
		     uint32_t b)
{
	uint8_t op = risky(g, 20) ? seldom : often;

	emit(g, (uint8_t)((gen_chance(g, narrow) ? TN_JMP32 : TN_JMP) | op | TN_X), a, b, 0, 0);
}

/* Context `test`: buf and len, an index checked against it. */
static void gen_sized(struct gen *g)
{
	uint32_t r = number(g), size = 1u << gen_below(g, 3), at, at2 = UINT32_MAX,
		 around = UINT32_MAX;
	int32_t off = (int32_t)gen_below(g, 3);

	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R6, 8, 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
	if (gen_chance(g, 30)) {
		/* A path without the check, all else known alike. */
		emit(g, TN_JMP | TN_JEQ | TN_K, TN_R5, 0, 2, 0);
		emit(g, TN_ALU64 | TN_AND | TN_K, r, 0, 0, 15);
		around = branch(g);
	}
	if (gen_chance(g, 40))
		add_imm(g, TN_R5, jitter(g, -(int32_t)size));
	if (gen_chance(g, 50)) {
		mov(g, TN_R1, r);
		add_imm(g, TN_R1, jitter(g, off + (int32_t)size));
		at = g->nr;
		jump_reg(g, 20, TN_JGT, TN_JGE, TN_R1, TN_R5);
		at2 = g->nr;
		emit(g, TN_JMP | TN_JGT | TN_K, r, 0, 0, risky(g, 80) ? gen_constant(g) : 70);
	} else {
		at = g->nr;
		jump_reg(g, 20, TN_JGE, TN_JSGE, r, TN_R5);
		if (!risky(g, 40)) {
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
	bool down = gen_chance(g, 40);

	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R6, 8, 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
	skip = g->nr;
	emit(g, TN_JMP | TN_JEQ | TN_K, TN_R5, 0, 0, 0);
	if (down)
		mov(g, r, TN_R5);
	else
		emit(g, TN_ALU64 | TN_MOV | TN_K, r, 0, 0, (int32_t)gen_below(g, 2));
	head = g->nr;
	if (down)
		add_imm(g, r, risky(g, 10) ? -2 : -1);
	mov(g, TN_R1, TN_R4);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R1, r, 0, 0);
	emit(g, TN_LDX | TN_MEM | TN_B, TN_R2, TN_R1, risky(g, 10) ? 1 : 0, 0);
	if (gen_chance(g, 30))
		gen_alu(g);
	if (!down)
		add_imm(g, r, risky(g, 10) ? 2 : 1);
	end = g->nr;
	if (down)
		emit(g, TN_JMP | (gen_chance(g, 80) ? TN_JNE : TN_JSGT) | TN_K, r, 0, 0, 0);
	else
		jump_reg(g, 20, gen_chance(g, 50) ? TN_JNE : TN_JLT, TN_JLE, r, TN_R5);
	if (end < g->nr)
		g->v[end].off = (int16_t)((int32_t)head - (int32_t)end - 1);
	patch_here(g, skip);
}

/* begin and end, or the packet. */
static void gen_ends(struct gen *g)
{
	uint32_t r = number(g), size = 1u << gen_below(g, 3), at;
	uint8_t load = TN_LDX | TN_MEM | (g->packet ? TN_W : TN_DW);
	int32_t off = (int32_t)gen_below(g, 3);

	emit(g, load, TN_R4, TN_R6, g->packet ? 0 : 40, 0);
	emit(g, load, TN_R5, TN_R6, g->packet ? 4 : 48, 0);
	if (gen_chance(g, 60)) {
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
	if (g->packet || gen_chance(g, 40))
		gen_ends(g);
	else if (gen_chance(g, 65))
		gen_sized(g);
	else
		gen_sized_loop(g);
}

/* ---- The stack ---- */

/* What the slots hold is known to the generator only roughly: -8 .. -48 numbers, -56 a pointer. */
static void gen_spill(struct gen *g)
{
	int32_t at = -8 * (int32_t)(1 + gen_below(g, 6));
	uint32_t size = 1u << gen_below(g, 4),
		 back = gen_chance(g, 60) ? size : 1u << gen_below(g, 4);
	int32_t in = (int32_t)(gen_below(g, 8 / size) * size);
	int32_t out = gen_chance(g, 70) ? in : (int32_t)(gen_below(g, 8 / back) * back);

	if (gen_chance(g, 20)) {
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R8, -56, 0);
		if (risky(g, 15))
			emit(g, TN_ST | TN_MEM | gen_size_code(size), TN_R10, 0, -56 + in,
			     gen_constant(g));
		gen_alu(g);
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R8, TN_R10, -56, 0);
		return;
	}
	if (gen_chance(g, 85))
		emit(g, TN_STX | TN_MEM | gen_size_code(size), TN_R10, number(g), at + in, 0);
	else
		emit(g, TN_ST | TN_MEM | gen_size_code(size), TN_R10, 0, at + in,
		     gen_chance(g, 50) ? 0 : gen_constant(g));
	if (gen_chance(g, 60))
		gen_alu(g);
	if (gen_chance(g, 40))
		gen_if(g, 0);
	out -= out % (int32_t)back;
	emit(g,
	     (gen_chance(g, 85) || back == 8 ? TN_LDX | TN_MEM : TN_LDX | TN_MEMSX) |
		     gen_size_code(back),
	     number(g), TN_R10, at + out, 0);
}

/* A number checked after a copy of it was spilled: what is read back is checked, too. */
static void gen_spill_then_check(struct gen *g)
{
	uint32_t a = number(g), b = number(g), skip;
	int32_t at = -8 * (int32_t)(1 + gen_below(g, 6));
	uint32_t wide = gen_chance(g, 75) ? 8 : 4;

	emit(g, TN_STX | TN_MEM | gen_size_code(wide), TN_R10, a, at, 0);
	if (gen_chance(g, 25))
		emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_ADD | TN_X, a, a, 0, 0);
	if (gen_chance(g, 25)) {
		/* Cut off: what is learnt about the whole says nothing about it. */
		emit(g, TN_LDX | TN_MEM | gen_size_code(wide >> (1 + gen_below(g, 2))), b, TN_R10,
		     at, 0);
		skip = guard(g, gen_chance(g, 50) ? a : b, gen_constant(g) & 0xffff);
	} else {
		skip = guard(g, a, 56);
		emit(g, TN_LDX | TN_MEM | gen_size_code(wide), b, TN_R10, at, 0);
		mov(g, TN_R4, TN_R8);
		emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, b, 0, 0);
		touch(g, 0, 8);
	}
	if (skip != UINT32_MAX)
		patch_here(g, skip);
}

/* A multiple of a number, and a check of one of the two. */
static void gen_scaled(struct gen *g)
{
	uint32_t a = gen_chance(g, 50) ? TN_R7 : TN_R9, skip;
	int32_t times = 2 + (int32_t)gen_below(g, 7);
	bool check_a = gen_chance(g, 60);

	mov(g, TN_R1, a);
	if (gen_chance(g, 50))
		emit(g, TN_ALU64 | TN_MUL | TN_K, TN_R1, 0, 0, times);
	else
		emit(g, TN_ALU64 | TN_LSH | TN_K, TN_R1, 0, 0, 1 + (int32_t)gen_below(g, 3));
	if (gen_chance(g, 30))
		add_imm(g, TN_R1, gen_constant(g));
	skip = g->nr;
	emit(g, TN_JMP | (gen_chance(g, 70) ? TN_JGT : TN_JGE) | TN_K, check_a ? a : TN_R1, 0, 0,
	     check_a ? 7 : 56);
	if (check_a)
		mov(g, TN_R2, TN_R1);
	else
		mov(g, TN_R2, a);
	patch_here(g, skip);
}

/* More paths than are kept apart, which differ in numbers, in the stack and in what is equal. */
static void gen_many_paths(struct gen *g)
{
	emit(g, TN_ST | TN_MEM | TN_DW, TN_R10, 0, -8, gen_constant(g));
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t over = g->nr, pick = gen_below(g, 4);

		emit(g, TN_JMP | TN_JSET | TN_K, TN_R9, 0, 0, 1 << i);
		if (pick == 0)
			emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R7, 0, 0, gen_constant(g));
		else if (pick == 1)
			emit(g, TN_ST | TN_MEM | TN_DW, TN_R10, 0, -8, gen_constant(g));
		else if (pick == 2)
			emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, gen_chance(g, 50) ? TN_R7 : TN_R3,
			     -8, 0);
		else
			mov(g, TN_R2, gen_chance(g, 50) ? TN_R3 : TN_R7);
		patch_here(g, over);
	}
	if (gen_chance(g, 50))
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R0, TN_R10, -8, 0);
}

/* Somewhere in the 64 lowest bytes of the stack, and then what stood there. */
static void gen_stack_at(struct gen *g)
{
	uint32_t r = number(g), size = 1u << gen_below(g, 4), skip;

	if (gen_chance(g, 30))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, risky(g, 30) ? TN_R8 : number(g),
		     -64 + 8 * (int32_t)gen_below(g, 8), 0);
	skip = guard(g, r, jitter(g, 64 - (int32_t)size));
	mov(g, TN_R4, TN_R10);
	add_imm(g, TN_R4, -64);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, r, 0, 0);
	touch(g, 0, size);
	emit(g, TN_LDX | TN_MEM | gen_size_code(1u << gen_below(g, 4)), number(g), TN_R10,
	     -64 + 8 * (int32_t)gen_below(g, 8), 0);
	if (skip != UINT32_MAX)
		patch_here(g, skip);
}

static void gen_atomic(struct gen *g)
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
	uint8_t size = gen_chance(g, 50) ? TN_W : TN_DW;
	bool stack = gen_chance(g, 50);
	int32_t at = 8 * (int32_t)gen_below(g, 6);

	emit(g, TN_STX | TN_ATOMIC | size, stack ? TN_R10 : TN_R8, number(g), stack ? -8 - at : at,
	     ops[gen_below(g, TN_ARRAY_SIZE(ops))]);
}

/* ---- Loops ---- */

static void close_loop(struct gen *g, uint32_t head, uint32_t latch)
{
	if (latch < g->nr)
		g->v[latch].off = (int16_t)((int32_t)head - (int32_t)latch - 1);
}

static void gen_loop_up(struct gen *g, int depth)
{
	uint32_t r = caller_saved_number(g), head, latch;
	int32_t step = (int32_t)gen_below(g, 3) + 1;

	emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_MOV | TN_K, r, 0, 0,
	     (int32_t)gen_below(g, 4));
	head = g->nr;
	gen_any(g, depth);
	emit(g, (gen_chance(g, 70) ? TN_ALU64 : TN_ALU) | TN_ADD | TN_K, r, 0, 0, step);
	latch = g->nr;
	if (gen_chance(g, 60))
		emit(g, (gen_chance(g, 50) ? TN_JMP : TN_JMP32) | TN_JLT | TN_K, r, 0, 0,
		     (int32_t)gen_below(g, 40));
	else
		emit(g, TN_JMP | TN_JLT | TN_X, r, number(g), 0, 0);
	close_loop(g, head, latch);
}

static void gen_loop_down(struct gen *g, int depth)
{
	uint32_t r = caller_saved_number(g), head, latch;

	if (gen_chance(g, 50))
		emit(g, TN_ALU64 | TN_MOV | TN_K, r, 0, 0, 1 + (int32_t)gen_below(g, 30));
	else
		emit(g, TN_ALU64 | TN_AND | TN_K, r, 0, 0, 31);
	head = g->nr;
	gen_any(g, depth);
	add_imm(g, r, gen_chance(g, 80) ? -1 : -2);
	latch = g->nr;
	emit(g,
	     (gen_chance(g, 70) ? TN_JMP : TN_JMP32) | (gen_chance(g, 60) ? TN_JSGT : TN_JNE) |
		     TN_K,
	     r, 0, 0, gen_chance(g, 80) ? 0 : 1);
	close_loop(g, head, latch);
}

/* Tested at the top; all 64 bytes of the value, or those below an unknown bound. */
static void gen_loop_scan(struct gen *g)
{
	uint32_t r = caller_saved_number(g), size = 1u << gen_below(g, 4), head, out,
		 out2 = UINT32_MAX;
	int32_t step = gen_chance(g, 70) ? (int32_t)size : 1, end = jitter(g, 64);

	emit(g, TN_ALU64 | TN_MOV | TN_K, r, 0, 0,
	     gen_chance(g, 80) ? 0 : (int32_t)gen_below(g, 8));
	head = g->nr;
	out = g->nr;
	emit(g,
	     (gen_chance(g, 60) ? TN_JMP : TN_JMP32) | (gen_chance(g, 70) ? TN_JGE : TN_JGT) | TN_K,
	     r, 0, 0, end - (gen_chance(g, 50) ? (int32_t)size - 1 : 0));
	if (gen_chance(g, 30)) {
		out2 = g->nr;
		emit(g, TN_JMP | TN_JGE | TN_X, r, TN_R3, 0, 0);
	}
	mov(g, TN_R4, TN_R8);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, r, 0, 0);
	touch(g, 0, size);
	if (gen_chance(g, 30))
		gen_spill(g);
	add_imm(g, r, step);
	emit(g, TN_JMP | TN_JA, 0, 0, (int32_t)head - (int32_t)g->nr - 1, 0);
	patch_here(g, out);
	if (out2 != UINT32_MAX)
		patch_here(g, out2);
}

/* Ends when the data say so. */
static void gen_loop_search(struct gen *g, int depth)
{
	uint32_t head = g->nr, latch;

	if (gen_chance(g, 40) && !g->plain)
		emit(g, TN_JMP | TN_JCOND, 0, 0, 1, 0);
	gen_any(g, depth);
	emit(g, TN_ALU64 | TN_MUL | TN_K, TN_R9, 0, 0, 3);
	add_imm(g, TN_R9, 1);
	latch = g->nr;
	emit(g, TN_JMP | TN_JSET | TN_K, TN_R9, 0, 0, 7);
	close_loop(g, head, latch);
}

static void gen_loop(struct gen *g, int depth)
{
	uint32_t pick = gen_below(g, 10);

	if (pick < 4)
		gen_loop_up(g, depth);
	else if (pick < 6)
		gen_loop_down(g, depth);
	else if (pick < 9)
		gen_loop_scan(g);
	else
		gen_loop_search(g, depth);
}

/* ---- Helpers ---- */

/* r0: an element of `map`, or NULL. The key is at -4. */
void gen_look_up(struct gen *g, uint32_t map)
{
	if (gen_chance(g, 40))
		emit(g, TN_ST | TN_MEM | TN_W, TN_R10, 0, -4, (int32_t)gen_below(g, 6));
	else
		emit(g, TN_STX | TN_MEM | TN_W, TN_R10, number(g), -4, 0);
	mov(g, TN_R2, TN_R10);
	add_imm(g, TN_R2, -4);
	emit_lddw(g, TN_R1, TN_LDDW_MAP, (int32_t)map, 0);
	emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_map_lookup_elem);
}

static void gen_lookup(struct gen *g)
{
	uint32_t map = gen_below(g, 3), at = UINT32_MAX;

	gen_look_up(g, map);
	if (!risky(g, 10))
		at = null_check(g, TN_R0);
	mov(g, TN_R4, TN_R0);
	if (gen_chance(g, 30)) {
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R0, -56, 0);
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R10, -56, 0);
	}
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R0, 0, 0, gen_constant(g));
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, gen_constant(g));
	mov(g, TN_R3, TN_R7);
	touch(g, 4 * (int32_t)gen_below(g, 4), 4);
	if (at != UINT32_MAX)
		patch_here(g, at);
	numbers_again(g);
}

/* Two elements: each needs its own test. */
static void gen_two_lookups(struct gen *g)
{
	uint32_t first, second = UINT32_MAX, map = gen_below(g, 3);

	gen_look_up(g, map);
	emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R0, -56, 0);
	numbers_again(g);
	gen_look_up(g, gen_chance(g, 50) ? map : gen_below(g, 3));
	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R10, -56, 0);
	first = null_check(g, risky(g, 20) ? TN_R0 : TN_R4);
	if (!risky(g, 20))
		second = null_check(g, TN_R0);
	if (gen_chance(g, 30))
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R10, -56, 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R2, TN_R4, 4 * (int32_t)gen_below(g, 4), 0);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R3, TN_R0, 4 * (int32_t)gen_below(g, 4), 0);
	patch_here(g, first);
	if (second != UINT32_MAX)
		patch_here(g, second);
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R9, TN_R8, 0, 0);
	numbers_again(g);
}

/* A record: written within its bounds, given back on every way out; at times once too often. */
static void gen_record(struct gen *g)
{
	int32_t size = 8 + 8 * (int32_t)gen_below(g, 3), at;
	uint32_t skip;
	bool kept;

	emit_lddw(g, TN_R1, TN_LDDW_MAP, GEN_RING, 0);
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, size);
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R3, 0, 0, 0);
	emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_ringbuf_reserve);
	skip = null_check(g, TN_R0);
	mov(g, TN_R4, TN_R0);
	at = jitter(g, (int32_t)gen_below(g, (uint32_t)size / 4) * 4);
	emit(g, TN_STX | TN_MEM | TN_W, TN_R4, TN_R7, at, 0);
	if (gen_chance(g, 30)) {
		emit(g, TN_ALU64 | TN_AND | TN_K, TN_R7, 0, 0, size - 1);
		emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, TN_R7, 0, 0);
		emit(g, TN_ST | TN_MEM | TN_B, TN_R4, 0, 0, gen_constant(g));
	}
	kept = gen_chance(g, 30);
	if (kept)
		mov(g, TN_R9, TN_R0);
	mov(g, TN_R1, TN_R0);
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, 0);
	if (!risky(g, 10))
		emit(g, TN_JMP | TN_CALL, 0, 0, 0,
		     gen_chance(g, 50) ? TN_HELPER_ringbuf_submit : TN_HELPER_ringbuf_discard);
	if (kept && risky(g, 30)) {
		mov(g, TN_R1, TN_R9);
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, 0);
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_ringbuf_discard);
	}
	patch_here(g, skip);
	numbers_again(g);
}

/* The host's functions: something to release, memory that they fill, a context that they move. */
static void gen_host(struct gen *g)
{
	uint32_t pick = gen_below(g, 10), skip;
	int32_t size = 1 + (int32_t)gen_below(g, 16);
	bool kept;

	if (pick < 4) {
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_OPEN);
		skip = null_check(g, TN_R0);
		mov(g, TN_R1, TN_R0);
		kept = gen_chance(g, 30);
		if (kept)
			mov(g, TN_R9, TN_R0);
		if (!risky(g, 10))
			emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_CLOSE);
		if (kept && risky(g, 30)) {
			mov(g, TN_R1, TN_R9);
			emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_CLOSE);
		}
		patch_here(g, skip);
		mov(g, TN_R9, TN_R7);
	} else if (pick < 7) {
		mov(g, TN_R1, TN_R10);
		add_imm(g, TN_R1, jitter(g, -8 * (1 + (int32_t)gen_below(g, 7))));
		if (gen_chance(g, 50)) {
			mov(g, TN_R2, TN_R7);
			emit(g, TN_ALU64 | TN_AND | TN_K, TN_R2, 0, 0, risky(g, 50) ? 63 : 7);
			add_imm(g, TN_R2, 1);
		} else {
			emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, size);
		}
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_FILL);
	} else {
		mov(g, TN_R1, TN_R6);
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_MOVE);
	}
	numbers_again(g);
}

/* A pointer into the packet that is kept while the host moves it. */
static void gen_stale(struct gen *g)
{
	uint8_t load = TN_LDX | TN_MEM | (g->packet ? TN_W : TN_DW);
	uint32_t at;

	emit(g, load, TN_R9, TN_R6, g->packet ? 0 : 40, 0);
	emit(g, load, TN_R5, TN_R6, g->packet ? 4 : 48, 0);
	mov(g, TN_R4, TN_R9);
	add_imm(g, TN_R4, 8);
	at = g->nr;
	emit(g, TN_JMP | TN_JGT | TN_X, TN_R4, TN_R5, 0, 0);
	mov(g, TN_R1, TN_R6);
	if (gen_chance(g, 60))
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_MOVE);
	else
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_ktime_get_ns);
	if (!risky(g, 50)) {
		emit(g, load, TN_R9, TN_R6, g->packet ? 0 : 40, 0);
		emit(g, load, TN_R5, TN_R6, g->packet ? 4 : 48, 0);
		mov(g, TN_R4, TN_R9);
		add_imm(g, TN_R4, 8);
		emit(g, TN_JMP | TN_JGT | TN_X, TN_R4, TN_R5, 1, 0);
	}
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R2, TN_R9, 4 * (int32_t)gen_below(g, 2), 0);
	patch_here(g, at);
	mov(g, TN_R9, TN_R7);
	numbers_again(g);
}

/* An index checked against the length, before the host changes both buffer and length. */
static void gen_stale_index(struct gen *g)
{
	uint32_t at, at2 = UINT32_MAX;

	if (g->packet)
		return;
	emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
	at = g->nr;
	emit(g, TN_JMP | TN_JGE | TN_X, TN_R7, TN_R5, 0, 0);
	mov(g, TN_R1, TN_R6);
	emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_MOVE);
	if (!risky(g, 60)) {
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R5, TN_R6, 16, 0);
		at2 = g->nr;
		emit(g, TN_JMP | TN_JGE | TN_X, TN_R7, TN_R5, 0, 0);
	}
	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R6, 8, 0);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, TN_R7, 0, 0);
	emit(g, TN_LDX | TN_MEM | TN_B, TN_R9, TN_R4, 0, 0);
	patch_here(g, at);
	if (at2 != UINT32_MAX)
		patch_here(g, at2);
	numbers_again(g);
}

static void gen_ctx_write(struct gen *g)
{
	bool wide = gen_chance(g, 40);

	if (g->packet)
		return;
	emit(g, TN_STX | TN_MEM | (wide ? TN_DW : TN_W), TN_R6, number(g),
	     wide	    ? 88
	     : risky(g, 60) ? 0
			    : 4,
	     0);
}

/* ---- Calls of the subprograms that stand behind the main program; patched at the end ---- */

enum { CALL_FUNC = 0x7001, CALL_BACK = 0x7002 };

static void gen_call(struct gen *g)
{
	if (g->plain || gen_chance(g, 60)) {
		g->calls = true;
		mov(g, TN_R1, number(g));
		mov(g, TN_R2, TN_R10);
		add_imm(g, TN_R2, -64);
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_LOCAL, 0, CALL_FUNC);
		if (gen_chance(g, 40))
			mov(g, TN_R7, TN_R0);
	} else {
		g->calls_back = true;
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R1, 0, 0, 1 + (int32_t)gen_below(g, 20));
		emit_lddw(g, TN_R2, TN_LDDW_FUNC, CALL_BACK, 0);
		mov(g, TN_R3, TN_R10);
		add_imm(g, TN_R3, -64);
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R4, 0, 0, 0);
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, TN_HELPER_loop);
	}
	numbers_again(g);
}

static void gen_helper(struct gen *g)
{
	uint32_t pick = gen_below(g, 10);

	if (pick < 4)
		gen_lookup(g);
	else if (pick < 6)
		gen_two_lookups(g);
	else if (pick < 7 && !g->plain)
		gen_record(g);
	else if (pick < 8 && !g->plain)
		gen_host(g);
	else if (pick < 9 && !g->plain)
		gen_chance(g, 50) ? gen_stale(g) : gen_stale_index(g);
	else
		gen_call(g);
}

void gen_any(struct gen *g, int depth)
{
	uint32_t n = 1 + gen_below(g, 4);

	for (uint32_t i = 0; i < n && g->nr < GEN_MAX_INSNS - 120; i++) {
		uint32_t pick = gen_below(g, 100);

		if (g->constructs && depth > 0 && gen_chance(g, 25))
			gen_construct(g, depth - 1);
		else if (pick < 30 || depth <= 0)
			gen_alu(g);
		else if (pick < 43)
			gen_if(g, depth - 1);
		else if (pick < 55)
			gen_index(g);
		else if (pick < 66)
			gen_region(g);
		else if (pick < 74)
			gen_spill(g);
		else if (pick < 76)
			gen_spill_then_check(g);
		else if (pick < 77)
			gen_many_paths(g);
		else if (pick < 80)
			gen_stack_at(g);
		else if (pick < 83)
			gen_atomic(g);
		else if (pick < 88)
			gen_loop(g, depth - 1);
		else if (pick < 90)
			gen_chance(g, 60) ? gen_ctx_write(g) : gen_scaled(g);
		else
			gen_helper(g);
	}
}

static void gen_main(struct gen *g)
{
	mov(g, TN_R6, TN_R1);
	if (g->packet) {
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, 7); /* get_prandom_u32 */
		mov(g, TN_R9, TN_R0);
		emit(g, TN_ALU64 | TN_LSH | TN_K, TN_R9, 0, 0, 32 * (int32_t)gen_below(g, 2));
		emit(g, TN_JMP | TN_CALL, 0, 0, 0, 7);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R7, TN_R6, 16, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R3, TN_R6, 12, 0);
	} else {
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R7, TN_R6, 0, 0);
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R9, TN_R6, 88, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R0, TN_R6, 4, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R3, TN_R6, 16, 0);
	}
	emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R2, 0, 0, gen_constant(g));
	emit_lddw(g, TN_R8, TN_LDDW_MAP_VALUE, GEN_ONE, 0);
	for (int i = 0; i < 3; i++)
		gen_any(g, 3);
	emit(g, TN_ALU64 | TN_MOV | TN_X, TN_R0, number(g), 0, 0);
	emit(g, TN_JMP | TN_EXIT, 0, 0, 0, 0);
}

/* r1 a number, in a callback the number of the round; r2 a pointer to 64 bytes of the caller's
 * stack. */
static void gen_function(struct gen *g, bool callback)
{
	uint32_t at;

	mov(g, TN_R7, TN_R1);
	if (callback && gen_chance(g, 40)) {
		/* One byte a round, up to one too many. */
		mov(g, TN_R4, TN_R2);
		emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, TN_R1, 0, 0);
		emit(g, TN_STX | TN_MEM | TN_B, TN_R4, TN_R1,
		     44 + (risky(g, 50) ? (int32_t)gen_below(g, 4) : 0), 0);
	}
	if (gen_chance(g, 70))
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R0, TN_R2, 8 * (int32_t)gen_below(g, 3), 0);
	else
		mov(g, TN_R0, TN_R1);
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R0, TN_R1, 0, 0);
	if (gen_chance(g, 60))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R2, TN_R0, 8 * (int32_t)gen_below(g, 3), 0);
	at = g->nr;
	emit(g, condition(g), TN_R7, 0, 0, gen_constant(g));
	if (gen_chance(g, 50))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R7, -16, 0);
	emit(g, TN_ST | TN_MEM | TN_W, TN_R2, 0, 8, gen_constant(g));
	patch_here(g, at);
	if (callback)
		emit(g, TN_ALU64 | TN_MOV | TN_K, TN_R0, 0, 0, gen_chance(g, 90) ? 0 : 1);
	else if (gen_chance(g, 30))
		emit(g, TN_ALU64 | TN_AND | TN_K, TN_R0, 0, 0, gen_constant(g));
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

void gen_program(struct gen *g, uint64_t seed)
{
	uint32_t func, back;

	g->seed = seed * 0x9e3779b97f4a7c15ull + 1;
	g->nr = 0;
	g->calls = g->calls_back = false;
	g->places = 0;
	for (int i = 0; i < 4; i++)
		gen_random(g);
	g->risk = gen_chance(g, 50) ? 0 : gen_below(g, 101);
	gen_main(g);
	func = g->nr;
	if (g->calls)
		gen_function(g, false);
	back = g->nr;
	if (g->calls_back)
		gen_function(g, true);
	link_calls(g, func, back);
	for (uint32_t n = risky(g, 60) ? 1 + gen_below(g, 2) : 0; n; n--)
		gen_mutate(g);
}
