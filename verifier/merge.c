/* SPDX-License-Identifier: MIT */
/*
 * The order of states: does one contain another, and the smallest handy one that contains both.
 *
 * Ids are names that differ from path to path. Whether two states agree on them is decided by a
 * table from the ids of one to expressions of the other, filled as registers are met: relations
 * that the larger state claims must hold in the smaller one.
 */
#include "verifier/packed.h"
#include "verifier/region.h"
#include "verifier/mutant.h"

#include <string.h>

#define MAX_PAIRS 64

/* Ids of the second state that stand for no id. */
enum { OF_CONST = 0, UNIQUE = UINT32_MAX, IS_NULL = UINT32_MAX - 1, NOT_NULL = UINT32_MAX - 2 };

/* x_a * scale + d in one state is x_b * scale + d + diff in the other. */
struct pair {
	uint32_t a, b;
	uint64_t scale, diff;
	const struct tn_reg *ra, *rb;
};

struct pairs {
	struct pair v[MAX_PAIRS];
	uint32_t nr;
	struct names {
		struct {
			uint32_t a, b;
		} v[MAX_PAIRS];
		uint32_t nr;
	} nulls, insts;
};

bool tn_packed_same_shape(const struct tn_packed *p, const struct tn_state *s)
{
	if (p->nr_frames != s->nr_frames || p->nr_refs != s->nr_refs || p->locked != s->locked ||
	    p->lock.obj != s->lock.obj)
		return false;
	/* The outermost frame is the same everywhere. */
	for (uint32_t i = 1; i < p->nr_frames; i++)
		if (p->frames[i].callsite != s->frames[i].callsite ||
		    p->frames[i].subprog != s->frames[i].subprog ||
		    p->frames[i].callback != s->frames[i].callback)
			return false;
	for (uint32_t i = 0; i < p->nr_refs; i++)
		if (p->refs[i].insn != s->refs[i].insn || p->refs[i].depth != s->refs[i].depth)
			return false;
	return true;
}

bool tn_packed_same_constants(const struct tn_packed *p, const struct tn_state *s)
{
	for (uint32_t i = 0; i < p->nr_regs; i++) {
		const struct tn_packed_reg *pr = &p->regs[i];
		const struct tn_reg *r;
		uint64_t a = 0, b = 0;

		if (pr->place >= TN_PLACE_SLOT) {
			const struct tn_frame *f = &s->frames[pr->frame];

			if ((uint32_t)pr->place - TN_PLACE_SLOT >= f->nr_slots)
				return false;
			r = &f->slots[pr->place - TN_PLACE_SLOT].reg;
		} else {
			r = &s->frames[pr->frame].r[pr->place];
		}
		if (r->kind == TN_REG_UNINIT)
			return false;
		if (tn_scalar_is_const(&pr->reg->v, &a) != tn_scalar_is_const(&r->v, &b) || a != b)
			return false;
	}
	return true;
}

/* References correspond by their position. */
static bool same_ref(const struct tn_ref *pr, const struct tn_ref *sr, uint32_t nr, uint32_t p,
		     uint32_t s)
{
	if (!p || !s)
		return p == s;
	for (uint32_t i = 0; i < nr; i++)
		if (pr[i].id == p)
			return sr[i].id == s;
	return false;
}

/* The second state's value as (id, x * scale + delta) of the given scale: constants have id 0. */
static bool as_expr(const struct tn_reg *r, uint64_t scale, uint32_t *id, uint64_t *delta)
{
	uint64_t c;

	if (r->id && r->scale == scale) {
		*id = r->id;
		*delta = (uint64_t)r->delta;
		return true;
	}
	if (!r->id && tn_scalar_is_const(&r->v, &c)) {
		*id = OF_CONST;
		*delta = c;
		return true;
	}
	return false;
}

