/* SPDX-License-Identifier: MIT */
/* Calls: subprograms, standard helpers, tail calls, legacy packet loads. Fuel in its register is
 * the caller's to keep, so it goes back to the firing around every call of C. */
#include "jit/x86_64/emit.h"
#include "jit/x86_64/marshal.h"
#include "vm/helpers.h"
#include "vm/interp.h"

static void call_local(struct tn_emit *e, uint32_t i)
{
	uint32_t to = i + 1 + (uint32_t)e->prog->insns[i].imm;
	const struct tn_fn *callee = &e->fns[tn_prog_subprog_at(e->prog, to)];

	tn_codebuf_item(e->b, TN_ITEM_CALL, 0, callee->entry);
	if (callee->may_tail_call) {
		/* Some other program may have ended it. */
		tn_emit_load_fuel(e);
		tn_x86_mov_ri(e->b, R11, (uintptr_t)e->prog);
		tn_x86_store(e->b, 8, tn_x86_at(REG_EX, offsetof(struct tn_exec, prog)), R11);
		tn_emit_test_abort(e);
	}
}

/*
 * A tail call that hits replaces this frame: the target returns to whoever called us. Natively
 * entered functions give C its registers back first; in inner functions the target returns into
 * our own program.
 */
static void tail_call(struct tn_emit *e)
{
	struct tn_x86_mem ctx = tn_x86_at(RBP, e->fn->ctx_slot);
	uint32_t miss;

	tn_emit_save_fuel(e);
	tn_x86_store(e->b, 8, ctx, RDI);
	tn_x86_mov_rr(e->b, true, RDI, REG_EX);
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)tn_exec_tail_call);
	tn_x86_test_rr(e->b, true, RAX, RAX);
	miss = tn_x86_jcc8(e->b, CC_E);
	tn_x86_load(e->b, 8, RDI, ctx);
	tn_x86_mov_rr(e->b, true, RSI, REG_EX);
	tn_emit_restore(e);
	tn_x86_load(e->b, 8, RAX, tn_x86_at(RAX, offsetof(struct tn_prog, entry)));
	tn_x86_jmp_r(e->b, RAX);
	tn_x86_here(e->b, miss);
	tn_emit_load_fuel(e);
	tn_emit_test_abort(e);
	tn_x86_mov_ri(e->b, RAX, TN_TAIL_CALL_MISS);
}

/* What a variadic callee must not see: registers that the program did not set. */
static void clear_regs(struct tn_emit *e, uint32_t i)
{
	uint32_t regs = e->facts ? e->facts->insns[i].zero_regs : 0;

	for (; regs; regs &= regs - 1) {
		uint8_t r = tn_reg((uint8_t)__builtin_ctz(regs));

		tn_x86_alu_rr(e->b, X86_XOR, false, r, r);
	}
}

static const uint8_t arg_regs[TN_SIG_MAX_ARGS] = { RDI, RSI, RDX, RCX, R8 };

/* What the call releases is off the list before. Two words more than five keep the stack aligned;
 * C may write all argument registers. */
static void give_up_args(struct tn_emit *e, uint32_t i, const struct tn_sig *sig)
{
	int r;

	if (!(tn_emit_fact_flags(e, i) & TN_FACT_UNTRACK))
		return;
	tn_x86_alu_ri(e->b, X86_SUB, true, RSP, 48);
	for (r = 0; r < TN_SIG_MAX_ARGS; r++)
		tn_x86_store(e->b, 8, tn_x86_at(RSP, 8 * r), arg_regs[r]);
	tn_x86_mov_rr(e->b, true, RDI, RSP);
	tn_x86_mov_rr(e->b, true, RSI, REG_EX);
	tn_x86_mov_ri(e->b, RDX, (uintptr_t)sig);
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)tn_held_drop_args);
	for (r = 0; r < TN_SIG_MAX_ARGS; r++)
		tn_x86_load(e->b, 8, arg_regs[r], tn_x86_at(RSP, 8 * r));
	tn_x86_alu_ri(e->b, X86_ADD, true, RSP, 48);
}

/* tn_held_add(r0, ex, releaser) gives r0 back. */
static void note_held(struct tn_emit *e, uint32_t i)
{
	if (!(tn_emit_fact_flags(e, i) & TN_FACT_TRACK))
		return;
	tn_x86_mov_rr(e->b, true, RDI, RAX);
	tn_x86_mov_rr(e->b, true, RSI, REG_EX);
	tn_x86_mov_ri(e->b, RDX, (uintptr_t)e->facts->releasers[e->facts->insns[i].releaser]);
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)tn_held_add);
	tn_emit_load_fuel(e);
}

