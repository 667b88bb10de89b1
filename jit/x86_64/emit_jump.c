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

/* The jump of instruction `i` under `cc`, with what the facts say about its ways. */
void tn_emit_jcc(struct tn_emit *e, uint32_t i, uint8_t cc)
{
	uint32_t fuel = fuel_of(e, i);

	if (!fuel) {
		tn_codebuf_item(e->b, TN_ITEM_JCC, cc, target(e, i));
		return;
	}
	tn_codebuf_item(e->b, TN_ITEM_JCC, TN_CC_NOT(cc), e->labels + i + 1);
	pay_and_jump(e, fuel, target(e, i));
}

static void compare(struct tn_emit *e, const struct tn_insn *insn, bool w)
{
	uint8_t dst = tn_reg(insn->dst), src = tn_reg(insn->src);
	bool is_imm = TN_SRC(insn->code) == TN_K;

	if (TN_OP(insn->code) == TN_JSET) {
		if (is_imm)
			tn_x86_test_ri(e->b, w, dst, insn->imm);
		else
			tn_x86_test_rr(e->b, w, dst, src);
	} else if (!is_imm) {
		tn_x86_alu_rr(e->b, X86_CMP, w, dst, src);
	} else if (insn->imm == 0) {
		/* The same flags as a comparison with 0. */
		tn_x86_test_rr(e->b, w, dst, dst);
	} else {
		tn_x86_alu_ri(e->b, X86_CMP, w, dst, insn->imm);
	}
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
	tn_codebuf_item(e->b, TN_ITEM_JCC, CC_NS, e->labels + i + 1);
	pay_and_jump(e, fuel, target(e, i));
}

int tn_emit_jump(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];

	if (insn->code == (TN_JMP | TN_EXIT)) {
		tn_emit_exit(e);
	} else if (insn->code == (TN_JMP | TN_JCOND)) {
		may_goto(e, i);
	} else if (tn_insn_is_ja(insn) || !tn_flow_may_fall(e->prog, i)) {
		jump(e, i);
	} else if (tn_flow_may_jump(e->prog, i)) {
		compare(e, insn, TN_CLASS(insn->code) == TN_JMP);
		tn_emit_jcc(e, i, condition(TN_OP(insn->code)));
	}
	return 0;
}
