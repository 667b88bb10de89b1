// SPDX-License-Identifier: MIT
// An int counts over a length of 64 bits.
// verdict: pays
// result: 25284
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;

	for (int i = 0; i < s->out_len; i++)
		sum += s->out[i];
	return sum & 0xffff;
}
