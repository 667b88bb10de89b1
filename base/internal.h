/* SPDX-License-Identifier: MIT */
/*
 * Between the files of base alone: thread.c, slot.c, epoch.c, fork.c, rt.c.
 *
 * Lock order, outermost first: a deferred function's own locks are inside reclaim; runtime locks
 * and whatever else fork prepare functions take; advance; threads.
 */
#ifndef TN_BASE_INTERNAL_H
#define TN_BASE_INTERNAL_H

#include <pthread.h>

#include "base/thread.h"

/* ---- thread.c ---- */
void tn_threads_wait(pthread_cond_t *cond); /* lets go of the lock meanwhile */
void tn_threads_fork_child(struct tn_thread *self);

/* ---- slot.c ---- */
int tn_slots_init(struct tn_rt *rt) TN_WARN_UNUSED;
void tn_slots_fini(struct tn_rt *rt);
void tn_slots_thread_end(struct tn_thread *t); /* under the threads lock */
void tn_slots_fork_child(void);

/* ---- epoch.c ---- */
void tn_epoch_init(void); /* under the threads lock, before any record is linked */
void tn_epoch_fork_prepare_outer(struct tn_thread *self);
void tn_epoch_fork_prepare_inner(void);
void tn_epoch_fork_parent_inner(void);
void tn_epoch_fork_parent_outer(struct tn_thread *self);
void tn_epoch_fork_child(void);

/* ---- fork.c ---- */
int tn_fork_init(void) TN_WARN_UNUSED;

#endif
