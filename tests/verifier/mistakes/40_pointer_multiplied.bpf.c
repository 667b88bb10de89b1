// SPDX-License-Identifier: MIT
// Scaling is applied to the pointer instead of the index.
// expect: E_POINTER_MATH "index"
#include "mistakes.h"

SEC("hook/request")
int on_request(struct request *req)
{
	struct counter *c = counter_of(req->kind);
	__u64 at;

	if (!c)
		return 0;
	at = (__u64)c;
	barrier_var(at);
	at *= 4; /* HERE */
	return *(__u32 *)(at + req->kind) > 2;
}

char _license[] SEC("license") = "MIT";
