/* SPDX-License-Identifier: MIT */
/*
 * The loop forest: strongly connected components, then again inside each without its head. For
 * reducible code these are the natural loops (those that share a head merged); for the rest every
 * cycle still goes through some head, which is all that widening and fuel rely on.
 */
#include "verifier/structure_internal.h"

#include <errno.h>
#include <stdlib.h>

/* How far before a loop constants are looked for. */
#define LOOK_BACK 1024u

struct loop_search {
	struct tn_structure *s;
	TN_VEC(struct tn_loop) loops;
	TN_VEC(uint32_t) members;
	TN_VEC(struct tn_back_edge) backs;
	TN_VEC(struct tn_loop_exit) exits;
	TN_VEC(int64_t) thresholds;
	TN_VEC(struct tn_level_item) items;
	/* Per block, of the search for components. */
	uint32_t *number, *low; /* 0: not seen */
	uint8_t *edge;		/* next successor to look at */
	bool *on_stack;
	uint32_t *stack, *path;
	uint32_t nr_stack, last_number;
};

static int by_rpo(const void *a, const void *b, void *arg)
{
	const struct tn_structure *s = arg;
	uint32_t x = s->blocks[*(const uint32_t *)a].rpo, y = s->blocks[*(const uint32_t *)b].rpo;

	return x < y ? -1 : x > y;
}

static bool has_self_edge(const struct tn_block *block, uint32_t b)
{
	return block->succ[0] == b || block->succ[1] == b;
}

static int add_item(struct loop_search *ls, bool is_loop, uint32_t index)
{
	struct tn_level_item *item = tn_vec_push(ls->s->rt, &ls->items);

	if (!item)
		return -ENOMEM;
	*item = (struct tn_level_item){ is_loop, index };
	return 0;
}

/* A component was found: the top `nr` of the stack. Blocks that are no loop keep their owner. */
static int take_component(struct loop_search *ls, uint32_t nr, uint32_t parent)
{
	struct tn_structure *s = ls->s;
	uint32_t *blocks = &ls->stack[ls->nr_stack -= nr], index = ls->loops.nr;
	struct tn_loop *loop;

	for (uint32_t i = 0; i < nr; i++)
		ls->on_stack[blocks[i]] = false;
	if (nr == 1 && !has_self_edge(&s->blocks[blocks[0]], blocks[0]))
		return add_item(ls, false, blocks[0]);
	loop = tn_vec_push(s->rt, &ls->loops);
	if (!loop || add_item(ls, true, index))
		return -ENOMEM;
	qsort_r(blocks, nr, sizeof(*blocks), by_rpo, s);
	/* The block that is first in reverse postorder is where the component is entered first. */
	loop->head = blocks[0];
	loop->head_insn = s->blocks[blocks[0]].start;
	loop->subprog = s->blocks[blocks[0]].subprog;
	loop->parent = parent;
	loop->depth = parent == TN_NONE ? 1 : ls->loops.v[parent].depth + 1;
	loop->first_member = ls->members.nr;
	loop->nr_members = nr;
	if (loop->depth > TN_MAX_LOOP_DEPTH) {
		tn_err(-E2BIG, "insn %u: loops are nested more than %u deep", loop->head_insn,
		       TN_MAX_LOOP_DEPTH);
		tn_err_at(TN_STAGE_VERIFY, NULL, s->prog->name, (int32_t)loop->head_insn, NULL);
		return -E2BIG;
	}
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t *member = tn_vec_push(s->rt, &ls->members);

		if (!member)
			return -ENOMEM;
		*member = blocks[i];
		s->blocks[blocks[i]].loop = index;
	}
	return 0;
}

/* Tarjan's search from `root` among the blocks whose innermost loop so far is `owner`, without its
 * head. Each found loop takes its blocks out of the search. */
