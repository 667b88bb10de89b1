// SPDX-License-Identifier: MIT
// The test stands at the end.
// verdict: free 1028
// result: 8128
#include "loops.h"

LOOP(s)
{
	__u32 i = 0, sum = 0;

	do {
		sum += i ^ 5;
		OPAQUE(sum);
		i++;
	} while (i < 128);
	return sum & 0xffff;
}
