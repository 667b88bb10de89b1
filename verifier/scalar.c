/* SPDX-License-Identifier: MIT */
/*
 * The scalar domain: constructors, the exchange of information between its parts, the lattice.
 *
 * Every step of tn_scalar_sync() replaces one part by its meet with what another part implies, so
 * a member of all parts is never dropped, in whatever order the steps run. The steps are monotone
 * and their number is bounded, which is what makes tn_scalar_widen() end.
 */
#include "verifier/scalar_num.h"
#include "verifier/mutant.h"

#include <inttypes.h>
#include <stdio.h>

#define SYNC_ROUNDS 4

struct tn_scalar tn_scalar_range(uint64_t umin, uint64_t umax, unsigned w)
{
	struct tn_scalar s = tn_scalar_unknown(w);

	s.umin = umin;
	s.umax = umax;
	return tn_scalar_sync(&s, w) ? s : tn_scalar_unknown(w);
}

struct tn_scalar tn_scalar_srange(int64_t smin, int64_t smax, unsigned w)
{
	struct tn_scalar s = tn_scalar_unknown(w);

	s.smin = smin;
	s.smax = smax;
	return tn_scalar_sync(&s, w) ? s : tn_scalar_unknown(w);
}

/* The least member of `t` that is at least *x, which is none. */
static TN_ALWAYS_INLINE bool next_of(struct tn_tnum t, uint64_t wrong, uint64_t *x, unsigned w)
{
	uint64_t below, raise;
	unsigned top;

	/* The highest bit that differs decides whether what stands above it may stay. */
	top = 63 - (unsigned)__builtin_clzll(wrong);
	below = tn_ones(top);
	if (t.value >> top & 1) {
		*x = (*x & ~below) | (uint64_t)1 << top | (t.value & below);
		return true;
	}
	raise = t.mask & ~*x & ~(below | (uint64_t)1 << top) & tn_ones(w);
	if (!raise)
		return false;
	raise &= -raise;
	*x = (*x & ~(raise - 1)) | raise | (t.value & (raise - 1));
	return true;
}

/* The least member of `t` that is at least *x. */
static TN_ALWAYS_INLINE bool next_member(struct tn_tnum t, uint64_t *x, unsigned w)
{
	uint64_t wrong = (*x & ~t.mask) ^ t.value;

	return !wrong || next_of(t, wrong, x, w);
}

/* The greatest member of `t` that is at most *x: the same on complements. */
static TN_ALWAYS_INLINE bool previous_member(struct tn_tnum t, uint64_t *x, unsigned w)
{
	struct tn_tnum inverse = { ~t.value & ~t.mask & tn_ones(w), t.mask };
	uint64_t y = ~*x & tn_ones(w), wrong = (y & ~t.mask) ^ inverse.value;

	if (!wrong)
		return true;
	if (!next_of(inverse, wrong, &y, w))
		return false;
	*x = ~y & tn_ones(w);
	return true;
}

/* Signed order is unsigned order with the sign bit turned over. */
static TN_ALWAYS_INLINE bool tighten_signed_by_tnum(struct tn_num *n, unsigned w)
{
	uint64_t sign = tn_sign_bit(w);
	uint64_t min = ((uint64_t)n->smin & tn_ones(w)) ^ sign;
	uint64_t max = ((uint64_t)n->smax & tn_ones(w)) ^ sign;
	struct tn_tnum t = { n->t.value ^ (sign & ~n->t.mask), n->t.mask };

	if (!next_member(t, &min, w) || !previous_member(t, &max, w))
		return false;
	n->smin = tn_sign_extend(min ^ sign, w);
	n->smax = tn_sign_extend(max ^ sign, w);
	return true;
}

/*
 * The two intervals cut the numbers into a part without and a part with the sign bit; each part is
 * an intersection of two intervals of the same order. Both become the hull of the parts.
 */
