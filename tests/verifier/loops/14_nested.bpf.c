// SPDX-License-Identifier: MIT
// Thirty times forty.
// verdict: free 12244
// result: 26088
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 30; i++)
		for (__u32 j = 0; j < 40; j++) {
			sum += i ^ j;
			OPAQUE(sum);
		}
	return sum & 0xffff;
}
