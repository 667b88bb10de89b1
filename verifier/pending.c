/* SPDX-License-Identifier: MIT */
/*
 * States that wait to be taken up, the newest first. Most wait for a few steps only: the other
 * outcome of a branch, until the first one meets what is known. The newest few are therefore kept
 * as they are, with what the branch found out about the operands; an older one is packed when they
 * are too many. Either way it is the same state, but for what is dead of it.
 */
#include "verifier/engine.h"
#include "verifier/packed.h"

#include <errno.h>
#include <string.h>

/* Larger states are packed at once. */
#define MAX_FRAMES 4
#define MAX_SLOTS  64

struct tn_fresh {
	struct tn_outcomes out;
	struct tn_state s;
	struct tn_frame frames[MAX_FRAMES];
	struct tn_slot slots[MAX_SLOTS];
};

static void copy_frame(struct tn_frame *to, const struct tn_frame *from)
{
	struct tn_slot *slots = to->slots;

	memcpy(to, from, sizeof(*to));
	to->slots = slots;
	memcpy(slots, from->slots, from->nr_slots * sizeof(*slots));
}

/* All but the frames. */
static void copy_rest(struct tn_state *to, const struct tn_state *from)
{
	to->insn = from->insn;
	to->nr_frames = from->nr_frames;
	to->nr_regions = from->nr_regions;
	to->nr_facts = from->nr_facts;
	to->nr_refs = from->nr_refs;
	for (uint32_t i = 0; i < from->nr_regions; i++)
		to->regions[i] = from->regions[i];
	for (uint32_t i = 0; i < from->nr_facts; i++)
		to->facts[i] = from->facts[i];
	for (uint32_t i = 0; i < from->nr_refs; i++)
		to->refs[i] = from->refs[i];
	to->locked = from->locked;
	to->lock = from->lock;
	to->trail = from->trail;
}

static void copy_fresh(struct tn_fresh *fresh, const struct tn_state *s)
{
	struct tn_slot *slots = fresh->slots;

	fresh->s.frames = fresh->frames;
	copy_rest(&fresh->s, s);
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		fresh->frames[i].slots = slots;
		copy_frame(&fresh->frames[i], &s->frames[i]);
		slots += s->frames[i].nr_slots;
	}
}

/* Slots of a state that may be kept as it is, or UINT32_MAX. */
static uint32_t nr_fresh_slots(const struct tn_state *s)
{
	uint32_t nr = 0;

	if (s->nr_frames > MAX_FRAMES)
		return UINT32_MAX;
	for (uint32_t i = 0; i < s->nr_frames; i++)
		nr += s->frames[i].nr_slots;
	return nr <= MAX_SLOTS ? nr : UINT32_MAX;
}

static struct tn_packed *pack(struct tn_vf *vf, const struct tn_state *s)
{
	struct tn_packed *p = tn_state_pack(&vf->senv, s);

	if (p)
		vf->places += p->nr_regs + p->nr_bytes;
	return p;
}

/* Pack the oldest of the states that are kept as they are. */
static int pack_oldest(struct tn_vf *vf)
{
	struct tn_pending *e = &vf->pending.v[vf->pending.nr - vf->nr_fresh];

	e->state = pack(vf, &vf->fresh[vf->first_fresh]->s);
	if (!e->state)
		return tn_over_memory(vf);
	vf->first_fresh = (vf->first_fresh + 1) % TN_MAX_FRESH;
	vf->nr_fresh--;
	return 0;
}

static int push_packed(struct tn_vf *vf, enum tn_resume how)
{
	struct tn_pending *e;

	while (vf->nr_fresh) {
		int err = pack_oldest(vf);

		if (err)
			return err;
	}
	e = tn_vec_push(vf->rt, &vf->pending);
	if (!e)
		return -ENOMEM;
	e->how = (uint8_t)how;
	e->state = pack(vf, &vf->s);
	if (!e->state) {
		vf->pending.nr--;
		return tn_over_memory(vf);
	}
	return 0;
}

int tn_walk_push_branch(struct tn_vf *vf, enum tn_resume how, const struct tn_outcomes *out)
{
	uint32_t nr_slots = nr_fresh_slots(&vf->s);
	struct tn_fresh **fresh;
	struct tn_pending *e;
	int err = 0;

	if (nr_slots == UINT32_MAX)
		return push_packed(vf, how);
	if (vf->nr_fresh == TN_MAX_FRESH)
		err = pack_oldest(vf);
	if (err)
		return err;
	fresh = &vf->fresh[(vf->first_fresh + vf->nr_fresh) % TN_MAX_FRESH];
	if (!*fresh)
		*fresh = tn_pool_get(vf->rt, &vf->senv.pool, sizeof(**fresh));
	if (!*fresh)
		return tn_over_memory(vf);
	e = tn_vec_push(vf->rt, &vf->pending);
	if (!e)
		return -ENOMEM;
	e->how = (uint8_t)how;
	vf->nr_fresh++;
	vf->places += TN_NR_REGS * vf->s.nr_frames + nr_slots;
	copy_fresh(*fresh, &vf->s);
	(*fresh)->out.known = false;
	if (out && out->known)
		(*fresh)->out = *out;
	return 0;
}

int tn_walk_push(struct tn_vf *vf, enum tn_resume how)
{
	return tn_walk_push_branch(vf, how, NULL);
}

enum tn_resume tn_pending_take(struct tn_vf *vf, const struct tn_outcomes **out)
{
	struct tn_pending e = vf->pending.v[--vf->pending.nr];
	const struct tn_fresh *fresh;

	*out = NULL;
	if (e.state) {
		tn_state_unpack(e.state, &vf->s);
		tn_packed_free(&vf->senv, e.state);
		return e.how;
	}
	vf->nr_fresh--;
	fresh = vf->fresh[(vf->first_fresh + vf->nr_fresh) % TN_MAX_FRESH];
	copy_rest(&vf->s, &fresh->s);
	for (uint32_t i = 0; i < fresh->s.nr_frames; i++)
		copy_frame(&vf->s.frames[i], &fresh->frames[i]);
	if (fresh->out.known)
		*out = &fresh->out;
	return e.how;
}

void tn_pending_clear(struct tn_vf *vf)
{
	while (vf->pending.nr)
		tn_packed_free(&vf->senv, vf->pending.v[--vf->pending.nr].state);
	vf->nr_fresh = vf->first_fresh = 0;
}

void tn_pending_fini(struct tn_vf *vf)
{
	tn_pending_clear(vf);
	tn_vec_free(vf->rt, &vf->pending);
	for (uint32_t i = 0; i < TN_MAX_FRESH; i++)
		if (vf->fresh[i])
			tn_pool_put(vf->rt, &vf->senv.pool, vf->fresh[i], sizeof(*vf->fresh[i]));
}
