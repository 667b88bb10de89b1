/* SPDX-License-Identifier: MIT */
/*
 * Why a thing is not freed under a reader.
 *
 * Names: an updater does U (unlink: a store) and then asks; a reader R does N (acquire load of
 * `now`), E (store of that number to its record), P (loads of published pointers), then L (release
 * store of 0 to its record). B is membarrier(2): it puts a full barrier at some point of every
 * running thread's program order, and orders those points after what the caller did before and
 * before what it does after. I is the increment of `now`, a read-modify-write.
 *
 * tn_epoch_synchronize() is U, I (now becomes n), B, then for each record a wait for 0 or >= n.
 *  - B falls before P in R: then U is visible to P, and R cannot have found the thing.
 *  - B falls after P: then E is visible to the scan, which comes after B. It reads the number and,
 *    when that is below n, waits until L; its acquire pairs with L's release. When the number is n
 *    or more, N read it from I or from a later increment, N is an acquire, and U came before I:
 *    U is visible to P.
 *  - A record that the scan does not see was linked after the scan's start by a thread whose E
 * comes after the link; the same two cases apply to the link instead of E.
 *
 * Stamps: U, then S (a plain load of `now`, reading s). Increments and their barriers are
 * serialised by advance_lock. U may stay in the store buffer after S, but not beyond the barrier
 * that follows the increment to s + 1: S, which read s, comes before that barrier's point, or would
 * have read more. So U is visible before the increment to s + 2, and a reader whose number is s + 2
 * or more cannot find the thing. Hence a stamp has passed when s + 1 is below every number visible
 * after a barrier, and below the target of that barrier (readers not yet visible then read after
 * it).
 *
 * Fence mode (membarrier refused): R is N, E, full fence, P; the updater has a full fence in B's
 * place, and S is preceded by one. That is the classic pair of store and load on either side, and
 * the cases are the same. Threads that have not seen the mode may still have an unfenced E or U
 * behind them, so `now` stays where it is until each record in use says that its thread has
 * executed a full fence since (`fenced`), or its thread is gone. The one increment whose barrier
 * failed is the last before that; numbers up to the one before it had their barriers, and later
 * ones follow a full fence of every thread.
 *
 * The C11 model has no membarrier, and ThreadSanitizer no fences: in its build E is an exchange,
 * the scan a fetch-add of 0, and S one of `now`, which order the same by the language alone.
 */
#include "base/epoch.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fork.h"
#include "base/internal.h"

struct tn_epoch_global tn_epoch_g = { .now = 1 };

/* Stamps whose successor is below this have passed. Only grows. */
static _Atomic uint64_t safe = 1;

/* Serialises increments of `now` with their barriers. Nests inside reclaim_lock and outside the
 * threads lock; nothing is waited for under it. */
static pthread_mutex_t advance_lock = PTHREAD_MUTEX_INITIALIZER;

/* Held while deferred functions run, so that a drain and a fork can wait for them. Outermost. */
static pthread_mutex_t reclaim_lock = PTHREAD_MUTEX_INITIALIZER;

static _Atomic(struct tn_deferred *) pending; /* newest first; anybody pushes */
static struct tn_deferred *waiting;	      /* oldest first; under reclaim_lock */
static struct tn_deferred **waiting_end = &waiting;
static _Atomic uint32_t queued; /* in both lists, or running */

/* Threads that wait for one of the locks. Those that only try it, again and again from slow paths,
 * let them pass: a mutex is not fair. */
static _Atomic uint32_t lock_waiters;

static void lock_patiently(pthread_mutex_t *lock)
{
	tn_add_relaxed(&lock_waiters, 1);
	pthread_mutex_lock(lock);
	tn_sub_acq_rel(&lock_waiters, 1);
}

static bool try_lock(pthread_mutex_t *lock)
{
	return !tn_load_relaxed(&lock_waiters) && !pthread_mutex_trylock(lock);
}

/* ---- Barriers ---- */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

static uint64_t read_epoch(struct tn_thread *t)
{
#if TN_TSAN
	return tn_add_acq_rel(&t->epoch, 0);
#else
	return tn_load_acquire(&t->epoch);
#endif
}

