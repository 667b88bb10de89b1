// SPDX-License-Identifier: MIT
// A counter that goes down to zero.
// verdict: free 1804
// result: 512
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (int i = 200; i > 0; i--) {
		sum ^= i * 7;
		OPAQUE(sum);
	}
	return sum;
}
