// SPDX-License-Identifier: MIT
// The test that would end it can not be true.
// verdict: rejected E_LOOP
#include "loops.h"

LOOP(s)
{
	__u32 done = 0, sum = 0;

	OPAQUE(sum);
	asm volatile("1: %0 += 3; if %1 != 1 goto 1b" : "+r"(sum) : "r"(done));
	return sum;
}
