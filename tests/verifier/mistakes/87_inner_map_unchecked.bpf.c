// SPDX-License-Identifier: MIT
// There may be no map at that place of the outer one.
// expect: E_NULL "NULL"
#include "mistakes.h"

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &first } };

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 which = req->kind, key = 0;
	void *map = bpf_map_lookup_elem(&outer, &which);
	__u64 *n = bpf_map_lookup_elem(map, &key); /* HERE */

	if (n)
		*n += 1;
	return 0;
}

char _license[] SEC("license") = "GPL";
