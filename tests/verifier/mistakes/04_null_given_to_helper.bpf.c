// SPDX-License-Identifier: MIT
// A lookup result that may be NULL is handed on as the value of an update.
// expect: E_NULL "counters" "NULL" "if (!pointer)"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 other = 7;
	struct counter *c = counter_of(req->kind);

	bpf_map_update_elem(&counters, &other, c, BPF_ANY); /* HERE */
	return 0;
}

char _license[] SEC("license") = "MIT";
