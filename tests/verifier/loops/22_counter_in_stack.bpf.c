// SPDX-License-Identifier: MIT
// The counter lives on the stack.
// verdict: free 907
// result: 24750
#include "loops.h"

LOOP(s)
{
	volatile __u32 i = 0;
	__u32 sum = 0;

	while (i < 100) {
		sum += i * 5;
		i++;
	}
	return sum & 0xffff;
}