static int search_from(struct loop_search *ls, uint32_t root, uint32_t owner, uint32_t head)
{
	struct tn_structure *s = ls->s;
	uint32_t depth = 0;

	ls->path[depth++] = root;
	while (depth) {
		uint32_t b = ls->path[depth - 1], succ;
		int err;

		if (!ls->number[b]) {
			ls->number[b] = ls->low[b] = ++ls->last_number;
			ls->edge[b] = 0;
			ls->on_stack[b] = true;
			ls->stack[ls->nr_stack++] = b;
		}
		if (ls->edge[b] < 2) {
			succ = s->blocks[b].succ[ls->edge[b]++];
			if (succ == TN_NONE || succ == head || s->blocks[succ].loop != owner)
				continue;
			if (!ls->number[succ])
				ls->path[depth++] = succ;
			else if (ls->on_stack[succ])
				ls->low[b] = TN_MIN(ls->low[b], ls->number[succ]);
			continue;
		}
		depth--;
		if (depth)
			ls->low[ls->path[depth - 1]] = TN_MIN(ls->low[ls->path[depth - 1]],
							      ls->low[b]);
		if (ls->low[b] != ls->number[b])
			continue;
		for (uint32_t nr = 1;; nr++) {
			if (ls->stack[ls->nr_stack - nr] != b)
				continue;
			err = take_component(ls, nr, owner);
			if (err)
				return err;
			break;
		}
	}
	return 0;
}

/* Blocks of one level: all of the program, or the members of a loop without its head. */
static int search_level(struct loop_search *ls, const uint32_t *blocks, uint32_t nr, uint32_t owner,
			uint32_t head)
{
	for (uint32_t i = 0; i < nr; i++) {
		ls->number[blocks[i]] = 0;
		ls->on_stack[blocks[i]] = false;
	}
	ls->nr_stack = ls->last_number = 0;
	for (uint32_t i = 0; i < nr; i++) {
		int err;

		if (blocks[i] == head || ls->number[blocks[i]])
			continue;
		err = search_from(ls, blocks[i], owner, head);
		if (err)
			return err;
	}
	return 0;
}

static int search_all(struct loop_search *ls)
{
	struct tn_structure *s = ls->s;
	uint32_t *level = NULL;
	int err = 0;

	for (uint32_t p = 0; !err && p < s->prog->nr_subprogs; p++) {
		uint32_t first = s->rpo_start[p];

		s->first_item[p] = ls->items.nr;
		err = search_level(ls, &s->rpo[first], s->rpo_start[p + 1] - first, TN_NONE,
				   TN_NONE);
	}
	s->first_item[s->prog->nr_subprogs] = ls->items.nr;

	/* The list grows while it is walked: children come after their parent. */
	for (uint32_t l = 0; !err && l < ls->loops.nr; l++) {
		struct tn_loop *loop = &ls->loops.v[l];
		uint32_t first_item = ls->items.nr;

		loop->first_item = first_item;
		tn_free(s->rt, level);
		level = tn_memdup(s->rt, &ls->members.v[loop->first_member],
				  (size_t)loop->nr_members * sizeof(*level));
		err = level ? search_level(ls, level, loop->nr_members, l, loop->head) : -ENOMEM;
		ls->loops.v[l].nr_items = ls->items.nr - first_item;
	}
	tn_free(s->rt, level);
	return err;
}

bool tn_structure_loop_within(const struct tn_structure *s, uint32_t inner, uint32_t outer)
{
	while (inner != outer && inner != TN_NONE)
		inner = s->loops[inner].parent;
	return inner == outer;
}

static int add_exit(struct loop_search *ls, uint32_t insn, uint32_t target, enum tn_exit_kind kind)
{
	struct tn_loop_exit *exit = tn_vec_push(ls->s->rt, &ls->exits);

	if (!exit)
		return -ENOMEM;
	*exit = (struct tn_loop_exit){ insn, target, (uint8_t)kind };
	return 0;
}

