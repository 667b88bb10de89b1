/* SPDX-License-Identifier: MIT */
/*
 * C functions that put their arguments into an array of u64 and hand it to one function of ours:
 * what a host calls through a table of functions that a plugin filled. Integers and pointers alone.
 */
#ifndef TN_JIT_THUNK_H
#define TN_JIT_THUNK_H

#include "base/pages.h"
#include "vm/signature.h"

#define TN_THUNK_MAX_ARGS 12

struct tn_thunk {
	/* call(self, args): args[i] is argument i, extended to 64 bits as its type says. */
	const void *call, *self;
	uint8_t nr_args;
	uint8_t args[TN_THUNK_MAX_ARGS]; /* enum tn_ctype */
	uint8_t ret;			 /* enum tn_ctype: what of the result the caller gets */
	uint32_t off;			 /* out: where in the code its function begins */
};

/* Can the function be made here? */
bool tn_thunk_fits(const struct tn_thunk *thunk);

/* All of them into one sealed piece of code. 0, -ENOTSUP (no JIT for this machine), -ENOMEM,
 * -E2BIG, -EACCES or -EPERM (executable memory is refused), with words. */
int tn_thunks_make(struct tn_rt *rt, struct tn_thunk *thunks, uint32_t nr, struct tn_code *code);

#endif
