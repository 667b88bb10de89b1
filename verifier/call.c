/* SPDX-License-Identifier: MIT */
/* Calls: helpers and host functions by their signatures, subprograms, tail calls, exit. */
#include "verifier/callee.h"
#include "verifier/dynptr.h"
#include "verifier/global.h"
#include "verifier/iter.h"
#include "verifier/throw.h"
#include "verifier/timer.h"
#include "vm/kfuncs.h"
#include "verifier/mutant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- After effects ---- */

void tn_call_clobber(struct tn_vf *vf)
{
	for (uint32_t r = TN_R0; r <= (TN_MUT(CALL_KEEPS_REGISTERS) ? TN_R0 : TN_R5); r++)
		tn_reg_uninit(tn_vf_reg(vf, r));
}

static void forget_region(void *user, struct tn_reg *r)
{
	struct tn_vf *vf = user;

	if (r->kind == TN_REG_REGION || r->kind == TN_REG_END ||
	    (r->kind == TN_REG_MEM && r->of_ctx) ||
	    (r->kind == TN_REG_HANDLE && !r->ref && !r->untrusted))
		tn_reg_uninit(r);
	else if (r->id && r->id < vf->senv.fixed_ids)
		r->id = 0;
}

/* What the context points to may have moved or be freed: pointers into it are gone, and what was
 * known. So are handles, of which nobody can tell whether they came from there, unless the program
 * holds a reference, or nobody vouches for them anyway. */
void tn_call_invalidate(struct tn_vf *vf)
{
	if (!TN_MUT(PACKET_NOT_INVALIDATED))
		tn_state_each_reg(&vf->s, forget_region, vf);
	tn_regions_reset(vf->regions, &vf->s);
}

static bool license_is_gpl(const char *license)
{
	static const char *const names[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"
	};

	for (size_t i = 0; i < TN_ARRAY_SIZE(names); i++)
		if (!strcmp(license, names[i]))
			return true;
	return false;
}

static bool wants_gpl(const struct tn_vf *vf, const struct tn_callee *c)
{
	const char *const *names = vf->env->gpl_only;

	if (vf->env->license != TN_LICENSE_HOST_LIST)
		return vf->env->license == TN_LICENSE_KERNEL && c->sig->flags & TN_SIG_GPL;
	/* Standard ones with or without their bpf_. */
	for (; names && *names; names++)
		if (!strcmp(*names, c->name) || (c->id && !strcmp(*names, c->name + 4)))
			return true;
	return false;
}

static int check_allowed(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_image *image = vf->prog->image;

	if (image && wants_gpl(vf, c) && !license_is_gpl(image->license ? image->license : ""))
		return tn_reject(vf, E_LICENSE, -1,
				 "%s is for GPL-compatible programs; the license here is \"%s\"",
				 c->name, image->license ? image->license : "");
	if (vf->env->helper_allowed &&
	    vf->env->helper_allowed(vf->env->user, c->id ? c->name + 4 : c->name))
		return tn_reject(vf, E_POLICY, -1, "%s is not allowed: %s", c->name,
				 tn_err_last()->msg);
	return 0;
}

void tn_call_note_abort(struct tn_vf *vf)
{
	vf->facts->insns[vf->s.insn].flags |= TN_FACT_MAY_ABORT;
	vf->facts->may_abort = 1;
}

bool tn_in_callback(const struct tn_vf *vf)
{
	bool in = vf->in_timer;

	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		in = in || vf->s.frames[i].callback;
	return in;
}

/* ---- Tail calls ---- */

static int do_tail_call(struct tn_vf *vf)
{
	int err = tn_ref_none_held(vf, "at a tail call");

	if (err)
		return err;
	if (tn_in_callback(vf))
		return tn_reject(vf, E_UNSUPPORTED, -1, "a tail call in a callback");
	/* In a subprogram a hit gives the target's result to the caller. */
	if (vf->s.nr_frames > 1)
		err = tn_walk_push(vf, TN_RESUME_TAIL);
	return err;
}

