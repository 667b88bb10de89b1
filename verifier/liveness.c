/* SPDX-License-Identifier: MIT */
/*
 * Two passes per subprogram, callees first. Forwards: which registers hold an address of the own
 * frame, a map, a constant. From that each instruction gets its effect: registers read and written,
 * granules of the frame read and overwritten. Backwards: what is live and what matters, from the
 * effects. Each is the least solution of its own equations; they are computed side by side.
 */
#include "verifier/liveness.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "maps/map.h"
#include "vm/helpers.h"
#include "vm/signature.h"

#define ARG_REGS   0x3eu /* r1 to r5 */
#define NR_TRACKED 10u	 /* r0 to r9 */

/* What a register holds, as far as this pass needs it. */
enum held_kind {
	HELD_OTHER,	/* not an address of the own frame */
	HELD_CONST,	/* value */
	HELD_MAP,	/* value: index into prog->maps */
	HELD_FRAME,	/* r10 + value */
	HELD_FRAME_ANY, /* may be any address of the own frame */
};

struct held {
	uint32_t kind; /* enum held_kind */
	int32_t value;
};

struct regs {
	struct held r[NR_TRACKED];
};

/* Granules [first, first + nr) below r10. */
struct granules {
	uint16_t first, nr;
};

/* How what matters goes through an instruction. */
enum sort {
	SORT_USES, /* what it reads matters */
	SORT_ALU,  /* if what it writes does */
	SORT_MOVE, /* the same; the program's result may come through it */
	SORT_LOAD, /* as USES, but what it reads of the frame only if what it writes does */
	SORT_OTHER,
};

struct effect {
	uint16_t uses, defs;	/* registers */
	struct granules killed; /* overwritten in full */
	uint32_t first_read;	/* in reads: granules that are read */
	uint16_t nr_reads;
	bool reads_all;
	struct granules stored; /* where a register goes to, in part or in full */
	bool stored_anywhere;	/* or it may go to any frame */
	bool stack;		/* it reads or overwrites something of the frame */
	uint8_t sort;		/* enum sort */
};

/* Of registers: what is live, what matters, what the program's result may be. */
struct reg_sets {
	uint16_t live, matters, result;
};

struct analysis {
	struct tn_rt *rt;
	const struct tn_structure *s;
	const struct tn_prog *prog;
	struct tn_liveness *live;
	tn_live_sig_fn sig_of;
	void *user;
	struct regs *at_entry;	/* per block, where `seen` */
	bool *seen;		/* per block: some path has come here */
	struct effect *effects; /* per instruction */
	TN_VEC(struct granules) reads;
	bool escaped;	      /* an own address went to memory or a callee of this subprogram */
	uint32_t nr_granules; /* of this subprogram's frame that are read at all */
	bool twice;	      /* effects of a block were found more than once */
	uint64_t *block_in; /* per block of this subprogram, in reverse postorder: words of what is
			     * live, then as many of what matters */
	struct reg_sets *block_regs;
	bool *stale; /* per block: what it is computed from has changed */
	uint32_t words;
	bool failed; /* out of memory */
};

/* ---- Forwards: what registers hold ---- */

static bool is_frame(struct held h)
{
	return h.kind >= HELD_FRAME;
}

static struct held join_held(struct held a, struct held b)
{
	if (a.kind == b.kind && a.value == b.value)
		return a;
	return (struct held){ is_frame(a) || is_frame(b) ? HELD_FRAME_ANY : HELD_OTHER, 0 };
}

static struct held get(const struct regs *regs, uint8_t r)
{
	return r == TN_R10 ? (struct held){ HELD_FRAME, 0 } : regs->r[r];
}

static struct held add_held(struct held a, int64_t delta)
{
	int64_t value = (int64_t)a.value + delta;

	if (a.kind != HELD_FRAME)
		return (struct held){ is_frame(a) ? HELD_FRAME_ANY : HELD_OTHER, 0 };
	if (value < -TN_MAX_FRAME_BYTES || value > 0)
		return (struct held){ HELD_FRAME_ANY, 0 };
	return (struct held){ HELD_FRAME, (int32_t)value };
}

static struct held alu64_result(const struct tn_insn *insn, const struct regs *regs)
{
	struct held a = get(regs, insn->dst), b = { HELD_OTHER, 0 };
	bool is_const = TN_SRC(insn->code) == TN_K;

	if (!is_const)
		b = get(regs, insn->src);
	switch (TN_OP(insn->code)) {
	case TN_MOV:
		if (is_const)
			return (struct held){ HELD_CONST, insn->imm };
		return insn->off ? (struct held){ HELD_OTHER, 0 } : b;
	case TN_NEG:
	case TN_END:
		return (struct held){ is_frame(a) ? HELD_FRAME_ANY : HELD_OTHER, 0 };
	case TN_ADD:
		if (is_const || (b.kind == HELD_CONST && a.kind == HELD_FRAME))
			return add_held(a, is_const ? insn->imm : b.value);
		break;
	case TN_SUB:
		if (is_const || (b.kind == HELD_CONST && a.kind == HELD_FRAME))
			return add_held(a, -(int64_t)(is_const ? insn->imm : b.value));
		break;
	default:
		break;
	}
	return (struct held){ is_frame(a) || is_frame(b) ? HELD_FRAME_ANY : HELD_OTHER, 0 };
}