/* p's register claims to be tied to p->id: the same must hold between s's registers. */
static bool pair_ids(const struct tn_state_env *env, struct pairs *m, const struct tn_reg *p,
		     const struct tn_reg *s)
{
	uint32_t id = UNIQUE;
	uint64_t delta = 0, diff;

	if (!p->id || TN_MUT(COVERS_IGNORES_IDS))
		return true;
	if (p->id < env->fixed_ids)
		return s->id == p->id && s->scale == p->scale && s->delta == p->delta;
	if (!as_expr(s, p->scale, &id, &delta))
		id = UNIQUE;
	diff = delta - (uint64_t)p->delta;
	for (uint32_t i = 0; i < m->nr; i++) {
		struct pair *e = &m->v[i];

		if (e->a != p->id)
			continue;
		if (id == UNIQUE || e->b != id)
			return false;
		if (e->scale == p->scale)
			return diff == e->diff;
		/* One number shifts both: decidable when one of them shows it unscaled. */
		if (!(e->scale == 1 && diff == e->diff * p->scale) &&
		    !(p->scale == 1 && e->diff == diff * e->scale))
			return false;
	}
	if (m->nr == MAX_PAIRS)
		return false;
	m->v[m->nr++] = (struct pair){ p->id, id, p->scale, diff, p, s };
	return true;
}

/* What p calls `p` is `s` in the other state, always. */
static bool pair_names(struct names *n, uint32_t p, uint32_t s)
{
	if (!p)
		return true;
	for (uint32_t i = 0; i < n->nr; i++)
		if (n->v[i].a == p)
			return n->v[i].b == s && s != UNIQUE;
	if (n->nr == MAX_PAIRS)
		return false;
	n->v[n->nr].a = p;
	n->v[n->nr++].b = s;
	return true;
}

static bool pair_nulls(const struct tn_state_env *env, struct pairs *m, uint32_t p, uint32_t s)
{
	if (p && p < env->fixed_ids && s != p && s != NOT_NULL)
		return false;
	return pair_names(&m->nulls, p, s);
}

/* A fixed name will be given again later, and means the same then. */
static bool pair_insts(const struct tn_state_env *env, struct pairs *m, uint32_t p, uint32_t s)
{
	if (p && p < env->fixed_ids && s != p)
		return false;
	return pair_names(&m->insts, p, s ? s : UNIQUE);
}

/* All names but the id of the value. */
static bool names_cover(const struct tn_state_env *env, struct pairs *m, const struct tn_packed *p,
			const struct tn_state *s, const struct tn_reg *pr, const struct tn_reg *sr)
{
	uint32_t null_id;

	if (!same_ref(p->refs, s->refs, p->nr_refs, pr->ref, sr->ref) ||
	    !pair_insts(env, m, pr->inst, sr->inst))
		return false;
	if (!pr->nullable)
		return true;
	null_id = !sr->nullable ? NOT_NULL : sr->null_id ? sr->null_id : UNIQUE;
	return pair_nulls(env, m, pr->null_id, null_id);
}

static bool pointer_covers(const struct tn_state_env *env, struct pairs *m,
			   const struct tn_packed *p, const struct tn_state *s,
			   const struct tn_reg *pr, const struct tn_reg *sr)
{
	uint64_t c;

	if (pr->nullable && sr->kind == TN_REG_SCALAR && tn_scalar_is_const(&sr->v, &c) && !c)
		return !pr->ref && pair_nulls(env, m, pr->null_id, IS_NULL);
	if (TN_MUT(COVERS_ITER_LEFT) && pr->kind == TN_REG_ITER && tn_reg_same_what(pr, sr))
		return true;
	return tn_reg_same_what(pr, sr) && !(sr->nullable && !pr->nullable) &&
	       tn_scalar_subset(&sr->v, &pr->v) && names_cover(env, m, p, s, pr, sr) &&
	       pair_ids(env, m, pr, sr);
}

static bool named_reg_covers(const struct tn_state_env *env, struct pairs *m,
			     const struct tn_packed *p, const struct tn_state *s,
			     const struct tn_reg *pr, const struct tn_reg *sr)
{
	if (pr->kind != TN_REG_SCALAR)
		return pointer_covers(env, m, p, s, pr, sr);
	return tn_reg_same_what(pr, sr) && tn_scalar_subset(&sr->v, &pr->v) &&
	       pair_ids(env, m, pr, sr);
}

