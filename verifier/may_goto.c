/* SPDX-License-Identifier: MIT */
/*
 * may_goto leaves at the 2^23rd time, in each frame, and from then on always. Where its target
 * leads back to it with no way out in between, that is an endless loop: paying fuel for it would be
 * of no use to anybody.
 */
#include "verifier/engine.h"

static bool is_may_goto(const struct tn_insn *insn)
{
	return insn->code == (TN_JMP | TN_JCOND);
}

/* Follow what surely runs once the count is used up: jumps that are always taken, and straight
 * code. A call may end the program, and a conditional jump has its own say: no claim then. */
static bool comes_back(const struct tn_vf *vf, uint32_t from)
{
	uint32_t at = vf->structure->sites[from].target;

	for (uint32_t steps = 0; steps < vf->prog->nr_insns; steps++) {
		const struct tn_insn *insn = &vf->prog->insns[at];

		if (at == from)
			return true;
		if (is_may_goto(insn) || tn_insn_is_ja(insn))
			at = vf->structure->sites[at].target;
		else if (tn_insn_is_jump(insn) || insn->code == (TN_JMP | TN_CALL) ||
			 insn->code == (TN_JMP | TN_EXIT))
			return false;
		else
			at += tn_insn_is_lddw(insn) ? 2 : 1;
	}
	return true;
}

int tn_check_may_gotos(struct tn_vf *vf)
{
	for (uint32_t i = 0; i < vf->prog->nr_insns; i++) {
		if (!is_may_goto(&vf->prog->insns[i]) ||
		    !(vf->facts->insns[i].flags & TN_FACT_REACHED) || !comes_back(vf, i))
			continue;
		vf->s.insn = i;
		return tn_reject(vf, E_LOOP, -1,
				 "this loop can never end: may_goto leads back to itself once its "
				 "rounds are used up");
	}
	return 0;
}
