/* SPDX-License-Identifier: MIT */
/* Running programs: the hooks' hot path (fire.c), and single runs for tests and callbacks. */
#ifndef TN_HOST_FIRE_H
#define TN_HOST_FIRE_H

#include "host-api/hook.h"

struct tn_run {
	struct tenon_program *program;
	tn_native_fn entry; /* of the engine that is wanted */
	void *ctx;
	uint64_t ctx_size;
	uint64_t fuel;
};

struct tn_run_result {
	uint64_t ret;		      /* of the last run; 0 when it ended early */
	uint64_t ns;		      /* all runs */
	uint32_t abort, abort_reason; /* TN_ABORT_..., of the last run */
	bool skipped;		      /* the program runs on this thread already */
};

/* Run `repeat` times outside any hook, with full bookkeeping (epoch, slot, fuel, nesting). 0, or
 * -ENOMEM (no thread record). */
int tn_run(const struct tn_run *run, uint32_t repeat, struct tn_run_result *out);

#endif
