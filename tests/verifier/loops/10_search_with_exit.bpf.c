// SPDX-License-Identifier: MIT
// Out as soon as it is found.
// verdict: free 1605
// result: 4294967295
#include "loops.h"

LOOP(s)
{
	for (__u32 i = 0; i < 200 && i < s->len; i++)
		if (s->buf[i] == '=')
			return i;
	return -1;
}
