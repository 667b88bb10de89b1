/* SPDX-License-Identifier: MIT */
/* The abstract machine's states: registers, frames, and putting states away. */
#include "verifier/packed.h"
#include "verifier/mutant.h"

#include <string.h>

int tn_state_init(struct tn_state_env *env, struct tn_state *s)
{
	struct tn_slot *slots;

	memset(s, 0, sizeof(*s));
	s->frames = tn_alloc_array(env->rt, env->max_frames, sizeof(s->frames[0]));
	slots = tn_alloc_array(env->rt, (size_t)env->max_frames * env->max_slots, sizeof(*slots));
	if (!s->frames || !slots) {
		tn_free(env->rt, s->frames);
		tn_free(env->rt, slots);
		s->frames = NULL;
		return tn_err_nomem("verifier state");
	}
	for (uint32_t i = 0; i < env->max_frames; i++)
		s->frames[i].slots = slots + (size_t)i * env->max_slots;
	return 0;
}

void tn_state_fini(struct tn_state_env *env, struct tn_state *s)
{
	if (s->frames)
		tn_free(env->rt, s->frames[0].slots);
	tn_free(env->rt, s->frames);
	s->frames = NULL;
}

void tn_reg_uninit(struct tn_reg *r)
{
	memset(r, 0, sizeof(*r));
}

void tn_reg_make_id(struct tn_state_env *env, struct tn_reg *r)
{
	if (r->id || tn_scalar_is_const(&r->v, NULL))
		return;
	r->id = env->next_id++;
	r->scale = 1;
	r->delta = 0;
}

/* Uninitialised, with a value of no meaning: cheaper where many are. */
static void forget(struct tn_reg *r)
{
	memset(r, 0, offsetof(struct tn_reg, v));
}

static void forget_slot(struct tn_slot *slot)
{
	memset(slot->b, 0, sizeof(slot->b));
	forget(&slot->reg);
}

struct tn_frame *tn_state_push_frame(struct tn_state *s, uint32_t subprog, uint32_t callsite)
{
	struct tn_frame *f = &s->frames[s->nr_frames];
	struct tn_reg *fp = &f->r[TN_R10];

	for (uint32_t i = 0; i < TN_NR_REGS; i++)
		forget(&f->r[i]);
	tn_reg_set_const(fp, 0);
	fp->kind = TN_REG_STACK;
	fp->frame = (uint8_t)s->nr_frames;
	f->callsite = callsite;
	f->subprog = subprog;
	f->callback = false;
	f->rounds = 0;
	f->nr_slots = 0;
	s->nr_frames++;
	return f;
}

struct tn_slot *tn_frame_slot(struct tn_frame *f, uint32_t slot)
{
	if (slot >= f->nr_slots) {
		for (uint32_t i = f->nr_slots; i <= slot; i++)
			forget_slot(&f->slots[i]);
		f->nr_slots = slot + 1;
	}
	return &f->slots[slot];
}

static bool slot_is_uninit(const struct tn_slot *slot)
{
	uint64_t all;

	memcpy(&all, slot->b, sizeof(all));
	return all == 0;
}

void tn_state_each_reg(struct tn_state *s, tn_reg_fn fn, void *user)
{
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		struct tn_frame *f = &s->frames[i];

		for (uint32_t r = 0; r < TN_R10; r++)
			if (f->r[r].kind)
				fn(user, &f->r[r]);
		for (uint32_t j = 0; j < f->nr_slots; j++)
			if (tn_slot_has_spill(&f->slots[j]))
				fn(user, &f->slots[j].reg);
	}
}

/* ---- Putting away ---- */

/* Outer frames wait at their call: what is live before it covers what the callee may read. */
static uint32_t live_insn(const struct tn_state *s, uint32_t frame)
{
	return frame + 1 == s->nr_frames ? s->insn : s->frames[frame + 1].callsite;
}

uint32_t tn_state_live_regs(const struct tn_state_env *env, const struct tn_state *s,
			    uint32_t frame)
{
	uint32_t insn = live_insn(s, frame);
	uint32_t live = tn_live_regs(env->live, insn);

	/* A callback's return comes back to the call with the arguments in r1 to r5. */
	if (frame + 1 < s->nr_frames && !s->frames[frame + 1].callback)
		live &= 0x3c0;
	return live & (TN_MUT(LIVE_REGISTERS) ? 0x1ff : 0x3ff);
}