static TN_ALWAYS_INLINE bool exchange_signs(struct tn_num *n, unsigned w)
{
	uint64_t sign = tn_sign_bit(w);
	uint64_t plus_min, plus_max, minus_min, minus_max;
	bool plus, minus;

	plus_min = TN_MAX(n->umin, (uint64_t)TN_MAX(n->smin, 0));
	plus_max = TN_MIN(n->umax, TN_MIN(sign - 1, (uint64_t)TN_MAX(n->smax, 0)));
	plus = n->smax >= 0 && plus_min <= plus_max;

	minus_min = TN_MAX(n->umin, TN_MAX(sign, (uint64_t)TN_MIN(n->smin, -1) & tn_ones(w)));
	minus_max = TN_MIN(n->umax, (uint64_t)TN_MIN(n->smax, -1) & tn_ones(w));
	minus = n->smin < 0 && minus_min <= minus_max;

	if (!plus && !minus)
		return false;
	if (TN_MUT(SYNC_SIGNS) && plus && minus)
		minus = false;
	n->umin = plus ? plus_min : minus_min;
	n->umax = minus ? minus_max : plus_max;
	n->smin = minus ? tn_sign_extend(minus_min, w) : (int64_t)plus_min;
	n->smax = plus ? (int64_t)plus_max : tn_sign_extend(minus_max, w);
	return true;
}

/* All members have one sign: both intervals are one, min..max as unsigned numbers. */
static TN_ALWAYS_INLINE bool sync_one_sign(struct tn_num *n, uint64_t min, uint64_t max, unsigned w)
{
	if (min > max || !next_member(n->t, &min, w) || !previous_member(n->t, &max, w) ||
	    min > max)
		return false;
	n->umin = min;
	n->umax = max;
	n->smin = tn_sign_extend(min, w);
	n->smax = tn_sign_extend(max, w);
	return tn_tnum_meet(n->t, tn_tnum_range(min, max, w), &n->t);
}

static TN_ALWAYS_INLINE bool sync_both_signs(struct tn_num *n, unsigned w)
{
	bool known = n->t.mask != tn_ones(w);

	/* Twice only where the signs moved a bound that known bits had been applied to. */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t umin, umax;

		if (known &&
		    (!next_member(n->t, &n->umin, w) || !previous_member(n->t, &n->umax, w)))
			return false;
		umin = n->umin;
		umax = n->umax;
		if (umin > umax || !exchange_signs(n, w))
			return false;
		if (!known || (umin == n->umin && umax == n->umax))
			break;
	}
	if (known && n->smin < 0 && n->smax >= 0 && !tighten_signed_by_tnum(n, w))
		return false;
	return n->smin <= n->smax && tn_tnum_meet(n->t, tn_tnum_range(n->umin, n->umax, w), &n->t);
}

static TN_ALWAYS_INLINE bool sync_num(struct tn_num *n, unsigned w)
{
	uint64_t sign = tn_sign_bit(w);

	if (n->umin > n->umax || n->smin > n->smax)
		return false;
	if (n->umax < sign || n->smin >= 0)
		return n->smax >= 0 &&
		       sync_one_sign(n, TN_MAX(n->umin, (uint64_t)TN_MAX(n->smin, 0)),
				     TN_MIN(n->umax, (uint64_t)n->smax), w);
	if (n->umin >= sign || n->smax < 0)
		return n->smin < 0 &&
		       sync_one_sign(n, TN_MAX(n->umin, (uint64_t)n->smin & tn_ones(w)),
				     TN_MIN(n->umax, (uint64_t)TN_MIN(n->smax, -1) & tn_ones(w)),
				     w);
	return sync_both_signs(n, w);
}

bool tn_num_sync(struct tn_num *n, unsigned w)
{
	return sync_num(n, w);
}

/* The low halves that are possible: one interval, or two with a gap (low..gap_min and
 * gap_max..high) where the signed half crosses zero. */
struct low_halves {
	uint64_t low, gap_min, gap_max, high;
};

static TN_ALWAYS_INLINE struct low_halves low_halves_of(const struct tn_num *half, unsigned h)
{
	if (half->smin < 0 && half->smax >= 0)
		return (struct low_halves){ half->umin, (uint64_t)half->smax,
					    (uint64_t)half->smin & tn_ones(h), half->umax };
	return (struct low_halves){ half->umin, half->umax, half->umax, half->umax };
}

