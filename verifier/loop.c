/* SPDX-License-Identifier: MIT */
/*
 * Trip counts. Take a register r that is written by one instruction of the loop alone, `r += c`
 *with c != 0, in a block that dominates every back edge of the loop and that is in no inner loop.
 *Then the values of r at successive arrivals at the head, since the loop was entered, are
 *
 *	v, v + c, v + 2c, ...	(modulo 2^64, or 2^32 for the 32-bit form)
 *
 * The walk's states contain every concrete arrival, so the union of the ranges of r over all states
 * that arrived from outside contains v, and the union over those that came by back edges contains
 * the others: [lo, hi] as unsigned numbers. If hi + c and (v's largest) + c do not exceed the
 *width, no step wraps, so v + k * c <= hi, and the head is reached at most (hi - v_min) / c + 1
 *times per entry. For c < 0 the same downwards. Calls clobber r0 to r5, and are writes of them.
 */
#include "verifier/engine.h"
#include "verifier/iter.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <string.h>

#define MAX_MAY_GOTO ((uint64_t)1 << 23)

struct counter {
	uint32_t loop;
	uint8_t reg;
	bool half;
	bool usable;
	int64_t step;
	bool entered, came_back;
	uint64_t entry_min, entry_max, back_min, back_max;
};

struct tn_counters {
	struct counter *v; /* grouped by loop */
	uint32_t nr;
	uint32_t *first; /* per loop; nr_loops + 1 */
};

static uint32_t written(const struct tn_insn *insn)
{
	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
	case TN_LDX:
		return 1u << insn->dst;
	case TN_LD:
		return tn_insn_is_lddw(insn) ? 1u << insn->dst : 0x3f;
	case TN_STX:
		if (TN_MODE(insn->code) != TN_ATOMIC)
			return 0;
		if (insn->imm == TN_LOAD_ACQ)
			return 1u << insn->dst;
		if (insn->imm == TN_CMPXCHG)
			return 1u << TN_R0;
		return insn->imm & TN_FETCH && insn->imm != TN_STORE_REL ? 1u << insn->src : 0;
	case TN_JMP:
		return TN_OP(insn->code) == TN_CALL ? 0x3f : 0;
	default:
		return 0;
	}
}

/* `r += c` or `r -= c`: the step, 0: another instruction. */
static int64_t step_of(const struct tn_insn *insn, bool *half)
{
	uint8_t op = TN_OP(insn->code);

	*half = TN_CLASS(insn->code) == TN_ALU;
	if ((TN_CLASS(insn->code) != TN_ALU64 && !*half) || TN_SRC(insn->code))
		return 0;
	if (op == TN_ADD)
		return insn->imm;
	return op == TN_SUB ? -(int64_t)insn->imm : 0;
}

bool tn_loop_every_round(const struct tn_structure *s, uint32_t loop, uint32_t insn)
{
	const struct tn_loop *l = &s->loops[loop];

	if (s->sites[insn].loop != loop || l->irreducible)
		return false;
	for (uint32_t i = 0; i < l->nr_backs; i++) {
		uint32_t latch = s->back_edges[l->first_back + i].insn;

		if (!tn_structure_dominates(s, s->sites[insn].block, s->sites[latch].block))
			return false;
	}
	return true;
}

