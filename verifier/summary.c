/* SPDX-License-Identifier: MIT */
/* Recording what is known, and naming registers by the instructions that set them. */
#include "verifier/summary.h"

#include <stdio.h>
#include <string.h>

#include "verifier/trace.h"

#define MAX_NAME_DEPTH 4

/* ---- Recording ---- */

static void note_reg(struct tn_known *k, const struct tn_reg *r)
{
	if (!k->seen) {
		*k = (struct tn_known){ .kind = r->kind,
					.seen = true,
					.nullable = r->nullable,
					.obj = r->obj,
					.region = r->region,
					.size = r->size,
					.umin = r->v.umin,
					.umax = r->v.umax,
					.smin = r->v.smin,
					.smax = r->v.smax };
		return;
	}
	k->varies |= k->kind != r->kind || k->obj != r->obj || k->region != r->region ||
		     k->size != r->size;
	k->nullable |= r->nullable;
	k->umin = TN_MIN(k->umin, r->v.umin);
	k->umax = TN_MAX(k->umax, r->v.umax);
	k->smin = TN_MIN(k->smin, r->v.smin);
	k->smax = TN_MAX(k->smax, r->v.smax);
}

void tn_summary_observe(void *user, struct tn_state_env *senv, const struct tn_state *state,
			bool fresh)
{
	struct tn_vf *vf = user;
	struct tn_summary *s = vf->summary;
	const struct tn_frame *f = &state->frames[state->nr_frames - 1];
	uint32_t nr = vf->prog->nr_insns;

	if (vf->given->observe)
		vf->given->observe(vf->given->observe_user, senv, state, fresh);
	if (fresh) {
		memset(s->regs, 0, (size_t)nr * TN_R10 * sizeof(s->regs[0]));
		memset(s->visits, 0, nr * sizeof(s->visits[0]));
		return;
	}
	s->visits[state->insn]++;
	for (uint32_t r = 0; r < TN_R10; r++)
		note_reg(&s->regs[state->insn * TN_R10 + r], &f->r[r]);
}

/* ---- Which instruction set a register ---- */

static uint32_t written_by(const struct tn_insn *i)
{
	switch (TN_CLASS(i->code)) {
	case TN_ALU:
	case TN_ALU64:
	case TN_LDX:
		return 1u << i->dst;
	case TN_LD:
		return tn_insn_is_lddw(i) ? 1u << i->dst : 0x3f;
	case TN_STX:
		if (TN_MODE(i->code) != TN_ATOMIC || !(i->imm & TN_FETCH))
			return 0;
		return i->imm == TN_CMPXCHG ? 1u << TN_R0 : 1u << i->src;
	default:
		return i->code == (TN_JMP | TN_CALL) ? 0x3f : 0;
	}
}

static bool flow(uint32_t *to, const uint32_t *from)
{
	bool changed = false;

	for (uint32_t r = 0; r < TN_R10; r++) {
		uint32_t d = to[r] == TN_DEF_NONE			  ? from[r]
			     : from[r] == TN_DEF_NONE || from[r] == to[r] ? to[r]
									  : TN_DEF_MANY;

		changed |= d != to[r];
		to[r] = d;
	}
	return changed;
}

/* Along one block; true: an entry of a successor has changed. */
static bool flow_block(struct tn_summary *s, const struct tn_block *b)
{
	const struct tn_structure *g = s->vf->structure;
	uint32_t now[TN_R10];
	bool changed = false;

	memcpy(now, &s->defs[b->start * TN_R10], sizeof(now));
	for (uint32_t i = b->start; i < b->end; i++) {
		const struct tn_insn *insn = &s->vf->prog->insns[i];
		uint32_t written = g->sites[i].flags & TN_SITE_LDDW_HIGH ? 0 : written_by(insn);

		memcpy(&s->defs[i * TN_R10], now, sizeof(now));
		for (uint32_t r = 0; r < TN_R10; r++)
			if (written >> r & 1)
				now[r] = i;
	}
	for (int k = 0; k < 2; k++)
		if (b->succ[k] != TN_NONE)
			changed |= flow(&s->defs[g->blocks[b->succ[k]].start * TN_R10], now);
	return changed;
}

