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

struct tn_tnum tn_tnum_const(uint64_t value);
struct tn_tnum tn_tnum_unknown(unsigned w);
/* The tightest that contains the unsigned interval. */
struct tn_tnum tn_tnum_range(uint64_t min, uint64_t max, unsigned w);
struct tn_tnum tn_tnum_add(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_sub(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_mul(struct tn_tnum a, struct tn_tnum b, unsigned w);
struct tn_tnum tn_tnum_and(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_or(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_xor(struct tn_tnum a, struct tn_tnum b);
struct tn_tnum tn_tnum_lsh(struct tn_tnum a, unsigned by, unsigned w);
struct tn_tnum tn_tnum_rsh(struct tn_tnum a, unsigned by, unsigned w);
struct tn_tnum tn_tnum_arsh(struct tn_tnum a, unsigned by, unsigned w);
struct tn_tnum tn_tnum_cast(struct tn_tnum a, unsigned bits); /* low bits, zero above */
struct tn_tnum tn_tnum_join(struct tn_tnum a, struct tn_tnum b);
bool tn_tnum_meet(struct tn_tnum a, struct tn_tnum b, struct tn_tnum *out);
bool tn_tnum_subset(struct tn_tnum a, struct tn_tnum b); /* a within b */
static inline bool tn_tnum_contains(struct tn_tnum t, uint64_t v)
{
	return (v & ~t.mask) == t.value;
}

#endif