/* What comes back from memory or a callee: maybe an own address that went there. */
static struct held returned(const struct analysis *an)
{
	return (struct held){ an->escaped ? HELD_FRAME_ANY : HELD_OTHER, 0 };
}

static const struct tn_sig *signature(const struct analysis *an, uint32_t insn)
{
	const struct tn_insn *call = &an->prog->insns[insn];
	const struct tn_helper *helper;

	if (call->src == TN_CALL_LOCAL)
		return NULL;
	if (an->sig_of)
		return an->sig_of(an->user, insn);
	helper = call->src == TN_CALL_HELPER ? tn_helper_by_id((uint32_t)call->imm) : NULL;
	return helper ? &helper->sig : NULL;
}

/* May the callee keep addresses, and run code of the program? */
static bool runs_program(const struct analysis *an, uint32_t insn)
{
	const struct tn_sig *sig = signature(an, insn);

	return an->prog->insns[insn].src == TN_CALL_LOCAL || !sig || sig->flags & TN_SIG_CALLBACK;
}

static uint16_t call_uses(const struct analysis *an, uint32_t insn)
{
	const struct tn_sig *sig = signature(an, insn);
	uint32_t callee = an->s->sites[insn].callee;

	if (callee != TN_NONE && !an->prog->subprogs[callee].is_global)
		return an->live->regs[an->prog->subprogs[callee].start] & ARG_REGS;
	if (!sig || sig->flags & TN_SIG_VARIADIC || callee != TN_NONE)
		return ARG_REGS;
	return (uint16_t)(((1u << (sig->nr_args + 1)) - 1) & ARG_REGS);
}

static void call_forwards(struct analysis *an, uint32_t insn, struct regs *regs)
{
	uint16_t uses = call_uses(an, insn);
	bool runs = runs_program(an, insn);

	for (uint8_t r = TN_R1; r <= TN_R5; r++) {
		if (runs && uses >> r & 1 && is_frame(regs->r[r]))
			an->escaped = true;
		regs->r[r] = (struct held){ HELD_OTHER, 0 };
	}
	regs->r[0] = runs ? returned(an) : (struct held){ HELD_OTHER, 0 };
}

static void atomic_forwards(struct analysis *an, const struct tn_insn *insn, struct regs *regs)
{
	struct held old = TN_SIZE(insn->code) == TN_DW ? returned(an)
						       : (struct held){ HELD_OTHER, 0 };

	if (insn->imm == TN_LOAD_ACQ) {
		regs->r[insn->dst] = old;
		return;
	}
	if (is_frame(get(regs, insn->src)))
		an->escaped = true;
	if (insn->imm == TN_STORE_REL)
		return;
	if (insn->imm == TN_CMPXCHG)
		regs->r[0] = old;
	else if (insn->imm & TN_FETCH && insn->src != TN_R10)
		regs->r[insn->src] = old;
}

static void forwards(struct analysis *an, uint32_t i, struct regs *regs)
{
	const struct tn_insn *insn = &an->prog->insns[i];

	/* The walk refuses it: nothing comes out of it. */
	if (tn_insn_writes_r10(insn))
		return;
	switch (TN_CLASS(insn->code)) {
	case TN_ALU64:
		regs->r[insn->dst] = alu64_result(insn, regs);
		break;
	case TN_ALU:
		regs->r[insn->dst] = insn->code == (TN_ALU | TN_MOV | TN_K) && insn->imm >= 0
					     ? (struct held){ HELD_CONST, insn->imm }
					     : (struct held){ HELD_OTHER, 0 };
		break;
	case TN_LD:
		if (!tn_insn_is_lddw(insn)) {
			for (unsigned r = 0; r <= TN_R5; r++)
				regs->r[r] = (struct held){ HELD_OTHER, 0 };
		} else {
			bool is_map = insn->src == TN_LDDW_MAP;

			regs->r[insn->dst] = (struct held){ is_map ? HELD_MAP : HELD_OTHER,
							    is_map ? insn->imm : 0 };
		}
		break;
	case TN_LDX:
		regs->r[insn->dst] = TN_SIZE(insn->code) == TN_DW ? returned(an)
								  : (struct held){ HELD_OTHER, 0 };
		break;
	case TN_STX:
		if (TN_MODE(insn->code) == TN_ATOMIC)
			atomic_forwards(an, insn, regs);
		else if (is_frame(get(regs, insn->src)))
			an->escaped = true;
		break;
	case TN_JMP:
		if (TN_OP(insn->code) == TN_CALL)
			call_forwards(an, i, regs);
		break;
	default:
		break;
	}
}

