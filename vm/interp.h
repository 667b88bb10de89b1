/* SPDX-License-Identifier: MIT */
/* The interpreter: all of RFC 9669 and what came later, on the firing thread's C stack. It runs
 * rewritten programs; it serves where there is no JIT and is the reference for it. */
#ifndef TN_VM_INTERP_H
#define TN_VM_INTERP_H

#include <stdbool.h>

#include "vm/exec.h"

/* As a native entry: runs ex->prog. */
uint64_t tn_interp_entry(void *ctx, struct tn_exec *ex);

/* One subprogram as a callback or as a whole. */
uint64_t tn_interp_call(const struct tn_prog *prog, uint32_t subprog, const uint64_t args[5],
			struct tn_exec *ex);

/* One tail call for either engine (helper 12): checks the index and the count, charges the target's
 * proved cost. The target, whose `entry` is to be entered with ex (ex->prog is already set), or
 * NULL: a miss, fall through with r0 = TN_TAIL_CALL_MISS - or ex->abort is set (out of fuel). */
#define TN_TAIL_CALL_MISS ((uint64_t)-2) /* -ENOENT: the program may read r0 afterwards */
const struct tn_prog *tn_exec_tail_call(struct tn_exec *ex, void *map, uint64_t index);

/* Where the packet of a packet context lies; false: prog's context is none. */
bool tn_exec_packet(const struct tn_prog *prog, const void *ctx, const unsigned char **data,
		    const unsigned char **end);

/* LD_ABS and LD_IND for packet contexts: 1, with the value in host order in *out; 0: out of range,
 * the program ends with 0. `ctx` is r6: the host side of a packet context. */
int tn_exec_ld_packet(const struct tn_prog *prog, const void *ctx, int64_t off, uint32_t bytes,
		      uint64_t *out);

/* may_goto: each function entry has its own count of 2^23. */
#define TN_MAY_GOTO_LIMIT (1u << 23)

#endif
