/* SPDX-License-Identifier: MIT */
/*
 * Reachability by a worklist, liveness by backward passes over the whole program until nothing
 * changes (once more per nesting of loops). Upper halves are tracked apart: most 64-bit arithmetic
 * whose upper half nobody reads may be done in 32 bits, which is shorter.
 */
#include <errno.h>
#include <string.h>

#include "jit/blocks.h"
#include "base/err.h"
#include "maps/map.h"
#include "vm/helpers.h"

static uint16_t fact_flags(const struct tn_prog *prog, uint32_t insn)
{
	return prog->facts ? prog->facts->insns[insn].flags : 0;
}

bool tn_flow_may_jump(const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_insn *i = &prog->insns[insn];

	/* The facts of what was a conditional jump before the rewrite say nothing about it. */
	return tn_insn_is_ja(i) ||
	       (tn_insn_is_jump(i) && !(fact_flags(prog, insn) & TN_FACT_BRANCH_NEVER));
}

bool tn_flow_may_fall(const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_insn *i = &prog->insns[insn];

	if (i->code == (TN_JMP | TN_EXIT) || tn_insn_is_ja(i))
		return false;
	return !tn_insn_is_jump(i) || !(fact_flags(prog, insn) & TN_FACT_BRANCH_ALWAYS);
}

static int64_t jump_target(const struct tn_insn *insns, uint32_t i)
{
	return (int64_t)i + 1 + tn_insn_jump_off(&insns[i]);
}

static uint32_t next_insn(const struct tn_insn *insns, uint32_t i)
{
	return i + (tn_insn_is_lddw(&insns[i]) ? 2 : 1);
}

/* Marks `to` and puts it on the worklist when it is new. */
static int reach(struct tn_flow *flow, const struct tn_subprog *sub, uint32_t *work, uint32_t *nr,
		 uint32_t from, int64_t to)
{
	if (to < sub->start || to >= sub->end)
		return tn_err(-EINVAL, "insn %u: control leaves its function", from);
	if (!(flow->flags[to] & TN_FLOW_REACHED)) {
		flow->flags[to] |= TN_FLOW_REACHED;
		work[(*nr)++] = (uint32_t)to;
	}
	return 0;
}

/* `work` has room for every instruction: each enters it once. */
static int reach_function(struct tn_flow *flow, const struct tn_prog *prog,
			  const struct tn_subprog *sub, uint32_t *work)
{
	uint32_t nr = 0;
	int err = reach(flow, sub, work, &nr, sub->start, sub->start);

	flow->flags[sub->start] |= TN_FLOW_TARGET;
	while (!err && nr) {
		uint32_t i = work[--nr];

		if (tn_flow_may_jump(prog, i)) {
			int64_t to = jump_target(prog->insns, i);

			err = reach(flow, sub, work, &nr, i, to);
			if (err)
				return err;
			flow->flags[to] |= TN_FLOW_TARGET;
			if (to <= i) {
				flow->flags[to] |= TN_FLOW_LOOP;
				flow->flags[i] |= TN_FLOW_LOOP_END;
				if (flow->loop_last[to] < i)
					flow->loop_last[to] = i;
			}
		}
		if (tn_flow_may_fall(prog, i))
			err = reach(flow, sub, work, &nr, i, next_insn(prog->insns, i));
	}
	return err;
}

static uint32_t use_if(bool upper, unsigned r)
{
	return upper ? TN_LIVE_FULL(r) : TN_LIVE(r);
}

static uint32_t alu_before(const struct tn_insn *i, uint32_t out)
{
	uint8_t op = TN_OP(i->code);
	bool wide = TN_CLASS(i->code) == TN_ALU64, is_reg = TN_SRC(i->code) == TN_X;
	bool upper = wide && out & TN_LIVE_UPPER(i->dst);
	uint32_t in = out & ~TN_LIVE_FULL(i->dst);

	switch (op) {
	case TN_MOV:
		return is_reg ? in | use_if(upper && !i->off, i->src) : in;
	case TN_END: /* le16, le32 and be16, be32 look at low halves alone */
		return in | use_if(i->imm == 64, i->dst);
	case TN_NEG:
		return in | use_if(upper, i->dst);
	case TN_ADD:
	case TN_SUB:
	case TN_MUL:
	case TN_AND:
	case TN_OR:
	case TN_XOR:
		return in | use_if(upper, i->dst) | (is_reg ? use_if(upper, i->src) : 0);
	case TN_LSH:
		return in | use_if(upper, i->dst) | (is_reg ? TN_LIVE(i->src) : 0);
	case TN_RSH:
	case TN_ARSH:
		return in | use_if(wide, i->dst) | (is_reg ? TN_LIVE(i->src) : 0);
	default:
		return in | use_if(wide, i->dst) | (is_reg ? use_if(wide, i->src) : 0);
	}
}

