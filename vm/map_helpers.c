/* SPDX-License-Identifier: MIT */
/* Helpers on maps without keys: queues, stacks, and rings of perf events. */
#include <errno.h>

#include "maps/map.h"
#include "maps/perf_array.h"
#include "vm/ctx_type.h"
#include "vm/helper_body.h"
#include "vm/interp.h"

#define BODY(name) TN_HELPER_BODY(, name)

static struct tn_map *map(uint64_t reg)
{
	return (struct tn_map *)(uintptr_t)reg;
}

static uint64_t from_int(int64_t value)
{
	return (uint64_t)value;
}

BODY(tn_helper_map_push)
{
	return from_int(map(r1)->ops->push(map(r1), (const void *)(uintptr_t)r2, r3));
}

BODY(tn_helper_map_pop)
{
	return from_int(map(r1)->ops->pop(map(r1), (void *)(uintptr_t)r2));
}

BODY(tn_helper_map_peek)
{
	return from_int(map(r1)->ops->peek(map(r1), (void *)(uintptr_t)r2));
}

/* packet, map, flags, sample, its size: the host's struct behind the program's own context, or
 * behind a handle; the verifier knows which of the two kinds of packet it is. Both begin alike. */
static uint64_t packet_output(uint64_t packet, struct tn_map *to, uint64_t flags, uint64_t data,
			      uint64_t size, uint32_t slot)
{
	const struct tn_skb_host *skb = (const void *)(uintptr_t)packet;
	uint64_t frame_bytes = (flags & TN_PERF_CTX_BYTES) >> 32;
	const unsigned char *frame = skb->data, *end = skb->data_end;

	if (flags & ~(TN_PERF_CTX_BYTES | TN_PERF_INDEX))
		return from_int(-EINVAL);
	if (frame_bytes && (!frame || end < frame || frame_bytes > (uint64_t)(end - frame)))
		return from_int(-EFAULT);
	return from_int(tn_perf_output(to, flags, (const void *)(uintptr_t)data, size, frame,
				       frame_bytes, slot));
}

BODY(tn_helper_skb_output)
{
	return packet_output(r1, map(r2), r3, r4, r5, ex->slot);
}

BODY(tn_helper_xdp_output)
{
	return packet_output(r1, map(r2), r3, r4, r5, ex->slot);
}

/* ctx, map, flags, sample, its size. In a packet's program the flags may ask for the beginning of
 * the frame behind the sample. */
BODY(tn_helper_perf_output)
{
	uint64_t frame_bytes = (r3 & TN_PERF_CTX_BYTES) >> 32;
	const unsigned char *data = NULL, *end = NULL;

	if (frame_bytes) {
		if (!tn_exec_packet(ex->prog, (const void *)(uintptr_t)r1, &data, &end))
			return from_int(-EINVAL);
		if (frame_bytes > (uint64_t)(end - data))
			return from_int(-EFAULT);
	}
	return from_int(tn_perf_output(map(r2), r3, (const void *)(uintptr_t)r4, r5, data,
				       frame_bytes, ex->slot));
}
