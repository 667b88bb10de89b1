/* SPDX-License-Identifier: MIT */
/*
 * What every round of a loop moves by a constant: registers, and places of the stack that clang -O0
 * or `volatile` keep a counter in. Their ranges at the loop's head, as the walk finds them, bound
 * the number of rounds; the argument stands in counter.c.
 */
#ifndef TN_VERIFIER_COUNTER_H
#define TN_VERIFIER_COUNTER_H

#include "verifier/state.h"

struct tn_counters;

/* Candidates of every loop. NULL: -ENOMEM. */
struct tn_counters *tn_counters_new(struct tn_rt *rt, const struct tn_structure *s,
				    const struct tn_liveness *live);
void tn_counters_free(struct tn_rt *rt, struct tn_counters *c);
void tn_counters_reset(struct tn_counters *c);
/* The walk arrives at a loop's head: from inside the loop or from outside. */
void tn_counters_arrive(struct tn_counters *c, uint32_t loop, bool back, const struct tn_frame *f);
/* Arrivals at the head per entry into the loop, or TN_TRIPS_UNKNOWN. */
uint64_t tn_counters_trips(const struct tn_counters *c, uint32_t loop);

#endif
