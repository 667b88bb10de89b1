/* SPDX-License-Identifier: MIT */
/*
 * Open-coded iterators: new, next until it gives NULL, destroy. The iterator is a reference that
 * lives in the stack (stack_object.h): whoever makes one must destroy it.
 *
 * next() has two outcomes. Either it gives an element, or NULL; after NULL the iterator is drained
 * and stays so, which is part of what its slots are. The walk follows both, so that a result is
 * never "maybe NULL". A loop over next() is a loop like any other: the walk finds its invariant.
 *
 * Trips. An iterator gives at most `v` elements in its life: that is what its first slot says, from
 * the arguments of new(). Take a loop with a next() in every round, always on the same iterator of
 * its own frame, that never comes there drained, and that makes no iterator at that place. Then
 * each round takes an element away or drains the iterator, and the second happens once: at most
 * v + 1 rounds are completed, and the head is reached v + 2 times. Iterators that were made in
 * another frame than that of the code that made them spoil the argument for the whole program.
 *
 * Iterators of the host, over its objects: the element is a handle that is there until the iterator
 * is asked again or destroyed. It carries the iterator's reference, as does all that is read
 * through it, and each next() and destroy takes away what does. How many elements there are, nobody
 * knows: such a loop pays. At run time vm/held_iter.h is between the program and the host, and sees
 * to it that a drained iterator stays so.
 */
#include "verifier/iter.h"

#include <errno.h>
#include <string.h>

#include "verifier/callee.h"
#include "verifier/mutant.h"
#include "verifier/stack_object.h"
#include "verifier/trace.h"
#include "vm/kfuncs.h"

#define MAX_NUM_STEPS ((int64_t)1 << 23)
#define MAX_BITS      ((uint64_t)TN_ITER_BITS_MAX_WORDS * 64)

/* Whose it is: `region` of what stands in the stack. Names of the two may be equal. */
enum { OF_LIBRARY, OF_HOST };

/* ---- Trips ---- */

static struct tn_iter_site *site_at(struct tn_vf *vf)
{
	struct tn_iter_site *site;

	for (uint32_t i = 0; i < vf->iters.nr; i++)
		if (vf->iters.v[i].insn == vf->s.insn)
			return &vf->iters.v[i];
	site = tn_vec_push(vf->rt, &vf->iters);
	if (site)
		*site = (struct tn_iter_site){ .insn = vf->s.insn };
	return site;
}

/* An iterator is made (drained, most: of no meaning) or asked here. */
static int note(struct tn_vf *vf, const struct tn_stack_place *place, bool is_new, bool drained,
		uint64_t most)
{
	struct tn_iter_site *site = site_at(vf);
	bool own = place->frame == tn_state_top(&vf->s);

	if (!site)
		return -ENOMEM;
	site->varies |= !own || (site->seen && site->off != place->off);
	site->off = place->off;
	site->seen = true;
	site->is_new = is_new;
	site->drained |= drained;
	site->most = TN_MAX(site->most, most);
	vf->iters_foreign |= is_new && !own;
	return 0;
}

static bool makes_another(const struct tn_vf *vf, uint32_t loop, const struct tn_iter_site *next)
{
	const struct tn_structure *s = vf->structure;

	for (uint32_t i = 0; i < vf->iters.nr; i++) {
		const struct tn_iter_site *site = &vf->iters.v[i];

		if (site->is_new && tn_structure_loop_within(s, s->sites[site->insn].loop, loop) &&
		    (site->varies || site->off == next->off))
			return true;
	}
	return false;
}

uint64_t tn_iter_trips(const struct tn_vf *vf, uint32_t loop)
{
	uint64_t best = TN_TRIPS_UNKNOWN;

	for (uint32_t i = 0; i < vf->iters.nr && !vf->iters_foreign; i++) {
		const struct tn_iter_site *site = &vf->iters.v[i];

		if (site->is_new || site->varies || site->drained || site->most >= best - 2 ||
		    !tn_loop_every_round(vf->structure, loop, site->insn) ||
		    makes_another(vf, loop, site))
			continue;
		best = site->most + 2;
	}
	return best;
}

