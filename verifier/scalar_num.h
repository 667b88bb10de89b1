/* SPDX-License-Identifier: MIT */
/*
 * Inside of the scalar domain, shared by scalar.c, scalar_alu.c and scalar_branch.c: one width of a
 * scalar. A tn_scalar is a tn_num of w bits and one of w / 2 bits (whose tnum is the lower half of
 * the other's), so that each rule is written once for a width and applied to both.
 */
#ifndef TN_VERIFIER_SCALAR_NUM_H
#define TN_VERIFIER_SCALAR_NUM_H

#include "base/compiler.h"
#include "verifier/scalar.h"

struct tn_num {
	struct tn_tnum t;
	uint64_t umin, umax;
	int64_t smin, smax;
};

static inline struct tn_num tn_num_unknown(unsigned w)
{
	return (struct tn_num){ { 0, tn_ones(w) }, 0, tn_ones(w), tn_smin_of(w), tn_smax_of(w) };
}

static inline struct tn_num tn_num_full(const struct tn_scalar *s)
{
	return (struct tn_num){ s->t, s->umin, s->umax, s->smin, s->smax };
}

static inline struct tn_num tn_num_half(const struct tn_scalar *s, unsigned w)
{
	return (struct tn_num){ tn_tnum_cast(s->t, w / 2), s->hmin, s->hmax, s->hsmin, s->hsmax };
}

static inline void tn_num_clip_u(struct tn_num *n, uint64_t min, uint64_t max)
{
	n->umin = TN_MAX(n->umin, min);
	n->umax = TN_MIN(n->umax, max);
}

static inline void tn_num_clip_s(struct tn_num *n, int64_t min, int64_t max)
{
	n->smin = TN_MAX(n->smin, min);
	n->smax = TN_MIN(n->smax, max);
}

/* The numbers low, low + 1, ... low + span, counted modulo 2^w: clip what they do not wrap in. */
static inline void tn_num_clip_arc(struct tn_num *n, uint64_t low, uint64_t span, unsigned w)
{
	uint64_t high;

	if (span > tn_ones(w))
		return;
	low &= tn_ones(w);
	high = (low + span) & tn_ones(w);
	if (low <= high)
		tn_num_clip_u(n, low, high);
	if (tn_sign_extend(low, w) <= tn_sign_extend(high, w))
		tn_num_clip_s(n, tn_sign_extend(low, w), tn_sign_extend(high, w));
}

/* a + b, or UINT64_MAX where it overflows: as a span, too wide to say anything. At w = 64 a span of
 * UINT64_MAX is the whole circle, which clips nothing either. */
static inline uint64_t tn_span_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Numbers of `w` bits cut to their low `bits`. */
struct tn_num tn_num_narrow(const struct tn_num *n, unsigned bits, unsigned w);
/* Each part tightened by the others of the same width; false: empty. */
bool tn_num_sync(struct tn_num *n, unsigned w);

/* From one width to a scalar. */
struct tn_scalar tn_scalar_of(const struct tn_num *full, const struct tn_num *half, unsigned w);
struct tn_scalar tn_scalar_zero_extended(const struct tn_num *low, unsigned bits, unsigned w);

#endif