/* What block `succ` begins with, `from` among it. Returns whether it has changed. */
static bool merge_regs(struct analysis *an, uint32_t succ, const struct regs *from)
{
	struct regs *into = &an->at_entry[succ];
	bool changed = false;

	if (!an->seen[succ]) {
		an->seen[succ] = true;
		*into = *from;
		return true;
	}
	if (!memcmp(into, from, sizeof(*into)))
		return false;
	for (unsigned r = 0; r < NR_TRACKED; r++) {
		struct held h = join_held(into->r[r], from->r[r]);

		changed |= h.kind != into->r[r].kind || h.value != into->r[r].value;
		into->r[r] = h;
	}
	return changed;
}

/* ---- Effects ---- */

/* Bytes [off, off + size) relative to r10 as granules: those touched at all, or (`whole`) those
 * covered in full. */
static struct granules to_granules(int64_t off, int64_t size, bool whole)
{
	/* Granule g is [-4 * (g + 1), -4 * g). */
	int64_t low = off, high = TN_MIN(off + size, 0), first, last;

	low = TN_MAX(low, -(int64_t)TN_MAX_FRAME_BYTES);
	if (low >= high)
		return (struct granules){ 0, 0 };
	if (whole) {
		first = (-high + TN_LIVE_GRANULE - 1) / TN_LIVE_GRANULE;
		last = -low / TN_LIVE_GRANULE;
	} else {
		first = -high / TN_LIVE_GRANULE;
		last = (-low + TN_LIVE_GRANULE - 1) / TN_LIVE_GRANULE;
	}
	if (first >= last)
		return (struct granules){ 0, 0 };
	return (struct granules){ (uint16_t)first, (uint16_t)(last - first) };
}

static void note_read(struct analysis *an, struct granules g)
{
	an->nr_granules = TN_MAX(an->nr_granules, (uint32_t)g.first + g.nr);
}

static uint32_t whole_frame(const struct analysis *an)
{
	return TN_MIN(an->rt->limits.frame_bytes, TN_MAX_FRAME_BYTES) / TN_LIVE_GRANULE;
}

static void add_read(struct analysis *an, struct effect *e, struct held address, int64_t off,
		     int64_t size)
{
	struct granules g, *read;

	if (address.kind == HELD_FRAME_ANY)
		e->reads_all = true;
	if (address.kind != HELD_FRAME)
		return;
	g = to_granules(address.value + off, size, false);
	if (!g.nr)
		return;
	read = tn_vec_push(an->rt, &an->reads);
	if (!read) {
		an->failed = true;
		return;
	}
	*read = g;
	e->nr_reads++;
	note_read(an, g);
}

/* How much of the memory behind argument `n` the callee may read: a size, 0 for nothing, or up to
 * the end of the frame. */
static int64_t arg_reads(const struct analysis *an, const struct tn_sig *sig, unsigned n,
			 const struct regs *regs)
{
	const struct tn_arg *arg = &sig->args[n];
	const struct tn_map *map = NULL;
	struct held size;

	for (unsigned i = 0; i < n; i++) {
		struct held h = regs->r[TN_R1 + i];

		if (sig->args[i].kind == TN_ARG_MAP && h.kind == HELD_MAP && an->prog->maps &&
		    (uint32_t)h.value < an->prog->nr_maps)
			map = an->prog->maps[h.value];
	}
	switch (arg->kind) {
	case TN_ARG_WMEM_FIXED: /* may be read first */
		return arg->in_out ? arg->struct_size : 0;
	case TN_ARG_MAP_VALUE_OUT: /* a filter reads it */
		if (!map)
			return TN_MAX_FRAME_BYTES;
		return map->type == TN_MAP_BLOOM_FILTER ? map->value_size : 0;
	case TN_ARG_WMEM:
	case TN_ARG_ITER_NEW:
	case TN_ARG_DYNPTR_NEW:
	case TN_ARG_SCALAR:
	case TN_ARG_SIZE:
	case TN_ARG_SIZE_OR_ZERO:
	case TN_ARG_CONST_SIZE:
	case TN_ARG_CTX:
	case TN_ARG_MAP:
	case TN_ARG_FUNC:
		return 0;
	case TN_ARG_MAP_KEY:
		return map ? map->key_size : TN_MAX_FRAME_BYTES;
	case TN_ARG_MAP_VALUE:
		return map ? map->value_size : TN_MAX_FRAME_BYTES;
	case TN_ARG_STRUCT:
	case TN_ARG_MEM_FIXED:
	case TN_ARG_ITER:
		return arg->struct_size;
	case TN_ARG_DYNPTR:
		return 16;
	case TN_ARG_MEM:
		size = n + 1 < TN_SIG_MAX_ARGS ? regs->r[TN_R1 + n + 1] : (struct held){ 0, 0 };
		return size.kind == HELD_CONST && size.value >= 0 ? size.value : TN_MAX_FRAME_BYTES;
	default:
		return TN_MAX_FRAME_BYTES;
	}
}

