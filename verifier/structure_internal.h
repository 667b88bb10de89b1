/* SPDX-License-Identifier: MIT */
/* Between structure.c, structure_loops.c, structure_calls.c and structure_charge.c alone. */
#ifndef TN_VERIFIER_STRUCTURE_INTERNAL_H
#define TN_VERIFIER_STRUCTURE_INTERNAL_H

#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "verifier/structure.h"

/* Fill in loops, and what belongs to them; blocks and preds stand. 0, -E2BIG, -ENOMEM. */
int tn_structure_find_loops(struct tn_structure *s);
/* Fill in the call graph. 0, -EINVAL, -ENOMEM. */
int tn_structure_find_calls(struct tn_structure *s);

/* Subprograms and callees, with callback sites that the walk resolved. Subprogram i calls
 * to[first[i]] up to to[first[i + 1]]; topo: callers before callees. */
struct tn_callgraph {
	uint32_t *first, *to, *topo;
	uint32_t nr, cap;
};
/* 0, -EINVAL (recursion, with words), -ENOMEM (no record). */
int tn_callgraph_build(const struct tn_structure *s, const struct tn_callback_site *callbacks,
		       uint32_t nr_callbacks, struct tn_callgraph *g);
void tn_callgraph_free(struct tn_rt *rt, struct tn_callgraph *g);

/* The last instruction of a block: an lddw is named by its first slot. */
static inline uint32_t tn_block_last(const struct tn_structure *s, const struct tn_block *b)
{
	uint32_t last = b->end - 1;

	return s->sites[last].flags & TN_SITE_LDDW_HIGH ? last - 1 : last;
}

static inline bool tn_is_tail_call(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP | TN_CALL) && insn->src == TN_CALL_HELPER && insn->imm == 12;
}

#endif