static uint32_t atomic_before(const struct tn_insn *i, uint32_t out)
{
	bool wide = TN_SIZE(i->code) == TN_DW;

	if (i->imm == TN_LOAD_ACQ)
		return (out & ~TN_LIVE_FULL(i->dst)) | TN_LIVE_FULL(i->src);
	if (i->imm == TN_CMPXCHG)
		return (out & ~TN_LIVE_FULL(TN_R0)) | use_if(wide, TN_R0) | use_if(wide, i->src) |
		       TN_LIVE_FULL(i->dst);
	if (i->imm & TN_FETCH)
		out &= ~TN_LIVE_FULL(i->src);
	return out | use_if(wide, i->src) | TN_LIVE_FULL(i->dst);
}

#define LIVE_RANGE(first, nr) ((((1u << (nr)) - 1) << (first)) * 0x10001u)

struct tn_map *tn_flow_map(const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_insn *i = &prog->insns[insn];

	if (i->code != (TN_JMP | TN_CALL) || i->src != TN_CALL_HELPER ||
	    !(fact_flags(prog, insn) & TN_FACT_MAP_KNOWN))
		return NULL;
	return prog->facts->insns[insn].map;
}

bool tn_flow_is_array_lookup(const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_map *map = tn_flow_map(prog, insn);

	return map && prog->insns[insn].imm == TN_HELPER_map_lookup_elem &&
	       (map->type == TN_MAP_ARRAY || map->type == TN_MAP_PERCPU_ARRAY) &&
	       map->value_stride <= INT32_MAX && map->slot_stride <= INT32_MAX &&
	       !(map->segment && map->slot_stride); /* which slot is the segment's to say */
}

/* Arguments of a call: as many as a standard helper is declared with, else all. */
static uint32_t call_reads(const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_insn *i = &prog->insns[insn];
	const struct tn_helper *helper;

	if (tn_flow_is_array_lookup(prog, insn))
		return TN_LIVE_FULL(TN_R2);
	if (i->src != TN_CALL_HELPER)
		return LIVE_RANGE(TN_R1, 5);
	helper = tn_helper_by_id((uint32_t)i->imm);
	if (!helper || helper->sig.flags & TN_SIG_VARIADIC)
		return LIVE_RANGE(TN_R1, 5);
	return LIVE_RANGE(TN_R1, helper->sig.nr_args);
}

/* r0 to r5 */
#define CALL_WRITES 0x3fu

static uint32_t jump_before(const struct tn_prog *prog, uint32_t insn, uint32_t out)
{
	const struct tn_insn *i = &prog->insns[insn];
	bool wide = TN_CLASS(i->code) == TN_JMP;

	switch (TN_OP(i->code)) {
	case TN_JA:
	case TN_JCOND:
		return out;
	case TN_EXIT:
		return TN_LIVE_FULL(TN_R0);
	case TN_CALL:
		return (out & ~LIVE_RANGE(TN_R0, 6)) | call_reads(prog, insn);
	default:
		return out | use_if(wide, i->dst) |
		       (TN_SRC(i->code) == TN_X ? use_if(wide, i->src) : 0);
	}
}