/* The least number from *x up whose low half is possible. */
static TN_ALWAYS_INLINE bool raise_to_half(const struct low_halves *l, uint64_t *x, unsigned w)
{
	uint64_t half = tn_ones(w / 2), low = *x & half, up = *x & ~half;

	if (low < l->low)
		*x = up | l->low;
	else if (low > l->gap_min && low < l->gap_max)
		*x = up | l->gap_max;
	else if (low > l->high) {
		if (up == (tn_ones(w) & ~half))
			return false;
		*x = (up + half + 1) | l->low;
	}
	return true;
}

static TN_ALWAYS_INLINE bool lower_to_half(const struct low_halves *l, uint64_t *x, unsigned w)
{
	uint64_t half = tn_ones(w / 2), low = *x & half, up = *x & ~half;

	if (low > l->high)
		*x = up | l->high;
	else if (low > l->gap_min && low < l->gap_max)
		*x = up | l->gap_min;
	else if (low < l->low) {
		if (up == 0)
			return false;
		*x = (up - half - 1) | l->high;
	}
	return true;
}

/* *changed: the full number learned something from its half. */
static TN_ALWAYS_INLINE bool half_to_full(const struct tn_num *half, struct tn_num *full,
					  unsigned w, bool *changed)
{
	struct low_halves l = low_halves_of(half, w / 2);
	uint64_t sign = tn_sign_bit(w), mask = full->t.mask;
	uint64_t umin = full->umin, umax = full->umax;
	uint64_t smin = ((uint64_t)full->smin & tn_ones(w)) ^ sign, smin_was = smin;
	uint64_t smax = ((uint64_t)full->smax & tn_ones(w)) ^ sign, smax_was = smax;
	struct tn_tnum t = { half->t.value, half->t.mask | (tn_ones(w) & ~tn_ones(w / 2)) };

	if (!tn_tnum_meet(full->t, t, &full->t))
		return false;
	*changed = full->t.mask != mask;
	if (l.low == 0 && l.high == tn_ones(w / 2) && l.gap_max - l.gap_min <= 1)
		return true;
	if (!raise_to_half(&l, &umin, w) || !lower_to_half(&l, &umax, w) ||
	    !raise_to_half(&l, &smin, w) || !lower_to_half(&l, &smax, w))
		return false;
	*changed |= umin != full->umin || umax != full->umax || smin != smin_was ||
		    smax != smax_was;
	full->umin = umin;
	full->umax = umax;
	full->smin = tn_sign_extend(smin ^ sign, w);
	full->smax = tn_sign_extend(smax ^ sign, w);
	return umin <= umax && full->smin <= full->smax;
}

static TN_ALWAYS_INLINE void full_to_half(const struct tn_num *full, struct tn_num *half,
					  unsigned h)
{
	tn_num_clip_arc(half, full->umin, full->umax - full->umin, h);
	tn_num_clip_arc(half, (uint64_t)full->smin, (uint64_t)full->smax - (uint64_t)full->smin, h);
}

static TN_ALWAYS_INLINE void store(struct tn_scalar *s, const struct tn_num *full,
				   const struct tn_num *half)
{
	*s = (struct tn_scalar){ full->t,    full->umin, full->umax, full->smin, full->smax,
				 half->umin, half->umax, half->smin, half->smax };
}

/* Both widths tightened by each other, until the half has nothing new to say. The known bits of
 * the half are those of the full number. */
static TN_ALWAYS_INLINE bool sync_widths(struct tn_num *full, struct tn_num *half, unsigned w)
{
	unsigned h = w / 2;
	bool changed = true;

	for (unsigned i = 0; changed && i < SYNC_ROUNDS; i++) {
		if (!sync_num(full, w))
			return false;
		full_to_half(full, half, h);
		half->t = tn_tnum_cast(full->t, h);
		if (!sync_num(half, h) || !half_to_full(half, full, w, &changed))
			return false;
	}
	return true;
}

/* The high half is 0: the number is its low half, and all its intervals but the half's signed one
 * are the same. */
static TN_ALWAYS_INLINE bool sync_short(struct tn_scalar *s, unsigned w)
{
	unsigned h = w / 2;
	struct tn_num n = tn_num_half(s, w);

	if (s->smax < 0 || s->t.value & ~tn_ones(h))
		return false;
	tn_num_clip_u(&n, TN_MAX(s->umin, (uint64_t)TN_MAX(s->smin, 0)),
		      TN_MIN(s->umax, (uint64_t)s->smax));
	if (!sync_num(&n, h))
		return false;
	*s = (struct tn_scalar){ n.t,	 n.umin, n.umax, (int64_t)n.umin, (int64_t)n.umax,
				 n.umin, n.umax, n.smin, n.smax };
	return true;
}

