/* SPDX-License-Identifier: MIT */
/* Functions of the program that a helper calls back. */
#include "verifier/callee.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_ROUNDS ((uint64_t)1 << 23)

/*
 * bpf_loop(rounds, fn, ctx, flags). The call is the head of a loop: arriving there, by whatever
 * way, either no further round is run, or fn runs once and returns to the same call with the
 * caller's registers as they were and its stack as fn left it. The walk finds the fixpoint as for
 * any loop.
 */
int tn_do_callback(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];
	struct tn_frame *caller = tn_state_top(&vf->s), *f;
	uint64_t rounds = TN_MIN(caller->r[TN_R1].v.umax, MAX_ROUNDS);
	int err;

	if (c->id != TN_HELPER_loop || c->func >= vf->prog->nr_subprogs)
		return tn_reject(vf, E_UNSUPPORTED, -1, "callbacks of %s", c->name);
	if (seen->callback != TN_NONE && seen->callback != c->func)
		return tn_reject(vf, E_UNSUPPORTED, -1,
				 "different functions are called back from one call");
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].subprog == c->func)
			return tn_reject(vf, E_STRUCTURE, -1, "the callback calls itself");
	seen->callback = c->func;
	seen->rounds = TN_MAX(seen->rounds, rounds);
	tn_call_note_abort(vf);
	if (!rounds)
		return tn_call_resume(vf, TN_RESUME_STOP);
	err = tn_walk_push(vf, TN_RESUME_STOP);
	if (!err)
		err = tn_walk_trail(vf, TN_TRAIL_CALLBACK);
	if (err)
		return err;
	if (vf->s.nr_frames == vf->senv.max_frames)
		return tn_reject(vf, E_CALL, -1, "more than %u frames of calls",
				 vf->senv.max_frames);
	f = tn_state_push_frame(&vf->s, c->func, vf->s.insn);
	f->callback = true;
	tn_reg_set_scalar(&f->r[TN_R1], tn_scalar_range(0, rounds - 1, TN_W64));
	f->r[TN_R2] = caller->r[TN_R3];
	vf->s.insn = vf->prog->subprogs[c->func].start;
	return 0;
}