/* ---- Calls ---- */

/* What is given up is given once: the callee may free it before it looks at the other arguments. */
static int release_arguments(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_reg *args = tn_vf_reg(vf, TN_R1);
	uint32_t refs[TN_SIG_MAX_ARGS];

	for (uint32_t i = 0; i < c->sig->nr_args; i++) {
		refs[i] = args[i].ref;
		for (uint32_t j = 0; j < c->sig->nr_args; j++)
			if (c->releases >> i & 1 && j != i && args[j].ref == refs[i])
				return tn_reject(
					vf, E_REFERENCE, (int)(TN_R1 + TN_MAX(i, j)),
					"argument %u of %s is a reference that the same call "
					"releases as argument %u",
					j + 1, c->name, i + 1);
	}
	for (uint32_t i = 0; i < c->sig->nr_args; i++) {
		int err = c->releases >> i & 1 ? tn_ref_release(vf, refs[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int call_by_sig(struct tn_vf *vf, struct tn_callee *c)
{
	struct tn_reg out;
	int err = check_allowed(vf, c);

	vf->seen[vf->s.insn].flags |= TN_SEEN_CALL;
	if (!err)
		err = tn_check_args(vf, c);
	if (!err)
		err = tn_probe_pointer(vf, c);
	if (err)
		return err;
	err = tn_check_timer(vf, c);
	if (err)
		return err;
	tn_note_cost(vf, c);
	if (c->id == TN_KFUNC_throw)
		return tn_do_throw(vf);
	if (c->sig->flags & TN_SIG_CALLBACK)
		return tn_do_callback(vf, c);
	if (tn_iter_call(c))
		return tn_do_iter(vf, c);
	if (tn_dynptr_call(c))
		return tn_do_dynptr(vf, c);
	if (c->id == TN_HELPER_tail_call) {
		err = do_tail_call(vf);
		if (err)
			return err;
	}
	tn_note_key(vf, c);
	err = release_arguments(vf, c);
	if (err)
		return err;
	/* What the call releases it has released also where it ends the program. */
	if (c->sig->flags & TN_SIG_MAY_ABORT) {
		tn_ref_note_held(vf, true);
		tn_call_note_abort(vf);
	}
	if (c->id == TN_HELPER_spin_lock)
		err = tn_lock_take(vf);
	else if (c->id == TN_HELPER_spin_unlock)
		err = tn_lock_release(vf);
	if (!err)
		err = tn_call_result(vf, c, &out);
	if (err)
		return err;
	tn_call_clobber(vf);
	if (c->sig->flags & TN_SIG_INVALIDATES_CTX)
		tn_call_invalidate(vf);
	*tn_vf_reg(vf, TN_R0) = out;
	vf->s.insn++;
	return 0;
}

static int call_host(struct tn_vf *vf, const struct tn_host_helper *h)
{
	struct tn_callee c = { .name = h->name, .sig = &h->sig, .func = TN_NONE };

	return call_by_sig(vf, &c);
}

static int call_helper(struct tn_vf *vf, uint32_t id)
{
	const struct tn_host_helper *host = vf->env->helper_by_id
						    ? vf->env->helper_by_id(vf->env->user, id)
						    : NULL;
	const struct tn_helper *h = tn_helper_by_id(id);
	struct tn_callee c = { .func = TN_NONE };

	if (host)
		return call_host(vf, host);
	if (!h)
		return tn_reject(vf, E_HELPER, -1, "helper number %u is not known here", id);
	c.name = h->full_name;
	c.sig = &h->sig;
	c.id = id;
	return call_by_sig(vf, &c);
}

static int call_extern(struct tn_vf *vf, uint32_t index)
{
	const struct tn_extern *e;

	if (index >= vf->prog->nr_externs)
		return tn_reject(vf, E_CALL, -1, "extern number %u does not exist", index);
	e = &vf->prog->externs[index];
	if (!e->helper) {
		tn_reject(vf, E_CALL, -1, "'%s' is not provided by this host", e->name);
		return tn_advise(vf,
				 "ask for it first, `if (%s) ...`, and do without where it is "
				 "missing",
				 e->name);
	}
	return call_host(vf, e->helper);
}

static int call_local(struct tn_vf *vf)
{
	uint32_t callee = vf->structure->sites[vf->s.insn].callee;
	struct tn_frame *caller = tn_state_top(&vf->s), *f;

	if (callee == TN_NONE)
		return tn_reject(vf, E_CALL, -1, "the call leads to no function");
	if (tn_is_exception_callback(vf, callee))
		return tn_throw_refuse_call(vf, callee);
	if (tn_global_is(vf, callee))
		return tn_global_call(vf, callee);
	if (vf->s.nr_frames == vf->senv.max_frames)
		return tn_reject(vf, E_CALL, -1, "more than %u frames of calls",
				 vf->senv.max_frames);
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].subprog == callee)
			return tn_reject(vf, E_STRUCTURE, -1, "recursive call of '%s'",
					 vf->prog->subprogs[callee].name);
	f = tn_state_push_frame(&vf->s, callee, vf->s.insn);
	for (uint32_t r = TN_R1; r <= TN_R5; r++)
		f->r[r] = caller->r[r];
	for (uint32_t r = TN_R0; r <= TN_R5; r++)
		tn_reg_uninit(&caller->r[r]);
	vf->s.insn = vf->prog->subprogs[callee].start;
	return 0;
}

/* Not a call of the plugin's: the loader put it in place of what the host has nothing for. */
static int refuse_poisoned(struct tn_vf *vf, const struct tn_core_site *core)
{
	tn_reject(vf, E_CORE, -1, "%s", core->poison);
	return tn_advise(vf, "ask first, as with bpf_core_field_exists(), and do without where it "
			     "is missing; or compile the plugin against this host's header");
}

int tn_do_call(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	const struct tn_core_site *core = tn_prog_core(vf->prog, vf->s.insn);
	int err;

	if (core && core->poison)
		return refuse_poisoned(vf, core);
	err = tn_lock_check_call(vf);
	if (err)
		return err;
	tn_ref_note_held(vf, false);
	switch (insn->src) {
	case TN_CALL_LOCAL:
		return call_local(vf);
	case TN_CALL_EXTERN:
		return call_extern(vf, (uint32_t)insn->imm);
	case TN_CALL_HELPER:
		return call_helper(vf, (uint32_t)insn->imm);
	default:
		return tn_reject(vf, E_UNSUPPORTED, -1, "a call of kind %u", insn->src);
	}
}

/* ---- Exit ---- */

int tn_note_return(struct tn_vf *vf, uint32_t regno)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	int64_t min = vf->env->ret_int ? r->v.hsmin : r->v.smin;
	int64_t max = vf->env->ret_int ? r->v.hsmax : r->v.smax;

	if (vf->env->ret_checked && (min < vf->env->ret_min || max > vf->env->ret_max)) {
		return tn_reject(vf, E_RETURN, (int)regno,
				 "the result is %s; this hook takes %lld..%lld",
				 tn_scalar_words(vf, &r->v), (long long)vf->env->ret_min,
				 (long long)vf->env->ret_max);
	}
	vf->ret_min = vf->ret_seen ? TN_MIN(vf->ret_min, r->v.smin) : r->v.smin;
	if (!vf->ret_seen || !TN_MUT(RETURN_RANGE))
		vf->ret_max = vf->ret_seen ? TN_MAX(vf->ret_max, r->v.smax) : r->v.smax;
	vf->int_min = vf->ret_seen ? TN_MIN(vf->int_min, r->v.hsmin) : r->v.hsmin;
	vf->int_max = vf->ret_seen ? TN_MAX(vf->int_max, r->v.hsmax) : r->v.hsmax;
	vf->ret_seen = true;
	return 0;
}

static int exit_main(struct tn_vf *vf)
{
	struct tn_reg *r0 = tn_vf_reg(vf, TN_R0);
	/* A function without a result leaves in r0 what it likes, also an address: whoever called
	 * it throws that away (the thunk of a table of functions). */
	int err = vf->env->no_result ? 0 : tn_need_init(vf, TN_R0);

	if (err)
		return err;
	if (!vf->env->no_result && !tn_as_number(vf, r0))
		return tn_reject(vf, E_LEAK, TN_R0, "the program would return an address: r0 is %s",
				 tn_reg_words(vf, r0));
	err = TN_MUT(LEAK_AT_EXIT) ? 0 : tn_ref_none_held(vf, "at exit");
	if (!err)
		err = tn_lock_none_held(vf, "at exit");
	if (err)
		return err;
	vf->ended = true;
	return vf->env->no_result ? 0 : tn_note_return(vf, TN_R0);
}

static int exit_callback(struct tn_vf *vf)
{
	struct tn_frame *f = tn_state_top(&vf->s);
	int err = tn_need_scalar(vf, TN_R0, "a callback's result");

	if (err)
		return err;
	if (f->r[TN_R0].v.umax > 1)
		return tn_reject(vf, E_RETURN, TN_R0,
				 "a callback returns 0 to go on or 1 to stop, this one %s",
				 tn_scalar_words(vf, &f->r[TN_R0].v));
	err = tn_ref_none_of_callback(vf);
	if (!err)
		err = tn_lock_none_held(vf, "when a callback returns");
	if (err)
		return err;
	vf->s.nr_frames--;
	vf->s.insn = f->callsite;
	vf->back_arrival = true;
	return 0;
}

/* The callee's frame goes; `r0` is what the caller gets. */
static void return_to_caller(struct tn_vf *vf, struct tn_reg r0)
{
	uint32_t callsite = tn_state_top(&vf->s)->callsite;

	vf->s.nr_frames--;
	*tn_vf_reg(vf, TN_R0) = r0;
	vf->prev = callsite;
	vf->s.insn = callsite + 1;
}

int tn_do_exit(struct tn_vf *vf)
{
	struct tn_frame *f = tn_state_top(&vf->s);

	if (vf->s.nr_frames == 1) {
		if (vf->in_timer)
			return tn_timer_exit(vf);
		if (!f->subprog || tn_is_exception_callback(vf, f->subprog))
			return exit_main(vf);
		return tn_global_exit(vf);
	}
	if (f->callback)
		return exit_callback(vf);
	if ((f->r[TN_R0].kind == TN_REG_STACK || f->r[TN_R0].kind == TN_REG_MEM) &&
	    f->r[TN_R0].frame + 1u == vf->s.nr_frames)
		return tn_reject(vf, E_STACK, TN_R0,
				 "the function returns a pointer to its own stack");
	return_to_caller(vf, f->r[TN_R0]);
	return 0;
}

int tn_call_resume(struct tn_vf *vf, enum tn_resume how)
{
	struct tn_reg r0;

	if (how == TN_RESUME_STOP) {
		tn_state_top(&vf->s)->rounds = 0;
		tn_call_clobber(vf);
		tn_reg_set_unknown(tn_vf_reg(vf, TN_R0));
		vf->s.insn++;
		return 0;
	}
	if (how == TN_RESUME_NULL) {
		/* A slice, or the end of an iterator. */
		int err = tn_iter_drain(vf);

		if (err)
			return err;
		tn_call_clobber(vf);
		tn_reg_set_const(tn_vf_reg(vf, TN_R0), 0);
		vf->s.insn++;
		return 0;
	}
	/* A tail call was hit: another program ran in this frame's place. */
	tn_reg_set_unknown(&r0);
	tn_call_invalidate(vf);
	return_to_caller(vf, r0);
	return 0;
}
