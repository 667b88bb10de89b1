/* SPDX-License-Identifier: MIT */
/*
 * Functions: a survey of what each needs, then prologues, epilogues, abort paths and wrappers. A
 * function without stack, calls and written callee-saved registers costs its `ret` alone.
 */
#include <errno.h>

#include "jit/x86_64/emit.h"
#include "jit/x86_64/marshal.h"
#include "base/err.h"
#include "maps/map.h"
#include "vm/helpers.h"
#include "vm/interp.h"

#define CALLEE_SAVED (1u << TN_R6 | 1u << TN_R7 | 1u << TN_R8 | 1u << TN_R9)

static const uint8_t callee_saved[] = { RBX, R13, R14, R15 };

static struct tn_x86_mem ex_fuel(void)
{
	return tn_x86_at(REG_EX, offsetof(struct tn_exec, fuel));
}

static struct tn_x86_mem ex_abort(void)
{
	return tn_x86_at(REG_EX, offsetof(struct tn_exec, abort));
}

static struct tn_x86_mem ex_entry_sp(void)
{
	return tn_x86_at(REG_EX, offsetof(struct tn_exec, entry_sp));
}

/* ---- Survey ---- */

static int survey_call(struct tn_emit *e, struct tn_fn *fn, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];
	const struct tn_sig *sig;

	fn->may_abort |= (tn_emit_fact_flags(e, i) & TN_FACT_MAY_ABORT) != 0;
	e->needs_ex |= (tn_emit_fact_flags(e, i) & (TN_FACT_TRACK | TN_FACT_UNTRACK)) != 0;
	if (insn->src == TN_CALL_LOCAL) {
		uint32_t callee = tn_prog_subprog_at(e->prog, i + 1 + (uint32_t)insn->imm);

		fn->calls_local = true;
		e->fns[callee].is_inner = true;
		return 0;
	}
	if (tn_flow_is_array_lookup(e->prog, i)) {
		e->needs_ex |= tn_map_is_per_slot(tn_flow_map(e->prog, i));
		return 0;
	}
	fn->calls_c = true;
	if (insn->src == TN_CALL_EXTERN) {
		const struct tn_extern *ext;

		if ((uint32_t)insn->imm >= e->prog->nr_externs)
			return tn_err(-EINVAL, "insn %u: no extern %d", i, insn->imm);
		ext = &e->prog->externs[insn->imm];
		if (!ext->helper || (!ext->helper->fn && !ext->helper->invoke))
			return tn_err(-EINVAL, "insn %u: call of unresolved extern '%s'", i,
				      ext->name ? ext->name : "?");
		sig = &ext->helper->sig;
		e->needs_ex |= !tn_marshal_is_direct(ext->helper);
	} else {
		const struct tn_helper *helper = tn_helper_by_id((uint32_t)insn->imm);

		e->needs_ex = true;
		if (!helper)
			return tn_err(-EINVAL, "insn %u: no helper %d", i, insn->imm);
		if (insn->imm == TN_HELPER_tail_call) {
			fn->tail_calls = fn->may_tail_call = fn->may_abort = true;
			return 0;
		}
		if (!helper->fn)
			return tn_err(-EINVAL, "insn %u: helper %s cannot be called", i,
				      helper->name);
		sig = &helper->sig;
	}
	if (sig->flags & (TN_SIG_MAY_ABORT | TN_SIG_CALLBACK)) {
		fn->may_abort = true;
		e->needs_ex = true;
	}
	return 0;
}

/* Does it write r6..r9, and does it name r10? */
static void survey_registers(struct tn_fn *fn, const struct tn_insn *insn)
{
	uint8_t cls = TN_CLASS(insn->code);
	uint16_t written = 0;

	if (cls == TN_ALU || cls == TN_ALU64 || cls == TN_LDX || tn_insn_is_lddw(insn))
		written |= (uint16_t)(1u << insn->dst);
	if (cls == TN_STX && TN_MODE(insn->code) == TN_ATOMIC)
		written |= (uint16_t)(1u << (insn->imm == TN_LOAD_ACQ ? insn->dst : insn->src));
	fn->saved |= written & CALLEE_SAVED;
	/* Unused fields are zero, so that this names r10 only where it is used. */
	fn->uses_fp |= insn->dst == TN_R10 || insn->src == TN_R10;
}

