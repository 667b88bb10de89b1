// SPDX-License-Identifier: MIT
// Sorts 32 bytes on the stack.
// verdict: free 15057
// result: 3058
#include "loops.h"

LOOP(s)
{
	__u8 v[32];

	for (__u32 i = 0; i < 32; i++)
		v[i] = i < s->len ? s->buf[i] : 0;
	for (__u32 i = 0; i < 31; i++)
		for (__u32 j = 0; j < 31; j++) {
			__u8 a = v[j], b = v[j + 1];

			v[j] = a < b ? a : b;
			v[j + 1] = a < b ? b : a;
		}
	return v[0] << 8 | v[31];
}