static void find_defs(struct tn_summary *s)
{
	const struct tn_structure *g = s->vf->structure;
	bool changed = true;

	for (uint32_t i = 0; i < s->vf->prog->nr_insns * TN_R10; i++)
		s->defs[i] = TN_DEF_NONE;
	for (uint32_t i = 0; i < s->vf->prog->nr_subprogs; i++)
		for (uint32_t r = TN_R1; r <= TN_R5; r++)
			s->defs[s->vf->prog->subprogs[i].start * TN_R10 + r] = TN_DEF_ENTRY;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < g->nr_blocks; i++)
			changed |= flow_block(s, &g->blocks[i]);
	}
}

struct tn_summary *tn_summary_new(struct tn_vf *vf)
{
	struct tn_summary *s = tn_new(vf->rt, struct tn_summary);
	size_t nr = vf->prog->nr_insns;

	if (!s)
		return NULL;
	s->vf = vf;
	s->regs = tn_alloc_array(vf->rt, nr * TN_R10, sizeof(s->regs[0]));
	s->visits = tn_alloc_array(vf->rt, nr, sizeof(s->visits[0]));
	s->defs = tn_alloc_array(vf->rt, nr * TN_R10, sizeof(s->defs[0]));
	if (!s->regs || !s->visits || !s->defs) {
		tn_summary_free(vf->rt, s);
		return NULL;
	}
	find_defs(s);
	return s;
}

void tn_summary_free(struct tn_rt *rt, struct tn_summary *s)
{
	if (!s)
		return;
	tn_free(rt, s->regs);
	tn_free(rt, s->visits);
	tn_free(rt, s->defs);
	tn_free(rt, s);
}

/* ---- Words ---- */

static void range_words(const struct tn_known *k, char *buf, size_t size)
{
	if (k->umin == k->umax)
		snprintf(buf, size, "%lld", (long long)k->umin);
	else if (k->umax <= INT64_MAX)
		snprintf(buf, size, "%llu..%llu", (unsigned long long)k->umin,
			 (unsigned long long)k->umax);
	else if (k->smin > INT64_MIN || k->smax < INT64_MAX)
		snprintf(buf, size, "%lld..%lld", (long long)k->smin, (long long)k->smax);
	else
		snprintf(buf, size, "any number");
}

const char *tn_known_words(struct tn_vf *vf, const struct tn_known *k, char *buf, size_t size)
{
	struct tn_reg r = { .nullable = false };
	char range[64];

	buf[0] = '\0';
	if (!k->seen || (!k->varies && k->kind == TN_REG_UNINIT))
		return buf;
	if (k->varies) {
		snprintf(buf, size, "different things on different paths");
		return buf;
	}
	range_words(k, range, sizeof(range));
	if (k->kind == TN_REG_SCALAR) {
		snprintf(buf, size, "%s", range);
		return buf;
	}
	r.kind = k->kind;
	r.obj = k->obj;
	r.region = k->region;
	r.size = k->size;
	if (k->kind == TN_REG_STACK && k->smin == k->smax)
		snprintf(range, sizeof(range), " at r10%+lld", (long long)k->smin);
	else if (!k->umin && !k->umax)
		range[0] = '\0';
	snprintf(buf, size, "%s%s%s%s", tn_reg_words(vf, &r), *range && *range != ' ' ? " + " : "",
		 range, k->nullable ? ", or NULL" : "");
	return buf;
}

/* ---- Names ---- */

static void name_of(const struct tn_summary *s, uint32_t insn, uint32_t reg, uint32_t depth,
		    char *buf, size_t size);

