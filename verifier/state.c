/* SPDX-License-Identifier: MIT */
/* The abstract machine's states: registers, frames, and putting states away. */
#include "verifier/packed.h"
#include "verifier/mutant.h"

#include <string.h>

int tn_state_init(struct tn_state_env *env, struct tn_state *s)
{
	struct tn_slot *slots;

	memset(s, 0, sizeof(*s));
	/* Not zeroed: what is taken into use is forgotten first. */
	s->frames = tn_realloc_array(env->rt, NULL, env->max_frames, sizeof(s->frames[0]));
	slots = tn_realloc_array(env->rt, NULL, (size_t)env->max_frames * env->max_slots,
				 sizeof(*slots));
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

static void forget_slot(struct tn_slot *slot)
{
	memset(slot->b, 0, sizeof(slot->b));
	tn_reg_forget(&slot->reg);
}

static void set_frame_pointer(struct tn_frame *f, uint32_t frame)
{
	static const struct tn_reg fp = { .kind = TN_REG_STACK, .scale = 1 };

	f->r[TN_R10] = fp;
	f->r[TN_R10].frame = (uint8_t)frame;
}

struct tn_frame *tn_state_push_frame(struct tn_state *s, uint32_t subprog, uint32_t callsite)
{
	struct tn_frame *f = &s->frames[s->nr_frames];

	for (uint32_t i = 0; i < TN_R10; i++)
		tn_reg_forget(&f->r[i]);
	set_frame_pointer(f, s->nr_frames);
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

uint32_t tn_state_live_regs(const struct tn_state_env *env, const struct tn_state *s,
			    uint32_t frame)
{
	uint32_t insn = tn_state_insn_of(s, frame);
	uint32_t live = tn_live_regs(env->live, insn);

	/* A callback's return comes back to the call with the arguments in r1 to r5. */
	if (frame + 1 < s->nr_frames && !s->frames[frame + 1].callback)
		live &= 0x3c0;
	return live & (TN_MUT(LIVE_REGISTERS) ? 0x1ff : 0x3ff);
}

bool tn_state_live_slot(const struct tn_state_env *env, const struct tn_state *s, uint32_t frame,
			uint32_t slot)
{
	return tn_live_slot(env->live, tn_state_insn_of(s, frame), slot) != 0;
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

	if (r->id || r->what[0] != same->what[0] || r->v.umin || r->v.umax != same->v.umax ||
	    memcmp(r, same, sizeof(*r)) != 0)
		return NULL;
	return same;
}

/* Lists of what is live, before it is known how long they get; the next place in each. */
struct found {
	struct tn_packed_frame *frame;
	struct tn_packed_reg *reg; /* `reg` of it in the state as yet, unless shared */
	struct tn_packed_bytes *bytes;
	uint32_t nr_values;
	bool complete;
};

static inline void find_reg(struct found *n, uint32_t frame, uint32_t place, const struct tn_reg *r)
{
	const struct tn_reg *same = shared_reg(r);

	n->reg->frame = (uint16_t)frame;
	n->reg->place = (uint16_t)place;
	n->reg->shared = same != NULL;
	n->reg->reg = same ? same : r;
	n->reg++;
	n->nr_values += !same;
}

static void find_in_frame(const struct tn_state_env *env, const struct tn_state *s, uint32_t i,
			  struct found *to)
{
	const struct tn_frame *f = &s->frames[i];
	uint32_t insn = tn_state_insn_of(s, i), nr_slots = 0;
	uint16_t regs = 0;
	struct found n = *to;

	for (uint32_t live = tn_state_live_regs(env, s, i); live; live &= live - 1) {
		uint32_t r = (uint32_t)__builtin_ctz(live);

		if (!f->r[r].kind)
			continue;
		regs |= (uint16_t)(1u << r);
		find_reg(&n, i, r, &f->r[r]);
	}
	TN_EACH_SLOT(env->live, env->live->stack, insn, f, j)
	{
		const struct tn_slot *slot = &f->slots[j];
		uint64_t all = tn_bytes_of(slot->b);

		if (!all) {
			n.complete = false;
			continue;
		}
		nr_slots = (uint32_t)j + 1;
		if (tn_slot_has_spill(slot)) {
			memcpy(n.reg->b, &all, sizeof(all));
			find_reg(&n, i, TN_PLACE_SLOT + (uint32_t)j, &slot->reg);
		} else {
			n.bytes->frame = (uint16_t)i;
			n.bytes->slot = (uint16_t)j;
			memcpy(n.bytes->b, &all, sizeof(all));
			n.bytes++;
		}
	}
	n.complete = n.complete && !tn_live_beyond(env->live, insn, f->nr_slots);
	*n.frame++ = (struct tn_packed_frame){ .callsite = f->callsite,
					       .subprog = f->subprog,
					       .callback = f->callback,
					       .regs = regs,
					       .nr_slots = nr_slots,
					       .rounds = f->rounds };
	*to = n;
}

static void fill_values(struct tn_packed *p)
{
	struct tn_reg *value = p->values;

	for (uint32_t i = 0; i < p->nr_regs; i++) {
		if (p->regs[i].shared)
			continue;
		*value = *p->regs[i].reg;
		p->regs[i].reg = value++;
	}
}

static void fill(struct tn_packed *p, const struct tn_state *s, const struct tn_packed_reg *regs,
		 const struct tn_packed_frame *frames, const struct tn_packed_bytes *bytes)
{
	p->insn = s->insn;
	p->trail = s->trail;
	p->locked = s->locked;
	p->lock = s->lock;
	p->nr_frames = s->nr_frames;
	p->nr_regions = s->nr_regions;
	p->nr_facts = s->nr_facts;
	p->nr_refs = s->nr_refs;
	/* Widest alignment first. */
	p->regs = (struct tn_packed_reg *)(p + 1);
	p->values = (struct tn_reg *)(p->regs + p->nr_regs);
	p->regions = (struct tn_region_state *)(p->values + p->nr_values);
	p->facts = (struct tn_len_fact *)(p->regions + p->nr_regions);
	p->refs = (struct tn_ref *)(p->facts + p->nr_facts);
	p->frames = (struct tn_packed_frame *)(p->refs + p->nr_refs);
	p->bytes = (struct tn_packed_bytes *)(p->frames + p->nr_frames);
	memcpy(p->regs, regs, p->nr_regs * sizeof(*regs));
	memcpy(p->bytes, bytes, p->nr_bytes * sizeof(*bytes));
	fill_values(p);
	for (uint32_t i = 0; i < s->nr_frames; i++)
		p->frames[i] = frames[i];
	for (uint32_t i = 0; i < s->nr_regions; i++)
		p->regions[i] = s->regions[i];
	for (uint32_t i = 0; i < s->nr_facts; i++)
		p->facts[i] = s->facts[i];
	for (uint32_t i = 0; i < s->nr_refs; i++)
		p->refs[i] = s->refs[i];
}

struct tn_packed *tn_state_pack(struct tn_state_env *env, const struct tn_state *s)
{
	uint32_t most = 0, nr_regs, nr_bytes;
	struct tn_packed_frame *frames;
	struct tn_packed_bytes *bytes;
	struct tn_packed_reg *regs;
	struct tn_packed *p;
	struct found n;
	size_t room, size;

	for (uint32_t i = 0; i < s->nr_frames; i++)
		most += TN_R10 + s->frames[i].nr_slots;
	room = most * (sizeof(*regs) + sizeof(*bytes)) + s->nr_frames * sizeof(*frames);
	regs = tn_pool_get(env->rt, &env->pool, room);
	if (!regs)
		return NULL;
	frames = (struct tn_packed_frame *)(regs + most);
	bytes = (struct tn_packed_bytes *)(frames + s->nr_frames);
	n = (struct found){ .frame = frames, .reg = regs, .bytes = bytes, .complete = true };
	for (uint32_t i = 0; i < s->nr_frames; i++)
		find_in_frame(env, s, i, &n);
	nr_regs = (uint32_t)(n.reg - regs);
	nr_bytes = (uint32_t)(n.bytes - bytes);
	size = sizeof(*p) + nr_regs * sizeof(*regs) + n.nr_values * sizeof(p->values[0]) +
	       s->nr_regions * sizeof(p->regions[0]) + s->nr_facts * sizeof(p->facts[0]) +
	       s->nr_refs * sizeof(p->refs[0]) + s->nr_frames * sizeof(*frames) +
	       nr_bytes * sizeof(*bytes);
	p = tn_pool_get(env->rt, &env->pool, size);
	if (p) {
		p->size = (uint32_t)size;
		p->nr_regs = nr_regs;
		p->nr_values = n.nr_values;
		p->complete = n.complete;
		p->nr_bytes = nr_bytes;
		fill(p, s, regs, frames, bytes);
	}
	tn_pool_put(env->rt, &env->pool, regs, room);
	return p;
}

void tn_packed_free(struct tn_state_env *env, struct tn_packed *p)
{
	if (!p)
		return;
	tn_pool_put(env->rt, &env->pool, p, p->size);
}

/* A frame without what it holds: all that no register or slot of `from` is about to fill. */
static void unpack_frame(const struct tn_packed_frame *from, struct tn_frame *f, uint32_t frame)
{
	f->callsite = from->callsite;
	f->subprog = from->subprog;
	f->callback = from->callback;
	f->rounds = from->rounds;
	f->nr_slots = from->nr_slots;
	set_frame_pointer(f, frame);
	for (uint32_t r = 0; r < TN_R10; r++)
		if (!(from->regs >> r & 1))
			tn_reg_forget(&f->r[r]);
	for (uint32_t j = 0; j < from->nr_slots; j++)
		forget_slot(&f->slots[j]);
}

void tn_state_unpack(const struct tn_packed *p, struct tn_state *s)
{
	s->nr_frames = p->nr_frames;
	for (uint32_t i = 0; i < p->nr_frames; i++)
		unpack_frame(&p->frames[i], &s->frames[i], i);
	for (uint32_t i = 0; i < p->nr_regs; i++) {
		const struct tn_packed_reg *r = &p->regs[i];
		struct tn_slot *slot;

		if (r->place < TN_PLACE_SLOT) {
			s->frames[r->frame].r[r->place] = *r->reg;
			continue;
		}
		slot = &s->frames[r->frame].slots[r->place - TN_PLACE_SLOT];
		slot->reg = *r->reg;
		memcpy(slot->b, r->b, sizeof(slot->b));
	}
	for (uint32_t i = 0; i < p->nr_bytes; i++) {
		const struct tn_packed_bytes *b = &p->bytes[i];

		memcpy(s->frames[b->frame].slots[b->slot].b, b->b, sizeof(b->b));
	}
	s->insn = p->insn;
	s->trail = p->trail;
	s->locked = p->locked;
	s->lock = p->lock;
	s->nr_regions = p->nr_regions;
	s->nr_facts = p->nr_facts;
	s->nr_refs = p->nr_refs;
	for (uint32_t i = 0; i < p->nr_regions; i++)
		s->regions[i] = p->regions[i];
	for (uint32_t i = 0; i < p->nr_facts; i++)
		s->facts[i] = p->facts[i];
	for (uint32_t i = 0; i < p->nr_refs; i++)
		s->refs[i] = p->refs[i];
}

static void clean_slots(const struct tn_liveness *live, uint32_t insn, struct tn_frame *f)
{
	for (uint32_t w = 0; w * 32 < f->nr_slots; w++) {
		uint64_t dead = tn_granule_slots(~UINT64_C(0), w, f->nr_slots) &
				~tn_live_slots(live, live->stack, insn, w, f->nr_slots);

		for (; dead; dead &= dead - 1) {
			struct tn_slot *slot = &f->slots[w * 32 + __builtin_ctzll(dead) / 2];

			if (!tn_slot_is_uninit(slot))
				forget_slot(slot);
		}
	}
}

void tn_state_clean(const struct tn_state_env *env, struct tn_state *s)
{
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		struct tn_frame *f = &s->frames[i];
		uint32_t dead = ~tn_state_live_regs(env, s, i) & ((1u << TN_R10) - 1);

		for (; dead; dead &= dead - 1)
			tn_reg_forget(&f->r[__builtin_ctz(dead)]);
		clean_slots(env->live, tn_state_insn_of(s, i), f);
	}
}
