/* SPDX-License-Identifier: MIT */
/*
 * The store of waiting values: when they are computed, and into what code.
 *
 * A value that names the register of another must be computed before it. No cycle can arise: a new
 * value is only made of registers that do not wait (or of its own), and one that is handed on from
 * another register must pass tn_lazy_may_move().
 */
#include "jit/x86_64/emit.h"
#include "jit/x86_64/lazy.h"

static bool names(const struct tn_lazy *v, uint8_t reg)
{
	if (v->kind == TN_LAZY_SHIFT || v->kind == TN_LAZY_ROT)
		return v->src == reg;
	return v->m.base == reg || v->m.index == reg;
}

/* ---- Loads of any number of bytes ---- */

static void load_piece(struct tn_emit *e, uint8_t dst, struct tn_x86_mem m, uint8_t bytes,
		       bool is_be)
{
	if (!is_be || bytes == 1) {
		tn_x86_load(e->b, bytes, dst, m);
	} else if (bytes == 2) {
		tn_x86_load(e->b, 2, dst, m);
		tn_x86_rol16_ri(e->b, dst, 8);
	} else if (e->has_movbe) {
		tn_x86_movbe_load(e->b, bytes, dst, m);
	} else {
		tn_x86_load(e->b, bytes, dst, m);
		tn_x86_bswap(e->b, bytes == 8, dst);
	}
}

/* 3, 5, 6 or 7 bytes: pieces of 4, 2 and 1, put together in r10. */
static void load_pieces(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	uint8_t at = 0, left = v->bytes;

	while (left) {
		uint8_t piece = left >= 4 ? 4 : left >= 2 ? 2 : 1;
		uint8_t to = at ? R11 : R10;
		uint8_t up = (uint8_t)(8 * (v->is_be ? left - piece : at));
		struct tn_x86_mem m = v->m;

		m.disp += at;
		load_piece(e, to, m, piece, v->is_be);
		if (up)
			tn_x86_shift_ri(e->b, X86_SHL, true, to, up);
		if (at)
			tn_x86_alu_rr(e->b, X86_OR, true, R10, R11);
		at = (uint8_t)(at + piece);
		left = (uint8_t)(left - piece);
	}
	tn_x86_mov_rr(e->b, true, dst, R10);
}

static void compute_load(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	if (v->bytes & (v->bytes - 1))
		load_pieces(e, dst, v);
	else
		load_piece(e, dst, v->m, v->bytes, v->is_be);
	if (v->n)
		tn_x86_shift_ri(e->b, X86_SHL, v->n + 8 * v->bytes > 32, dst, v->n);
}

/* ---- Sums, shifts, rotates ---- */

static void compute_self_sum(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	if (v->m.index != TN_X86_NO_REG)
		tn_x86_alu_rr(e->b, X86_ADD, v->w, dst, v->m.index);
	else if (v->m.disp == 128) /* -128 fits into a byte, 128 does not */
		tn_x86_alu_ri(e->b, X86_SUB, v->w, dst, -128);
	else
		tn_x86_alu_ri(e->b, X86_ADD, v->w, dst, v->m.disp);
	tn_emit_flags_of(e, dst, v->w);
}

static void compute_sum(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	struct tn_x86_mem m = v->m;

	if (m.base == dst && m.index == TN_X86_NO_REG && !m.disp) {
		if (!v->w)
			tn_x86_mov_rr(e->b, false, dst, dst);
	} else if (m.base != TN_X86_NO_REG && m.index == TN_X86_NO_REG && !m.disp) {
		tn_x86_mov_rr(e->b, v->w, dst, m.base);
	} else if (m.base == dst && (m.index == TN_X86_NO_REG || (!m.scale && !m.disp))) {
		compute_self_sum(e, dst, v);
	} else if (m.index == dst && m.base != TN_X86_NO_REG && !m.scale && !m.disp) {
		tn_x86_alu_rr(e->b, X86_ADD, v->w, dst, m.base);
		tn_emit_flags_of(e, dst, v->w);
	} else if (m.base == TN_X86_NO_REG && m.index == dst && !m.disp) {
		tn_x86_shift_ri(e->b, X86_SHL, v->w, dst, m.scale);
	} else if (m.base == TN_X86_NO_REG && m.scale == 1) {
		/* Shorter with a base. */
		m.base = m.index;
		m.scale = 0;
		tn_x86_lea(e->b, v->w, dst, m);
	} else {
		tn_x86_lea(e->b, v->w, dst, m);
	}
}

static void compute_shift(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	if (v->src != dst)
		tn_x86_mov_rr(e->b, v->w, dst, v->src);
	tn_x86_shift_ri(e->b, v->op, v->w, dst, v->n);
}