static void call_effect(struct analysis *an, uint32_t i, const struct regs *regs, struct effect *e)
{
	const struct tn_sig *sig = signature(an, i);
	bool runs = runs_program(an, i);

	e->uses = call_uses(an, i);
	e->defs = 0x3f;
	/* What its pointer leads to stands in memory. */
	for (unsigned n = 0; sig && n < sig->nr_args; n++)
		e->reads_all |= sig->args[n].kind == TN_ARG_BTF_PTR;
	for (unsigned n = 0; n < TN_SIG_MAX_ARGS; n++) {
		struct held address = regs->r[TN_R1 + n];

		if (!(e->uses >> (TN_R1 + n) & 1) || !is_frame(address))
			continue;
		if (runs)
			e->reads_all = true;
		else
			add_read(an, e, address, 0,
				 n < sig->nr_args ? arg_reads(an, sig, n, regs)
						  : TN_MAX_FRAME_BYTES);
	}
}

static void kill(struct effect *e, struct held address, int64_t off, uint32_t bytes)
{
	if (address.kind == HELD_FRAME)
		e->killed = to_granules(address.value + off, bytes, true);
}

static void store(const struct analysis *an, uint32_t i, struct effect *e, struct held address)
{
	const struct tn_insn *insn = &an->prog->insns[i];

	if (address.kind == HELD_FRAME)
		e->stored = to_granules(address.value + insn->off, tn_insn_bytes(insn->code),
					false);
	/* In a subprogram, what is no own address may be one of an outer frame. */
	e->stored_anywhere = address.kind == HELD_FRAME_ANY ||
			     (address.kind == HELD_OTHER && i >= an->prog->subprogs[0].end);
}

static uint16_t bit(unsigned r)
{
	return (uint16_t)(1u << r);
}

static void atomic_effect(struct analysis *an, const struct tn_insn *insn, const struct regs *regs,
			  struct effect *e)
{
	uint32_t bytes = tn_insn_bytes(insn->code);

	e->uses = bit(insn->dst) | bit(insn->src);
	if (insn->imm == TN_LOAD_ACQ) {
		e->uses = bit(insn->src);
		e->defs = bit(insn->dst);
		add_read(an, e, get(regs, insn->src), insn->off, bytes);
		return;
	}
	if (insn->imm == TN_STORE_REL) {
		kill(e, get(regs, insn->dst), insn->off, bytes);
		return;
	}
	add_read(an, e, get(regs, insn->dst), insn->off, bytes);
	if (insn->imm == TN_CMPXCHG) {
		e->uses |= bit(TN_R0);
		e->defs = bit(TN_R0);
	} else if (insn->imm & TN_FETCH) {
		e->defs = bit(insn->src);
	}
}

static void alu_effect(const struct tn_insn *insn, struct effect *e)
{
	uint8_t op = TN_OP(insn->code);

	e->sort = op == TN_MOV ? SORT_MOVE : SORT_ALU;
	e->defs = bit(insn->dst);
	e->uses = op == TN_MOV ? 0 : bit(insn->dst);
	if (TN_SRC(insn->code) == TN_X && op != TN_NEG && op != TN_END)
		e->uses |= bit(insn->src);
}

static void jump_effect(struct analysis *an, uint32_t i, const struct regs *regs, struct effect *e)
{
	const struct tn_insn *insn = &an->prog->insns[i];
	uint8_t op = TN_OP(insn->code);

	e->sort = SORT_OTHER;
	if (TN_CLASS(insn->code) == TN_JMP && op == TN_CALL)
		call_effect(an, i, regs, e);
	else if (op == TN_EXIT)
		e->uses = bit(TN_R0);
	else if (op != TN_JA && op != TN_JCOND)
		e->uses = (uint16_t)(bit(insn->dst) |
				     (TN_SRC(insn->code) == TN_X ? bit(insn->src) : 0));
}

