// SPDX-License-Identifier: MIT
// Euclid: ends, by an argument about remainders.
// verdict: pays
// result: 1
#include "loops.h"

LOOP(s)
{
	__u32 a = s->count | 1, b = s->limit | 1;

	while (b) {
		__u32 t = a % b;

		a = b;
		b = t;
	}
	return a & 0xffff;
}
