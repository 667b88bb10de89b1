// SPDX-License-Identifier: MIT
// Counts words in a hash map, by their first byte.
// verdict: free 774
// result: 0
#include "loops.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} words SEC(".maps");

LOOP(s)
{
	for (__u32 i = 0; i < 32 && i < s->len; i++) {
		__u32 key = s->buf[i] & 7;
		__u64 one = 1, *v = bpf_map_lookup_elem(&words, &key);

		if (v)
			(*v)++;
		else
			bpf_map_update_elem(&words, &key, &one, BPF_ANY);
	}
	return 0;
}
