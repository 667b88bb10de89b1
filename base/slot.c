/* SPDX-License-Identifier: MIT */
/*
 * Slots: each runtime has a table that says which thread owns which slot. A thread remembers the
 * slot of the runtime that it used last; a miss searches that runtime's table, at most 1024 words.
 * Runtimes have ids that are never reused, so what a thread remembers of one that is gone cannot
 * match. The last slot has no owner: threads share it, under its lock.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/internal.h"
#include "base/rt.h"

struct tn_slot_table {
	struct tn_slot_table *next, *prev; /* all tables, under the threads lock */

	/* The shared slot's lock: recursive, and held for whole firings. Made of an owner and a
	 * condition under the threads lock, so that a forked child finds them in order and can take
	 * the slot from a thread that it does not have. */
	struct tn_thread *shared_owner;
	uint32_t shared_depth, shared_waiters;
	pthread_cond_t shared_free;

	uint32_t nr; /* slots that one thread can own: max_slots - 1 */
	struct {
		struct tn_thread *owner; /* NULL: free; under the threads lock */
		_Atomic uint32_t taken;	 /* ever handed out; only grows */
	} slot[];
};

static struct tn_slot_table *tables;

int tn_slots_init(struct tn_rt *rt)
{
	uint32_t nr = rt->max_slots - 1;
	struct tn_slot_table *table;

	table = tn_zalloc(rt, sizeof(*table) + nr * sizeof(table->slot[0]));
	if (!table)
		return tn_err_nomem("thread slots");
	table->nr = nr;
	pthread_cond_init(&table->shared_free, NULL);
	tn_threads_lock();
	table->next = tables;
	if (tables)
		tables->prev = table;
	tables = table;
	tn_threads_unlock();
	rt->slots = table;
	return 0;
}

void tn_slots_fini(struct tn_rt *rt)
{
	struct tn_slot_table *table = rt->slots;

	if (!table)
		return;
	tn_threads_lock();
	if (table->next)
		table->next->prev = table->prev;
	if (table->prev)
		table->prev->next = table->next;
	else
		tables = table->next;
	tn_threads_unlock();
	pthread_cond_destroy(&table->shared_free);
	tn_free(rt, table);
	rt->slots = NULL;
}

/* The slot that `t` owns or now owns, or the shared one. */
static uint32_t claim(struct tn_slot_table *table, struct tn_thread *t)
{
	uint32_t i, found = table->nr;

	tn_threads_lock();
	for (i = table->nr; i-- > 0;) {
		if (table->slot[i].owner == t) {
			found = i;
			break;
		}
		if (!table->slot[i].owner)
			found = i;
	}
	if (found < table->nr)
		table->slot[found].owner = t;
	tn_threads_unlock();
	return found;
}

static void give_back(struct tn_slot_table *table, uint32_t slot)
{
	tn_threads_lock();
	table->slot[slot].owner = NULL;
	tn_threads_unlock();
}

static int first_time(struct tn_rt *rt, uint32_t slot)
{
	tn_slot_taken_fn fn;
	int err = 0;

	/* Marked before the callback looks for what to do, so that who sets the callback up and
	 * then looks at the slots misses none (both stores and loads are seq_cst). */
	atomic_store_explicit(&rt->slots->slot[slot].taken, 1, memory_order_seq_cst);
	fn = atomic_load_explicit(&rt->slot_taken, memory_order_seq_cst);
	if (fn)
		err = fn(rt, slot);
	if (err)
		tn_store_release(&rt->slots->slot[slot].taken, 0);
	return err;
}

uint32_t tn_slot_take(struct tn_rt *rt, struct tn_thread *t)
{
	struct tn_slot_table *table = rt->slots;
	uint32_t slot = claim(table, t);

	if (slot < table->nr && !tn_load_acquire(&table->slot[slot].taken) &&
	    first_time(rt, slot)) {
		give_back(table, slot);
		slot = table->nr;
	}
	if (rt->fault_handler)
		tn_fault_unblock(t);
	t->slot_rt_id = rt->id;
	t->slot = slot;
	return slot;
}

bool tn_slot_was_taken(const struct tn_rt *rt, uint32_t slot)
{
	/* Pairs with the store in first_time(). */
	return slot >= rt->slots->nr ||
	       atomic_load_explicit(&rt->slots->slot[slot].taken, memory_order_seq_cst);
}

bool tn_slot_is_shared(const struct tn_rt *rt, uint32_t slot)
{
	return slot == rt->max_slots - 1;
}

/* The caller has a slot, hence a record. */
void tn_slot_lock_shared(struct tn_rt *rt)
{
	struct tn_slot_table *table = rt->slots;
	struct tn_thread *self = tn_thread_tls;

	tn_threads_lock();
	while (table->shared_owner && table->shared_owner != self) {
		table->shared_waiters++;
		tn_threads_wait(&table->shared_free);
		table->shared_waiters--;
	}
	table->shared_owner = self;
	table->shared_depth++;
	tn_threads_unlock();
}

void tn_slot_unlock_shared(struct tn_rt *rt)
{
	struct tn_slot_table *table = rt->slots;

	tn_threads_lock();
	if (--table->shared_depth == 0) {
		table->shared_owner = NULL;
		if (table->shared_waiters)
			pthread_cond_signal(&table->shared_free);
	}
	tn_threads_unlock();
}

static void drop_shared(struct tn_slot_table *table)
{
	table->shared_owner = NULL;
	table->shared_depth = 0;
}

/* A thread may end inside a program. */
void tn_slots_thread_end(struct tn_thread *t)
{
	for (struct tn_slot_table *table = tables; table; table = table->next) {
		for (uint32_t i = 0; i < table->nr; i++)
			if (table->slot[i].owner == t)
				table->slot[i].owner = NULL;
		if (table->shared_owner == t) {
			drop_shared(table);
			pthread_cond_signal(&table->shared_free);
		}
	}
}

/* What vanished threads owned is given back by thread.c; here, that nobody waits any more. */
void tn_slots_fork_child(void)
{
	for (struct tn_slot_table *table = tables; table; table = table->next) {
		table->shared_waiters = 0;
		pthread_cond_init(&table->shared_free, NULL);
	}
}