/* Registers that an unproved program reads before it wrote them: 0, as in the interpreter. */
static uint32_t undefined_registers(const struct tn_emit *e, const struct tn_fn *fn)
{
	uint32_t arguments = 0x3e;

	if (e->facts)
		return 0;
	if (fn == e->fns && !fn->is_callback && !fn->is_inner)
		arguments = e->prog->r2_is_ctx_size ? 0x6 : 0x2;
	return e->flow.live_in[fn->start] & 0x3ff & ~arguments;
}

static int survey_function(struct tn_emit *e, struct tn_fn *fn)
{
	uint32_t i;
	int err = 0;

	for (i = fn->start; !err && i < fn->end; i++) {
		const struct tn_insn *insn = &e->prog->insns[i];

		if (!(e->flow.flags[i] & TN_FLOW_REACHED))
			continue;
		fn->last = i;
		survey_registers(fn, insn);
		if (e->facts && e->facts->insns[i].fuel && tn_insn_is_jump(insn))
			fn->has_fuel = fn->may_abort = true;
		if (insn->code == (TN_JMP | TN_CALL))
			err = survey_call(e, fn, i);
		else if (insn->code == (TN_JMP | TN_JCOND))
			fn->may_goto = true;
		else if (TN_CLASS(insn->code) == TN_LD && TN_MODE(insn->code) != TN_IMM)
			fn->calls_c = true;
	}
	fn->saved |= (uint16_t)(undefined_registers(e, fn) & CALLEE_SAVED);
	e->has_fuel |= fn->has_fuel;
	e->needs_ex |= fn->may_abort;
	return err;
}

/* What callees may do, callers may; rounds until nothing changes. A longer path of calls than
 * there are functions is a recursion. */
static int survey_calls(struct tn_emit *e)
{
	uint32_t round, f, i;
	bool changed = true;

	for (round = 0; changed; round++) {
		if (round > e->prog->nr_subprogs)
			return tn_err(-EINVAL, "calls of subprograms are recursive");
		changed = false;
		for (f = 0; f < e->prog->nr_subprogs; f++) {
			struct tn_fn *fn = &e->fns[f];

			for (i = fn->start; fn->calls_local && i < fn->end; i++) {
				const struct tn_insn *insn = &e->prog->insns[i];
				const struct tn_fn *callee;

				if (insn->code != (TN_JMP | TN_CALL) || insn->src != TN_CALL_LOCAL)
					continue;
				callee = &e->fns[tn_prog_subprog_at(e->prog,
								    i + 1 + (uint32_t)insn->imm)];
				if (callee->depth >= fn->depth) {
					fn->depth = callee->depth + 1;
					changed = true;
				}
				fn->may_abort |= callee->may_abort;
				fn->may_tail_call |= callee->may_tail_call;
			}
		}
	}
	return 0;
}

static bool zeroes_stack(const struct tn_emit *e, const struct tn_fn *fn)
{
	const uint64_t *z;
	uint32_t i;

	if (!e->facts)
		return false;
	z = e->facts->subprogs[fn - e->fns].zero_slots;
	for (i = 0; i < TN_SLOT_WORDS; i++)
		if (z[i])
			return true;
	return false;
}

