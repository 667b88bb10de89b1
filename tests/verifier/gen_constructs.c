/* SPDX-License-Identifier: MIT */
/*
 * Constructs of their own kind, mostly as they should be: iterators, dynptrs, locks, constant maps,
 * maps in maps, may_goto, tail calls, exceptions, the arena. What stays in the stack stands below
 * the numbers of gen.c, each at a place of its own.
 */
#include "verifier/gen_parts.h"
#include "verifier/world.h"
#include "vm/helpers.h"
#include "vm/kfuncs.h"

#define FIRST_PLACE 80
#define LAST_PLACE  400

static void call(struct gen *g, uint32_t id)
{
	emit(g, TN_JMP | TN_CALL, 0, 0, 0, (int32_t)id);
}

static void set(struct gen *g, uint32_t dst, int32_t imm)
{
	emit(g, TN_ALU64 | TN_MOV | TN_K, dst, 0, 0, imm);
}

/* dst = r10 + at */
static void stack_address(struct gen *g, uint32_t dst, int32_t at)
{
	mov(g, dst, TN_R10);
	add_imm(g, dst, at);
}

/* Some of the stack, as an offset from its top; now and then somebody else's. */
static int32_t new_place(struct gen *g, uint32_t bytes)
{
	uint32_t at = g->places;

	if (FIRST_PLACE + at + bytes > LAST_PLACE || (at && risky(g, 5)))
		return -(int32_t)(FIRST_PLACE + bytes - 8);
	g->places += bytes;
	return -(int32_t)(FIRST_PLACE + at + bytes - 8);
}

/* A constant, or a number that is bounded somehow. */
static void some_number(struct gen *g, uint32_t dst, uint32_t below)
{
	if (gen_chance(g, 50)) {
		set(g, dst, (int32_t)gen_below(g, below + 1));
		return;
	}
	mov(g, dst, gen_chance(g, 50) ? TN_R7 : TN_R9);
	if (gen_chance(g, 70))
		emit(g, (gen_chance(g, 50) ? TN_ALU : TN_ALU64) | TN_AND | TN_K, dst, 0, 0,
		     gen_chance(g, 50) ? 7 : 31);
}

/* ---- Iterators ---- */

static void make_bits(struct gen *g, int32_t at)
{
	emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, gen_chance(g, 50) ? TN_R7 : TN_R9, -8, 0);
	stack_address(g, TN_R1, at);
	stack_address(g, TN_R2, -8);
	set(g, TN_R3, jitter(g, 1));
	call(g, TN_KFUNC_iter_bits_new);
}

static void make_numbers(struct gen *g, int32_t at)
{
	some_number(g, TN_R2, 3);
	some_number(g, TN_R3, 12);
	if (gen_chance(g, 40)) { /* more of them, or fewer */
		uint32_t over = g->nr;

		emit(g, condition(g), caller_saved_number(g), 0, 0, gen_constant(g));
		some_number(g, TN_R3, 12);
		patch_here(g, over);
	}
	stack_address(g, TN_R1, at);
	call(g, TN_KFUNC_iter_num_new);
}

static void ask(struct gen *g, int32_t at, bool bits)
{
	stack_address(g, TN_R1, at);
	call(g, bits ? TN_KFUNC_iter_bits_next : TN_KFUNC_iter_num_next);
}

/* In one way of two the iterator is asked once more, or ended already. */
static void disturb(struct gen *g, int32_t at, bool bits)
{
	uint32_t over = branch(g);

	if (gen_chance(g, 50)) {
		ask(g, at, bits);
	} else {
		stack_address(g, TN_R1, at);
		call(g, bits ? TN_KFUNC_iter_bits_destroy : TN_KFUNC_iter_num_destroy);
		if (!risky(g, 30)) {
			bits ? make_bits(g, at) : make_numbers(g, at);
		}
	}
	numbers_again(g);
	patch_here(g, over);
}