/* Edges of one member block: back to the head, or out. */
static int classify_edges(struct loop_search *ls, uint32_t l, uint32_t b)
{
	struct tn_structure *s = ls->s;
	const struct tn_block *block = &s->blocks[b];
	uint32_t last = tn_block_last(s, block);
	int err = 0;

	for (unsigned e = 0; e < 2 && !err; e++) {
		uint32_t succ = block->succ[e];
		struct tn_back_edge *back;

		if (succ == TN_NONE)
			continue;
		if (!tn_structure_loop_within(s, s->blocks[succ].loop, l)) {
			err = add_exit(ls, last, s->blocks[succ].start, TN_EXIT_EDGE);
		} else if (succ == s->loops[l].head) {
			back = tn_vec_push(s->rt, &ls->backs);
			if (!back)
				return -ENOMEM;
			*back = (struct tn_back_edge){ last,
						       e || tn_insn_is_ja(&s->prog->insns[last]) };
			s->sites[last].flags |= TN_SITE_BACK_EDGE;
		}
	}
	if (!err && s->prog->insns[last].code == (TN_JMP | TN_EXIT))
		err = add_exit(ls, last, TN_NONE, TN_EXIT_RETURN);
	for (uint32_t i = block->start; i < block->end && !err; i++) {
		if (s->sites[i].flags & TN_SITE_TAIL_CALL)
			err = add_exit(ls, i, TN_NONE, TN_EXIT_TAIL_CALL);
	}
	return err;
}

static bool enters_past_head(const struct tn_structure *s, uint32_t l, uint32_t b)
{
	const struct tn_block *block = &s->blocks[b];

	if (b == s->loops[l].head)
		return false;
	for (uint32_t i = 0; i < block->nr_preds; i++) {
		uint32_t pred = s->preds[block->first_pred + i];

		if (!tn_structure_loop_within(s, s->blocks[pred].loop, l))
			return true;
	}
	return block->rpo == 0;
}

/* ---- Constants worth widening to ---- */

static bool is_compare(const struct tn_insn *insn)
{
	uint8_t op = TN_OP(insn->code);

	return tn_insn_is_jump(insn) && !tn_insn_is_ja(insn) && op != TN_JCOND && op != TN_JSET;
}

/* Registers that this loop compares with another register. */
static uint32_t compared_registers(const struct tn_structure *s, const struct tn_loop *loop,
				   const uint32_t *members)
{
	uint32_t regs = 0;

	for (uint32_t i = 0; i < loop->nr_members; i++) {
		const struct tn_block *block = &s->blocks[members[i]];
		const struct tn_insn *insn = &s->prog->insns[tn_block_last(s, block)];

		if (is_compare(insn) && TN_SRC(insn->code) == TN_X)
			regs |= 1u << insn->src | 1u << insn->dst;
	}
	return regs;
}

