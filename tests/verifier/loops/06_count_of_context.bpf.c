// SPDX-License-Identifier: MIT
// As often as the host says: up to 2^32 rounds do not fit the budget.
// verdict: pays
// result: 351
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < s->count; i++) {
		sum += i;
		OPAQUE(sum);
	}
	return sum & 0xffff;
}