static void find_effect(struct analysis *an, uint32_t i, const struct regs *regs)
{
	const struct tn_insn *insn = &an->prog->insns[i];
	struct effect *e = &an->effects[i];

	*e = (struct effect){ .first_read = an->reads.nr };
	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		alu_effect(insn, e);
		break;
	case TN_LD:
		e->defs = tn_insn_is_lddw(insn) ? bit(insn->dst) : 0x3f;
		e->uses = tn_insn_is_lddw(insn) ? 0 : bit(TN_R6);
		if (TN_MODE(insn->code) == TN_IND)
			e->uses |= bit(insn->src);
		break;
	case TN_LDX:
		e->sort = SORT_LOAD;
		e->uses = bit(insn->src);
		e->defs = bit(insn->dst);
		add_read(an, e, get(regs, insn->src), insn->off, tn_insn_bytes(insn->code));
		break;
	case TN_ST:
		e->uses = bit(insn->dst);
		kill(e, get(regs, insn->dst), insn->off, tn_insn_bytes(insn->code));
		break;
	case TN_STX:
		e->sort = SORT_OTHER;
		if (TN_MODE(insn->code) == TN_ATOMIC) {
			atomic_effect(an, insn, regs, e);
			break;
		}
		e->uses = bit(insn->dst) | bit(insn->src);
		kill(e, get(regs, insn->dst), insn->off, tn_insn_bytes(insn->code));
		store(an, i, e, get(regs, insn->dst));
		break;
	default:
		jump_effect(an, i, regs, e);
		break;
	}
	if (e->reads_all)
		an->nr_granules = whole_frame(an);
	e->stack = e->reads_all || e->nr_reads || e->killed.nr;
}

static bool only_reads(const struct tn_sig *sig, unsigned n)
{
	return sig && n < sig->nr_args &&
	       (sig->args[n].kind == TN_ARG_MAP_KEY || sig->args[n].kind == TN_ARG_MAP_VALUE ||
		sig->args[n].kind == TN_ARG_MEM);
}

/* May the instruction write the own frame, where that is not plain from its r10? */
static bool writes_frame(const struct analysis *an, uint32_t i, const struct regs *regs)
{
	const struct tn_insn *insn = &an->prog->insns[i];
	const struct tn_sig *sig;
	bool runs;

	if (TN_CLASS(insn->code) == TN_ST || TN_CLASS(insn->code) == TN_STX)
		return insn->dst != TN_R10 && is_frame(get(regs, insn->dst));
	if (insn->code != (TN_JMP | TN_CALL))
		return false;
	sig = signature(an, i);
	runs = runs_program(an, i);
	for (unsigned n = 0; n < TN_SIG_MAX_ARGS; n++)
		if (is_frame(regs->r[TN_R1 + n]) && (runs || !only_reads(sig, n)))
			return true;
	return runs && an->escaped;
}

/* Returns whether a block that comes before this one in the order became stale. */
static bool propagate_block(struct analysis *an, uint32_t b)
{
	const struct tn_block *block = &an->s->blocks[b];
	struct regs regs = an->at_entry[b];
	bool back = false;

	for (uint32_t i = block->start; i < block->end; i++) {
		if (an->s->sites[i].flags & TN_SITE_LDDW_HIGH)
			continue;
		find_effect(an, i, &regs);
		an->live->writes_frame[i] = writes_frame(an, i, &regs);
		forwards(an, i, &regs);
	}
	for (unsigned e = 0; e < 2; e++) {
		uint32_t succ = block->succ[e];

		if (succ == TN_NONE || !merge_regs(an, succ, &regs))
			continue;
		an->stale[succ] = true;
		back |= an->s->blocks[succ].rpo <= block->rpo;
	}
	return back;
}

static void all_stale(struct analysis *an, uint32_t p)
{
	const struct tn_structure *s = an->s;

	for (uint32_t i = s->rpo_start[p]; i < s->rpo_start[p + 1]; i++)
		an->stale[s->rpo[i]] = true;
}

/* The granules that the effects read, when some of them were found more than once. */
static void count_granules(struct analysis *an, uint32_t p)
{
	const struct tn_structure *s = an->s;

	an->nr_granules = 0;
	for (uint32_t r = s->rpo_start[p]; r < s->rpo_start[p + 1]; r++) {
		const struct tn_block *block = &s->blocks[s->rpo[r]];

		for (uint32_t i = block->start; i < block->end; i++) {
			const struct effect *e = &an->effects[i];

			if (s->sites[i].flags & TN_SITE_LDDW_HIGH)
				continue;
			for (uint32_t n = 0; n < e->nr_reads; n++)
				note_read(an, an->reads.v[e->first_read + n]);
			if (e->reads_all)
				an->nr_granules = whole_frame(an);
		}
	}
}

/* To a fixpoint: chains of joins are at most three long, and `escaped` is set once. The effects
 * found last are those of what holds there. */
static void propagate(struct analysis *an, uint32_t p)
{
	const struct tn_structure *s = an->s;
	uint32_t first = s->rpo_start[p], end = s->rpo_start[p + 1];
	bool again = true;

	an->escaped = an->twice = false;
	an->nr_granules = 0;
	an->reads.nr = 0;
	an->seen[s->rpo[first]] = true;
	for (unsigned r = 0; r < NR_TRACKED; r++)
		an->at_entry[s->rpo[first]].r[r] = (struct held){ HELD_OTHER, 0 };
	all_stale(an, p);
	while (again) {
		bool escaped = an->escaped;

		again = false;
		for (uint32_t i = first; i < end; i++) {
			if (!an->stale[s->rpo[i]])
				continue;
			an->stale[s->rpo[i]] = false;
			again |= propagate_block(an, s->rpo[i]);
		}
		/* It says something about every call and load. */
		if (escaped != an->escaped) {
			all_stale(an, p);
			again = true;
		}
		an->twice |= again;
	}
	if (an->twice)
		count_granules(an, p);
}