static uint32_t live_before(const struct tn_prog *prog, uint32_t insn, uint32_t out)
{
	const struct tn_insn *i = &prog->insns[insn];

	switch (TN_CLASS(i->code)) {
	case TN_LD:
		if (TN_MODE(i->code) == TN_IMM)
			return out & ~TN_LIVE_FULL(i->dst);
		/* LD_ABS, LD_IND: a call that takes r6 and perhaps src. */
		return (out & ~LIVE_RANGE(TN_R0, 6)) | TN_LIVE_FULL(TN_R6) |
		       (TN_MODE(i->code) == TN_IND ? TN_LIVE_FULL(i->src) : 0);
	case TN_LDX:
		return (out & ~TN_LIVE_FULL(i->dst)) | TN_LIVE_FULL(i->src);
	case TN_ST:
		return out | TN_LIVE_FULL(i->dst);
	case TN_STX:
		if (TN_MODE(i->code) == TN_ATOMIC)
			return atomic_before(i, out);
		return out | TN_LIVE_FULL(i->dst) | use_if(TN_SIZE(i->code) == TN_DW, i->src);
	case TN_ALU:
	case TN_ALU64:
		return alu_before(i, out);
	default:
		return jump_before(prog, insn, out);
	}
}

uint32_t tn_flow_uses(const struct tn_prog *prog, uint32_t insn)
{
	return live_before(prog, insn, 0) & 0xffff;
}

bool tn_flow_is_dead(const struct tn_flow *flow, const struct tn_prog *prog, uint32_t insn)
{
	const struct tn_insn *i = &prog->insns[insn];
	uint8_t cls = TN_CLASS(i->code);

	return (cls == TN_ALU || cls == TN_ALU64 || cls == TN_LDX || tn_insn_is_lddw(i)) &&
	       !(flow->live[insn] & TN_LIVE(i->dst));
}

uint32_t tn_flow_defs(const struct tn_insn *insn)
{
	switch (TN_CLASS(insn->code)) {
	case TN_LD:
		return TN_MODE(insn->code) == TN_IMM ? TN_LIVE(insn->dst) : CALL_WRITES;
	case TN_LDX:
	case TN_ALU:
	case TN_ALU64:
		return TN_LIVE(insn->dst);
	case TN_STX:
		if (TN_MODE(insn->code) != TN_ATOMIC || insn->imm == TN_STORE_REL)
			return 0;
		if (insn->imm == TN_LOAD_ACQ)
			return TN_LIVE(insn->dst);
		if (insn->imm == TN_CMPXCHG)
			return TN_LIVE(TN_R0);
		return insn->imm & TN_FETCH ? TN_LIVE(insn->src) : 0;
	case TN_JMP:
		return insn->code == (TN_JMP | TN_CALL) ? CALL_WRITES : 0;
	default:
		return 0;
	}
}

/* One backward pass; did something change? */
static bool live_pass(struct tn_flow *flow, const struct tn_prog *prog)
{
	uint32_t *in = flow->live_in;
	bool changed = false;
	uint32_t i = flow->nr;

	while (i--) {
		uint32_t out = 0, before;

		if (!(flow->flags[i] & TN_FLOW_REACHED))
			continue;
		if (tn_flow_may_fall(prog, i))
			out = in[next_insn(prog->insns, i)];
		if (tn_flow_may_jump(prog, i))
			out |= in[jump_target(prog->insns, i)];
		flow->live[i] = out;
		before = live_before(prog, i, out);
		changed |= before != in[i];
		in[i] = before;
	}
	return changed;
}

int tn_flow_init(struct tn_flow *flow, const struct tn_prog *prog)
{
	int err = 0;
	uint32_t i;

	/* One block; the worklist stands where live_in comes afterwards. */
	memset(flow, 0, sizeof(*flow));
	flow->nr = prog->nr_insns;
	flow->live = tn_alloc_array(prog->rt, flow->nr, 3 * sizeof(uint32_t) + 1);
	if (!flow->live)
		return tn_err_nomem("data flow of a program");
	flow->loop_last = flow->live + flow->nr;
	flow->live_in = flow->loop_last + flow->nr;
	flow->flags = (uint8_t *)(flow->live_in + flow->nr);
	for (i = 0; !err && i < prog->nr_subprogs; i++)
		err = reach_function(flow, prog, &prog->subprogs[i], flow->live_in);
	if (!err) {
		memset(flow->live_in, 0, flow->nr * sizeof(flow->live_in[0]));
		while (live_pass(flow, prog))
			;
	} else {
		tn_flow_free(flow, prog->rt);
	}
	return err;
}

void tn_flow_free(struct tn_flow *flow, struct tn_rt *rt)
{
	tn_free(rt, flow->live);
	memset(flow, 0, sizeof(*flow));
}
