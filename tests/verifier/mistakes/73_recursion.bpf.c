// SPDX-License-Identifier: MIT
// A function that calls itself needs an unbounded stack.
// expect: E_STRUCTURE "depth_of" "itself"
#include "mistakes.h"

static __noinline int depth_of(volatile __u32 *x)
{
	if (*x < 2)
		return 1;
	*x /= 2;
	return 1 + depth_of(x) + depth_of(x); /* HERE */
}

SEC("hook/request")
int on_request(struct request *req)
{
	__u32 x = req->kind;

	return depth_of(&x) > 5;
}

char _license[] SEC("license") = "MIT";
