// SPDX-License-Identifier: MIT
// As many calls as the host says; the helper takes 2^23 at most.
// verdict: free 50331659
// result: 354
#include "loops.h"

static int add(__u32 i, void *sum)
{
	*(__u32 *)sum += i ^ 3;
	return 0;
}

LOOP(s)
{
	__u32 sum = 0;

	bpf_loop(s->count, add, &sum, 0);
	return sum & 0xffff;
}
