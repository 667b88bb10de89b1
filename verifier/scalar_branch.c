/* SPDX-License-Identifier: MIT */
/*
 * What the outcome of a conditional jump says about its operands. The eleven conditions and their
 * negations come down to eight relations; the relation is applied to the compared width, and the
 * other parts of the scalars learn from it by tn_scalar_sync().
 */
#include "verifier/scalar_num.h"
#include "verifier/mutant.h"

#include "vm/insn.h"

enum relation { REL_EQ, REL_NE, REL_SET, REL_CLEAR, REL_ULT, REL_ULE, REL_SLT, REL_SLE };

/* The relation that holds, of the operands in this order or (*swap) in the other one. false: the
 * outcome says nothing. */
static bool relation_of(unsigned op, bool taken, enum relation *rel, bool *swap)
{
#define RELATION(op, yes, yes_swap, no, no_swap) \
	[(op) >> 4] = { { no, no_swap, 1 }, { yes, yes_swap, 1 } }
	static const struct {
		uint8_t rel, swap, is;
	} table[16][2] = {
		RELATION(TN_JEQ, REL_EQ, 0, REL_NE, 0),
		RELATION(TN_JNE, REL_NE, 0, REL_EQ, 0),
		RELATION(TN_JSET, REL_SET, 0, REL_CLEAR, 0),
		RELATION(TN_JGT, REL_ULT, 1, REL_ULE, 0),
		RELATION(TN_JGE, REL_ULE, 1, REL_ULT, 0),
		RELATION(TN_JLT, REL_ULT, 0, REL_ULE, 1),
		RELATION(TN_JLE, REL_ULE, 0, REL_ULT, 1),
		RELATION(TN_JSGT, REL_SLT, 1, REL_SLE, 0),
		RELATION(TN_JSGE, REL_SLE, 1, REL_SLT, 0),
		RELATION(TN_JSLT, REL_SLT, 0, REL_SLE, 1),
		RELATION(TN_JSLE, REL_SLE, 0, REL_SLT, 1),
	};
#undef RELATION

	*rel = (enum relation)table[op >> 4 & 15][taken].rel;
	*swap = table[op >> 4 & 15][taken].swap;
	return table[op >> 4 & 15][taken].is;
}

static TN_ALWAYS_INLINE bool refine_eq(struct tn_num *a, struct tn_num *b)
{
	if (!tn_tnum_meet(a->t, b->t, &a->t))
		return false;
	tn_num_clip_u(a, b->umin, b->umax);
	tn_num_clip_s(a, b->smin, b->smax);
	*b = *a;
	return a->umin <= a->umax && a->smin <= a->smax;
}

/* `n` is not `value`: an interval loses an end. */
static TN_ALWAYS_INLINE void trim(struct tn_num *n, uint64_t value, unsigned w)
{
	int64_t svalue = tn_sign_extend(value, w);

	if (n->umin == value)
		n->umin++;
	if (n->umax == value)
		n->umax--;
	if (n->smin == svalue)
		n->smin++;
	if (n->smax == svalue)
		n->smax--;
}

static TN_ALWAYS_INLINE bool refine_ne(struct tn_num *a, struct tn_num *b, unsigned w)
{
	bool const_a = a->umin == a->umax, const_b = b->umin == b->umax;

	if (const_a && const_b)
		return a->umin != b->umin;
	if (const_b)
		trim(a, b->umin, w);
	if (const_a)
		trim(b, a->umin, w);
	return true;
}

static TN_ALWAYS_INLINE bool refine_set(struct tn_num *a, struct tn_num *b)
{
	uint64_t common = (a->t.value | a->t.mask) & (b->t.value | b->t.mask);

	if (!common)
		return false;
	/* Each has one of these bits, so each is at least the lowest. */
	a->umin = TN_MAX(a->umin, common & -common);
	b->umin = TN_MAX(b->umin, common & -common);
	if (common & (common - 1))
		return true;
	a->t.value |= common;
	a->t.mask &= ~common;
	b->t.value |= common;
	b->t.mask &= ~common;
	return true;
}

