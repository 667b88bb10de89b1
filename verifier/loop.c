/* SPDX-License-Identifier: MIT */
/* How often loops go round, what they pay, and whether they can end. */
#include "verifier/engine.h"
#include "verifier/iter.h"
#include "verifier/mutant.h"
#include "verifier/throw.h"
#include "verifier/timer.h"

#include <errno.h>
#include <string.h>

#define MAX_MAY_GOTO ((uint64_t)1 << 23)

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

static uint64_t loop_trips(const struct tn_counters *c, const struct tn_structure *s, uint32_t loop)
{
	uint64_t most = TN_MUT(MAY_GOTO_EARLY) ? 16 : MAX_MAY_GOTO;
	uint64_t best = has_may_goto(s, loop) ? most + 1 : TN_TRIPS_UNKNOWN;

	return TN_MIN(best, tn_counters_trips(c, loop));
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

static bool throws_out(const struct tn_vf *vf, const struct tn_loop *l)
{
	const struct tn_structure *s = vf->structure;

	for (uint32_t i = 0; i < l->nr_members; i++) {
		const struct tn_block *b = &s->blocks[s->members[l->first_member + i]];

		for (uint32_t at = b->start; at < b->end; at++)
			if (reached(vf, at) && tn_throws_at(vf, at))
				return true;
	}
	return false;
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
		if (possible || throws_out(vf, l))
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
	f->timer_cost = c->root_cost;
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
			(unsigned long long)TN_MAX(c->proved_cost, c->root_cost),
			(unsigned long long)vf->env->fuel);
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
	bool *is_root = tn_alloc_array(vf->rt, vf->prog->nr_subprogs, sizeof(*is_root));
	struct tn_charge_input in = { .trips = trips,
				      .callbacks = sites,
				      .nr_callbacks = nr,
				      .budget = vf->env->fuel,
				      .is_root = is_root,
				      .call_cost = cost };
	struct tn_charges c;
	int err = trips && cost && is_root ? 0 : -ENOMEM;

	memset(&c, 0, sizeof(c));
	for (uint32_t i = 0; !err && i < s->nr_loops; i++)
		trips[i] = TN_MIN(loop_trips(vf->counters, s, i), tn_iter_trips(vf, i));
	for (uint32_t i = 0; !err && i < vf->prog->nr_insns; i++)
		cost[i] = vf->seen[i].cost;
	if (!err) {
		tn_timer_mark_roots(vf, is_root);
		err = tn_structure_charge(s, &in, &c);
	}
	keep_for_reports(vf, err ? NULL : trips, &c);
	if (err)
		tn_free(vf->rt, trips);
	tn_free(vf->rt, cost);
	tn_free(vf->rt, is_root);
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