static void find_counters(const struct tn_structure *s, uint32_t loop, struct tn_counters *c)
{
	const struct tn_loop *l = &s->loops[loop];
	uint32_t writes[TN_NR_REGS] = { 0 }, where[TN_NR_REGS] = { 0 };
	bool half;

	if (l->irreducible)
		return;
	for (uint32_t i = 0; i < l->nr_members; i++) {
		const struct tn_block *b = &s->blocks[s->members[l->first_member + i]];

		for (uint32_t j = b->start; j < b->end; j++) {
			uint32_t w = s->sites[j].flags & TN_SITE_LDDW_HIGH
					     ? 0
					     : written(&s->prog->insns[j]);

			for (uint32_t r = 0; r < TN_R10; r++) {
				if (!(w >> r & 1))
					continue;
				writes[r]++;
				where[r] = j;
			}
		}
	}
	for (uint32_t r = 0; r < TN_R10; r++) {
		int64_t step;

		if (writes[r] != 1)
			continue;
		step = step_of(&s->prog->insns[where[r]], &half);
		if (!step || !tn_loop_every_round(s, loop, where[r]))
			continue;
		c->v[c->nr++] = (struct counter){
			.loop = loop, .reg = (uint8_t)r, .half = half, .step = step
		};
	}
}

struct tn_counters *tn_counters_new(struct tn_rt *rt, const struct tn_structure *s)
{
	struct tn_counters *c = tn_new(rt, struct tn_counters);

	if (!c)
		return NULL;
	c->first = tn_alloc_array(rt, (size_t)s->nr_loops + 1, sizeof(c->first[0]));
	c->v = tn_alloc_array(rt, (size_t)s->nr_loops * TN_R10 + 1, sizeof(c->v[0]));
	if (!c->first || !c->v) {
		tn_counters_free(rt, c);
		return NULL;
	}
	for (uint32_t i = 0; i < s->nr_loops; i++) {
		c->first[i] = c->nr;
		find_counters(s, i, c);
	}
	c->first[s->nr_loops] = c->nr;
	return c;
}

void tn_counters_free(struct tn_rt *rt, struct tn_counters *c)
{
	if (!c)
		return;
	tn_free(rt, c->first);
	tn_free(rt, c->v);
	tn_free(rt, c);
}

void tn_counters_reset(struct tn_counters *c)
{
	for (uint32_t i = 0; i < c->nr; i++) {
		c->v[i].usable = true;
		c->v[i].entered = c->v[i].came_back = false;
	}
}

void tn_counters_arrive(struct tn_counters *c, uint32_t loop, bool back, const struct tn_frame *f)
{
	for (uint32_t i = c->first[loop]; i < c->first[loop + 1]; i++) {
		struct counter *n = &c->v[i];
		const struct tn_reg *r = &f->r[n->reg];
		bool *seen = back ? &n->came_back : &n->entered;
		uint64_t *min = back ? &n->back_min : &n->entry_min;
		uint64_t *max = back ? &n->back_max : &n->entry_max;

		if (r->kind != TN_REG_SCALAR) {
			n->usable = false;
			continue;
		}
		*min = *seen ? TN_MIN(*min, r->v.umin) : r->v.umin;
		*max = *seen ? TN_MAX(*max, r->v.umax) : r->v.umax;
		*seen = true;
	}
}

/* Each frame's entry counts its may_gotos and leaves at the 2^23rd: one in every round bounds the
 * rounds. */
static bool has_may_goto(const struct tn_structure *s, uint32_t loop)
{
	const struct tn_loop *l = &s->loops[loop];

	for (uint32_t i = 0; i < l->nr_members && !l->irreducible; i++) {
		uint32_t last = s->blocks[s->members[l->first_member + i]].end - 1;
		const struct tn_insn *insn = &s->prog->insns[last];

		if (insn->code == (TN_JMP | TN_JCOND) && tn_loop_every_round(s, loop, last) &&
		    !tn_structure_loop_within(s, s->sites[s->sites[last].target].loop, loop))
			return true;
	}
	return false;
}

