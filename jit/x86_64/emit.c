/* SPDX-License-Identifier: MIT */
/* One program: labels, then function by function, instruction by instruction. */
#include <errno.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "jit/x86_64/emit.h"
#include "base/err.h"

const uint8_t tn_x86_regs[TN_NR_REGS] = { RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP };

/* Labels of a function, beside those of its instructions. */
enum { LABELS_PER_FN = 7 };

static int emit_insn(struct tn_emit *e, uint32_t i)
{
	const struct tn_insn *insn = &e->prog->insns[i];

	if (tn_flow_is_dead(&e->flow, e->prog, i))
		return 0;
	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		return tn_emit_alu(e, i);
	case TN_LD:
		if (TN_MODE(insn->code) != TN_IMM)
			return tn_emit_ld_packet(e, i);
		tn_lazy_settle(e, i);
		tn_x86_mov_ri(e->b, tn_reg(insn->dst), tn_insn_imm64(insn));
		return 0;
	case TN_LDX:
	case TN_ST:
	case TN_STX:
		return tn_emit_memory(e, i);
	default:
		return insn->code == (TN_JMP | TN_CALL) ? tn_emit_call(e, i) : tn_emit_jump(e, i);
	}
}

/* Where another path may arrive, nothing waits and no flag is known. */
static void begin_insn(struct tn_emit *e, uint32_t i)
{
	uint8_t flags = e->flow.flags[i];

	e->waiting &= e->flow.live_in[i];
	if (flags & TN_FLOW_TARGET) {
		tn_lazy_flush(e, e->waiting);
		tn_emit_no_flags(e);
	}
	if (flags & TN_FLOW_LOOP)
		tn_codebuf_item(e->b, TN_ITEM_LOOP, 0, e->after + e->flow.loop_last[i]);
	tn_codebuf_bind(e->b, e->labels + i);
}

static int emit_function(struct tn_emit *e, struct tn_fn *fn)
{
	uint32_t i;
	int err;

	e->fn = fn;
	err = tn_codebuf_reserve(e->b);
	if (!err)
		err = tn_emit_prologue(e);
	if (err)
		return err;
	e->waiting = 0;
	tn_emit_no_flags(e);
	for (i = fn->start; i < fn->end; i++) {
		if (!(e->flow.flags[i] & TN_FLOW_REACHED))
			continue;
		err = tn_codebuf_reserve(e->b);
		if (err)
			return err;
		begin_insn(e, i);
		err = i == e->skip ? 0 : emit_insn(e, i);
		if (err)
			return err;
		tn_codebuf_bind(e->b, e->after + i);
	}
	err = tn_codebuf_reserve(e->b);
	if (!err)
		tn_emit_tail(e);
	return err;
}

static int make_labels(struct tn_emit *e)
{
	const struct tn_prog *prog = e->prog;
	uint32_t first, f;
	int err;

	err = tn_codebuf_labels(e->b, prog->nr_insns, &e->labels);
	if (!err)
		err = tn_codebuf_labels(e->b, prog->nr_insns, &e->after);
	if (!err)
		err = tn_codebuf_labels(e->b, LABELS_PER_FN * prog->nr_subprogs + 1, &first);
	if (err)
		return err;
	for (f = 0; f < prog->nr_subprogs; f++) {
		struct tn_fn *fn = &e->fns[f];

		fn->entry = first++;
		fn->main_entry = first++;
		fn->func_entry = first++;
		fn->leave = first++;
		fn->no_fuel = first++;
		fn->aborted = first++;
		fn->ends_zero = first++;
	}
	e->unwind = first;
	return 0;
}

static void detect_features(struct tn_emit *e)
{
#if defined(__x86_64__)
	unsigned eax, ebx, ecx = 0, edx;

	__builtin_cpu_init();
	e->has_bmi2 = __builtin_cpu_supports("bmi2") != 0;
	/* clang 14 has no name for movbe. Intel SDM 2A, CPUID leaf 1: ECX bit 22. */
	e->has_movbe = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & 1u << 22);
#else
	(void)e;
#endif
}

int tn_emit_prog(struct tn_emit *e)
{
	const struct tn_prog *prog = e->prog;
	uint32_t f;
	int err;

	detect_features(e);
	e->skip = UINT32_MAX;
	e->facts = prog->facts;
	e->fns = tn_alloc_array(prog->rt, prog->nr_subprogs, sizeof(e->fns[0]));
	if (!e->fns)
		return tn_err_nomem("functions of a program");
	err = tn_flow_init(&e->flow, prog);
	if (!err)
		err = make_labels(e);
	if (!err)
		err = tn_emit_survey(e);
	if (!err)
		err = tn_emit_hash_survey(e);
	for (f = 0; !err && f < prog->nr_subprogs; f++)
		err = emit_function(e, &e->fns[f]);
	if (!err)
		err = tn_codebuf_reserve(e->b);
	if (!err)
		tn_emit_unwind(e);
	return err ? err : tn_emit_hash_stubs(e);
}

void tn_emit_free(struct tn_emit *e)
{
	tn_flow_free(&e->flow, e->prog->rt);
	tn_vec_free(e->prog->rt, &e->hash_stubs);
	tn_free(e->prog->rt, e->fns);
	e->fns = NULL;
}