/* ---- What the functions do ---- */

/* The most elements that the iterator made here gives. */
static uint64_t most_elements(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_reg *first = tn_vf_reg(vf, TN_R2), *second = tn_vf_reg(vf, TN_R3);
	struct tn_scalar start, end;

	if (c->id == TN_KFUNC_iter_bits_new)
		return (uint32_t)second->v.umax == second->v.umax
			       ? TN_MIN(second->v.umax * 64, MAX_BITS)
			       : MAX_BITS;
	if (!c->id) /* the host promises an end, but not when */
		return UINT64_MAX;
	if (c->id != TN_KFUNC_iter_num_new)
		return (uint64_t)MAX_NUM_STEPS;
	/* The callee takes the low halves, as signed. */
	start = tn_scalar_sext(&first->v, 32, false, TN_W64);
	end = tn_scalar_sext(&second->v, 32, false, TN_W64);
	if (end.smax <= start.smin)
		return 0;
	return (uint64_t)TN_MIN(end.smax - start.smin, MAX_NUM_STEPS);
}

/* How what is made here is destroyed where the program ends early. */
static int find_releaser(struct tn_vf *vf, const struct tn_callee *c,
			 const struct tn_releaser **how)
{
	const struct tn_host_helper *host = tn_vf_host(vf, vf->s.insn);

	*how = &tn_release_nothing;
	if (c->id)
		return 0;
	if (!host || !host->iter_end)
		return tn_reject(vf, E_CALL, -1,
				 "%s makes an iterator of type %s, and the host has no function "
				 "that destroys those",
				 c->name, c->sig->args[0].handle);
	*how = &host->iter_end->releaser;
	/* The host's iterator lies in the list of what is held. */
	vf->facts->holds = 1;
	return 0;
}

static int begin(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_arg *arg = &c->sig->args[0];
	const struct tn_releaser *how;
	struct tn_stack_place place;
	struct tn_reg it;
	uint64_t most = most_elements(vf, c);
	int err = tn_object_place(vf, TN_R1, arg->struct_size, "a new iterator", &place);

	if (!err)
		err = tn_object_free_place(vf, TN_R1, &place);
	if (!err)
		err = note(vf, &place, true, false, 0);
	if (!err)
		err = find_releaser(vf, c, &how);
	if (err)
		return err;
	tn_reg_set_const(&it, most);
	it.kind = TN_REG_ITER;
	it.obj = tn_handle_name(vf, arg->handle);
	it.size = arg->struct_size;
	it.region = c->id ? OF_LIBRARY : OF_HOST;
	it.id = 0;
	err = tn_ref_acquire(vf, &it, how);
	if (!err)
		tn_object_put(&place, &it);
	return err;
}

/* The iterator that r1 points to. */
static int find(struct tn_vf *vf, const struct tn_callee *c, struct tn_stack_place *place,
		struct tn_reg **it)
{
	const struct tn_arg *arg = &c->sig->args[0];
	int err = tn_object_place(vf, TN_R1, arg->struct_size, "an iterator", place);

	if (err)
		return err;
	*it = tn_object_at(place, TN_REG_ITER);
	if (*it && !strcmp((*it)->obj, arg->handle) && (*it)->size == arg->struct_size &&
	    (*it)->region == (c->id ? OF_LIBRARY : OF_HOST))
		return 0;
	if (!c->id) {
		tn_reject(
			vf, E_ARG, TN_R1,
			"argument 1 of %s must be an iterator of type %s, there is none at offset "
			"%lld of the stack",
			c->name, arg->handle, (long long)place->off);
		return tn_advise(vf, "make it on every path that leads here with the host's "
				     "function for that, and ask it for nothing after it was "
				     "destroyed");
	}
	tn_reject(vf, E_ARG, TN_R1,
		  "argument 1 of %s must be an iterator made by bpf_iter_%s_new, there is none at "
		  "offset %lld of the stack",
		  c->name, arg->handle, (long long)place->off);
	return tn_advise(vf,
			 "make it with bpf_iter_%s_new() on every path that leads here, and ask it "
			 "for nothing after bpf_iter_%s_destroy()",
			 arg->handle, arg->handle);
}