static void compute_rot(struct tn_emit *e, uint8_t dst, const struct tn_lazy *v)
{
	if (v->src != dst && e->has_bmi2) {
		tn_x86_rorx(e->b, v->w, dst, v->src, (uint8_t)((v->w ? 64 : 32) - v->n));
		return;
	}
	if (v->src != dst)
		tn_x86_mov_rr(e->b, v->w, dst, v->src);
	tn_x86_shift_ri(e->b, X86_ROL, v->w, dst, v->n);
}

static bool keeps_order(const struct tn_lazy *v)
{
	return v->kind == TN_LAZY_LOAD && !v->is_joined && v->m.base != RBP;
}

static void compute(struct tn_emit *e, unsigned r)
{
	struct tn_lazy v;
	uint8_t dst = tn_reg(r);

	if (keeps_order(&e->lazy[r])) {
		tn_lazy_order(e, e->lazy[r].age);
		if (!(e->waiting & 1u << r))
			return;
	}
	v = e->lazy[r];
	tn_lazy_def(e, r);
	switch (v.kind) {
	case TN_LAZY_SUM:
		compute_sum(e, dst, &v);
		break;
	case TN_LAZY_SHIFT:
		compute_shift(e, dst, &v);
		break;
	case TN_LAZY_ROT:
		compute_rot(e, dst, &v);
		break;
	default:
		compute_load(e, dst, &v);
		break;
	}
}

void tn_lazy_def_but(struct tn_emit *e, unsigned r, unsigned keep)
{
	uint32_t left;

	e->waiting &= ~(1u << r);
	for (left = e->waiting & ~(1u << keep); left; left &= left - 1) {
		unsigned other = (unsigned)__builtin_ctz(left);

		if (e->waiting & 1u << other && names(&e->lazy[other], tn_reg(r)))
			compute(e, other);
	}
}

void tn_lazy_def(struct tn_emit *e, unsigned r)
{
	tn_lazy_def_but(e, r, r);
}

bool tn_lazy_may_move(const struct tn_emit *e, const struct tn_lazy *v, uint32_t except)
{
	uint32_t left;

	for (left = e->waiting & ~except; left; left &= left - 1)
		if (names(v, tn_reg((unsigned)__builtin_ctz(left))))
			return false;
	return true;
}

uint8_t tn_lazy_use(struct tn_emit *e, unsigned r)
{
	if (e->waiting & 1u << r)
		compute(e, r);
	return tn_reg(r);
}

void tn_lazy_flush(struct tn_emit *e, uint32_t regs)
{
	while (e->waiting & regs)
		compute(e, (unsigned)__builtin_ctz(e->waiting & regs));
}

void tn_lazy_order(struct tn_emit *e, uint32_t age)
{
	uint32_t left;

	for (left = e->waiting; left; left &= left - 1) {
		unsigned r = (unsigned)__builtin_ctz(left);

		if (e->waiting & 1u << r && keeps_order(&e->lazy[r]) && e->lazy[r].age < age)
			compute(e, r);
	}
}

void tn_lazy_flush_loads(struct tn_emit *e)
{
	uint32_t left;

	for (left = e->waiting; left; left &= left - 1) {
		unsigned r = (unsigned)__builtin_ctz(left);

		if (e->waiting & 1u << r && e->lazy[r].kind == TN_LAZY_LOAD)
			compute(e, r);
	}
}

void tn_lazy_settle(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	uint32_t defs = tn_flow_defs(insn);

	if (!e->waiting)
		return;
	tn_lazy_flush(e, tn_flow_uses(e->prog, i));
	/* What dies here need not be computed for the sake of what is written. */
	e->waiting &= e->flow.live[i] & ~defs;
	for (; defs && e->waiting; defs &= defs - 1)
		tn_lazy_def(e, (unsigned)__builtin_ctz(defs));
}

struct tn_x86_mem tn_lazy_address(struct tn_emit *e, unsigned r, int16_t off)
{
	const struct tn_lazy *v = &e->lazy[r];
	int32_t disp;

	if (e->waiting & 1u << r && v->kind == TN_LAZY_SUM && v->w && v->m.base != TN_X86_NO_REG &&
	    !__builtin_add_overflow(v->m.disp, off, &disp)) {
		struct tn_x86_mem m = v->m;

		m.disp = disp;
		return m;
	}
	return tn_x86_at(tn_lazy_use(e, r), off);
}

const struct tn_lazy *tn_lazy_operand(struct tn_emit *e, uint32_t i, unsigned r, uint8_t bytes)
{
	const struct tn_lazy *v = &e->lazy[r];

	if (!(e->waiting & 1u << r) || v->kind != TN_LAZY_LOAD || v->n || v->is_be ||
	    v->bytes != bytes || e->flow.live[i] & TN_LIVE(r))
		return NULL;
	if (keeps_order(v))
		tn_lazy_order(e, v->age);
	return e->waiting & 1u << r ? v : NULL;
}

void tn_lazy_take(struct tn_emit *e, unsigned r)
{
	e->waiting &= ~(1u << r);
}
