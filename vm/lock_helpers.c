/* SPDX-License-Identifier: MIT */
/*
 * bpf_spin_lock() and bpf_spin_unlock(). The lock is four bytes of a map's value: 0, or who holds
 * it: the slot of the firing (slots are a thread's own; the shared last one runs one firing at a
 * time) and the generation of the process.
 *
 * The verifier proves that a holder unlocks after a bounded number of its own instructions: no
 * calls, no loop that could end the program. So one waits for a thread that the system does not
 * run, at most. What would never end is told apart:
 *
 *	- the holder is this firing's own slot: a signal handler fired a hook while its thread held
 *	  the lock; the inner program ends early;
 *	- the holder was a thread that fork(2) left behind: the generation is an older one, and the
 *	  lock is taken over (what it guarded may be half changed, as after any lost thread);
 *	- the holder does not come back for very long: the program ends early, since time is
 *bounded.
 */
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/fork.h"
#include "vm/helper_body.h"

#define SLOT_BITS     20
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

static uint32_t name_of(const struct tn_exec *ex)
{
	uint32_t process = tn_load_relaxed(&generation) & MAX_PROCESSES;

	return process << SLOT_BITS | (ex->slot + 1);
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

TN_HELPER_BODY(, tn_helper_spin_lock)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_Atomic uint32_t *lock = (_Atomic uint32_t *)(uintptr_t)r1;
	uint32_t name, holder, tries;

	pthread_once(&once, watch_forks);
	name = name_of(ex);
	for (tries = 1; tries < MAX_YIELDS * SPINS; tries++) {
		holder = 0;
		if (tn_likely(take(lock, &holder, name)))
			return 0;
		if (holder == name)
			break;
		if (other_process(holder, name) && take(lock, &holder, name))
			return 0;
		relax(tries);
	}
	ex->abort = TN_ABORT_HOST;
	return 0;
}

/* Where a fork came in between, the lock is the older process's: it counts as free. */
TN_HELPER_BODY(, tn_helper_spin_unlock)
{
	_Atomic uint32_t *lock = (_Atomic uint32_t *)(uintptr_t)r1;
	uint32_t name = name_of(ex);

	tn_cas_acq_rel(lock, &name, 0);
	return 0;
}
