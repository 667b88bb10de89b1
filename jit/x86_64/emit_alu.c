/* SPDX-License-Identifier: MIT */
/* Arithmetic. Writing a 32-bit register clears its upper half, here as there, so that the narrow
 * forms need nothing extra. */
#include "jit/x86_64/emit.h"

static bool dies_upper(const struct tn_emit *e, uint32_t i, unsigned r)
{
	return !(e->flow.live[i] & TN_LIVE_UPPER(r));
}

enum tn_x86_alu tn_emit_alu_op(uint8_t op)
{
	switch (op) {
	case TN_ADD:
		return X86_ADD;
	case TN_SUB:
		return X86_SUB;
	case TN_OR:
		return X86_OR;
	case TN_AND:
		return X86_AND;
	default:
		return X86_XOR;
	}
}

static void emit_plain_imm(struct tn_emit *e, bool w, uint8_t op, uint8_t dst, int32_t imm)
{
	/* A mask without a sign bit clears the upper half in any case. */
	if (op == TN_AND && imm >= 0)
		w = false;
	/* -128 fits into a byte, 128 does not. */
	if ((op == TN_ADD || op == TN_SUB) && imm == 128) {
		op = op == TN_ADD ? TN_SUB : TN_ADD;
		imm = -128;
	}
	tn_x86_alu_ri(e->b, tn_emit_alu_op(op), w, dst, imm);
}

static void emit_mul_imm(struct tn_emit *e, bool w, uint8_t dst, int32_t imm)
{
	if (imm > 0 && !(imm & (imm - 1)))
		tn_x86_shift_ri(e->b, X86_SHL, w, dst, (uint8_t)__builtin_ctz((unsigned)imm));
	else
		tn_x86_imul_rri(e->b, w, dst, dst, imm);
}

static enum tn_x86_shift shift_op(uint8_t op)
{
	return op == TN_LSH ? X86_SHL : op == TN_RSH ? X86_SHR : X86_SAR;
}

/* Without BMI2 the count must stand in cl, which is r4. */
static void emit_shift_cl(struct tn_emit *e, enum tn_x86_shift op, bool w, uint8_t dst, uint8_t src)
{
	if (src == RCX && dst != RCX) {
		tn_x86_shift_cl(e->b, op, w, dst);
		return;
	}
	if (dst == RCX) {
		tn_x86_mov_rr(e->b, true, R11, RCX);
		tn_x86_mov_rr(e->b, false, RCX, src);
		tn_x86_shift_cl(e->b, op, w, R11);
		tn_x86_mov_rr(e->b, true, RCX, R11);
		return;
	}
	tn_x86_mov_rr(e->b, true, R11, RCX);
	tn_x86_mov_rr(e->b, false, RCX, src);
	tn_x86_shift_cl(e->b, op, w, dst);
	tn_x86_mov_rr(e->b, true, RCX, R11);
}

static void emit_shift(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	enum tn_x86_shift op = shift_op(TN_OP(insn->code));
	uint8_t dst = tn_reg(insn->dst);

	if (TN_SRC(insn->code) == TN_K) {
		uint8_t n = (uint8_t)(insn->imm & (w ? 63 : 31));

		if (n)
			tn_x86_shift_ri(e->b, op, w, dst, n);
		else if (!w)
			tn_x86_mov_rr(e->b, false, dst, dst);
	} else if (e->has_bmi2) {
		tn_x86_shiftx(e->b, op, w, dst, dst, tn_reg(insn->src));
	} else {
		emit_shift_cl(e, op, w, dst, tn_reg(insn->src));
		/* A count of 0 leaves a 32-bit register's upper half as it is. */
		if (!w)
			tn_x86_mov_rr(e->b, false, dst, dst);
	}
}

/* ---- Moves and byte order ---- */

static void emit_mov(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	uint8_t dst = tn_reg(insn->dst), src = tn_reg(insn->src);

	if (TN_SRC(insn->code) == TN_K)
		tn_x86_mov_ri(e->b, dst, w ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm);
	else if (insn->off == TN_CAST_OFF)
		tn_emit_cast(e, insn);
	else if (insn->off)
		tn_x86_movsx_rr(e->b, w, (uint8_t)(insn->off / 8), dst, src);
	else if (!w || dst != src)
		tn_x86_mov_rr(e->b, w, dst, src);
}

static void emit_swap(struct tn_emit *e, uint8_t r, int32_t bits)
{
	if (bits == 16) {
		tn_x86_rol16_ri(e->b, r, 8);
		tn_x86_movzx_rr(e->b, 2, r, r);
	} else {
		tn_x86_bswap(e->b, bits == 64, r);
	}
}

static void emit_end(struct tn_emit *e, const struct tn_insn *insn)
{
	uint8_t dst = tn_reg(insn->dst);

	/* ALU64: swap always; ALU X: to big endian; ALU K: to little endian, as the machine is. */
	if (TN_CLASS(insn->code) == TN_ALU64 || TN_SRC(insn->code) == TN_X)
		emit_swap(e, dst, insn->imm);
	else if (insn->imm < 64)
		tn_x86_movzx_rr(e->b, (uint8_t)(insn->imm / 8), dst, dst);
}

int tn_emit_alu(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	bool w = TN_CLASS(insn->code) == TN_ALU64, is_imm = TN_SRC(insn->code) == TN_K;
	uint8_t op = TN_OP(insn->code), dst = tn_reg(insn->dst), src = tn_reg(insn->src);

	if (tn_lazy_alu(e, i))
		return 0;
	tn_lazy_settle(e, i);
	switch (op) {
	case TN_ADD:
	case TN_SUB:
	case TN_AND:
	case TN_OR:
	case TN_XOR:
		w = w && !dies_upper(e, i, insn->dst);
		if (is_imm)
			emit_plain_imm(e, w, op, dst, insn->imm);
		else
			tn_x86_alu_rr(e->b, tn_emit_alu_op(op), w, dst, src);
		tn_emit_flags_of(e, dst, w);
		break;
	case TN_MUL:
		w = w && !dies_upper(e, i, insn->dst);
		if (is_imm)
			emit_mul_imm(e, w, dst, insn->imm);
		else
			tn_x86_imul_rr(e->b, w, dst, src);
		break;
	case TN_LSH:
	case TN_RSH:
	case TN_ARSH:
		emit_shift(e, insn, w);
		break;
	case TN_NEG:
		tn_x86_unary(e->b, X86_NEG, w, dst);
		break;
	case TN_DIV:
	case TN_MOD:
		tn_emit_division(e, insn, w);
		break;
	case TN_MOV:
		emit_mov(e, insn, w);
		break;
	default:
		emit_end(e, insn);
		break;
	}
	return 0;
}