/* Most have no names, and then there is nothing to be paired. */
static inline bool reg_covers(const struct tn_state_env *env, struct pairs *m,
			      const struct tn_packed *p, const struct tn_state *s,
			      const struct tn_reg *pr, const struct tn_reg *sr)
{
	if (pr->ref | pr->null_id | pr->inst | pr->id | sr->ref || !tn_reg_same_what(pr, sr))
		return named_reg_covers(env, m, p, s, pr, sr);
	return pr->nullable >= sr->nullable && tn_scalar_subset(&sr->v, &pr->v);
}

/* A byte that was maybe never written is read as an unknown number; so may be every other one, but
 * for parts of addresses. 1 in each byte of p that does not cover that of s; none of p's is a
 * spilled one. */
static uint64_t bytes_not_covered(uint64_t p, uint64_t s, bool s_pointer)
{
	uint64_t differ = tn_bytes_nonzero(p ^ s);
	uint64_t torn = tn_bytes_equal(s, TN_BYTE_POISON) |
			(s_pointer ? tn_bytes_equal(s, TN_BYTE_SPILL) : 0);
	/* Where p has a known zero, or a byte of no kind, nothing but the same will do. */
	uint64_t bad = differ & ~tn_bytes_equal(p, TN_BYTE_POISON);
	uint64_t uninit = tn_bytes_equal(p, TN_BYTE_UNINIT), misc = tn_bytes_equal(p, TN_BYTE_MISC);

	return bad & ~((uninit & ~torn) | (misc & ~torn & ~tn_bytes_equal(s, TN_BYTE_UNINIT)));
}

static bool bytes_cover(const uint8_t *p, const struct tn_slot *s)
{
	return !bytes_not_covered(tn_bytes_of(p), tn_bytes_of(s->b), tn_slot_is_address(s));
}

static bool spill_covers(const struct tn_state_env *env, struct pairs *m, const struct tn_packed *p,
			 const struct tn_state *s, const struct tn_packed_reg *pr,
			 const struct tn_slot *slot)
{
	uint64_t pb = tn_bytes_of(pr->b), sb = tn_bytes_of(slot->b), spilled;
	struct tn_reg zero;

	if (pb == sb)
		return reg_covers(env, m, p, s, pr->reg, &slot->reg);
	spilled = tn_bytes_equal(pb, TN_BYTE_SPILL);
	if (bytes_not_covered(pb, sb, tn_slot_is_address(slot)) & ~spilled)
		return false;
	if (!(spilled & ~tn_bytes_equal(sb, TN_BYTE_ZERO))) {
		tn_reg_set_const(&zero, 0);
		return reg_covers(env, m, p, s, pr->reg, &zero);
	}
	return spilled == tn_bytes_equal(sb, TN_BYTE_SPILL) &&
	       reg_covers(env, m, p, s, pr->reg, &slot->reg);
}

/* Addresses in live slots of s where p knows of none: reading them would not be an error in p. */
static uint32_t count_addresses(const struct tn_state_env *env, const struct tn_state *s)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < s->nr_frames; i++) {
		const struct tn_frame *f = &s->frames[i];
		uint32_t insn = tn_state_insn_of(s, i);

		TN_EACH_SLOT(env->live, env->live->stack, insn, f, j)
		nr += tn_slot_has_address(&f->slots[j]);
	}
	return nr;
}

/* Without names and ids: false says that reg_covers() will fail. */
static bool reg_may_cover(const struct tn_reg *pr, const struct tn_reg *sr)
{
	if (!tn_reg_same_what(pr, sr))
		return pr->nullable && sr->kind == TN_REG_SCALAR;
	return tn_scalar_subset(&sr->v, &pr->v);
}

/* The same at one place of p. */
static bool place_may_cover(const struct tn_packed_reg *pr, const struct tn_state *s)
{
	const struct tn_frame *f = &s->frames[pr->frame];
	const struct tn_slot *slot;

	if (pr->place < TN_PLACE_SLOT)
		return reg_may_cover(pr->reg, &f->r[pr->place]);
	if ((uint32_t)pr->place - TN_PLACE_SLOT >= f->nr_slots)
		return true;
	slot = &f->slots[pr->place - TN_PLACE_SLOT];
	if (tn_bytes_equal(tn_bytes_of(pr->b), TN_BYTE_SPILL) &
	    tn_bytes_equal(tn_bytes_of(slot->b), TN_BYTE_SPILL))
		return reg_may_cover(pr->reg, &slot->reg);
	return true;
}

