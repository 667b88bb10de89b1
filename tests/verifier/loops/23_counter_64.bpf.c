// SPDX-License-Identifier: MIT
// A counter of 64 bits.
// verdict: free 1054
// result: 65199
#include "loops.h"

LOOP(s)
{
	__u64 sum = 0;

	for (__u64 i = 0; i < 150; i++) {
		sum += i * i;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
