// SPDX-License-Identifier: MIT
// A thousand calls of a callback.
// verdict: free 6011
// result: 40748
#include "loops.h"

static int add(__u32 i, void *sum)
{
	*(__u32 *)sum += i ^ 3;
	return 0;
}

LOOP(s)
{
	__u32 sum = 0;

	bpf_loop(1000, add, &sum, 0);
	return sum & 0xffff;
}