static void gen_iterator(struct gen *g, int depth)
{
	bool bits = gen_chance(g, 35);
	int32_t at = new_place(g, bits ? 16 : 8), kept = new_place(g, 8);
	uint32_t head, out, early = UINT32_MAX;

	bits ? make_bits(g, at) : make_numbers(g, at);
	numbers_again(g);
	if (gen_chance(g, 25))
		disturb(g, at, bits);
	head = g->nr;
	ask(g, at, bits);
	out = null_check(g, TN_R0);
	if (gen_chance(g, 60))
		emit(g, TN_LDX | TN_MEM | TN_W, caller_saved_number(g), TN_R0, risky(g, 10) ? 4 : 0,
		     0);
	if (gen_chance(g, 30))
		emit(g, TN_STX | TN_MEM | TN_DW, TN_R10, TN_R0, kept, 0);
	numbers_again(g);
	gen_any(g, depth);
	if (gen_chance(g, 30))
		early = branch(g);
	if (gen_chance(g, 25))
		disturb(g, at, bits);
	emit(g, TN_JMP | TN_JA, 0, 0, (int32_t)head - (int32_t)g->nr - 1, 0);
	patch_here(g, out);
	if (early != UINT32_MAX)
		patch_here(g, early);
	stack_address(g, TN_R1, at);
	if (!risky(g, 8))
		call(g, bits ? TN_KFUNC_iter_bits_destroy : TN_KFUNC_iter_num_destroy);
	if (risky(g, 15)) {
		emit(g, TN_LDX | TN_MEM | TN_DW, TN_R4, TN_R10, kept, 0);
		emit(g, TN_LDX | TN_MEM | TN_W, TN_R9, TN_R4, 0, 0);
	}
	numbers_again(g);
}

/* ---- Dynptrs ---- */

/* `size` bytes of it, somewhere; now and then more is touched. */
static void gen_slice(struct gen *g, int32_t at)
{
	int32_t size = 4 << gen_below(g, 3);
	uint32_t out;

	stack_address(g, TN_R1, at);
	some_number(g, TN_R2, 24);
	set(g, TN_R3, size);
	call(g, TN_HELPER_dynptr_data);
	out = null_check(g, TN_R0);
	mov(g, TN_R4, TN_R0);
	numbers_again(g);
	touch(g, jitter(g, size - 4), 4);
	patch_here(g, out);
}

static void gen_dynptr_use(struct gen *g, int32_t at)
{
	uint32_t pick = gen_below(g, 5);

	switch (pick) {
	case 0:
	case 1:
		gen_slice(g, at);
		break;
	case 2:
		stack_address(g, TN_R1, at);
		some_number(g, TN_R2, 24);
		stack_address(g, TN_R3, jitter(g, -32));
		set(g, TN_R4, jitter(g, 16));
		set(g, TN_R5, 0);
		call(g, TN_HELPER_dynptr_write);
		break;
	case 3:
		stack_address(g, TN_R1, jitter(g, -32));
		set(g, TN_R2, jitter(g, 16));
		stack_address(g, TN_R3, at);
		some_number(g, TN_R4, 24);
		set(g, TN_R5, 0);
		call(g, TN_HELPER_dynptr_read);
		break;
	default:
		stack_address(g, TN_R1, at);
		if (gen_chance(g, 50)) {
			call(g, TN_KFUNC_dynptr_size);
		} else {
			some_number(g, TN_R2, 8);
			some_number(g, TN_R3, 40);
			call(g, TN_KFUNC_dynptr_adjust);
		}
		mov(g, caller_saved_number(g), TN_R0);
	}
	numbers_again(g);
}

static void gen_dynptr_of_value(struct gen *g)
{
	int32_t at = new_place(g, 16);

	mov(g, TN_R1, TN_R8);
	set(g, TN_R2, jitter(g, gen_chance(g, 50) ? 64 : 24));
	set(g, TN_R3, 0);
	stack_address(g, TN_R4, at);
	call(g, TN_HELPER_dynptr_from_mem);
	numbers_again(g);
	for (uint32_t n = 1 + gen_below(g, 3); n; n--)
		gen_dynptr_use(g, at);
}

