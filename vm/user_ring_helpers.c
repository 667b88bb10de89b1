/* SPDX-License-Identifier: MIT */
/* bpf_user_ringbuf_drain(): the program's function is called for each sample of the host. */
#include <errno.h>

#include "base/compiler.h"
#include "maps/ringbuf.h"
#include "maps/user_ringbuf.h"
#include "vm/dynptr.h"
#include "vm/helper_body.h"

/* One sample. true: no further one. */
static bool drain_one(struct tn_map *map, const struct tn_func *callback, uint64_t user,
		      uint32_t fuel, struct tn_exec *ex, uint64_t *nr)
{
	struct tn_dynptr sample = { .type = TN_DYNPTR_LOCAL };
	uint32_t size;
	bool stop;

	sample.data = tn_user_ringbuf_peek(map, &size);
	if (!sample.data)
		return true;
	sample.size = size & TN_DYNPTR_MAX_BYTES;
	ex->fuel -= fuel;
	if (tn_unlikely(ex->fuel < 0)) {
		ex->abort = TN_ABORT_FUEL;
		return true;
	}
	stop = tn_func_call(callback, ex, (uintptr_t)&sample, user, 0, 0, 0) != 0;
	tn_user_ringbuf_next(map);
	++*nr;
	return stop || ex->abort;
}

/* map, callback, its second argument, flags of wakeups: nobody waits here for space. */
TN_HELPER_BODY(, tn_helper_user_ringbuf_drain)
{
	struct tn_map *map = (struct tn_map *)(uintptr_t)r1;
	const struct tn_func *callback = (const struct tn_func *)(uintptr_t)r2;
	uint32_t fuel = ex->callback_fuel; /* a nested call changes it */
	uint64_t nr = 0;
	int err;

	if (r4 & ~(uint64_t)(TN_RB_NO_WAKEUP | TN_RB_FORCE_WAKEUP))
		return (uint64_t)-EINVAL;
	err = tn_user_ringbuf_begin(map);
	if (err)
		return (uint64_t)err;
	while (nr < TN_URB_MAX_SAMPLES && !drain_one(map, callback, r3, fuel, ex, &nr))
		;
	tn_user_ringbuf_end(map);
	return nr;
}
