/* SPDX-License-Identifier: MIT */
/*
 * Memory regions that the context's pointer fields give: SIZED (ptr, len), REGION (ptr, end), MEM.
 *
 * The size of a region is a number S that is constant between two calls of a helper that
 *invalidates the context, since the context is private to the firing and neither member can be
 *written by the plugin. Two things are known about it: the interval of its length, and facts about
 *numbers that stand in a relation to it:
 *
 *	x * scale + delta <= S (in bytes)
 *
 * The left side is read as follows: there was a number B = x * scale + delta' (modulo 2^64) with
 * 0 <= B <= 2^48, and B + k <= S in the integers; delta is delta' + k. An offset o of the same id
 * and scale, itself proved to lie in 0 .. 2^48, differs from B by the difference of the deltas
 * modulo 2^64; both being small, also in the integers. So o + n <= S follows from
 * o.delta + n <= delta where the deltas are small as well. Hosts hand out real memory, hence
 * S <= 2^47.
 */
#ifndef TN_VERIFIER_REGION_H
#define TN_VERIFIER_REGION_H

#include "verifier/state.h"

#define TN_REGION_MAX_BYTES ((uint64_t)1 << 47)
#define TN_OFFSET_MAX	    ((int64_t)1 << 48)

/* The regions of a context type; at most TN_MAX_REGIONS. Returns how many, or -1: too many. */
int tn_regions_find(const struct tn_ctx_type *type, struct tn_region *out);

/* Everything about all regions is forgotten (at entry, and after a helper that invalidates them).
 */
void tn_regions_reset(const struct tn_region *regions, struct tn_state *s);

/* Bytes that the region surely has. */
uint64_t tn_region_min_bytes(const struct tn_region *regions, const struct tn_state *s,
			     uint32_t region);

/* The largest known k with value(r) * mult + k <= bytes of the region, in the integers, for r in
 * 0 .. 2^48. false: nothing is known. */
bool tn_region_slack(const struct tn_region *regions, const struct tn_state *s, uint32_t region,
		     const struct tn_reg *r, uint64_t mult, int64_t *k);

/* The same from r's ties alone. */
bool tn_region_slack_tied(const struct tn_region *regions, const struct tn_state *s,
			  uint32_t region, const struct tn_reg *r, uint64_t mult, int64_t *k);

/* value(r) * mult + k <= bytes of the region holds from here on; value(r) * mult is known to be in
 * 0 .. 2^48 then. Keeps it as a fact if r has an id. */
void tn_region_learn(const struct tn_region *regions, struct tn_state *s, uint32_t region,
		     const struct tn_reg *r, uint64_t mult, int64_t k);

/* The region has at least `bytes`. false: it can not have. */
bool tn_region_learn_min(const struct tn_region *regions, struct tn_state *s, uint32_t region,
			 uint64_t bytes);

#endif