/* *hint: where the last comparison with p failed; the next one likely fails there too. */
static bool regs_cover(const struct tn_state_env *env, struct pairs *m, const struct tn_packed *p,
		       const struct tn_state *s, uint32_t *hint)
{
	static const struct tn_slot empty;
	uint32_t nr_addresses = 0;

	if (*hint < p->nr_regs && !place_may_cover(&p->regs[*hint], s))
		return false;
	for (uint32_t i = 0; i < p->nr_regs; i++) {
		const struct tn_packed_reg *pr = &p->regs[i];
		const struct tn_frame *f = &s->frames[pr->frame];
		uint32_t slot = (uint32_t)pr->place - TN_PLACE_SLOT;

		*hint = i;
		++*env->places;
		if (pr->place < TN_PLACE_SLOT) {
			if (!(TN_MUT(COVERS_IGNORES_REGISTER) && pr->place == TN_R7) &&
			    !reg_covers(env, m, p, s, pr->reg, &f->r[pr->place]))
				return false;
			continue;
		}
		if (!spill_covers(env, m, p, s, pr, slot < f->nr_slots ? &f->slots[slot] : &empty))
			return false;
		nr_addresses += slot < f->nr_slots && tn_slot_has_address(&f->slots[slot]);
	}
	for (uint32_t i = 0; i < p->nr_bytes; i++) {
		const struct tn_packed_bytes *b = &p->bytes[i];
		const struct tn_frame *f = &s->frames[b->frame];
		const struct tn_slot *slot = b->slot < f->nr_slots ? &f->slots[b->slot] : &empty;
		uint64_t pb = tn_bytes_of(b->b);

		/* The same, and none of p's is a spilled one. */
		if (pb == tn_bytes_of(slot->b)) {
			nr_addresses += (pb & TN_EACH_BYTE * TN_BYTE_POISON) != 0;
			continue;
		}
		if (!bytes_cover(b->b, slot))
			return false;
		nr_addresses += tn_slot_has_address(slot);
	}
	return p->complete || nr_addresses == count_addresses(env, s);
}

static bool regions_cover(const struct tn_packed *p, const struct tn_state *s)
{
	for (uint32_t i = 0; i < p->nr_regions; i++) {
		if (p->regions[i].null != TN_NULL_UNKNOWN &&
		    p->regions[i].null != s->regions[i].null)
			return false;
		if (!tn_scalar_subset(&s->regions[i].len, &p->regions[i].len))
			return false;
	}
	return true;
}

/* p's fact on one of its ids, said of s's register: value * mult + k <= S. */
static bool fact_holds(const struct tn_state_env *env, const struct tn_len_fact *f,
		       const struct pair *e, const struct tn_state *s)
{
	uint64_t mult = f->scale / e->scale;
	int64_t need = f->delta - (int64_t)((uint64_t)e->ra->delta * mult), k;

	return tn_region_slack(env->regions, s, f->region, e->rb, mult, &k) && k >= need;
}

/* p's fact on the length of another region: s must know it by itself, since the length can be
 * loaded again where no register holds it now. */
static bool length_fact_holds(const struct tn_state_env *env, const struct tn_len_fact *f,
			      const struct tn_state *s)
{
	struct tn_reg len;
	int64_t k;

	for (uint32_t g = 0; g < s->nr_regions; g++) {
		if (env->regions[g].len_id != f->id)
			continue;
		tn_reg_set_scalar(&len, s->regions[g].len);
		len.id = f->id;
		return tn_region_slack(env->regions, s, f->region, &len, f->scale, &k) &&
		       k >= f->delta;
	}
	return false;
}

