/* SPDX-License-Identifier: MIT */
/*
 * What loops pay. Let P(L) be the longest path through one round of loop L, where an inner loop
 * counts as one step: trips * P when it is free, P once when it pays for its own further rounds.
 * Whoever enters a loop has paid for its first round. A charged loop pays P(L) at edges of which
 * every way from the head back to the head has at least one. So the number of instructions executed
 * never exceeds the proved cost plus what was charged:
 *
 * - usually the edges are the taken jumps to the head;
 * - where the last block falls through into the head, the path has come from the head's address or
 *   above to below it, which only a jump can do: those jumps inside the loop pay as well.
 */
#include "verifier/structure_internal.h"

#include <errno.h>
#include <stdlib.h>

/* A callback site, sorted by instruction. */
struct paid_callback {
	uint32_t insn, subprog, input;
	uint64_t trips;
	bool charged;
};

struct charger {
	const struct tn_structure *s;
	const struct tn_charge_input *in;
	struct tn_charges *out;
	struct tn_callgraph graph;
	struct paid_callback *callbacks; /* in->nr_callbacks */
	uint64_t *block_cost,
		*block_in; /* per block: own instructions and calls; longest way here */
	uint64_t *loop_round, *loop_in; /* per loop: P; longest way to its entry */
	uint32_t *last_loop; /* per subprogram; its loops are chained backwards: children first */
	uint32_t *previous_loop;
	uint64_t largest; /* charge of this round */
};

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t mul_sat(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t trips_of(const struct charger *c, uint32_t l)
{
	return c->s->loops[l].irreducible ? TN_TRIPS_UNKNOWN : c->in->trips[l];
}

/* What entering a loop costs whoever enters it. */
static uint64_t loop_cost(const struct charger *c, uint32_t l)
{
	if (c->out->loop_charged[l])
		return c->loop_round[l];
	/* The head is reached once even where a proof says that no round is completed. */
	return mul_sat(TN_MAX(trips_of(c, l), 1), c->loop_round[l]);
}

/* The callbacks of one instruction: [*i, end of the group), moved on to the end. One of them runs
 * at a time, so that the dearest counts. */
static uint64_t callbacks_cost(struct charger *c, uint32_t *i, uint64_t *per_round)
{
	uint32_t insn = c->callbacks[*i].insn;
	uint64_t cost = 0;
	bool charged = false;

	*per_round = 0;
	for (; *i < c->in->nr_callbacks && c->callbacks[*i].insn == insn; ++*i) {
		const struct paid_callback *cb = &c->callbacks[*i];
		uint64_t round = c->out->subprog_cost[cb->subprog];

		*per_round = TN_MAX(*per_round, round);
		cost = TN_MAX(cost, mul_sat(cb->trips, round));
		charged |= cb->charged;
	}
	if (!charged) {
		*per_round = 0;
		return cost;
	}
	return 0;
}

/* ---- The longest path of a level ---- */

/* Where an edge to block `b` arrives among the items of level `level`; NULL: outside, or the head.
 */
static uint64_t *arrival(struct charger *c, uint32_t b, uint32_t level)
{
	const struct tn_structure *s = c->s;
	uint32_t l = s->blocks[b].loop, below = TN_NONE;

	if (level != TN_NONE && b == s->loops[level].head)
		return NULL;
	while (l != level && l != TN_NONE) {
		below = l;
		l = s->loops[l].parent;
	}
	if (l != level)
		return NULL;
	return below == TN_NONE ? &c->block_in[b] : &c->loop_in[below];
}

static void pass_on(struct charger *c, uint32_t to, uint32_t level, uint64_t cost)
{
	uint64_t *in = arrival(c, to, level);

	if (in)
		*in = TN_MAX(*in, cost);
}

static uint64_t leave_block(struct charger *c, uint32_t b, uint32_t level, uint64_t in)
{
	uint64_t cost = add_sat(in, c->block_cost[b]);

	for (unsigned e = 0; e < 2; e++) {
		uint32_t succ = c->s->blocks[b].succ[e];

		if (succ != TN_NONE)
			pass_on(c, succ, level, cost);
	}
	return cost;
}

static uint64_t leave_loop(struct charger *c, uint32_t l, uint32_t level)
{
	const struct tn_loop *loop = &c->s->loops[l];
	uint64_t cost = add_sat(c->loop_in[l], loop_cost(c, l));

	for (uint32_t i = 0; i < loop->nr_exits; i++) {
		const struct tn_loop_exit *exit = &c->s->exits[loop->first_exit + i];

		if (exit->kind == TN_EXIT_EDGE)
			pass_on(c, c->s->sites[exit->target].block, level, cost);
	}
	return cost;
}

/* Any item may be where the level is entered: all start with 0. */
static uint64_t longest_path(struct charger *c, uint32_t level, uint32_t first, uint32_t nr)
{
	uint64_t longest = 0;

	if (level != TN_NONE)
		longest = leave_block(c, c->s->loops[level].head, level, 0);
	for (uint32_t i = nr; i > 0; i--) {
		const struct tn_level_item *item = &c->s->items[first + i - 1];
		uint64_t cost = item->is_loop ? leave_loop(c, item->index, level)
					      : leave_block(c, item->index, level,
							    c->block_in[item->index]);

		longest = TN_MAX(longest, cost);
	}
	return longest;
}

/* ---- One computation with the present choice of charged loops ---- */

/* The first callback site at or after `insn`. */
static uint32_t first_callback(const struct charger *c, uint32_t insn)
{
	uint32_t low = 0, high = c->in->nr_callbacks;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (c->callbacks[mid].insn < insn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void cost_blocks(struct charger *c, uint32_t p)
{
	const struct tn_structure *s = c->s;
	const struct tn_subprog *sub = &s->prog->subprogs[p];

	for (uint32_t i = sub->start; i < sub->end; i++) {
		uint64_t *cost = &c->block_cost[s->sites[i].block];

		if (s->sites[i].flags & TN_SITE_BLOCK)
			*cost = 0;
		if (s->sites[i].flags & TN_SITE_LDDW_HIGH)
			continue;
		*cost = add_sat(*cost, c->in->call_cost ? add_sat(1, c->in->call_cost[i]) : 1);
		if (s->sites[i].callee != TN_NONE && !tn_insn_is_lddw(&s->prog->insns[i]))
			*cost = add_sat(*cost, c->out->subprog_cost[s->sites[i].callee]);
	}
	for (uint32_t i = first_callback(c, sub->start);
	     i < c->in->nr_callbacks && c->callbacks[i].insn < sub->end;) {
		uint32_t insn = c->callbacks[i].insn;
		uint64_t per_round, cost = callbacks_cost(c, &i, &per_round);

		c->block_cost[s->sites[insn].block] = add_sat(c->block_cost[s->sites[insn].block],
							      cost);
		c->out->fuel[insn] = (uint32_t)TN_MIN(per_round, UINT32_MAX);
		c->largest = TN_MAX(c->largest, per_round);
	}
}

static void cost_subprog(struct charger *c, uint32_t p)
{
	const struct tn_structure *s = c->s;

	cost_blocks(c, p);
	for (uint32_t l = s->nr_loops; l > 0; l--) {
		const struct tn_loop *loop = &s->loops[l - 1];

		if (loop->subprog == p)
			c->loop_round[l - 1] = longest_path(c, l - 1, loop->first_item,
							    loop->nr_items);
	}
	c->out->subprog_cost[p] = longest_path(c, TN_NONE, s->first_item[p],
					       s->first_item[p + 1] - s->first_item[p]);
}

static void pay_at(struct charger *c, uint32_t insn, uint64_t amount)
{
	uint64_t sum = add_sat(c->out->fuel[insn], amount);

	c->largest = TN_MAX(c->largest, sum);
	c->out->fuel[insn] = (uint32_t)TN_MIN(sum, UINT32_MAX);
}

/* The jumps inside loop `l` from its head's address or above to below it. */
static void pay_around_head(struct charger *c, uint32_t l)
{
	const struct tn_structure *s = c->s;
	const struct tn_loop *loop = &s->loops[l];

	for (uint32_t i = 0; i < loop->nr_members; i++) {
		const struct tn_block *block = &s->blocks[s->members[loop->first_member + i]];
		uint32_t last = tn_block_last(s, block), target = s->sites[last].target;

		if (target == TN_NONE || last < loop->head_insn || target >= loop->head_insn)
			continue;
		if (tn_structure_loop_within(s, s->sites[target].loop, l))
			pay_at(c, last, c->loop_round[l]);
	}
}

static void pay_loop(struct charger *c, uint32_t l)
{
	const struct tn_loop *loop = &c->s->loops[l];
	bool falls_through = false;

	for (uint32_t i = 0; i < loop->nr_backs; i++) {
		const struct tn_back_edge *back = &c->s->back_edges[loop->first_back + i];

		if (back->jump)
			pay_at(c, back->insn, c->loop_round[l]);
		falls_through |= !back->jump;
	}
	if (falls_through)
		pay_around_head(c, l);
}

static void compute(struct charger *c)
{
	const struct tn_structure *s = c->s;
	uint32_t nr_subprogs = s->prog->nr_subprogs;

	c->largest = 0;
	memset(c->out->fuel, 0, s->prog->nr_insns * sizeof(*c->out->fuel));
	memset(c->block_in, 0, s->nr_blocks * sizeof(*c->block_in));
	memset(c->loop_in, 0, s->nr_loops * sizeof(*c->loop_in));
	for (uint32_t i = nr_subprogs; i > 0; i--)
		cost_subprog(c, c->graph.topo[i - 1]);
	for (uint32_t l = 0; l < s->nr_loops; l++) {
		if (c->out->loop_charged[l])
			pay_loop(c, l);
	}
	c->out->proved_cost = c->out->subprog_cost[0];
	if (s->prog->exception_callback)
		c->out->proved_cost = add_sat(c->out->proved_cost,
					      c->out->subprog_cost[s->prog->exception_callback]);
	c->out->root_cost = 0;
	for (uint32_t p = 0; c->in->is_root && p < nr_subprogs; p++)
		if (c->in->is_root[p])
			c->out->root_cost = TN_MAX(c->out->root_cost, c->out->subprog_cost[p]);
	c->out->fits = c->out->proved_cost <= c->in->budget && c->out->root_cost <= c->in->budget &&
		       c->largest <= UINT32_MAX;
}

/* ---- Which loops pay ---- */

static bool in_free_loop(const struct charger *c, uint32_t l)
{
	for (; l != TN_NONE; l = c->s->loops[l].parent) {
		if (!c->out->loop_charged[l])
			return true;
	}
	return false;
}

/* Make the outermost free loops and callbacks pay that cost more than `limit`. */
static bool charge_outermost(struct charger *c, uint64_t limit)
{
	const struct tn_structure *s = c->s;
	bool any = false;

	for (uint32_t i = 0; i < c->in->nr_callbacks; i++) {
		struct paid_callback *cb = &c->callbacks[i];
		uint64_t cost = mul_sat(cb->trips, c->out->subprog_cost[cb->subprog]);

		if (cb->charged || cost <= limit || in_free_loop(c, s->sites[cb->insn].loop))
			continue;
		cb->charged = any = true;
	}
	/* Backwards, so that a loop marked here does not make its children outermost at once. */
	for (uint32_t l = s->nr_loops; l > 0; l--) {
		if (c->out->loop_charged[l - 1] || loop_cost(c, l - 1) <= limit ||
		    in_free_loop(c, s->loops[l - 1].parent))
			continue;
		c->out->loop_charged[l - 1] = any = true;
	}
	return any;
}

static void choose(struct charger *c)
{
	uint64_t limit = TN_MIN(c->in->budget, UINT32_MAX);

	for (uint32_t l = 0; l < c->s->nr_loops; l++)
		c->out->loop_charged[l] = trips_of(c, l) == TN_TRIPS_UNKNOWN;
	compute(c);
	/* Each turn charges a level of loops or halves the limit. */
	while (!c->out->fits) {
		if (charge_outermost(c, limit))
			compute(c);
		else if (limit == 0)
			break;
		else
			limit /= 2;
	}
}

static int by_insn(const void *a, const void *b)
{
	const struct paid_callback *x = a, *y = b;

	return x->insn < y->insn ? -1 : x->insn > y->insn;
}

static int allocate(struct charger *c)
{
	const struct tn_structure *s = c->s;
	struct tn_charges *out = c->out;
	uint32_t nr = c->in->nr_callbacks;

	out->fuel = tn_alloc_array(s->rt, s->prog->nr_insns, sizeof(*out->fuel));
	/* One more each, so that none is empty. */
	out->loop_charged = tn_alloc_array(s->rt, (size_t)s->nr_loops + 1, sizeof(bool));
	out->callback_charged = tn_alloc_array(s->rt, (size_t)nr + 1, sizeof(bool));
	out->subprog_cost = tn_alloc_array(s->rt, s->prog->nr_subprogs, sizeof(uint64_t));
	c->callbacks = tn_alloc_array(s->rt, (size_t)nr + 1, sizeof(*c->callbacks));
	c->block_cost = tn_alloc_array(s->rt, s->nr_blocks, sizeof(uint64_t));
	c->block_in = tn_alloc_array(s->rt, s->nr_blocks, sizeof(uint64_t));
	c->loop_round = tn_alloc_array(s->rt, (size_t)s->nr_loops + 1, sizeof(uint64_t));
	c->loop_in = tn_alloc_array(s->rt, (size_t)s->nr_loops + 1, sizeof(uint64_t));
	c->last_loop = tn_alloc_array(s->rt, s->prog->nr_subprogs, sizeof(uint32_t));
	c->previous_loop = tn_alloc_array(s->rt, (size_t)s->nr_loops + 1, sizeof(uint32_t));
	if (!c->last_loop || !c->previous_loop || !out->fuel || !out->loop_charged ||
	    !out->callback_charged || !out->subprog_cost || !c->callbacks || !c->block_cost ||
	    !c->block_in || !c->loop_round || !c->loop_in)
		return -ENOMEM;
	for (uint32_t p = 0; p < s->prog->nr_subprogs; p++)
		c->last_loop[p] = TN_NONE;
	for (uint32_t l = 0; l < s->nr_loops; l++) {
		c->previous_loop[l] = c->last_loop[s->loops[l].subprog];
		c->last_loop[s->loops[l].subprog] = l;
	}
	for (uint32_t i = 0; i < nr; i++) {
		const struct tn_callback_site *site = &c->in->callbacks[i];

		c->callbacks[i] = (struct paid_callback){ site->insn, site->subprog, i, site->trips,
							  site->trips == TN_TRIPS_UNKNOWN };
	}
	qsort(c->callbacks, nr, sizeof(*c->callbacks), by_insn);
	return 0;
}

static void finish(struct charger *c)
{
	struct tn_charges *out = c->out;

	for (uint32_t i = 0; i < c->in->nr_callbacks; i++)
		out->callback_charged[c->callbacks[i].input] = c->out->fuel[c->callbacks[i].insn] !=
							       0;
	for (uint32_t i = 0; i < c->s->prog->nr_insns; i++)
		out->has_fuel |= out->fuel[i] != 0;
}

int tn_structure_charge(const struct tn_structure *s, const struct tn_charge_input *in,
			struct tn_charges *out)
{
	struct charger c = { .s = s, .in = in, .out = out };
	int err;

	*out = (struct tn_charges){ 0 };
	err = tn_callgraph_build(s, in->callbacks, in->nr_callbacks, &c.graph);
	if (!err)
		err = allocate(&c);
	if (!err) {
		choose(&c);
		finish(&c);
	}
	tn_callgraph_free(s->rt, &c.graph);
	tn_free(s->rt, c.callbacks);
	tn_free(s->rt, c.block_cost);
	tn_free(s->rt, c.block_in);
	tn_free(s->rt, c.loop_round);
	tn_free(s->rt, c.loop_in);
	tn_free(s->rt, c.last_loop);
	tn_free(s->rt, c.previous_loop);
	if (err)
		tn_charges_free(s->rt, out);
	return err == -ENOMEM ? tn_err_nomem("fuel of the program") : err;
}

void tn_charges_free(struct tn_rt *rt, struct tn_charges *charges)
{
	tn_free(rt, charges->fuel);
	tn_free(rt, charges->loop_charged);
	tn_free(rt, charges->callback_charged);
	tn_free(rt, charges->subprog_cost);
	*charges = (struct tn_charges){ 0 };
}
