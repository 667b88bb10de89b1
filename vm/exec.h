/* SPDX-License-Identifier: MIT */
/*
 * One firing of one program, on the firing thread's stack. The compiled code knows the offsets of
 * the first members (asserted by the JIT).
 *
 * A program is entered natively, compiled or not, as fn(ctx, ex): compiled code directly,
 * interpreted programs through tn_interp_entry(). So hooks, chains, tail calls and callbacks need
 * not know which engine serves.
 */
#ifndef TN_VM_EXEC_H
#define TN_VM_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

struct tn_rt;
struct tn_prog;
struct tn_exec;
struct tn_held_list;

typedef uint64_t (*tn_native_fn)(void *ctx, struct tn_exec *ex);

/* Why a program ended early: tn_exec.abort. 0: it did not. */
enum {
	TN_ABORT_NONE = 0,
	TN_ABORT_FUEL = 1,  /* out of fuel */
	TN_ABORT_HOST = 2,  /* tenon_abort(); the reason stands in abort_reason */
	TN_ABORT_THROW = 3, /* bpf_throw(); never seen outside of tn_held_entry() */
};

#define TN_MAX_TAIL_CALLS 33

struct tn_exec {
	int64_t fuel;	     /* instructions left; an edge that would make it negative aborts */
	uint32_t abort;	     /* TN_ABORT_...; tested after helpers that may set it */
	uint32_t tail_calls; /* made so far in this chain entry */
	void *entry_sp;	     /* JIT: stack pointer at the nearest native entry */
	const struct tn_prog *prog; /* running; a tail call replaces it */
	uint64_t ctx_size;	    /* r2 at entry where prog->r2_is_ctx_size */
	uint32_t slot;
	uint32_t abort_reason;
	uint64_t cookie;
	struct tn_rt *rt;
	struct tn_thread *thread;
	struct tn_exec *outer;	     /* the firing that this one is nested in, or NULL */
	void *ctx;		     /* the host's context, for helpers declared with it */
	const struct tn_prog *first; /* the program that was fired, before tail calls */
	/* Helpers that run callbacks charge this for each round, before it: an engine stores the
	 * fuel fact of the call site here before every call of such a helper (TN_SIG_CALLBACK), 0
	 * without facts, and ex->fuel is exact at that point. The helper sets TN_ABORT_FUEL when it
	 * runs out; the engine tests ex->abort and takes ex->fuel back after the call. */
	uint32_t callback_fuel;
	uint64_t thrown;	   /* THROW: the program's result */
	struct tn_held_list *held; /* of the program that runs; NULL: it is not asked to note any */
	/* A helper declared TENON_MAY_ABORT is being called: tenon_abort() has an effect. Engines
	 * set it before such a call and clear it behind. */
	uint32_t can_abort;
	/* Where the hook was fired: a return address in the host. NULL: nobody noted it. */
	void *caller;
};

/* Where callbacks and the values of TN_LDDW_FUNC point to. One per subprogram. */
typedef uint64_t (*tn_native_func)(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
				   struct tn_exec *ex);
struct tn_func {
	const struct tn_prog *prog;
	uint32_t subprog;      /* index into prog->subprogs */
	tn_native_func native; /* NULL: interpreted. Compiled: a native entry of its own: on abort
				* it returns here, and the helper tests ex->abort. */
};

/* Call a program's callback from a helper. The caller tests ex->abort afterwards and returns at
 * once when it is set. */
uint64_t tn_func_call(const struct tn_func *fn, struct tn_exec *ex, uint64_t a1, uint64_t a2,
		      uint64_t a3, uint64_t a4, uint64_t a5);

/* Standard helpers: r1..r5 and the firing. */
typedef uint64_t (*tn_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
				 struct tn_exec *ex);

#endif
