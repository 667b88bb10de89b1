/* SPDX-License-Identifier: MIT */
/* Helpers of timers, and the functions of workqueues: maps/timer.c does it all but for programs,
 * which a timer with a callback keeps. */
#include <errno.h>

#include "maps/timer.h"
#include "vm/helper_body.h"
#include "vm/image.h"

#define BODY(name) TN_HELPER_BODY(, name)

static uint64_t from_int(int64_t value)
{
	return (uint64_t)value;
}

static void *ptr(uint64_t reg)
{
	return (void *)(uintptr_t)reg;
}

/* False: its last reference is gone, though it still runs. */
static bool hold(void *opaque)
{
	struct tn_prog *prog = opaque;
	uint32_t refs = tn_load_relaxed(&prog->refs);

	while (refs && !tn_cas_acq_rel(&prog->refs, &refs, refs + 1))
		;
	return refs != 0;
}

static void put(void *opaque)
{
	struct tn_prog *prog = opaque;

	if (tn_sub_acq_rel(&prog->refs, 1) == 1 && prog->release)
		prog->release(prog);
}

static uint64_t set_callback(struct tn_exec *ex, void *field, const struct tn_func *func)
{
	struct tn_timer_call call = {
		.func = func,
		.prog = (void *)(uintptr_t)func->prog,
		.get = hold,
		.put = put,
	};
	int err;

	if (!hold(call.prog))
		return from_int(-ENOENT);
	err = tn_timer_set_callback(ex->rt, field, &call);
	if (err)
		put(call.prog);
	return from_int(err);
}

/* timer, map, clock */
BODY(tn_helper_timer_init)
{
	return from_int(tn_timer_init(ptr(r2), ptr(r1), r3, TN_SPECIAL_TIMER));
}

BODY(tn_helper_timer_set_callback)
{
	return set_callback(ex, ptr(r1), ptr(r2));
}

/* timer, nanoseconds, flags */
BODY(tn_helper_timer_start)
{
	return from_int(tn_timer_start(ex->rt, ptr(r1), r2, r3));
}

BODY(tn_helper_timer_cancel)
{
	return from_int(tn_timer_cancel(ex->rt, ptr(r1)));
}

/* workqueue, map, flags */
BODY(tn_kfunc_wq_init)
{
	return from_int((uint32_t)r3 ? -EINVAL : tn_timer_init(ptr(r2), ptr(r1), 1, TN_SPECIAL_WQ));
}

/* workqueue, function, flags, and a word of the kernel's */
BODY(tn_kfunc_wq_set_callback)
{
	return (uint32_t)r3 ? from_int(-EINVAL) : set_callback(ex, ptr(r1), ptr(r2));
}

/* workqueue, flags */
BODY(tn_kfunc_wq_start)
{
	return from_int((uint32_t)r2 ? -EINVAL : tn_timer_start(ex->rt, ptr(r1), 0, 0));
}
