/* SPDX-License-Identifier: MIT */
/*
 * Accesses through arena pointers: look both ends up in the table of pages, then access; else a
 * load gives 0. The pointer is a number below 2^32 in its register; all that is computed stands in
 * r10 and r11.
 */
#include "jit/x86_64/emit.h"
#include "maps/arena.h"

static struct tn_x86_mem indexed(uint8_t base, uint8_t index, int32_t disp)
{
	return (struct tn_x86_mem){ base, index, 0, disp };
}

/* A jump that is taken where the byte at ptr + off is in no page. r11 holds the table. */
static uint32_t jump_if_outside(struct tn_emit *e, uint8_t ptr, int32_t off)
{
	tn_x86_lea(e->b, true, R10, tn_x86_at(ptr, off));
	tn_x86_shift_ri(e->b, X86_SAR, true, R10, TN_ARENA_PAGE_SHIFT);
	tn_x86_alu_mi(e->b, X86_CMP, 1, indexed(R11, R10, 0), TN_ARENA_ALLOCATED);
	return tn_x86_jcc8(e->b, CC_NE);
}

void tn_emit_arena(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	const struct tn_arena_view *view = tn_arena_view(e->prog->arena);
	bool is_load = TN_CLASS(insn->code) == TN_LDX, is_reg = TN_CLASS(insn->code) == TN_STX;
	uint8_t bytes = (uint8_t)tn_insn_bytes(insn->code);
	uint8_t ptr = tn_reg(is_load ? insn->src : insn->dst);
	uint32_t outside[2], done;

	tn_lazy_flush_loads(e);
	tn_lazy_settle(e, i);
	tn_x86_mov_ri(e->b, R11, (uintptr_t)view->pages);
	outside[0] = jump_if_outside(e, ptr, insn->off);
	outside[1] = bytes > 1 ? jump_if_outside(e, ptr, insn->off + bytes - 1) : 0;
	tn_x86_mov_ri(e->b, R11, view->bias);
	if (is_load)
		tn_x86_load(e->b, bytes, tn_reg(insn->dst), indexed(R11, ptr, insn->off));
	else if (is_reg)
		tn_x86_store(e->b, bytes, indexed(R11, ptr, insn->off), tn_reg(insn->src));
	else
		tn_x86_store_i(e->b, bytes, indexed(R11, ptr, insn->off), insn->imm);
	done = is_load ? tn_x86_jmp8(e->b) : 0;
	tn_x86_here(e->b, outside[0]);
	if (bytes > 1)
		tn_x86_here(e->b, outside[1]);
	if (is_load) {
		tn_x86_mov_ri(e->b, tn_reg(insn->dst), 0);
		tn_x86_here(e->b, done);
	}
	tn_emit_no_flags(e);
}

/* dst = upper half | src's low half, but NULL stays NULL. */
void tn_emit_cast(struct tn_emit *e, const struct tn_insn *insn)
{
	uint8_t dst = tn_reg(insn->dst);
	uint32_t null;

	tn_x86_mov_rr(e->b, false, dst, tn_reg(insn->src));
	tn_x86_test_rr(e->b, false, dst, dst);
	null = tn_x86_jcc8(e->b, CC_E);
	tn_x86_mov_ri(e->b, R11, (uint64_t)(uint32_t)insn->imm << 32);
	tn_x86_alu_rr(e->b, X86_OR, true, dst, R11);
	tn_x86_here(e->b, null);
}