static int add_constant(struct loop_search *ls, uint32_t first, int64_t c)
{
	for (int64_t d = -1; d <= 1; d++) {
		int64_t value = (int64_t)((uint64_t)c + (uint64_t)d), *slot;

		if (ls->thresholds.nr - first >= TN_MAX_THRESHOLDS)
			return 0;
		slot = tn_vec_push(ls->s->rt, &ls->thresholds);
		if (!slot)
			return -ENOMEM;
		*slot = value;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sort and drop the repeated ones of the thresholds from `first` on. */
static uint32_t tidy_thresholds(struct loop_search *ls, uint32_t first)
{
	int64_t *v = ls->thresholds.v;
	uint32_t nr = first;

	if (ls->thresholds.nr == first)
		return 0;
	qsort(&v[first], ls->thresholds.nr - first, sizeof(*v), by_value);
	for (uint32_t i = first; i < ls->thresholds.nr; i++) {
		if (i == first || v[i] != v[nr - 1])
			v[nr++] = v[i];
	}
	ls->thresholds.nr = nr;
	return nr - first;
}

/* Constants that go to one of `regs` in [start, end). */
static int add_moved_constants(struct loop_search *ls, uint32_t start, uint32_t end, uint32_t regs,
			       uint32_t first)
{
	const struct tn_structure *s = ls->s;
	int err = 0;

	for (uint32_t i = start; i < end && !err; i++) {
		const struct tn_insn *insn = &s->prog->insns[i];

		if (s->sites[i].flags & TN_SITE_LDDW_HIGH || !(regs >> insn->dst & 1))
			continue;
		if (insn->code == (TN_ALU64 | TN_MOV | TN_K))
			err = add_constant(ls, first, insn->imm);
		else if (insn->code == (TN_ALU | TN_MOV | TN_K))
			err = add_constant(ls, first, (uint32_t)insn->imm);
		else if (tn_insn_is_lddw(insn) && insn->src == TN_LDDW_IMM)
			err = add_constant(ls, first, (int64_t)tn_insn_imm64(insn));
	}
	return err;
}

static int add_loop_constants(struct loop_search *ls, const struct tn_loop *loop, uint32_t first)
{
	const struct tn_structure *s = ls->s;
	const uint32_t *members = &ls->members.v[loop->first_member];
	const struct tn_subprog *sub = &s->prog->subprogs[loop->subprog];
	uint32_t regs = compared_registers(s, loop, members);
	uint32_t before = loop->head_insn - TN_MIN(loop->head_insn - sub->start, LOOK_BACK);
	int err = add_constant(ls, first, 0);

	for (uint32_t i = 0; i < loop->nr_members && !err; i++) {
		const struct tn_block *block = &s->blocks[members[i]];
		const struct tn_insn *insn = &s->prog->insns[tn_block_last(s, block)];

		if (!is_compare(insn) || TN_SRC(insn->code) == TN_X)
			continue;
		err = add_constant(ls, first, insn->imm);
		if (!err && TN_CLASS(insn->code) == TN_JMP32 && insn->imm < 0)
			err = add_constant(ls, first, (uint32_t)insn->imm);
	}
	/* A bound in a register is often set before the loop. */
	if (regs && !err)
		err = add_moved_constants(ls, before, loop->head_insn, regs, first);
	for (uint32_t i = 0; i < loop->nr_members && regs && !err; i++) {
		const struct tn_block *block = &s->blocks[members[i]];

		err = add_moved_constants(ls, block->start, block->end, regs, first);
	}
	return err;
}

static int describe_loop(struct loop_search *ls, uint32_t l)
{
	struct tn_structure *s = ls->s;
	struct tn_loop *loop = &s->loops[l];
	int err = 0;

	loop->first_back = ls->backs.nr;
	loop->first_exit = ls->exits.nr;
	loop->first_threshold = ls->thresholds.nr;
	s->sites[loop->head_insn].flags |= TN_SITE_LOOP_HEAD;
	for (uint32_t i = 0; i < loop->nr_members && !err; i++) {
		uint32_t b = ls->members.v[loop->first_member + i];

		err = classify_edges(ls, l, b);
		loop->irreducible |= enters_past_head(s, l, b);
	}
	loop->nr_backs = ls->backs.nr - loop->first_back;
	loop->nr_exits = ls->exits.nr - loop->first_exit;
	if (!err)
		err = add_loop_constants(ls, loop, loop->first_threshold);
	loop->nr_thresholds = tidy_thresholds(ls, loop->first_threshold);
	return err;
}

static int describe_all(struct loop_search *ls)
{
	struct tn_structure *s = ls->s;

	for (uint32_t l = 0; l < s->nr_loops; l++) {
		int err = describe_loop(ls, l);

		if (err)
			return err;
	}
	for (uint32_t b = 0; b < s->nr_blocks; b++) {
		for (uint32_t i = s->blocks[b].start; i < s->blocks[b].end; i++)
			s->sites[i].loop = s->blocks[b].loop;
	}
	return 0;
}

int tn_structure_find_loops(struct tn_structure *s)
{
	struct loop_search ls = { .s = s };
	int err = -ENOMEM;

	s->first_item = tn_alloc_array(s->rt, (size_t)s->prog->nr_subprogs + 1,
				       sizeof(*s->first_item));
	ls.number = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.number));
	ls.low = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.low));
	ls.edge = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.edge));
	ls.on_stack = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.on_stack));
	ls.stack = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.stack));
	ls.path = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*ls.path));
	if (s->first_item && ls.number && ls.low && ls.edge && ls.on_stack && ls.stack && ls.path)
		err = search_all(&ls);
	s->loops = ls.loops.v;
	s->nr_loops = ls.loops.nr;
	if (!err)
		err = describe_all(&ls);
	s->members = ls.members.v;
	s->back_edges = ls.backs.v;
	s->exits = ls.exits.v;
	s->thresholds = ls.thresholds.v;
	s->items = ls.items.v;
	tn_free(s->rt, ls.number);
	tn_free(s->rt, ls.low);
	tn_free(s->rt, ls.edge);
	tn_free(s->rt, ls.on_stack);
	tn_free(s->rt, ls.stack);
	tn_free(s->rt, ls.path);
	return err;
}
