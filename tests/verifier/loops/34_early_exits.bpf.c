// SPDX-License-Identifier: MIT
// Three ways out.
// verdict: free 1690
// result: 1
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 120; i++) {
		if (i >= s->len)
			return sum & 0xffff;
		if (s->buf[i] == 0xff)
			break;
		if (sum > 100000)
			return 1;
		sum += s->buf[i] * 7;
	}
	return sum & 0xffff;
}
