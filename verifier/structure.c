/* SPDX-License-Identifier: MIT */
/*
 * Blocks, edges, reverse postorder and dominators. Everything is per subprogram: no edge leaves
 * one. Unreachable blocks stay in the table, flagged, without predecessors.
 */
#include "verifier/structure_internal.h"

#include <errno.h>

static int structure_error(const struct tn_structure *s, uint32_t insn, const char *what)
{
	uint32_t subprog = tn_prog_subprog_at(s->prog, insn);
	const char *name = s->prog->subprogs[subprog].name;

	tn_err(-EINVAL, "insn %u: %s%s%s%s", insn, what, name ? " of function '" : "",
	       name ? name : "", name ? "'" : "");
	tn_err_at(TN_STAGE_VERIFY, NULL, s->prog->name, (int32_t)insn, NULL);
	return -EINVAL;
}

/* The subprogram that starts at `insn`, or TN_NONE. */
static uint32_t subprog_starting_at(const struct tn_prog *prog, int64_t insn)
{
	uint32_t low = 0, high = prog->nr_subprogs;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (prog->subprogs[mid].start == insn)
			return mid;
		if (prog->subprogs[mid].start < insn)
			low = mid + 1;
		else
			high = mid;
	}
	return TN_NONE;
}

static bool is_callee_ref(const struct tn_insn *insn)
{
	return (insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_LOCAL) ||
	       (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_FUNC);
}

static int find_target(struct tn_structure *s, const struct tn_subprog *sub, uint32_t i)
{
	const struct tn_insn *insn = &s->prog->insns[i];
	struct tn_site *site = &s->sites[i];
	int64_t target;

	if (tn_is_tail_call(insn)) {
		site->flags |= TN_SITE_TAIL_CALL;
		s->nr_tail_calls++;
	}
	if (is_callee_ref(insn)) {
		s->nr_callee_refs++;
		site->callee = subprog_starting_at(s->prog, (int64_t)i + 1 + insn->imm);
		return site->callee == TN_NONE
			       ? structure_error(
					 s, i,
					 "the call does not meet the start of a function, in the code")
			       : 0;
	}
	if (!tn_insn_is_jump(insn))
		return 0;
	target = (int64_t)i + 1 + tn_insn_jump_off(insn);
	if (target < sub->start || target >= sub->end)
		return structure_error(s, i, "the jump leaves the code");
	site->target = (uint32_t)target;
	s->sites[target].flags |= TN_SITE_BLOCK;
	return 0;
}

/* Targets, callees and the first instructions of blocks. */
static int find_sites(struct tn_structure *s)
{
	const struct tn_prog *prog = s->prog;

	for (uint32_t i = 0; i < prog->nr_insns; i++)
		s->sites[i] = (struct tn_site){ 0, TN_NONE, TN_NONE, TN_NONE, TN_NONE };
	for (uint32_t p = 0; p < prog->nr_subprogs; p++) {
		const struct tn_subprog *sub = &prog->subprogs[p];

		s->sites[sub->start].flags |= TN_SITE_BLOCK;
		for (uint32_t i = sub->start; i < sub->end; i++) {
			const struct tn_insn *insn = &prog->insns[i];
			bool ends = tn_insn_is_jump(insn) || insn->code == (TN_JMP | TN_EXIT);
			int err = find_target(s, sub, i);

			if (err)
				return err;
			if (ends && i + 1 < sub->end)
				s->sites[i + 1].flags |= TN_SITE_BLOCK;
			if (!tn_insn_is_lddw(insn))
				continue;
			if (i + 1 >= sub->end)
				return structure_error(s, i, "lddw runs over the end");
			s->sites[++i].flags |= TN_SITE_LDDW_HIGH;
		}
	}
	for (uint32_t i = 0; i < prog->nr_insns; i++) {
		if ((s->sites[i].flags & (TN_SITE_LDDW_HIGH | TN_SITE_BLOCK)) ==
		    (TN_SITE_LDDW_HIGH | TN_SITE_BLOCK))
			return structure_error(s, i, "jump into the middle of an lddw");
		s->nr_blocks += s->sites[i].flags & TN_SITE_BLOCK ? 1 : 0;
	}
	return 0;
}

static void cut_blocks(struct tn_structure *s)
{
	uint32_t nr = 0;

	for (uint32_t p = 0; p < s->prog->nr_subprogs; p++) {
		const struct tn_subprog *sub = &s->prog->subprogs[p];

		for (uint32_t i = sub->start; i < sub->end; i++) {
			if (s->sites[i].flags & TN_SITE_BLOCK)
				s->blocks[nr++] = (struct tn_block){ .start = i,
								     .subprog = p,
								     .succ = { TN_NONE, TN_NONE },
								     .rpo = TN_NONE,
								     .idom = TN_NONE,
								     .loop = TN_NONE };
			s->sites[i].block = nr - 1;
			s->blocks[nr - 1].end = i + 1;
		}
	}
}