static void call_helper(struct tn_emit *e, uint32_t i)
{
	const struct tn_helper *helper = tn_helper_by_id((uint32_t)e->prog->insns[i].imm);
	uint32_t fuel = e->facts ? e->facts->insns[i].fuel : 0;
	const void *map_function = tn_emit_map_function(e, i);

	if (tn_emit_hash_lookup(e, i))
		return;
	tn_emit_save_fuel(e);
	if (map_function) {
		tn_emit_map_call(e, i, map_function);
		tn_emit_load_fuel(e);
		return;
	}
	give_up_args(e, i, &helper->sig);
	if (helper->sig.flags & TN_SIG_CALLBACK)
		tn_x86_store_i(e->b, 4, tn_x86_at(REG_EX, offsetof(struct tn_exec, callback_fuel)),
			       (int32_t)fuel);
	tn_x86_mov_rr(e->b, true, R9, REG_EX);
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)helper->fn);
	tn_emit_load_fuel(e);
	if (helper->sig.flags & (TN_SIG_MAY_ABORT | TN_SIG_CALLBACK) ||
	    tn_emit_fact_flags(e, i) & TN_FACT_MAY_ABORT)
		tn_emit_test_abort(e);
	note_held(e, i);
}

/* tenon_abort() works from helpers that were declared so, and from no other. */
static void allow_abort(struct tn_emit *e, const struct tn_host_helper *helper, int32_t value)
{
	if (helper->sig.flags & TN_SIG_MAY_ABORT)
		tn_x86_store_i(e->b, 4, tn_x86_at(REG_EX, offsetof(struct tn_exec, can_abort)),
			       value);
}

static void call_extern(struct tn_emit *e, uint32_t i)
{
	const struct tn_host_helper *helper = e->prog->externs[e->prog->insns[i].imm].helper;

	tn_emit_save_fuel(e);
	give_up_args(e, i, &helper->sig);
	allow_abort(e, helper, 1);
	if (tn_marshal_is_direct(helper))
		tn_marshal_direct(e->b, helper);
	else
		tn_marshal_invoke(e->b, helper, REG_EX);
	allow_abort(e, helper, 0);
	tn_emit_load_fuel(e);
	if (helper->sig.flags & (TN_SIG_MAY_ABORT | TN_SIG_CALLBACK) ||
	    tn_emit_fact_flags(e, i) & TN_FACT_MAY_ABORT)
		tn_emit_test_abort(e);
	note_held(e, i);
}

int tn_emit_call(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];

	if (tn_flow_is_array_lookup(e->prog, i)) {
		tn_emit_array_lookup(e, i);
		tn_emit_no_flags(e);
		return 0;
	}
	tn_lazy_flush_loads(e);
	tn_lazy_settle(e, i);
	clear_regs(e, i);
	if (insn->src == TN_CALL_LOCAL)
		call_local(e, i);
	else if (insn->src == TN_CALL_EXTERN)
		call_extern(e, i);
	else if (insn->imm == TN_HELPER_tail_call)
		tail_call(e);
	else
		call_helper(e, i);
	tn_emit_no_flags(e);
	return 0;
}

/* tn_exec_ld_packet(prog, ctx = r6, off, bytes, &value): 0 ends the function with 0. The value
 * comes back on the stack. */
int tn_emit_ld_packet(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];

	tn_lazy_flush_loads(e);
	tn_lazy_settle(e, i);
	tn_emit_save_fuel(e);
	if (TN_MODE(insn->code) == TN_IND) {
		tn_x86_lea(e->b, false, RDX, tn_x86_at(tn_reg(insn->src), insn->imm));
		tn_x86_movsx_rr(e->b, true, 4, RDX, RDX);
	} else {
		tn_x86_mov_ri(e->b, RDX, (uint64_t)(int64_t)insn->imm);
	}
	tn_x86_mov_rr(e->b, true, RSI, tn_reg(TN_R6));
	tn_x86_mov_ri(e->b, RDI, (uintptr_t)e->prog);
	tn_x86_mov_ri(e->b, RCX, tn_insn_bytes(insn->code));
	tn_x86_alu_ri(e->b, X86_SUB, true, RSP, 16);
	tn_x86_mov_rr(e->b, true, R8, RSP);
	tn_codebuf_extern(e->b, (const void *)(uintptr_t)tn_exec_ld_packet);
	tn_emit_load_fuel(e);
	tn_x86_test_rr(e->b, false, RAX, RAX);
	tn_x86_load(e->b, 8, RAX, tn_x86_at(RSP, 0));
	tn_x86_lea(e->b, true, RSP, tn_x86_at(RSP, 16));
	tn_codebuf_item(e->b, TN_ITEM_JCC, CC_E, e->fn->ends_zero);
	e->fn->used_ends_zero = true;
	return 0;
}
