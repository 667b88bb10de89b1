// SPDX-License-Identifier: MIT
// The first 128 bytes of a packet, as far as it goes.
// verdict: free 1158
// result: 64
#include "loops.h"

PACKET_LOOP(ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 sum = 0;

	for (__u32 i = 0; i < 128; i++) {
		if (data + i + 1 > end)
			break;
		sum += data[i];
	}
	return sum & 0xff;
}
