/* SPDX-License-Identifier: MIT */
/* The failing path, followed once more; see trace.h. */
#include "verifier/trace.h"
#include "verifier/global.h"

#include <stdio.h>
#include <string.h>

struct path {
	struct tn_trace_step *v; /* ring of TN_TRACE_STEPS */
	uint64_t nr;
	uint32_t *calls; /* call sites of the frames */
	uint32_t depth;
	const struct tn_trail **decisions; /* oldest first */
	uint32_t nr_decisions, next;
};

/* ---- The path: between its decisions it is the code itself ---- */

static bool is_decision(const struct tn_trail *t)
{
	return t->kind != TN_TRAIL_WIDEN && t->kind != TN_TRAIL_JOIN;
}

static uint32_t count_decisions(const struct tn_trail *t)
{
	uint32_t n = 0;

	for (; t; t = t->prev)
		n += is_decision(t);
	return n;
}

static void collect_decisions(const struct tn_trail *t, const struct tn_trail **out, uint32_t n)
{
	for (; t; t = t->prev)
		if (is_decision(t))
			out[--n] = t;
}

/* The decision made at `insn`, if the path made one there next. */
static uint8_t decision(struct path *p, uint32_t insn)
{
	if (p->next == p->nr_decisions || p->decisions[p->next]->insn != insn)
		return TN_NO_DECISION;
	return p->decisions[p->next++]->kind;
}

/* Where the path goes from `insn`; TN_NONE: it can not be followed further. */
static uint32_t next_insn(const struct tn_vf *vf, struct path *p, uint32_t insn, uint8_t outcome)
{
	const struct tn_insn *i = &vf->prog->insns[insn];
	const struct tn_site *site = &vf->structure->sites[insn];

	if (tn_insn_is_ja(i))
		return site->target;
	if (tn_insn_is_jump(i))
		return outcome == TN_TRAIL_TAKEN ? site->target : insn + 1;
	if (outcome == TN_TRAIL_CALLBACK ||
	    (i->code == (TN_JMP | TN_CALL) && i->src == TN_CALL_LOCAL &&
	     !tn_global_was_called(vf, site->callee))) {
		uint32_t callee = outcome == TN_TRAIL_CALLBACK ? vf->seen[insn].callback
							       : site->callee;

		if (p->depth >= TN_MAX_FRAMES || callee == TN_NONE)
			return TN_NONE;
		p->calls[p->depth++] = insn;
		return vf->prog->subprogs[callee].start;
	}
	if (i->code == (TN_JMP | TN_EXIT) || outcome == TN_TRAIL_TAIL) {
		if (!p->depth)
			return TN_NONE;
		insn = p->calls[--p->depth];
		/* A callback goes back to its call. */
		return vf->seen[insn].callback != TN_NONE ? insn : insn + 1;
	}
	return insn + (tn_insn_is_lddw(i) ? 2 : 1);
}

static void follow(const struct tn_vf *vf, struct path *p)
{
	/* A global function's path begins there. */
	uint32_t insn = vf->prog->subprogs[vf->s.frames[0].subprog].start;

	/* Every cycle of the path makes a decision somewhere, but for loops of plain jumps, which
	 * have no end; the step count bounds those. */
	for (uint64_t n = 0; insn != TN_NONE && n <= vf->steps; n++) {
		uint8_t outcome = decision(p, insn);

		p->v[p->nr++ % TN_TRACE_STEPS] = (struct tn_trace_step){ insn, (uint16_t)p->depth,
									 outcome };
		if (p->next == p->nr_decisions && insn == vf->s.insn &&
		    p->depth + 1 == vf->s.nr_frames)
			return;
		insn = next_insn(vf, p, insn, outcome);
	}
}

/* ---- Values ---- */

static uint32_t add(struct tn_trace *t, struct tn_val v)
{
	v.gone = TN_NONE;
	t->vals[t->nr_vals] = v;
	return t->nr_vals++;
}

static uint32_t *regs_of(const struct tn_trace *t, uint32_t depth)
{
	return &t->regs[depth * TN_NR_REGS];
}

