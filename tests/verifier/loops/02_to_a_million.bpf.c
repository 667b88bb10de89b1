// SPDX-License-Identifier: MIT
// A loop of a dozen instructions to a million.
// verdict: free 10000005
// v2 pays: the bound is said of a copy cut to 32 bits of a counter that is wider
// result: 129
#include "loops.h"

LOOP(s)
{
	__u32 hash = 1;

	for (__u32 i = 0; i < 1000000; i++) {
		hash = (hash ^ i) * 16777619;
		hash -= i;
		hash ^= 0x5bd1;
		OPAQUE(hash);
	}
	return hash & 0xff;
}
