/* SPDX-License-Identifier: MIT */
/*
 * The walk: every path, depth first, until states repeat.
 *
 * Where paths meet, a state that is contained in one kept there needs no further look: whatever the
 * larger one can do was or will be walked, and the program is accepted only when all of it was
 * fine. This also closes loops: a kept state at a loop's head that contains what comes back over
 * the back edge is an invariant of the loop. To get there the first rounds are walked as they are,
 * then the state is widened; beyond K states at a merge point they are joined. Both only add
 * states, so they can only refuse too much: then the attempt is repeated without them, see
 * verify.c.
 */
#include "verifier/engine.h"
#include "verifier/global.h"
#include "verifier/packed.h"
#include "verifier/throw.h"
#include "verifier/timer.h"

#include <errno.h>
#include <string.h>

#define KEEP_STATES   12
#define UNROLL_ROUNDS 3
/* After so many joins at one place, one more grows to the next threshold: each join makes all that
 * follows be walked again. */
#define JOIN_ROUNDS 4
/* Kept states that a new one is compared with, newest first. */
#define COMPARE_STATES 24
/* Between meeting places: states kept at one, and steps of a path from one kept state to another.
 */
#define PASS_STATES 4
/* Places of states looked at that take the time of one step, at most. */
#define STEP_PLACES 16
#define PASS_STEPS  4

/* ---- Trails: allocated in chunks, freed with the attempt ---- */

#define TRAIL_CHUNK 1024

struct tn_trail_arena {
	struct tn_trail_arena *next;
	uint32_t nr;
	struct tn_trail v[TRAIL_CHUNK];
};

int tn_over_memory(struct tn_vf *vf)
{
	char where[256];

	if (vf->senv.pool.bytes <= vf->senv.pool.max_bytes)
		return -ENOMEM;
	tn_usage_words(vf, where, sizeof(where), &vf->s.insn);
	return tn_reject(vf, E_LIMIT, -1,
			 "the verifier's memory limit of %llu bytes is met after %llu steps: %s",
			 (unsigned long long)vf->senv.pool.max_bytes, (unsigned long long)vf->steps,
			 where);
}

int tn_walk_trail(struct tn_vf *vf, uint8_t kind)
{
	struct tn_trail *t;

	if (!vf->trails || vf->trails->nr == TRAIL_CHUNK) {
		struct tn_trail_arena *a;

		if (!tn_pool_charge(&vf->senv.pool, sizeof(*a)))
			return tn_over_memory(vf);
		a = tn_alloc(vf->rt, sizeof(*a));
		if (!a)
			return -ENOMEM;
		a->next = vf->trails;
		a->nr = 0;
		vf->trails = a;
	}
	t = &vf->trails->v[vf->trails->nr++];
	*t = (struct tn_trail){ .prev = vf->s.trail, .insn = vf->s.insn, .kind = kind };
	vf->s.trail = t;
	return 0;
}

static void free_saved(struct tn_vf *vf, struct tn_saved *s)
{
	tn_packed_free(&vf->senv, s->state);
	tn_pool_put(vf->rt, &vf->senv.pool, s, sizeof(*s));
}

/* What is kept is in the pool and goes with it, but for large blocks. */
static void free_all_saved(struct tn_vf *vf)
{
	uint32_t nr = vf->prog->nr_insns;

	for (uint32_t i = 0; vf->kept_large && i < nr; i++) {
		struct tn_saved_list *list = &vf->saved[i];

		while (list->first) {
			struct tn_saved *s = list->first;

			list->first = s->next;
			free_saved(vf, s);
		}
	}
	if (vf->senv.pool.chunks)
		memset(vf->saved, 0, nr * sizeof(vf->saved[0]));
	vf->kept_large = false;
}

void tn_walk_free(struct tn_vf *vf)
{
	while (vf->trails) {
		struct tn_trail_arena *a = vf->trails;

		vf->trails = a->next;
		vf->senv.pool.bytes -= sizeof(*a);
		tn_free(vf->rt, a);
	}
	tn_pending_clear(vf);
	free_all_saved(vf);
	tn_pool_fini(vf->rt, &vf->senv.pool);
}

