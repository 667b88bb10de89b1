/* SPDX-License-Identifier: MIT */
/* Objects in the stack: where they stand; stack_object.h says what they are. */
#include "verifier/stack_object.h"

#include <errno.h>
#include <string.h>

int tn_object_place(struct tn_vf *vf, uint32_t regno, uint32_t size, const char *what,
		    struct tn_stack_place *out)
{
	const struct tn_reg *r = tn_vf_reg(vf, regno);
	uint64_t at;
	int err;

	if (r->kind != TN_REG_STACK || r->low || !tn_scalar_is_const(&r->v, &at) || at % 8)
		return tn_reject(vf, E_ARG, (int)regno,
				 "%s must stand in the stack, at a known multiple of 8; r%u is %s",
				 what, regno, tn_reg_words(vf, r));
	/* Inside of the frame, which becomes as deep as that. */
	err = tn_stack_reserve(vf, regno, size);
	if (err)
		return err;
	out->frame = &vf->s.frames[r->frame];
	out->off = (int64_t)at;
	out->nr = size / 8;
	out->slot = (uint32_t)(-out->off / 8 - 1);
	return 0;
}

static bool is_part(const struct tn_frame *f, uint32_t slot, uint8_t kind, uint32_t part)
{
	const struct tn_slot *s;

	if (slot >= f->nr_slots)
		return false;
	s = &f->slots[slot];
	for (uint32_t j = 0; j < 8; j++)
		if (s->b[j] != TN_BYTE_SPILL)
			return false;
	return s->reg.kind == kind && s->reg.part == part;
}

/* Parts of one object are put, torn and taken away together, but a part may be overwritten: then
 * what is left is no object any more. Two halves of different ones never meet, since each part says
 * which one it is, and a new object overwrites all of its place. */
struct tn_reg *tn_object_at(const struct tn_stack_place *place, uint8_t kind)
{
	struct tn_reg *first;

	for (uint32_t i = 0; i < place->nr; i++)
		if (!is_part(place->frame, place->slot - i, kind, i))
			return NULL;
	first = &place->frame->slots[place->slot].reg;
	for (uint32_t i = 1; i < place->nr; i++)
		if (place->frame->slots[place->slot - i].reg.ref != first->ref)
			return NULL;
	return first;
}

int tn_object_free_place(struct tn_vf *vf, uint32_t regno, const struct tn_stack_place *place)
{
	for (uint32_t i = 0; i < place->nr; i++) {
		uint32_t slot = place->slot - i;
		const struct tn_slot *s = slot < place->frame->nr_slots ? &place->frame->slots[slot]
									: NULL;

		if (s && memchr(s->b, TN_BYTE_SPILL, 8) && tn_reg_is_object(&s->reg) && s->reg.ref)
			return tn_reject(vf, E_ARG, (int)regno,
					 "r%u points to stack that is in use: %s stands there",
					 regno, tn_memory_words(vf, &s->reg));
	}
	return 0;
}

void tn_object_put(const struct tn_stack_place *place, const struct tn_reg *first)
{
	for (uint32_t i = 0; i < place->nr; i++) {
		struct tn_slot *s = tn_frame_slot(place->frame, place->slot - i);

		memset(s->b, TN_BYTE_SPILL, sizeof(s->b));
		s->reg = *first;
		s->reg.part = i;
	}
}

void tn_object_remove(const struct tn_stack_place *place)
{
	for (uint32_t i = 0; i < place->nr; i++) {
		struct tn_slot *s = tn_frame_slot(place->frame, place->slot - i);

		memset(s->b, TN_BYTE_ZERO, sizeof(s->b));
		tn_reg_uninit(&s->reg);
	}
}
