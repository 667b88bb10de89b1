// SPDX-License-Identifier: MIT
// The key itself is given, not its address.
// expect: E_ARG "argument 2" "bpf_map_lookup_elem" "&"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	return bpf_map_lookup_elem(&counters, (void *)(long)req->kind) != 0; /* HERE */
}

char _license[] SEC("license") = "MIT";
