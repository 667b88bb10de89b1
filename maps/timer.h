/* SPDX-License-Identifier: MIT */
/*
 * Timers and workqueues in values: the field holds a pointer to a struct tn_timer of the runtime,
 * or 0. Everything about them happens under one lock of the runtime, which is taken inside writer
 * sections and inside which no other is taken; so a field's pointer is good while it is held.
 * Programs cannot write the field, copies leave it alone and show zeros.
 *
 * A timer belongs to the place of an element. It goes with the element (removed, or replaced by an
 * update, as in the kernel), with the map's last handle, or with the map. While it has a callback
 * it holds a reference on the callback's program, and so on the map.
 */
#ifndef TN_MAPS_TIMER_H
#define TN_MAPS_TIMER_H

#include "maps/map.h"

/* Flags of bpf_timer_start(). */
#define TN_TIMER_ABS	 1u
#define TN_TIMER_CPU_PIN 2u

struct tn_timers;

/* What a timer calls: the host of it is vm. */
struct tn_timer_call {
	const void *func;	 /* struct tn_func */
	void *prog;		 /* one reference */
	bool (*get)(void *prog); /* one more; false: it is going */
	void (*put)(void *prog); /* gives one back; any thread, any locks of maps */
	struct tn_map *map;
	void *value;
};

/* The runtime's timers are made with its first map that has such a field. 0 or -ENOMEM. */
int tn_timers_make(struct tn_rt *rt) TN_WARN_UNUSED;

/* ---- From programs; `field` in a value, `kind` as the verifier knows it ---- */

/* 0, -EBUSY: has one, -EINVAL: the clock, -EPERM: the map has no handle any more, -ENOMEM. */
int tn_timer_init(struct tn_map *map, void *field, uint64_t clock, uint8_t kind);
/* Takes over call->prog's reference when it gives 0. -EINVAL: no timer there. */
int tn_timer_set_callback(struct tn_rt *rt, void *field, const struct tn_timer_call *call);
/* -EINVAL: flags, no timer or no callback; -EOPNOTSUPP: nobody runs timers. */
int tn_timer_start(struct tn_rt *rt, void *field, uint64_t ns, uint64_t flags);
/* 1: it was armed, 0: not, -EINVAL: no timer, -EDEADLK: from its own callback. The callback is
 * forgotten. Does not wait for a callback that runs on another thread: that thread may want what
 * the caller holds. */
int tn_timer_cancel(struct tn_rt *rt, void *field);

/* ---- From map types ---- */

/* The element at `value` goes, or another takes its place: so do its timers. */
void tn_timers_drop_value(struct tn_map *map, void *value);
/* All of the map's. */
void tn_timers_drop_map(struct tn_map *map);
/* The map has its first handle, or lost its last. */
void tn_timers_set_open(struct tn_map *map, bool open);

static TN_ALWAYS_INLINE void tn_map_drop_timers(struct tn_map *map, void *value)
{
	if (tn_unlikely(map->has_timers))
		tn_timers_drop_value(map, value);
}

/* ---- Running them ---- */

typedef void (*tn_timer_run_fn)(void *user, const struct tn_timer_call *call, const void *key);

/* Call `run` for each that is due now, in the order of their times; those that are started
 * meanwhile wait for the next call. How many; 0 too where another thread is at it. */
int tn_timers_run(struct tn_rt *rt, tn_timer_run_fn run, void *user);
/* A descriptor that polls readable when one is due; the same each time, owned by the timers. From
 * then on timers may be started. -errno. */
int tn_timers_fd(struct tn_rt *rt);
/* Make that descriptor readable now. */
void tn_timers_wake(struct tn_rt *rt);
/* For tests: what the clocks say, in place of clock_gettime(). NULL: that again. */
void tn_timers_set_clock(struct tn_rt *rt, uint64_t (*now)(uint32_t clock));
/* Timers that are there, and of these armed. */
void tn_timers_count(struct tn_rt *rt, uint32_t *nr, uint32_t *armed);

#endif