static void name_load(const struct tn_summary *s, uint32_t at, char *buf, size_t size)
{
	const struct tn_insn *i = &s->vf->prog->insns[at];
	const struct tn_known *base = &s->regs[at * TN_R10 + (i->src % TN_R10)];
	const struct tn_field *f;
	struct tn_member m;
	uint64_t off = base->umin + (uint64_t)(int64_t)i->off;

	if (i->src == TN_R10 || !base->seen || base->varies)
		return;
	if (base->kind == TN_REG_CTX && base->umin == base->umax && off <= UINT32_MAX) {
		f = tn_ctx_field_at(s->vf->ctx, (uint32_t)off, tn_insn_bytes(i->code));
		if (f)
			snprintf(buf, size, "%s->%s", tn_context_name(s->vf), f->name);
	} else if (base->kind == TN_REG_VALUE &&
		   tn_member_at(s->vf, tn_map_number(s->vf, base->obj), off, &m)) {
		snprintf(buf, size, m.nr_elems ? "%s[...]" : "%s", m.name);
	} else if (base->kind == TN_REG_REGION && base->umin == base->umax) {
		snprintf(buf, size, "%s[%lld]",
			 s->vf->ctx->fields[s->vf->regions[base->region].field].name,
			 (long long)off);
	}
}

static void name_sum(const struct tn_summary *s, uint32_t at, uint32_t depth, char *buf,
		     size_t size)
{
	static const struct {
		uint8_t op;
		const char *sign;
	} signs[] = { { TN_ADD, "+" }, { TN_SUB, "-" }, { TN_MUL, "*" },  { TN_DIV, "/" },
		      { TN_AND, "&" }, { TN_MOD, "%" }, { TN_LSH, "<<" }, { TN_RSH, ">>" } };
	const struct tn_insn *i = &s->vf->prog->insns[at];
	char a[64] = "", b[64] = "";

	name_of(s, at, i->dst, depth + 1, a, sizeof(a));
	if (TN_SRC(i->code))
		name_of(s, at, i->src, depth + 1, b, sizeof(b));
	else
		snprintf(b, sizeof(b), "%d", i->imm);
	for (size_t k = 0; k < TN_ARRAY_SIZE(signs) && *a && *b; k++)
		if (signs[k].op == TN_OP(i->code))
			snprintf(buf, size, "%s %s %s", a, signs[k].sign, b);
}

static void name_of(const struct tn_summary *s, uint32_t insn, uint32_t reg, uint32_t depth,
		    char *buf, size_t size)
{
	uint32_t at = reg < TN_R10 ? s->defs[insn * TN_R10 + reg] : TN_DEF_NONE;
	const struct tn_insn *i;

	buf[0] = '\0';
	if (at == TN_DEF_ENTRY && reg == TN_R1 && s->vf->prog->nr_subprogs &&
	    insn < s->vf->prog->subprogs[0].end)
		snprintf(buf, size, "%s", tn_context_name(s->vf));
	if (at >= s->vf->prog->nr_insns || depth > MAX_NAME_DEPTH)
		return;
	i = &s->vf->prog->insns[at];
	switch (TN_CLASS(i->code)) {
	case TN_LDX:
		name_load(s, at, buf, size);
		break;
	case TN_ALU:
	case TN_ALU64:
		if (TN_OP(i->code) == TN_MOV && TN_SRC(i->code))
			name_of(s, at, i->src, depth + 1, buf, size);
		else if (TN_OP(i->code) != TN_MOV)
			name_sum(s, at, depth, buf, size);
		break;
	case TN_JMP:
		if (i->code == (TN_JMP | TN_CALL) && reg == TN_R0)
			snprintf(buf, size, "%s(...)", tn_callee_name(s->vf, at));
		break;
	default:
		break;
	}
}

const char *tn_summary_name(const struct tn_summary *s, uint32_t insn, uint32_t reg, char *buf,
			    size_t size)
{
	name_of(s, insn, reg, 0, buf, size);
	return buf;
}
