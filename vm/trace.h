/* SPDX-License-Identifier: MIT */
/*
 * Where the interpreter can be watched. Tests compile it once more with TN_INTERP_TRACE and give
 * these functions (tests/verifier/trace.c); everywhere else they are nothing.
 */
#ifndef TN_VM_TRACE_H
#define TN_VM_TRACE_H

#ifdef TN_INTERP_TRACE
#include <stdint.h>

struct tn_prog;
struct tn_exec;

/* Before each instruction. `r` is the frame's registers, which tells frames apart. */
void tn_trace_step(const struct tn_prog *prog, uint32_t insn, uint64_t *r, struct tn_exec *ex);
/* A frame begins, or a tail call replaces the one of `r`; its stack is not cleared yet. */
void tn_trace_enter(const struct tn_prog *prog, uint32_t subprog, uint64_t *r, uint32_t bytes);
/* Memory for a frame, aligned to 16. */
unsigned char *tn_trace_stack(uint32_t bytes);
/* What a program gets for a random number or the time, so that two runs can be the same. */
uint64_t tn_trace_number(uint64_t real);

#define TN_TRACE_STEP(prog, insn, r, ex)	tn_trace_step(prog, insn, r, ex)
#define TN_TRACE_ENTER(prog, subprog, r, bytes) tn_trace_enter(prog, subprog, r, bytes)
#define TN_TRACE_STACK(bytes, otherwise)	tn_trace_stack(bytes)
#define TN_TRACE_NUMBER(real)			tn_trace_number(real)
#else
#define TN_TRACE_STEP(prog, insn, r, ex)	((void)0)
#define TN_TRACE_ENTER(prog, subprog, r, bytes) ((void)0)
#define TN_TRACE_STACK(bytes, otherwise)	((unsigned char *)(otherwise))
#define TN_TRACE_NUMBER(real)			(real)
#endif

#endif