/* A slice of a record, at times kept over the record's end. */
static void gen_dynptr_of_record(struct gen *g)
{
	int32_t at = new_place(g, 16), size = 4 << gen_below(g, 3);
	uint32_t out, used = UINT32_MAX;
	bool kept = gen_chance(g, 40);

	emit_lddw(g, TN_R1, TN_LDDW_MAP, GEN_RING, 0);
	some_number(g, TN_R2, 48);
	set(g, TN_R3, 0);
	stack_address(g, TN_R4, at);
	call(g, TN_HELPER_ringbuf_reserve_dynptr);
	numbers_again(g);
	for (uint32_t n = gen_below(g, 3); n; n--)
		gen_dynptr_use(g, at);
	if (kept) {
		stack_address(g, TN_R1, at);
		set(g, TN_R2, 0);
		set(g, TN_R3, size);
		call(g, TN_HELPER_dynptr_data);
		out = null_check(g, TN_R0);
		mov(g, TN_R9, TN_R0);
		emit(g, TN_ST | TN_MEM | TN_W, TN_R9, 0, jitter(g, size - 4), 7);
		if (risky(g, 60)) { /* and after its end on this way alone */
			stack_address(g, TN_R1, at);
			set(g, TN_R2, 0);
			call(g, TN_HELPER_ringbuf_submit_dynptr);
			emit(g, TN_LDX | TN_MEM | TN_W, TN_R9, TN_R9, 0, 0);
			mov(g, TN_R9, TN_R7);
			numbers_again(g);
			used = g->nr;
			emit(g, TN_JMP | TN_JA, 0, 0, 0, 0);
		}
		patch_here(g, out);
	}
	stack_address(g, TN_R1, at);
	set(g, TN_R2, 0);
	if (!risky(g, 8))
		call(g, gen_chance(g, 50) ? TN_HELPER_ringbuf_submit_dynptr
					  : TN_HELPER_ringbuf_discard_dynptr);
	mov(g, TN_R9, TN_R7);
	numbers_again(g);
	if (used != UINT32_MAX)
		patch_here(g, used);
}

/* ---- Maps ---- */

/* A few accesses under a lock; on some of the ways it may be forgotten. */
static void gen_lock(struct gen *g)
{
	uint32_t out = UINT32_MAX, over = UINT32_MAX;

	if (gen_chance(g, 60)) {
		emit_lddw(g, TN_R9, TN_LDDW_MAP_VALUE, GEN_LOCKED, 0);
	} else {
		gen_look_up(g, GEN_LOCKED);
		out = null_check(g, TN_R0);
		mov(g, TN_R9, TN_R0);
	}
	mov(g, TN_R1, TN_R9);
	add_imm(g, TN_R1, 4);
	call(g, TN_HELPER_spin_lock);
	emit(g, TN_STX | TN_MEM | TN_W, TN_R9, TN_R7, 0, 0);
	emit(g, TN_LDX | TN_MEM | TN_DW, TN_R7, TN_R9, risky(g, 10) ? 0 : 8, 0);
	if (gen_chance(g, 60)) {
		over = g->nr;
		emit(g, TN_JMP | TN_JSET | TN_K, TN_R7, 0, 0, 1);
		emit(g, TN_ST | TN_MEM | TN_W, TN_R9, 0, 12, gen_constant(g));
		if (risky(g, 60)) { /* ends while it is held */
			set(g, TN_R0, 0);
			set(g, TN_R1, 0);
			if (gen_chance(g, 20))
				call(g, TN_KFUNC_throw);
			else
				emit(g, TN_JMP | TN_EXIT, 0, 0, 0, 0);
		}
		patch_here(g, over);
	}
	mov(g, TN_R1, TN_R9);
	add_imm(g, TN_R1, 4);
	if (!risky(g, 10))
		call(g, TN_HELPER_spin_unlock);
	if (out != UINT32_MAX)
		patch_here(g, out);
	mov(g, TN_R9, TN_R7);
	numbers_again(g);
}

static void gen_constant_map(struct gen *g)
{
	uint32_t r = number(g), size = 1u << gen_below(g, 4);

	emit(g, TN_ALU64 | TN_AND | TN_K, r, 0, 0, jitter(g, 31));
	emit_lddw(g, TN_R4, TN_LDDW_MAP_VALUE, GEN_CONST, (int32_t)gen_below(g, 16));
	emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, r, 0, 0);
	if (risky(g, 30))
		touch(g, 0, size);
	else
		emit(g, TN_LDX | TN_MEM | gen_size_code(size), number(g), TN_R4,
		     (int32_t)gen_below(g, 8), 0);
}

