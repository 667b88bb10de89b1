// SPDX-License-Identifier: MIT
// Adds up an array map; every element is there.
// verdict: free 245
// result: 120
#include "loops.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

LOOP(s)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < 16; i++) {
		__u64 *v = bpf_map_lookup_elem(&table, &i);

		if (v)
			sum += *v + i;
	}
	return sum;
}
