/* SPDX-License-Identifier: MIT */
/*
 * Asymmetric epochs: readers pay a store and a compiler barrier, updaters a membarrier(2). Where
 * membarrier is or becomes refused (seccomp), fence mode is switched on for the process: readers
 * then execute a full fence, and until every thread that was registered at the switch has entered
 * once in it, waiting forms return -EAGAIN and the memory is freed later.
 *
 * What is published with a release store and read inside enter/leave stays allocated until
 * tn_epoch_synchronize() returned 0, or until the deferred function ran.
 */
#ifndef TN_BASE_EPOCH_H
#define TN_BASE_EPOCH_H

#include "base/thread.h"

/* Process-wide. `fence` is 1 in fence mode. */
struct tn_epoch_global {
	_Atomic uint64_t now;	/* starts at 1, only grows */
	_Atomic uint32_t fence;
};
extern struct tn_epoch_global tn_epoch_g;

static TN_ALWAYS_INLINE void tn_epoch_enter(struct tn_thread *t)
{
	if (t->depth++ == 0) {
#if TN_TSAN
		atomic_store_explicit(&t->epoch, tn_load_acquire(&tn_epoch_g.now),
				      memory_order_seq_cst);
		tn_fence_seq_cst();
#else
		tn_store_relaxed(&t->epoch, tn_load_relaxed(&tn_epoch_g.now));
		if (tn_unlikely(tn_load_relaxed(&tn_epoch_g.fence)))
			tn_fence_seq_cst();
		/* Pairs with membarrier(2) in tn_epoch_synchronize(). */
		tn_compiler_barrier();
#endif
	}
}

static TN_ALWAYS_INLINE void tn_epoch_leave(struct tn_thread *t)
{
	if (--t->depth == 0) {
		/* Pairs with the acquire of every record's epoch in tn_epoch_synchronize(): what this
		 * thread read is read before the updater frees it. */
		tn_store_release(&t->epoch, 0);
	}
}

/* Wait until every thread that is inside now has left. 0; -EDEADLK from inside; -EAGAIN: no barrier
 * can be had yet (see above), nothing waited for. Do not hold a lock that a helper may take. */
int tn_epoch_synchronize(void) TN_WARN_UNUSED;

/* Free later: fn(arg) runs once, on some thread, outside any epoch section, after every thread that
 * is inside now has left. Embed struct tn_deferred in the thing to be freed: this never allocates,
 * never waits and never fails. Any thread, inside or outside. */
struct tn_deferred {
	struct tn_deferred *next;
	void (*fn)(struct tn_deferred *self);
	uint64_t epoch;
};
void tn_epoch_defer(struct tn_deferred *d, void (*fn)(struct tn_deferred *self));

/* Run what is ready among the deferred. Called from slow paths (defer, synchronize, updates).
 * Returns how many ran. Does nothing from inside. */
uint32_t tn_epoch_reclaim(void);

/* Wait until every deferred function that was queued before ran: 0, -EDEADLK, -EAGAIN. */
int tn_epoch_drain(void) TN_WARN_UNUSED;

/* A number that grows; something retired at `stamp` may be reused once tn_epoch_passed(stamp).
 * Lock-free, for map elements that wait for an epoch. tn_epoch_advance() tries to move the oldest
 * visible epoch on without waiting (one membarrier): call it seldom. */
uint64_t tn_epoch_stamp(void);
int tn_epoch_passed(uint64_t stamp);
void tn_epoch_advance(void);

#endif
