/* SPDX-License-Identifier: MIT */
/* Jumps. An edge that pays fuel counts it down in its register and leaves when it is negative. */
#include "jit/x86_64/emit.h"

static uint8_t condition(uint8_t op)
{
	switch (op) {
	case TN_JEQ:
		return CC_E;
	case TN_JNE:
	case TN_JSET:
		return CC_NE;
	case TN_JGT:
		return CC_A;
	case TN_JGE:
		return CC_AE;
	case TN_JLT:
		return CC_B;
	case TN_JLE:
		return CC_BE;
	case TN_JSGT:
		return CC_G;
	case TN_JSGE:
		return CC_GE;
	case TN_JSLT:
		return CC_L;
	default:
		return CC_LE;
	}
}

static uint32_t target(const struct tn_emit *e, uint32_t i)
{
	return e->labels + i + 1 + (uint32_t)tn_insn_jump_off(&e->prog->insns[i]);
}

static uint32_t fuel_of(const struct tn_emit *e, uint32_t i)
{
	return e->facts ? e->facts->insns[i].fuel : 0;
}

/* Count `fuel` down, then go to `label`: the way of most rounds is the jump backwards. */
static void pay_and_jump(struct tn_emit *e, uint32_t fuel, uint32_t label)
{
	if (fuel > INT32_MAX) {
		tn_x86_mov_ri(e->b, R11, fuel);
		tn_x86_alu_rr(e->b, X86_SUB, true, REG_FUEL, R11);
	} else {
		tn_x86_alu_ri(e->b, X86_SUB, true, REG_FUEL, (int32_t)fuel);
	}
	tn_codebuf_item(e->b, TN_ITEM_JCC, CC_NS, label);
	tn_codebuf_item(e->b, TN_ITEM_JMP, 0, e->fn->no_fuel);
	e->fn->used_no_fuel = true;
}

static void jump(struct tn_emit *e, uint32_t i)
{
	uint32_t fuel = fuel_of(e, i);

	if (fuel)
		pay_and_jump(e, fuel, target(e, i));
	else if (tn_insn_jump_off(&e->prog->insns[i]) != 0)
		tn_codebuf_item(e->b, TN_ITEM_JMP, 0, target(e, i));
}

/* The jump of instruction `i` under `cc`, with what it pays. */
static void emit_jcc(struct tn_emit *e, uint32_t i, uint8_t cc)
{
	uint32_t fuel = fuel_of(e, i);

	if (!fuel) {
		tn_codebuf_item(e->b, TN_ITEM_JCC, cc, target(e, i));
		return;
	}
	tn_codebuf_item(e->b, TN_ITEM_JCC, TN_CC_NOT(cc), e->after + i);
	pay_and_jump(e, fuel, target(e, i));
}

/* Can a byte, word or dword in memory be compared with imm in its own width, zero-extension or
 * not? */
static bool fits_memory(const struct tn_insn *insn, uint8_t bytes, bool w)
{
	bool is_signed = TN_OP(insn->code) == TN_JSGT || TN_OP(insn->code) == TN_JSGE ||
			 TN_OP(insn->code) == TN_JSLT || TN_OP(insn->code) == TN_JSLE;

	if (bytes == (w ? 8 : 4))
		return true;
	if (is_signed || bytes == 8)
		return false;
	/* A 16-bit immediate would slow decoding down; of 8 bits it is sign-extended. */
	return insn->imm >= 0 && (bytes == 4 || insn->imm <= (bytes == 1 ? 0xff : 0x7f));
}

/* Compare a waiting load where it stands. */
static bool compare_memory(struct tn_emit *e, uint32_t i, bool w)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	const struct tn_lazy *v = &e->lazy[insn->dst];
	struct tn_x86_mem m;

	if (TN_OP(insn->code) == TN_JSET)
		return false;
	if (TN_SRC(insn->code) == TN_X) {
		uint8_t dst;

		if (insn->src == insn->dst)
			return false;
		dst = tn_lazy_use(e, insn->dst);
		v = tn_lazy_operand(e, i, insn->src, w ? 8 : 4);
		if (!v)
			return false;
		m = v->m;
		tn_lazy_take(e, insn->src);
		tn_x86_alu_rm(e->b, X86_CMP, w, dst, m);
		return true;
	}
	if (!(e->waiting & 1u << insn->dst) || v->kind != TN_LAZY_LOAD ||
	    !tn_lazy_operand(e, i, insn->dst, v->bytes) || v->bytes & (v->bytes - 1) ||
	    !fits_memory(insn, v->bytes, w))
		return false;
	tn_x86_alu_mi(e->b, X86_CMP, v->bytes, v->m, insn->imm);
	tn_lazy_take(e, insn->dst);
	return true;
}

