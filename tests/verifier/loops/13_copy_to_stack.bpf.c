// SPDX-License-Identifier: MIT
// A fixed buffer on the stack, filled and summed.
// verdict: free 1351
// result: 26400
#include "loops.h"

LOOP(s)
{
	__u8 local[64];
	__u32 sum = 0;

	for (__u32 i = 0; i < 64; i++)
		local[i] = i < s->len ? s->buf[i] : 0;
	OPAQUE(sum);
	for (__u32 i = 0; i < 64; i++)
		sum = sum * 3 + local[i];
	return sum & 0xffff;
}
