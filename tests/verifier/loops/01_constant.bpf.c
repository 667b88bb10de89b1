// SPDX-License-Identifier: MIT
// A constant bound.
// verdict: free 1004
// result: 179
#include "loops.h"

LOOP(s)
{
	__u32 sum = 1;

	for (int i = 0; i < 100; i++) {
		sum = sum * 31 + i;
		OPAQUE(sum);
	}
	return sum & 0xff;
}
