/* SPDX-License-Identifier: MIT */
/*
 * bpf_throw(cookie): the program ends, from whatever function or callback. It is an early end for
 * the engines and for what the program holds, which is given back. The cookie is the program's
 * result; or, where the program names an exception callback, what that is called with when all of
 * the program's frames are gone.
 *
 * The exception callback is walked once, as a program of its own: nothing is known of its argument,
 * there is no context, and its result is the program's. It does not throw, and nothing else calls
 * it, so that no state of another walk stands for one of its own.
 */
#include "verifier/throw.h"

#include "verifier/callee.h"
#include "verifier/global.h"
#include "verifier/mutant.h"
#include "vm/kfuncs.h"

int tn_do_throw(struct tn_vf *vf)
{
	int err = tn_lock_none_held(vf, "where the program throws");

	if (!err && vf->in_timer)
		err = tn_reject(vf, E_CALL, -1, "a timer's function does not throw");
	if (!err && !vf->prog->exception_callback)
		err = tn_note_return(vf, TN_R1);
	if (err)
		return err;
	if (!TN_MUT(THROW_FORGETS))
		tn_ref_note_held(vf, true);
	tn_call_note_abort(vf);
	/* It is entered so that the throw is caught. */
	vf->facts->holds = 1;
	vf->ended = true;
	return 0;
}

bool tn_throws_at(const struct tn_vf *vf, uint32_t insn)
{
	const struct tn_insn *i = &vf->prog->insns[insn];
	uint32_t callee = vf->structure->sites[insn].callee;

	if (callee != TN_NONE)
		return vf->throws[callee];
	/* The second half of an lddw does not look like this: its code is 0. */
	return i->code == (TN_JMP | TN_CALL) && i->src == TN_CALL_HELPER &&
	       (uint32_t)i->imm == TN_KFUNC_throw;
}

/* Callees first: there is no recursion. */
void tn_throw_prepare(struct tn_vf *vf)
{
	for (uint32_t i = vf->prog->nr_subprogs; i > 0; i--) {
		uint32_t p = vf->structure->topo[i - 1];
		const struct tn_subprog *sub = &vf->prog->subprogs[p];

		for (uint32_t at = sub->start; at < sub->end && !vf->throws[p]; at++)
			vf->throws[p] = tn_throws_at(vf, at);
	}
}

bool tn_is_exception_callback(const struct tn_vf *vf, uint32_t subprog)
{
	return subprog && subprog == vf->prog->exception_callback;
}

int tn_throw_refuse_call(struct tn_vf *vf, uint32_t callee)
{
	tn_reject(vf, E_CALL, -1, "'%s' is the exception callback: nothing else may call it",
		  vf->prog->subprogs[callee].name);
	return tn_advise(vf, "put what both need into a function of its own, and call that");
}

static int check_callback(struct tn_vf *vf, uint32_t subprog)
{
	const char *name = vf->prog->subprogs[subprog].name;

	if (!tn_global_takes_a_number(vf, subprog))
		return tn_reject(vf, E_CALL, -1,
				 "the exception callback '%s' takes one number and returns one",
				 name);
	if (vf->throws[subprog])
		return tn_reject(vf, E_CALL, -1, "the exception callback '%s' may throw itself",
				 name);
	if (vf->structure->calls[subprog].may_tail_call)
		return tn_reject(vf, E_UNSUPPORTED, -1, "a tail call in the exception callback");
	return 0;
}

int tn_throw_next(struct tn_vf *vf, bool *more)
{
	uint32_t subprog = vf->prog->exception_callback;

	*more = subprog && !vf->exception_walked;
	if (!*more)
		return 0;
	vf->exception_walked = true;
	vf->in_timer = false;
	tn_vf_begin(vf);
	tn_reg_set_unknown(&tn_state_push_frame(&vf->s, subprog, TN_NONE)->r[TN_R1]);
	vf->s.insn = vf->prog->subprogs[subprog].start;
	return check_callback(vf, subprog);
}
