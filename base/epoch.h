/* SPDX-License-Identifier: MIT */
/*
 * Asymmetric epochs: readers pay a store and a compiler barrier, updaters a membarrier(2). Where
 * membarrier is or becomes refused (seccomp), fence mode is switched on for the process: readers
 * then execute a full fence, and until every thread that was registered at the switch has entered
 * once in it, waiting forms return -EAGAIN and the memory is freed later. The argument for the
 * orderings stands in epoch.c; tests/models/epoch.pml checks it.
 *
 * What is published with a release store and read inside enter/leave stays allocated until
 * tn_epoch_synchronize() returned 0, or until the deferred function ran.
 */
#ifndef TN_BASE_EPOCH_H
#define TN_BASE_EPOCH_H

#include "base/thread.h"

/* Process-wide. `fence` is 1 in fence mode. */
struct tn_epoch_global {
	_Atomic uint64_t now; /* starts at 1, only grows */
	_Atomic uint32_t fence;
};
extern struct tn_epoch_global tn_epoch_g;

static TN_ALWAYS_INLINE void tn_epoch_enter(struct tn_thread *t)
{
	if (t->depth++ == 0) {
#if TN_TSAN
		/* ThreadSanitizer knows no fences: an exchange here, a fetch-add there. */
		tn_exchange_acq_rel(&t->epoch, tn_load_acquire(&tn_epoch_g.now));
#else
		/* Pairs with the increment in epoch.c: who sees an epoch sees what was unlinked
		 * before it began. Free on x86. */
		tn_store_relaxed(&t->epoch, tn_load_acquire(&tn_epoch_g.now));
		if (tn_unlikely(tn_load_relaxed(&tn_epoch_g.fence))) {
			tn_fence_seq_cst();
			tn_store_relaxed(&t->fenced, 1);
		}
		/* Pairs with membarrier(2) in epoch.c. */
		tn_compiler_barrier();
#endif
	}
}

static TN_ALWAYS_INLINE void tn_epoch_leave(struct tn_thread *t)
{
	if (--t->depth == 0) {
		/* Pairs with the acquire of every record's epoch in epoch.c: what this thread read
		 * is read before the updater frees it. */
		tn_store_release(&t->epoch, 0);
	}
}

/* Wait until every thread that is inside now has left. 0; -EDEADLK from inside; -EAGAIN: no barrier
 * can be had yet (see above), nothing waited for. Do not hold a lock that a helper may take. Runs
 * no deferred function. */
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

/* Run what is ready among the deferred; returns how many ran. Queueing runs nothing, since its
 * caller may hold locks that a deferred function wants: whoever queues calls this after it let go
 * of its locks. Does nothing from inside, and costs a load while nothing is queued. */
uint32_t tn_epoch_reclaim(void);

/* Wait until every deferred function that was queued before, or by one of those, ran: 0, -EDEADLK
 * (from inside, or from a deferred function), -EAGAIN. Hold no lock. */
int tn_epoch_drain(void) TN_WARN_UNUSED;

/* A number that grows; something retired at `stamp` may be reused once tn_epoch_passed(stamp).
 * Lock-free, for map elements that wait for an epoch: take the stamp after unlinking. A stamp
 * passes after two advances with no reader left from before. tn_epoch_advance() moves on without
 * waiting (one membarrier): call it seldom. */
uint64_t tn_epoch_stamp(void);
int tn_epoch_passed(uint64_t stamp);
void tn_epoch_advance(void);

/* The bare asymmetric barrier, for protocols of other files: afterwards every other thread has
 * passed a full barrier, and a compiler barrier suffices on their side (in fence mode: a full
 * fence, see tn_epoch_light_barrier()). -EAGAIN, without words: none can be had yet. Does not wait.
 */
int tn_epoch_barrier(void) TN_WARN_UNUSED;

/* The other side of it: between a store and a load that are not to be swapped. */
static TN_ALWAYS_INLINE void tn_epoch_light_barrier(struct tn_thread *t)
{
	if (tn_unlikely(!t || tn_load_relaxed(&tn_epoch_g.fence))) {
		tn_fence_seq_cst();
		if (t && tn_load_relaxed(&tn_epoch_g.fence))
			tn_store_relaxed(&t->fenced, 1);
	}
	tn_compiler_barrier();
}

#endif
