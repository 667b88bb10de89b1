// SPDX-License-Identifier: MIT
// All bytes of a packet, by pointer.
// verdict: pays
// result: 196
#include "loops.h"

PACKET_LOOP(ctx)
{
	__u8 *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 sum = 0;

	for (; p + 1 <= end; p++)
		sum = sum * 3 + *p;
	return sum & 0xff;
}