/* ---- Backwards ---- */

/* Of word w, the bits of the granules. */
static uint64_t granules_in(struct granules g, uint32_t w)
{
	uint32_t from = TN_MAX(g.first, w * 64), to = TN_MIN((uint32_t)g.first + g.nr, w * 64 + 64);

	return from < to ? UINT64_MAX >> (64 - (to - from)) << from % 64 : 0;
}

static void set_granules(uint64_t *words, struct granules g, bool value)
{
	if (!g.nr)
		return;
	for (uint32_t w = g.first / 64; w <= ((uint32_t)g.first + g.nr - 1) / 64; w++) {
		if (value)
			words[w] |= granules_in(g, w);
		else
			words[w] &= ~granules_in(g, w);
	}
}

/* Kills reach no further than what is read: beyond it, nothing is live. */
static struct granules clamp_granules(const struct analysis *an, struct granules g)
{
	uint32_t nr = an->words * 64;

	if (g.first >= nr)
		return (struct granules){ 0, 0 };
	return (struct granules){ g.first, (uint16_t)TN_MIN(g.nr, nr - g.first) };
}

static bool any_granule(const uint64_t *words, struct granules g)
{
	for (uint32_t w = g.first / 64; g.nr && w <= ((uint32_t)g.first + g.nr - 1) / 64; w++)
		if (words[w] & granules_in(g, w))
			return true;
	return false;
}

static bool leaves_loop(const struct analysis *an, uint32_t i)
{
	const struct tn_site *site = &an->s->sites[i];

	return site->loop != TN_NONE &&
	       (!tn_structure_loop_within(an->s, an->s->sites[site->target].loop, site->loop) ||
		!tn_structure_loop_within(an->s, an->s->sites[i + 1].loop, site->loop));
}

/* What of the uses of instruction i matters, if `after` matters afterwards: of
 * SORT_OTHER. */
static uint16_t matters_before(const struct analysis *an, uint32_t i, uint16_t after,
			       const uint64_t *stack)
{
	const struct tn_insn *insn = &an->prog->insns[i];
	const struct effect *e = &an->effects[i];
	uint32_t callee = an->s->sites[i].callee;

	switch (TN_CLASS(insn->code)) {
	case TN_STX:
		if (TN_MODE(insn->code) == TN_ATOMIC || e->stored_anywhere ||
		    any_granule(stack, clamp_granules(an, e->stored)))
			return e->uses;
		return bit(insn->dst);
	case TN_JMP:
	case TN_JMP32:
		if (TN_OP(insn->code) == TN_CALL && callee != TN_NONE &&
		    !an->prog->subprogs[callee].is_global)
			return e->uses &
			       (uint16_t)an->live->matters[an->prog->subprogs[callee].start];
		if (TN_OP(insn->code) == TN_CALL)
			return e->uses;
		if (TN_OP(insn->code) == TN_EXIT)
			return i < an->prog->subprogs[0].end ? 0 : e->uses;
		/* Two addresses, or an index and a length of 64 bits. */
		if (TN_CLASS(insn->code) == TN_JMP && TN_SRC(insn->code) == TN_X)
			return e->uses;
		return e->uses && (after & e->uses || leaves_loop(an, i)) ? e->uses : 0;
	default:
		return e->uses;
	}
}

/* The program's result matters less: not what it is computed from. Of SORT_OTHER. */
static uint16_t result_before(const struct analysis *an, uint32_t i, uint16_t after)
{
	const struct tn_insn *insn = &an->prog->insns[i];
	const struct effect *e = &an->effects[i];

	if (insn->code == (TN_JMP | TN_EXIT))
		return i < an->prog->subprogs[0].end ? bit(TN_R0) : 0;
	return tn_insn_is_jump(insn) && after & e->uses ? e->uses : 0;
}

/* Registers, from after instruction i to before it. matters: the words of the stack, after it. */
static inline void regs_back(const struct analysis *an, uint32_t i, struct reg_sets *regs,
			     const uint64_t *matters)
{
	const struct effect *e = &an->effects[i];
	uint16_t kept = (uint16_t)~e->defs, uses = e->uses, result = 0;

	switch (e->sort) {
	case SORT_MOVE:
		result = regs->result & e->defs ? uses : 0;
		uses = regs->matters & e->defs ? uses : 0;
		break;
	case SORT_ALU:
		uses = regs->matters & e->defs ? uses : 0;
		break;
	case SORT_OTHER:
		result = result_before(an, i, regs->result);
		uses = matters_before(an, i, regs->matters, matters);
		break;
	default:
		break;
	}
	regs->live = (uint16_t)((regs->live & kept) | e->uses);
	regs->matters = (uint16_t)((regs->matters & kept) | uses);
	regs->result = (uint16_t)((regs->result & kept) | result);
}