static TN_ALWAYS_INLINE bool sync_scalar(struct tn_scalar *s, unsigned w)
{
	struct tn_num full, half;

	if (s->t.mask == 0 || s->umin == s->umax) {
		uint64_t value = s->t.mask ? s->umin : s->t.value;

		if (!tn_scalar_contains(s, value, w))
			return false;
		*s = tn_scalar_const(value, w);
		return true;
	}
	if (s->umax <= tn_ones(w / 2))
		return sync_short(s, w);
	full = tn_num_full(s);
	half = tn_num_half(s, w);
	if (!sync_widths(&full, &half, w))
		return false;
	store(s, &full, &half);
	return true;
}

/* The machine's width apart from those of tests: most of the work is then done by the compiler. */
TN_NOINLINE bool tn_scalar_sync(struct tn_scalar *s, unsigned w)
{
	return w == TN_W64 ? sync_scalar(s, TN_W64) : sync_scalar(s, w);
}

/* Both describe a set that is not empty; if they did not, unknown would still be sound. */
struct tn_scalar tn_scalar_of(const struct tn_num *full, const struct tn_num *half, unsigned w)
{
	struct tn_scalar s;

	if (full->t.mask == 0)
		return tn_scalar_const(full->t.value, w);
	store(&s, full, half);
	return tn_scalar_sync(&s, w) ? s : tn_scalar_unknown(w);
}

struct tn_scalar tn_scalar_zero_extended(const struct tn_num *low, unsigned bits, unsigned w)
{
	struct tn_num full = tn_num_unknown(w), half = tn_num_unknown(w / 2);

	full.t = low->t;
	tn_num_clip_u(&full, low->umin, low->umax);
	/* Where `low` is the half itself, its signed interval is worth keeping. */
	if (bits == w / 2)
		half = *low;
	return tn_scalar_of(&full, &half, w);
}

static struct tn_scalar hull(const struct tn_scalar *a, const struct tn_scalar *b)
{
	return (struct tn_scalar){
		.t = tn_tnum_join(a->t, b->t),
		.umin = TN_MIN(a->umin, b->umin),
		.umax = TN_MAX(a->umax, b->umax),
		.smin = TN_MIN(a->smin, b->smin),
		.smax = TN_MAX(a->smax, b->smax),
		.hmin = TN_MIN(a->hmin, b->hmin),
		.hmax = TN_MAX(a->hmax, b->hmax),
		.hsmin = TN_MIN(a->hsmin, b->hsmin),
		.hsmax = TN_MAX(a->hsmax, b->hsmax),
	};
}

struct tn_scalar tn_scalar_join(const struct tn_scalar *a, const struct tn_scalar *b, unsigned w)
{
	struct tn_scalar s = hull(a, b);

	return tn_scalar_sync(&s, w) ? s : tn_scalar_unknown(w);
}

bool tn_scalar_meet(struct tn_scalar *a, const struct tn_scalar *b, unsigned w)
{
	if (!tn_tnum_meet(a->t, b->t, &a->t))
		return false;
	a->umin = TN_MAX(a->umin, b->umin);
	a->umax = TN_MIN(a->umax, b->umax);
	a->smin = TN_MAX(a->smin, b->smin);
	a->smax = TN_MIN(a->smax, b->smax);
	a->hmin = TN_MAX(a->hmin, b->hmin);
	a->hmax = TN_MIN(a->hmax, b->hmax);
	a->hsmin = TN_MAX(a->hsmin, b->hsmin);
	a->hsmax = TN_MIN(a->hsmax, b->hsmax);
	return tn_scalar_sync(a, w);
}

/* A bound that moved goes to the nearest threshold beyond it, or to the end of its type. */
static uint64_t widen_umin(uint64_t old, uint64_t now, const int64_t *v, uint32_t nr)
{
	uint64_t best = 0;

	if (now >= old)
		return old;
	for (uint32_t i = 0; i < nr; i++) {
		if ((uint64_t)v[i] <= now)
			best = TN_MAX(best, (uint64_t)v[i]);
	}
	return best;
}