static bool facts_cover(const struct tn_state_env *env, const struct pairs *m,
			const struct tn_packed *p, const struct tn_state *s)
{
	for (uint32_t i = 0; i < p->nr_facts; i++) {
		const struct tn_len_fact *f = &p->facts[i];
		bool met = false, holds = false;

		if (f->id < env->fixed_ids) {
			if (!length_fact_holds(env, f, s))
				return false;
			continue;
		}
		for (uint32_t j = 0; j < m->nr && !holds; j++) {
			const struct pair *e = &m->v[j];

			if (e->a != f->id)
				continue;
			met = true;
			holds = e->scale && f->scale % e->scale == 0 && fact_holds(env, f, e, s);
		}
		if (met && !holds)
			return false;
	}
	return true;
}

/* Equal names of the lock's object and of a pointer are what permits to unlock. */
static bool lock_covers(const struct tn_state_env *env, struct pairs *m, const struct tn_packed *p,
			const struct tn_state *s)
{
	return !p->locked ||
	       (!p->lock.inst == !s->lock.inst && pair_insts(env, m, p->lock.inst, s->lock.inst));
}

/* Who has run more rounds has fewer before it. */
static bool rounds_cover(const struct tn_packed *p, const struct tn_state *s)
{
	for (uint32_t i = 0; i < p->nr_frames; i++)
		if (p->frames[i].rounds > s->frames[i].rounds)
			return false;
	return true;
}

bool tn_packed_covers(const struct tn_state_env *env, const struct tn_packed *p,
		      const struct tn_state *s, uint32_t *hint)
{
	struct pairs m;

	m.nr = m.nulls.nr = m.insts.nr = 0;
	return tn_packed_same_shape(p, s) && rounds_cover(p, s) && lock_covers(env, &m, p, s) &&
	       regs_cover(env, &m, p, s, hint) && regions_cover(p, s) && facts_cover(env, &m, p, s);
}

/* What regs_cover() asks first of what is at `hint`. A pointer that may be NULL contains a zero,
 * too. */
struct tn_glance tn_packed_glance(const struct tn_packed *p, uint32_t hint)
{
	const struct tn_packed_reg *pr;

	if (hint >= p->nr_regs || p->regs[hint].reg->nullable)
		return (struct tn_glance){ .set = false };
	pr = &p->regs[hint];
	return (struct tn_glance){ .what = pr->reg->what[0],
				   .umin = pr->reg->v.umin,
				   .umax = pr->reg->v.umax,
				   .spilled = tn_bytes_equal(tn_bytes_of(pr->b), TN_BYTE_SPILL),
				   .frame = pr->frame,
				   .place = pr->place,
				   .set = true };
}

bool tn_glance_passes(const struct tn_glance *g, const struct tn_state *s)
{
	const struct tn_reg *r;

	if (!g->set)
		return true;
	if (g->frame >= s->nr_frames)
		return false;
	if (g->place < TN_PLACE_SLOT) {
		r = &s->frames[g->frame].r[g->place];
	} else {
		const struct tn_frame *f = &s->frames[g->frame];
		uint32_t slot = g->place - TN_PLACE_SLOT;

		if (slot >= f->nr_slots ||
		    !(g->spilled & tn_bytes_equal(tn_bytes_of(f->slots[slot].b), TN_BYTE_SPILL)))
			return true;
		r = &f->slots[slot].reg;
	}
	return r->what[0] == g->what && r->v.umin >= g->umin && r->v.umax <= g->umax;
}

/* ---- Merging ---- */

struct merge {
	struct tn_state_env *env;
	const struct tn_state *old;
	struct tn_state *s;
	enum tn_merge_how how;
	const int64_t *thresholds;
	uint32_t nr_thresholds;
	struct { /* one relation kept: ids a and b become `id`, with a's deltas */
		uint32_t a, b, id;
		uint64_t scale, diff;
	} ids[MAX_PAIRS];
	uint32_t nr_ids;
	struct new_names {
		struct {
			uint32_t a, b, id;
		} v[MAX_PAIRS];
		uint32_t nr;
	} nulls, insts;
	struct tn_len_fact facts[TN_MAX_FACTS];
	uint32_t nr_facts;
};

