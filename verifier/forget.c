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
#include "verifier/packed.h"

#define MAX_KEPT_IDS 32

struct kept {
	uint32_t ids[MAX_KEPT_IDS];
	uint32_t nr;
	bool found;
};

static void keep_id(struct kept *k, uint32_t id)
{
	if (id && k->nr < MAX_KEPT_IDS)
		k->ids[k->nr++] = id;
}

/* Ids of what is live and matters, or is an address. */
static void find_kept(const struct tn_state_env *env, const struct tn_state *s, struct kept *k)
{
	k->found = true;
	k->nr = 0;
	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];
		uint32_t insn = tn_state_insn_of(s, i), live = env->live->regs[insn],
			 matters = env->live->matters[insn];

		for (uint32_t r = 0; r < TN_R10; r++)
			if (live >> r & 1 && (matters >> r & 1 || f->r[r].kind != TN_REG_SCALAR))
				keep_id(k, f->r[r].id);
		TN_EACH_SLOT(env->live, env->live->stack_matters, insn, f, j)
		if (tn_slot_has_spill(&f->slots[j]))
			keep_id(k, f->slots[j].reg.id);
	}
}

static bool is_kept(const struct kept *k, uint32_t id)
{
	for (uint32_t i = 0; i < k->nr; i++)
		if (k->ids[i] == id)
			return true;
	return k->nr == MAX_KEPT_IDS;
}

static bool is_unknown(const struct tn_scalar *v)
{
	return !~v->t.mask && !v->umin && !~v->umax && v->smin == INT64_MIN &&
	       v->smax == INT64_MAX && !v->hmin && v->hmax == UINT32_MAX && v->hsmin == INT32_MIN &&
	       v->hsmax == INT32_MAX;
}

struct forgetting {
	const struct tn_state_env *env;
	struct tn_state *s;
	/* Found when an id is met first. What was forgotten before then does not matter, nor do
	 * ties to it. */
	struct kept kept;
	bool any;
};

static void forget_reg(struct forgetting *f, struct tn_reg *r)
{
	bool unknown, tied = false;

	if (r->kind != TN_REG_SCALAR)
		return;
	unknown = is_unknown(&r->v);
	if (r->id) {
		if (!f->kept.found)
			find_kept(f->env, f->s, &f->kept);
		tied = is_kept(&f->kept, r->id);
	}
	if (unknown && (!r->id || tied))
		return;
	if (tied)
		r->v = tn_scalar_unknown(TN_W64);
	else
		tn_reg_set_unknown(r);
	f->any = true;
}

/* matters: the bytes that do. A spilled number is kept or forgotten as a whole. */
static void forget_bytes(struct forgetting *f, struct tn_slot *slot, uint32_t matters)
{
	static const uint8_t halves[4][8] = {
		{ 0 }, { 1, 1, 1, 1 }, { 0, 0, 0, 0, 1, 1, 1, 1 }, { 1, 1, 1, 1, 1, 1, 1, 1 }
	};
	uint64_t all = tn_bytes_of(slot->b), keep, spilled, gone;

	/* Nothing but zeroes and spilled bytes is forgotten. */
	spilled = tn_bytes_equal(all, TN_BYTE_SPILL);
	gone = tn_bytes_equal(all, TN_BYTE_ZERO) | spilled;
	if (!gone)
		return;
	keep = tn_bytes_of(halves[(matters & 1) | (matters >> 6 & 2)]);
	if (spilled && (spilled & keep || slot->reg.kind != TN_REG_SCALAR))
		keep |= spilled;
	gone &= ~keep;
	if (!gone)
		return;
	all = (all & ~(gone * 0xff)) | gone * TN_BYTE_MISC;
	memcpy(slot->b, &all, sizeof(all));
	f->any = true;
}

static void forget_frame(struct forgetting *f, struct tn_frame *frame, uint32_t insn)
{
	const struct tn_liveness *l = f->env->live;

	for (uint32_t idle = l->regs[insn] & ~l->matters[insn]; idle; idle &= idle - 1)
		forget_reg(f, &frame->r[__builtin_ctz(idle)]);
	for (uint32_t w = 0; w < l->stack_words[insn] && w * 32 < frame->nr_slots; w++) {
		uint64_t live = l->stack[l->stack_at[insn] + w];
		uint64_t idle = live & ~l->stack_matters[l->stack_at[insn] + w];

		for (idle = tn_granule_slots(idle, w, frame->nr_slots); idle; idle &= idle - 1) {
			uint32_t j = w * 32 + (uint32_t)__builtin_ctzll(idle) / 2;

			forget_bytes(f, &frame->slots[j],
				     tn_live_bytes(l, l->stack_matters, insn, j));
		}
	}
}

bool tn_state_forget(const struct tn_state_env *env, struct tn_state *s)
{
	struct forgetting f;
	bool idle = false;

	for (uint32_t i = 0; i < s->nr_frames; i++)
		idle |= env->live->idle[tn_state_insn_of(s, i)];
	if (!idle)
		return false;
	f.env = env;
	f.s = s;
	f.kept.nr = 0;
	f.kept.found = f.any = false;
	for (uint32_t i = 0; i < s->nr_frames; i++)
		forget_frame(&f, &s->frames[i], tn_state_insn_of(s, i));
	return f.any;
}
