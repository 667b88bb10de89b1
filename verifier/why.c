/* SPDX-License-Identifier: MIT */
/*
 * The WHY lines: what the failing path did to the register that failed. The trail holds the path's
 * decisions; between them the path is the code itself. It is followed from the start once more,
 * without states, and the last instructions that wrote or compared the register are kept, newest
 * first; a copy or a sum leads on to where the copied value came from.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/engine.h"
#include "vm/disasm.h"

/* The end of the path is what matters. */
#define MAX_PATH 4096

struct path_step {
	uint32_t insn;
	uint16_t depth;	 /* frames */
	uint8_t outcome; /* enum tn_trail_kind of a decision made here, or NO_DECISION */
};

#define NO_DECISION 0xff

struct path {
	struct path_step *v; /* ring of MAX_PATH */
	uint64_t nr;
	uint32_t *calls; /* call sites of the frames */
	uint32_t depth;
	const struct tn_trail **decisions; /* oldest first */
	uint32_t nr_decisions, next;
};

static uint32_t count_decisions(const struct tn_trail *t)
{
	uint32_t n = 0;

	for (; t; t = t->prev)
		n += t->kind != TN_TRAIL_WIDEN && t->kind != TN_TRAIL_JOIN;
	return n;
}

static void collect_decisions(const struct tn_trail *t, const struct tn_trail **out, uint32_t n)
{
	for (; t; t = t->prev)
		if (t->kind != TN_TRAIL_WIDEN && t->kind != TN_TRAIL_JOIN)
			out[--n] = t;
}

static void record(struct path *p, uint32_t insn, uint8_t outcome)
{
	p->v[p->nr++ % MAX_PATH] = (struct path_step){ insn, (uint16_t)p->depth, outcome };
}

/* The decision made at `insn`, if the path made one there next. */
static uint8_t decision(struct path *p, uint32_t insn)
{
	if (p->next == p->nr_decisions || p->decisions[p->next]->insn != insn)
		return NO_DECISION;
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
	    (i->code == (TN_JMP | TN_CALL) && i->src == TN_CALL_LOCAL)) {
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
	uint32_t insn = 0;

	/* Every cycle of the path makes a decision somewhere, but for loops of plain jumps, which
	 * have no end; the step count bounds those. */
	for (uint64_t n = 0; insn != TN_NONE && n <= vf->steps; n++) {
		uint8_t outcome = decision(p, insn);

		record(p, insn, outcome);
		if (p->next == p->nr_decisions && insn == vf->diag.insn &&
		    p->depth + 1 == vf->s.nr_frames)
			return;
		insn = next_insn(vf, p, insn, outcome);
	}
}

/* ---- What the steps say about a register ---- */

static bool writes(const struct tn_insn *i, uint32_t reg)
{
	switch (TN_CLASS(i->code)) {
	case TN_ALU:
	case TN_ALU64:
	case TN_LDX:
		return i->dst == reg;
	case TN_LD:
		return tn_insn_is_lddw(i) ? i->dst == reg : reg <= TN_R5;
	case TN_STX:
		return TN_MODE(i->code) == TN_ATOMIC && i->imm & TN_FETCH &&
		       (i->imm == TN_CMPXCHG ? reg == TN_R0 : i->src == reg);
	default:
		return i->code == (TN_JMP | TN_CALL) && reg <= TN_R5;
	}
}

static bool compares(const struct tn_insn *i, uint32_t reg)
{
	return tn_insn_is_jump(i) && !tn_insn_is_ja(i) && TN_OP(i->code) != TN_JCOND &&
	       (i->dst == reg || (TN_SRC(i->code) && i->src == reg));
}

