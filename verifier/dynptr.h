/* SPDX-License-Identifier: MIT */
/* Dynptrs; dynptr.c. */
#ifndef TN_VERIFIER_DYNPTR_H
#define TN_VERIFIER_DYNPTR_H

#include "verifier/engine.h"

struct tn_callee;

/* What a dynptr stands for, as far as its users must know. */
enum {
	TN_DYNPTR_OF_MEMORY,  /* memory that stays where it is */
	TN_DYNPTR_OF_RECORD,  /* a reserved ring buffer record: must be given back */
	TN_DYNPTR_OF_CONTEXT, /* what the context points to */
	TN_DYNPTR_OF_ANYTHING,
};

/* Is it a call that takes or makes one? */
bool tn_dynptr_call(const struct tn_callee *c);
int tn_do_dynptr(struct tn_vf *vf, struct tn_callee *c);
/* -EACCES unless register `regno` points to a dynptr. */
int tn_dynptr_arg(struct tn_vf *vf, uint32_t regno, const char *callee);

#endif
