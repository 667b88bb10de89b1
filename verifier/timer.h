/* SPDX-License-Identifier: MIT */
/* Timers and the functions that they call; timer.c. */
#ifndef TN_VERIFIER_TIMER_H
#define TN_VERIFIER_TIMER_H

#include "verifier/engine.h"

struct tn_callee;

int tn_check_timer_arg(struct tn_vf *vf, struct tn_callee *c, uint32_t i);
/* The arguments of the timer helpers, together. */
int tn_check_timer(struct tn_vf *vf, const struct tn_callee *c);
/* The next function of a timer, as the current state; false: no more. */
bool tn_timer_next(struct tn_vf *vf);
void tn_timer_free(struct tn_vf *vf);
/* Sets those of the program's subprograms that timers run. */
void tn_timer_mark_roots(const struct tn_vf *vf, bool *is_root);
/* It returns. */
int tn_timer_exit(struct tn_vf *vf);

#endif
