/* SPDX-License-Identifier: MIT */
/*
 * How often loops go round, and what they pay. A trip count is proved for a register that every
 * round of the loop moves by the same constant; see loop.c. Everything else pays fuel.
 */
#ifndef TN_VERIFIER_LOOP_H
#define TN_VERIFIER_LOOP_H

#include "verifier/state.h"

struct tn_vf;
struct tn_counters;

/* Candidates of every loop. NULL: -ENOMEM. */
struct tn_counters *tn_counters_new(struct tn_rt *rt, const struct tn_structure *s);
void tn_counters_free(struct tn_rt *rt, struct tn_counters *c);
void tn_counters_reset(struct tn_counters *c);
/* The walk arrives at a loop's head: from inside the loop or from outside. */
void tn_counters_arrive(struct tn_counters *c, uint32_t loop, bool back, const struct tn_frame *f);

/* Is the instruction executed in every round of the loop, once? Not by irreducible ones. */
bool tn_loop_every_round(const struct tn_structure *s, uint32_t loop, uint32_t insn);

/* After the walk: loops that can not end, fuel, frames; fills vf->facts. */
int tn_loop_finish(struct tn_vf *vf);

#endif
