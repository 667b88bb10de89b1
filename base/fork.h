/* SPDX-License-Identifier: MIT */
/*
 * fork(2) is the normal case for nginx and PostgreSQL. One pthread_atfork handler for the library:
 * prepare closes the gate to writer sections, waits until no other thread is inside one, and calls
 * the registered prepare functions; parent and child undo it, the child after resetting what
 * belonged to threads that do not exist in it.
 */
#ifndef TN_BASE_FORK_H
#define TN_BASE_FORK_H

#include "base/thread.h"

/* Bits of tn_fork_gate. */
#define TN_GATE_CLOSED 1u
#define TN_GATE_FENCE  2u /* no membarrier: writers execute a full fence */
extern _Atomic uint32_t tn_fork_gate;

void tn_writer_enter_slow(struct tn_thread *t) TN_COLD;
void tn_writer_leave_unregistered(void) TN_COLD;

/* A map's writer section: between enter and leave this thread may hold map locks, and does nothing
 * that can wait for anything else: no host callback, no lock of a floor above. While a fork is
 * under way, enter waits. Nests. `t` is tn_thread_self(); where that is NULL one global lock
 * stands in for the record. */
static TN_ALWAYS_INLINE void tn_writer_enter(struct tn_thread *t)
{
	uint32_t nest;

	if (tn_unlikely(!t)) {
		tn_writer_enter_slow(NULL);
		return;
	}
	nest = tn_load_relaxed(&t->in_writer);
#if TN_TSAN
	tn_add_acq_rel(&t->in_writer, 1);
#else
	tn_store_relaxed(&t->in_writer, nest + 1);
	/* Pairs with membarrier(2) in fork.c. */
	tn_compiler_barrier();
#endif
	if (tn_unlikely(tn_load_acquire(&tn_fork_gate)) && nest == 0)
		tn_writer_enter_slow(t);
}

static TN_ALWAYS_INLINE void tn_writer_leave(struct tn_thread *t)
{
	if (tn_unlikely(!t)) {
		tn_writer_leave_unregistered();
		return;
	}
	/* Pairs with the acquire in fork.c: what was written under the locks is there. */
	tn_store_release(&t->in_writer, tn_load_relaxed(&t->in_writer) - 1);
}

/* Hooks of one runtime or object, called in order of registration (prepare: in reverse). The
 * struct is embedded and stays linked until tn_fork_unregister(). A lock that a prepare function
 * takes is not held when registering or unregistering. */
struct tn_fork_ops {
	void (*prepare)(struct tn_fork_ops *self);
	void (*parent)(struct tn_fork_ops *self);
	void (*child)(struct tn_fork_ops *self);
	struct tn_fork_ops *next, *prev;
};
void tn_fork_register(struct tn_fork_ops *ops);
void tn_fork_unregister(struct tn_fork_ops *ops);

/* A function that runs in every child, before the handlers above, under the locks of base. Static,
 * never removed; any thread may add it, with any locks, once. */
struct tn_fork_child {
	void (*fn)(void);
	struct tn_fork_child *next;
};
void tn_fork_add_child(struct tn_fork_child *c);

#endif
