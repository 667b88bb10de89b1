// SPDX-License-Identifier: MIT
// The buffer is gone when the function returns.
// expect: E_STACK "own stack"
#include "mistakes.h"

static __noinline __u64 *make(__u32 kind)
{
	volatile __u64 local = kind;
	__u64 *p = (__u64 *)&local;

	barrier_var(p);
	return p; /* HERE */
}

SEC("hook/request")
int on_request(struct request *req)
{
	__u64 *p = make(req->kind);

	barrier_var(p);
	return *p > 5;
}

char _license[] SEC("license") = "MIT";
