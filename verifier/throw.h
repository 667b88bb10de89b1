/* SPDX-License-Identifier: MIT */
/* Throws, and the function that gets what was thrown; throw.c. */
#ifndef TN_VERIFIER_THROW_H
#define TN_VERIFIER_THROW_H

#include "verifier/engine.h"

int tn_do_throw(struct tn_vf *vf);
/* Find which functions may throw, themselves or by what they call; once, before the walk. */
void tn_throw_prepare(struct tn_vf *vf);
/* May this instruction throw, or the function that it calls? By control flow alone. */
bool tn_throws_at(const struct tn_vf *vf, uint32_t insn);
bool tn_is_exception_callback(const struct tn_vf *vf, uint32_t subprog);
/* -EACCES with words. */
int tn_throw_refuse_call(struct tn_vf *vf, uint32_t callee);
/* *more: the exception callback is the current state. */
int tn_throw_next(struct tn_vf *vf, bool *more);

#endif
