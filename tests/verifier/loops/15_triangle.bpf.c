// SPDX-License-Identifier: MIT
// The inner bound is the outer counter.
// verdict: free 10309
// result: 52264
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 32; i++)
		for (__u32 j = 0; j < i; j++) {
			sum += i * j;
			OPAQUE(sum);
		}
	return sum & 0xffff;
}
