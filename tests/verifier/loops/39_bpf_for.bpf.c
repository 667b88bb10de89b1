// SPDX-License-Identifier: MIT
// An open-coded iterator with constant bounds.
// verdict: free 5037
// result: 46570
#define LICENSE "GPL"
#include "loops.h"

LOOP(s)
{
	__u32 sum = 0;
	int i;

	bpf_for(i, 0, 500) sum += i * 3;
	return sum & 0xffff;
}
