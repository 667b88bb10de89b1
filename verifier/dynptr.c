/* SPDX-License-Identifier: MIT */
/*
 * Dynptrs: a callee keeps them in the program's stack (stack_object.h); what they point to and how
 * much of it is known at run time alone, where every access through them is checked. So what there
 * is to prove is that a dynptr is one, that a reserved record is given back once, and that slices
 * are not used when what they are of may be gone:
 *
 *	memory		from_mem takes map values alone, which stay. A slice may stay as well.
 *	a record	the slice goes with the reference, as the clones do.
 *	the context	the slice goes as all pointers into what the context points to.
 *
 * A dynptr that is an argument, of a global function or of a callback, is pointed to by a register
 * of a kind of its own; it can be used, and not given back. What comes from it lives no longer than
 * the frame that has the argument.
 *
 * A slice may be NULL: the walk follows both outcomes of the call, so that no pointer is "maybe
 * NULL" here and the reference that it goes with is never taken for its own.
 */
#include "verifier/dynptr.h"

#include <errno.h>
#include <string.h>

#include "verifier/callee.h"
#include "verifier/mutant.h"
#include "verifier/stack_object.h"
#include "vm/dynptr.h"
#include "vm/kfuncs.h"

#define DYNPTR_BYTES ((uint32_t)sizeof(struct tn_dynptr))

/* The dynptr that register `regno` points to: in *d. place->frame is NULL for an argument. */
static int find(struct tn_vf *vf, uint32_t regno, const char *callee, struct tn_stack_place *place,
		struct tn_reg *d)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno), *first;
	int err;

	place->frame = NULL;
	if (r->kind == TN_REG_DYNPTR_ARG && tn_reg_at_start(r)) {
		*d = *r;
		return 0;
	}
	err = tn_object_place(vf, regno, DYNPTR_BYTES, "a dynptr", place);
	if (err)
		return err;
	first = tn_object_at(place, TN_REG_DYNPTR);
	if (!first)
		return tn_reject(vf, E_ARG, (int)regno,
				 "%s needs a dynptr in r%u, there is none at offset %lld of the "
				 "stack",
				 callee, regno, (long long)place->off);
	*d = *first;
	return 0;
}

int tn_dynptr_arg(struct tn_vf *vf, uint32_t regno, const char *callee)
{
	struct tn_stack_place place;
	struct tn_reg d;

	return find(vf, regno, callee, &place, &d);
}

bool tn_dynptr_call(const struct tn_callee *c)
{
	for (uint32_t i = 0; i < c->sig->nr_args; i++)
		if (c->sig->args[i].kind == TN_ARG_DYNPTR ||
		    c->sig->args[i].kind == TN_ARG_DYNPTR_NEW)
			return true;
	return false;
}

/* ---- Making one ---- */

static int put(struct tn_vf *vf, uint32_t regno, struct tn_reg *d)
{
	struct tn_stack_place place;
	int err = tn_object_place(vf, regno, DYNPTR_BYTES, "a new dynptr", &place);

	if (!err)
		err = tn_object_free_place(vf, regno, &place);
	if (!err && d->frame > (uint32_t)(place.frame - vf->s.frames))
		err = tn_reject(vf, E_ARG, (int)regno,
				"the dynptr would outlive what it is a copy of");
	if (!err)
		tn_object_put(&place, d);
	return err;
}

/* Of which map's values: stacks end, records are given back, and what the context points to
 * moves. */
static int check_memory(struct tn_vf *vf, const struct tn_callee *c)
{
	const struct tn_reg *r = tn_vf_reg(vf, TN_R1);
	const struct tn_map *map;

	if (r->kind != TN_REG_VALUE)
		return tn_refuse_arg(vf, c, 0, "a map's value");
	map = r->obj;
	if (map->values_are_copies)
		return tn_reject(vf, E_READONLY, TN_R1,
				 "a dynptr of map '%s' could be written, whose values are copies",
				 map->name);
	if (map->flags & TN_MAP_F_WRONLY_PROG)
		return tn_reject(vf, E_READONLY, TN_R1,
				 "a dynptr of map '%s' could be read, which is write-only for "
				 "programs",
				 map->name);
	return 0;
}

static int check_packet(struct tn_vf *vf, const struct tn_callee *c)
{
	const char *want = c->id == TN_KFUNC_dynptr_from_skb ? "__sk_buff" : "xdp_md";

	/* What sk_skb programs are given is an __sk_buff whose packet is writable. */
	if (vf->ctx->is_packet &&
	    (!strcmp(vf->ctx->name, want) || (want[0] == '_' && !strcmp(vf->ctx->name, "sk_skb"))))
		return 0;
	return tn_reject(vf, E_ARG, TN_R1, "%s needs the context %s, not '%s'", c->name, want,
			 vf->ctx->name);
}