static uint64_t widen_umax(uint64_t old, uint64_t now, const int64_t *v, uint32_t nr, unsigned w)
{
	uint64_t best = tn_ones(w);

	if (now <= old)
		return old;
	for (uint32_t i = 0; i < nr; i++) {
		if ((uint64_t)v[i] >= now)
			best = TN_MIN(best, (uint64_t)v[i]);
	}
	return best;
}

static int64_t widen_smin(int64_t old, int64_t now, const int64_t *v, uint32_t nr, unsigned w)
{
	int64_t best = tn_smin_of(w);

	if (now >= old)
		return old;
	for (uint32_t i = 0; i < nr && v[i] <= now; i++)
		best = TN_MAX(best, v[i]);
	return best;
}

static int64_t widen_smax(int64_t old, int64_t now, const int64_t *v, uint32_t nr, unsigned w)
{
	int64_t best = tn_smax_of(w);

	if (now <= old)
		return old;
	for (uint32_t i = nr; i > 0 && v[i - 1] >= now; i--)
		best = TN_MIN(best, v[i - 1]);
	return best;
}

/* Unknown bits that came and went with few others are flags and stay exact; a counter's carry
 * runs up bit by bit, so from some number of unknown bits on the run is doubled. */
static struct tn_tnum widen_tnum(struct tn_tnum old, struct tn_tnum now, unsigned w)
{
	struct tn_tnum t = tn_tnum_join(old, now);
	uint64_t grown = t.mask & ~old.mask;

	if (grown && __builtin_popcountll(old.mask) >= 4) {
		unsigned low = (unsigned)__builtin_ctzll(grown);
		unsigned high = 2 * (64 - (unsigned)__builtin_clzll(grown));

		t.mask |= tn_ones(TN_MIN(high, w)) & ~tn_ones(low);
		t.value &= ~t.mask;
	}
	return t;
}

struct tn_scalar tn_scalar_widen(const struct tn_scalar *old, const struct tn_scalar *now,
				 const int64_t *thresholds, uint32_t nr, unsigned w)
{
	unsigned h = w / 2;
	struct tn_scalar s = {
		.t = widen_tnum(old->t, now->t, w),
		.umin = widen_umin(old->umin, now->umin, thresholds, nr),
		.umax = widen_umax(old->umax, now->umax, thresholds, nr, w),
		.smin = widen_smin(old->smin, now->smin, thresholds, nr, w),
		.smax = widen_smax(old->smax, now->smax, thresholds, nr, w),
		.hmin = widen_umin(old->hmin, now->hmin, thresholds, nr),
		.hmax = widen_umax(old->hmax, now->hmax, thresholds, nr, h),
		.hsmin = widen_smin(old->hsmin, now->hsmin, thresholds, nr, h),
		.hsmax = widen_smax(old->hsmax, now->hsmax, thresholds, nr, h),
	};

	return tn_scalar_sync(&s, w) ? s : tn_scalar_unknown(w);
}

int tn_scalar_print(const struct tn_scalar *s, char *buf, uint64_t size)
{
	unsigned align = s->t.value | s->t.mask ? (unsigned)__builtin_ctzll(s->t.value | s->t.mask)
						: 0;
	char step[40] = "";

	if (s->umin == s->umax) {
		if (s->smin < 0 && s->smin > INT32_MIN)
			return snprintf(buf, size, "%" PRId64, s->smin);
		return snprintf(buf, size, "%" PRIu64, s->umin);
	}
	if (align > 0 && align < 63)
		snprintf(step, sizeof(step), ", multiple of %" PRIu64, (uint64_t)1 << align);
	if (s->umin > 0 || s->umax <= INT64_MAX)
		return snprintf(buf, size, "%" PRIu64 "..%" PRIu64 "%s", s->umin, s->umax, step);
	if (s->smin > INT64_MIN || s->smax < INT64_MAX)
		return snprintf(buf, size, "%" PRId64 "..%" PRId64 "%s", s->smin, s->smax, step);
	if (s->hmin > 0 || s->hmax < UINT32_MAX)
		return snprintf(buf, size, "low 32 bits %" PRIu64 "..%" PRIu64 "%s", s->hmin,
				s->hmax, step);
	return snprintf(buf, size, "unknown%s", step);
}