/* The same of the own frame. */
static void stack_back(const struct analysis *an, uint32_t i, uint64_t *stack, bool reads)
{
	const struct effect *e = &an->effects[i];

	set_granules(stack, clamp_granules(an, e->killed), false);
	if (!reads)
		return;
	for (uint32_t r = 0; r < e->nr_reads; r++)
		set_granules(stack, an->reads.v[e->first_read + r], true);
	if (e->reads_all)
		memset(stack, 0xff, an->words * sizeof(*stack));
}

/* Live at the end of a block: what is live at the start of its successors. */
static inline void live_out(const struct analysis *an, const struct tn_block *block,
			    struct reg_sets *regs, uint64_t *stack, uint32_t words)
{
	*regs = (struct reg_sets){ 0, 0, 0 };
	for (uint32_t w = 0; w < 2 * words; w++)
		stack[w] = 0;
	for (unsigned e = 0; e < 2; e++) {
		uint32_t succ = block->succ[e], at;

		if (succ == TN_NONE)
			continue;
		at = an->s->blocks[succ].rpo;
		regs->live |= an->block_regs[at].live;
		regs->matters |= an->block_regs[at].matters;
		regs->result |= an->block_regs[at].result;
		for (uint32_t w = 0; w < 2 * words; w++)
			stack[w] |= an->block_in[(size_t)at * 2 * words + w];
	}
}

/* Write down what is so before instruction i. */
static inline void put(struct tn_liveness *live, uint32_t i, const struct reg_sets *regs,
		       const uint64_t *stack, uint32_t words)
{
	uint64_t at = live->stack_at[i], idle;

	live->regs[i] = regs->live & 0x3ff;
	live->matters[i] = (regs->matters | regs->result) & 0x3ff;
	idle = live->regs[i] & ~live->matters[i];
	for (uint32_t w = 0; w < words; w++) {
		live->stack[at + w] = stack[w];
		live->stack_matters[at + w] = stack[words + w];
		idle |= stack[w] & ~stack[words + w];
	}
	live->idle[i] = idle != 0;
}

/* Write what is live before each instruction, from what is known so far of the blocks behind: the
 * last time, that is all. Returns whether the block's start has changed. */
static inline bool update_words(struct analysis *an, uint32_t b, uint64_t *stack, uint32_t words)
{
	const struct tn_block *block = &an->s->blocks[b];
	uint64_t *in = &an->block_in[(size_t)block->rpo * 2 * words], differ;
	struct reg_sets regs, *regs_in = &an->block_regs[block->rpo];

	live_out(an, block, &regs, stack, words);
	for (uint32_t i = block->end; i-- > block->start;) {
		if (!(an->s->sites[i].flags & TN_SITE_LDDW_HIGH)) {
			const struct effect *e = &an->effects[i];
			/* Into what does not matter. */
			bool idle = e->sort == SORT_LOAD &&
				    !((regs.matters | regs.result) & e->defs);

			regs_back(an, i, &regs, stack + words);
			if (e->stack) {
				stack_back(an, i, stack, true);
				stack_back(an, i, stack + words, !idle);
			}
		}
		put(an->live, i, &regs, stack, words);
	}
	differ = (regs.live ^ regs_in->live) | (regs.matters ^ regs_in->matters) |
		 (regs.result ^ regs_in->result);
	*regs_in = regs;
	for (uint32_t w = 0; w < 2 * words; w++) {
		differ |= in[w] ^ stack[w];
		in[w] = stack[w];
	}
	return differ != 0;
}

/* Few frames have more than one word. */
static bool update_block(struct analysis *an, uint32_t b, uint64_t *stack)
{
	return an->words == 1 ? update_words(an, b, stack, 1)
			      : update_words(an, b, stack, an->words);
}

/* What leads to the block is stale. Returns whether some of it comes behind it, or is itself. */
static bool stale_preds(struct analysis *an, const struct tn_block *block)
{
	bool back = false;

	for (uint32_t i = 0; i < block->nr_preds; i++) {
		uint32_t pred = an->s->preds[block->first_pred + i];

		an->stale[pred] = true;
		back |= an->s->blocks[pred].rpo >= block->rpo;
	}
	return back;
}

