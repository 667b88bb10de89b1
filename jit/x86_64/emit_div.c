/* SPDX-License-Identifier: MIT */
/* Division. The machine traps where eBPF does not, is slow, and wants its operands in rax and rdx;
 * by constants a multiplication serves. */
#include "jit/x86_64/emit.h"

__extension__ typedef unsigned __int128 uint128;

/* ---- By a register: rdx:rax by one that is neither ---- */

struct division {
	bool w, is_signed, is_mod, is_imm;
	uint8_t dst, by;
	int32_t imm;
};

/* Frees rax and rdx, puts the dividend into rax, and says where the divisor stands. r11 keeps rax
 * and r10 rdx, unless they are the destination. */
static uint8_t division_begin(struct tn_emit *e, const struct division *d)
{
	uint8_t by = d->by;

	tn_x86_mov_rr(e->b, true, R11, RAX);
	if (d->dst != RDX || (!d->is_imm && by == RDX))
		tn_x86_mov_rr(e->b, true, R10, RDX);
	if (d->is_imm) {
		/* The destination's old place is free once it stands in rax; rax and rdx are
		 * not, but then their copies need no keeping. */
		by = d->dst == RAX ? R11 : d->dst == RDX ? R10 : d->dst;
		if (d->dst != RAX)
			tn_x86_mov_rr(e->b, d->w, RAX, d->dst);
		tn_x86_mov_ri(e->b, by, d->w ? (uint64_t)(int64_t)d->imm : (uint32_t)d->imm);
		return by;
	}
	if (d->dst != RAX)
		tn_x86_mov_rr(e->b, d->w, RAX, d->dst);
	return by == RAX ? R11 : by == RDX ? R10 : by;
}

static void division_end(struct tn_emit *e, const struct division *d)
{
	uint8_t result = d->is_mod ? RDX : RAX;

	if (result != d->dst)
		tn_x86_mov_rr(e->b, d->w, d->dst, result);
	if (d->dst != RAX)
		tn_x86_mov_rr(e->b, true, RAX, R11);
	if (d->dst != RDX)
		tn_x86_mov_rr(e->b, true, RDX, R10);
}

static void divide_now(struct tn_emit *e, const struct division *d, uint8_t by)
{
	if (d->is_signed)
		tn_x86_cqo(e->b, d->w);
	else
		tn_x86_mov_ri(e->b, RDX, 0);
	tn_x86_unary(e->b, d->is_signed ? X86_IDIV : X86_DIV, d->w, by);
}

/* RFC 9669 4.1: by zero gives 0, or the dividend for mod; the most negative number by -1 gives
 * itself, or 0 for mod, where the machine would trap. */
static void emit_division(struct tn_emit *e, const struct division *d)
{
	uint8_t by = division_begin(e, d);
	uint32_t zero = 0, minus_one = 0, end_zero, end_minus = 0;
	bool test_zero = !d->is_imm, test_minus = d->is_signed && !d->is_imm;

	if (test_zero) {
		tn_x86_test_rr(e->b, d->w, by, by);
		zero = tn_x86_jcc8(e->b, CC_E);
	}
	if (test_minus) {
		tn_x86_alu_ri(e->b, X86_CMP, d->w, by, -1);
		minus_one = tn_x86_jcc8(e->b, CC_E);
	}
	divide_now(e, d, by);
	if (test_minus) {
		end_minus = tn_x86_jmp8(e->b);
		tn_x86_here(e->b, minus_one);
		if (d->is_mod)
			tn_x86_mov_ri(e->b, RDX, 0);
		else
			tn_x86_unary(e->b, X86_NEG, d->w, RAX);
	}
	if (test_zero) {
		end_zero = tn_x86_jmp8(e->b);
		tn_x86_here(e->b, zero);
		if (d->is_mod)
			tn_x86_mov_rr(e->b, d->w, RDX, RAX);
		else
			tn_x86_mov_ri(e->b, RAX, 0);
		tn_x86_here(e->b, end_zero);
	}
	if (test_minus)
		tn_x86_here(e->b, end_minus);
	division_end(e, d);
}

/* ---- By a constant: a multiplication with its reciprocal ---- */

/* n / d = (n * (2^64 * add + magic)) >> 64 >> shift */
struct reciprocal {
	uint64_t magic;
	uint8_t shift;
	bool add;
};

/*
 * For n below 2^32 rounding 2^64 / d up is exact enough. For 64 bits see Granlund and Montgomery,
 * "Division by Invariant Integers using Multiplication" (1994), theorem 4.2: with l = ceil(log2 d),
 * m = ceil(2^(64 + l) / d) always is, but has 65 bits; where one bit less will do, m has 64.
 */
