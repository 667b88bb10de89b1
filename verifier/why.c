/* SPDX-License-Identifier: MIT */
/*
 * The WHY lines: what the failing path did to the register that failed. From its value back: what
 * made it, who tested it; newest first, what one source line did as one line. And where no register
 * failed, but something is held: the decisions since it was acquired.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/trace.h"
#include "vm/disasm.h"

/* Steps of the chain that are told; of one source line together. */
#define MAX_EVENTS 24

struct event {
	uint32_t step;
	uint32_t reg; /* TN_NONE: the path alone */
	bool test;
};

struct chain {
	struct event v[MAX_EVENTS];
	uint32_t nr;
};

static void push(struct chain *c, uint32_t step, uint32_t reg, bool test)
{
	for (uint32_t i = 0; i < c->nr; i++)
		if (c->v[i].step == step)
			return;
	if (c->nr < MAX_EVENTS)
		c->v[c->nr++] = (struct event){ step, reg, test };
}

static const char *code_of(const struct tn_trace *t, uint32_t step, char *buf, size_t size)
{
	uint32_t insn = t->steps[step].insn;

	tn_disasm(t->vf->prog, &t->vf->prog->insns[insn], insn, buf, size);
	return buf;
}

/* "line 12: `if (i >= n)`", or the instruction where there are no lines. */
static void place(struct tn_trace *t, uint32_t step, char *buf, size_t size)
{
	const struct tn_line *line = tn_trace_line(t, step);
	const char *text = line && line->text ? line->text + strspn(line->text, " \t") : "";

	snprintf(buf, size, *text ? "%s: `%.64s`" : "%s", tn_trace_place(t, step), text);
}

static bool same_line(const struct tn_trace *t, const struct event *a, const struct event *b)
{
	const struct tn_line *x = tn_trace_line(t, a->step), *y = tn_trace_line(t, b->step);

	return a->test == b->test && x && y && x->line == y->line && x->file == y->file;
}

/* Events [first, end) are one source line's, newest first. */
static void tell(struct tn_trace *t, const struct chain *c, uint32_t first, uint32_t end)
{
	struct tn_diag *d = &t->vf->diag;
	const struct event *e = &c->v[first];
	char at[160], code[80], all[160] = "", who[16] = "it";
	size_t len = 0;

	place(t, e->step, at, sizeof(at));
	for (uint32_t i = end; i-- > first;) {
		code_of(t, c->v[i].step, code, sizeof(code));
		if (len + strlen(code) + 3 > sizeof(all))
			break;
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len ? "; " : "",
					code);
	}
	if (e->reg != TN_NONE)
		snprintf(who, sizeof(who), "r%u", e->reg % 100);
	if (e->test)
		snprintf(d->why[d->nr_why], TN_WHY_BYTES,
			 e->reg == TN_NONE ? "%sthe path goes through %s (%s, %s)"
					   : "%s was compared at %s (%s, %s)",
			 e->reg == TN_NONE ? "" : who, at, all,
			 t->steps[e->step].outcome == TN_TRAIL_TAKEN ? "taken" : "not taken");
	else
		snprintf(d->why[d->nr_why], TN_WHY_BYTES, "%s was set at %s (%s)", who, at, all);
	/* Each round of a loop says the same. */
	for (uint32_t i = 0; i < d->nr_why; i++)
		if (!strcmp(d->why[i], d->why[d->nr_why]))
			return;
	d->nr_why++;
}

static void tell_all(struct tn_trace *t, const struct chain *c)
{
	for (uint32_t i = 0, end; i < c->nr && t->vf->diag.nr_why < TN_WHY_LINES; i = end) {
		for (end = i + 1; end < c->nr && same_line(t, &c->v[i], &c->v[end]);)
			end++;
		tell(t, c, i, end);
	}
}

/* ---- The register that failed ---- */

static uint32_t dst_of(const struct tn_trace *t, uint32_t step)
{
	const struct tn_insn *i = &t->vf->prog->insns[t->steps[step].insn];

	if (TN_CLASS(i->code) == TN_ST || TN_CLASS(i->code) == TN_STX)
		return TN_NONE; /* into the stack */
	return i->code == (TN_JMP | TN_CALL) ? TN_R0 : i->dst;
}

/* The newest compare of the value itself. */
static void push_test(const struct tn_trace *t, struct chain *c, uint32_t v)
{
	for (uint32_t i = t->nr_tests; i-- > 0;) {
		const struct tn_test *x = &t->tests[i];
		const struct tn_insn *insn = &t->vf->prog->insns[t->steps[x->step].insn];

		if (x->a != v && x->b != v)
			continue;
		push(c, x->step, x->a == v ? insn->dst : insn->src, true);
		return;
	}
}

