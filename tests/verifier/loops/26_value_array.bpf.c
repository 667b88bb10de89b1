// SPDX-License-Identifier: MIT
// Over an array inside of a map's value.
// verdict: free 268
// result: 5376
#include "loops.h"

struct row {
	__u32 v[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct row);
} rows SEC(".maps");

LOOP(s)
{
	__u32 zero = 0, sum = 0;
	struct row *r = bpf_map_lookup_elem(&rows, &zero);

	if (!r)
		return -1;
	for (__u32 i = 0; i < 64; i++) {
		r->v[i] = i * 3;
		sum += r->v[i] ^ i;
	}
	return sum & 0xffff;
}
