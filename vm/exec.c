/* SPDX-License-Identifier: MIT */
/* What both engines do the same way through here: callbacks, tail calls, legacy packet loads. */
#include "vm/exec.h"

#include "base/compiler.h"
#include "maps/map.h"
#include "maps/prog_array.h"
#include "vm/image.h"
#include "vm/interp.h"

uint64_t tn_func_call(const struct tn_func *fn, struct tn_exec *ex, uint64_t a1, uint64_t a2,
		      uint64_t a3, uint64_t a4, uint64_t a5)
{
	const uint64_t args[5] = { a1, a2, a3, a4, a5 };

	if (tn_likely(fn->native != NULL))
		return fn->native(a1, a2, a3, a4, a5, ex);
	return tn_interp_call(fn->prog, fn->subprog, args, ex);
}

const struct tn_prog *tn_exec_tail_call(struct tn_exec *ex, void *map, uint64_t index)
{
	const struct tn_prog *target;

	/* The kernel's helper takes a u32; the same count for all programs of a firing. */
	if ((uint32_t)index >= ((struct tn_map *)map)->max_entries ||
	    ex->tail_calls >= TN_MAX_TAIL_CALLS)
		return NULL;
	target = tn_prog_array_at(map, (uint32_t)index);
	if (!target)
		return NULL;
	ex->tail_calls++;
	if (target->facts) {
		ex->fuel -= (int64_t)target->facts->proved_cost;
		if (ex->fuel < 0) {
			ex->abort = TN_ABORT_FUEL;
			return NULL;
		}
	}
	ex->prog = target;
	return target;
}

bool tn_exec_packet(const struct tn_prog *prog, const void *ctx, const unsigned char **data,
		    const unsigned char **end)
{
	/* All packet contexts begin alike, and not all programs see these members. */
	const struct tn_xdp_host *host = ctx;

	_Static_assert(offsetof(struct tn_skb_host, data) == offsetof(struct tn_xdp_host, data) &&
			       offsetof(struct tn_skb_host, data_end) ==
				       offsetof(struct tn_xdp_host, data_end),
		       "packet contexts begin alike");
	if (!prog->ctx_type || !(prog->ctx_type->is_packet || prog->ctx_type->has_frame))
		return false;
	*data = host->data;
	*end = host->data_end;
	return *data && *end >= *data;
}

int tn_exec_ld_packet(const struct tn_prog *prog, const void *ctx, int64_t off, uint32_t bytes,
		      uint64_t *out)
{
	const unsigned char *data, *end;
	uint64_t value = 0;

	/* Negative offsets reach link and network headers in the kernel; here they are outside. */
	if (!tn_exec_packet(prog, ctx, &data, &end) || off < 0 || off > end - data ||
	    end - data - off < bytes)
		return 0;
	for (uint32_t i = 0; i < bytes; i++)
		value = value << 8 | data[off + i];
	*out = value;
	return 1;
}