static int next(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_stack_place place;
	struct tn_reg *it, elem;
	int err = find(vf, c, &place, &it);

	if (!err)
		err = note(vf, &place, false, it->drained, it->v.umax);
	if (err)
		return err;
	/* The host may free an element when it is asked for the next one. */
	if (!c->id)
		tn_ref_drop_parts(vf, it->ref);
	if (it->drained)
		return tn_call_resume(vf, TN_RESUME_NULL);
	if (c->id == TN_KFUNC_iter_bits_next && it->v.umax > 64)
		tn_note_more_cost(vf, TN_ITER_BITS_ENTRIES * TN_KERNEL_ENTRY_COST +
					      TN_ITER_BITS_MAX_WORDS);
	err = TN_MUT(ITER_DRAINED) ? 0 : tn_walk_push(vf, TN_RESUME_NULL);
	if (err)
		return err;
	tn_reg_set_const(&elem, 0);
	if (c->id) {
		elem.kind = TN_REG_MEM;
		elem.obj = "the iterator's element";
		elem.size = sizeof(int32_t);
		elem.part = 2;
		elem.rdonly = true;
		elem.frame = (uint8_t)(place.frame - vf->s.frames);
	} else {
		elem.kind = TN_REG_HANDLE;
		elem.obj = tn_handle_name(vf, c->sig->ret_handle);
		elem.rdonly = c->sig->flags & TN_SIG_RET_RDONLY;
	}
	elem.ref = it->ref;
	elem.share = TN_SHARE_PART;
	tn_call_clobber(vf);
	*tn_vf_reg(vf, TN_R0) = elem;
	vf->s.insn++;
	return 0;
}

bool tn_iter_call(const struct tn_callee *c)
{
	return c->sig->nr_args &&
	       (c->sig->args[0].kind == TN_ARG_ITER_NEW || c->sig->args[0].kind == TN_ARG_ITER);
}

int tn_iter_drain(struct tn_vf *vf)
{
	struct tn_callee c = { .name = tn_callee_name(vf, vf->s.insn),
			       .sig = tn_vf_sig(vf, vf->s.insn) };
	struct tn_stack_place place;
	struct tn_reg *it, drained;
	int err;

	if (!tn_iter_call(&c))
		return 0;
	if (!tn_vf_host(vf, vf->s.insn))
		c.id = (uint32_t)tn_vf_insn(vf)->imm;
	err = find(vf, &c, &place, &it);
	if (err)
		return err;
	drained = *it;
	drained.drained = true;
	tn_object_put(&place, &drained);
	return 0;
}

static int end(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_stack_place place;
	struct tn_reg *it;
	int err = find(vf, c, &place, &it);

	if (!err)
		err = tn_ref_release(vf, it->ref);
	if (!err)
		tn_object_remove(&place);
	return err;
}

int tn_do_iter(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_arg *arg = &c->sig->args[0];
	struct tn_reg out;
	int err;

	if (tn_sig_iter_role(c->sig) == TN_ITER_NEXT)
		return next(vf, c);
	err = arg->kind == TN_ARG_ITER_NEW ? begin(vf, c) : end(vf, c);
	if (!err)
		err = tn_call_result(vf, c, &out);
	if (err)
		return err;
	tn_call_clobber(vf);
	*tn_vf_reg(vf, TN_R0) = out;
	vf->s.insn++;
	return 0;
}
