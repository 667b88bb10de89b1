/* SPDX-License-Identifier: MIT */
/*
 * Functions of the program that a helper calls back.
 *
 * The call is the head of a loop: arriving there, by whatever way, either no further round is run,
 * or the function runs once and returns to the same call with the caller's registers as they were
 * and its stack as the function left it. The walk finds the fixpoint as for any loop.
 *
 * The frame of the call counts rounds from below: `rounds` have been run at least since the call
 * was entered. The helper runs at most as many as its arguments allow, and those do not change
 * meanwhile; so once that many are counted no further one follows. A state that counts fewer covers
 * one that counts more, since all that it knows is a smaller number.
 */
#include "verifier/callee.h"
#include "verifier/dynptr.h"
#include "verifier/mutant.h"
#include "verifier/throw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_ROUNDS ((uint64_t)1 << 23)
/* The kernel's bound of one call. */
#define MAX_SAMPLES ((uint64_t)128 * 1024)

bool tn_map_is_inner(const struct tn_vf *vf, const struct tn_map *map)
{
	for (uint32_t i = 0; i < vf->prog->nr_maps; i++)
		if (vf->prog->maps[i] && vf->prog->maps[i]->inner == map)
			return true;
	return false;
}

/* The elements of a map at most. One that was looked up in another map is known by its shape, which
 * only for arrays includes how many there are; see maps/map_in_map.c. */
static uint64_t most_elements(const struct tn_vf *vf, const struct tn_map *map)
{
	return !tn_map_size_is_known(map) && tn_map_is_inner(vf, map) ? UINT32_MAX
								      : map->max_entries;
}

static uint64_t rounds_of(struct tn_vf *vf, const struct tn_callee *c)
{
	if (c->id == TN_HELPER_for_each_map_elem)
		return most_elements(vf, c->map);
	if (c->id == TN_HELPER_user_ringbuf_drain)
		return MAX_SAMPLES;
	return TN_MIN(tn_vf_reg(vf, TN_R1)->v.umax, MAX_ROUNDS);
}

void tn_set_elem_args(struct tn_vf *vf, const struct tn_map *map, uint32_t frame, struct tn_reg *r)
{
	tn_reg_set_const(&r[TN_R1], 0);
	r[TN_R1].kind = TN_REG_MAP;
	r[TN_R1].obj = map;
	tn_reg_set_const(&r[TN_R2], 0);
	r[TN_R2].kind = TN_REG_MEM;
	r[TN_R2].obj = "the element's key";
	r[TN_R2].size = map->key_size + (TN_MUT(EACH_SIZE) ? 4 : 0);
	r[TN_R2].rdonly = true;
	r[TN_R2].part = map->key_size % 4 ? 0 : 2;
	r[TN_R2].frame = (uint8_t)frame;
	tn_reg_set_const(&r[TN_R3], 0);
	r[TN_R3].kind = TN_REG_VALUE;
	r[TN_R3].obj = map;
	r[TN_R3].inst = vf->senv.next_id++;
}

static void set_args(struct tn_vf *vf, const struct tn_callee *c, uint64_t rounds, struct tn_reg *r)
{
	const struct tn_reg *caller = vf->s.frames[vf->s.nr_frames - 2].r;

	if (c->id == TN_HELPER_for_each_map_elem) {
		tn_set_elem_args(vf, c->map, vf->s.nr_frames - 1, r);
		r[TN_R1] = caller[TN_R1];
		r[TN_R4] = caller[TN_R3];
		return;
	}
	if (c->id == TN_HELPER_user_ringbuf_drain) {
		tn_reg_set_const(&r[TN_R1], 0);
		r[TN_R1].kind = TN_REG_DYNPTR_ARG;
		r[TN_R1].region = TN_DYNPTR_OF_MEMORY;
		r[TN_R1].frame = (uint8_t)(vf->s.nr_frames - 1);
		r[TN_R2] = caller[TN_R3];
		return;
	}
	tn_reg_set_scalar(
		&r[TN_R1],
		tn_scalar_range(0, rounds - 1 - (rounds > 1 && TN_MUT(CALLBACK_INDEX)), TN_W64));
	r[TN_R2] = caller[TN_R3];
}

/* Remember who is called back here, for costs and depths. */
static int note(struct tn_vf *vf, uint32_t func, uint64_t rounds)
{
	struct tn_callback_site *site = NULL;

	vf->seen[vf->s.insn].callback = func;
	vf->meets[vf->s.insn] |= TN_MEETS_CHECKPOINT;
	for (uint32_t i = 0; i < vf->callbacks.nr && !site; i++)
		if (vf->callbacks.v[i].insn == vf->s.insn && vf->callbacks.v[i].subprog == func)
			site = &vf->callbacks.v[i];
	if (!site) {
		site = tn_vec_push(vf->rt, &vf->callbacks);
		if (!site)
			return -ENOMEM;
		*site = (struct tn_callback_site){ .insn = vf->s.insn, .subprog = func };
	}
	site->trips = TN_MAX(site->trips, rounds);
	return 0;
}

static int check_func(struct tn_vf *vf, const struct tn_callee *c)
{
	switch (c->id) {
	case TN_HELPER_loop:
	case TN_HELPER_for_each_map_elem:
	case TN_HELPER_user_ringbuf_drain:
		break;
	default:
		return tn_reject(vf, E_UNSUPPORTED, -1, "callbacks of %s", c->name);
	}
	if (c->id == TN_HELPER_for_each_map_elem && c->map->key_size > TN_MAX_EACH_KEY)
		return tn_reject(vf, E_MAP, TN_R1,
				 "%s on map '%s', whose keys have more than %d bytes", c->name,
				 c->map->name, TN_MAX_EACH_KEY);
	if (!c->func || c->func >= vf->prog->nr_subprogs)
		return tn_reject(vf, E_CALL, -1, "the main function can not be called back");
	if (tn_is_exception_callback(vf, c->func))
		return tn_throw_refuse_call(vf, c->func);
	for (uint32_t i = 0; i < vf->s.nr_frames; i++)
		if (vf->s.frames[i].subprog == c->func)
			return tn_reject(vf, E_STRUCTURE, -1, "the callback calls itself");
	return 0;
}

int tn_do_callback(struct tn_vf *vf, const struct tn_callee *c)
{
	struct tn_frame *caller = tn_state_top(&vf->s), *f;
	int err = check_func(vf, c);
	uint64_t rounds;

	if (err)
		return err;
	rounds = rounds_of(vf, c);
	err = note(vf, c->func, rounds);
	if (err)
		return err;
	tn_call_note_abort(vf);
	if (caller->rounds >= rounds)
		return tn_call_resume(vf, TN_RESUME_STOP);
	err = tn_walk_push(vf, TN_RESUME_STOP);
	if (!err)
		err = tn_walk_trail(vf, TN_TRAIL_CALLBACK);
	if (err)
		return err;
	if (vf->s.nr_frames == vf->senv.max_frames)
		return tn_reject(vf, E_CALL, -1, "more than %u frames of calls",
				 vf->senv.max_frames);
	caller->rounds++;
	f = tn_state_push_frame(&vf->s, c->func, vf->s.insn);
	f->callback = true;
	set_args(vf, c, rounds, f->r);
	vf->s.insn = vf->prog->subprogs[c->func].start;
	return 0;
}