static struct reciprocal reciprocal_of(uint64_t d, bool w)
{
	struct reciprocal r = { 0 };
	uint128 power, m;

	if (!w) {
		r.magic = UINT64_MAX / d + 1;
		return r;
	}
	r.shift = (uint8_t)(63 - __builtin_clzll(d)); /* l - 1: d is no power of two */
	power = (uint128)1 << (64 + r.shift);
	m = power / d + 1;
	if (m * d - power > (uint64_t)1 << r.shift) {
		/* One bit more: 2 * power does not fit for the largest d, its remainder does. */
		uint128 rest = power % d * 2;

		m = power / d * 2 + rest / d + 1;
		r.add = true;
	}
	r.magic = (uint64_t)m;
	return r;
}

/* r11 = the quotient of n in rdx; changes rdx where r.add. */
static void multiply_reciprocal(struct tn_emit *e, const struct reciprocal *r)
{
	tn_x86_mov_ri(e->b, R11, r->magic);
	tn_x86_mulx_high(e->b, true, R11, R11);
	if (r->add) {
		/* (n + t) / 2 without the carry: (n - t) / 2 + t */
		tn_x86_alu_rr(e->b, X86_SUB, true, RDX, R11);
		tn_x86_shift_ri(e->b, X86_SHR, true, RDX, 1);
		tn_x86_alu_rr(e->b, X86_ADD, true, R11, RDX);
	}
	if (r->shift)
		tn_x86_shift_ri(e->b, X86_SHR, true, R11, r->shift);
}

static void divide_by_constant(struct tn_emit *e, const struct division *d, uint64_t by)
{
	struct reciprocal r = reciprocal_of(by, d->w);

	/* r10 keeps rdx, or the dividend if that is where it stands. */
	tn_x86_mov_rr(e->b, true, R10, RDX);
	if (!d->w || d->dst != RDX)
		tn_x86_mov_rr(e->b, d->w, RDX, d->dst);
	multiply_reciprocal(e, &r);
	if (!d->is_mod) {
		tn_x86_mov_rr(e->b, d->w, d->dst, R11);
		if (d->dst != RDX)
			tn_x86_mov_rr(e->b, true, RDX, R10);
		return;
	}
	tn_x86_imul_rri(e->b, d->w, R11, R11, d->imm);
	tn_x86_mov_rr(e->b, true, RDX, R10);
	tn_x86_alu_rr(e->b, X86_SUB, d->w, d->dst, R11);
}

static void divide_by_power(struct tn_emit *e, const struct division *d, uint8_t n)
{
	if (!d->is_mod && n)
		tn_x86_shift_ri(e->b, X86_SHR, d->w, d->dst, n);
	else if (d->is_mod && n < 32)
		tn_x86_alu_ri(e->b, X86_AND, false, d->dst, (int32_t)((1u << n) - 1));
	else if (!d->w)
		tn_x86_mov_rr(e->b, false, d->dst, d->dst);
}

static bool emit_constant(struct tn_emit *e, const struct division *d)
{
	uint64_t by = d->w ? (uint64_t)(int64_t)d->imm : (uint32_t)d->imm;

	if (by == 0) {
		if (!d->is_mod)
			tn_x86_mov_ri(e->b, d->dst, 0);
		else if (!d->w)
			tn_x86_mov_rr(e->b, false, d->dst, d->dst);
	} else if (d->is_signed && d->imm == -1) {
		if (d->is_mod)
			tn_x86_mov_ri(e->b, d->dst, 0);
		else
			tn_x86_unary(e->b, X86_NEG, d->w, d->dst);
	} else if (d->is_signed) {
		return false;
	} else if (!(by & (by - 1)) && by <= 1u << 31) {
		divide_by_power(e, d, (uint8_t)__builtin_ctzll(by));
	} else if (by & (by - 1) && e->has_bmi2) {
		divide_by_constant(e, d, by);
	} else {
		return false;
	}
	return true;
}

void tn_emit_division(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	struct division d = {
		.w = w,
		.is_signed = insn->off == 1,
		.is_mod = TN_OP(insn->code) == TN_MOD,
		.is_imm = TN_SRC(insn->code) == TN_K,
		.dst = tn_reg(insn->dst),
		.by = tn_reg(insn->src),
		.imm = insn->imm,
	};

	if (!d.is_imm || !emit_constant(e, &d))
		emit_division(e, &d);
}
