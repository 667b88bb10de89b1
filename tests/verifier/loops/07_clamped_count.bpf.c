// SPDX-License-Identifier: MIT
// A count that is cut to 500 first.
// verdict: free 4007
// result: 1053
#include "loops.h"

LOOP(s)
{
	__u32 n = s->count, sum = 0;

	if (n > 500)
		n = 500;
	for (__u32 i = 0; i < n; i++) {
		sum += i * 3;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
