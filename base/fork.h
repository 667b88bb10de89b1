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

/* A map's writer section: between enter and leave this thread may hold map locks. While a fork is
 * under way, enter waits. Nests. Works before the thread is registered (registers it; when that
 * fails it falls back to one global lock). */
void tn_writer_enter_slow(struct tn_thread *t) TN_COLD;

extern _Atomic uint32_t tn_fork_gate; /* 1: closed */

/* Own thread only; other threads look at in_writer after a membarrier (see fork.c). */
void tn_writer_enter(struct tn_thread *t);
void tn_writer_leave(struct tn_thread *t);

/* Hooks of one runtime or object, called in order of registration (prepare: in reverse). The
 * struct is embedded and stays linked until tn_fork_unregister(). */
struct tn_fork_ops {
	void (*prepare)(struct tn_fork_ops *self);
	void (*parent)(struct tn_fork_ops *self);
	void (*child)(struct tn_fork_ops *self);
	struct tn_fork_ops *next, *prev;
};
void tn_fork_register(struct tn_fork_ops *ops);
void tn_fork_unregister(struct tn_fork_ops *ops);

#endif