/* ---- Where paths meet ---- */

static bool is_checkpoint(const struct tn_vf *vf, uint8_t meets)
{
	return meets & TN_MEETS_CHECKPOINT ||
	       (meets & TN_MEETS_SUBPROG && vf->s.nr_frames > 1 &&
		vf->prog->subprogs[vf->s.frames[vf->s.nr_frames - 1].subprog].start == vf->s.insn);
}

static bool arrives_back(const struct tn_vf *vf, uint32_t loop)
{
	if (vf->back_arrival)
		return true;
	return loop != TN_NONE && vf->prev != TN_NONE &&
	       tn_structure_loop_within(vf->structure, vf->structure->sites[vf->prev].loop, loop);
}

static bool is_covered(struct tn_vf *vf, struct tn_saved_list *list)
{
	uint32_t n = 0;

	for (struct tn_saved *s = list->first; s && n < COMPARE_STATES; s = s->next, n++) {
		if (!tn_glance_passes(&s->glance, &vf->s))
			continue;
		vf->compared += s->state->nr_regs + s->state->nr_bytes;
		if (tn_packed_covers(&vf->senv, s->state, &vf->s, &s->hint))
			return true;
		s->glance = tn_packed_glance(s->state, s->hint);
	}
	return false;
}

/* What is not compared any more need not be kept; what was pruned by it stays walked. */
static void drop_oldest(struct tn_vf *vf, struct tn_saved_list *list)
{
	struct tn_saved **p = &list->first, *s;

	while ((*p)->next)
		p = &(*p)->next;
	s = *p;
	*p = NULL;
	list->nr--;
	list->nr_back -= s->back;
	free_saved(vf, s);
}

static int keep(struct tn_vf *vf, struct tn_saved_list *list, bool back)
{
	struct tn_saved *s = tn_pool_get(vf->rt, &vf->senv.pool, sizeof(*s));

	if (!s)
		return tn_over_memory(vf);
	s->state = tn_state_pack(&vf->senv, &vf->s);
	if (!s->state) {
		tn_pool_put(vf->rt, &vf->senv.pool, s, sizeof(*s));
		return tn_over_memory(vf);
	}
	/* What is walked from here is what is kept, no less: a dead number that is tied to a live
	 * one would go on saying where that one is, and the paths that it shuts are open to states
	 * that the kept one contains. */
	if (!TN_MUT(KEEP_NOT_CLEANED))
		tn_state_clean(&vf->senv, &vf->s);
	vf->places += s->state->nr_regs + s->state->nr_bytes;
	vf->kept_large |= tn_pool_is_large(s->state->size);
	s->back = back;
	s->hint = 0;
	s->glance.set = false;
	s->next = list->first;
	list->first = s;
	list->nr++;
	list->nr_back += back;
	vf->nr_states++;
	vf->kept_at = vf->steps;
	if (list->nr > 2 * COMPARE_STATES)
		drop_oldest(vf, list);
	return 0;
}

static void copy_state(struct tn_vf *vf, struct tn_state *to, const struct tn_state *from)
{
	struct tn_frame *frames = to->frames;

	*to = *from;
	to->frames = frames;
	for (uint32_t i = 0; i < from->nr_frames; i++) {
		struct tn_slot *slots = frames[i].slots;

		frames[i] = from->frames[i];
		frames[i].slots = slots;
		memcpy(slots, from->frames[i].slots, from->frames[i].nr_slots * sizeof(*slots));
		/* For all else that a merge does with them, too. */
		vf->places += 4 * (TN_NR_REGS + from->frames[i].nr_slots);
	}
}

static void add_threshold(int64_t *v, uint32_t *nr, int64_t t)
{
	uint32_t i = *nr;

	for (uint32_t j = 0; j < *nr; j++)
		if (v[j] == t)
			return;
	for (; i && v[i - 1] > t; i--)
		v[i] = v[i - 1];
	v[i] = t;
	(*nr)++;
}

#define MORE_THRESHOLDS 6

/* Where a growing number may stop: constants compared in the loop, ends of types, and the largest
 * lengths of regions. */