static void plan_frame(struct tn_emit *e, struct tn_fn *fn)
{
	uint32_t f = (uint32_t)(fn - e->fns), pushes, i;
	int32_t slot;

	if (e->facts)
		fn->stack_bytes = TN_ROUND_UP(e->facts->subprogs[f].stack_bytes, 8u);
	else if (fn->uses_fp)
		fn->stack_bytes = TN_ROUND_UP(e->prog->rt->limits.frame_bytes, 8u);
	fn->has_frame = fn->uses_fp || fn->may_goto || fn->tail_calls || zeroes_stack(e, fn);
	pushes = (uint32_t)__builtin_popcount(fn->saved) + (e->needs_ex && !fn->has_wrapper);
	if (!fn->has_frame) {
		fn->stack_bytes = 0;
		fn->pad_stack = (fn->calls_c || fn->calls_local) && pushes % 2 == 0;
		return;
	}
	slot = -(int32_t)fn->stack_bytes;
	if (fn->may_goto)
		fn->goto_slot = slot -= 8;
	if (fn->tail_calls)
		fn->ctx_slot = slot -= 8;
	fn->frame_bytes = (uint32_t)-slot;
	i = fn->frame_bytes / 8 + pushes;
	if ((fn->calls_c || fn->calls_local) && i % 2)
		fn->frame_bytes += 8;
}

int tn_emit_survey(struct tn_emit *e)
{
	const struct tn_prog *prog = e->prog;
	bool inner_aborts = false;
	uint32_t f;
	int err = 0;

	for (f = 0; !err && f < prog->nr_subprogs; f++) {
		struct tn_fn *fn = &e->fns[f];

		fn->start = prog->subprogs[f].start;
		fn->end = prog->subprogs[f].end;
		fn->is_callback = prog->subprogs[f].is_callback;
		err = survey_function(e, fn);
	}
	if (!err)
		err = survey_calls(e);
	if (err)
		return err;
	for (f = 0; f < prog->nr_subprogs; f++)
		inner_aborts |= e->fns[f].is_inner && e->fns[f].may_abort;
	for (f = 0; f < prog->nr_subprogs; f++) {
		struct tn_fn *fn = &e->fns[f];

		fn->has_wrapper = fn->is_inner || (f == 0 && fn->is_callback) ||
				  (inner_aborts && fn->calls_local);
		e->unwinds |= fn->has_wrapper && fn->may_abort;
	}
	for (f = 0; f < prog->nr_subprogs; f++)
		plan_frame(e, &e->fns[f]);
	return 0;
}

/* ---- Fuel and abort ---- */

void tn_emit_save_fuel(struct tn_emit *e)
{
	if (e->has_fuel)
		tn_x86_store(e->b, 8, ex_fuel(), REG_FUEL);
}

void tn_emit_load_fuel(struct tn_emit *e)
{
	if (e->has_fuel)
		tn_x86_load(e->b, 8, REG_FUEL, ex_fuel());
}

void tn_emit_test_abort(struct tn_emit *e)
{
	tn_x86_alu_mi(e->b, X86_CMP, 4, ex_abort(), TN_ABORT_NONE);
	tn_codebuf_item(e->b, TN_ITEM_JCC, CC_NE, e->fn->aborted);
	e->fn->used_aborted = true;
}

/* ---- Prologue ---- */

static void push_saved(struct tn_emit *e, const struct tn_fn *fn)
{
	unsigned r;

	for (r = TN_R6; r <= TN_R9; r++)
		if (fn->saved & 1u << r)
			tn_x86_push(e->b, tn_reg(r));
}

static void pop_saved(struct tn_emit *e, const struct tn_fn *fn)
{
	unsigned r;

	for (r = TN_R9; r >= TN_R6; r--)
		if (fn->saved & 1u << r)
			tn_x86_pop(e->b, tn_reg(r));
}

/* Zero the slots that the program may read before it wrote them. A large frame has more of them
 * than one instruction has room for. */
static int zero_slots(struct tn_emit *e, const struct tn_fn *fn)
{
	const uint64_t *z;
	uint32_t i;

	if (!zeroes_stack(e, fn))
		return 0;
	z = e->facts->subprogs[fn - e->fns].zero_slots;
	tn_x86_mov_ri(e->b, R11, 0);
	for (i = 0; i < 64 * TN_SLOT_WORDS; i++) {
		int err = i % 64 ? 0 : tn_codebuf_reserve(e->b);

		if (err)
			return err;
		if (z[i / 64] >> i % 64 & 1)
			tn_x86_store(e->b, 8, tn_x86_at(RBP, -8 * (int32_t)(i + 1)), R11);
	}
	return tn_codebuf_reserve(e->b);
}

