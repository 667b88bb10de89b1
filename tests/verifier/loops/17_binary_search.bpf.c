// SPDX-License-Identifier: MIT
// Halves an interval: no counter moves by a constant.
// verdict: pays
// result: 17
#include "loops.h"

LOOP(s)
{
	__u32 low = 0, high = 64;

	while (low < high) {
		__u32 mid = (low + high) / 2;

		if (mid < s->len && s->buf[mid] < 128)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}
