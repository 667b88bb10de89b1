// SPDX-License-Identifier: MIT
// The callback is run more often than the table has elements.
// expect: E_BOUNDS "32 bytes" "> 7"
#include "mistakes.h"

static __u32 table[8];

static long visit(__u32 i, void *ctx)
{
	__u64 *sum = ctx;

	*sum += ((volatile __u32 *)table)[i]; /* HERE */
	return 0;
}

SEC("hook/request")
int on_request(struct request *req)
{
	__u64 sum = 0;

	table[req->kind & 7]++;
	bpf_loop(16, visit, &sum, 0);
	return sum > 5;
}

char _license[] SEC("license") = "GPL";
