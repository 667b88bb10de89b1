/* SPDX-License-Identifier: MIT */
/* Global functions: proved once, by what their BTF says; global.c. */
#ifndef TN_VERIFIER_GLOBAL_H
#define TN_VERIFIER_GLOBAL_H

#include "verifier/engine.h"

/* Is `callee` such a function? Others are walked with the state of their caller. */
bool tn_global_is(struct tn_vf *vf, uint32_t callee);
/* As far as its BTF says, does it take one number and return one? */
bool tn_global_takes_a_number(struct tn_vf *vf, uint32_t callee);
/* The call here: the arguments are checked, nothing is known of the result, and the function will
 * be walked on its own. */
int tn_global_call(struct tn_vf *vf, uint32_t callee);
/* Did some call treat it so? Then no path leads into it. */
bool tn_global_was_called(const struct tn_vf *vf, uint32_t callee);
/* The next function that is walked on its own, as the current state; false: no more. */
bool tn_global_next(struct tn_vf *vf);
/* Room for what is known of them; 0 or -ENOMEM. Reset: none was called yet. */
int tn_global_alloc(struct tn_vf *vf);
void tn_global_reset(struct tn_vf *vf);
void tn_global_free(struct tn_vf *vf);
/* It returns. */
int tn_global_exit(struct tn_vf *vf);

#endif