static void explain_value(const struct tn_trace *t, struct chain *c, uint32_t v)
{
	while (v != TN_NONE && c->nr < MAX_EVENTS) {
		const struct tn_val *x = tn_trace_val(t, v);

		push_test(t, c, v);
		if (x->op == TN_VAL_FRAME || x->op == TN_VAL_CTX || x->op == TN_VAL_INDEX)
			return;
		push(c, x->step, dst_of(t, x->step), false);
		if (x->op != TN_VAL_ALU)
			return;
		/* Of a sum the number tells more than the pointer that it is added to. */
		v = x->b != TN_NONE && x->alu == TN_ADD && tn_trace_linear(t, x->b).base == TN_NONE
			    ? x->b
			    : x->a;
	}
}

/* ---- The path ---- */

static void explain_decisions(const struct tn_trace *t, struct chain *c, uint32_t since)
{
	for (uint32_t i = t->nr_steps; i-- > 0 && c->nr < TN_WHY_LINES - 1;) {
		const struct tn_trace_step *s = &t->steps[i];

		if (s->insn == since) {
			/* A lock has no result, and the headline names its line. */
			if (t->vf->diag.code != E_LOCK)
				push(c, i, dst_of(t, i), false);
			return;
		}
		if (s->outcome == TN_TRAIL_TAKEN || s->outcome == TN_TRAIL_BRANCH)
			push(c, i, TN_NONE, true);
	}
}

void tn_explain_why(struct tn_trace *t)
{
	struct tn_diag *d = &t->vf->diag;
	struct chain c = { .nr = 0 };

	if (d->reg >= 0)
		explain_value(t, &c, tn_trace_reg(t, (uint32_t)d->reg));
	else if (d->code == E_REFERENCE && t->vf->s.nr_refs)
		explain_decisions(t, &c, t->vf->s.refs[0].insn);
	else if (d->code == E_LOCK && t->vf->s.locked)
		explain_decisions(t, &c, t->vf->s.lock.insn);
	tell_all(t, &c);
}

void tn_explain_path(struct tn_vf *vf)
{
	struct tn_trace *t;

	if (vf->diag.code == E_LIMIT || vf->diag.insn != vf->s.insn)
		return;
	/* Without memory there is a message all the same. */
	t = tn_trace_new(vf);
	if (!t)
		return;
	tn_cure(t);
	tn_explain_why(t);
	tn_trace_free(t);
}

/* ---- The log ---- */

static void log_reg(struct tn_vf *vf, const char *name, const struct tn_reg *r)
{
	uint64_t c;

	if (r->kind == TN_REG_UNINIT)
		return;
	if (r->kind == TN_REG_SCALAR) {
		tn_log_add(vf, " %s=%s", name, tn_scalar_words(vf, &r->v));
		return;
	}
	tn_log_add(vf, " %s=%s", name, tn_reg_words(vf, r));
	if (!tn_scalar_is_const(&r->v, &c) || c)
		tn_log_add(vf, " + %s", tn_scalar_words(vf, &r->v));
	if (r->nullable)
		tn_log_add(vf, " or NULL");
}

static void log_line(struct tn_vf *vf)
{
	const struct tn_line *line = tn_prog_line(vf->prog, vf->s.insn);

	if (line && line->insn == vf->s.insn && line->text)
		tn_log_add(vf, "; %s @ %u\n", line->text + strspn(line->text, " \t"), line->line);
}

void tn_log_state(struct tn_vf *vf)
{
	const struct tn_frame *f = tn_state_top(&vf->s);
	char text[128], name[16];

	log_line(vf);
	tn_disasm(vf->prog, &vf->prog->insns[vf->s.insn], vf->s.insn, text, sizeof(text));
	tn_log_add(vf, "%u: %s  ;", vf->s.insn, text);
	for (uint32_t r = 0; r < TN_R10; r++) {
		snprintf(name, sizeof(name), "R%u", r);
		log_reg(vf, name, &f->r[r]);
	}
	for (uint32_t i = 0; i < f->nr_slots; i++) {
		if (!memchr(f->slots[i].b, TN_BYTE_SPILL, 8))
			continue;
		snprintf(name, sizeof(name), "fp-%u", 8 * (i + 1));
		log_reg(vf, name, &f->slots[i].reg);
	}
	tn_log_add(vf, "\n");
}
