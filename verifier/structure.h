/* SPDX-License-Identifier: MIT */
/*
 * The shape of a program, found before the walk: basic blocks, dominators, the loop forest, the
 * call graph, constants worth widening to; and afterwards what each loop has to pay.
 *
 * Loops are the components of a weak topological order: every cycle goes through the head of some
 * loop, also where control flow is irreducible. A loop that can be entered past its head is flagged
 * and never free. Indices are global over all subprograms; TN_NONE stands for none.
 */
#ifndef TN_VERIFIER_STRUCTURE_H
#define TN_VERIFIER_STRUCTURE_H

#include "vm/image.h"

#define TN_NONE		  UINT32_MAX
#define TN_TRIPS_UNKNOWN  UINT64_MAX
#define TN_MAX_LOOP_DEPTH 64
#define TN_MAX_THRESHOLDS 64

enum tn_site_flags {
	TN_SITE_REACHABLE = 1 << 0, /* from its subprogram's entry, by control flow alone */
	TN_SITE_BLOCK = 1 << 1,	    /* first instruction of a block */
	TN_SITE_MERGE = 1 << 2,	    /* two or more reachable edges arrive here */
	TN_SITE_LOOP_HEAD = 1 << 3,
	TN_SITE_BACK_EDGE = 1 << 4, /* last instruction of a block with an edge to its loop's head;
				     * the edge may be the fall-through, see tn_back_edge */
	TN_SITE_LDDW_HIGH = 1 << 5, /* second slot of an lddw: not an instruction */
	TN_SITE_TAIL_CALL = 1 << 6,
};

/* One per instruction of the program. */
struct tn_site {
	uint32_t flags;
	uint32_t block;
	uint32_t loop;	 /* innermost, or TN_NONE */
	uint32_t target; /* of a jump; TN_NONE: not a jump */
	uint32_t callee; /* subprogram of a local call or TN_LDDW_FUNC; TN_NONE */
};

struct tn_block {
	uint32_t start, end; /* instructions [start, end) */
	uint32_t subprog;
	uint32_t succ[2]; /* [0]: fall through, or the target of JA; [1]: conditional jump taken.
			   * TN_NONE: no such edge. Both may name one block */
	uint32_t first_pred, nr_preds; /* in structure->preds; reachable ones, one per edge */
	uint32_t rpo;  /* position in its subprogram's reverse postorder; TN_NONE: unreachable */
	uint32_t idom; /* immediate dominator; TN_NONE for entries and unreachable blocks */
	uint32_t loop; /* innermost */
};

struct tn_back_edge {
	uint32_t insn; /* last instruction of the source block */
	bool jump;     /* taken jump; false: fall-through */
};

enum tn_exit_kind { TN_EXIT_EDGE, TN_EXIT_RETURN, TN_EXIT_TAIL_CALL };

struct tn_loop_exit {
	uint32_t insn;	 /* where the loop is left */
	uint32_t target; /* EDGE: first instruction outside */
	uint8_t kind;	 /* enum tn_exit_kind. A tail call leaves only when it hits */
};

struct tn_loop {
	uint32_t head;	    /* block */
	uint32_t head_insn; /* its first instruction */
	uint32_t subprog;
	uint32_t parent;			 /* TN_NONE: outermost */
	uint32_t depth;				 /* 1: outermost */
	bool irreducible;			 /* has entries other than the head */
	uint32_t first_back, nr_backs;		 /* in structure->back_edges */
	uint32_t first_member, nr_members;	 /* in structure->members: blocks, those of inner
						  * loops included, in reverse postorder */
	uint32_t first_exit, nr_exits;		 /* in structure->exits; none: an endless loop */
	uint32_t first_threshold, nr_thresholds; /* in structure->thresholds: sorted signed; from
						  * constants compared in the loop: c-1, c, c+1 */
	uint32_t first_item, nr_items;		 /* in structure->items: all but the head */
};

/* A level of the loop forest (a subprogram, or a loop without its head) is an acyclic graph of
 * these, where an inner loop counts as one: in reverse topological order. */
struct tn_level_item {
	bool is_loop;
	uint32_t index; /* of the loop, or the block */
};

struct tn_callgraph_node {
	uint32_t first_callee, nr_callees; /* in structure->callees: subprograms called or whose
					    * address is taken here, each once */
	bool may_tail_call;		   /* it, or what it calls */
	bool has_tail_call;		   /* itself */
	bool reachable;			   /* from subprogram 0 over reachable call sites */
};