static void link_blocks(struct tn_structure *s)
{
	for (uint32_t b = 0; b < s->nr_blocks; b++) {
		struct tn_block *block = &s->blocks[b];
		uint32_t last = tn_block_last(s, block);
		const struct tn_insn *insn = &s->prog->insns[last];
		bool jumps = tn_insn_is_jump(insn), always = tn_insn_is_ja(insn);

		if (jumps)
			block->succ[always ? 0 : 1] = s->sites[s->sites[last].target].block;
		if (!always && insn->code != (TN_JMP | TN_EXIT) &&
		    block->end < s->prog->subprogs[block->subprog].end)
			block->succ[0] = b + 1;
	}
}

/* Depth first from the entry of a subprogram: `order` receives its blocks in postorder. */
static uint32_t postorder(struct tn_structure *s, uint32_t entry, uint32_t *stack, uint8_t *next,
			  uint32_t *order)
{
	uint32_t depth = 0, nr = 0;

	stack[depth++] = entry;
	next[entry] = 1;
	while (depth) {
		uint32_t b = stack[depth - 1];
		uint32_t succ = TN_NONE;

		/* next[]: 0 not seen; 1, 2: which successor is to be visited; 3: done */
		while (next[b] < 3 && succ == TN_NONE) {
			succ = s->blocks[b].succ[next[b]++ - 1];
			if (succ != TN_NONE && next[succ])
				succ = TN_NONE;
		}
		if (succ == TN_NONE) {
			order[nr++] = b;
			depth--;
		} else {
			next[succ] = 1;
			stack[depth++] = succ;
		}
	}
	return nr;
}

static int find_order(struct tn_structure *s)
{
	const struct tn_prog *prog = s->prog;
	uint32_t *stack = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*stack));
	uint8_t *next = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*next));
	uint32_t nr = 0;

	if (!stack || !next) {
		tn_free(s->rt, stack);
		tn_free(s->rt, next);
		return -ENOMEM;
	}
	for (uint32_t p = 0; p < prog->nr_subprogs; p++) {
		uint32_t *order = &s->rpo[nr], count;

		s->rpo_start[p] = nr;
		count = postorder(s, s->sites[prog->subprogs[p].start].block, stack, next, order);
		for (uint32_t i = 0; i < count / 2; i++) {
			uint32_t swap = order[i];

			order[i] = order[count - 1 - i];
			order[count - 1 - i] = swap;
		}
		for (uint32_t i = 0; i < count; i++)
			s->blocks[order[i]].rpo = i;
		nr += count;
	}
	s->rpo_start[prog->nr_subprogs] = nr;
	tn_free(s->rt, stack);
	tn_free(s->rt, next);
	return 0;
}

/* Reachability of instructions, and no way off the end of a subprogram. */
static int mark_reachable(struct tn_structure *s)
{
	for (uint32_t b = 0; b < s->nr_blocks; b++) {
		struct tn_block *block = &s->blocks[b];
		uint32_t last = tn_block_last(s, block);
		uint8_t code = s->prog->insns[last].code;

		if (block->rpo == TN_NONE) {
			s->nr_dead += block->end - block->start;
			continue;
		}
		for (uint32_t i = block->start; i < block->end; i++)
			s->sites[i].flags |= TN_SITE_REACHABLE;
		if (block->succ[0] == TN_NONE && code != (TN_JMP | TN_EXIT))
			return structure_error(s, last, "control falls off the end");
	}
	return 0;
}

static void find_preds(struct tn_structure *s)
{
	uint32_t nr = 0;

	for (uint32_t r = 0; r < s->rpo_start[s->prog->nr_subprogs]; r++) {
		for (unsigned e = 0; e < 2; e++) {
			uint32_t succ = s->blocks[s->rpo[r]].succ[e];

			if (succ != TN_NONE)
				s->blocks[succ].nr_preds++;
		}
	}
	for (uint32_t b = 0; b < s->nr_blocks; b++) {
		s->blocks[b].first_pred = nr;
		nr += s->blocks[b].nr_preds;
		if (s->blocks[b].nr_preds >= 2)
			s->sites[s->blocks[b].start].flags |= TN_SITE_MERGE;
		s->blocks[b].nr_preds = 0;
	}
	for (uint32_t r = 0; r < s->rpo_start[s->prog->nr_subprogs]; r++) {
		for (unsigned e = 0; e < 2; e++) {
			uint32_t succ = s->blocks[s->rpo[r]].succ[e];
			struct tn_block *to = succ == TN_NONE ? NULL : &s->blocks[succ];

			if (to)
				s->preds[to->first_pred + to->nr_preds++] = s->rpo[r];
		}
	}
}

/* The nearest common dominator. Blocks by their place in reverse postorder: the entry is 0, and a
 * dominator comes before what it dominates. */
static uint32_t common_dominator(const uint32_t *dom, uint32_t a, uint32_t b)
{
	while (a != b) {
		if (a > b)
			a = dom[a];
		else
			b = dom[b];
	}
	return a;
}

