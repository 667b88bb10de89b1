/* SPDX-License-Identifier: MIT */
/* Native code for the programs of one object, in one private mapping. */
#ifndef TN_JIT_JIT_H
#define TN_JIT_JIT_H

#include "vm/image.h"

/* Is there a JIT for this machine, and executable memory? 0, -ENOTSUP, -EACCES/-EPERM with words.
 */
int tn_jit_available(void);

/*
 * Compile rewritten programs into one new struct tn_code (allocated, refcounted by the caller,
 * sealed): sets entry, funcs[].native, code, code_off, code_bytes, native of each. All or nothing.
 * 0, -ENOTSUP (no JIT here), -ENOMEM, -E2BIG (limit), -EACCES/-EPERM (executable memory refused).
 */
int tn_jit_compile(struct tn_rt *rt, struct tn_prog *const *progs, uint32_t nr,
		   struct tn_code **code);
void tn_jit_code_free(struct tn_rt *rt, struct tn_code *code);

/* Instruction that covers the code at `off` from the program's start; -1: none. */
int32_t tn_jit_insn_at(const struct tn_prog *prog, uint32_t off);

/* Append the programs to /tmp/perf-PID.map (made when missing; one write, O_NOFOLLOW). */
int tn_jit_perf_map(struct tn_prog *const *progs, uint32_t nr);

/*
 * A chain's trampoline: calls of two or more links in one piece of code. See host-api/hook.c for
 * what is called when; compiled only where it wins.
 */

#endif
