/* SPDX-License-Identifier: MIT */
/* What the parts of the cure share; trace.h says what it is. */
#ifndef TN_VERIFIER_CURE_H
#define TN_VERIFIER_CURE_H

#include "verifier/trace.h"

/* Another sentence of the advice. */
void tn_cure_add(struct tn_trace *t, const char *fmt, ...) TN_PRINTF(2, 3);
/* Drop what the check advised: something better follows. */
void tn_cure_anew(struct tn_trace *t);
/* Another headline. */
void tn_cure_text(struct tn_trace *t, int code, const char *fmt, ...) TN_PRINTF(3, 4);

static inline uint32_t tn_cure_last(const struct tn_trace *t)
{
	return t->nr_steps - 1;
}

static inline const struct tn_reg *tn_cure_reg(const struct tn_trace *t)
{
	return tn_vf_reg(t->vf, (uint32_t)t->vf->diag.reg);
}

/* cure_bounds.c: an access through register diag.reg leaves its memory. */
void tn_cure_bounds(struct tn_trace *t);

#endif