static void enter_fence_mode(void)
{
	tn_store_release(&tn_epoch_g.fence, 1);
	/* Pairs with the acquire in tn_writer_enter(): who sees the bit sees the mode. */
	atomic_fetch_or_explicit(&tn_fork_gate, TN_GATE_FENCE, memory_order_release);
}

void tn_epoch_init(void)
{
	if (!TN_TSAN && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		enter_fence_mode();
}

static bool is_gone(struct tn_thread *t)
{
	return syscall(SYS_tgkill, getpid(), t->tid, 0) && errno == ESRCH;
}

/* In fence mode: has every thread executed a full fence in it? */
static bool all_fenced(void)
{
	struct tn_thread *t, *self = tn_thread_tls;

	tn_fence_seq_cst();
	if (self)
		tn_store_relaxed(&self->fenced, 1);
	for (t = tn_threads_first(); t; t = t->next) {
		/* Pairs with the release in thread.c: a thread that is gone has stored everything.
		 */
		if (!tn_load_acquire(&t->used) || tn_load_acquire(&t->fenced))
			continue;
		if (!is_gone(t))
			return false;
	}
	return true;
}

/* Can a barrier be had? Asked before `now` is moved. */
static bool barrier_possible(void)
{
	return TN_TSAN || !tn_load_acquire(&tn_epoch_g.fence) || all_fenced();
}

int tn_epoch_barrier(void)
{
	if (TN_TSAN)
		return 0;
	if (!tn_load_acquire(&tn_epoch_g.fence)) {
		if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
			return 0;
		/* EPERM: no thread was registered yet, so nobody has asked for it either. */
		if (errno == EPERM && !membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
		    !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
			return 0;
		/* Under the lock, so that a thread that registers from now on sees it. */
		tn_threads_lock();
		enter_fence_mode();
		tn_threads_unlock();
	}
	if (!all_fenced())
		return -EAGAIN;
	tn_fence_seq_cst();
	return 0;
}

/* ---- Grace periods ---- */

/* I and B. The target, or 0 where there is no barrier. Under advance_lock. */
static uint64_t begin_grace(void)
{
	uint64_t target;

	if (!barrier_possible())
		return 0;
	target = tn_add_acq_rel(&tn_epoch_g.now, 1) + 1;
	return tn_epoch_barrier() ? 0 : target;
}

static void raise_safe(uint64_t to)
{
	uint64_t was = tn_load_relaxed(&safe);

	/* Pairs with the acquire in tn_epoch_passed(): readers were gone before. */
	while (was < to && !tn_cas_acq_rel(&safe, &was, to))
		;
}

static void pause_cpu(unsigned round)
{
	struct timespec nap = { 0, 50000 };

	if (round < 100)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

static bool is_inside(void)
{
	struct tn_thread *self = tn_thread_tls;

	return self && self->depth;
}

int tn_epoch_synchronize(void)
{
	struct tn_thread *t;
	uint64_t target, epoch;

	if (is_inside())
		return tn_err(-EDEADLK, "cannot wait for programs to end from inside a program");
	lock_patiently(&advance_lock);
	target = begin_grace();
	pthread_mutex_unlock(&advance_lock);
	if (!target)
		return tn_err(-EAGAIN,
			      "membarrier is refused and not every thread has fired since; "
			      "memory is freed later");
	for (t = tn_threads_first(); t; t = t->next) {
		unsigned round = 0;

		while ((epoch = read_epoch(t)) && epoch < target)
			pause_cpu(round++);
	}
	raise_safe(target);
	return 0;
}

uint64_t tn_epoch_stamp(void)
{
#if TN_TSAN
	return tn_add_acq_rel(&tn_epoch_g.now, 0);
#else
	/* A thread without a record cannot say that it is fenced, so it always is. */
	tn_epoch_light_barrier(tn_thread_tls);
	return tn_load_acquire(&tn_epoch_g.now);
#endif
}

int tn_epoch_passed(uint64_t stamp)
{
	return stamp + 1 < tn_load_acquire(&safe);
}

void tn_epoch_advance(void)
{
	struct tn_thread *t;
	uint64_t lowest, epoch;

	/* Somebody else is at it, or is waiting to: that serves as well. */
	if (!try_lock(&advance_lock))
		return;
	lowest = begin_grace();
	pthread_mutex_unlock(&advance_lock);
	if (!lowest)
		return;
	for (t = tn_threads_first(); t; t = t->next) {
		epoch = read_epoch(t);
		if (epoch && epoch < lowest)
			lowest = epoch;
	}
	raise_safe(lowest);
}

/* ---- Deferred functions ---- */

void tn_epoch_defer(struct tn_deferred *d, void (*fn)(struct tn_deferred *self))
{
	struct tn_deferred *head = tn_load_relaxed(&pending);

	d->fn = fn;
	d->epoch = tn_epoch_stamp();
	tn_add_relaxed(&queued, 1);
	do
		d->next = head;
	while (!tn_cas_acq_rel(&pending, &head, d)); /* pairs with the exchange in collect() */
}

/* Move what is pending to the end of `waiting`, oldest first. Under reclaim_lock. */
static void collect(void)
{
	struct tn_deferred *d = tn_exchange_acq_rel(&pending, NULL);
	struct tn_deferred *oldest = NULL, *newest = d, *next;

	if (!d)
		return;
	for (; d; d = next) {
		next = d->next;
		d->next = oldest;
		oldest = d;
	}
	*waiting_end = oldest;
	waiting_end = &newest->next;
}

static uint32_t run_passed(void)
{
	struct tn_deferred *d;
	uint32_t nr = 0;

	while ((d = waiting) && tn_epoch_passed(d->epoch)) {
		waiting = d->next;
		if (!waiting)
			waiting_end = &waiting;
		d->fn(d);
		tn_sub_acq_rel(&queued, 1);
		nr++;
	}
	return nr;
}

/* Under reclaim_lock. Two advances let a stamp pass that was taken just now. */
static uint32_t reclaim_locked(struct tn_thread *self)
{
	uint32_t nr;

	self->reclaiming = true;
	collect();
	nr = run_passed();
	for (int i = 0; waiting && i < 2; i++) {
		tn_epoch_advance();
		nr += run_passed();
	}
	self->reclaiming = false;
	return nr;
}

uint32_t tn_epoch_reclaim(void)
{
	struct tn_thread *self;
	uint32_t nr;

	if (!tn_load_relaxed(&queued))
		return 0;
	self = tn_thread_self();
	if (!self || self->depth || self->reclaiming)
		return 0;
	if (!try_lock(&reclaim_lock))
		return 0;
	nr = reclaim_locked(self);
	pthread_mutex_unlock(&reclaim_lock);
	return nr;
}

/* Deferred functions queue others (a program its maps); a chain longer than this is a loop. */
#define DRAIN_ROUNDS 64

int tn_epoch_drain(void)
{
	struct tn_thread *self;
	int err;

	if (is_inside() || (tn_thread_tls && tn_thread_tls->reclaiming))
		return tn_err(-EDEADLK, "cannot wait for deferred work from inside it");
	/* Pairs with the release after a deferred function ran. */
	for (int round = 0; tn_load_acquire(&queued) && round < DRAIN_ROUNDS; round++) {
		self = tn_thread_self();
		if (!self)
			return tn_err_nomem("thread record");
		err = tn_epoch_synchronize();
		if (!err)
			err = tn_epoch_synchronize();
		if (err)
			return err;
		lock_patiently(&reclaim_lock);
		reclaim_locked(self);
		pthread_mutex_unlock(&reclaim_lock);
	}
	return 0;
}

/* ---- fork ---- */

void tn_epoch_fork_prepare_outer(struct tn_thread *self)
{
	if (!self || !self->reclaiming)
		lock_patiently(&reclaim_lock);
}

void tn_epoch_fork_prepare_inner(void)
{
	lock_patiently(&advance_lock);
	tn_threads_lock();
}

void tn_epoch_fork_parent_inner(void)
{
	tn_threads_unlock();
	pthread_mutex_unlock(&advance_lock);
}

void tn_epoch_fork_parent_outer(struct tn_thread *self)
{
	if (!self || !self->reclaiming)
		pthread_mutex_unlock(&reclaim_lock);
}

void tn_epoch_fork_child(void)
{
	tn_store_relaxed(&lock_waiters, 0);
	if (!TN_TSAN && !tn_load_relaxed(&tn_epoch_g.fence) &&
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
		enter_fence_mode();
}