/* The same for programs without a proof: the whole frame, and registers. */
static void define_everything(struct tn_emit *e, const struct tn_fn *fn)
{
	uint32_t regs = undefined_registers(e, fn), again;
	unsigned r;

	for (r = TN_R0; r < TN_R10; r++)
		if (regs & 1u << r)
			tn_x86_mov_ri(e->b, tn_reg(r), 0);
	if (!fn->stack_bytes)
		return;
	tn_x86_lea(e->b, true, R11, tn_x86_at(RBP, -(int32_t)fn->stack_bytes));
	again = e->b->len;
	tn_x86_store_i(e->b, 8, tn_x86_at(R11, 0), 0);
	tn_x86_alu_ri(e->b, X86_ADD, true, R11, 8);
	tn_x86_alu_rr(e->b, X86_CMP, true, R11, RBP);
	tn_x86_back(e->b, CC_NE, again);
}

/* The firing into its register, and what the program wants from it. */
static void take_firing(struct tn_emit *e, bool is_main)
{
	if (e->needs_ex)
		tn_x86_mov_rr(e->b, true, REG_EX, is_main ? RSI : R9);
	if (is_main && e->prog->r2_is_ctx_size)
		tn_x86_load(e->b, 8, RSI, tn_x86_at(RSI, offsetof(struct tn_exec, ctx_size)));
	tn_emit_load_fuel(e);
}

int tn_emit_prologue(struct tn_emit *e)
{
	struct tn_fn *fn = e->fn;

	tn_codebuf_bind(e->b, fn->entry);
	if (!fn->has_wrapper)
		tn_codebuf_bind(e->b, fn == e->fns ? fn->main_entry : fn->func_entry);
	if (fn->has_frame) {
		tn_x86_push(e->b, RBP);
		tn_x86_mov_rr(e->b, true, RBP, RSP);
		if (fn->frame_bytes)
			tn_x86_alu_ri(e->b, X86_SUB, true, RSP, (int32_t)fn->frame_bytes);
	}
	if (e->needs_ex && !fn->has_wrapper)
		tn_x86_push(e->b, REG_EX);
	push_saved(e, fn);
	if (fn->pad_stack)
		tn_x86_push(e->b, RAX);
	if (!fn->has_wrapper)
		take_firing(e, fn == e->fns);
	if (fn->may_goto)
		tn_x86_store_i(e->b, 8, tn_x86_at(RBP, fn->goto_slot), TN_MAY_GOTO_LIMIT);
	if (e->facts)
		return zero_slots(e, fn);
	define_everything(e, fn);
	return 0;
}

/* ---- Epilogue ---- */

void tn_emit_restore(struct tn_emit *e)
{
	struct tn_fn *fn = e->fn;

	if (fn->pad_stack)
		tn_x86_pop(e->b, R11);
	pop_saved(e, fn);
	if (e->needs_ex && !fn->has_wrapper)
		tn_x86_pop(e->b, REG_EX);
	if (fn->has_frame && fn->frame_bytes)
		tn_x86_leave(e->b);
	else if (fn->has_frame)
		tn_x86_pop(e->b, RBP);
}

/* Fuel goes back to the firing where C comes next, and where a caller cannot know whether a tail
 * call happened. */
static bool stores_fuel(const struct tn_emit *e)
{
	return e->has_fuel && (!e->fn->has_wrapper || e->fn->may_tail_call);
}

static void epilogue(struct tn_emit *e)
{
	if (stores_fuel(e))
		tn_emit_save_fuel(e);
	tn_emit_restore(e);
	tn_x86_ret(e->b);
}

/* One or two pops are no longer than a jump to them. */
static bool is_short(const struct tn_emit *e)
{
	const struct tn_fn *fn = e->fn;
	int pops = __builtin_popcount(fn->saved) + fn->pad_stack +
		   (e->needs_ex && !fn->has_wrapper);

	return !fn->has_frame && !stores_fuel(e) && pops <= 2;
}