static int solve(struct analysis *an, uint32_t p)
{
	const struct tn_structure *s = an->s;
	uint32_t first = s->rpo_start[p], end = s->rpo_start[p + 1];
	uint64_t stack[2 * (TN_MAX_FRAME_BYTES / TN_LIVE_GRANULE / 64)];
	bool again = true;

	memset(an->block_regs, 0, (size_t)(end - first) * sizeof(*an->block_regs));
	an->block_in = tn_alloc_array(an->rt, (size_t)(end - first) * 2 * an->words + 1,
				      sizeof(*an->block_in));
	if (!an->block_in)
		return -ENOMEM;
	all_stale(an, p);
	while (again) {
		again = false;
		for (uint32_t r = end; r > first; r--) {
			uint32_t b = s->rpo[r - 1];

			if (!an->stale[b])
				continue;
			an->stale[b] = false;
			if (update_block(an, b, stack))
				again |= stale_preds(an, &s->blocks[b]);
		}
	}
	tn_free(an->rt, an->block_in);
	an->block_in = NULL;
	return 0;
}

static bool grow(struct tn_rt *rt, uint64_t **v, uint64_t used, uint64_t more)
{
	uint64_t *words = tn_realloc_array(rt, *v, used + more, sizeof(*words));

	if (!words)
		return false;
	*v = words;
	memset(&words[used], 0, more * sizeof(*words));
	return true;
}

/* Room for the results of subprogram `p`. */
static int make_room(struct analysis *an, uint32_t p, uint64_t *used)
{
	const struct tn_subprog *sub = &an->prog->subprogs[p];
	struct tn_liveness *live = an->live;
	uint64_t more = (uint64_t)(sub->end - sub->start) * an->words;

	if (*used + more > UINT32_MAX || !grow(an->rt, &live->stack, *used, more + 1) ||
	    !grow(an->rt, &live->stack_matters, *used, more + 1))
		return -ENOMEM;
	for (uint32_t i = sub->start; i < sub->end; i++) {
		live->stack_at[i] = (uint32_t)(*used + (uint64_t)(i - sub->start) * an->words);
		live->stack_words[i] = (uint8_t)an->words;
	}
	*used += more;
	return 0;
}

static int analyse(struct analysis *an)
{
	uint64_t used = 0;

	for (uint32_t i = an->prog->nr_subprogs; i > 0; i--) {
		uint32_t p = an->s->topo[i - 1];
		int err;

		propagate(an, p);
		an->words = (an->nr_granules + 63) / 64;
		err = an->failed ? -ENOMEM : make_room(an, p, &used);
		if (!err)
			err = solve(an, p);
		if (err)
			return err;
	}
	return 0;
}

struct tn_liveness *tn_liveness_new(const struct tn_structure *s, tn_live_sig_fn sig_of, void *user)
{
	uint32_t nr = s->prog->nr_insns;
	struct analysis an = {
		.rt = s->rt, .s = s, .prog = s->prog, .sig_of = sig_of, .user = user
	};
	struct tn_liveness *live = tn_new(s->rt, struct tn_liveness);
	int err = -ENOMEM;

	if (!live)
		goto out;
	an.live = live;
	live->rt = s->rt;
	live->nr_insns = nr;
	live->regs = tn_alloc_array(s->rt, nr, sizeof(*live->regs));
	live->stack_at = tn_alloc_array(s->rt, nr, sizeof(*live->stack_at));
	live->stack_words = tn_alloc_array(s->rt, nr, sizeof(*live->stack_words));
	live->matters = tn_alloc_array(s->rt, nr, sizeof(*live->matters));
	live->writes_frame = tn_alloc_array(s->rt, nr, sizeof(*live->writes_frame));
	live->idle = tn_alloc_array(s->rt, nr, sizeof(*live->idle));
	/* Not zeroed: written before they are read. */
	an.at_entry = tn_realloc_array(s->rt, NULL, s->nr_blocks, sizeof(*an.at_entry));
	an.effects = tn_realloc_array(s->rt, NULL, nr, sizeof(*an.effects));
	an.seen = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*an.seen));
	an.block_regs = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*an.block_regs));
	an.stale = tn_alloc_array(s->rt, s->nr_blocks, sizeof(*an.stale));
	if (live->regs && live->stack_at && live->stack_words && live->matters && live->idle &&
	    live->writes_frame && an.at_entry && an.effects && an.seen && an.block_regs && an.stale)
		err = analyse(&an);
out:
	tn_free(s->rt, an.at_entry);
	tn_free(s->rt, an.effects);
	tn_free(s->rt, an.seen);
	tn_free(s->rt, an.block_regs);
	tn_free(s->rt, an.stale);
	tn_vec_free(s->rt, &an.reads);
	if (!err)
		return live;
	tn_liveness_free(live);
	return tn_err_null(-ENOMEM, "out of memory: liveness of the program");
}

void tn_liveness_free(struct tn_liveness *live)
{
	if (!live)
		return;
	tn_free(live->rt, live->regs);
	tn_free(live->rt, live->stack);
	tn_free(live->rt, live->stack_at);
	tn_free(live->rt, live->stack_words);
	tn_free(live->rt, live->matters);
	tn_free(live->rt, live->stack_matters);
	tn_free(live->rt, live->idle);
	tn_free(live->rt, live->writes_frame);
	tn_free(live->rt, live);
}