static void gen_inner_map(struct gen *g)
{
	uint32_t out, out2 = UINT32_MAX;

	gen_look_up(g, GEN_OUTER);
	out = null_check(g, TN_R0);
	mov(g, TN_R1, TN_R0);
	stack_address(g, TN_R2, -4);
	call(g, TN_HELPER_map_lookup_elem);
	if (!risky(g, 20))
		out2 = null_check(g, TN_R0);
	mov(g, TN_R4, TN_R0);
	numbers_again(g);
	touch(g, jitter(g, 4 * (int32_t)gen_below(g, 4)), 4);
	patch_here(g, out);
	if (out2 != UINT32_MAX)
		patch_here(g, out2);
	numbers_again(g);
}

static void gen_tail_call(struct gen *g)
{
	mov(g, TN_R1, TN_R6);
	emit_lddw(g, TN_R2, TN_LDDW_MAP, GEN_PROGS, 0);
	some_number(g, TN_R3, 3);
	call(g, TN_HELPER_tail_call);
	numbers_again(g);
}

/* Numbers as addresses of the arena; two pages of it may be there. */
static void gen_arena(struct gen *g)
{
	if (gen_chance(g, 40)) {
		emit_lddw(g, TN_R1, TN_LDDW_MAP, GEN_ARENA, 0);
		set(g, TN_R2, 0);
		set(g, TN_R3, 1);
		set(g, TN_R4, 0);
		set(g, TN_R5, 0);
		call(g, TN_KFUNC_arena_alloc_pages);
		mov(g, TN_R4, TN_R0);
		numbers_again(g);
	} else {
		mov(g, TN_R4, number(g));
	}
	if (!risky(g, 10))
		emit(g, TN_ALU64 | TN_MOV | TN_X, TN_R4, TN_R4, 1, TN_CAST_TO_ARENA);
	if (gen_chance(g, 50))
		emit(g, TN_ALU64 | TN_ADD | TN_X, TN_R4, number(g), 0, 0);
	touch(g, (int32_t)gen_below(g, 70), 1u << gen_below(g, 4));
}

/* ---- Ways ---- */

/* The program may end while it holds something, and without. */
static void gen_throw(struct gen *g)
{
	bool holds = gen_chance(g, 60);
	uint32_t skip = UINT32_MAX, over;

	if (holds) {
		emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_OPEN);
		skip = null_check(g, TN_R0);
		mov(g, TN_R9, TN_R0);
	}
	over = g->nr;
	emit(g, condition(g), TN_R7, 0, 0, gen_constant(g));
	set(g, TN_R1, gen_constant(g));
	call(g, TN_KFUNC_throw);
	patch_here(g, over);
	if (holds) {
		mov(g, TN_R1, TN_R9);
		if (!risky(g, 8))
			emit(g, TN_JMP | TN_CALL, 0, TN_CALL_EXTERN, 0, WORLD_CLOSE);
		patch_here(g, skip);
		mov(g, TN_R9, TN_R7);
	}
	numbers_again(g);
}

static void gen_may_goto(struct gen *g, int depth)
{
	uint32_t head = g->nr, out, early;

	out = g->nr;
	emit(g, TN_JMP | TN_JCOND, 0, 0, 0, 0);
	gen_any(g, depth);
	add_imm(g, TN_R7, 1 + (int32_t)gen_below(g, 3));
	early = g->nr;
	emit(g, TN_JMP | TN_JSET | TN_K, TN_R7, 0, 0, 1 << gen_below(g, 8));
	emit(g, TN_JMP | TN_JA, 0, 0, (int32_t)head - (int32_t)g->nr - 1, 0);
	patch_here(g, out);
	if (gen_chance(g, 90))
		patch_here(g, early);
}

void gen_construct(struct gen *g, int depth)
{
	uint32_t pick = gen_below(g, 100);

	if (g->nr > GEN_MAX_INSNS - 150)
		return;
	if (pick < 25)
		gen_iterator(g, depth);
	else if (pick < 34)
		gen_dynptr_of_value(g);
	else if (pick < 45)
		gen_dynptr_of_record(g);
	else if (pick < 60)
		gen_lock(g);
	else if (pick < 68)
		gen_constant_map(g);
	else if (pick < 76)
		gen_inner_map(g);
	else if (pick < 80)
		gen_tail_call(g);
	else if (pick < 85)
		gen_arena(g);
	else if (pick < 92)
		gen_throw(g);
	else
		gen_may_goto(g, depth);
}