bool tn_state_live_slot(const struct tn_state_env *env, const struct tn_state *s, uint32_t frame,
			uint32_t slot)
{
	return tn_live_slot(env->live, live_insn(s, frame), slot) != 0;
}

static const struct tn_reg any_number = {
	.kind = TN_REG_SCALAR,
	.scale = 1,
	.v = { { 0, UINT64_MAX },
	       0,
	       UINT64_MAX,
	       INT64_MIN,
	       INT64_MAX,
	       0,
	       UINT32_MAX,
	       INT32_MIN,
	       INT32_MAX },
};
static const struct tn_reg zero_number = { .kind = TN_REG_SCALAR, .scale = 1 };

/* The same in a place that all states share; NULL: none. */
static const struct tn_reg *shared_reg(const struct tn_reg *r)
{
	const struct tn_reg *same = r->v.umax ? &any_number : &zero_number;

	return r->v.umin || memcmp(r, same, sizeof(*r)) != 0 ? NULL : same;
}

static void count(const struct tn_state_env *env, const struct tn_state *s, uint32_t *regs,
		  uint32_t *values, uint32_t *bytes)
{
	*regs = *values = *bytes = 0;
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];
		uint32_t live = tn_state_live_regs(env, s, i), insn = live_insn(s, i);

		for (uint32_t r = 0; r < TN_R10; r++)
			if (f->r[r].kind && live >> r & 1) {
				(*regs)++;
				*values += !shared_reg(&f->r[r]);
			}
		for (uint32_t j = 0; j < f->nr_slots; j++) {
			if (slot_is_uninit(&f->slots[j]) || !tn_live_slot(env->live, insn, j))
				continue;
			if (tn_slot_has_spill(&f->slots[j])) {
				(*regs)++;
				*values += !shared_reg(&f->slots[j].reg);
			} else {
				(*bytes)++;
			}
		}
	}
}

static const struct tn_reg *put_value(struct tn_packed *p, const struct tn_reg *r)
{
	const struct tn_reg *same = shared_reg(r);

	if (same)
		return same;
	p->values[p->nr_values] = *r;
	return &p->values[p->nr_values++];
}

static void fill_frame(const struct tn_state_env *env, const struct tn_state *s, uint32_t i,
		       struct tn_packed *p)
{
	const struct tn_frame *f = &s->frames[i];
	uint32_t live = tn_state_live_regs(env, s, i), insn = live_insn(s, i);

	p->frames[i] = (struct tn_packed_frame){ f->callsite, f->subprog, f->callback, f->rounds };
	for (uint32_t r = 0; r < TN_R10; r++) {
		struct tn_packed_reg *pr;

		if (!f->r[r].kind || !(live >> r & 1))
			continue;
		pr = &p->regs[p->nr_regs++];
		pr->frame = (uint16_t)i;
		pr->place = (uint16_t)r;
		pr->reg = put_value(p, &f->r[r]);
	}
	for (uint32_t j = 0; j < f->nr_slots; j++) {
		const struct tn_slot *slot = &f->slots[j];

		if (slot_is_uninit(slot) || !tn_live_slot(env->live, insn, j))
			continue;
		if (tn_slot_has_spill(slot)) {
			struct tn_packed_reg *r = &p->regs[p->nr_regs++];

			r->frame = (uint16_t)i;
			r->place = (uint16_t)(TN_PLACE_SLOT + j);
			r->reg = put_value(p, &slot->reg);
			memcpy(r->b, slot->b, sizeof(r->b));
		} else {
			struct tn_packed_bytes *b = &p->bytes[p->nr_bytes++];

			*b = (struct tn_packed_bytes){ .frame = (uint16_t)i, .slot = (uint16_t)j };
			memcpy(b->b, slot->b, sizeof(b->b));
		}
	}
}

struct tn_packed *tn_state_pack(struct tn_state_env *env, const struct tn_state *s)
{
	uint32_t nr_regs, nr_values, nr_bytes;
	struct tn_packed *p;
	size_t size;