uint32_t tn_trace_reg(const struct tn_trace *t, uint32_t reg)
{
	return regs_of(t, t->steps[t->nr_steps - 1].depth)[reg];
}

static bool is_add(const struct tn_val *v)
{
	return v->op == TN_VAL_ALU && (v->alu == TN_ADD || v->alu == TN_SUB) && v->b == TN_NONE;
}

/* The slot that `size` bytes at base + off fill; NULL: not a known one. */
static uint32_t *slot_at(const struct tn_trace *t, uint32_t base, int64_t off)
{
	const struct tn_val *v;
	int64_t max = (int64_t)t->vf->senv.max_slots * 8;

	for (v = tn_trace_val(t, base); v && is_add(v); v = tn_trace_val(t, v->a))
		off += v->alu == TN_ADD ? v->imm : -v->imm;
	if (!v || v->op != TN_VAL_FRAME || off >= 0 || off < -max)
		return NULL;
	return &t->slots[(uint64_t)v->imm * t->vf->senv.max_slots + (uint64_t)(-off - 1) / 8];
}

static void number_alu(struct tn_trace *t, uint32_t step, const struct tn_insn *i, uint32_t *r)
{
	bool half = TN_CLASS(i->code) == TN_ALU, reg = TN_SRC(i->code);
	uint8_t op = TN_OP(i->code);

	if (op == TN_MOV && !i->off && reg && !half) {
		r[i->dst] = r[i->src];
		return;
	}
	if (op == TN_MOV && !reg) {
		r[i->dst] = add(t,
				(struct tn_val){ .op = TN_VAL_CONST,
						 .step = step,
						 .imm = half ? (int64_t)(uint32_t)i->imm : i->imm,
						 .a = TN_NONE,
						 .b = TN_NONE });
		return;
	}
	r[i->dst] = add(
		t, (struct tn_val){ .op = TN_VAL_ALU,
				    .alu = op,
				    .half = half,
				    .step = step,
				    .a = op == TN_MOV ? r[i->src] : r[i->dst],
				    .b = reg && op != TN_MOV && op != TN_END ? r[i->src] : TN_NONE,
				    .imm = i->imm });
}

static void number_load(struct tn_trace *t, uint32_t step, const struct tn_insn *i, uint32_t *r)
{
	const uint32_t *slot = slot_at(t, r[i->src], i->off);

	if (slot && *slot != TN_NONE) {
		r[i->dst] = *slot;
		return;
	}
	r[i->dst] = add(t, (struct tn_val){ .op = TN_VAL_LOAD,
					    .step = step,
					    .a = r[i->src],
					    .b = TN_NONE,
					    .imm = i->off,
					    .size = tn_insn_bytes(i->code) });
}

static void number_store(struct tn_trace *t, uint32_t step, const struct tn_insn *i, uint32_t *r)
{
	uint32_t *slot = slot_at(t, r[i->dst], i->off);

	if (TN_MODE(i->code) == TN_ATOMIC) {
		if (slot)
			*slot = TN_NONE;
		if (i->imm & TN_FETCH)
			r[i->imm == TN_CMPXCHG ? TN_R0 : i->src] =
				add(t, (struct tn_val){ .step = step, .a = TN_NONE, .b = TN_NONE });
		return;
	}
	if (!slot)
		return;
	*slot = TN_CLASS(i->code) == TN_STX ? r[i->src]
					    : add(t, (struct tn_val){ .op = TN_VAL_CONST,
								      .step = step,
								      .imm = i->imm,
								      .a = TN_NONE,
								      .b = TN_NONE });
}

static void number_lddw(struct tn_trace *t, uint32_t step, const struct tn_insn *i, uint32_t *r)
{
	struct tn_val v = { .step = step, .a = TN_NONE, .b = TN_NONE };

	if (i->src == TN_LDDW_MAP) {
		v.op = TN_VAL_MAP;
		v.imm = (uint32_t)i->imm;
	} else if (i->src == TN_LDDW_MAP_VALUE) {
		v.op = TN_VAL_DATA;
		v.a = (uint32_t)i->imm;
		v.imm = (uint32_t)i[1].imm;
	} else if (i->src == TN_LDDW_IMM) {
		v.op = TN_VAL_CONST;
		v.imm = (int64_t)((uint64_t)(uint32_t)i[1].imm << 32 | (uint32_t)i->imm);
	}
	r[i->dst] = add(t, v);
}