static struct tn_scalar merge_scalar(struct merge *m, const struct tn_scalar *a,
				     const struct tn_scalar *b)
{
	if (tn_scalar_subset(b, a))
		return *a;
	if (m->how == TN_MERGE_JOIN)
		return tn_scalar_join(a, b, TN_W64);
	return tn_scalar_widen(a, b, m->thresholds, m->nr_thresholds, TN_W64);
}

/* The id under which a and b stay tied to others; 0: none. */
static uint32_t merge_id(struct merge *m, const struct tn_reg *a, const struct tn_reg *b,
			 uint64_t *scale, int64_t *delta)
{
	uint32_t ia, ib;
	uint64_t da, db;

	*scale = a->id ? a->scale : b->id ? b->scale : 1;
	if (TN_MUT(JOIN_KEEPS_TIES) && a->id) {
		*delta = a->delta;
		return a->id;
	}
	if (!as_expr(a, *scale, &ia, &da) || !as_expr(b, *scale, &ib, &db))
		return 0;
	*delta = (int64_t)da;
	/* A length moved differently on the two sides is no longer that length, but still a number.
	 */
	if (ia == ib && da == db && ia && ia < m->env->fixed_ids)
		return ia;
	for (uint32_t i = 0; i < m->nr_ids; i++)
		if (m->ids[i].a == ia && m->ids[i].b == ib && m->ids[i].scale == *scale &&
		    m->ids[i].diff == db - da)
			return m->ids[i].id;
	if (m->nr_ids == MAX_PAIRS)
		return 0;
	m->ids[m->nr_ids].a = ia;
	m->ids[m->nr_ids].b = ib;
	m->ids[m->nr_ids].scale = *scale;
	m->ids[m->nr_ids].diff = db - da;
	return m->ids[m->nr_ids++].id = m->env->next_id++;
}

static bool has_fact(const struct tn_state *s, uint32_t id, uint32_t region)
{
	for (uint32_t i = 0; id && i < s->nr_facts; i++)
		if (s->facts[i].id == id && s->facts[i].region == region)
			return true;
	return false;
}

static bool fits(int64_t v)
{
	return v >= -TN_OFFSET_MAX && v <= TN_OFFSET_MAX;
}

/* Is the relation of this register to region r worth a look? Pointers into it, what is tied to it
 * on one side, and at loop heads what counts near its size from constants on. */
static bool may_relate(const struct merge *m, const struct tn_reg *a, const struct tn_reg *b,
		       uint32_t r)
{
	uint64_t ca, cb;

	if (m->env->regions[r].kind == TN_FIELD_MEM)
		return false;
	if (a->kind != TN_REG_SCALAR)
		return a->kind == TN_REG_REGION && a->region == r;
	if (has_fact(m->old, a->id, r) || has_fact(m->s, b->id, r) ||
	    a->id == m->env->regions[r].len_id || b->id == m->env->regions[r].len_id)
		return true;
	return m->how == TN_MERGE_WIDEN && tn_scalar_is_const(&a->v, &ca) &&
	       tn_scalar_is_const(&b->v, &cb);
}

/* What both states know of the register's relation to region sizes holds for the merged one. */
static void merge_facts(struct merge *m, const struct tn_reg *a, const struct tn_reg *b,
			const struct tn_reg *out)
{
	for (uint32_t r = 0; r < m->s->nr_regions && m->nr_facts < TN_MAX_FACTS; r++) {
		uint64_t mult = a->kind == TN_REG_SCALAR ? m->env->regions[r].unit : 1;
		int64_t ka, kb, delta;

		if (!may_relate(m, a, b, r) ||
		    !tn_region_slack(m->env->regions, m->old, r, a, mult, &ka) ||
		    !tn_region_slack(m->env->regions, m->s, r, b, mult, &kb))
			continue;
		/* A loop that eats up the slack must not do so for ever. */
		if (kb < ka && m->how == TN_MERGE_WIDEN && kb != 0)
			continue;
		delta = (int64_t)((uint64_t)out->delta * mult);
		if (!fits(delta) || !fits(TN_MIN(ka, kb)))
			continue;
		m->facts[m->nr_facts++] = (struct tn_len_fact){ .id = out->id,
								.region = r,
								.scale = out->scale * mult,
								.delta = delta + TN_MIN(ka, kb) };
	}
}

