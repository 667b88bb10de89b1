// SPDX-License-Identifier: MIT
// Steps of three, by inequality.
// verdict: free 504
// v2 pays: the bound is said of a copy cut to 32 bits of a counter that is wider
// result: 14850
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 300; i += 3) {
		sum += i;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
