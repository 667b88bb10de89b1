/* SPDX-License-Identifier: MIT */
/*
 * One record per thread that ever fired, found through one initial-exec thread-local pointer
 * (global-dynamic TLS costs 3 ns more a fire). Records are process-wide, registered on first use,
 * given back by a pthread key when the thread ends, recycled, never freed.
 *
 * Epochs (base/epoch.h) and slots live in the record.
 */
#ifndef TN_BASE_THREAD_H
#define TN_BASE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/err.h"

struct tn_rt;
struct tn_exec;

#define TN_SLOT_NONE	UINT32_MAX
#define TN_OPEN_RECORDS 6
#define TN_REMOVED_MAPS 4

/* Aligned to a cache line: threads write to their records at every fire. */
struct TN_ALIGNED(64) tn_thread {
	/* 0 outside, else the global epoch as read at the outermost entry. Written by its thread,
	 * read by updaters. */
	_Atomic uint64_t epoch;
	uint32_t depth; /* nesting of entries; own thread only */

	/* The slot of this thread in the runtime it used last; all are in the tables of slot.c. */
	uint32_t slot_rt_id; /* 0: none cached */
	uint32_t slot;

	/* The innermost firing on this thread, NULL outside. Owned by vm/exec.h. */
	struct tn_exec *exec;

	/* Nesting of map writer sections (see base/fork.h). Written by its thread, read by the one
	 * that forks. */
	_Atomic uint32_t in_writer;
	/* This thread has seen fence mode (see base/epoch.h): all its entries since are fenced. */
	_Atomic uint32_t fenced;

	/* Everything below is private to thread.c, slot.c, epoch.c and fork.c. */
	struct tn_thread *next; /* constant once the record is linked */
	_Atomic uint32_t used;
	int32_t tid;
	uint32_t number;  /* of the record, counted; constant once it is linked */
	bool reclaiming;  /* running deferred functions */
	bool faults_open; /* owned by fault.c: its signals were unblocked */

	/* Ring buffer records that this thread has reserved and not yet submitted; those that found
	 * no room are counted. Own thread only; owned by maps/ringbuf.c. */
	void *open_records[TN_OPEN_RECORDS];
	uint32_t nr_open_records, nr_untracked_records;

	/* Elements that this thread removed from hash tables and has not told them. Own thread
	 * only; owned by maps/hash.c. */
	struct tn_removed {
		uint32_t map_id, nr;
	} removed[TN_REMOVED_MAPS];

	struct tn_err_record err;
};

extern _Thread_local struct tn_thread *tn_thread_tls __attribute__((tls_model("initial-exec")));

/* Registers the calling thread; NULL when out of memory. */
struct tn_thread *tn_thread_register(void) TN_COLD;

static TN_ALWAYS_INLINE struct tn_thread *tn_thread_self(void)
{
	struct tn_thread *t = tn_thread_tls;

	return tn_likely(t != NULL) ? t : tn_thread_register();
}

/* ---- All threads ---- */

/* Every record ever made, newest first. Records are never unlinked: walk without a lock. */
struct tn_thread *tn_threads_first(void);
/* Protects registration and end of threads, every slot table and the list of them; no fork(2) comes
 * meanwhile. Innermost. The calling thread is registered. */
void tn_threads_lock(void);
bool tn_threads_trylock(void);
void tn_threads_unlock(void);
/* Call `fn`, the only one, under the lock, for each thread that ends; in a forked child also for
 * those that it has not. Under the lock. */
void tn_threads_on_end(void (*fn)(struct tn_thread *t));

/* ---- Slots: dense per runtime, 0 .. max_slots - 1 (design: "per CPU" is per thread slot) ---- */

/* The slot of `t` in `rt`: the one it has, else a free one, else the shared last one. Remembers it
 * in t. A slot that is handed out for the first time goes through rt->slot_taken, and is not given
 * where that fails. Given back when the thread ends or the runtime goes. */
uint32_t tn_slot_take(struct tn_rt *rt, struct tn_thread *t) TN_COLD;

/* Was `slot` ever handed out (the shared one always is)? Then its part of per-slot maps is there.
 */
bool tn_slot_was_taken(const struct tn_rt *rt, uint32_t slot);

uint32_t tn_rt_id(const struct tn_rt *rt);

/* Is this the slot that several threads may share? Its holder must run under
 * tn_slot_lock_shared(): per-slot values are only owned by one thread at a time. */
bool tn_slot_is_shared(const struct tn_rt *rt, uint32_t slot);
void tn_slot_lock_shared(struct tn_rt *rt); /* recursive */
void tn_slot_unlock_shared(struct tn_rt *rt);

#endif
