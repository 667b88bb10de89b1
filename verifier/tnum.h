/* SPDX-License-Identifier: MIT */
/* Tristate numbers: each bit is 0, 1 or unknown. `mask` has the unknown bits; `value` the known
 * ones, 0 where unknown. */
#ifndef TN_VERIFIER_TNUM_H
#define TN_VERIFIER_TNUM_H

#include <stdbool.h>
#include <stdint.h>

struct tn_tnum {
	uint64_t value, mask;
};

/* All of the low `bits`. */
static inline uint64_t tn_ones(unsigned bits)
{
	return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static inline struct tn_tnum tn_tnum_const(uint64_t value)
{
	return (struct tn_tnum){ value, 0 };
}

static inline struct tn_tnum tn_tnum_unknown(unsigned w)
{
	return (struct tn_tnum){ 0, tn_ones(w) };
}

/* The tightest that contains the unsigned interval. */
static inline struct tn_tnum tn_tnum_range(uint64_t min, uint64_t max, unsigned w)
{
	uint64_t differ = min ^ max, mask;

	if (min > max)
		return tn_tnum_unknown(w);
	/* All bits up to the highest one that differs. */
	mask = differ ? UINT64_MAX >> __builtin_clzll(differ) : 0;
	return (struct tn_tnum){ min & ~mask, mask };
}

struct tn_tnum tn_tnum_add(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_sub(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_mul(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_and(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_or(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_xor(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_lsh(struct tn_tnum a, unsigned by, unsigned w);
struct tn_tnum tn_tnum_rsh(struct tn_tnum a, unsigned by, unsigned w);
struct tn_tnum tn_tnum_arsh(struct tn_tnum a, unsigned by, unsigned w);

/* Low bits, zero above. */
static inline struct tn_tnum tn_tnum_cast(struct tn_tnum a, unsigned bits)
{
	return (struct tn_tnum){ a.value & tn_ones(bits), a.mask & tn_ones(bits) };
}

static inline struct tn_tnum tn_tnum_join(struct tn_tnum a, struct tn_tnum b)
{
	uint64_t mask = a.mask | b.mask | (a.value ^ b.value);

	return (struct tn_tnum){ a.value & ~mask, mask };
}

static inline bool tn_tnum_meet(struct tn_tnum a, struct tn_tnum b, struct tn_tnum *out)
{
	uint64_t mask = a.mask & b.mask;

	if ((a.value ^ b.value) & ~a.mask & ~b.mask)
		return false;
	*out = (struct tn_tnum){ (a.value | b.value) & ~mask, mask };
	return true;
}

static inline bool tn_tnum_contains(struct tn_tnum t, uint64_t v)
{
	return (v & ~t.mask) == t.value;
}

/* a within b */
static inline bool tn_tnum_subset(struct tn_tnum a, struct tn_tnum b)
{
	return (a.mask & ~b.mask) == 0 && tn_tnum_contains(b, a.value);
}

#endif
