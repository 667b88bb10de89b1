/* SPDX-License-Identifier: MIT */
/*
 * Where paths meet, numbers that decide nothing (liveness.h) are forgotten: two paths that differ
 * in a checksum, a counter or a flag that is only stored are one from there on. A number becomes
 * any number, a known byte of the stack any byte, which adds states and drops none. What is kept:
 * that it is initialised, addresses, and ties to what matters, by which a compare of the forgotten
 * number still says something about the other one.
 *
 * A program may rest on a compare of what was forgotten (a flag that says whether a pointer was
 * set). Then the attempt fails and the next one forgets nothing.
 */
#include "verifier/state.h"

#include <string.h>

#define MAX_KEPT_IDS 32

struct kept {
	uint32_t ids[MAX_KEPT_IDS];
	uint32_t nr;
};

static void keep_id(struct kept *k, uint32_t id)
{
	if (id && k->nr < MAX_KEPT_IDS)
		k->ids[k->nr++] = id;
}

static bool is_kept(const struct kept *k, uint32_t id)
{
	for (uint32_t i = 0; i < k->nr; i++)
		if (k->ids[i] == id)
			return true;
	return k->nr == MAX_KEPT_IDS;
}

static uint32_t insn_of(const struct tn_state *s, uint32_t frame)
{
	return frame + 1 == s->nr_frames ? s->insn : s->frames[frame + 1].callsite;
}

static bool is_unknown(const struct tn_scalar *v)
{
	return !~v->t.mask && !v->umin && !~v->umax && v->smin == INT64_MIN &&
	       v->smax == INT64_MAX && !v->hmin && v->hmax == UINT32_MAX && v->hsmin == INT32_MIN &&
	       v->hsmax == INT32_MAX;
}

static bool forget_reg(const struct kept *k, struct tn_reg *r)
{
	bool tied = r->id && is_kept(k, r->id);

	if (r->kind != TN_REG_SCALAR || (is_unknown(&r->v) && (!r->id || tied)))
		return false;
	if (!tied)
		tn_reg_set_unknown(r);
	r->v = tn_scalar_unknown(TN_W64);
	return true;
}

/* matters: the bytes that do. A spilled number is kept or forgotten as a whole. */
static bool forget_bytes(struct tn_slot *slot, uint32_t matters)
{
	bool spill_matters = false, any = false;
	uint64_t all;

	/* ZERO and SPILL alone have this bit, and nothing else is forgotten. */
	_Static_assert(TN_BYTE_ZERO == 2 && TN_BYTE_SPILL == 3 && TN_BYTE_POISON == 4, "bytes");
	_Static_assert(TN_BYTE_UNINIT == 0 && TN_BYTE_MISC == 1, "bytes");
	memcpy(&all, slot->b, sizeof(all));
	if (!(all & UINT64_C(0x0202020202020202)))
		return false;
	for (uint32_t j = 0; j < 8; j++)
		spill_matters |= slot->b[j] == TN_BYTE_SPILL &&
				 (matters >> j & 1 || slot->reg.kind != TN_REG_SCALAR);
	for (uint32_t j = 0; j < 8; j++) {
		if (slot->b[j] == TN_BYTE_SPILL ? spill_matters
						: slot->b[j] != TN_BYTE_ZERO || matters >> j & 1)
			continue;
		slot->b[j] = TN_BYTE_MISC;
		any = true;
	}
	return any;
}

/* Ids of what is live and matters, or is an address. */
static void find_kept(const struct tn_state_env *env, const struct tn_state *s, struct kept *k)
{
	k->nr = 0;
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];
		uint32_t insn = insn_of(s, i), live = env->live->regs[insn],
			 matters = env->live->matters[insn];

		for (uint32_t r = 0; r < TN_R10; r++)
			if (live >> r & 1 && (matters >> r & 1 || f->r[r].kind != TN_REG_SCALAR))
				keep_id(k, f->r[r].id);
		for (uint32_t j = 0; j < f->nr_slots; j++)
			if (tn_live_bytes(env->live, env->live->stack_matters, insn, j) &&
			    memchr(f->slots[j].b, TN_BYTE_SPILL, 8))
				keep_id(k, f->slots[j].reg.id);
	}
}

static bool forget_frame(const struct tn_state_env *env, struct tn_frame *f, uint32_t insn,
			 const struct kept *k)
{
	const struct tn_liveness *l = env->live;
	uint32_t idle = l->regs[insn] & ~l->matters[insn];
	bool any = false;

	for (uint32_t r = 0; r < TN_R10; r++)
		if (idle >> r & 1)
			any |= forget_reg(k, &f->r[r]);
	for (uint32_t j = 0; j < f->nr_slots; j++) {
		uint32_t live = tn_live_slot(l, insn, j);
		uint32_t matters = tn_live_bytes(l, l->stack_matters, insn, j);

		if (live & ~matters)
			any |= forget_bytes(&f->slots[j], matters);
	}
	return any;
}

bool tn_state_forget(const struct tn_state_env *env, struct tn_state *s)
{
	struct kept k;
	bool any = false, idle = false;

	for (uint32_t i = 0; i < s->nr_frames; i++)
		idle |= env->live->idle[insn_of(s, i)];
	if (!idle)
		return false;
	find_kept(env, s, &k);
	for (uint32_t i = 0; i < s->nr_frames; i++)
		any |= forget_frame(env, &s->frames[i], insn_of(s, i), &k);
	return any;
}