static void compare_registers(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	bool is_imm = TN_SRC(insn->code) == TN_K;
	uint8_t op = TN_OP(insn->code), dst, src = 0;

	if (!is_imm)
		src = tn_lazy_use(e, insn->src);
	dst = tn_lazy_use(e, insn->dst);
	if (op == TN_JSET) {
		if (is_imm)
			tn_x86_test_ri(e->b, w, dst, insn->imm);
		else
			tn_x86_test_rr(e->b, w, dst, src);
	} else if (!is_imm) {
		tn_x86_alu_rr(e->b, X86_CMP, w, dst, src);
	} else if (insn->imm == 0) {
		/* The same flags as a comparison with 0; arithmetic just before left the zero flag.
		 */
		if ((op != TN_JEQ && op != TN_JNE) || !tn_emit_has_flags(e, dst, w))
			tn_x86_test_rr(e->b, w, dst, dst);
	} else {
		tn_x86_alu_ri(e->b, X86_CMP, w, dst, insn->imm);
	}
}

/* What waits and is live at the target is computed first, the compared register last: its flags
 * may serve. */
static void settle_jump(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	uint32_t to = i + 1 + (uint32_t)tn_insn_jump_off(insn), live = e->flow.live_in[to];

	if (tn_insn_is_ja(insn) || insn->code == (TN_JMP | TN_JCOND)) {
		tn_lazy_flush(e, live);
	} else {
		tn_lazy_flush(e, live & ~(1u << insn->dst));
		tn_lazy_flush(e, live);
	}
}

/* `if A goto +1; goto B` is one jump: to B where A does not hold. */
static bool is_inverted(const struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *next = &e->prog->insns[i + 1];

	return e->prog->insns[i].off == 1 && i + 1 < e->fn->end && tn_insn_is_ja(next) &&
	       tn_insn_jump_off(next) && tn_flow_may_fall(e->prog, i) &&
	       !(e->flow.flags[i + 1] & TN_FLOW_TARGET) && !fuel_of(e, i) && !fuel_of(e, i + 1);
}

/* As in the kernel: with rounds left one is used up and control falls through. */
static void may_goto(struct tn_emit *e, uint32_t i)
{
	uint32_t fuel = fuel_of(e, i);
	struct tn_x86_mem count = tn_x86_at(RBP, e->fn->goto_slot);

	tn_x86_alu_mi(e->b, X86_SUB, 8, count, 1);
	if (!fuel) {
		tn_codebuf_item(e->b, TN_ITEM_JCC, CC_S, target(e, i));
		return;
	}
	tn_codebuf_item(e->b, TN_ITEM_JCC, CC_NS, e->after + i);
	pay_and_jump(e, fuel, target(e, i));
}

static void conditional(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	bool w = TN_CLASS(insn->code) == TN_JMP, inverted = is_inverted(e, i);
	uint8_t cc = condition(TN_OP(insn->code));

	if (inverted)
		settle_jump(e, i + 1);
	settle_jump(e, i);
	if (!compare_memory(e, i, w))
		compare_registers(e, insn, w);
	if (inverted) {
		tn_codebuf_item(e->b, TN_ITEM_JCC, TN_CC_NOT(cc), target(e, i + 1));
		e->skip = i + 1;
	} else {
		emit_jcc(e, i, cc);
	}
}

int tn_emit_jump(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];

	if (insn->code == (TN_JMP | TN_EXIT)) {
		tn_lazy_use(e, TN_R0);
		tn_emit_exit(e, i == e->fn->last);
		e->waiting = 0;
	} else if (insn->code == (TN_JMP | TN_JCOND)) {
		settle_jump(e, i);
		may_goto(e, i);
	} else if (tn_insn_is_ja(insn) || !tn_flow_may_fall(e->prog, i)) {
		settle_jump(e, i);
		jump(e, i);
		if (!tn_insn_is_ja(insn) || tn_insn_jump_off(insn))
			e->waiting = 0;
	} else if (tn_flow_may_jump(e->prog, i)) {
		conditional(e, i);
	}
	return 0;
}
