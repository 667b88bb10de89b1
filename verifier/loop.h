/* SPDX-License-Identifier: MIT */
/*
 * How often loops go round, and what they pay. A trip count is proved for what every round of
 * the loop moves by a constant; see counter.c. Everything else pays fuel.
 */
#ifndef TN_VERIFIER_LOOP_H
#define TN_VERIFIER_LOOP_H

#include "verifier/counter.h"

struct tn_vf;

/* Is the instruction executed in every round of the loop, once? Not by irreducible ones. */
bool tn_loop_every_round(const struct tn_structure *s, uint32_t loop, uint32_t insn);

/* After the walk: loops that can not end, fuel, frames; fills vf->facts. */
int tn_loop_finish(struct tn_vf *vf);

#endif
