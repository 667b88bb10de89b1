// SPDX-License-Identifier: MIT
// A callback says go on (0) or stop (1).
// expect: E_RETURN "callback"
#include "mistakes.h"

static long visit(__u32 i, void *sum)
{
	*(__u64 *)sum += i;
	return i; /* HERE */
}

SEC("hook/request")
int on_request(struct request *req)
{
	__u64 sum = 0;

	bpf_loop(10, visit, &sum, 0);
	return sum > 5;
}

char _license[] SEC("license") = "MIT";