/* ---- Calls ---- */

static void clear_arguments(struct tn_trace *t, uint32_t step, uint32_t *r)
{
	uint32_t cleared = add(
		t,
		(struct tn_val){ .op = TN_VAL_CLEARED, .step = step, .a = TN_NONE, .b = TN_NONE });

	for (uint32_t i = TN_R1; i <= TN_R5; i++)
		r[i] = cleared;
}

static void number_helper(struct tn_trace *t, uint32_t step, uint32_t insn, uint32_t *r)
{
	const struct tn_sig *sig = tn_vf_sig(t->vf, insn);
	uint32_t first = r[TN_R1];

	for (uint32_t i = 0; sig && i < sig->nr_args; i++) {
		const struct tn_arg *a = &sig->args[i];
		uint32_t v = r[TN_R1 + i];

		if ((a->release || a->kind == TN_ARG_RINGBUF_RECORD) && v != TN_NONE)
			t->vals[v].gone = step;
		/* What a callee writes into the stack is no spill any more. */
		if (a->kind == TN_ARG_WMEM && slot_at(t, v, 0))
			*slot_at(t, v, 0) = TN_NONE;
	}
	if (sig && sig->flags & TN_SIG_INVALIDATES_CTX)
		t->invalidated = step;
	clear_arguments(t, step, r);
	r[TN_R0] = add(
		t, (struct tn_val){ .op = TN_VAL_CALL, .step = step, .a = first, .b = TN_NONE });
}

static void forget_frame(struct tn_trace *t, uint32_t depth)
{
	uint32_t frame = add(
		t, (struct tn_val){ .op = TN_VAL_FRAME, .imm = depth, .a = TN_NONE, .b = TN_NONE });
	uint32_t *r = regs_of(t, depth);

	for (uint32_t i = 0; i < TN_NR_REGS; i++)
		r[i] = TN_NONE;
	r[TN_R10] = frame;
	for (uint32_t i = 0; i < t->vf->senv.max_slots; i++)
		t->slots[(uint64_t)depth * t->vf->senv.max_slots + i] = TN_NONE;
}

static void number_call(struct tn_trace *t, uint32_t step, const struct tn_insn *i, uint32_t *r)
{
	const struct tn_trace_step *s = &t->steps[step], *next = s + 1;
	uint32_t *callee;

	if (step + 1 < t->nr_steps && next->depth == s->depth + 1) {
		forget_frame(t, next->depth);
		callee = regs_of(t, next->depth);
		if (s->outcome == TN_TRAIL_CALLBACK) {
			callee[TN_R1] = add(t, (struct tn_val){ .op = TN_VAL_INDEX,
								.step = step,
								.a = TN_NONE,
								.b = TN_NONE });
			callee[TN_R2] = r[TN_R3];
		} else {
			memcpy(callee + TN_R1, r + TN_R1, 5 * sizeof(*r));
			clear_arguments(t, step, r);
		}
		return;
	}
	if (i->src != TN_CALL_LOCAL)
		number_helper(t, step, s->insn, r);
}

/* ---- Tests ---- */

static uint8_t opposite(uint8_t op)
{
	static const uint8_t pairs[][2] = { { TN_JEQ, TN_JNE },
					    { TN_JGT, TN_JLE },
					    { TN_JGE, TN_JLT },
					    { TN_JSGT, TN_JSLE },
					    { TN_JSGE, TN_JSLT } };

	for (size_t i = 0; i < TN_ARRAY_SIZE(pairs); i++) {
		if (pairs[i][0] == op)
			return pairs[i][1];
		if (pairs[i][1] == op)
			return pairs[i][0];
	}
	return op; /* JSET: of no use either way */
}