static uint32_t find_thresholds(const struct tn_vf *vf, uint32_t loop,
				int64_t v[TN_MAX_THRESHOLDS + MORE_THRESHOLDS])
{
	const struct tn_loop *loops = vf->structure->loops;
	uint32_t nr = 0;

	/* An inner loop must not carry the counter of an outer one past that one's end. */
	for (; loop != TN_NONE; loop = loops[loop].parent)
		for (uint32_t i = 0; i < loops[loop].nr_thresholds && nr < TN_MAX_THRESHOLDS; i++)
			add_threshold(v, &nr,
				      vf->structure->thresholds[loops[loop].first_threshold + i]);
	add_threshold(v, &nr, 0);
	add_threshold(v, &nr, UINT16_MAX);
	add_threshold(v, &nr, INT32_MAX);
	add_threshold(v, &nr, UINT32_MAX);
	add_threshold(v, &nr, (int64_t)TN_REGION_MAX_BYTES);
	return nr;
}

/* Which kept states may be merged with. */
enum candidates { ANY_STATE, BACK_STATES, SAME_ROUND };

static bool may_merge(const struct tn_vf *vf, const struct tn_saved *s, enum candidates which)
{
	if (!tn_packed_same_shape(s->state, &vf->s))
		return false;
	if (which == BACK_STATES)
		return s->back;
	return which == ANY_STATE || tn_packed_same_constants(s->state, &vf->s);
}

/* Merge the current state with the newest kept one that it can be merged with. */
static int merge_with_kept(struct tn_vf *vf, struct tn_saved_list *list, enum tn_merge_how how,
			   uint32_t loop, enum candidates which)
{
	int64_t thresholds[TN_MAX_THRESHOLDS + MORE_THRESHOLDS];
	uint32_t nr = find_thresholds(vf, loop, thresholds), tries = 0, n = 0;

	for (struct tn_saved **p = &list->first; *p && tries < 4 && n < COMPARE_STATES;
	     p = &(*p)->next, n++) {
		struct tn_saved *s = *p;

		if (!may_merge(vf, s, which))
			continue;
		tries++;
		copy_state(vf, &vf->merged, &vf->s);
		tn_state_clean(&vf->senv, &vf->merged);
		tn_state_unpack(s->state, &vf->scratch);
		if (!tn_state_merge(&vf->senv, &vf->scratch, &vf->merged, how, thresholds, nr))
			continue;
		copy_state(vf, &vf->s, &vf->merged);
		/* The kept one is contained in what takes its place. */
		*p = s->next;
		list->nr--;
		list->nr_back -= s->back;
		free_saved(vf, s);
		return tn_walk_trail(vf, which == BACK_STATES ? TN_TRAIL_WIDEN : TN_TRAIL_JOIN);
	}
	return 0;
}

/* *covered: nothing new is here. */
static int meet(struct tn_vf *vf, bool *covered)
{
	struct tn_saved_list *list = &vf->saved[vf->s.insn];
	struct tn_insn_seen *seen = &vf->seen[vf->s.insn];
	uint32_t loop = vf->loop_of[vf->s.insn];
	bool back = arrives_back(vf, loop), forgets = !vf->exact && !seen->unroll;
	enum tn_merge_how how;
	int err = 0;

	if (loop != TN_NONE) {
		if (forgets)
			vf->forgot |= tn_state_forget(&vf->senv, &vf->s);
		tn_counters_arrive(vf->counters, loop, back, tn_state_top(&vf->s));
	}
	*covered = is_covered(vf, list);
	if (*covered) {
		vf->pruned++;
		return 0;
	}
	/* What contains the state after this contains it before, so it is done to few of them. */
	if (forgets && loop == TN_NONE)
		vf->forgot |= tn_state_forget(&vf->senv, &vf->s);
	how = seen->joins < JOIN_ROUNDS ? TN_MERGE_JOIN : TN_MERGE_WIDEN;
	if (back && !seen->unroll && list->nr_back >= UNROLL_ROUNDS) {
		err = merge_with_kept(vf, list, TN_MERGE_WIDEN, loop, BACK_STATES);
	} else if (list->nr >= KEEP_STATES) {
		bool apart = seen->no_join || seen->unroll;

		/* Where rounds are walked one by one, what differs within a round is still joined.
		 */
		seen->joins += seen->joins < JOIN_ROUNDS;
		err = merge_with_kept(vf, list, how, vf->structure->sites[vf->s.insn].loop,
				      apart ? SAME_ROUND : ANY_STATE);
	}
	if (!err)
		err = keep(vf, list, back);
	return err;
}

