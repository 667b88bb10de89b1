// SPDX-License-Identifier: MIT
// From the end of a table down to its first element.
// verdict: free 582
// result: 1824
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;
	int i = 63;

	while (i >= 0) {
		if (i < s->len)
			sum = sum * 5 + s->buf[i];
		i--;
	}
	return sum & 0xffff;
}
