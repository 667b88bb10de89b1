/* SPDX-License-Identifier: MIT */
/* Locks in values: waiting, taking over, and copies under them. */
#include "maps/value_lock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/thread.h"
#include "maps/special.h"

#define SLOT_BITS     20
#define THREAD_BIT    (1u << (SLOT_BITS - 1)) /* names of threads; slots are far fewer */
#define SPINS	      100
#define MAX_YIELDS    100000
#define MAX_PROCESSES 0xfffu

static _Atomic uint32_t generation;
static struct tn_fork_child fork_child;

static void count_child(void)
{
	tn_add_relaxed(&generation, 1);
}

static void watch_forks(void)
{
	fork_child.fn = count_child;
	tn_fork_add_child(&fork_child);
}

static uint32_t in_process(uint32_t name)
{
	return (tn_load_relaxed(&generation) & MAX_PROCESSES) << SLOT_BITS | name;
}

uint32_t tn_value_lock_name(uint32_t slot)
{
	return in_process(slot + 1);
}

uint32_t tn_value_lock_thread_name(void)
{
	const struct tn_thread *t = tn_thread_tls;

	return t ? in_process(THREAD_BIT | (t->number & (THREAD_BIT - 1))) : 0;
}

static bool other_process(uint32_t a, uint32_t b)
{
	return (a ^ b) >> SLOT_BITS;
}

static void relax(uint32_t tries)
{
	if (tries % SPINS == 0) {
		sched_yield();
		return;
	}
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");
#endif
}

/* Pairs with the release in the unlocking: what the last holder changed is seen. */
static bool take(_Atomic uint32_t *lock, uint32_t *holder, uint32_t name)
{
	return tn_cas_acq_rel(lock, holder, name);
}

bool tn_value_lock(_Atomic uint32_t *lock, uint32_t name, uint32_t also)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint32_t holder, tries;

	pthread_once(&once, watch_forks);
	for (tries = 1; tries < MAX_YIELDS * SPINS; tries++) {
		holder = 0;
		if (tn_likely(take(lock, &holder, name)))
			return true;
		if (holder == name || holder == also)
			return false;
		if (other_process(holder, name) && take(lock, &holder, name))
			return true;
		relax(tries);
	}
	return false;
}

void tn_value_unlock(_Atomic uint32_t *lock, uint32_t name)
{
	tn_cas_acq_rel(lock, &name, 0);
}

/* ---- Copies ---- */

bool tn_map_has_lock(const struct tn_map *map)
{
	return map->nr_specials && tn_map_special_of(map, TN_SPECIAL_LOCK);
}

/* The name that this thread's program, if it is inside of one, holds locks of this map under. */
static uint32_t firing_name(const struct tn_map *map, const struct tn_thread *t)
{
	return t->exec && t->slot_rt_id == tn_rt_id(map->rt) ? tn_value_lock_name(t->slot) : 0;
}

static int lock_value(const struct tn_map *map, void *value, _Atomic uint32_t **lock,
		      uint32_t *name)
{
	const struct tn_map_special *s = tn_map_special_of(map, TN_SPECIAL_LOCK);
	const struct tn_thread *t = tn_thread_self();

	if (!t)
		return -ENOMEM;
	*lock = (_Atomic uint32_t *)(void *)((unsigned char *)value + s->off);
	*name = tn_value_lock_thread_name();
	return tn_value_lock(*lock, *name, firing_name(map, t)) ? 0 : -EBUSY;
}

int tn_map_store_locked(const struct tn_map *map, void *to, const void *from)
{
	_Atomic uint32_t *lock;
	uint32_t name;
	int err = lock_value(map, to, &lock, &name);

	if (!err) {
		tn_map_store_around(map, to, from);
		tn_value_unlock(lock, name);
	}
	return err;
}

int tn_map_load_locked(const struct tn_map *map, void *to, void *from)
{
	_Atomic uint32_t *lock;
	uint32_t name;
	int err = lock_value(map, from, &lock, &name);

	if (!err) {
		tn_map_load_around(map, to, from);
		tn_value_unlock(lock, name);
	}
	return err;
}