static void note_test(struct tn_trace *t, uint32_t step, const struct tn_insn *i, const uint32_t *r)
{
	uint8_t op = TN_OP(i->code), outcome = t->steps[step].outcome;

	if (tn_insn_is_ja(i) || op == TN_JCOND || outcome == TN_NO_DECISION)
		return;
	t->tests[t->nr_tests++] = (struct tn_test){
		.step = step,
		.a = r[i->dst],
		.b = TN_SRC(i->code) ? r[i->src] : TN_NONE,
		.imm = i->imm,
		.op = outcome == TN_TRAIL_TAKEN ? op : opposite(op),
		.half = TN_CLASS(i->code) == TN_JMP32,
	};
}

/* ---- All of it ---- */

static void number_step(struct tn_trace *t, uint32_t step)
{
	const struct tn_trace_step *s = &t->steps[step];
	const struct tn_insn *i = &t->vf->prog->insns[s->insn];
	uint32_t *r = regs_of(t, s->depth);

	switch (TN_CLASS(i->code)) {
	case TN_ALU:
	case TN_ALU64:
		number_alu(t, step, i, r);
		break;
	case TN_LDX:
		number_load(t, step, i, r);
		break;
	case TN_ST:
	case TN_STX:
		number_store(t, step, i, r);
		break;
	case TN_LD:
		if (tn_insn_is_lddw(i)) {
			number_lddw(t, step, i, r);
			break;
		}
		clear_arguments(t, step, r);
		r[TN_R0] = add(t, (struct tn_val){ .step = step, .a = TN_NONE, .b = TN_NONE });
		break;
	default:
		if (i->code == (TN_JMP | TN_CALL))
			number_call(t, step, i, r);
		else if (i->code == (TN_JMP | TN_EXIT) && s->depth)
			regs_of(t, s->depth - 1u)[TN_R0] = r[TN_R0];
		else if (i->code != (TN_JMP | TN_EXIT))
			note_test(t, step, i, r);
	}
}

static void number(struct tn_trace *t)
{
	uint32_t frames = t->vf->senv.max_frames;

	for (uint32_t d = 0; d < frames; d++)
		forget_frame(t, d);
	if (!t->steps[0].insn && !t->steps[0].depth)
		regs_of(t, 0)[TN_R1] =
			add(t, (struct tn_val){ .op = TN_VAL_CTX, .a = TN_NONE, .b = TN_NONE });
	for (uint32_t i = 0; i + 1 < t->nr_steps; i++)
		number_step(t, i);
}

static bool copy_steps(struct tn_trace *t, const struct path *p)
{
	uint64_t first = p->nr > TN_TRACE_STEPS ? p->nr - TN_TRACE_STEPS : 0;
	struct tn_rt *rt = t->vf->rt;
	uint32_t frames = TN_MAX_FRAMES + 1;

	t->nr_steps = (uint32_t)(p->nr - first);
	t->max_vals = t->nr_steps * 3 + 2 * frames + 2;
	t->steps = tn_alloc_array(rt, t->nr_steps + 1, sizeof(t->steps[0]));
	t->vals = tn_alloc_array(rt, t->max_vals, sizeof(t->vals[0]));
	t->tests = tn_alloc_array(rt, t->nr_steps + 1, sizeof(t->tests[0]));
	t->regs = tn_alloc_array(rt, (size_t)frames * TN_NR_REGS, sizeof(t->regs[0]));
	t->slots = tn_alloc_array(rt, (size_t)frames * t->vf->senv.max_slots + 1,
				  sizeof(t->slots[0]));
	if (!t->steps || !t->vals || !t->tests || !t->regs || !t->slots)
		return false;
	for (uint32_t i = 0; i < t->nr_steps; i++)
		t->steps[i] = p->v[(first + i) % TN_TRACE_STEPS];
	return true;
}

struct tn_trace *tn_trace_new(struct tn_vf *vf)
{
	struct path p = { .nr_decisions = count_decisions(vf->s.trail) };
	struct tn_trace *t = tn_new(vf->rt, struct tn_trace);
	bool ok;