static TN_ALWAYS_INLINE bool refine_clear(struct tn_num *a, struct tn_num *b)
{
	if (a->t.value & b->t.value)
		return false;
	a->t.mask &= ~b->t.value;
	b->t.mask &= ~a->t.value;
	return true;
}

static TN_ALWAYS_INLINE bool refine_unsigned(struct tn_num *a, struct tn_num *b, bool strict)
{
	if (strict && (b->umax == 0 || a->umin == UINT64_MAX))
		return false;
	if (TN_MUT(BRANCH_STRICT) && b->umax > 1)
		a->umax = TN_MIN(a->umax, b->umax - 2 * strict);
	a->umax = TN_MIN(a->umax, b->umax - strict);
	b->umin = TN_MAX(b->umin, a->umin + strict);
	return a->umin <= a->umax && b->umin <= b->umax;
}

static TN_ALWAYS_INLINE bool refine_signed(struct tn_num *a, struct tn_num *b, bool strict)
{
	if (strict && (b->smax == INT64_MIN || a->smin == INT64_MAX))
		return false;
	a->smax = TN_MIN(a->smax, b->smax - strict);
	b->smin = TN_MAX(b->smin, a->smin + strict);
	return a->smin <= a->smax && b->smin <= b->smax;
}

static TN_ALWAYS_INLINE bool refine(enum relation rel, struct tn_num *a, struct tn_num *b,
				    unsigned w)
{
	switch (rel) {
	case REL_EQ:
		return refine_eq(a, b);
	case REL_NE:
		return refine_ne(a, b, w);
	case REL_SET:
		return refine_set(a, b);
	case REL_CLEAR:
		return refine_clear(a, b);
	case REL_ULT:
	case REL_ULE:
		return refine_unsigned(a, b, rel == REL_ULT);
	case REL_SLT:
	case REL_SLE:
		if (TN_MUT(BRANCH_SIGN))
			return refine_unsigned(a, b, rel == REL_SLT);
		return refine_signed(a, b, rel == REL_SLT);
	}
	return true;
}

static TN_ALWAYS_INLINE bool store_full(struct tn_scalar *s, const struct tn_num *n, unsigned w)
{
	s->t = n->t;
	s->umin = n->umin;
	s->umax = n->umax;
	s->smin = n->smin;
	s->smax = n->smax;
	return tn_scalar_sync(s, w);
}

static TN_ALWAYS_INLINE bool store_half(struct tn_scalar *s, const struct tn_num *n, unsigned w)
{
	uint64_t low = tn_ones(w / 2);

	s->t.value = (s->t.value & ~low) | n->t.value;
	s->t.mask = (s->t.mask & ~low) | n->t.mask;
	s->hmin = n->umin;
	s->hmax = n->umax;
	s->hsmin = n->smin;
	s->hsmax = n->smax;
	return tn_scalar_sync(s, w);
}

static TN_ALWAYS_INLINE bool branch(enum relation rel, bool swap, bool half, struct tn_scalar *a,
				    struct tn_scalar *b, unsigned w)
{
	struct tn_num na, nb;

	if (rel == REL_EQ && !half) {
		if (!tn_scalar_meet(a, b, w))
			return false;
		*b = *a;
		return true;
	}
	na = half ? tn_num_half(a, w) : tn_num_full(a);
	nb = half ? tn_num_half(b, w) : tn_num_full(b);
	if (!(swap ? refine(rel, &nb, &na, half ? w / 2 : w)
		   : refine(rel, &na, &nb, half ? w / 2 : w)))
		return false;
	/* Of a constant there is nothing to learn. */
	if (!tn_scalar_is_const(a, NULL) && !(half ? store_half(a, &na, w) : store_full(a, &na, w)))
		return false;
	return tn_scalar_is_const(b, NULL) ||
	       (half ? store_half(b, &nb, w) : store_full(b, &nb, w));
}

bool tn_scalar_branch(unsigned op, bool half, bool taken, struct tn_scalar *a, struct tn_scalar *b,
		      unsigned w)
{
	enum relation rel;
	bool swap;

	if (!relation_of(op, taken, &rel, &swap))
		return true;
	return w == TN_W64 ? branch(rel, swap, half, a, b, TN_W64)
			   : branch(rel, swap, half, a, b, w);
}
