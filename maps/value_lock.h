/* SPDX-License-Identifier: MIT */
/*
 * The struct bpf_spin_lock of a value: four bytes, 0 or the name of who holds it. Programs hold it
 * under the name of their slot (slots are a thread's own; the shared last one runs one firing at a
 * time), copies with BPF_F_LOCK under that of their thread; the upper bits tell the process.
 *
 * The verifier proves that a program unlocks after a bounded number of its own instructions: no
 * calls, no loop that could end the program. Copies are bounded too. So one waits for a thread
 * that the system does not run, at most. What would never end is told apart:
 *
 *	- this thread holds it already: a signal handler came in between;
 *	- the holder was a thread that fork(2) left behind: the name is of an older process, and the
 *	  lock is taken over (what it guarded may be half changed, as after any lost thread);
 *	- the holder does not come back for very long.
 */
#ifndef TN_MAPS_VALUE_LOCK_H
#define TN_MAPS_VALUE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "maps/map.h"

/* Of a firing in that slot, in this process. */
uint32_t tn_value_lock_name(uint32_t slot);
/* Of this thread's copies; 0: it has none yet. */
uint32_t tn_value_lock_thread_name(void);

/* False: it is held under `name` or `also` (0: no other), or nobody gave it back. */
bool tn_value_lock(_Atomic uint32_t *lock, uint32_t name, uint32_t also);
/* Where a fork came in between, the lock is the older process's: it counts as free. */
void tn_value_unlock(_Atomic uint32_t *lock, uint32_t name);

/* Copies with BPF_F_LOCK of a value in the map, which has a lock. 0, -EBUSY as above, -ENOMEM. */
int tn_map_store_locked(const struct tn_map *map, void *to, const void *from);
int tn_map_load_locked(const struct tn_map *map, void *to, void *from);

bool tn_map_has_lock(const struct tn_map *map);

#endif
