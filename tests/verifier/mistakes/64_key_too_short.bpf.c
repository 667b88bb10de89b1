// SPDX-License-Identifier: MIT
// The key has one byte, the map wants four.
// expect: E_STACK "key" "counters" "4 bytes"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u8 key = req->kind;

	return bpf_map_lookup_elem(&counters, &key) != 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
