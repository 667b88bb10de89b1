/* SPDX-License-Identifier: MIT */
/*
 * Numbers the verifier does not know exactly: a tnum (known bits) and four intervals, kept
 * consistent. Every operator is sound alone: for all concrete members of its inputs, the concrete
 * result is a member of its output (tests/verifier/test_scalar.c enumerates all of it at small
 * widths). That is why the operators take the machine's width as a parameter: `w` stands for 64,
 * with w / 2 for the 32-bit halves (tests use 4 and 8; w is a power of two).
 */
#ifndef TN_VERIFIER_SCALAR_H
#define TN_VERIFIER_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "verifier/tnum.h"

struct tn_scalar {
	struct tn_tnum t;     /* of all w bits */
	uint64_t umin, umax;  /* as unsigned w-bit numbers */
	int64_t smin, smax;   /* as signed w-bit numbers, sign-extended to 64 */
	uint64_t hmin, hmax;  /* low half as unsigned */
	int64_t hsmin, hsmax; /* low half as signed, sign-extended to 64 */
};

#define TN_W64 64u

static inline uint64_t tn_sign_bit(unsigned w)
{
	return (uint64_t)1 << (w - 1);
}

static inline int64_t tn_sign_extend(uint64_t x, unsigned w)
{
	return (int64_t)(x << (64 - w)) >> (64 - w);
}

static inline int64_t tn_smin_of(unsigned w)
{
	return tn_sign_extend(tn_sign_bit(w), w);
}

static inline int64_t tn_smax_of(unsigned w)
{
	return (int64_t)(tn_sign_bit(w) - 1);
}

/* Constructors. */
static inline struct tn_scalar tn_scalar_unknown(unsigned w)
{
	unsigned h = w / 2;

	return (struct tn_scalar){ { 0, tn_ones(w) }, 0, tn_ones(w), tn_smin_of(w),
				   tn_smax_of(w),     0, tn_ones(h), tn_smin_of(h),
				   tn_smax_of(h) };
}

static inline struct tn_scalar tn_scalar_const(uint64_t value, unsigned w)
{
	unsigned h = w / 2;
	uint64_t v = value & tn_ones(w), low = value & tn_ones(h);
	int64_t sv = tn_sign_extend(v, w), slow = tn_sign_extend(low, h);

	return (struct tn_scalar){ { v, 0 }, v, v, sv, sv, low, low, slow, slow };
}

struct tn_scalar tn_scalar_range(uint64_t umin, uint64_t umax, unsigned w); /* unsigned interval */
struct tn_scalar tn_scalar_srange(int64_t smin, int64_t smax, unsigned w);  /* signed interval */

/* Of `bits` below the machine's width nothing is known, the others are 0. */
static inline struct tn_scalar tn_scalar_bits(unsigned bits)
{
	uint64_t ones = tn_ones(bits);
	bool whole_half = bits >= 32;

	return (struct tn_scalar){ { 0, ones },
				   0,
				   ones,
				   0,
				   (int64_t)ones,
				   0,
				   whole_half ? UINT32_MAX : ones,
				   whole_half ? INT32_MIN : 0,
				   whole_half ? INT32_MAX : (int64_t)ones };
}

/* *value may be NULL. */
static inline bool tn_scalar_is_const(const struct tn_scalar *s, uint64_t *value)
{
	if (s->umin != s->umax)
		return false;
	if (value)
		*value = s->umin;
	return true;
}

static inline bool tn_scalar_contains(const struct tn_scalar *s, uint64_t value, unsigned w)
{
	unsigned h = w / 2;
	uint64_t v = value & tn_ones(w), low = value & tn_ones(h);
	int64_t sv = tn_sign_extend(v, w), slow = tn_sign_extend(low, h);

	return tn_tnum_contains(s->t, v) && v >= s->umin && v <= s->umax && sv >= s->smin &&
	       sv <= s->smax && low >= s->hmin && low <= s->hmax && slow >= s->hsmin &&
	       slow <= s->hsmax;
}

/* Tighten each part by the others. false: empty (no member), the state is unreachable. */
bool tn_scalar_sync(struct tn_scalar *s, unsigned w);

/* ---- Transfer functions. `op` is TN_ADD ... TN_ARSH of vm/insn.h; TN_DIV and TN_MOD with
 * `is_signed`. RFC 9669: division by zero gives 0, modulo by zero the dividend, shifts are masked.
 * `half`: the 32-bit form, result zero-extended. ---- */
struct tn_scalar tn_scalar_alu(unsigned op, bool is_signed, bool half, const struct tn_scalar *a,
			       const struct tn_scalar *b, unsigned w);
struct tn_scalar tn_scalar_neg(bool half, const struct tn_scalar *a, unsigned w);
/* Keep the low `bits`, zero- or sign-extend to w (half: to w / 2, then zero-extend). */
struct tn_scalar tn_scalar_zext(const struct tn_scalar *a, unsigned bits, unsigned w);
struct tn_scalar tn_scalar_sext(const struct tn_scalar *a, unsigned bits, bool half, unsigned w);
/* Byte swap of the low `bits` (16, 32, 64), or unknown of that width. w = 64 alone. */
struct tn_scalar tn_scalar_bswap(const struct tn_scalar *a, unsigned bits);

/* ---- Branches. `op` is TN_JEQ ... TN_JSLE, TN_JSET. Refine both by the outcome; false: this
 * outcome cannot happen. ---- */
bool tn_scalar_branch(unsigned op, bool half, bool taken, struct tn_scalar *a, struct tn_scalar *b,
		      unsigned w);

/* ---- Lattice ---- */

/* a within b */
static inline bool tn_scalar_subset(const struct tn_scalar *a, const struct tn_scalar *b)
{
	return a->umin >= b->umin && a->umax <= b->umax && a->smin >= b->smin &&
	       a->smax <= b->smax && a->hmin >= b->hmin && a->hmax <= b->hmax &&
	       a->hsmin >= b->hsmin && a->hsmax <= b->hsmax && tn_tnum_subset(a->t, b->t);
}

struct tn_scalar tn_scalar_join(const struct tn_scalar *a, const struct tn_scalar *b, unsigned w);
/* Both hold: members of a and of b. false: none. */
bool tn_scalar_meet(struct tn_scalar *a, const struct tn_scalar *b, unsigned w);
/* `now` grew out of `old` at a loop head: jump to the next thresholds (sorted signed and as
 * unsigned by cast), else to the end of the type. Contains both; reaches a fixpoint in a bounded
 * number of steps. */
struct tn_scalar tn_scalar_widen(const struct tn_scalar *old, const struct tn_scalar *now,
				 const int64_t *thresholds, uint32_t nr, unsigned w);

/* "0..1023", "7", "-5..5", "unknown"; length as snprintf. */
int tn_scalar_print(const struct tn_scalar *s, char *buf, uint64_t size);

#endif
