/* SPDX-License-Identifier: MIT */
/* Loads, stores and atomic operations. */
#include "jit/x86_64/emit.h"

/* fetch_and, fetch_or, fetch_xor have no instruction: a loop around cmpxchg, which wants the old
 * value in rax. r11 keeps rax, r10 the new value. */
static void emit_fetch_loop(struct tn_emit *e, enum tn_x86_alu op, bool w, struct tn_x86_mem m,
			    uint8_t src)
{
	uint8_t operand = src == RAX ? R11 : src;
	uint32_t again;

	tn_x86_mov_rr(e->b, true, R11, RAX);
	if (m.base == RAX)
		m.base = R11;
	tn_x86_load(e->b, w ? 8 : 4, RAX, m);
	again = e->b->len;
	tn_x86_mov_rr(e->b, w, R10, RAX);
	tn_x86_alu_rr(e->b, op, w, R10, operand);
	tn_x86_lock_cmpxchg(e->b, w, m, R10);
	tn_x86_back(e->b, CC_NE, again);
	if (!w)
		tn_x86_mov_rr(e->b, false, RAX, RAX);
	if (src != RAX) {
		tn_x86_mov_rr(e->b, w, src, RAX);
		tn_x86_mov_rr(e->b, true, RAX, R11);
	}
}

static enum tn_x86_alu atomic_op(int32_t imm)
{
	switch (imm & ~TN_FETCH) {
	case TN_ADD:
		return X86_ADD;
	case TN_OR:
		return X86_OR;
	case TN_AND:
		return X86_AND;
	default:
		return X86_XOR;
	}
}

static void emit_atomic(struct tn_emit *e, const struct tn_insn *insn)
{
	uint8_t bytes = (uint8_t)tn_insn_bytes(insn->code), src = tn_reg(insn->src);
	struct tn_x86_mem m = tn_x86_at(tn_reg(insn->dst), insn->off);
	bool w = bytes == 8;

	switch (insn->imm) {
	case TN_LOAD_ACQ: /* x86 loads acquire and stores release by themselves */
		tn_x86_load(e->b, bytes, tn_reg(insn->dst), tn_x86_at(src, insn->off));
		break;
	case TN_STORE_REL:
		tn_x86_store(e->b, bytes, m, src);
		break;
	case TN_XCHG:
		tn_x86_xchg(e->b, w, m, src);
		break;
	case TN_CMPXCHG:
		tn_x86_lock_cmpxchg(e->b, w, m, src);
		/* Where it succeeds the accumulator is not written. */
		if (!w)
			tn_x86_mov_rr(e->b, false, RAX, RAX);
		break;
	case TN_ADD | TN_FETCH:
		tn_x86_lock_xadd(e->b, w, m, src);
		break;
	case TN_OR | TN_FETCH:
	case TN_AND | TN_FETCH:
	case TN_XOR | TN_FETCH:
		emit_fetch_loop(e, atomic_op(insn->imm), w, m, src);
		break;
	default:
		tn_x86_lock_alu(e->b, atomic_op(insn->imm), w, m, src);
		break;
	}
}

/* Sign-extending loads are computed at once: nothing joins them. */
static void emit_load_sx(struct tn_emit *e, uint32_t i, uint8_t bytes)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	struct tn_x86_mem m;

	tn_lazy_order(e, i);
	if (insn->dst == insn->src) {
		m = tn_x86_at(tn_lazy_use(e, insn->src), insn->off);
		tn_lazy_def(e, insn->dst);
	} else {
		tn_lazy_def(e, insn->dst);
		m = tn_lazy_address(e, insn->src, insn->off);
	}
	tn_x86_load_sx(e->b, bytes, tn_reg(insn->dst), m);
}

static void emit_store(struct tn_emit *e, const struct tn_insn *insn, uint8_t bytes)
{
	uint8_t src = 0;

	tn_lazy_flush_loads(e);
	if (TN_CLASS(insn->code) == TN_STX)
		src = tn_lazy_use(e, insn->src);
	/* Last: nothing may be computed between this and the store. */
	if (TN_CLASS(insn->code) == TN_STX)
		tn_x86_store(e->b, bytes, tn_lazy_address(e, insn->dst, insn->off), src);
	else
		tn_x86_store_i(e->b, bytes, tn_lazy_address(e, insn->dst, insn->off), insn->imm);
}

int tn_emit_memory(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	uint8_t bytes = (uint8_t)tn_insn_bytes(insn->code);

	if (TN_MODE(insn->code) == TN_ATOMIC) {
		tn_lazy_flush_loads(e);
		tn_lazy_settle(e, i);
		emit_atomic(e, insn);
	} else if (TN_CLASS(insn->code) == TN_LDX &&
		   (TN_MODE(insn->code) == TN_MEM_PROBE || TN_MODE(insn->code) == TN_MEMSX_PROBE)) {
		return tn_emit_probe(e, i);
	} else if (TN_MODE(insn->code) == TN_MEM_ARENA) {
		tn_emit_arena(e, i);
	} else if (TN_MODE(insn->code) == TN_MEMSX) {
		emit_load_sx(e, i, bytes);
	} else if (TN_CLASS(insn->code) == TN_LDX) {
		tn_lazy_load(e, i);
	} else {
		emit_store(e, insn, bytes);
	}
	return 0;
}