/* Between the places where paths meet: many paths may come through here one after the other. A
 * state now and then ends the later ones early. */
static int pass_by(struct tn_vf *vf, bool *covered)
{
	struct tn_saved_list *list = &vf->saved[vf->s.insn];

	*covered = is_covered(vf, list);
	if (*covered) {
		vf->pruned++;
		return 0;
	}
	if (vf->steps - vf->kept_at < PASS_STEPS || list->nr >= PASS_STATES)
		return 0;
	return keep(vf, list, false);
}

/* ---- One step ---- */

static void go(struct tn_vf *vf, uint32_t to)
{
	vf->s.insn = to;
}

static int take_branch(struct tn_vf *vf, bool taken, const struct tn_outcomes *out)
{
	const struct tn_site *site = &vf->structure->sites[vf->s.insn];
	int err;

	vf->seen[vf->s.insn].flags |= taken ? TN_SEEN_TAKEN : TN_SEEN_FALL;
	if (!tn_branch_assume(vf, taken, out)) {
		vf->ended = true;
		return 0;
	}
	err = tn_walk_trail(vf, taken ? TN_TRAIL_TAKEN : TN_TRAIL_BRANCH);
	go(vf, taken ? site->target : vf->s.insn + 1);
	return err;
}

/* Stay in the loop first: its widened state then covers what the early rounds leave behind. */
static bool taken_first(const struct tn_vf *vf)
{
	const struct tn_structure *s = vf->structure;
	const struct tn_site *site = &s->sites[vf->s.insn];

	return site->loop != TN_NONE &&
	       tn_structure_loop_within(s, s->sites[site->target].loop, site->loop) &&
	       !tn_structure_loop_within(s, s->sites[vf->s.insn + 1].loop, site->loop);
}

static int do_jump(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	struct tn_outcomes out;
	bool first;
	int err;

	tn_ref_note_held(vf, false);
	if (tn_insn_is_ja(insn)) {
		vf->seen[vf->s.insn].flags |= TN_SEEN_TAKEN;
		go(vf, vf->structure->sites[vf->s.insn].target);
		return 0;
	}
	err = tn_branch_outcomes(vf, &out);
	if (err)
		return err;
	if (!out.fall && !out.taken) {
		vf->ended = true;
		return 0;
	}
	if (out.fall != out.taken)
		return take_branch(vf, out.taken, &out);
	first = taken_first(vf);
	err = tn_walk_push_branch(vf, first ? TN_RESUME_FALL : TN_RESUME_TAKEN, &out);
	return err ? err : take_branch(vf, first, &out);
}

static int step(struct tn_vf *vf)
{
	const struct tn_insn *insn = tn_vf_insn(vf);
	int err;

	switch (TN_CLASS(insn->code)) {
	case TN_ALU:
	case TN_ALU64:
		err = tn_do_alu(vf);
		break;
	case TN_LDX:
		err = tn_do_load(vf);
		break;
	case TN_ST:
		err = tn_do_store(vf);
		break;
	case TN_STX:
		err = TN_MODE(insn->code) == TN_ATOMIC ? tn_do_atomic(vf) : tn_do_store(vf);
		break;
	case TN_LD:
		if (!tn_insn_is_lddw(insn)) {
			err = tn_do_ld_packet(vf);
			break;
		}
		err = tn_do_lddw(vf);
		vf->s.insn += !err;
		break;
	default:
		if (TN_OP(insn->code) == TN_CALL && TN_CLASS(insn->code) == TN_JMP)
			return tn_do_call(vf);
		if (TN_OP(insn->code) == TN_EXIT && TN_CLASS(insn->code) == TN_JMP)
			return tn_do_exit(vf);
		return do_jump(vf);
	}
	vf->s.insn += !err;
	return err;
}

