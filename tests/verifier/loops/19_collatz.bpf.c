// SPDX-License-Identifier: MIT
// Nobody knows a bound.
// verdict: pays
// result: 111
#include "loops.h"

LOOP(s)
{
	__u32 n = s->count | 1, steps = 0;

	while (n != 1) {
		n = n & 1 ? 3 * n + 1 : n / 2;
		steps++;
	}
	return steps;
}
