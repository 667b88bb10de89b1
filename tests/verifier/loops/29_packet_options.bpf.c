// SPDX-License-Identifier: MIT
// Options of one to 255 bytes, at most 40 of them.
// verdict: free 1006
// result: 3
#include "loops.h"

PACKET_LOOP(ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 at = 0, found = 0;

	for (int i = 0; i < 40; i++) {
		__u8 *p = data + at;

		if (p + 2 > end || at > 1400)
			break;
		if (p[0] == 0)
			break;
		found++;
		at += p[1] < 2 ? 2 : p[1];
	}
	return found;
}