struct tn_structure {
	struct tn_rt *rt;
	const struct tn_prog *prog; /* borrowed */
	struct tn_site *sites;	    /* prog->nr_insns */
	struct tn_block *blocks;
	uint32_t nr_blocks;
	uint32_t *preds; /* block indices */
	uint32_t *rpo;	 /* reachable blocks; subprogram i has [rpo_start[i], rpo_start[i + 1]) */
	uint32_t *rpo_start;
	struct tn_loop *loops; /* a parent before its children */
	uint32_t nr_loops;
	uint32_t *members;
	struct tn_back_edge *back_edges;
	struct tn_loop_exit *exits;
	int64_t *thresholds;
	struct tn_level_item *items;
	uint32_t *first_item; /* subprogram i has items [first_item[i], first_item[i + 1]) */
	struct tn_callgraph_node *calls; /* prog->nr_subprogs */
	uint32_t *callees;
	uint32_t *topo;	  /* prog->nr_subprogs: callers before callees */
	uint32_t nr_dead; /* instructions that are not reachable */
	/* Sites with a callee, and with a tail call. */
	uint32_t nr_callee_refs, nr_tail_calls;
};

/*
 * prog->insns have passed tn_insns_check() and the subprograms are found. NULL: tn_err_last() has
 * code and words (-EINVAL: a jump out of its subprogram, falling off the end, a recursive call;
 * -E2BIG: loops nested too deep; -ENOMEM) and the instruction, and errno is set.
 */
struct tn_structure *tn_structure_new(struct tn_rt *rt, const struct tn_prog *prog);
void tn_structure_free(struct tn_structure *s); /* NULL is fine */

/* Is the loop `inner` equal to `outer` or inside it? TN_NONE is inside nothing but TN_NONE. */
bool tn_structure_loop_within(const struct tn_structure *s, uint32_t inner, uint32_t outer);
bool tn_structure_dominates(const struct tn_structure *s, uint32_t a, uint32_t b); /* blocks */

/* ---- Stack: deepest path over the call graph. ---- */

/* A helper call that runs a subprogram. The walk knows which; a call site may stand here more than
 * once, with different subprograms. */
struct tn_callback_site {
	uint32_t insn;
	uint32_t subprog;
	uint64_t trips; /* proved bound of the rounds of one call, or TN_TRIPS_UNKNOWN */
};

/*
 * frame_bytes[subprog] as found by the walk. 0 and the deepest path's sums; -EINVAL with words that
 * name the path: more than rt->limits.max_frames frames, or a frame above rt->limits.frame_bytes,
 * or a subprogram with a tail call below 256 bytes or more of callers' frames, or the sum above
 * max_bytes (0: max_frames * frame_bytes); a callback that reaches itself.
 */
int tn_structure_stack(const struct tn_structure *s, const uint32_t *frame_bytes,
		       const struct tn_callback_site *callbacks, uint32_t nr_callbacks,
		       uint32_t max_bytes, uint32_t *deepest_bytes, uint32_t *deepest_frames);

/* ---- Fuel ---- */

struct tn_charge_input {
	const uint64_t
		*trips; /* per loop: how often its head is reached at most, per entry into the
			 * loop; TN_TRIPS_UNKNOWN: not proved. Irreducible loops: ignored */
	const struct tn_callback_site *callbacks;
	uint32_t nr_callbacks;
	uint64_t budget;
	/* Per subprogram: it is also run on its own, with a budget of its own; NULL: none is. */
	const bool *is_root;
	/* Per instruction: what the callee of a call there does for it, beyond the call itself;
	 * NULL: nothing. */
	const uint64_t *call_cost;
};

struct tn_charges {
	uint32_t *fuel;	    /* per instruction: what a taken jump here pays; at a helper call with
			     * callbacks: what each round pays */
	bool *loop_charged; /* per loop */
	bool *callback_charged; /* per callback site of the input */
	uint64_t *subprog_cost; /* worst case of one call outside charged loops, callees included */
	uint64_t proved_cost;	/* of the program: its main function's, and the exception
				 * callback's; saturates at UINT64_MAX */
	uint64_t root_cost;	/* the same of the costliest in is_root */
	bool has_fuel;		/* something is charged */
	bool fits;		/* both costs <= budget: false only where straight-line code and
				 * calls alone exceed it, or a charge is above UINT32_MAX */
};

/*
 * Which loops pay, and how much. Loops without a proved bound pay; when the proved cost of all
 * others exceeds the budget, outermost loops pay first. A back edge pays the longest path through
 * its loop's body: inner free loops trips * body, inner charged loops their first pass (their own
 * edges pay the rest), calls in full. Where a back edge falls through, the loop's backward jumps
 * around the head pay instead. 0, -EINVAL (a callback that reaches itself), -ENOMEM.
 */
int tn_structure_charge(const struct tn_structure *s, const struct tn_charge_input *in,
			struct tn_charges *out);
void tn_charges_free(struct tn_rt *rt, struct tn_charges *charges);

#endif