/* Arrivals at the head per entry into the loop. */
static uint64_t trips_of(const struct counter *n)
{
	uint64_t width = n->half ? UINT32_MAX : UINT64_MAX;
	uint64_t step = n->step < 0 ? 0 - (uint64_t)n->step : (uint64_t)n->step, span;

	if (!n->usable || !n->entered)
		return TN_TRIPS_UNKNOWN;
	if (!n->came_back)
		return 1;
	if (n->entry_max > width || n->back_max > width)
		return TN_TRIPS_UNKNOWN;
	if (n->step > 0) {
		if (n->back_max > width - step || n->entry_max > width - step)
			return TN_TRIPS_UNKNOWN;
		span = n->back_max > n->entry_min ? n->back_max - n->entry_min : 0;
	} else {
		if (n->back_min < step || n->entry_min < step)
			return TN_TRIPS_UNKNOWN;
		span = n->entry_max > n->back_min ? n->entry_max - n->back_min : 0;
	}
	return span / step + !TN_MUT(TRIPS_OFF_BY_ONE);
}

static uint64_t loop_trips(const struct tn_counters *c, const struct tn_structure *s, uint32_t loop)
{
	uint64_t best = has_may_goto(s, loop) ? MAX_MAY_GOTO + 1 : TN_TRIPS_UNKNOWN;

	for (uint32_t i = c->first[loop]; i < c->first[loop + 1]; i++)
		best = TN_MIN(best, trips_of(&c->v[i]));
	return best;
}

/* ---- After the walk ---- */

static bool reached(const struct tn_vf *vf, uint32_t insn)
{
	return vf->facts->insns[insn].flags & TN_FACT_REACHED;
}

static bool exit_is_possible(const struct tn_vf *vf, const struct tn_loop_exit *e)
{
	const struct tn_insn *insn = &vf->prog->insns[e->insn];
	const struct tn_site *site = &vf->structure->sites[e->insn];
	uint8_t seen = vf->seen[e->insn].flags;

	if (!reached(vf, e->insn))
		return false;
	if (e->kind != TN_EXIT_EDGE || !tn_insn_is_jump(insn))
		return true;
	return (seen & TN_SEEN_TAKEN && site->target == e->target) ||
	       (seen & TN_SEEN_FALL && e->insn + 1 == e->target);
}

static int check_exits(struct tn_vf *vf)
{
	const struct tn_structure *s = vf->structure;

	for (uint32_t i = 0; i < s->nr_loops; i++) {
		const struct tn_loop *l = &s->loops[i];
		bool possible = false;

		if (!reached(vf, l->head_insn))
			continue;
		for (uint32_t j = 0; j < l->nr_exits && !possible; j++)
			possible = exit_is_possible(vf, &s->exits[l->first_exit + j]);
		if (possible)
			continue;
		vf->s.insn = l->head_insn;
		return tn_reject(vf, E_LOOP, -1,
				 "this loop can never end: no way out of it is possible");
	}
	return 0;
}

/* Failures of the structure pass carry their words in the error record. */
static int structure_failed(struct tn_vf *vf, int err, enum tn_verr code)
{
	if (err == -ENOMEM)
		return err;
	vf->s.insn = tn_err_last()->insn < 0 ? 0 : (uint32_t)tn_err_last()->insn;
	return tn_reject(vf, code, -1, "%s", tn_err_last()->msg);
}

static bool pays(const struct tn_charges *c, const struct tn_structure *s, uint32_t subprog)
{
	const struct tn_subprog *sub = &s->prog->subprogs[subprog];

	for (uint32_t i = sub->start; i < sub->end; i++)
		if (c->fuel[i])
			return true;
	return false;
}

static void take_charges(struct tn_vf *vf, const struct tn_charges *c)
{
	struct tn_facts *f = vf->facts;

	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		f->insns[i].fuel = TN_MUT(FUEL_NOT_CHARGED) ? 0 : c->fuel[i];
		if (c->fuel[i] && vf->seen[i].callback != TN_NONE)
			f->insns[i].flags |= TN_FACT_FUEL_CALLBACK;
	}
	for (uint32_t i = 0; i < vf->prog->nr_subprogs; i++)
		f->subprogs[i].has_fuel = pays(c, vf->structure, i);
	f->proved_cost = c->proved_cost;
	f->has_fuel = c->has_fuel;
}