static uint32_t merge_name(struct merge *m, struct new_names *n, uint32_t a, uint32_t b)
{
	if (!a || !b)
		return 0;
	if (a == b && a < m->env->fixed_ids)
		return a;
	for (uint32_t i = 0; i < n->nr; i++)
		if (n->v[i].a == a && n->v[i].b == b)
			return n->v[i].id;
	if (n->nr == MAX_PAIRS)
		return 0;
	n->v[n->nr].a = a;
	n->v[n->nr].b = b;
	return n->v[n->nr++].id = m->env->next_id++;
}

/* All names but the id of the value. b is the merged register so far, with b's names. false: they
 * stand for different things. */
static bool names_merge(struct merge *m, const struct tn_reg *a, struct tn_reg *b)
{
	uint32_t fixed = m->env->fixed_ids;

	if (!same_ref(m->old->refs, m->s->refs, m->s->nr_refs, a->ref, b->ref))
		return false;
	b->inst = merge_name(m, &m->insts, a->inst, b->inst);
	/* NULL in one state alone: no tie to other pointers is left. A region's own id means what
	 * the context holds, and that is the same in both. */
	if (!a->nullable || !b->nullable)
		b->null_id = 0;
	else if (a->null_id < fixed || b->null_id < fixed)
		b->null_id = a->null_id == b->null_id ? a->null_id : 0;
	else
		b->null_id = merge_name(m, &m->nulls, a->null_id, b->null_id);
	b->nullable = a->nullable || b->nullable;
	return true;
}

/* b becomes what contains a and b. */
static bool merge_reg(struct merge *m, const struct tn_reg *a, struct tn_reg *b)
{
	struct tn_reg out;

	if (!a->kind || !b->kind) {
		tn_reg_uninit(b);
		return true;
	}
	if (!tn_reg_same_what(a, b))
		return false;
	out = *b;
	if (!names_merge(m, a, &out))
		return false;
	out.v = merge_scalar(m, &a->v, &b->v);
	out.id = 0;
	out.scale = 1;
	out.delta = 0;
	if (!tn_scalar_is_const(&out.v, NULL))
		out.id = merge_id(m, a, b, &out.scale, &out.delta);
	if (out.id)
		merge_facts(m, a, b, &out);
	*b = out;
	return true;
}

static uint8_t merge_byte(uint8_t a, uint8_t b)
{
	if (a == TN_BYTE_POISON || b == TN_BYTE_POISON)
		return TN_BYTE_POISON;
	if (a == TN_BYTE_UNINIT || b == TN_BYTE_UNINIT)
		return TN_BYTE_UNINIT;
	return a == b && a != TN_BYTE_SPILL ? a : TN_BYTE_MISC;
}

/* As bytes, when the two are no common spill: an address on one side makes them unreadable. */
static void merge_slot_bytes(const struct tn_slot *a, struct tn_slot *b)
{
	bool pa = tn_slot_is_address(a), pb = tn_slot_is_address(b);

	for (uint32_t j = 0; j < 8; j++) {
		bool torn = (a->b[j] == TN_BYTE_SPILL && pa) || (b->b[j] == TN_BYTE_SPILL && pb);

		b->b[j] = torn ? TN_BYTE_POISON : merge_byte(a->b[j], b->b[j]);
	}
	tn_reg_uninit(&b->reg);
}

/* Bytes that are all zero are a spilled 0. */
static bool as_spilled_zero(struct tn_slot *slot, const struct tn_slot *like)
{
	for (uint32_t j = 0; j < 8; j++)
		if (like->b[j] == TN_BYTE_SPILL && slot->b[j] != TN_BYTE_ZERO)
			return false;
	for (uint32_t j = 0; j < 8; j++)
		if (like->b[j] == TN_BYTE_SPILL)
			slot->b[j] = TN_BYTE_SPILL;
	tn_reg_set_const(&slot->reg, 0);
	return true;
}

