// SPDX-License-Identifier: MIT
// Key and map in the wrong order.
// expect: E_ARG "argument 1" "bpf_map_lookup_elem" "a map"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 key = req->kind;

	return bpf_map_lookup_elem(&key, &counters) != 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