static void describe(struct tn_vf *vf, const struct path_step *s, uint32_t reg, const char *what)
{
	const struct tn_line *line = tn_prog_line(vf->prog, s->insn);
	char text[80], place[TN_WHY_BYTES / 2];

	if (vf->diag.nr_why == TN_WHY_LINES)
		return;
	tn_disasm(vf->prog, &vf->prog->insns[s->insn], s->insn, text, sizeof(text));
	if (line)
		snprintf(place, sizeof(place), "line %u: %.60s", line->line,
			 line->text ? line->text + strspn(line->text, " \t") : "");
	else
		snprintf(place, sizeof(place), "insn %u", s->insn);
	snprintf(vf->diag.why[vf->diag.nr_why], TN_WHY_BYTES, "r%u %s at %s (%.60s)", reg, what,
		 place, text);
	/* Each round of a loop says the same. */
	for (uint32_t i = 0; i < vf->diag.nr_why; i++)
		if (!strcmp(vf->diag.why[i], vf->diag.why[vf->diag.nr_why]))
			return;
	vf->diag.nr_why++;
}

/* The register whose value an instruction copies or adds to `reg`. */
static uint32_t source_of(const struct tn_insn *i, uint32_t reg)
{
	uint8_t cls = TN_CLASS(i->code);

	if ((cls == TN_ALU || cls == TN_ALU64) && TN_SRC(i->code) &&
	    (TN_OP(i->code) == TN_MOV || TN_OP(i->code) == TN_ADD))
		return i->src;
	return reg;
}

static bool is_final(const struct tn_insn *i)
{
	uint8_t cls = TN_CLASS(i->code);

	return !(cls == TN_ALU || cls == TN_ALU64) ||
	       (TN_OP(i->code) == TN_MOV && !TN_SRC(i->code));
}

static const char *outcome_words(uint8_t outcome)
{
	return outcome == TN_TRAIL_TAKEN ? "was compared, and the jump taken,"
					 : "was compared, and the jump not taken,";
}

/* Backwards from the failing step, in the failing frame and, for arguments, its callers. */
static void explain_register(struct tn_vf *vf, const struct path *p, uint32_t reg)
{
	uint64_t first = p->nr > MAX_PATH ? p->nr - MAX_PATH : 0;
	uint32_t depth = p->v[(p->nr - 1) % MAX_PATH].depth;
	bool compared = false;

	for (uint64_t n = p->nr - 1; n-- > first && vf->diag.nr_why < TN_WHY_LINES;) {
		const struct path_step *s = &p->v[n % MAX_PATH];
		const struct tn_insn *i = &vf->prog->insns[s->insn];

		if (s->depth < depth) {
			/* The call that made this frame: arguments keep their registers. */
			if (reg < TN_R1 || reg > TN_R5)
				return;
			depth = s->depth;
			continue;
		}
		if (s->depth > depth)
			continue;
		if (compares(i, reg) && !compared) {
			describe(vf, s, reg, outcome_words(s->outcome));
			compared = true;
		}
		if (!writes(i, reg))
			continue;
		describe(vf, s, reg, "was set");
		if (is_final(i))
			return;
		if (source_of(i, reg) != reg)
			compared = false;
		reg = source_of(i, reg);
	}
}

void tn_explain_why(struct tn_vf *vf)
{
	struct path p = { .nr_decisions = count_decisions(vf->s.trail) };

	if (vf->diag.reg < 0)
		return;
	p.v = tn_alloc_array(vf->rt, MAX_PATH, sizeof(p.v[0]));
	p.calls = tn_alloc_array(vf->rt, TN_MAX_FRAMES, sizeof(p.calls[0]));
	p.decisions = tn_alloc_array(vf->rt, (size_t)p.nr_decisions + 1, sizeof(p.decisions[0]));
	/* Without memory there is a message all the same. */
	if (p.v && p.calls && p.decisions) {
		collect_decisions(vf->s.trail, p.decisions, p.nr_decisions);
		follow(vf, &p);
		explain_register(vf, &p, (uint32_t)vf->diag.reg);
	}
	tn_free(vf->rt, p.v);
	tn_free(vf->rt, p.calls);
	tn_free(vf->rt, p.decisions);
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
