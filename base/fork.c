/* SPDX-License-Identifier: MIT */
/*
 * fork(2) copies memory at one instant. What another thread had half written then, it never
 * finishes in the child; so a fork waits until no other thread is inside a map's writer section.
 *
 * A writer stores its flag, then loads the gate; the forking thread stores the gate, then loads the
 * flags. A full barrier between store and load on both sides makes sure that one sees the other;
 * as in epoch.c the writer's is only a compiler barrier, and membarrier(2) of the forking thread
 * stands in for it. In fence mode the gate carries a bit that sends writers the slow way, through a
 * full fence.
 *
 * Order: running deferred functions end; then the locks of runtimes are taken; then the gate is
 * closed (a writer never waits for one of those locks); then the locks of base. The shared slot's
 * lock is not waited for: its holder runs a program, which may want a runtime's lock, and what it
 * leaves half written are values of one slot, as with any other slot. The child resets that lock.
 */
#include "base/fork.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "base/epoch.h"
#include "base/internal.h"

_Atomic uint32_t tn_fork_gate;

/* Held while the gate is closed: writers wait on it. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;

/* Writer sections of threads that could not be registered; held while such a thread is in one. A
 * plain mutex with a nesting count: a recursive one knows its owner by a thread id, which changes
 * in a forked child. */
static pthread_mutex_t unregistered_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local uint32_t unregistered_nest __attribute__((tls_model("initial-exec")));

/* Protects the list; held from prepare to parent and child. */
static pthread_mutex_t ops_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tn_fork_ops *ops_first, *ops_last;

static _Atomic(struct tn_fork_child *) children;

void tn_writer_enter_slow(struct tn_thread *t)
{
	uint32_t gate;

	if (!t) {
		t = unregistered_nest ? NULL : tn_thread_register();
		if (t)
			tn_writer_enter(t);
		else if (unregistered_nest++ == 0)
			pthread_mutex_lock(&unregistered_lock);
		return;
	}
	for (;;) {
		gate = tn_load_acquire(&tn_fork_gate);
		if (gate & TN_GATE_FENCE) {
			tn_fence_seq_cst();
			tn_store_relaxed(&t->fenced, 1);
			gate = tn_load_acquire(&tn_fork_gate);
		}
		if (!(gate & TN_GATE_CLOSED))
			return;
		tn_store_release(&t->in_writer, 0);
		pthread_mutex_lock(&gate_lock);
		pthread_mutex_unlock(&gate_lock);
		tn_add_acq_rel(&t->in_writer, 1);
		tn_compiler_barrier();
	}
}

void tn_writer_leave_unregistered(void)
{
	/* Entering without a record may have made one. */
	if (!unregistered_nest)
		tn_writer_leave(tn_thread_tls);
	else if (--unregistered_nest == 0)
		pthread_mutex_unlock(&unregistered_lock);
}

static bool is_writing(struct tn_thread *t)
{
#if TN_TSAN
	return tn_add_acq_rel(&t->in_writer, 0);
#else
	return tn_load_acquire(&t->in_writer);
#endif
}

static void close_gate(struct tn_thread *self)
{
	struct timespec nap = { 0, 1000000 };
	struct tn_thread *t;

	pthread_mutex_lock(&gate_lock);
	atomic_fetch_or_explicit(&tn_fork_gate, TN_GATE_CLOSED, memory_order_acq_rel);
	/* No barrier: some thread has not seen fence mode. A fork cannot be refused, so give every
	 * processor far more time than it takes to write a store buffer back. */
	if (tn_epoch_barrier())
		nanosleep(&nap, NULL);
	for (t = tn_threads_first(); t; t = t->next)
		while (t != self && is_writing(t))
			sched_yield();
	if (!unregistered_nest)
		pthread_mutex_lock(&unregistered_lock);
}

static void open_gate(void)
{
	if (!unregistered_nest)
		pthread_mutex_unlock(&unregistered_lock);
	atomic_fetch_and_explicit(&tn_fork_gate, ~TN_GATE_CLOSED, memory_order_release);
	pthread_mutex_unlock(&gate_lock);
}

static void prepare(void)
{
	struct tn_thread *self = tn_thread_tls;

	tn_epoch_fork_prepare_outer(self);
	pthread_mutex_lock(&ops_lock);
	for (struct tn_fork_ops *ops = ops_last; ops; ops = ops->prev)
		if (ops->prepare)
			ops->prepare(ops);
	close_gate(self);
	tn_epoch_fork_prepare_inner();
}

static void parent(void)
{
	struct tn_thread *self = tn_thread_tls;

	tn_epoch_fork_parent_inner();
	open_gate();
	for (struct tn_fork_ops *ops = ops_first; ops; ops = ops->next)
		if (ops->parent)
			ops->parent(ops);
	pthread_mutex_unlock(&ops_lock);
	tn_epoch_fork_parent_outer(self);
}

/* The locks that prepare() took belong to this thread here too, and are unlocked as in the parent.
 */
static void child(void)
{
	struct tn_thread *self = tn_thread_tls;

	for (struct tn_fork_child *c = tn_load_acquire(&children); c; c = c->next)
		c->fn();
	tn_slots_fork_child();
	tn_threads_fork_child(self);
	tn_epoch_fork_child();
	tn_epoch_fork_parent_inner();
	open_gate();
	for (struct tn_fork_ops *ops = ops_first; ops; ops = ops->next)
		if (ops->child)
			ops->child(ops);
	pthread_mutex_unlock(&ops_lock);
	tn_epoch_fork_parent_outer(self);
}

int tn_fork_init(void)
{
	static bool done; /* under the threads lock */

	if (!done && pthread_atfork(prepare, parent, child))
		return -1;
	done = true;
	return 0;
}

void tn_fork_add_child(struct tn_fork_child *c)
{
	c->next = tn_load_relaxed(&children);
	/* Pairs with the acquire in child(), in a copy of this memory. */
	while (!tn_cas_acq_rel(&children, &c->next, c))
		;
}

void tn_fork_register(struct tn_fork_ops *ops)
{
	pthread_mutex_lock(&ops_lock);
	ops->next = NULL;
	ops->prev = ops_last;
	if (ops_last)
		ops_last->next = ops;
	else
		ops_first = ops;
	ops_last = ops;
	pthread_mutex_unlock(&ops_lock);
}

void tn_fork_unregister(struct tn_fork_ops *ops)
{
	pthread_mutex_lock(&ops_lock);
	if (ops->next)
		ops->next->prev = ops->prev;
	else
		ops_last = ops->prev;
	if (ops->prev)
		ops->prev->next = ops->next;
	else
		ops_first = ops->next;
	pthread_mutex_unlock(&ops_lock);
}
