// SPDX-License-Identifier: MIT
// Up from one side, down from the other, until they meet.
// verdict: free 1606
// result: 16539
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0, j = 100; i < j; i++, j--) {
		sum += i * j;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