/* Slots of which one or both hold a register, or other bytes than the other. */
static bool merge_unlike_slots(struct merge *m, const struct tn_slot *old, struct tn_slot *b)
{
	struct tn_slot a = *old;
	bool same = true;

	if (tn_slot_has_spill(&a) && !tn_slot_has_spill(b) && a.reg.kind == TN_REG_SCALAR)
		as_spilled_zero(b, &a);
	else if (tn_slot_has_spill(b) && !tn_slot_has_spill(&a) && b->reg.kind == TN_REG_SCALAR)
		as_spilled_zero(&a, b);
	for (uint32_t j = 0; j < 8; j++)
		same = same && (a.b[j] == TN_BYTE_SPILL) == (b->b[j] == TN_BYTE_SPILL);
	if (!same || !tn_slot_has_spill(b)) {
		merge_slot_bytes(&a, b);
		return true;
	}
	if (!tn_reg_same_what(&a.reg, &b->reg) || !merge_reg(m, &a.reg, &b->reg)) {
		/* Two pointers to different things: the caller keeps both states. */
		if (tn_reg_is_pointer(&a.reg) && tn_reg_is_pointer(&b->reg))
			return false;
		merge_slot_bytes(&a, b);
		return true;
	}
	for (uint32_t j = 0; j < 8; j++)
		if (b->b[j] != TN_BYTE_SPILL)
			b->b[j] = merge_byte(a.b[j], b->b[j]);
	return true;
}

static bool merge_slot(struct merge *m, const struct tn_slot *a, struct tn_slot *b)
{
	if (tn_bytes_of(a->b) != tn_bytes_of(b->b) || tn_slot_has_spill(b))
		return merge_unlike_slots(m, a, b);
	/* Each kind of byte but SPILL is its own join. */
	tn_reg_uninit(&b->reg);
	return true;
}

static bool merge_frame(struct merge *m, uint32_t i)
{
	const struct tn_frame *a = &m->old->frames[i];
	struct tn_frame *b = &m->s->frames[i];
	uint32_t nr = TN_MAX(a->nr_slots, b->nr_slots);

	for (uint32_t r = 0; r < TN_R10; r++)
		if (!merge_reg(m, &a->r[r], &b->r[r]))
			return false;
	if (TN_MUT(WIDEN_SKIPS_REGISTER))
		b->r[TN_R7] = a->r[TN_R7];
	b->rounds = TN_MIN(a->rounds, b->rounds);
	if (nr)
		tn_frame_slot(b, nr - 1);
	for (uint32_t j = 0; j < nr; j++) {
		static const struct tn_slot empty;

		if (!merge_slot(m, j < a->nr_slots ? &a->slots[j] : &empty, &b->slots[j]))
			return false;
	}
	if (TN_MUT(JOIN_FORGETS_SLOT) && a->nr_slots)
		b->slots[0] = a->slots[0];
	return true;
}

bool tn_state_merge(struct tn_state_env *env, const struct tn_state *old, struct tn_state *s,
		    enum tn_merge_how how, const int64_t *thresholds, uint32_t nr_thresholds)
{
	struct merge m = {
		.env = env,
		.old = old,
		.s = s,
		.how = how,
		.thresholds = thresholds,
		.nr_thresholds = nr_thresholds,
	};

	if (s->locked) {
		if (!old->lock.inst != !s->lock.inst)
			return false;
		s->lock.inst = merge_name(&m, &m.insts, old->lock.inst, s->lock.inst);
		if (old->lock.inst && !s->lock.inst)
			return false;
	}
	for (uint32_t i = 0; i < s->nr_frames; i++)
		if (!merge_frame(&m, i))
			return false;
	for (uint32_t i = 0; i < s->nr_regions; i++) {
		const struct tn_region_state *a = &old->regions[i];
		struct tn_region_state *b = &s->regions[i];

		b->len = merge_scalar(&m, &a->len, &b->len);
		if (a->null != b->null)
			b->null = TN_NULL_UNKNOWN;
	}
	memcpy(s->facts, m.facts, m.nr_facts * sizeof(m.facts[0]));
	s->nr_facts = m.nr_facts;
	return true;
}
