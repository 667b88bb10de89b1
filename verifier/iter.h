/* SPDX-License-Identifier: MIT */
/* Open-coded iterators; iter.c. */
#ifndef TN_VERIFIER_ITER_H
#define TN_VERIFIER_ITER_H

#include "verifier/engine.h"

struct tn_callee;

/* Is it a call of an iterator's new, next or destroy? Its arguments are checked then. */
bool tn_iter_call(const struct tn_callee *c);
int tn_do_iter(struct tn_vf *vf, const struct tn_callee *c);
/* The call here gives NULL: if it is one of next(), the iterator is drained. */
int tn_iter_drain(struct tn_vf *vf);
/* After the walk: how often the head of the loop is reached at most, if an iterator says so. */
uint64_t tn_iter_trips(const struct tn_vf *vf, uint32_t loop);

#endif