	p.v = tn_alloc_array(vf->rt, TN_TRACE_STEPS, sizeof(p.v[0]));
	p.calls = tn_alloc_array(vf->rt, TN_MAX_FRAMES, sizeof(p.calls[0]));
	p.decisions = tn_alloc_array(vf->rt, (size_t)p.nr_decisions + 1, sizeof(p.decisions[0]));
	ok = t && p.v && p.calls && p.decisions;
	if (t)
		t->vf = vf;
	if (ok) {
		t->invalidated = TN_NONE;
		collect_decisions(vf->s.trail, p.decisions, p.nr_decisions);
		follow(vf, &p);
		ok = copy_steps(t, &p) && t->nr_steps &&
		     t->steps[t->nr_steps - 1].insn == vf->s.insn &&
		     t->steps[t->nr_steps - 1].depth + 1u == vf->s.nr_frames;
	}
	tn_free(vf->rt, p.v);
	tn_free(vf->rt, p.calls);
	tn_free(vf->rt, p.decisions);
	if (!ok) {
		tn_trace_free(t);
		return NULL;
	}
	number(t);
	return t;
}

void tn_trace_free(struct tn_trace *t)
{
	struct tn_rt *rt;

	if (!t)
		return;
	rt = t->vf->rt;
	tn_free(rt, t->steps);
	tn_free(rt, t->vals);
	tn_free(rt, t->tests);
	tn_free(rt, t->regs);
	tn_free(rt, t->slots);
	tn_free(rt, t);
}

/* ---- Questions ---- */

/* x << 32 >> 32 and other extensions, masks that keep a whole half. */
static bool is_extension(const struct tn_trace *t, const struct tn_val *v, uint32_t *from)
{
	const struct tn_val *a;

	if (v->op != TN_VAL_ALU)
		return false;
	*from = v->a;
	if (v->alu == TN_MOV)
		return true;
	a = tn_trace_val(t, v->a);
	if ((v->alu == TN_RSH || v->alu == TN_ARSH) && v->b == TN_NONE && a &&
	    a->op == TN_VAL_ALU && a->alu == TN_LSH && a->b == TN_NONE && a->imm == v->imm) {
		*from = a->a;
		return true;
	}
	return false;
}

uint32_t tn_trace_root(const struct tn_trace *t, uint32_t v)
{
	for (;;) {
		const struct tn_val *x = tn_trace_val(t, v);
		uint32_t from;

		if (!x)
			return v;
		if (is_extension(t, x, &from))
			v = from;
		else if (is_add(x))
			v = x->a;
		else
			return v;
	}
}

static bool is_const(const struct tn_trace *t, uint32_t v, int64_t *c)
{
	const struct tn_val *x = tn_trace_val(t, v);

	if (!x || x->op != TN_VAL_CONST)
		return false;
	*c = x->imm;
	return true;
}

static bool is_pointer(const struct tn_trace *t, uint32_t v)
{
	const struct tn_val *x = tn_trace_val(t, tn_trace_root(t, v));

	while (x && x->op == TN_VAL_ALU && x->alu == TN_ADD && x->b != TN_NONE)
		x = is_pointer(t, x->b) ? tn_trace_val(t, tn_trace_root(t, x->b))
					: tn_trace_val(t, tn_trace_root(t, x->a));
	if (!x)
		return false;
	if (x->op == TN_VAL_CALL) {
		const struct tn_sig *sig = tn_vf_sig(t->vf, t->steps[x->step].insn);

		return sig && sig->ret != TN_RET_SCALAR && sig->ret != TN_RET_VOID;
	}
	return x->op == TN_VAL_FRAME || x->op == TN_VAL_DATA || x->op == TN_VAL_CTX ||
	       (x->op == TN_VAL_LOAD && tn_trace_is_ctx_pointer(t, x));
}

bool tn_trace_is_ctx_pointer(const struct tn_trace *t, const struct tn_val *x)
{
	const struct tn_val *base = tn_trace_val(t, x->a);
	const struct tn_field *f;

	if (x->op != TN_VAL_LOAD || !base || base->op != TN_VAL_CTX || x->imm < 0)
		return false;
	f = tn_ctx_field_at(t->vf->ctx, (uint32_t)x->imm, x->size);
	return f && f->kind != TN_FIELD_SCALAR && f->kind != TN_FIELD_SIZED_LEN;
}