	count(env, s, &nr_regs, &nr_values, &nr_bytes);
	size = sizeof(*p) + nr_regs * sizeof(p->regs[0]) + nr_values * sizeof(p->values[0]) +
	       s->nr_regions * sizeof(p->regions[0]) + s->nr_facts * sizeof(p->facts[0]) +
	       s->nr_refs * sizeof(p->refs[0]) + s->nr_frames * sizeof(p->frames[0]) +
	       nr_bytes * sizeof(p->bytes[0]);
	p = tn_pool_get(env->rt, &env->pool, size);
	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->size = (uint32_t)size;
	p->insn = s->insn;
	p->trail = s->trail;
	p->locked = s->locked;
	p->lock = s->lock;
	/* Widest alignment first. */
	p->regs = (struct tn_packed_reg *)(p + 1);
	p->values = (struct tn_reg *)(p->regs + nr_regs);
	p->regions = (struct tn_region_state *)(p->values + nr_values);
	p->facts = (struct tn_len_fact *)(p->regions + s->nr_regions);
	p->refs = (struct tn_ref *)(p->facts + s->nr_facts);
	p->frames = (struct tn_packed_frame *)(p->refs + s->nr_refs);
	p->bytes = (struct tn_packed_bytes *)(p->frames + s->nr_frames);
	p->nr_frames = s->nr_frames;
	for (uint32_t i = 0; i < s->nr_frames; i++)
		fill_frame(env, s, i, p);
	p->nr_regions = s->nr_regions;
	p->nr_facts = s->nr_facts;
	p->nr_refs = s->nr_refs;
	memcpy(p->regions, s->regions, s->nr_regions * sizeof(p->regions[0]));
	memcpy(p->facts, s->facts, s->nr_facts * sizeof(p->facts[0]));
	memcpy(p->refs, s->refs, s->nr_refs * sizeof(p->refs[0]));
	return p;
}

void tn_packed_free(struct tn_state_env *env, struct tn_packed *p)
{
	if (!p)
		return;
	tn_pool_put(env->rt, &env->pool, p, p->size);
}

void tn_state_unpack(const struct tn_packed *p, struct tn_state *s)
{
	s->nr_frames = 0;
	for (uint32_t i = 0; i < p->nr_frames; i++) {
		struct tn_frame *f = tn_state_push_frame(s, p->frames[i].subprog,
							 p->frames[i].callsite);

		f->callback = p->frames[i].callback;
		f->rounds = p->frames[i].rounds;
	}
	for (uint32_t i = 0; i < p->nr_regs; i++) {
		const struct tn_packed_reg *r = &p->regs[i];
		struct tn_slot *slot;

		if (r->place < TN_PLACE_SLOT) {
			s->frames[r->frame].r[r->place] = *r->reg;
			continue;
		}
		slot = tn_frame_slot(&s->frames[r->frame], r->place - TN_PLACE_SLOT);
		slot->reg = *r->reg;
		memcpy(slot->b, r->b, sizeof(slot->b));
	}
	for (uint32_t i = 0; i < p->nr_bytes; i++) {
		const struct tn_packed_bytes *b = &p->bytes[i];

		memcpy(tn_frame_slot(&s->frames[b->frame], b->slot)->b, b->b, sizeof(b->b));
	}
	s->insn = p->insn;
	s->trail = p->trail;
	s->locked = p->locked;
	s->lock = p->lock;
	s->nr_regions = p->nr_regions;
	s->nr_facts = p->nr_facts;
	s->nr_refs = p->nr_refs;
	memcpy(s->regions, p->regions, p->nr_regions * sizeof(p->regions[0]));
	memcpy(s->facts, p->facts, p->nr_facts * sizeof(p->facts[0]));
	memcpy(s->refs, p->refs, p->nr_refs * sizeof(p->refs[0]));
}

void tn_state_clean(const struct tn_state_env *env, struct tn_state *s)
{
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		struct tn_frame *f = &s->frames[i];
		uint32_t live = tn_state_live_regs(env, s, i);

		for (uint32_t r = 0; r < TN_R10; r++)
			if (!(live >> r & 1))
				forget(&f->r[r]);
		for (uint32_t j = 0; j < f->nr_slots; j++)
			if (!slot_is_uninit(&f->slots[j]) && !tn_state_live_slot(env, s, i, j))
				forget_slot(&f->slots[j]);
	}
}
