// SPDX-License-Identifier: MIT
// A callback has two answers, this one a third.
// expect: E_RETURN "callback" "0 to go on or 1 to stop"
#include "mistakes.h"

static long visit(void *map, const __u32 *key, struct counter *c, void *ctx)
{
	*(__u64 *)ctx += c->hits;
	return 2; /* HERE */
}

SEC("hook/request")
int on_request(struct request *req)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&counters, visit, &sum, 0);
	return sum > 5;
}

char _license[] SEC("license") = "GPL";