/* Scale and offset of what stands outside are kept in *out; v is taken apart. */
static void take_apart(const struct tn_trace *t, uint32_t v, struct tn_linear *out)
{
	const struct tn_val *x;
	uint32_t from;
	int64_t c;

	for (uint32_t n = 0; n < TN_TRACE_STEPS; n++) {
		x = tn_trace_val(t, v);
		if (!x)
			break;
		if (x->op == TN_VAL_CONST) {
			out->offset += out->scale * x->imm;
			return;
		}
		if (is_extension(t, x, &from)) {
			v = from;
		} else if (is_add(x)) {
			out->offset += out->scale * (x->alu == TN_ADD ? x->imm : -x->imm);
			v = x->a;
		} else if (x->op == TN_VAL_ALU && x->b == TN_NONE && x->alu == TN_LSH &&
			   x->imm < 16) {
			out->scale <<= x->imm;
			v = x->a;
		} else if (x->op == TN_VAL_ALU && x->b == TN_NONE && x->alu == TN_MUL &&
			   x->imm > 0 && x->imm < 1 << 16) {
			out->scale *= x->imm;
			v = x->a;
		} else if (x->op == TN_VAL_ALU && x->alu == TN_ADD && is_const(t, x->b, &c)) {
			out->offset += out->scale * c;
			v = x->a;
		} else if (x->op == TN_VAL_ALU && x->alu == TN_ADD && x->b != TN_NONE &&
			   out->base == TN_NONE && is_pointer(t, x->a)) {
			out->base = x->a;
			v = x->b;
		} else if (x->op == TN_VAL_ALU && x->alu == TN_ADD && x->b != TN_NONE &&
			   out->base == TN_NONE && is_pointer(t, x->b)) {
			out->base = x->b;
			v = x->a;
		} else {
			break;
		}
	}
	out->root = v;
}

struct tn_linear tn_trace_linear(const struct tn_trace *t, uint32_t v)
{
	struct tn_linear out = { .root = TN_NONE, .base = TN_NONE, .scale = 1 }, base;

	take_apart(t, v, &out);
	if (out.base == TN_NONE && out.root != TN_NONE && is_pointer(t, out.root)) {
		out.base = out.root;
		out.root = TN_NONE;
	} else if (out.base != TN_NONE) {
		/* The pointer may have been moved by a constant before. */
		base = (struct tn_linear){ .root = TN_NONE, .base = out.base, .scale = 1 };
		take_apart(t, out.base, &base);
		out.offset += base.offset;
		out.base = base.root == TN_NONE ? out.base : base.root;
	}
	return out;
}

const struct tn_line *tn_trace_line(const struct tn_trace *t, uint32_t step)
{
	return step < t->nr_steps ? tn_prog_line(t->vf->prog, t->steps[step].insn) : NULL;
}

const char *tn_trace_keep(struct tn_trace *t, const char *text)
{
	for (uint32_t i = 0; i < t->nr_texts; i++)
		if (!strcmp(t->texts[i], text))
			return t->texts[i];
	if (t->nr_texts == TN_TRACE_TEXTS)
		return "...";
	snprintf(t->texts[t->nr_texts], TN_TRACE_TEXT, "%s", text);
	return t->texts[t->nr_texts++];
}

const char *tn_trace_place(struct tn_trace *t, uint32_t step)
{
	char buf[TN_TRACE_TEXT];
	const struct tn_line *line = tn_trace_line(t, step);
	const struct tn_line *failed = tn_trace_line(t, t->nr_steps - 1);
	const char *slash = line && line->file ? strrchr(line->file, '/') : NULL;

	if (!line)
		snprintf(buf, sizeof(buf), "instruction %u",
			 step < t->nr_steps ? t->steps[step].insn : 0);
	else if (failed && line->file && failed->file && strcmp(line->file, failed->file))
		snprintf(buf, sizeof(buf), "%.60s:%u", slash ? slash + 1 : line->file, line->line);
	else
		snprintf(buf, sizeof(buf), "line %u", line->line);
	return tn_trace_keep(t, buf);
}
