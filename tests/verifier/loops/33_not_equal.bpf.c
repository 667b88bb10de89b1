// SPDX-License-Identifier: MIT
// Ends by inequality, with a step of two.
// verdict: free 644
// result: 4096
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i != 128; i += 2) {
		sum += i ^ 9;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