void tn_emit_exit(struct tn_emit *e, bool is_last)
{
	if (is_short(e)) {
		epilogue(e);
		return;
	}
	e->fn->used_leave = true;
	/* The last one stands before the epilogue. */
	if (!is_last)
		tn_codebuf_item(e->b, TN_ITEM_JMP, 0, e->fn->leave);
}

static void abort_paths(struct tn_emit *e)
{
	struct tn_fn *fn = e->fn;

	if (fn->used_no_fuel) {
		tn_codebuf_bind(e->b, fn->no_fuel);
		tn_emit_save_fuel(e);
		tn_x86_store_i(e->b, 4, ex_abort(), TN_ABORT_FUEL);
	}
	if (fn->used_aborted || fn->used_no_fuel) {
		tn_codebuf_bind(e->b, fn->aborted);
		tn_x86_mov_ri(e->b, RAX, 0);
		if (fn->has_wrapper && e->unwinds) {
			tn_x86_load(e->b, 8, RSP, ex_entry_sp());
			tn_codebuf_item(e->b, TN_ITEM_JMP, 0, e->unwind);
		} else {
			tn_emit_restore(e);
			tn_x86_ret(e->b);
		}
	}
}

/* ---- Wrappers: the native entries of inner functions ---- */

static void wrapper(struct tn_emit *e, const struct tn_fn *fn, uint32_t label, bool is_main)
{
	unsigned i;

	tn_codebuf_bind(e->b, label);
	if (!e->needs_ex) {
		take_firing(e, is_main);
		tn_codebuf_item(e->b, TN_ITEM_JMP, 0, fn->entry);
		return;
	}
	if (e->unwinds) {
		tn_x86_push(e->b, RBP);
		for (i = 0; i < TN_ARRAY_SIZE(callee_saved); i++)
			tn_x86_push(e->b, callee_saved[i]);
	}
	tn_x86_push(e->b, REG_EX);
	take_firing(e, is_main);
	if (e->unwinds) {
		tn_x86_push_m(e->b, ex_entry_sp());
		tn_x86_store(e->b, 8, ex_entry_sp(), RSP);
	}
	tn_codebuf_item(e->b, TN_ITEM_CALL, 0, fn->entry);
	if (!fn->may_tail_call)
		tn_emit_save_fuel(e);
	if (e->unwinds) {
		tn_codebuf_item(e->b, TN_ITEM_JMP, 0, e->unwind);
	} else {
		tn_x86_pop(e->b, REG_EX);
		tn_x86_ret(e->b);
	}
}

/* Where the wrappers end, and where an abort in an inner function goes after it took back the
 * wrapper's stack pointer. */
void tn_emit_unwind(struct tn_emit *e)
{
	unsigned i;

	if (!e->unwinds)
		return;
	tn_codebuf_bind(e->b, e->unwind);
	tn_x86_pop_m(e->b, ex_entry_sp());
	tn_x86_pop(e->b, REG_EX);
	for (i = TN_ARRAY_SIZE(callee_saved); i--;)
		tn_x86_pop(e->b, callee_saved[i]);
	tn_x86_pop(e->b, RBP);
	tn_x86_ret(e->b);
}

void tn_emit_tail(struct tn_emit *e)
{
	struct tn_fn *fn = e->fn;

	if (fn->used_leave) {
		tn_codebuf_bind(e->b, fn->leave);
		epilogue(e);
	}
	if (fn->used_ends_zero) {
		tn_codebuf_bind(e->b, fn->ends_zero);
		tn_x86_mov_ri(e->b, RAX, 0);
		epilogue(e);
	}
	abort_paths(e);
	if (fn->has_wrapper && fn == e->fns)
		wrapper(e, fn, fn->main_entry, true);
	if (fn->has_wrapper && fn->is_callback)
		wrapper(e, fn, fn->func_entry, false);
}