uint64_t tn_walk_work(const struct tn_vf *vf)
{
	uint64_t places = (vf->places + vf->compared) / STEP_PLACES;

	return TN_MAX(vf->steps, places);
}

static int out_of_steps(struct tn_vf *vf)
{
	char where[256];

	tn_usage_words(vf, where, sizeof(where), &vf->s.insn);
	return tn_reject(vf, E_LIMIT, -1, "the verifier's limit of %u steps is met%s: %s",
			 vf->rt->limits.max_verifier_steps,
			 vf->steps > vf->rt->limits.max_verifier_steps
				 ? ""
				 : ", most of them for comparing states",
			 where);
}

/* Along one path until it ends or repeats. */
static int follow(struct tn_vf *vf)
{
	bool covered;
	int err;

	for (vf->ended = false; !vf->ended;) {
		uint8_t meets = vf->meets[vf->s.insn];

		if (meets && is_checkpoint(vf, meets)) {
			err = meet(vf, &covered);
			if (err || covered)
				return err;
		} else if (meets & TN_MEETS_BLOCK) {
			err = pass_by(vf, &covered);
			if (err || covered)
				return err;
		}
		vf->back_arrival = false;
		if (++vf->steps > vf->rt->limits.max_verifier_steps ||
		    vf->places / STEP_PLACES > vf->rt->limits.max_verifier_steps)
			return out_of_steps(vf);
		if (!vf->visits[vf->s.insn]++)
			vf->facts->insns[vf->s.insn].flags |= TN_FACT_REACHED;
		if (vf->env->log_level > 1)
			tn_log_state(vf);
		if (vf->env->observe)
			vf->env->observe(vf->env->observe_user, &vf->senv, &vf->s, false);
		vf->prev = vf->s.insn;
		err = step(vf);
		if (err)
			return err;
	}
	return 0;
}

/* Take up a state; what is to be done at its instruction is done without meeting others there. */
static int take_up(struct tn_vf *vf, enum tn_resume how, const struct tn_outcomes *out)
{
	int err;

	vf->shifted_at = TN_NONE;
	vf->prev = vf->s.insn;
	vf->kept_at = vf->steps;
	vf->ended = vf->back_arrival = false;
	switch (how) {
	case TN_RESUME_TAKEN:
		return take_branch(vf, true, out);
	case TN_RESUME_FALL:
		return take_branch(vf, false, out);
	case TN_RESUME_STOP:
	case TN_RESUME_NULL:
	case TN_RESUME_TAIL:
		err = tn_walk_trail(vf, how == TN_RESUME_TAIL ? TN_TRAIL_TAIL : TN_TRAIL_STOP);
		return err ? err : tn_call_resume(vf, how);
	default:
		vf->prev = TN_NONE;
		return 0;
	}
}

static int walk_pending(struct tn_vf *vf)
{
	int err = tn_walk_push(vf, TN_RESUME_AT);

	while (!err && vf->pending.nr) {
		const struct tn_outcomes *out;
		enum tn_resume how = tn_pending_take(vf, &out);

		err = take_up(vf, how, out);
		if (!err && !vf->ended)
			err = follow(vf);
	}
	return err;
}

/* What else is to be walked, on its own. Global functions are told apart from everything else by
 * their first frame, and share what was found in those that they call. Timers' functions and the
 * exception callback return by other rules than they: nothing that was kept stands for a state of
 * theirs. */
static int next_root(struct tn_vf *vf, bool *more)
{
	int err = 0;

	*more = tn_global_next(vf);
	if (*more)
		return 0;
	*more = tn_timer_next(vf);
	if (!*more)
		err = tn_throw_next(vf, more);
	if (*more)
		tn_walk_free(vf);
	return err;
}

int tn_walk(struct tn_vf *vf)
{
	bool more = false;
	int err;

	if (vf->env->observe)
		vf->env->observe(vf->env->observe_user, &vf->senv, &vf->s, true);
	do {
		err = walk_pending(vf);
		if (!err)
			err = next_root(vf, &more);
	} while (!err && more);
	return err;
}
