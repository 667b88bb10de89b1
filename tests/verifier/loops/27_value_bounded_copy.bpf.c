// SPDX-License-Identifier: MIT
// Copies as much of a buffer into a map's value as fits.
// verdict: free 530
// result: 64
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
	__u32 zero = 0, n = s->len;
	struct row *r = bpf_map_lookup_elem(&rows, &zero);

	if (!r)
		return -1;
	if (n > 64)
		n = 64;
	for (__u32 i = 0; i < n; i++)
		r->v[i] = s->buf[i];
	return n;
}