/* One turn over the blocks of a subprogram. *early: a block was met before one that leads to it. */
static bool improve_dominators(const struct tn_structure *s, uint32_t p, uint32_t *dom, bool *early)
{
	uint32_t first = s->rpo_start[p], nr = s->rpo_start[p + 1] - first;
	bool changed = false;

	for (uint32_t r = 1; r < nr; r++) {
		const struct tn_block *block = &s->blocks[s->rpo[first + r]];
		uint32_t idom = TN_NONE;

		for (uint32_t i = 0; i < block->nr_preds; i++) {
			uint32_t pred = s->blocks[s->preds[block->first_pred + i]].rpo;

			if (dom[pred] == TN_NONE)
				*early = true;
			else
				idom = idom == TN_NONE ? pred : common_dominator(dom, idom, pred);
		}
		changed |= idom != dom[r];
		dom[r] = idom;
	}
	return changed;
}

/* Iterated over reverse postorder until nothing changes: once where there are no loops, twice for
 * reducible ones. */
static int find_dominators(struct tn_structure *s)
{
	uint32_t *dom = tn_realloc_array(s->rt, NULL, s->nr_blocks, sizeof(*dom));

	if (!dom)
		return -ENOMEM;
	for (uint32_t p = 0; p < s->prog->nr_subprogs; p++) {
		uint32_t first = s->rpo_start[p], nr = s->rpo_start[p + 1] - first;
		bool early = false;

		dom[0] = 0;
		for (uint32_t r = 1; r < nr; r++)
			dom[r] = TN_NONE;
		while (improve_dominators(s, p, dom, &early) && early)
			;
		for (uint32_t r = 1; r < nr; r++)
			s->blocks[s->rpo[first + r]].idom = s->rpo[first + dom[r]];
	}
	tn_free(s->rt, dom);
	return 0;
}

static int allocate(struct tn_structure *s)
{
	/* Not zeroed: cut_blocks() fills them in. */
	s->blocks = tn_realloc_array(s->rt, NULL, s->nr_blocks, sizeof(*s->blocks));
	s->preds = tn_alloc_array(s->rt, (size_t)s->nr_blocks * 2, sizeof(*s->preds));
	s->rpo = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*s->rpo));
	s->rpo_start = tn_alloc_array(s->rt, (size_t)s->prog->nr_subprogs + 1,
				      sizeof(*s->rpo_start));
	return s->blocks && s->preds && s->rpo && s->rpo_start ? 0 : -ENOMEM;
}

static int build(struct tn_structure *s)
{
	int err;

	/* Not zeroed: find_sites() fills them in. */
	s->sites = tn_realloc_array(s->rt, NULL, s->prog->nr_insns, sizeof(*s->sites));
	if (!s->sites)
		return -ENOMEM;
	err = find_sites(s);
	if (!err)
		err = allocate(s);
	if (err)
		return err;
	cut_blocks(s);
	link_blocks(s);
	err = find_order(s);
	if (!err)
		err = mark_reachable(s);
	if (err)
		return err;
	find_preds(s);
	err = find_dominators(s);
	if (!err)
		err = tn_structure_find_loops(s);
	return err ? err : tn_structure_find_calls(s);
}

struct tn_structure *tn_structure_new(struct tn_rt *rt, const struct tn_prog *prog)
{
	struct tn_structure *s;
	int err;

	if (prog->nr_insns == 0 || prog->nr_subprogs == 0)
		return tn_err_null(-EINVAL, "program '%s' has no instructions",
				   prog->name ? prog->name : "");
	s = tn_new(rt, struct tn_structure);
	if (!s)
		return tn_err_null(-ENOMEM, "out of memory: structure of the program");
	s->rt = rt;
	s->prog = prog;
	err = build(s);
	if (!err)
		return s;
	tn_structure_free(s);
	if (err == -ENOMEM)
		tn_err_nomem("structure of the program");
	errno = -err;
	return NULL;
}

void tn_structure_free(struct tn_structure *s)
{
	if (!s)
		return;
	tn_free(s->rt, s->sites);
	tn_free(s->rt, s->blocks);
	tn_free(s->rt, s->preds);
	tn_free(s->rt, s->rpo);
	tn_free(s->rt, s->rpo_start);
	tn_free(s->rt, s->loops);
	tn_free(s->rt, s->members);
	tn_free(s->rt, s->back_edges);
	tn_free(s->rt, s->exits);
	tn_free(s->rt, s->thresholds);
	tn_free(s->rt, s->items);
	tn_free(s->rt, s->first_item);
	tn_free(s->rt, s->calls);
	tn_free(s->rt, s->callees);
	tn_free(s->rt, s->topo);
	tn_free(s->rt, s);
}

bool tn_structure_dominates(const struct tn_structure *s, uint32_t a, uint32_t b)
{
	while (b != TN_NONE && s->blocks[b].rpo > s->blocks[a].rpo)
		b = s->blocks[b].idom;
	return a == b;
}
