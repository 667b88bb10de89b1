/* SPDX-License-Identifier: MIT */
/*
 * bpf_throw(result): the program ends with that result, from whatever function or callback. It is
 * an early end for the engines and for what the program holds, which is given back; and a return
 * for the hook. The function that a program may name to be run instead is not supported.
 */
#include "verifier/callee.h"

#include <string.h>

static bool names_callback(const struct tn_prog *prog)
{
	const struct tn_btf *btf = prog->image ? prog->image->btf : NULL;

	for (uint32_t id = 1; btf && id < btf->nr_types; id++) {
		const struct tn_btf_type *t = tn_btf_type(btf, id);

		if (tn_btf_kind(t) == TN_BTF_DECL_TAG &&
		    t->size_or_type == prog->subprogs[0].btf_func_id &&
		    !strncmp(tn_btf_str(btf, t->name_off), "exception_callback:", 19))
			return true;
	}
	return false;
}

int tn_do_throw(struct tn_vf *vf)
{
	int err = tn_lock_none_held(vf, "where the program throws");

	if (!err && names_callback(vf->prog))
		err = tn_reject(vf, E_UNSUPPORTED, -1,
				"a throw in a program with an exception callback");
	if (!err)
		err = tn_note_return(vf, TN_R1);
	if (err)
		return err;
	tn_ref_note_held(vf, true);
	tn_call_note_abort(vf);
	/* It is entered so that the throw is caught. */
	vf->facts->holds = 1;
	vf->ended = true;
	return 0;
}