static int check_charges(struct tn_vf *vf, const struct tn_charges *c)
{
	if (!c->fits) {
		vf->s.insn = 0;
		return tn_reject(
			vf, E_LIMIT, -1,
			"the program's straight-line code costs %llu instructions, the budget "
			"is %llu",
			(unsigned long long)c->proved_cost, (unsigned long long)vf->env->fuel);
	}
	if (!c->has_fuel || !vf->env->termination_proved)
		return 0;
	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		if (!c->fuel[i])
			continue;
		vf->s.insn = i;
		break;
	}
	return tn_reject(
		vf, E_TERMINATION, -1,
		"no bound of this loop is proved within the budget, and the load option asks "
		"for one");
}

/* Takes `trips`. Without memory for the other a report lacks it. */
static void keep_for_reports(struct tn_vf *vf, uint64_t *trips, const struct tn_charges *c)
{
	uint32_t nr = vf->structure->nr_loops;

	tn_free(vf->rt, vf->trips);
	tn_free(vf->rt, vf->pays);
	vf->trips = trips;
	vf->pays = trips ? tn_alloc_array(vf->rt, (size_t)nr + 1, sizeof(vf->pays[0])) : NULL;
	if (vf->pays && nr)
		memcpy(vf->pays, c->loop_charged, nr * sizeof(vf->pays[0]));
}

static int charge(struct tn_vf *vf, const struct tn_callback_site *sites, uint32_t nr)
{
	const struct tn_structure *s = vf->structure;
	uint64_t *trips = tn_alloc_array(vf->rt, (size_t)s->nr_loops + 1, sizeof(*trips));
	uint64_t *cost = tn_alloc_array(vf->rt, vf->prog->nr_insns, sizeof(*cost));
	struct tn_charge_input in = { .trips = trips,
				      .callbacks = sites,
				      .nr_callbacks = nr,
				      .budget = vf->env->fuel,
				      .call_cost = cost };
	struct tn_charges c;
	int err = trips && cost ? 0 : -ENOMEM;

	memset(&c, 0, sizeof(c));
	for (uint32_t i = 0; !err && i < s->nr_loops; i++)
		trips[i] = TN_MIN(loop_trips(vf->counters, s, i), tn_iter_trips(vf, i));
	for (uint32_t i = 0; !err && i < vf->prog->nr_insns; i++)
		cost[i] = vf->seen[i].cost;
	if (!err)
		err = tn_structure_charge(s, &in, &c);
	keep_for_reports(vf, err ? NULL : trips, &c);
	if (err)
		tn_free(vf->rt, trips);
	tn_free(vf->rt, cost);
	if (err)
		return structure_failed(vf, err, E_STRUCTURE);
	err = check_charges(vf, &c);
	if (!err)
		err = tn_refs_finish(vf, c.fuel);
	if (!err)
		take_charges(vf, &c);
	tn_charges_free(vf->rt, &c);
	return err;
}

static int check_frames(struct tn_vf *vf, const struct tn_callback_site *sites, uint32_t nr)
{
	struct tn_facts *f = vf->facts;
	int err = tn_structure_stack(vf->structure, vf->frame_bytes, sites, nr, 0,
				     &f->max_stack_bytes, &f->max_frames);

	if (err)
		return structure_failed(vf, err, E_STACK);
	for (uint32_t i = 0; i < vf->prog->nr_subprogs; i++) {
		f->subprogs[i].stack_bytes = vf->frame_bytes[i];
		f->subprogs[i].may_tail_call = vf->structure->calls[i].may_tail_call;
	}
	return 0;
}

int tn_loop_finish(struct tn_vf *vf)
{
	int err = check_exits(vf);

	if (!err)
		err = tn_check_may_gotos(vf);
	if (!err)
		err = check_frames(vf, vf->callbacks.v, vf->callbacks.nr);
	if (!err)
		err = charge(vf, vf->callbacks.v, vf->callbacks.nr);
	return err;
}