static int make(struct tn_vf *vf, const struct tn_callee *c, uint32_t regno)
{
	struct tn_stack_place place;
	struct tn_reg d;
	int err = 0;

	tn_reg_set_const(&d, 0);
	d.size = DYNPTR_BYTES;
	switch (c->id) {
	case TN_HELPER_dynptr_from_mem:
		err = check_memory(vf, c);
		d.region = TN_DYNPTR_OF_MEMORY;
		break;
	case TN_HELPER_ringbuf_reserve_dynptr:
		d.region = TN_DYNPTR_OF_RECORD;
		break;
	case TN_KFUNC_dynptr_clone:
		err = find(vf, TN_R1, c->name, &place, &d);
		break;
	default:
		err = check_packet(vf, c);
		d.region = TN_DYNPTR_OF_CONTEXT;
	}
	if (err)
		return err;
	d.kind = TN_REG_DYNPTR;
	if (c->id == TN_HELPER_ringbuf_reserve_dynptr)
		err = tn_ref_acquire(vf, &d, &tn_release_dynptr);
	return err ? err : put(vf, regno, &d);
}

/* ---- Giving one back ---- */

static int give_back(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_stack_place place;
	struct tn_reg d;
	int err = find(vf, TN_R1, c->name, &place, &d);

	if (err)
		return err;
	if (!place.frame || d.region != TN_DYNPTR_OF_RECORD)
		return tn_reject(vf, E_REFERENCE, TN_R1,
				 "%s needs a dynptr that bpf_ringbuf_reserve_dynptr made", c->name);
	err = tn_ref_release(vf, d.ref);
	if (!err)
		tn_object_remove(&place);
	return err;
}

/* ---- Slices ---- */

static bool gives_slice(const struct tn_callee *c)
{
	return c->sig->ret == TN_RET_SLICE;
}

/* The buffer is optional, and never used here. */
static int check_buffer(struct tn_vf *vf, const struct tn_callee *c, uint64_t size)
{
	struct tn_mem_arg mem = {
		.reg = TN_R3, .size = size, .written = true, .what = "written by a call"
	};

	if (c->id == TN_HELPER_dynptr_data || tn_reg_is_null(tn_vf_reg(vf, TN_R3)))
		return 0;
	return tn_check_mem_arg(vf, &mem);
}

static int slice(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_stack_place place;
	struct tn_reg d, out;
	uint64_t size = 0;
	int err = find(vf, TN_R1, c->name, &place, &d);

	if (!err && (!c->size || !tn_scalar_is_const(&c->size->v, &size)))
		err = tn_reject(vf, E_ARG, -1, "%s without a constant size", c->name);
	if (!err)
		err = check_buffer(vf, c, size);
	if (!err)
		err = tn_walk_push(vf, TN_RESUME_NULL);
	if (err)
		return err;
	tn_reg_set_const(&out, 0);
	out.kind = TN_REG_MEM;
	out.obj = "a slice of a dynptr";
	out.size = (uint32_t)size + (TN_MUT(SLICE_SIZE) ? 8 : 0);
	out.rdonly = c->id == TN_KFUNC_dynptr_slice;
	out.frame = d.frame;
	out.of_ctx = d.region >= TN_DYNPTR_OF_CONTEXT;
	out.ref = TN_MUT(SLICE_STAYS) ? 0 : d.ref;
	out.share = TN_SHARE_PART;
	tn_call_clobber(vf);
	*tn_vf_reg(vf, TN_R0) = out;
	vf->s.insn++;
	return 0;
}

int tn_do_dynptr(struct tn_vf *vf, struct tn_callee *c)
{
	struct tn_reg out;
	int err = 0;

	if (gives_slice(c))
		return slice(vf, c);
	for (uint32_t i = 0; i < c->sig->nr_args && !err; i++) {
		const struct tn_arg *arg = &c->sig->args[i];

		if (arg->kind == TN_ARG_DYNPTR_NEW)
			err = make(vf, c, TN_R1 + i);
		else if (arg->kind == TN_ARG_DYNPTR && arg->release)
			err = give_back(vf, c);
		else if (arg->kind == TN_ARG_DYNPTR)
			err = tn_dynptr_arg(vf, TN_R1 + i, c->name);
	}
	if (!err)
		err = tn_call_result(vf, c, &out);
	if (err)
		return err;
	tn_call_clobber(vf);
	*tn_vf_reg(vf, TN_R0) = out;
	vf->s.insn++;
	return 0;
}
