// SPDX-License-Identifier: MIT
// Gives up after 2^23 rounds, which are more than the budget.
// verdict: pays
// result: 111
#include "loops.h"

LOOP(s)
{
	__u32 n = s->count | 1, steps = 0;

	while (n != 1) {
		cond_break;
		n = n & 1 ? 3 * n + 1 : n / 2;
		steps++;
	}
	return steps;
}
