// SPDX-License-Identifier: MIT
// A pointer walks to the end of its region.
// verdict: pays
// result: 25284
#include "loops.h"

LOOP(s)
{
	const __u8 *p = s->first, *end = s->last;
	__u32 sum = 0;

	for (; p < end; p++)
		sum += *p;
	return sum & 0xffff;
}
