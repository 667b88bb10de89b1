/* SPDX-License-Identifier: MIT */
/* The WHY lines: what the failing path did to the register that failed. And the log of states. */
#include "verifier/engine.h"

void tn_explain_why(struct tn_vf *vf)
{
	(void)vf;
}

void tn_log_state(struct tn_vf *vf)
{
	tn_log_add(vf, "%u\n", vf->s.insn);
}
